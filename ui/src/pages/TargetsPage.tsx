// What is scraped, and what could not be; which jobs report, and which do not.
import { useTargets } from "../api/queries.ts";
import type { Target } from "../api/upstream.ts";
import { LabelList } from "../components/AlertBits.tsx";
import { Heartbeats } from "../components/Heartbeats.tsx";
import { Empty, Failed, Loading } from "../components/Notice.tsx";
import { PageTitle } from "../components/PageTitle.tsx";
import { Since } from "../components/Time.tsx";
import { otherLabels } from "../state/alerts.ts";
import { formatSeconds, toMs } from "../state/format.ts";
import styles from "./page.module.css";
import targets from "./TargetsPage.module.css";

export default function TargetsPage() {
  const { data, error, isPending } = useTargets();
  return (
    <>
      <div className={styles.head}>
        <PageTitle name="Targets" />
      </div>
      {error && <Failed what="the targets" error={error} hasOlder={data !== undefined} />}
      {isPending && <Loading />}
      <Heartbeats />
      {data?.length === 0 && (
        <Empty title="Nothing is scraped">
          <p>
            Targets come from <code>scrape_configs</code> in prometheus.yml or firebell.yml. Alerts
            that another Prometheus sends need none.
          </p>
        </Empty>
      )}
      {data && poolsOf(data).map(([pool, list]) => <Pool key={pool} name={pool} list={list} />)}
    </>
  );
}

/** Targets by scrape pool; where something is down comes first. */
function poolsOf(list: Target[]): [string, Target[]][] {
  const pools = new Map<string, Target[]>();
  for (const target of list) {
    pools.set(target.scrapePool, [...(pools.get(target.scrapePool) ?? []), target]);
  }
  const downs = (pool: Target[]) => pool.filter(({ health }) => health === "down").length;
  return [...pools].sort(
    ([a, left], [b, right]) =>
      Number(downs(right) > 0) - Number(downs(left) > 0) || (a < b ? -1 : 1),
  );
}

const HEALTH_ORDER = { down: 0, unknown: 1, up: 2 };

function Pool({ name, list }: { name: string; list: Target[] }) {
  const up = list.filter(({ health }) => health === "up").length;
  const sorted = [...list].sort(
    (a, b) =>
      HEALTH_ORDER[a.health] - HEALTH_ORDER[b.health] || (a.scrapeUrl < b.scrapeUrl ? -1 : 1),
  );
  return (
    <section className={styles.card} aria-labelledby={`pool-${name}`}>
      <h2 id={`pool-${name}`}>
        {name}
        <span className={styles.aside}>
          {up} of {list.length} up
        </span>
      </h2>
      <ul className={styles.panel}>
        {sorted.map((target) => (
          <TargetRow key={`${target.scrapeUrl} ${JSON.stringify(target.labels)}`} target={target} />
        ))}
      </ul>
    </section>
  );
}

function TargetRow({ target }: { target: Target }) {
  const scrapedAt = toMs(target.lastScrape);
  return (
    <li className={targets.row} data-health={target.health}>
      <span className={targets.health}>{target.health}</span>
      <div className={targets.main}>
        <p className={targets.url}>{target.scrapeUrl}</p>
        {target.lastError !== "" && <p className={targets.error}>{target.lastError}</p>}
        <LabelList labels={otherLabels(target.labels, [])} />
      </div>
      <p className={targets.when}>
        {scrapedAt === null ? (
          "not scraped yet"
        ) : (
          <>
            <Since at={scrapedAt} suffix="ago" />
            <span> · took {formatSeconds(target.lastScrapeDuration)}</span>
          </>
        )}
      </p>
    </li>
  );
}
