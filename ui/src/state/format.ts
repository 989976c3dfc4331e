// Numbers, times and words as the page shows them.
import type { Reason, Value } from "../api/types.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** How long, in the two units that matter: `42s`, `12m 4s`, `3h 12m`, `2d 5h`. */
export function formatAge(ms: number): string {
  const age = Math.max(0, ms);
  if (age < MINUTE) return `${Math.floor(age / SECOND)}s`;
  if (age < HOUR) return two(age, MINUTE, "m", SECOND, "s");
  if (age < DAY) return two(age, HOUR, "h", MINUTE, "m");
  return two(age, DAY, "d", HOUR, "h");
}

function two(ms: number, large: number, largeName: string, small: number, smallName: string) {
  const rest = Math.floor((ms % large) / small);
  return `${Math.floor(ms / large)}${largeName}${rest > 0 ? ` ${rest}${smallName}` : ""}`;
}

/** Seconds as Prometheus writes a duration: `1m30s`, `12.3ms`, `0s`. */
export function formatSeconds(seconds: number): string {
  if (seconds > 0 && seconds < 1) return `${Number((seconds * 1_000).toPrecision(3))}ms`;
  if (seconds < MINUTE / SECOND) return `${Number(seconds.toPrecision(3))}s`;
  return formatAge(seconds * SECOND).replace(" ", "");
}

/** A moment in the reader's zone: `2026-11-21 00:12:04`. */
export function formatMoment(ms: number): string {
  return `${formatDay(ms)} ${formatClock(ms)}`;
}

export function formatDay(ms: number): string {
  const date = new Date(ms);
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
}

export function formatClock(ms: number): string {
  const date = new Date(ms);
  return `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
}

function pad(n: number): string {
  return `${n}`.padStart(2, "0");
}

/** A value to four digits, with thousands as `k`, `M`, `G`; `–` when it is not known. */
export function formatValue(value: Value): string {
  if (value === null) return "–";
  if (typeof value === "string") return value.replace("Inf", "∞").replace("-", "−");
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e15)) return minus(value.toExponential(3));
  for (const [from, unit, name] of UNITS) {
    if (size >= from) return `${minus(short(value / unit))}${name}`;
  }
  return minus(short(value));
}

/** From which size on, divided by what, called what. Thousands in full are easier to compare. */
const UNITS: [number, number, string][] = [
  [1e12, 1e12, "T"],
  [1e9, 1e9, "G"],
  [1e6, 1e6, "M"],
  [1e4, 1e3, "k"],
];

function short(value: number): string {
  return `${Number(value.toPrecision(4))}`;
}

function minus(text: string): string {
  return text.replace(/^-/, "−");
}

/** One or many: `1 alert`, `3 alerts`. */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
}

/** Why a notification was sent, as a person would say it. */
export const REASONS: Record<Reason, string> = {
  first: "first notification of this group",
  new_alerts: "new alerts fire in this group",
  all_resolved: "every alert of this group resolved",
  new_resolved: "some alerts of this group resolved",
  repeat: "reminder: still firing",
};

/** A link that is safe to follow, or null: alerts come from anywhere, `javascript:` must not. */
export function safeUrl(url: string | undefined): string | null {
  return url !== undefined && /^https?:\/\//i.test(url) ? url : null;
}

/** Milliseconds of an RFC 3339 timestamp, or null when there is none (or Go's year 1). */
export function toMs(timestamp: string | null | undefined): number | null {
  const ms = timestamp ? Date.parse(timestamp) : NaN;
  return Number.isNaN(ms) || ms < 0 ? null : ms;
}
