// Alerts of one state, a row each.
import { Button } from "@mantine/core";
import { useState } from "react";

import type { Alert, AlertState } from "../api/types.ts";
import {
  alertName,
  isMuted,
  otherLabels,
  runbookOf,
  STATE_TITLES,
  stateSince,
  summaryOf,
} from "../state/alerts.ts";
import { hrefTo } from "../state/route.ts";
import { LabelList, MutedMarks, Severity, StateMark, ValueOf } from "./AlertBits.tsx";
import styles from "./AlertList.module.css";
import { OutIcon } from "./icons.tsx";
import { Since } from "./Time.tsx";

/** Rows drawn at first and with each press of the button: a screen of thousands helps nobody. */
const ROWS_STEP = 100;
/** Up to so many alerts that somebody has to act on are described in a sentence each. */
const DETAILED_MAX = 10;

interface Props {
  state: AlertState;
  alerts: Alert[];
  /** The filter in force, which labels add to. */
  filter: string;
}

export function AlertList({ state, alerts, filter }: Props) {
  const [rowsMax, setRowsMax] = useState(ROWS_STEP);
  if (alerts.length === 0) return null;
  const muted = alerts.filter(isMuted).length;
  const rest = alerts.length - rowsMax;
  const isDetailed = state === "firing" && alerts.length - muted <= DETAILED_MAX;
  return (
    <section className={styles.section} aria-labelledby={`state-${state}`}>
      <h2 id={`state-${state}`} className={styles.heading}>
        {STATE_TITLES[state]} <span className={styles.count}>{alerts.length}</span>
        {muted > 0 && <span className={styles.aside}>{muted} muted</span>}
      </h2>
      <ul className={styles.list}>
        {alerts.slice(0, rowsMax).map((alert) => (
          <AlertRow key={alert.fingerprint} alert={alert} filter={filter} isDetailed={isDetailed} />
        ))}
      </ul>
      {rest > 0 && (
        <Button
          className={styles.more}
          variant="default"
          size="compact-sm"
          onClick={() => setRowsMax(rowsMax + ROWS_STEP)}
        >
          Show {Math.min(rest, ROWS_STEP)} more of {rest}
        </Button>
      )}
    </section>
  );
}

interface RowProps {
  alert: Alert;
  filter: string;
  isDetailed: boolean;
}

function AlertRow({ alert, filter, isDetailed }: RowProps) {
  const runbook = runbookOf(alert);
  const summary = summaryOf(alert.annotations);
  const { description = "" } = alert.annotations;
  // How bad it is, in words.
  const hasDetail = isDetailed && !isMuted(alert) && description !== summary;
  return (
    <li className={styles.row} data-state={alert.state} data-muted={isMuted(alert)}>
      <div className={styles.main}>
        <div className={styles.name}>
          <StateMark state={alert.state} />
          <a className={styles.link} href={hrefTo("alerts", alert.fingerprint)}>
            {alertName(alert.labels)}
          </a>
          <Severity labels={alert.labels} />
          <MutedMarks alert={alert} />
          {summary !== "" && <p className={styles.summary}>{summary}</p>}
        </div>
        {hasDetail && description !== "" && <p className={styles.detail}>{description}</p>}
        <LabelList labels={otherLabels(alert.labels)} filter={filter} />
      </div>
      <div className={styles.facts}>
        <ValueOf alert={alert} />
        <span className={styles.since}>
          {alert.state !== "resolved" && "for "}
          <Since at={stateSince(alert)} {...(alert.state === "resolved" && { suffix: "ago" })} />
        </span>
        <span className={styles.runbook}>
          {runbook !== null && (
            <a href={runbook} target="_blank" rel="noreferrer">
              Runbook <OutIcon />
            </a>
          )}
        </span>
      </div>
    </li>
  );
}
