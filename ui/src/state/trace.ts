// The spans of a trace as rows: each below the one within which it is. And names for log records.
import type { LogRecord, TraceSpan } from "../api/types.ts";

export interface Row {
  span: TraceSpan;
  /** How many spans it is within. */
  depth: number;
}

/** Parents before their children, the earlier ones first; none is left out, whatever they say. */
export function rowsOf(spans: TraceSpan[]): Row[] {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const children = new Map<string, TraceSpan[]>();
  const roots: TraceSpan[] = [];
  for (const span of [...spans].sort((a, b) => a.offsetMs - b.offsetMs)) {
    const { parentId } = span;
    if (parentId === null || !ids.has(parentId)) roots.push(span);
    else children.set(parentId, [...(children.get(parentId) ?? []), span]);
  }
  const rows: Row[] = [];
  const seen = new Set<TraceSpan>();
  const waiting: Row[] = [];
  // Spans within each other in a circle are reached from no root.
  for (const root of [...roots, ...spans]) {
    waiting.push({ span: root, depth: 0 });
    for (let row = waiting.pop(); row !== undefined; row = waiting.pop()) {
      if (seen.has(row.span)) continue;
      seen.add(row.span);
      rows.push(row);
      const { span, depth } = row;
      const within = children.get(span.spanId) ?? [];
      waiting.push(...within.map((each) => ({ span: each, depth: depth + 1 })).reverse());
    }
  }
  return rows;
}

/** A name for each record, which it keeps when newer ones come. */
export function keysOf(records: LogRecord[]): string[] {
  const alike = new Map<string, number>();
  return records.map(({ at, service, spanId, body }) => {
    const key = JSON.stringify([at, service, spanId, body]);
    const n = alike.get(key) ?? 0;
    alike.set(key, n + 1);
    return `${n} ${key}`;
  });
}

/** Milliseconds as people say them: `0.4 ms`, `250 ms`, `1.25 s`. */
export function formatMs(ms: number): string {
  return ms < 1_000
    ? `${Number(ms.toPrecision(3))} ms`
    : `${Number((ms / 1_000).toPrecision(3))} s`;
}
