import { describe, expect, test } from "vitest";

import { reasonOf } from "./http.ts";
import { stepFor } from "./queries.ts";

describe("the reason of a failure is found in every upstream's form", () => {
  test.each([
    ['{"status":"error","errorType":"bad_data","error":"no such metric"}', "no such metric"],
    ['{"code":602,"message":"comment in body is required"}', "comment in body is required"],
    ['"silence not found"', "silence not found"],
    ["<html>502</html>", "<html>502</html>"],
    ["{}", "{}"],
    ["", "Bad Gateway"],
  ])("%s", (body, expected) => expect(reasonOf(body, "Bad Gateway")).toBe(expected));
});

test("steps are round and give few hundred points", () => {
  for (const range of [60, 900, 1_020, 7_200, 86_400, 30 * 86_400, 400 * 86_400]) {
    expect(range / stepFor(range)).toBeLessThanOrEqual(240);
  }
  expect(stepFor(1_020)).toBe(5);
  expect(stepFor(10)).toBe(1);
});
