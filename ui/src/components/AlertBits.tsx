// The small parts that lists of alerts and the page of one alert share.
import type { Alert, AlertState, Labels } from "../api/types.ts";
import { isMuted } from "../state/alerts.ts";
import { withCondition } from "../state/filter.ts";
import { formatValue } from "../state/format.ts";
import { hrefTo } from "../state/route.ts";
import styles from "./AlertBits.module.css";

const STATE_WORDS: Record<AlertState, string> = {
  firing: "Firing",
  pending: "Pending",
  resolved: "Resolved",
};

/** The state as a shape and a colour: full when firing, half when pending, open when resolved. */
export function StateMark({ state, hasWord = false }: { state: AlertState; hasWord?: boolean }) {
  return (
    <span className={styles.state} data-state={state}>
      <svg width="12" height="12" viewBox="0 0 12 12" aria-hidden="true">
        <circle cx="6" cy="6" r="4.25" fill="none" stroke="currentColor" strokeWidth="1.5" />
        {state === "firing" && <circle cx="6" cy="6" r="5" fill="currentColor" />}
        {state === "pending" && <path d="M6 1.75a4.25 4.25 0 0 1 0 8.5z" fill="currentColor" />}
      </svg>
      <span className={hasWord ? undefined : "sr-only"}>{STATE_WORDS[state]}</span>
    </span>
  );
}

export function Severity({ labels }: { labels: Labels }) {
  const { severity } = labels;
  if (severity === undefined) return null;
  return (
    <span className={styles.severity}>
      <span className="sr-only">severity </span>
      {severity}
    </span>
  );
}

/** Says plainly that nobody is notified of this one. */
export function MutedMarks({ alert }: { alert: Alert }) {
  if (!isMuted(alert)) return null;
  return (
    <>
      {alert.silencedBy.length > 0 && <span className={styles.muted}>silenced</span>}
      {alert.inhibitedBy.length > 0 && <span className={styles.muted}>inhibited</span>}
    </>
  );
}

/** The value, and what it is compared with where that is known. */
export function ValueOf({ alert }: { alert: Alert }) {
  const { value, rule } = alert;
  if (value === null) return <span />;
  return (
    <span className={styles.value} title={`${value}`}>
      <span className="sr-only">value </span>
      {formatValue(value)}
      {rule?.graph && (
        <span className={styles.threshold}>
          {" "}
          {rule.graph.op} {formatValue(rule.graph.threshold)}
        </span>
      )}
    </span>
  );
}

interface LabelListProps {
  labels: [string, string][];
  /** The filter that a press adds to. */
  filter?: string;
  /** Long values are shown to their end rather than cut. */
  isWhole?: boolean;
}

/** Labels; a press on one shows the alerts that have it. */
export function LabelList({ labels, filter = "", isWhole = false }: LabelListProps) {
  if (labels.length === 0) return null;
  return (
    <ul className={styles.labels} data-whole={isWhole} aria-label="Labels">
      {labels.map(([name, value]) => (
        <li key={name}>
          <a
            className={styles.label}
            href={hrefTo("alerts", null, { q: withCondition(filter, name, value) })}
            title={`${name}="${value}": show alerts that have it`}
          >
            <span className={styles.labelName}>{name}=</span>
            {value}
          </a>
        </li>
      ))}
    </ul>
  );
}
