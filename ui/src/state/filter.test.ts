import { describe, expect, test } from "vitest";

import { parseFilter, withCondition } from "./filter.ts";

const SUBJECT = {
  labels: { alertname: "DiskFillsUp", instance: "10.20.4.17:9100", team: "data base" },
  annotations: { summary: "db-3 runs out of disk" },
  words: ["platform"],
};

describe("all terms have to hold", () => {
  test.each([
    ["", true],
    ["   ", true],
    ["disk", true],
    ["DISKFILLS", true],
    ["runs out", true],
    ["runs away", false],
    ["platform", true],
    ["instance", true],
    ["instance=10.20.4.17:9100", true],
    ["instance=10.20.4.17", false],
    ["instance=~10\\..*", true],
    ["instance!~10\\..*", false],
    ["instance!=x disk", true],
    ['team="data base"', true],
    ["team=data base", false],
    ['team="data', false],
    ["severity=", true],
    ["severity!=", false],
    ["team=", false],
    ['"out of disk"', true],
    ['"', true],
    ["a=b=c", false],
  ])("%s", (text, expected) => expect(parseFilter(text).matches(SUBJECT)).toBe(expected));
});

test("a broken regular expression is named and filters nothing", () => {
  const filter = parseFilter("instance=~(");
  expect(filter.problem).toBe("`(` is not a regular expression");
  expect(filter.matches(SUBJECT)).toBe(true);
});

describe("a label is added to a filter once, quoted where it must be", () => {
  test.each([
    ["", "a", "b", "a=b"],
    ["disk ", "a", "b", "disk a=b"],
    ["a=b disk", "a", "b", "a=b disk"],
    ["aa=bb", "a", "b", "aa=bb a=b"],
    ["", "team", 'the "data" base', 'team="the \\"data\\" base"'],
  ])("%s + %s=%s", (text, label, value, expected) => {
    const filter = withCondition(text, label, value);
    expect(filter).toBe(expected);
    expect(parseFilter(filter).matches({ labels: { disk: "x", aa: "bb", [label]: value } })).toBe(
      true,
    );
  });
});
