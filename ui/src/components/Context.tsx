import { useTrace } from "../api/queries.ts";
import type { Context, Crumb } from "../state/context.ts";
import { count } from "../state/format.ts";
import { hrefTo } from "../state/route.ts";
import { formatMs } from "../state/trace.ts";
import { Failed, Loading } from "./Notice.tsx";
import { Card, Facts, Line, LogLines, Waterfall } from "./Telemetry.tsx";
import styles from "./Telemetry.module.css";

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

function CrumbLine({ crumb }: { crumb: Crumb }) {
  return (
    <Line at={crumb.at} about={crumb.category} mark={crumb.level}>
      {crumb.message}
      {crumb.data !== "" && <span className={styles.dim}> {crumb.data}</span>}
    </Line>
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
      {whole && whole.logs.length > 0 && <LogLines records={whole.logs} />}
      <p className={styles.id}>{whole ? <a href={hrefTo("traces", id)}>{id}</a> : id}</p>
    </Card>
  );
}
