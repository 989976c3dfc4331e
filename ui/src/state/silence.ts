// Silences: which alerts one would mute, and how one reads.
import type { NewSilence, SilenceMatcher } from "../api/upstream.ts";
import type { Labels, Weekly } from "../api/types.ts";

export function matcherText({ name, value, isRegex, isEqual = true }: SilenceMatcher): string {
  const op = isRegex ? (isEqual ? "=~" : "!~") : isEqual ? "=" : "!=";
  return `${name}${op}${JSON.stringify(value)}`;
}

/** Whether `name="value"` matchers mute an alert: all have to hold. */
export function mutes(conditions: [string, string][], labels: Labels): boolean {
  return conditions.every(([name, value]) => (labels[name] ?? "") === value);
}

// One `name="value"`, and the comma before the next.
const EQUAL = /\s*(?:([A-Za-z_:][\w:]*)|"((?:\\.|[^"\\])*)")\s*=\s*"((?:\\.|[^"\\])*)"\s*(?:,|$)/sy;

/**
 * The labels that `{a="b",c="d"}` asks for, as links of messages carry it. Null when it asks for
 * anything else: leaving that out would mute more than was meant.
 */
export function labelsOfFilter(filter: string): Labels | null {
  const inside = /^\s*\{(.*)\}\s*$/s.exec(filter)?.[1] ?? filter;
  const labels: Labels = {};
  EQUAL.lastIndex = 0;
  while (EQUAL.lastIndex < inside.length) {
    const found = EQUAL.exec(inside);
    const name = found?.[1] ?? found?.[2];
    if (!found || !name || found[3] === undefined) return null;
    const value = unescape(found[3]);
    const plain = found[1] ?? unescape(name);
    if (value === null || plain === null) return null;
    labels[plain] = value;
  }
  return Object.keys(labels).length > 0 ? labels : null;
}

const ESCAPES: Record<string, string> = { n: "\n", t: "\t", r: "\r", '"': '"', "\\": "\\" };

/** What Go's quoting means; null for an escape that is not known here. */
function unescape(text: string): string | null {
  let isKnown = true as boolean;
  const plain = text.replace(/\\(u[0-9a-f]{4}|x[0-9a-f]{2}|.)/gs, (_, code: string) => {
    if (/^[ux]./.test(code)) return String.fromCharCode(parseInt(code.slice(1), 16));
    isKnown &&= code in ESCAPES;
    return ESCAPES[code] ?? "";
  });
  return isKnown ? plain : null;
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

/** When a silence mutes: for a while, until its alerts have resolved, or in a part of each week. */
export type Kind = "while" | "resolved" | "weekly";

export const KINDS: [Kind, string][] = [
  ["while", "For a while"],
  ["resolved", "Until resolved"],
  ["weekly", "Each week"],
];

/** How long everything has to be resolved before a silence until resolved ends. */
export const RESOLVED_FOR = "5m";
/** How long the other kinds last at most, in milliseconds. */
export const OWN_LASTS = 30 * 24 * 3_600_000;

export const WEEKDAYS = [
  "monday",
  "tuesday",
  "wednesday",
  "thursday",
  "friday",
  "saturday",
  "sunday",
];

/** A Sunday night where this browser is. */
export function usualWeek(): Weekly {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
  return { weekdays: ["sunday"], start: "02:00", end: "04:00", zone };
}

/** `sunday 02:00–04:00 Europe/Berlin`. */
export function weekText({ weekdays, start, end, zone }: Weekly): string {
  return `${weekdays.join(", ")} ${start}–${end} ${zone ?? "UTC"}`;
}

/** What the form asks for. */
export interface Draft {
  kind: Kind;
  week: Weekly;
  conditions: [string, string][];
  /** Milliseconds. */
  lasts: number;
  author: string;
  comment: string;
}

/** A silence from now on. */
export function toSilence(draft: Draft): NewSilence {
  const { kind, week, conditions, author, comment } = draft;
  const now = Date.now();
  const lasts = kind === "while" ? draft.lasts : OWN_LASTS;
  return {
    ...(kind === "resolved" && { untilResolvedFor: RESOLVED_FOR }),
    ...(kind === "weekly" && { weekly: week }),
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
