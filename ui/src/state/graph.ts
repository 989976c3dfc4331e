// A range query's answer as columns that can be drawn, and the scale to draw them on.
import type { RangeSeries } from "../api/upstream.ts";
import type { Labels } from "../api/types.ts";

/** Series drawn besides the alert's own; more would hide it. */
const OTHERS_MAX = 20;

/** How much is shown of the time before an alert, even when there is nothing in it. */
const LEAD_MIN_SECONDS = 60;
const LEAD_SHARE = 0.25;

export interface Grid {
  start: number;
  end: number;
  step: number;
  series: RangeSeries[];
}

export interface Columns {
  /** Seconds. */
  times: number[];
  /** The alert's own series come last, so that they are drawn on top. */
  lines: { values: (number | null)[]; isOwn: boolean }[];
  /** Series left out. */
  hidden: number;
}

/** Lines up series on the query's own steps; where a series has no point there is a gap. */
export function toColumns(grid: Grid, labels: Labels): Columns {
  const length = Math.floor((grid.end - grid.start) / grid.step) + 1;
  const times = Array.from({ length }, (_, idx) => grid.start + idx * grid.step);
  const own = grid.series.filter((series) => belongsTo(series.metric, labels));
  const others = grid.series.filter((series) => !own.includes(series));
  const toLine = (series: RangeSeries, isOwn: boolean) => ({
    values: spread(series, grid, length),
    isOwn,
  });
  // Without a series of its own (the rule may rewrite labels) none is singled out.
  const isSure = own.length > 0;
  const shown = others.slice(0, OTHERS_MAX);
  return {
    times,
    lines: [
      ...shown.map((series) => toLine(series, !isSure)),
      ...own.map((series) => toLine(series, true)),
    ],
    hidden: others.length - shown.length,
  };
}

/** Without the empty time at the beginning, as far as it is not needed to see the alert come. */
export function trimmed(columns: Columns, activeAt: number): Columns {
  const { times, lines } = columns;
  const end = times.at(-1) ?? activeAt;
  const needed = activeAt - Math.max(LEAD_MIN_SECONDS, (end - activeAt) * LEAD_SHARE);
  const from = times.findIndex(
    (at, idx) => at >= needed || lines.some(({ values }) => values[idx] !== null),
  );
  if (from <= 0) return columns;
  return {
    ...columns,
    times: times.slice(from),
    lines: lines.map((line) => ({ ...line, values: line.values.slice(from) })),
  };
}

/** Whether an alert with these labels can have come from that series. */
function belongsTo(metric: Labels, labels: Labels): boolean {
  return Object.entries(metric).every(
    ([name, value]) => name === "__name__" || labels[name] === value,
  );
}

function spread({ values }: RangeSeries, { start, step }: Grid, length: number) {
  const column: (number | null)[] = new Array<number | null>(length).fill(null);
  for (const [at, text] of values) {
    const value = Number(text);
    const idx = Math.round((at - start) / step);
    if (idx >= 0 && idx < length && Number.isFinite(value)) column[idx] = value;
  }
  return column;
}

/** The scale: holds data and threshold, starts at zero unless that would flatten everything. */
export function scaleOf(min: number | null, max: number | null, threshold: number | null) {
  const all = [min, max, threshold].filter((value) => value !== null && Number.isFinite(value));
  let low = Math.min(...(all as number[]));
  let high = Math.max(...(all as number[]));
  if (all.length === 0) return { low: 0, high: 1 };
  if (low > 0 && low < high * 0.6) low = 0;
  if (low === high) {
    const room = Math.abs(low) / 2 || 1;
    return { low: low === 0 ? 0 : low - room, high: high + room };
  }
  const room = (high - low) * 0.08;
  high += room;
  if (low !== 0) low -= room;
  return { low, high };
}
