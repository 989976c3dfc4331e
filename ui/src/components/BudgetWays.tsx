// Where the budgets of an objective went: what was left over time, which episodes took how much,
// which incidents they were, and what was spent while each deploy was live.
import { useComputedColorScheme } from "@mantine/core";
import { useMemo } from "react";

import { useObjectiveHistory, useObjectiveSpending } from "../api/queries.ts";
import type {
  BudgetSpending,
  DeploySpending,
  Episode,
  IncidentSpending,
  Objective,
} from "../api/types.ts";
import { count, formatMoment, safeUrl, toMs } from "../state/format.ts";
import {
  formatRate,
  formatShare,
  historyColumns,
  sameLabels,
  stretchFacts,
  versionOf,
  type HistoryPoints,
} from "../state/objectives.ts";
import { hrefTo } from "../state/route.ts";
import { LabelList } from "./AlertBits.tsx";
import styles from "./BudgetWays.module.css";
import { Failed, Loading } from "./Notice.tsx";
import { type Mark, Plot } from "./Plot.tsx";

/** More deploys than these would cover the graph with words. */
const MARKS_MAX = 6;

export default function BudgetWays({ objective }: { objective: Objective }) {
  const spending = useObjectiveSpending(objective.id);
  const history = useObjectiveHistory(objective.id);
  const error = spending.error ?? history.error;
  return (
    <>
      {error && <Failed what="where it went" error={error} hasOlder={false} />}
      {(spending.isPending || history.isPending) && <Loading />}
      {spending.data?.budgets.map((budget) => (
        <Budget
          key={JSON.stringify(budget.labels)}
          budget={budget}
          points={history.data?.budgets.find((it) => sameLabels(it.labels, budget.labels))?.points}
        />
      ))}
    </>
  );
}

interface BudgetProps {
  budget: BudgetSpending;
  points: HistoryPoints | undefined;
}

function Budget({ budget, points }: BudgetProps) {
  const { labels, episodes, moreEpisodes, incidents, moreIncidents, deploys } = budget;
  return (
    <section className={styles.budget} aria-label="Where it went">
      {Object.keys(labels).length > 0 && <LabelList labels={Object.entries(labels)} />}
      {points !== undefined && points.length > 1 && (
        <History points={points} marks={marksOf(deploys)} />
      )}
      <h3>Episodes</h3>
      {episodes.length === 0 && <p className={styles.facts}>It never burnt too fast.</p>}
      <ul className={styles.list}>
        {episodes.map((episode) => (
          <EpisodeRow key={episode.stretch.from} episode={episode} />
        ))}
      </ul>
      {moreEpisodes > 0 && (
        <p className={styles.facts}>{count(moreEpisodes, "more took less.", "more took less.")}</p>
      )}
      {incidents.length > 0 && <h3>Incidents</h3>}
      <ul className={styles.list}>
        {incidents.map((it) => (
          <IncidentRow key={it.incident?.id ?? ""} of={it} />
        ))}
      </ul>
      {moreIncidents > 0 && (
        <p className={styles.facts}>{count(moreIncidents, "more took less.", "more took less.")}</p>
      )}
      <h3>Deploys</h3>
      {deploys.length === 0 && (
        <p className={styles.facts}>
          None was told: <code>POST /api/firebell/v1/deploys</code> takes them.
        </p>
      )}
      <ul className={styles.list}>
        {deploys.map((it) => (
          <DeployRow key={`${it.stretch.from} ${it.deploy?.version ?? ""}`} of={it} />
        ))}
      </ul>
    </section>
  );
}

function History({ points, marks }: { points: HistoryPoints; marks: Mark[] }) {
  const scheme = useComputedColorScheme();
  const columns = useMemo(() => historyColumns(points), [points]);
  const last = points.at(-1)?.remaining ?? 1;
  return (
    <div className={styles.plot}>
      <Plot
        // The colours are read once, when the plot is made.
        key={scheme}
        columns={columns}
        limit={{ op: "<", threshold: 0 }}
        marks={marks}
        description={`Per cent of the budget left over the window: now ${formatShare(last)}`}
        onPoint={() => undefined}
      />
    </div>
  );
}

function marksOf(deploys: DeploySpending[]): Mark[] {
  return deploys.slice(0, MARKS_MAX).flatMap(({ deploy, stretch }) => {
    const at = toMs(stretch.from);
    // One that was live when the window began is no moment in it.
    const isIn = deploy !== null && deploy.at === stretch.from && at !== null;
    return isIn ? [{ at: at / 1000, word: deploy.version, state: "pending" as const }] : [];
  });
}

function EpisodeRow({ episode }: { episode: Episode }) {
  const { stretch, alerts, deploy, isOpen, incidents } = episode;
  return (
    <li data-open={isOpen ? "" : undefined}>
      <p>
        <Moments {...stretch} isOpen={isOpen} />
        <strong>{formatShare(stretch.spent)}</strong> of the budget
      </p>
      <p className={styles.facts}>
        {[
          stretchFacts(stretch),
          alerts.length === 0 ? "nobody told" : `told by ${alerts.join(", ")}`,
          incidents.join(", "),
          deploy === null ? "" : `${versionOf(deploy)} was live`,
        ]
          .filter((it) => it !== "")
          .join(" · ")}
      </p>
    </li>
  );
}

function IncidentRow({ of: { incident, stretch, parts } }: { of: IncidentSpending }) {
  return (
    <li data-open={incident?.isOpen ? "" : undefined}>
      <p>
        {incident === null ? (
          "Outside any incident "
        ) : (
          <>
            <a href={hrefTo("incidents", incident.id)}>{incident.id}</a> {incident.title}{" "}
          </>
        )}
        <strong>{formatShare(stretch.spent)}</strong> of the budget
      </p>
      <p className={styles.facts}>
        {[
          incident?.isDeclined ? "declined" : "",
          stretchFacts(stretch),
          parts > 1 ? `${parts} parts of episodes` : "",
        ]
          .filter((it) => it !== "")
          .join(" · ")}
      </p>
    </li>
  );
}

function DeployRow({ of: { deploy, stretch, rateBefore, rateAfter } }: { of: DeploySpending }) {
  const url = safeUrl(deploy?.url);
  const name = deploy === null ? "before any that is known" : versionOf(deploy);
  const isWorse = rateBefore !== null && rateAfter !== null && rateAfter > Math.max(1, rateBefore);
  return (
    <li data-worse={isWorse ? "" : undefined}>
      <p>
        {url === null ? name : <a href={url}>{name}</a>} <Moments {...stretch} />
        <strong>{formatShare(stretch.spent)}</strong> of the budget
      </p>
      <p className={styles.facts}>
        {stretchFacts(stretch)}
        {(rateBefore ?? rateAfter) !== null &&
          ` · in the hour before ${formatRate(rateBefore)}, after ${formatRate(rateAfter)}`}
      </p>
    </li>
  );
}

interface MomentsProps {
  from: string;
  until: string;
  isOpen?: boolean;
}

function Moments({ from, until, isOpen = false }: MomentsProps) {
  const [start, end] = [formatMoment(toMs(from) ?? 0), formatMoment(toMs(until) ?? 0)];
  const isSameDay = start.slice(0, 10) === end.slice(0, 10);
  const told = isOpen ? "goes on" : (isSameDay ? end.slice(11) : end).slice(0, -3);
  return (
    <span className={styles.moments}>
      {start.slice(0, -3)} – {told}
    </span>
  );
}
