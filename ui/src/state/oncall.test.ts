import { describe, expect, test } from "vitest";

import { oncall, shiftsOf } from "../../fake/oncall.ts";
import {
  byNeed,
  causeWords,
  changeWords,
  colours,
  days,
  formatTurn,
  isMissed,
  importedWords,
  overrideWords,
  place,
  setLimit,
  setWords,
  startOfDay,
  swapWords,
  turns,
} from "./oncall.ts";

const DAY = 86_400_000;
const FROM = Date.parse("2026-11-23T00:00:00Z");

function span(from: number, until: number) {
  return { from: new Date(from).toISOString(), until: new Date(until).toISOString() };
}

function asked(schedule: string) {
  const from = new Date(FROM).toISOString();
  return shiftsOf(oncall(), new URLSearchParams({ schedule, from, days: "14" }));
}

describe("a span lies on the line as far as it is on it", () => {
  test.each([
    [FROM, FROM + DAY, "0.000%", "10.000%"],
    [FROM - DAY, FROM + DAY, "0.000%", "10.000%"],
    [FROM + 9 * DAY, FROM + 12 * DAY, "90.000%", "10.000%"],
    [FROM - DAY, FROM + 20 * DAY, "0.000%", "100.000%"],
  ])("%s to %s", (from, until, left, width) => {
    expect(place(span(from, until), FROM, FROM + 10 * DAY)).toEqual({ left, width });
  });

  test("and else nowhere", () => {
    expect(place(span(FROM - DAY, FROM), FROM, FROM + DAY)).toBeNull();
    expect(place(span(FROM + DAY, FROM + 2 * DAY), FROM, FROM + DAY)).toBeNull();
    expect(place({ from: "x", until: "y" }, FROM, FROM + DAY)).toBeNull();
  });
});

test("days begin at midnight of the reader, also where clocks change between", () => {
  const march = days(startOfDay(Date.parse("2026-03-27T12:00:00Z")), 14);
  expect(march).toHaveLength(14);
  for (const at of march) expect(new Date(at).getHours()).toBe(0);
  expect(new Set(march.map((at) => new Date(at).getDate())).size).toBe(14);
});

test("shifts and gaps are one list in order", () => {
  const list = turns(asked("nights"));
  expect(list).toHaveLength(28);
  for (const [idx, turn] of list.entries()) {
    expect(turn.shift === null).toBe(idx % 2 === 1);
    expect(turn.from).toBe(list[idx - 1]?.until ?? turn.from);
  }
});

test("everybody has a colour, the same in all rows", () => {
  expect([...colours(asked("payments"))]).toEqual([
    ["ana", 0],
    ["ben", 1],
  ]);
});

test("what says so is told where it is not a layer", () => {
  const [first, , wedding] = asked("payments").shifts;
  expect(first && causeWords(first)).toBe("");
  expect(wedding && causeWords(wedding)).toBe("override: a wedding");
  expect(causeWords({ cause: { kind: "temporary", layer: null, reason: "" } })).toBe("temporary");
});

describe("changes are told as people would", () => {
  test.each([
    ["replace", ["ana"], "ben", "a wedding", "ana for ben: a wedding"],
    ["take", ["ana", "ben"], null, "", "ana, ben instead of all others"],
    ["add", ["zoe"], null, "", "zoe as well"],
    ["remove", ["zoe"], null, "ill", "without zoe: ill"],
    ["shadow", ["zoe"], null, "", "zoe learns from whoever is on call"],
    ["temporary", [], null, "summer", "other layers hold: summer"],
  ] as const)("%s", (kind, people, of, reason, words) => {
    const change = { ...span(FROM, FROM + DAY), kind, people: [...people], of, reason };
    expect(changeWords(change)).toBe(words);
  });
});

test("a schedule that nobody covers and somebody should comes first", () => {
  const schedules = [...oncall().schedules].sort(byNeed);
  expect(schedules.map(({ name }) => name)).toEqual(["nights", "payments"]);
  const [nights] = schedules;
  expect(nights && isMissed({ ...nights, gapsAllowed: true })).toBe(false);
});

test("an override that was set here is told in words", () => {
  const set = { id: "1", by: "zoe", at: null };
  const times = { schedule: "night", from: "2026-01-06", until: "2026-01-07" };
  const words = (object: object) => overrideWords({ ...set, object: { ...times, ...object } });
  expect(words({ take: ["ana", "ben"], reason: "a wedding" })).toBe(
    "2026-01-06 to 2026-01-07, ana, ben on call: a wedding (set by zoe)",
  );
  expect(words({ take: "ben" })).toContain("ben on call (set by zoe)");
  expect(words({ replace: "ana", by: "ben" })).toContain("ben for ana");
  expect(words({ every: "1d", people: ["ana", "ben"] })).toContain("ana, ben in turns of 1d");
  expect(words({ add: "ben" })).toContain("ben as well");
  expect(words({ remove: "ana" })).toContain("without ana");
  const sides = { ana: times, ben: { from: "2026-01-13", until: "2026-01-14" } };
  expect(swapWords({ ...set, object: { schedule: "shop", ...sides } })).toBe(
    "ana 2026-01-06 to 2026-01-07 for ben 2026-01-13 to 2026-01-14, swapped (set by zoe)",
  );
});

test("what was set is told by kind, shifts of calendars by the reader's clock", () => {
  const of = (id: string, object: object) => ({ id, by: "eva", at: null, object: { ...object } });
  const times = { from: "2026-01-05T08:00:00Z", until: "2026-01-12T08:00:00Z" };
  const shift = { ...times, people: ["ana", "ben"], reason: "On call" };
  const said = setWords({
    overrides: [of("1", { ...times, take: ["ben"] })],
    swaps: [],
    temporary: [of("2", { ...times, people: ["ana"], every: "1d" })],
    shifts: [of("0a", shift), of("0b", { ...shift, reason: "" })],
    schedules: [],
    next: null,
  });
  expect(said.map(({ kind, id }) => `${kind} ${id}`)).toEqual([
    ...["overrides 1", "temporary 2", "shifts 0a", "shifts 0b"],
  ]);
  const [from, until] = [formatTurn(times.from), formatTurn(times.until)];
  expect(said.slice(2).map(({ words }) => words)).toEqual([
    `${from} to ${until}, ana, ben by a calendar: On call (set by eva)`,
    `${from} to ${until}, ana, ben by a calendar (set by eva)`,
  ]);
});

test("parts grow, up to what the server lists at once", () => {
  expect([0, 1, 2, 3, 4, 100].map(setLimit)).toEqual([20, 60, 180, 540, 1000, 1000]);
});

test.each([
  [0, [0, 0, 0, 0], "0 shifts: nothing new."],
  [1, [1, 0, 0, 0], "1 shift: 1 new."],
  [9, [3, 2, 1, 4], "9 shifts: 3 new, 2 changed, 1 gone, 4 too old or too far ahead."],
])(
  "a calendar of %i shifts with %j",
  (n, [added = 0, changed = 0, removed = 0, leftOut = 0], words) => {
    const times = { from: "2026-01-05T08:00:00Z", until: "2026-01-06T08:00:00Z" };
    const shift = { uid: "1", line: 2, ...times, people: ["ana"], shadows: [] };
    const shifts = Array.from({ length: n }, () => shift);
    const of = { change: null, schedule: "days", zone: "UTC", problems: [] };
    expect(importedWords({ ...of, shifts, added, changed, removed, leftOut })).toBe(words);
  },
);
