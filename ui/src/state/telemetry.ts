// What is asked of traces and logs: the place of the page holds it, in the API's own words.

/** What both lists take; `last` is the page's own: so long until now. */
const NAMES = ["service", "text", "failed", "min_duration", "severity", "trace_id", "from", "to"];

/** How far back, with what people call it. */
export const LASTS = [
  { value: "", label: "Any time", ms: 0 },
  { value: "15m", label: "Last 15 minutes", ms: 15 * 60_000 },
  { value: "1h", label: "Last hour", ms: 60 * 60_000 },
  { value: "6h", label: "Last 6 hours", ms: 6 * 60 * 60_000 },
  { value: "1d", label: "Last day", ms: 24 * 60 * 60_000 },
] as const;

/** The question that the place of the page asks, as a query without what is not asked. */
export function questionOf(params: URLSearchParams, limit: number): string {
  const asked = new URLSearchParams();
  for (const name of [...NAMES, "last"]) {
    const text = params.get(name)?.trim() ?? "";
    if (text !== "") asked.set(name, text);
  }
  asked.set("limit", `${limit}`);
  return asked.toString();
}

/** The same for the API, which knows moments only. */
export function fromNow(question: string, now: number): URLSearchParams {
  const asked = new URLSearchParams(question);
  const last = LASTS.find(({ value }) => value !== "" && value === asked.get("last"));
  asked.delete("last");
  if (last) asked.set("from", new Date(now - last.ms).toISOString());
  return asked;
}

/** Whether anything narrows the list. */
export function isNarrowed(params: URLSearchParams): boolean {
  return [...NAMES, "last"].some((name) => (params.get(name) ?? "").trim() !== "");
}

/** How many are asked for: one of the steps, the first by default. */
export function limitOf(params: URLSearchParams, steps: readonly number[]): number {
  const asked = Number(params.get("limit"));
  return steps.find((step) => step === asked) ?? steps[0] ?? 1;
}

/** What is wrong with a duration; null when nothing is, or nothing is said. */
export function durationProblem(text: string): string | null {
  return /^\s*((\d+(ms|[smhdwy]))+|0)?\s*$/.test(text) ? null : "Such as 250ms or 2s";
}

/** What stands below a list: more of it, older ones, or nothing. */
export type Beyond = { kind: "more"; limit: number } | { kind: "older"; to: string } | null;

interface Listed {
  /** Moments, the newest first. */
  moments: string[];
  isWhole: boolean;
}

export function beyond(
  { moments, isWhole }: Listed,
  steps: readonly number[],
  limit: number,
): Beyond {
  const oldest = moments.at(-1);
  if (oldest === undefined || (moments.length < limit && isWhole)) return null;
  const next = steps.find((step) => step > limit);
  if (moments.length >= limit && next !== undefined) return { kind: "more", limit: next };
  // All of one moment: the list would be the same again, so go on before it.
  const isStuck = moments.length >= limit && moments.every((moment) => moment === oldest);
  const to = isStuck ? new Date(Date.parse(oldest) - 1).toISOString() : oldest;
  return { kind: "older", to };
}
