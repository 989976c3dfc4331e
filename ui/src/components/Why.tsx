// Why an alert is told of, or not: its way through the routes, and what each integration hears next.
import type { ReactNode } from "react";

import { useWhy } from "../api/queries.ts";
import type { AlertWhy, DeliveryTold, GroupWhy, IntegrationWhy, RouteTried } from "../api/types.ts";
import { useNow } from "../state/clock.ts";
import { count, toMs } from "../state/format.ts";
import page from "../pages/page.module.css";
import { Failed } from "./Notice.tsx";
import { Since, Until } from "./Time.tsx";
import styles from "./Why.module.css";

export function Why({ fingerprint }: { fingerprint: string }) {
  const why = useWhy(fingerprint);
  return (
    <section className={page.card} aria-labelledby="why">
      <h2 id="why">
        Who is told, and when
        {why.data?.firesAt && (
          <span className={page.aside}>
            pending, fires <At at={why.data.firesAt} />
          </span>
        )}
      </h2>
      {why.error && (
        <Failed what="why it is told of" error={why.error} hasOlder={why.data !== undefined} />
      )}
      {why.data && <Told why={why.data} />}
    </section>
  );
}

function Told({ why }: { why: AlertWhy }) {
  return (
    <div className={`${page.panel} ${styles.told}`}>
      {why.groups.map((group) => (
        <Group key={group.key} group={group} />
      ))}
      {why.groups.length === 0 && (
        <p className={styles.none}>
          Its rule has not handed it over, so nobody is told yet. It would take the routes below.
        </p>
      )}
      <details className={styles.routes} open={why.groups.length === 0}>
        <summary>Way through {count(why.routes.length + why.routesLeftOut, "route")}</summary>
        <ol>
          {why.routes.map((route, idx) => (
            <Route key={idx} route={route} />
          ))}
        </ol>
        {why.routesLeftOut > 0 && (
          <p className={styles.none}>and {why.routesLeftOut} more that do not take it</p>
        )}
      </details>
    </div>
  );
}

function Group({ group }: { group: GroupWhy }) {
  const { mutedBy } = group;
  return (
    <div className={styles.group}>
      <h3>
        {group.receiver}
        <span className={page.aside}>
          group <code>{group.key}</code> of {count(group.alerts, "alert")}
        </span>
      </h3>
      {mutedBy && (
        <p className={styles.muted}>
          Muted {mutedBy.isOutside ? "outside of" : "by"} {mutedBy.intervals.join(", ")}
          {mutedBy.until === null ? (
            " for more than a year"
          ) : (
            <>
              , ends <At at={mutedBy.until} />
            </>
          )}
        </p>
      )}
      {group.integrations.length === 0 && (
        <p className={styles.none}>This receiver has no integrations: nobody is told.</p>
      )}
      <ul>
        {group.integrations.map((each) => (
          <Integration key={each.integration} told={each} />
        ))}
      </ul>
    </div>
  );
}

function Integration({ told }: { told: IntegrationWhy }) {
  const { next, underWay, deliveries } = told;
  return (
    <li className={styles.integration}>
      <span className={styles.name}>{told.integration}</span>
      <div>
        <p>
          {next.at === null ? (
            next.because
          ) : (
            <>
              next <Until at={toMs(next.at) ?? 0} />: {next.because}
            </>
          )}
        </p>
        {underWay?.lastError && <p className={styles.failed}>{underWay.lastError}</p>}
        {deliveries.map((delivery) => (
          <Delivery key={`${delivery.at}${delivery.reason}`} delivery={delivery} />
        ))}
        {deliveries.length === 0 && told.told && (
          <p className={styles.past}>
            told <At at={told.told.at} />
          </p>
        )}
      </div>
    </li>
  );
}

function Delivery({ delivery }: { delivery: DeliveryTold }) {
  const isFailed = delivery.status === "failed";
  return (
    <p className={isFailed ? styles.failed : styles.past}>
      {isFailed ? "failed" : "told"} <At at={delivery.at} /> ({count(delivery.attempts, "attempt")},{" "}
      {delivery.tookMs} ms)
      {delivery.error !== null && `: ${delivery.error}`}
    </p>
  );
}

const WORDS: Record<RouteTried["verdict"], string> = {
  takes: "takes it",
  leads: "matches, a route below takes it",
  refuses: "does not match",
  not_tried: "not tried, a route before it matched",
};

function Route({ route }: { route: RouteTried }) {
  const { refusedBy } = route;
  const isOnTheWay = route.verdict === "takes" || route.verdict === "leads";
  let reason: ReactNode = WORDS[route.verdict];
  if (refusedBy) {
    reason = (
      <>
        no: <code>{refusedBy.matcher}</code>, but{" "}
        {refusedBy.value === null ? "it has no such label" : <code>{refusedBy.value}</code>}
      </>
    );
  }
  return (
    <li
      className={isOnTheWay ? styles.way : styles.aside}
      style={{ marginInlineStart: `${Math.min(route.depth, 8)}rem` }}
    >
      <code>{route.matchers}</code> → {route.receiver}: {reason}
    </li>
  );
}

/** A moment, ahead or past. */
function At({ at }: { at: string }) {
  const now = useNow();
  const ms = toMs(at) ?? 0;
  return ms > now ? <Until at={ms} /> : <Since at={ms} suffix="ago" />;
}
