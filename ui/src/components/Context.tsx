import type { ReactNode } from "react";

import { useTrace } from "../api/queries.ts";
import type { LogRecord, Trace } from "../api/types.ts";
import page from "../pages/page.module.css";
import type { Context, Crumb } from "../state/context.ts";
import { count, formatClock, toMs } from "../state/format.ts";
import { formatMs, type Row, rowsOf } from "../state/trace.ts";
import styles from "./Context.module.css";
import { Failed, Loading } from "./Notice.tsx";

/** What was going on when the alert arose: the request, what happened before, its trace. */
export function ContextCards({ context }: { context: Context }) {
  const { traceId, facts, crumbs, groups } = context;
  return (
    <>
      {facts.length > 0 && (
        <Card id="context" title="Context">
          <Facts facts={facts} />
        </Card>
      )}
      {crumbs.length > 0 && (
        <Card id="crumbs" title="Breadcrumbs">
          <ol className={styles.lines}>
            {crumbs.map((crumb, idx) => (
              <CrumbLine key={idx} crumb={crumb} />
            ))}
          </ol>
        </Card>
      )}
      {traceId !== null && <TraceCard id={traceId} />}
      {groups.map(({ name, facts }) => (
        <Card key={name} id={`group-${name}`} title={name}>
          <Facts facts={facts} />
        </Card>
      ))}
    </>
  );
}

interface CardProps {
  id: string;
  title: string;
  aside?: string;
  children: ReactNode;
}

function Card({ id, title, aside, children }: CardProps) {
  return (
    <section className={page.card} aria-labelledby={id}>
      <h2 id={id}>
        {title}
        {aside !== undefined && <span className={page.aside}>{aside}</span>}
      </h2>
      {children}
    </section>
  );
}

function Facts({ facts }: { facts: [string, string][] }) {
  return (
    <dl className={styles.facts}>
      {facts.map(([name, text]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{text}</dd>
        </div>
      ))}
    </dl>
  );
}

function CrumbLine({ crumb }: { crumb: Crumb }) {
  return (
    <Line at={crumb.at} about={crumb.category} mark={crumb.level}>
      {crumb.message}
      {crumb.data !== "" && <span className={styles.dim}> {crumb.data}</span>}
    </Line>
  );
}

function LogLine({ record }: { record: LogRecord }) {
  const logger = record.attributes["logger.name"] ?? record.service;
  return (
    <Line at={record.at} about={logger} mark={record.severity ?? ""}>
      {record.body || record.event}
    </Line>
  );
}

interface LineProps {
  at: string | null;
  about: string;
  mark: string;
  children: ReactNode;
}

function Line({ at, about, mark, children }: LineProps) {
  const ms = toMs(at);
  return (
    <li className={styles.line}>
      <span className={styles.when}>
        {ms !== null && <time dateTime={at ?? ""}>{formatClock(ms)}</time>}
      </span>
      <span className={styles.mark}>{mark}</span>
      <span className={styles.said}>
        {about !== "" && <span className={styles.dim}>{about}: </span>}
        {children}
      </span>
    </li>
  );
}

function TraceCard({ id }: { id: string }) {
  const trace = useTrace(id);
  const whole = trace.data;
  const aside = whole && `${count(whole.spans.length, "span")} in ${formatMs(whole.durationMs)}`;
  return (
    <Card id="trace" title="Trace" {...(aside !== undefined && { aside })}>
      {trace.error && <Failed what="the trace" error={trace.error} hasOlder={!!whole} />}
      {trace.isPending && <Loading />}
      {whole && <Waterfall trace={whole} />}
      {whole && whole.logs.length > 0 && (
        <ol className={styles.lines} aria-label="Logged within the trace">
          {whole.logs.slice(0, LINES_MAX).map((record, idx) => (
            <LogLine key={idx} record={record} />
          ))}
        </ol>
      )}
      <p className={styles.id}>{id}</p>
    </Card>
  );
}

function Waterfall({ trace }: { trace: Trace }) {
  const rows = rowsOf(trace.spans);
  const isMore = rows.length > ROWS_MAX || !trace.isWhole;
  return (
    <>
      <ol className={styles.spans} aria-label="Spans of the trace">
        {rows.slice(0, ROWS_MAX).map((row) => (
          <SpanRow key={row.span.spanId} row={row} wholeMs={trace.durationMs} />
        ))}
      </ol>
      {isMore && <p className={styles.dim}>There is more of it than is shown.</p>}
    </>
  );
}

function SpanRow({ row: { span, depth }, wholeMs }: { row: Row; wholeMs: number }) {
  const part = (ms: number) => `${wholeMs > 0 ? (100 * ms) / wholeMs : 0}%`;
  const isFailed = span.failure !== null;
  const attributes = Object.entries(span.attributes);
  return (
    <li>
      <details className={styles.span}>
        <summary>
          <span className={styles.name} style={{ paddingLeft: `${Math.min(depth, DEPTH_MAX)}rem` }}>
            {span.name}
            <span className={styles.dim}> {span.service}</span>
            {isFailed && <b className={styles.failed}> failed</b>}
          </span>
          <span className={styles.track}>
            <span
              className={styles.bar}
              data-failed={isFailed}
              style={{ left: part(span.offsetMs), width: part(span.durationMs) }}
            />
          </span>
          <span className={styles.took}>{formatMs(span.durationMs)}</span>
        </summary>
        <div className={styles.more}>
          {span.failure && <p>{span.failure}</p>}
          <Facts facts={[["kind", span.kind], ...attributes]} />
          {span.events.map((event, idx) => (
            <p key={idx}>{event.name}</p>
          ))}
        </div>
      </details>
    </li>
  );
}

/** Spans that are shown. */
const ROWS_MAX = 200;
/** Log records that are shown. */
const LINES_MAX = 100;
/** Steps that are still moved to the right. */
const DEPTH_MAX = 8;
