// Why nobody is notified of an alert: who silenced it, which alert inhibits it.
import { useAlerts, useSilences } from "../api/queries.ts";
import type { Alert } from "../api/types.ts";
import { alertName } from "../state/alerts.ts";
import { hrefTo } from "../state/route.ts";
import { Notice } from "./Notice.tsx";
import { SilenceItem } from "./SilenceItem.tsx";
import styles from "./SilenceItem.module.css";

export function MutedBy({ alert }: { alert: Alert }) {
  return (
    <>
      {alert.silencedBy.length > 0 && <SilencedBy ids={alert.silencedBy} />}
      {alert.inhibitedBy.length > 0 && <InhibitedBy fingerprints={alert.inhibitedBy} />}
    </>
  );
}

function SilencedBy({ ids }: { ids: string[] }) {
  const silences = useSilences().data ?? [];
  const known = silences.filter((silence) => ids.includes(silence.id));
  return (
    <section className={styles.muted} aria-label="Silences of this alert">
      {known.length === 0 ? (
        <Notice title="Silenced">Nobody is notified while the silence lasts.</Notice>
      ) : (
        <ul className={styles.list}>
          {known.map((silence) => (
            <SilenceItem key={silence.id} silence={silence} />
          ))}
        </ul>
      )}
    </section>
  );
}

function InhibitedBy({ fingerprints }: { fingerprints: string[] }) {
  const alerts = useAlerts().data ?? [];
  return (
    <div className={styles.muted}>
      <Notice title="Inhibited">
        Nobody is notified of this while{" "}
        {fingerprints.map((fingerprint, idx) => {
          const source = alerts.find((each) => each.fingerprint === fingerprint);
          return (
            <span key={fingerprint}>
              {idx > 0 && ", "}
              <a href={hrefTo("alerts", fingerprint)}>
                {source ? alertName(source.labels) : fingerprint}
              </a>
            </span>
          );
        })}{" "}
        {fingerprints.length === 1 ? "fires" : "fire"}.
      </Notice>
    </div>
  );
}
