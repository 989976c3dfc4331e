// Silences: which alerts one would mute, and how one reads.
import type { SilenceMatcher } from "../api/upstream.ts";
import type { Labels } from "../api/types.ts";

export function matcherText({ name, value, isRegex, isEqual = true }: SilenceMatcher): string {
  const op = isRegex ? (isEqual ? "=~" : "!~") : isEqual ? "=" : "!=";
  return `${name}${op}${JSON.stringify(value)}`;
}

/** Whether `name="value"` matchers mute an alert: all have to hold. */
export function mutes(conditions: [string, string][], labels: Labels): boolean {
  return conditions.every(([name, value]) => (labels[name] ?? "") === value);
}

/** How long a silence may last, by a press of a button: words and milliseconds. */
export const DURATIONS: [string, number][] = [
  ["30m", 30 * 60_000],
  ["1h", 3_600_000],
  ["2h", 2 * 3_600_000],
  ["8h", 8 * 3_600_000],
  ["1d", 24 * 3_600_000],
  ["1w", 7 * 24 * 3_600_000],
];

const AUTHOR_KEY = "firebell.silence.author";

/** Who silenced last in this browser, so that a name is typed once. */
export function lastAuthor(): string {
  try {
    return localStorage.getItem(AUTHOR_KEY) ?? "";
  } catch {
    return "";
  }
}

export function rememberAuthor(name: string): void {
  try {
    localStorage.setItem(AUTHOR_KEY, name);
  } catch {
    // A browser that stores nothing asks again.
  }
}
