import { expect, test } from "vitest";

import { componentsAct, dataAct, impactAct, namesIn, roleAct, usersIn } from "./known.ts";

test.each([
  ["", []],
  [" , ,", []],
  ["cart", ["cart"]],
  [" cart,checkout , cart,", ["cart", "checkout"]],
])("the names in %j are %j", (text, names) => {
  expect(namesIn(text)).toEqual(names);
});

test.each([
  ["", null],
  [" ", null],
  ["0", 0],
  [" 300 ", 300],
  ["-1", undefined],
  ["1.5", undefined],
  ["many", undefined],
  // No number of users: it would arrive as another one.
  ["99999999999999999999", undefined],
])("%j users are %j", (text, users) => {
  expect(usersIn(text)).toBe(users);
});

test("the impact wants words, and a number of users only where one is said", () => {
  expect(impactAct(" nobody can pay ", "")).toEqual({
    do: "impact",
    text: "nobody can pay",
    users: null,
  });
  expect(impactAct("slow", "12")).toEqual({ do: "impact", text: "slow", users: 12 });
  expect(impactAct(" ", "12")).toBeNull();
  expect(impactAct("slow", "a few")).toBeNull();
});

test("components are all of it, and none when nothing is named", () => {
  expect(componentsAct("cart, api")).toEqual({ do: "components", names: ["cart", "api"] });
  expect(componentsAct(" ")).toEqual({ do: "components", names: [] });
});

test("data is stated with how that is known, which may be left out", () => {
  expect(dataAct("at_risk", " two orders differ ")).toEqual({
    do: "data",
    state: "at_risk",
    text: "two orders differ",
  });
  expect(dataAct("unknown", "")).toEqual({ do: "data", state: "unknown", text: "" });
});

test("a role is given to somebody, and taken back by nobody", () => {
  expect(roleAct("scribe", " cleo ")).toEqual({ do: "role", role: "scribe", person: "cleo" });
  expect(roleAct("scribe", null)).toEqual({ do: "role", role: "scribe", person: null });
});
