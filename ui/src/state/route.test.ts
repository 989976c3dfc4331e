import { describe, expect, test } from "vitest";

import { hrefTo, parseRoute } from "./route.ts";

describe("a place is read from what stands behind #", () => {
  test.each([
    ["", "alerts", null, ""],
    ["#/", "alerts", null, ""],
    ["#/alerts/1f37?q=a%3Db", "alerts", "1f37", "a=b"],
    ["#/inbox/a%2Fb", "inbox", "a/b", ""],
    ["#/inbox/%", "inbox", "%", ""],
    ["#/oncall/night%20shift", "oncall", "night shift", ""],
    ["#/nowhere/7", "alerts", null, ""],
  ])("%s", (hash, page, id, q) => {
    const route = parseRoute(hash);
    expect([route.page, route.id, route.params.get("q") ?? ""]).toEqual([page, id, q]);
  });
});

test("a link leads to where it says", () => {
  const href = hrefTo("alerts", "a/b", { q: 'x="1 2"', state: "" });
  const { page, id, params } = parseRoute(href);
  expect([page, id, params.get("q"), params.has("state")]).toEqual([
    "alerts",
    "a/b",
    'x="1 2"',
    false,
  ]);
});
