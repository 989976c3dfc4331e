// Silences: which alerts one would mute, and how one reads.
import type { NewSilence, SilenceMatcher } from "../api/upstream.ts";
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

/** What the form asks for. */
export interface Draft {
  conditions: [string, string][];
  /** Milliseconds. */
  lasts: number;
  author: string;
  comment: string;
}

/** A silence from now on. */
export function toSilence({ conditions, lasts, author, comment }: Draft): NewSilence {
  const now = Date.now();
  return {
    matchers: conditions.map(([name, value]) => ({ name, value, isRegex: false, isEqual: true })),
    startsAt: new Date(now).toISOString(),
    endsAt: new Date(now + lasts).toISOString(),
    createdBy: author.trim(),
    comment: comment.trim(),
  };
}

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
