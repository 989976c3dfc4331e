// Spans and log records, drawn: what the page of an alert, of a trace and of logs share.
import { Button } from "@mantine/core";
import { type ReactNode, useEffect, useRef, useState } from "react";

import type { LogRecord, Trace, TraceSpan } from "../api/types.ts";
import page from "../pages/page.module.css";
import { count, formatClock, formatMoment, toMs } from "../state/format.ts";
import { hrefTo } from "../state/route.ts";
import { formatMs, keysOf, type Row, rowsOf } from "../state/trace.ts";
import styles from "./Telemetry.module.css";

interface CardProps {
  id: string;
  title: string;
  aside?: ReactNode;
  children: ReactNode;
}

export function Card({ id, title, aside, children }: CardProps) {
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

export function Facts({ facts }: { facts: [string, string][] }) {
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

interface LineProps {
  at: string | null;
  about: string;
  mark: string;
  children: ReactNode;
}

/** Something that happened at a moment. */
export function Line({ at, about, mark, children }: LineProps) {
  return (
    <li className={styles.line}>
      <LineParts at={at} about={about} mark={mark}>
        {children}
      </LineParts>
    </li>
  );
}

function LineParts({ at, about, mark, children }: LineProps) {
  const ms = toMs(at);
  return (
    <>
      <span className={styles.when}>
        {ms !== null && (
          <time dateTime={at ?? ""} title={formatMoment(ms)}>
            {formatClock(ms)}
          </time>
        )}
      </span>
      <span className={styles.mark}>{mark}</span>
      <span className={styles.said}>
        {about !== "" && <span className={styles.dim}>{about}: </span>}
        {children}
      </span>
    </>
  );
}

interface LogLinesProps {
  records: LogRecord[];
  label?: string;
  /** So many at first, and so many more by a click. */
  step?: number;
  /** What stands behind a record, such as a link to its trace. */
  behind?: (record: LogRecord) => ReactNode;
}

/** Log records; a click on one shows all that it says. */
export function LogLines(props: LogLinesProps) {
  const { records, label = "Logged within the trace", step = LINES_STEP, behind } = props;
  const [shown, more] = useMore(records.length, step, "record");
  const keys = keysOf(records);
  return (
    <>
      <ol className={styles.lines} aria-label={label}>
        {records.slice(0, shown).map((record, idx) => (
          <LogRow key={keys[idx]} record={record} behind={behind?.(record)} />
        ))}
      </ol>
      {more}
    </>
  );
}

function LogRow({ record, behind }: { record: LogRecord; behind: ReactNode }) {
  const { attributes, severity } = record;
  const logger = attributes["logger.name"] ?? record.service;
  const facts: [string, string][] = [
    ["service", record.service],
    ["severity", record.severityText || (severity ?? "")],
    ["event", record.event],
    ["trace", record.traceId ?? ""],
    ["span", record.spanId ?? ""],
    ...Object.entries(attributes),
  ];
  return (
    <li className={styles.record}>
      <details>
        <summary className={styles.line} data-grave={severity === "error" || severity === "fatal"}>
          <LineParts at={record.at} about={logger} mark={severity ?? ""}>
            {record.body || record.event}
          </LineParts>
        </summary>
        <div className={styles.more}>
          <Facts facts={facts.filter(([, text]) => text !== "")} />
        </div>
      </details>
      {behind}
    </li>
  );
}

interface WaterfallProps {
  trace: Trace;
  /** The span that is looked for: it is open, and in view. */
  open?: string | null;
}

/** Spans as bars over the time of their trace. */
export function Waterfall({ trace, open = null }: WaterfallProps) {
  const rows = rowsOf(trace.spans);
  // What is looked for is shown, however far down it stands.
  const at = rows.findIndex(({ span }) => span.spanId === open);
  const first = ROWS_STEP * Math.ceil(Math.max(1, at + 1) / ROWS_STEP);
  const [shown, more] = useMore(rows.length, ROWS_STEP, "span", first);
  return (
    <>
      <ol className={styles.spans} aria-label="Spans of the trace">
        {rows.slice(0, shown).map((row) => (
          <SpanRow
            key={row.span.spanId}
            row={row}
            wholeMs={trace.durationMs}
            isLookedFor={row.span.spanId === open}
          />
        ))}
      </ol>
      {more}
      {!trace.isWhole && <p className={styles.dim}>There is more of it than is shown.</p>}
    </>
  );
}

/** How many of a long list are shown, and the button for more. */
function useMore(n: number, step: number, what: string, first = step): [number, ReactNode] {
  const [limit, setLimit] = useState(first);
  if (n <= limit) return [n, null];
  const button = (
    <p className={styles.button}>
      <Button size="compact-xs" variant="default" onClick={() => setLimit(limit + step)}>
        Show {count(Math.min(step, n - limit), `more ${what}`)}
      </Button>
    </p>
  );
  return [limit, button];
}

interface SpanRowProps {
  row: Row;
  wholeMs: number;
  isLookedFor: boolean;
}

function SpanRow({ row: { span, depth }, wholeMs, isLookedFor }: SpanRowProps) {
  const part = (ms: number) => `${wholeMs > 0 ? (100 * ms) / wholeMs : 0}%`;
  const isFailed = span.failure !== null;
  const row = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (isLookedFor) row.current?.scrollIntoView({ block: "center" });
  }, [isLookedFor]);
  return (
    <li ref={row}>
      <details className={styles.span} open={isLookedFor}>
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
        <SpanDetails span={span} />
      </details>
    </li>
  );
}

function SpanDetails({ span }: { span: TraceSpan }) {
  const facts: [string, string][] = [
    ["kind", span.kind],
    ["began after", formatMs(span.offsetMs)],
    ...Object.entries(span.attributes),
    ["span", span.spanId],
  ];
  return (
    <div className={styles.more}>
      {span.failure && <p>{span.failure}</p>}
      <Facts facts={facts} />
      {span.events.map((event, idx) => (
        <p key={idx}>
          {event.name}
          {Object.entries(event.attributes).map(([name, text]) => (
            <span key={name} className={styles.dim}>
              {" "}
              {name}={text}
            </span>
          ))}
        </p>
      ))}
      {span.links.map(({ traceId, spanId }) => (
        <p key={`${traceId} ${spanId}`}>
          linked with <a href={hrefTo("traces", traceId, { span: spanId })}>{traceId}</a>
        </p>
      ))}
    </div>
  );
}

/** Spans that are shown, and how many more by a click. */
const ROWS_STEP = 200;
/** Log records of a trace that are shown, and how many more by a click. */
const LINES_STEP = 100;
/** Steps that are still moved to the right. */
const DEPTH_MAX = 8;
