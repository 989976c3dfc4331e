import { describe, expect, test } from "vitest";

import { count, formatAge, formatSeconds, formatValue, safeUrl, toMs } from "./format.ts";

describe("an age shows the two units that matter", () => {
  test.each([
    [-5_000, "0s"],
    [42_900, "42s"],
    [60_000, "1m"],
    [724_000, "12m 4s"],
    [11_520_000, "3h 12m"],
    [190_800_000, "2d 5h"],
  ])("%d ms", (ms, expected) => expect(formatAge(ms)).toBe(expected));
});

describe("seconds read as in Prometheus", () => {
  test.each([
    [0, "0s"],
    [0.0123, "12.3ms"],
    [0.00041, "0.41ms"],
    [30, "30s"],
    [90, "1m30s"],
    [3_600, "1h"],
  ])("%d", (seconds, expected) => expect(formatSeconds(seconds)).toBe(expected));
});

describe("a value has four digits and a unit", () => {
  test.each([
    [null, "–"],
    ["+Inf", "+∞"],
    ["-Inf", "−∞"],
    ["NaN", "NaN"],
    [0, "0"],
    [0.2136999, "0.2137"],
    [-3.5, "−3.5"],
    [1_204, "1204"],
    [12_345, "12.35k"],
    [8_412_332_032, "8.412G"],
    [0.00000123, "1.230e-6"],
    [2e18, "2.000e+18"],
  ] as const)("%s", (value, expected) => expect(formatValue(value)).toBe(expected));
});

test("only links over HTTP are followed", () => {
  expect(safeUrl("https://runbooks.example.org/a")).toBe("https://runbooks.example.org/a");
  for (const bad of [undefined, "", "javascript:alert(1)", "data:text/html,x", "/local", " http"]) {
    expect(safeUrl(bad)).toBeNull();
  }
});

test("timestamps that mean never are none", () => {
  expect(toMs("2026-11-21T00:00:00.000Z")).toBe(Date.UTC(2026, 10, 21));
  for (const never of [null, undefined, "", "0001-01-01T00:00:00Z", "yesterday"]) {
    expect(toMs(never)).toBeNull();
  }
});

test("one is one, and more are many", () => {
  expect([count(0, "alert"), count(1, "alert"), count(2_000, "query", "queries")]).toEqual([
    "0 alerts",
    "1 alert",
    "2,000 queries",
  ]);
});
