// Objectives in the order in which they need somebody, and their figures in words.
import type { Budget, Deploy, Labels, Objective, ObjectiveHistory, Stretch } from "../api/types.ts";
import { count, formatAge, toMs } from "./format.ts";
import type { Columns } from "./graph.ts";

const STATE_ORDER: Objective["state"][] = ["burning", "spent", "error", "noData", "ok"];

/** What burns first, then by what is left. */
export function byNeed(a: Objective, b: Objective): number {
  const order = STATE_ORDER.indexOf(a.state) - STATE_ORDER.indexOf(b.state);
  return order || leastLeft(a) - leastLeft(b) || (a.id < b.id ? -1 : 1);
}

function leastLeft(objective: Objective): number {
  return Math.min(1, ...objective.budgets.map(({ remaining }) => remaining));
}

export const STATE_WORDS: Record<Objective["state"], string> = {
  ok: "kept",
  burning: "burning",
  spent: "spent",
  noData: "no data",
  error: "error",
};

/** A share in percent, with a digit where that matters: `43.2 %`, `−120 %`. */
export function formatShare(share: number): string {
  const percent = share * 100;
  const digits = Math.abs(percent) < 99.95 && Math.abs(percent) >= 0.05 ? 1 : 0;
  return `${percent.toFixed(digits).replace("-", "−")} %`;
}

/** How much of a bar is filled: between nothing and all of it. */
export function barWidth(remaining: number): string {
  return `${(Math.min(1, Math.max(0, remaining)) * 100).toFixed(1)}%`;
}

/** What to know of a budget in one line. */
export function outlook(budget: Budget): string {
  const held = budget.alerts.find(({ heldBack }) => heldBack !== null);
  if (held !== undefined) return `${held.name} held back: ${held.heldBack}`;
  if (budget.exhaustedInSeconds !== null) {
    return `at this rate gone in ${formatAge(budget.exhaustedInSeconds * 1_000)}`;
  }
  return budget.remaining <= 0 ? "nothing is left" : "";
}

/** What was left of a budget at moments, the oldest first. */
export type HistoryPoints = ObjectiveHistory["budgets"][number]["points"];

/** A history as a line in per cent. */
export function historyColumns(points: HistoryPoints): Columns {
  return {
    times: points.map(({ at }) => (toMs(at) ?? 0) / 1000),
    lines: [{ values: points.map(({ remaining }) => remaining * 100), isOwn: true }],
    hidden: 0,
  };
}

export function sameLabels(a: Labels, b: Labels): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}

export function formatRate(rate: number | null): string {
  return rate === null ? "–" : `${rate.toFixed(rate < 10 ? 1 : 0)}×`;
}

export function versionOf({ version, environment }: Deploy): string {
  return environment === "" ? version : `${version} in ${environment}`;
}

/** What a time took besides its share: `300 bad of 3,800 events · burnt 7.9×`. */
export function stretchFacts({ badEvents, totalEvents, rate }: Stretch): string {
  const counts =
    badEvents === null || totalEvents === null
      ? []
      : [
          `${Math.round(badEvents).toLocaleString("en")} bad of ${count(Math.round(totalEvents), "event")}`,
        ];
  return [...counts, ...(rate === null ? [] : [`burnt ${formatRate(rate)}`])].join(" · ");
}
