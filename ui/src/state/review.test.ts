import { describe, expect, test } from "vitest";

import { minutesText, monthOf, percent, verdictsText } from "./review.ts";

describe("figures of a month", () => {
  test("are in words", () => {
    expect(monthOf(Date.UTC(2026, 10, 30, 23, 59))).toBe("2026-11");
    expect([percent(0.795), percent(0), percent(null)]).toEqual(["80 %", "0 %", "–"]);
    expect([30, 95, 599, 3_600].map(minutesText)).toEqual([
      "0.5 min",
      "1.6 min",
      "10.0 min",
      "60 min",
    ]);
    expect(minutesText(undefined)).toBe("–");
    expect(verdictsText({ acted: 1, wrong_time: 3 })).toBe("3 wrong time, 1 acted");
    expect(verdictsText({})).toBe("–");
  });
});
