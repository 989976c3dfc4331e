// Objectives in the order in which they need somebody, and their figures in words.
import type { Budget, Objective } from "../api/types.ts";
import { formatAge } from "./format.ts";

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
