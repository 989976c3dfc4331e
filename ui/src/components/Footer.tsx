import type { Status } from "../api/types.ts";
import { count, formatValue, toMs } from "../state/format.ts";
import styles from "./Footer.module.css";
import { Since } from "./Time.tsx";

/** What runs underneath, in one quiet line. */
export function Footer({ status }: { status: Status | undefined }) {
  if (status === undefined) return null;
  const { counts } = status;
  const startedAt = toMs(status.startedAt);
  return (
    <footer className={styles.footer}>
      <span>Firebell {status.version}</span>
      {startedAt !== null && (
        <span>
          up <Since at={startedAt} />
        </span>
      )}
      <span>{status.configFile ?? "no configuration file"}</span>
      <span>{count(counts.rules, "rule")}</span>
      <span>{formatValue(counts.series)} series</span>
      <span>{formatValue(Math.round(counts.samplesPerSecond))} samples/s</span>
    </footer>
  );
}
