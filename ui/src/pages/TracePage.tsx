// One trace: its spans over time, what was logged within it, the alerts that arose in it.
import { HttpError } from "../api/http.ts";
import { useAlerts, useTrace } from "../api/queries.ts";
import type { LogRecord, Trace } from "../api/types.ts";
import { StateMark } from "../components/AlertBits.tsx";
import { CopyButton } from "../components/CopyButton.tsx";
import { Empty, Failed, Loading } from "../components/Notice.tsx";
import { PageTitle } from "../components/PageTitle.tsx";
import { Card, LogLines, Waterfall } from "../components/Telemetry.tsx";
import { Since } from "../components/Time.tsx";
import { alertName, summaryOf } from "../state/alerts.ts";
import { count, formatMoment, toMs } from "../state/format.ts";
import { hrefTo } from "../state/route.ts";
import { formatMs, rowsOf } from "../state/trace.ts";
import page from "./page.module.css";
import styles from "./TracePage.module.css";

interface Props {
  id: string;
  /** The span that is looked for. */
  spanId: string | null;
}

export default function TracePage({ id, spanId }: Props) {
  const { data, error, isPending } = useTrace(id);
  const isGone = error instanceof HttpError && error.status === 404;
  return (
    <>
      <nav aria-label="Way back" className={styles.back}>
        <a href={hrefTo("traces")}>← Traces</a>
      </nav>
      {error && !isGone && <Failed what="the trace" error={error} hasOlder={data !== undefined} />}
      {isPending && <Loading />}
      {data ? <Details trace={data} spanId={spanId} /> : <PageTitle name="Trace" />}
      {isGone && !data && <Gone />}
      <AlertsWithin id={id} />
    </>
  );
}

function Details({ trace, spanId }: { trace: Trace; spanId: string | null }) {
  const { traceId, spans, logs, durationMs } = trace;
  const root = rowsOf(spans)[0]?.span;
  const at = toMs(trace.startedAt);
  const failed = spans.filter(({ failure }) => failure !== null).length;
  const services = [...new Set(spans.map(({ service }) => service))].filter(Boolean);
  return (
    <article>
      <PageTitle name={root?.name ?? "Trace"} />
      <p className={styles.facts}>
        {at !== null && (
          <span>
            {formatMoment(at)}, <Since at={at} suffix="ago" />
          </span>
        )}
        <span>took {formatMs(durationMs)}</span>
        <span>{services.join(", ")}</span>
        {failed > 0 && <b>{failed} failed</b>}
      </p>
      <p className={styles.id}>
        {traceId} <CopyButton text={traceId} />
      </p>
      <Card id="spans" title="Spans" aside={`${spans.length}`}>
        {spans.length > 0 ? (
          <Waterfall key={spanId} trace={trace} open={spanId} />
        ) : (
          <p className={page.aside}>
            None is kept: its sender samples, or they went for their age.
          </p>
        )}
      </Card>
      <Card
        id="logs"
        title="Logs"
        aside={<a href={hrefTo("logs", null, { trace_id: traceId })}>search within them</a>}
      >
        {logs.length > 0 ? (
          <LogLines records={logs} behind={spanLink} />
        ) : (
          <p className={page.aside}>Nothing was logged within it.</p>
        )}
      </Card>
    </article>
  );
}

function spanLink({ traceId, spanId }: LogRecord) {
  if (traceId === null || spanId === null) return null;
  return <a href={hrefTo("traces", traceId, { span: spanId })}>span</a>;
}

function AlertsWithin({ id }: { id: string }) {
  const alerts = useAlerts().data?.filter(({ annotations }) => annotations.trace_id === id) ?? [];
  if (alerts.length === 0) return null;
  return (
    <Card id="alerts" title="Alerts" aside={count(alerts.length, "alert")}>
      <ul className={styles.alerts}>
        {alerts.map(({ fingerprint, state, labels, annotations }) => (
          <li key={fingerprint}>
            <StateMark state={state} />{" "}
            <a href={hrefTo("alerts", fingerprint)}>{alertName(labels)}</a>{" "}
            <span className={page.aside}>{summaryOf(annotations)}</span>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function Gone() {
  return (
    <Empty title="Nothing is kept of this trace">
      <p>
        It was not sent here, or it went: <code>telemetry</code> of firebell.yml says how long, and
        within how many bytes, spans and logs are kept. What is kept is{" "}
        <a href={hrefTo("traces")}>in the list</a>.
      </p>
    </Empty>
  );
}
