// What happened in an incident, the newest first; what is not there yet is said, and can be had.
import { Button } from "@mantine/core";
import { useState } from "react";

import { useOlderEntries } from "../api/queries.ts";
import type { IncidentDetail, IncidentEntry } from "../api/types.ts";
import { useNow } from "../state/clock.ts";
import { formatClock, formatDay, safeUrl, toMs } from "../state/format.ts";
import { timelineRows } from "../state/incidents.ts";
import page from "../pages/page.module.css";
import styles from "./IncidentTimeline.module.css";

export function IncidentTimeline({ incident }: { incident: IncidentDetail }) {
  const [asked, setAsked] = useState<number[]>([]);
  const older = useOlderEntries(incident.id, asked);
  const rows = timelineRows([...incident.timeline, ...older.entries]);
  const today = formatDay(useNow());
  const ask = (before: number): void => setAsked([...asked.filter((it) => it !== before), before]);
  return (
    <section className={page.card} aria-labelledby="timeline">
      <h2 id="timeline">
        Timeline <span className={page.aside}>the newest first</span>
      </h2>
      <ol className={styles.list}>
        {rows.map((row) =>
          "n" in row ? (
            <Entry key={row.n} entry={row} today={today} />
          ) : (
            <li key={`before ${row.before}`}>
              <Button
                size="xs"
                variant="default"
                disabled={older.isPending}
                onClick={() => ask(row.before)}
              >
                {row.isOldest ? "Show older entries" : `Show ${row.count} entries in between`}
              </Button>
            </li>
          ),
        )}
      </ol>
      {older.error && <p role="alert">{older.error.message}</p>}
    </section>
  );
}

function Entry({ entry, today }: { entry: IncidentEntry; today: string }) {
  const at = toMs(entry.at) ?? 0;
  const url = safeUrl(entry.url ?? undefined);
  return (
    <li className={styles.entry}>
      <time dateTime={entry.at} title={formatDay(at)}>
        {formatDay(at) === today ? "" : `${formatDay(at)} `}
        {formatClock(at)}
      </time>
      <span className={styles.what}>
        <strong>{entry.by ?? "Firebell"}</strong> {entry.text}
        {url !== null && (
          <>
            {" "}
            <a href={url} target="_blank" rel="noreferrer">
              open
            </a>
          </>
        )}
      </span>
    </li>
  );
}
