import type { ReactNode } from "react";

import type { Alert } from "../api/types.ts";
import { formatValue, toMs } from "../state/format.ts";
import styles from "./AlertFacts.module.css";
import { Since, Until } from "./Time.tsx";

/** The figures of one alert: its value against the threshold, and when it did what. */
export function AlertFacts({ alert }: { alert: Alert }) {
  const { value, rule } = alert;
  return (
    <dl className={styles.facts}>
      <Fact name={alert.state === "resolved" ? "Last value" : "Value"}>
        <span title={value === null ? "not known" : `${value}`}>{formatValue(value)}</span>
        {rule?.graph && (
          <span className={styles.aside}>
            alerts when {rule.graph.op} {formatValue(rule.graph.threshold)}
          </span>
        )}
      </Fact>
      <Moment name="Active" timestamp={alert.activeAt} />
      <Moment name="Fired" timestamp={alert.firedAt} />
      <Moment name="Resolved" timestamp={alert.resolvedAt} />
      <Moment name="Last notified" timestamp={alert.lastNotifiedAt} />
      <Moment name="Next notification" timestamp={alert.nextNotificationAt} isAhead />
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
  isAhead?: boolean;
}

function Moment({ name, timestamp, isAhead = false }: MomentProps) {
  const at = toMs(timestamp);
  if (at === null) return null;
  return <Fact name={name}>{isAhead ? <Until at={at} /> : <Since at={at} suffix="ago" />}</Fact>;
}
