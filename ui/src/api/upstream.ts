// What the page uses of Prometheus's and Alertmanager's APIs. Shapes are upstream's, cut down to
// the fields that are read here.
import { fetchJson } from "./http.ts";
import type { Labels, Weekly } from "./types.ts";

/** One scrape target of `/api/v1/targets`. */
export interface Target {
  labels: Labels;
  scrapePool: string;
  scrapeUrl: string;
  lastError: string;
  /** RFC 3339; year 1 when it was never scraped. */
  lastScrape: string;
  /** Seconds. */
  lastScrapeDuration: number;
  health: "up" | "down" | "unknown";
}

/** One series of a range query: points are `[seconds, value as text]`. */
export interface RangeSeries {
  metric: Labels;
  values: [number, string][];
}

/** What makes a silence. */
export interface NewSilence {
  matchers: SilenceMatcher[];
  startsAt: string;
  endsAt: string;
  createdBy: string;
  comment: string;
  /** Firebell's own: a duration. */
  untilResolvedFor?: string;
  /** Firebell's own. */
  weekly?: Weekly;
}

export interface Silence extends NewSilence {
  id: string;
  status: { state: "pending" | "active" | "expired" };
}

export interface SilenceMatcher {
  name: string;
  value: string;
  isRegex: boolean;
  /** Absent means true. */
  isEqual?: boolean;
}

interface Prometheus<T> {
  data: T;
}

export async function fetchTargets(signal: AbortSignal): Promise<Target[]> {
  const answer = await fetchJson<Prometheus<{ activeTargets: Target[] }>>(
    "api/v1/targets?state=active",
    { signal },
  );
  return answer.data.activeTargets;
}

/** `from`, `to` and `step` in seconds. */
export async function queryRange(
  query: string,
  from: number,
  to: number,
  step: number,
  signal: AbortSignal,
): Promise<RangeSeries[]> {
  const params = new URLSearchParams({ query, start: `${from}`, end: `${to}`, step: `${step}` });
  const answer = await fetchJson<Prometheus<{ result: RangeSeries[] }>>(
    `api/v1/query_range?${params}`,
    { signal },
  );
  return answer.data.result;
}

export async function fetchSilences(signal: AbortSignal): Promise<Silence[]> {
  const answer = await fetchJson<{ silences: Silence[] }>("api/firebell/v1/silences", { signal });
  return answer.silences;
}

export function createSilence(silence: NewSilence): Promise<{ silenceID: string }> {
  const isOwn = silence.untilResolvedFor !== undefined || silence.weekly !== undefined;
  return fetchJson(isOwn ? "api/firebell/v1/silences" : "api/v2/silences", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(silence),
  });
}

export function endSilence(id: string): Promise<void> {
  return fetchJson(`api/v2/silence/${encodeURIComponent(id)}`, { method: "DELETE" });
}
