// What users must not feel: what is left of each error budget, how fast it burns, whose it is; and
// which flows nobody promised anything about.
import { lazy, Suspense, useState } from "react";

import { useObjectives } from "../api/queries.ts";
import type { Budget, Flow, Objective } from "../api/types.ts";
import { LabelList } from "../components/AlertBits.tsx";
import { Empty, Failed, Loading } from "../components/Notice.tsx";
import { PageTitle } from "../components/PageTitle.tsx";
import { count, safeUrl } from "../state/format.ts";
import {
  barWidth,
  byNeed,
  formatRate,
  formatShare,
  outlook,
  STATE_WORDS,
} from "../state/objectives.ts";
import own from "./ObjectivesPage.module.css";
import styles from "./page.module.css";

const BudgetWays = lazy(() => import("../components/BudgetWays.tsx"));

export default function ObjectivesPage() {
  const { data, error, isPending } = useObjectives();
  const isEmpty = data && data.objectives.length === 0 && data.flows.length === 0;
  return (
    <>
      <div className={styles.head}>
        <PageTitle name="Objectives" />
      </div>
      {error && <Failed what="the objectives" error={error} hasOlder={data !== undefined} />}
      {isPending && <Loading />}
      {isEmpty && (
        <Empty title="Nothing is promised">
          <p>
            Name files of objectives under <code>slo_files</code> in firebell.yml: in Firebell’s own
            format, or as Sloth, Pyrra or OpenSLO have them.
          </p>
        </Empty>
      )}
      {data && data.objectives.length > 0 && <Objectives list={data.objectives} />}
      {data && data.flows.length > 0 && <Flows list={data.flows} />}
    </>
  );
}

function Objectives({ list }: { list: Objective[] }) {
  const burning = list.filter(({ state }) => state === "burning").length;
  return (
    <section className={styles.card} aria-label="Error budgets">
      <h2>
        Error budgets
        <span className={styles.aside}>
          {burning > 0 ? `${burning} of ${list.length} burning` : count(list.length, "objective")}
        </span>
      </h2>
      <ul className={styles.panel}>
        {[...list].sort(byNeed).map((objective) => (
          <ObjectiveRow key={objective.id} objective={objective} />
        ))}
      </ul>
    </section>
  );
}

function ObjectiveRow({ objective }: { objective: Objective }) {
  const runbook = safeUrl(objective.runbook);
  return (
    <li className={own.row} data-state={objective.state}>
      <div className={own.what}>
        <p className={own.name}>
          {objective.name} <span className={own.state}>{STATE_WORDS[objective.state]}</span>
        </p>
        <p className={own.facts}>
          {objective.service} · {objective.objective} % over {objective.window}
        </p>
        <p className={own.facts}>
          {objective.owner === "" ? "nobody owns it" : `owned by ${objective.owner}`}
          {objective.notify !== null && `, pages ${objective.notify}`}
          {runbook !== null && (
            <>
              {" · "}
              <a href={runbook}>Runbook</a>
            </>
          )}
        </p>
        {objective.description !== "" && <p className={own.facts}>{objective.description}</p>}
      </div>
      <div className={own.budgets}>
        {objective.error !== null && <p className={own.error}>{objective.error}</p>}
        {objective.state === "noData" && (
          <p className={own.error}>The indicator gives nothing: see its metrics and labels.</p>
        )}
        {objective.budgets.map((budget) => (
          <BudgetBar key={JSON.stringify(budget.labels)} budget={budget} />
        ))}
      </div>
      {objective.budgets.length > 0 && <Ways objective={objective} />}
    </li>
  );
}

/** Asked for when somebody looks: it is many queries. */
function Ways({ objective }: { objective: Objective }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <details className={own.ways} onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>Where it went</summary>
      {isOpen && (
        <Suspense fallback={<Loading />}>
          <BudgetWays objective={objective} />
        </Suspense>
      )}
    </details>
  );
}

function BudgetBar({ budget }: { budget: Budget }) {
  const left = formatShare(budget.remaining);
  const firing = budget.alerts.some(({ isFiring }) => isFiring);
  const level = firing || budget.remaining <= 0 ? "bad" : budget.remaining < 0.25 ? "low" : "good";
  const counts =
    budget.badEvents !== null && budget.totalEvents !== null
      ? `${Math.round(budget.badEvents).toLocaleString("en")} bad of ${count(Math.round(budget.totalEvents), "event")}`
      : `${formatShare(budget.badRatio)} bad`;
  return (
    <div className={own.budget}>
      {Object.keys(budget.labels).length > 0 && (
        <LabelList labels={Object.entries(budget.labels)} />
      )}
      <div className={own.line}>
        <div className={own.bar} role="img" aria-label={`${left} of the budget left`}>
          <div data-level={level} style={{ width: barWidth(budget.remaining) }} />
        </div>
        <p className={own.left}>{left} left</p>
      </div>
      <p className={own.facts}>{[counts, outlook(budget)].filter((it) => it !== "").join(" · ")}</p>
      <dl className={own.burns} aria-label="Burn rates">
        {budget.burns.map(({ window, rate }) => (
          <div key={window} data-fast={rate !== null && rate > 1 ? "" : undefined}>
            <dt>{window}</dt>
            <dd>{formatRate(rate)}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

function Flows({ list }: { list: Flow[] }) {
  const bare = list.filter(({ objectives }) => objectives.length === 0).length;
  const sorted = [...list].sort(
    (a, b) =>
      Number(a.objectives.length > 0) - Number(b.objectives.length > 0) ||
      Number(b.critical) - Number(a.critical) ||
      (`${a.service}/${a.name}` < `${b.service}/${b.name}` ? -1 : 1),
  );
  return (
    <section className={styles.card} aria-label="Flows">
      <h2>
        Flows
        <span className={styles.aside}>
          {bare === 0 ? "all have an objective" : `${bare} of ${list.length} without an objective`}
        </span>
      </h2>
      <ul className={styles.panel}>
        {sorted.map((flow) => (
          <li key={`${flow.service}/${flow.name}`} className={own.row}>
            <div className={own.what}>
              <p className={own.name}>{flow.name}</p>
              <p className={own.facts}>
                {flow.service}
                {flow.owner !== "" && ` · owned by ${flow.owner}`}
                {flow.critical && " · critical"}
              </p>
            </div>
            <div className={own.budgets}>
              {flow.description !== "" && <p>{flow.description}</p>}
              {flow.objectives.length === 0 ? (
                <p className={own.error}>No objective: nobody is told when it breaks.</p>
              ) : (
                <p className={own.facts}>{flow.objectives.join(", ")}</p>
              )}
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}
