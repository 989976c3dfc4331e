import { expect, test } from "vitest";

import type { TraceSpan } from "../api/types.ts";
import { trace } from "../../fake/traces.ts";
import { formatMs, rowsOf } from "./trace.ts";

function names(spans: TraceSpan[]): string[] {
  return rowsOf(spans).map(({ span, depth }) => `${"> ".repeat(depth)}${span.name}`);
}

test("spans stand below the one within which they are", () => {
  expect(names(trace().spans)).toEqual([
    "POST /orders/{order}/pay",
    "> SELECT orders",
    "> charge",
    "> > POST bank.example",
  ]);
});

test("no span is left out, whatever spans say of each other", () => {
  const [first, second] = trace().spans;
  if (first === undefined || second === undefined) throw new Error("the trace has no spans");
  const span = (spanId: string, parentId: string | null, offsetMs: number): TraceSpan => ({
    ...second,
    name: spanId,
    spanId,
    parentId,
    offsetMs,
  });
  expect(names([span("lost", "gone", 5), span("a", "b", 1), span("b", "a", 2)])).toEqual([
    "lost",
    "a",
    "> b",
  ]);
});

test("milliseconds are said with three digits", () => {
  expect([0, 0.4123, 250, 1_254].map(formatMs)).toEqual(["0 ms", "0.412 ms", "250 ms", "1.25 s"]);
});
