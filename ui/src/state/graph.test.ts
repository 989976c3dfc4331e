import { describe, expect, test } from "vitest";

import { scaleOf, toColumns, trimmed } from "./graph.ts";

const GRID = { start: 100, end: 120, step: 10 };

test("series stand on the query's steps, gaps and all, the alert's own last", () => {
  const columns = toColumns(
    {
      ...GRID,
      series: [
        {
          metric: { service: "checkout" },
          values: [
            [100, "1"],
            [120, "NaN"],
          ],
        },
        { metric: { service: "cart" }, values: [[110, "5"]] },
      ],
    },
    { alertname: "Errors", service: "checkout" },
  );
  expect(columns).toEqual({
    times: [100, 110, 120],
    lines: [
      { values: [null, 5, null], isOwn: false },
      { values: [1, null, null], isOwn: true },
    ],
    hidden: 0,
  });
});

test("without a series of its own, all count as such", () => {
  const series = [{ metric: { service: "cart" }, values: [] }];
  expect(toColumns({ ...GRID, series }, { service: "x" }).lines[0]?.isOwn).toBe(true);
});

test("a crowd of other series is cut", () => {
  const series = Array.from({ length: 50 }, (_, n) => ({ metric: { n: `${n}` }, values: [] }));
  const columns = toColumns({ ...GRID, series }, { n: "7" });
  expect([columns.lines.length, columns.hidden, columns.lines.at(-1)?.isOwn]).toEqual([
    21,
    29,
    true,
  ]);
});

describe("empty time at the beginning is left out, but some of it before the alert", () => {
  // A point each minute for an hour, the first with a value at `first`; minutes all.
  test.each([
    ["data from the start", 0, 40, 0],
    ["data before the alert", 20, 40, 20],
    ["nothing before the alert", 40, 40, 35],
    ["an alert of just now", 59, 59, 58],
    ["no data at all", 99, 40, 35],
  ])("%s", (_, first, active, shownFrom) => {
    const times = Array.from({ length: 61 }, (_, minute) => minute * 60);
    const values = times.map((at) => (at >= first * 60 ? 1 : null));
    const shown = trimmed({ times, lines: [{ values, isOwn: true }], hidden: 0 }, active * 60);
    expect(shown.times[0]).toBe(shownFrom * 60);
    expect(shown.lines[0]?.values.length).toBe(shown.times.length);
  });
});

describe("the scale holds the data and the threshold", () => {
  test.each([
    [null, null, null, 0, 1],
    [0, 10, 5, 0, 10.8],
    [2, 10, 5, 0, 10.8],
    [90, 100, 95, 89.2, 100.8],
    [0, 0.1, 1, 0, 1.08],
    [-10, 10, 0, -11.6, 11.6],
    [5, 5, 5, 2.5, 7.5],
    [0, 0, 0, 0, 1],
  ])("%s to %s with %s", (min, max, threshold, low, high) => {
    const scale = scaleOf(min, max, threshold);
    expect(scale.low).toBeCloseTo(low);
    expect(scale.high).toBeCloseTo(high);
  });
});
