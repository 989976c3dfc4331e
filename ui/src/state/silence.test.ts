import { expect, test } from "vitest";

import { matcherText, mutes } from "./silence.ts";

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
