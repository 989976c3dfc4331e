import type { ReactNode } from "react";

import type { Alert } from "../api/types.ts";
import { nextNotification } from "../state/alerts.ts";
import { useNow } from "../state/clock.ts";
import { formatClock, formatDay, formatMoment, formatValue, toMs } from "../state/format.ts";
import styles from "./AlertFacts.module.css";
import { Since, Until } from "./Time.tsx";

/** The figures of one alert: its value against the threshold, and when it did what. */
export function AlertFacts({ alert }: { alert: Alert }) {
  const { value, rule } = alert;
  const next = nextNotification(alert);
  return (
    <dl className={styles.facts}>
      {value !== null && (
        <Fact name={alert.state === "resolved" ? "Last value" : "Value"}>
          <span title={`${value}`}>{formatValue(value)}</span>
          {rule?.graph && (
            <span className={styles.aside}>
              alerts when {rule.graph.op} {formatValue(rule.graph.threshold)}
            </span>
          )}
        </Fact>
      )}
      {alert.activeAt !== alert.firedAt && <Moment name="Active" timestamp={alert.activeAt} />}
      <Moment name="Fired" timestamp={alert.firedAt} />
      <Moment name="Resolved" timestamp={alert.resolvedAt} />
      <Moment name="Last notified" timestamp={alert.lastNotifiedAt} />
      {next !== null && (
        <Fact name="Next notification">
          <Until at={next} />
        </Fact>
      )}
    </dl>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className={styles.fact}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

interface MomentProps {
  name: string;
  timestamp: string | null;
}

/** How long ago, and the clock's time to look for in logs. */
function Moment({ name, timestamp }: MomentProps) {
  const now = useNow();
  const at = toMs(timestamp);
  if (at === null) return null;
  const isToday = formatDay(at) === formatDay(now);
  return (
    <Fact name={name}>
      <Since at={at} suffix="ago" />
      <span className={styles.aside}>{isToday ? formatClock(at) : formatMoment(at)}</span>
    </Fact>
  );
}
