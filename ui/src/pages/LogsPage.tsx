// The newest log records that are kept, by what somebody looks for.
import { useLogs } from "../api/queries.ts";
import type { LogRecord } from "../api/types.ts";
import { Failed, Loading } from "../components/Notice.tsx";
import { PageTitle } from "../components/PageTitle.tsx";
import { LogLines } from "../components/Telemetry.tsx";
import {
  askingOf,
  Choice,
  Field,
  Further,
  HowToSend,
  Narrowed,
  Nothing,
  TimeChoice,
  useRested,
} from "../components/TelemetryFilter.tsx";
import { formatDay, toMs } from "../state/format.ts";
import { hrefTo } from "../state/route.ts";
import { beyond, limitOf, questionOf } from "../state/telemetry.ts";
import page from "./page.module.css";

export default function LogsPage({ params }: { params: URLSearchParams }) {
  const asking = askingOf("logs", params);
  const limit = limitOf(params, STEPS);
  const { data, error, isPending } = useLogs(useRested(questionOf(params, limit)));
  const moments = data?.logs.map(({ at }) => at) ?? [];
  return (
    <>
      <div className={page.head}>
        <PageTitle name="Logs" />
        <div className={page.controls} role="search">
          <Field asking={asking} name="service" label="Service" />
          <Field
            asking={asking}
            name="text"
            label="Text in a record"
            placeholder="Text: what is said, attributes"
          />
          <Choice asking={asking} name="severity" label="Severity" data={SEVERITIES} />
          <TimeChoice asking={asking} />
        </div>
      </div>
      <Narrowed asking={asking} />
      {error && <Failed what="the logs" error={error} hasOlder={data !== undefined} />}
      {isPending && <Loading />}
      {data?.logs.length === 0 && (
        <Nothing asking={asking} isWhole={data.isWhole} what="log record">
          <HowToSend />
        </Nothing>
      )}
      {data && <Days records={data.logs} />}
      {data && <Further asking={asking} way={beyond({ ...data, moments }, STEPS, limit)} />}
    </>
  );
}

function Days({ records }: { records: LogRecord[] }) {
  const days = new Map<string, LogRecord[]>();
  for (const record of records) {
    const day = formatDay(toMs(record.at) ?? 0);
    const sameDay = days.get(day);
    if (sameDay) sameDay.push(record);
    else days.set(day, [record]);
  }
  const today = formatDay(Date.now());
  return [...days].map(([day, list]) => (
    <section key={day} className={page.card} aria-labelledby={`day-${day}`}>
      <h2 id={`day-${day}`}>{day === today ? "Today" : day}</h2>
      <LogLines records={list} label={`Logged on ${day}`} step={Infinity} behind={traceLink} />
    </section>
  ));
}

function traceLink({ traceId, spanId }: LogRecord) {
  if (traceId === null) return null;
  return <a href={hrefTo("traces", traceId, { span: spanId ?? "" })}>trace</a>;
}

const SEVERITIES = [
  { value: "", label: "Any severity" },
  ...["debug", "info", "warn", "error"].map((value) => ({ value, label: `${value} and worse` })),
  { value: "fatal", label: "fatal" },
];

/** How many are asked for at first, and by each click on more. */
const STEPS = [200, 1_000, 2_000];
