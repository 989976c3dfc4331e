// Who is told of an incident until somebody answers, in words.
import type { Page } from "../api/types.ts";
import { formatClock, toMs } from "./format.ts";

/** Who was reached and what comes next, such as "paged: ana, next: ben at 12:15". */
export function pageWords(page: Page): string {
  const told = reached(page);
  const words = told.length > 0 ? [`paged: ${told.join(", ")}`] : [];
  const next = nextWords(page);
  if (next !== "") words.push(next);
  return words.join(", ");
}

/** People whom a message of this round has reached, or is about to, each once. */
export function reached(page: Page): string[] {
  const sent = page.messages.filter(({ state }) => state === "sent" || state === "delivered");
  return [...new Set(sent.map(({ person }) => person))];
}

function nextWords({ state, next }: Page): string {
  if (state === "exhausted") return "nobody answered, and nobody is left to tell";
  if (state === "failed") return "nobody could be told";
  if (next === null) return "";
  const at = toMs(next.at);
  const when = at === null ? "" : ` at ${formatClock(at).slice(0, 5)}`;
  switch (next.what) {
    case "tell":
      return `next: ${next.who.length > 0 ? next.who.join(", ") : "nobody"}${when}`;
    case "hand_over":
      return `next: goes on with ${next.who.join(", ")}${when}`;
    case "anew":
      return `quiet, begins anew${when}`;
    case "hours":
      return `waits for its hours${when}`;
    case "round_ends":
      return `everybody was told, the round ends${when}`;
  }
}
