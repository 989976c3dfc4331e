// The newest traces that are kept, by what somebody looks for.
import { SegmentedControl } from "@mantine/core";

import { useTraces } from "../api/queries.ts";
import type { TraceFound } from "../api/types.ts";
import { Failed, Loading } from "../components/Notice.tsx";
import { PageTitle } from "../components/PageTitle.tsx";
import {
  type Asking,
  askingOf,
  Field,
  Further,
  HowToSend,
  Narrowed,
  Nothing,
  TimeChoice,
  useRested,
} from "../components/TelemetryFilter.tsx";
import { Since } from "../components/Time.tsx";
import { count, toMs } from "../state/format.ts";
import { hrefTo } from "../state/route.ts";
import { beyond, durationProblem, limitOf, questionOf } from "../state/telemetry.ts";
import { formatMs } from "../state/trace.ts";
import page from "./page.module.css";
import styles from "./TracesPage.module.css";

export default function TracesPage({ params }: { params: URLSearchParams }) {
  const asking = askingOf("traces", params);
  const limit = limitOf(params, STEPS);
  const question = useRested(questionOf(params, limit));
  // Of what is asked, not of what is being typed.
  const problem = durationProblem(new URLSearchParams(question).get("min_duration") ?? "");
  const { data, error, isPending } = useTraces(problem === null ? question : null);
  const list = data?.traces;
  const moments = list?.map(({ startedAt }) => startedAt) ?? [];
  return (
    <>
      <div className={page.head}>
        <PageTitle name="Traces" />
        <Filter asking={asking} problem={problem} />
      </div>
      <Narrowed asking={asking} />
      {error && <Failed what="the traces" error={error} hasOlder={data !== undefined} />}
      {isPending && problem === null && <Loading />}
      {data && list?.length === 0 && (
        <Nothing asking={asking} isWhole={data.isWhole} what="trace">
          <HowToSend />
        </Nothing>
      )}
      {list && list.length > 0 && (
        <ul className={styles.list} aria-label="Traces">
          {list.map((trace) => (
            <Row key={trace.traceId} trace={trace} longestMs={longest(list)} />
          ))}
        </ul>
      )}
      {data && <Further asking={asking} way={beyond({ ...data, moments }, STEPS, limit)} />}
    </>
  );
}

function longest(list: TraceFound[]): number {
  return Math.max(...list.map(({ durationMs }) => durationMs));
}

function Filter({ asking, problem }: { asking: Asking; problem: string | null }) {
  return (
    <div className={page.controls} role="search">
      <Field asking={asking} name="service" label="Service" />
      <Field
        asking={asking}
        name="text"
        label="Text in a span"
        placeholder="Text: names, failures, attributes"
      />
      <Field
        asking={asking}
        name="min_duration"
        label="Least duration"
        placeholder="At least 250ms"
        error={problem}
      />
      <SegmentedControl
        size="xs"
        aria-label="Which traces"
        value={asking.params.get("failed") === "true" ? "true" : ""}
        onChange={(failed) => asking.ask({ failed })}
        data={[
          { value: "", label: "All" },
          { value: "true", label: "Failed" },
        ]}
      />
      <TimeChoice asking={asking} />
    </div>
  );
}

function Row({ trace, longestMs }: { trace: TraceFound; longestMs: number }) {
  const { traceId, name, service, durationMs, spans, failedSpans } = trace;
  const at = toMs(trace.startedAt);
  return (
    <li className={styles.row}>
      <p className={styles.when}>{at !== null && <Since at={at} suffix="ago" />}</p>
      <div className={styles.text}>
        <a href={hrefTo("traces", traceId)} className={styles.title}>
          {name || traceId}
        </a>
        <span className={page.aside}> {service}</span>
      </div>
      <p className={styles.spans}>
        {count(spans, "span")}
        {failedSpans > 0 && <b className={styles.failed}>, {failedSpans} failed</b>}
      </p>
      <p className={styles.took}>
        {formatMs(durationMs)}
        <span
          className={styles.bar}
          style={{ width: `${longestMs > 0 ? (100 * durationMs) / longestMs : 0}%` }}
        />
      </p>
    </li>
  );
}

/** How many are asked for at first, and by each click on more; the last is the most that there is. */
const STEPS = [50, 200, 1_000];
