// Notifications as the inbox holds them, a line each; the alerts inside on demand.
import type { InboxEntry } from "../api/types.ts";
import { alertName, otherLabels, summaryOf } from "../state/alerts.ts";
import { count, REASONS, toMs } from "../state/format.ts";
import { hrefTo } from "../state/route.ts";
import { LabelList, StateMark } from "./AlertBits.tsx";
import styles from "./InboxList.module.css";
import { Since } from "./Time.tsx";

interface Props {
  entries: InboxEntry[];
  /** The entry that a link leads to: shown open. */
  openId?: string | null;
}

export function InboxList({ entries, openId = null }: Props) {
  return (
    <ul className={styles.list}>
      {entries.map((entry) => (
        <li key={entry.id}>
          <details className={styles.entry} open={entry.id === openId}>
            <summary className={styles.line}>
              <Line entry={entry} />
            </summary>
            <Alerts entry={entry} />
          </details>
        </li>
      ))}
    </ul>
  );
}

function Line({ entry }: { entry: InboxEntry }) {
  const at = toMs(entry.at);
  return (
    <span className={styles.grid}>
      <span className={styles.what}>
        <StateMark state={entry.status} /> <strong>{titleOf(entry)}</strong>{" "}
        {summaryOf(entry.commonAnnotations)}
      </span>
      <span className={styles.who}>
        to <b>{entry.receiver}</b>
      </span>
      <span className={styles.when}>{at !== null && <Since at={at} suffix="ago" />}</span>
      <span className={styles.why}>
        {count(entry.alerts.length, "alert")} · {REASONS[entry.reason]}
      </span>
    </span>
  );
}

/** The alert's name when they share one, else the labels of the group. */
function titleOf(entry: InboxEntry): string {
  const names = [...new Set(entry.alerts.map((each) => alertName(each.labels)))];
  if (names.length <= 2) return names.join(", ");
  return `${names.slice(0, 2).join(", ")} and ${names.length - 2} more`;
}

function Alerts({ entry }: { entry: InboxEntry }) {
  const group = Object.entries(entry.groupLabels);
  return (
    <div className={styles.inside}>
      <p className={styles.group}>
        {group.length === 0 ? (
          "One group for everything"
        ) : (
          <>
            Group{" "}
            {group.map(([name, value]) => (
              <code key={name}>
                {name}={JSON.stringify(value)}{" "}
              </code>
            ))}
          </>
        )}
      </p>
      <ul className={styles.alerts}>
        {entry.alerts.map((alert) => (
          <li key={alert.fingerprint} className={styles.alert}>
            <p>
              <StateMark state={alert.status} />{" "}
              <a href={hrefTo("alerts", alert.fingerprint)}>{alertName(alert.labels)}</a>{" "}
              <span>{summaryOf(alert.annotations)}</span>
            </p>
            <LabelList labels={otherLabels(alert.labels, ["alertname"])} />
          </li>
        ))}
      </ul>
    </div>
  );
}
