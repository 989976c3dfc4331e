import { describe, expect, test } from "vitest";

import type { LogRecord } from "../api/types.ts";
import { logs } from "../../fake/traces.ts";
import { beyond, durationProblem, fromNow, isNarrowed, limitOf, questionOf } from "./telemetry.ts";
import { keysOf } from "./trace.ts";

const NOON = Date.parse("2026-11-22T12:00:00Z");

describe("what the place of the page asks becomes a question to the API", () => {
  test.each([
    ["", "limit=50"],
    ["service=shop&text=%20bank%20&q=x", "service=shop&text=bank&limit=50"],
    ["last=1h&to=", "limit=50&from=2026-11-22T11%3A00%3A00.000Z"],
    ["last=ever", "limit=50"],
  ])("%s", (place, asked) => {
    const question = questionOf(new URLSearchParams(place), 50);
    expect(`${fromNow(question, NOON)}`).toBe(asked);
  });
});

test("only what narrows the list counts as a filter", () => {
  const places = ["", "limit=200", "service=%20", "text=x", "last=1h"];
  expect(places.map((place) => isNarrowed(new URLSearchParams(place)))).toEqual([
    ...[false, false, false],
    ...[true, true],
  ]);
});

test("what is no duration is not asked", () => {
  const good = ["", " ", "0", "250ms", "1h30m", " 2s "];
  expect(good.map(durationProblem)).toEqual(good.map(() => null));
  for (const bad of ["250", "fast", "-1s", "1.5s", "1s!"])
    expect(durationProblem(bad)).not.toBe(null);
});

describe("below a list", () => {
  const moments = ["2026-11-22T12:00:00Z", "2026-11-22T11:00:00Z"];
  test.each([
    ["all is shown", 3, true, null],
    ["there may be more", 2, true, { kind: "more", limit: 3 }],
    ["not all was looked at", 3, false, { kind: "older", to: moments[1] }],
  ])("%s", (_, limit, isWhole, way) => {
    expect(beyond({ moments, isWhole }, [2, 3], limit)).toEqual(way);
  });
  test("no more can be asked for at once", () => {
    expect(beyond({ moments, isWhole: true }, [1, 2], 2)).toEqual({
      kind: "older",
      to: moments[1],
    });
    expect(beyond({ moments: [], isWhole: false }, [1, 2], 2)).toBe(null);
    const sameMoments = ["2026-11-22T12:00:00Z", "2026-11-22T12:00:00Z"];
    expect(beyond({ moments: sameMoments, isWhole: true }, [1, 2], 2)).toEqual({
      kind: "older",
      to: "2026-11-22T11:59:59.999Z",
    });
  });
  test("a limit is one of the steps", () => {
    const limits = ["", "limit=200", "limit=7"].map((it) => new URLSearchParams(it));
    expect(limits.map((it) => limitOf(it, [50, 200]))).toEqual([50, 200, 50]);
  });
});

test("a record keeps its name when newer ones come, and alike ones have two", () => {
  const [first, second] = logs() as [LogRecord, LogRecord];
  const before = keysOf([first, second, second]);
  expect(new Set(before).size).toBe(3);
  expect(keysOf([{ ...first, body: "newer" }, first, second, second]).slice(1)).toEqual(before);
});
