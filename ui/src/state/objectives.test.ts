import { describe, expect, test } from "vitest";

import type { Budget, Objective } from "../api/types.ts";
import {
  barWidth,
  byNeed,
  formatShare,
  historyColumns,
  outlook,
  sameLabels,
  stretchFacts,
} from "./objectives.ts";

const budget: Budget = {
  labels: {},
  badEvents: 1,
  totalEvents: 100,
  badRatio: 0.01,
  spent: 0.4,
  remaining: 0.6,
  exhaustedInSeconds: null,
  burns: [],
  alerts: [],
};

describe("objectives", () => {
  test("come in the order in which they need somebody", () => {
    const objective = (id: string, state: Objective["state"], remaining: number) =>
      ({ id, state, budgets: [{ ...budget, remaining }] }) as Objective;
    const sorted = [
      objective("kept", "ok", 0.9),
      objective("tight", "ok", 0.1),
      objective("burning", "burning", 0.5),
      objective("spent", "spent", -1),
    ].sort(byNeed);
    expect(sorted.map(({ id }) => id)).toEqual(["burning", "spent", "tight", "kept"]);
  });

  test("have figures that can be read at a glance", () => {
    expect([0.4321, 1, -1.2, 0, 0.00001].map(formatShare)).toEqual([
      "43.2 %",
      "100 %",
      "−120 %",
      "0 %",
      "0 %",
    ]);
    expect([0.5, 2, -1].map(barWidth)).toEqual(["50.0%", "100.0%", "0.0%"]);
  });

  test("say what is to come", () => {
    expect(outlook(budget)).toBe("");
    expect(outlook({ ...budget, exhaustedInSeconds: 7_200 })).toBe("at this rate gone in 2h");
    expect(outlook({ ...budget, remaining: -0.1 })).toBe("nothing is left");
    const heldBack = "only 1 bad events, at least 3 are wanted";
    const held = { name: "page-fast", isFiring: false, heldBack };
    expect(outlook({ ...budget, alerts: [held] })).toBe(`page-fast held back: ${heldBack}`);
  });

  test("say where a budget went", () => {
    const stretch = {
      from: "",
      until: "",
      badEvents: 300.4,
      totalEvents: 3_800,
      spent: 0.2,
      rate: 7.89,
    };
    expect(stretchFacts(stretch)).toBe("300 bad of 3,800 events · burnt 7.9×");
    expect(stretchFacts({ ...stretch, badEvents: null, totalEvents: null, rate: null })).toBe("");
    expect(historyColumns([{ at: "2026-01-01T00:00:00Z", remaining: 0.5 }])).toEqual({
      times: [1_767_225_600],
      lines: [{ values: [50], isOwn: true }],
      hidden: 0,
    });
    expect([
      sameLabels({}, {}),
      sameLabels({ a: "1" }, { a: "2" }),
      sameLabels({}, { a: "1" }),
    ]).toEqual([true, false, false]);
  });
});
