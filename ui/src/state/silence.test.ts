import { expect, test } from "vitest";

import {
  type Draft,
  labelsOfFilter,
  matcherText,
  mutes,
  OWN_LASTS,
  toSilence,
  weekText,
} from "./silence.ts";

test("a matcher reads as in Alertmanager", () => {
  const base = { name: "a", value: 'x"y' };
  expect(matcherText({ ...base, isRegex: false })).toBe('a="x\\"y"');
  expect(matcherText({ ...base, isRegex: false, isEqual: false })).toBe('a!="x\\"y"');
  expect(matcherText({ ...base, isRegex: true })).toBe('a=~"x\\"y"');
  expect(matcherText({ ...base, isRegex: true, isEqual: false })).toBe('a!~"x\\"y"');
});

test("a silence mutes what has all its labels", () => {
  const conditions: [string, string][] = [
    ["a", "1"],
    ["b", "2"],
  ];
  expect(mutes(conditions, { a: "1", b: "2", c: "3" })).toBe(true);
  expect(mutes(conditions, { a: "1" })).toBe(false);
});

test("a silence says what its kind needs, and nothing of the others", () => {
  const week = { weekdays: ["sunday"], start: "02:00", end: "04:00", zone: "Europe/Berlin" };
  const draft: Draft = {
    kind: "while",
    week,
    conditions: [["a", "1"]],
    lasts: 60_000,
    author: " Mara ",
    comment: "x",
  };
  const lasts = (silence: { startsAt: string; endsAt: string }): number =>
    Date.parse(silence.endsAt) - Date.parse(silence.startsAt);
  const plain = toSilence(draft);
  expect([plain.untilResolvedFor, plain.weekly, lasts(plain)]).toEqual([
    undefined,
    undefined,
    60_000,
  ]);
  const resolved = toSilence({ ...draft, kind: "resolved" });
  expect([resolved.untilResolvedFor, resolved.weekly, lasts(resolved)]).toEqual([
    "5m",
    undefined,
    OWN_LASTS,
  ]);
  const weekly = toSilence({ ...draft, kind: "weekly" });
  expect([weekly.untilResolvedFor, weekly.weekly, lasts(weekly)]).toEqual([
    undefined,
    week,
    OWN_LASTS,
  ]);
  expect(weekText(week)).toBe("sunday 02:00–04:00 Europe/Berlin");
});

test("a link to a new silence says which labels have which values, and nothing else", () => {
  expect(labelsOfFilter('{alertname="Down",path="a\\"b\\\\c\\nd"}')).toEqual({
    alertname: "Down",
    path: 'a"b\\c\nd',
  });
  expect(labelsOfFilter(' { "a.b" = "1" , c="" } ')).toEqual({ "a.b": "1", c: "" });
  expect(labelsOfFilter('a="1"')).toEqual({ a: "1" });
  expect(labelsOfFilter('{a="1\\t\\u00a0\\x7f"}')).toEqual({ a: "1\t\u00a0\x7f" });
  expect(labelsOfFilter('{a="\\q"}')).toBeNull();
  for (const other of ["", "{}", '{a=~"1"}', '{a!="1"}', '{a="1",b=~"2"}', '{a="1"} x', '{a="1']) {
    expect(labelsOfFilter(other), other).toBeNull();
  }
});
