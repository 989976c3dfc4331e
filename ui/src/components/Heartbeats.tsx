// Jobs that report that they ran, and how they fare.
import { useHeartbeats } from "../api/queries.ts";
import type { Heartbeat } from "../api/types.ts";
import page from "../pages/page.module.css";
import { otherLabels } from "../state/alerts.ts";
import { toMs } from "../state/format.ts";
import { hrefTo } from "../state/route.ts";
import { LabelList } from "./AlertBits.tsx";
import styles from "./Heartbeats.module.css";
import { Failed } from "./Notice.tsx";
import { Since, Until } from "./Time.tsx";

/** The section; nothing where no job is awaited. */
export function Heartbeats() {
  const { data, error } = useHeartbeats();
  if (error) return <Failed what="the heartbeats" error={error} hasOlder={data !== undefined} />;
  if (!data?.length) return null;
  const bad = data.filter(isBad).length;
  return (
    <section className={page.card} aria-labelledby="heartbeats">
      <h2 id="heartbeats">
        Heartbeats
        <span className={page.aside}>
          {data.length - bad} of {data.length} as expected
        </span>
      </h2>
      <ul className={page.panel}>
        {data
          .toSorted((a, b) => ORDER[a.state] - ORDER[b.state])
          .map((it) => (
            <Row key={`${it.service}/${it.name}`} heartbeat={it} />
          ))}
      </ul>
    </section>
  );
}

/** Where somebody has to look comes first. */
const ORDER: Record<Heartbeat["state"], number> = {
  missed: 0,
  failed: 1,
  late: 2,
  awaited: 3,
  fine: 4,
};

function isBad({ state }: Heartbeat): boolean {
  return state === "missed" || state === "failed";
}

function Row({ heartbeat: it }: { heartbeat: Heartbeat }) {
  const [last, due] = [toMs(it.last), toMs(it.dueAt)];
  const alerts = [it.missed, it.failed].filter((alert) => alert !== null);
  return (
    <li className={styles.row} data-state={it.state}>
      <span className={styles.state}>{it.state}</span>
      <div className={styles.main}>
        <p className={styles.name}>
          <span>{it.name}</span>
          {it.service !== "" && <span className={styles.service}> of {it.service}</span>}
        </p>
        {alerts.map(({ fingerprint, description }) => (
          <p key={fingerprint} className={styles.why}>
            <a href={hrefTo("alerts", fingerprint)}>{description}</a>
          </p>
        ))}
        <LabelList labels={otherLabels(it.labels, [])} />
      </div>
      <p className={styles.when}>
        {last === null ? (
          "never ran"
        ) : (
          <>
            ran <Since at={last} suffix="ago" />
          </>
        )}
        <br />
        every {it.every}
        {due !== null && !isBad(it) && (
          <>
            , due <Until at={due} />
          </>
        )}
      </p>
    </li>
  );
}
