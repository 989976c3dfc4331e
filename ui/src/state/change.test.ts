import { expect, test } from "vitest";

import { isWhole, KINDS, NOTHING_SAID, posted } from "./change.ts";

const said = { ...NOTHING_SAID, who: "ana", from: "2026-01-05T09:00", until: "2026-01-06T09:00" };
const both = {
  ...said,
  other: "ben",
  otherFrom: "2026-01-12T09:00",
  otherUntil: "2026-01-13T09:00",
};

test("an override says who, when and why", () => {
  const override = (kind: string) => posted({ ...both, kind, reason: "a wedding" }, "shop", "zoe");
  const times = { schedule: "shop", from: said.from, until: said.until, reason: "a wedding" };
  const of = (fields: object) => ({
    path: "overrides",
    body: { by: "zoe", override: { ...times, ...fields } },
  });
  expect(override("take")).toEqual(of({ take: ["ana"] }));
  expect(override("replace")).toEqual(of({ replace: "ben", by: "ana" }));
  expect(override("add")).toEqual(of({ add: "ana" }));
  expect(override("remove")).toEqual(of({ remove: "ana" }));
});

test("a temporary schedule has people who take turns", () => {
  const { path, body } = posted({ ...both, kind: "temporary" }, "shop", "zoe");
  expect(path).toBe("temporary");
  const temporary = { every: "1d", people: ["ana", "ben"], reason: "" };
  expect(body).toEqual({
    by: "zoe",
    temporary: { schedule: "shop", from: said.from, until: said.until, ...temporary },
  });
});

test("a swap has two people, each with what they give away", () => {
  expect(posted({ ...both, kind: "swap" }, "shop", "zoe")).toEqual({
    path: "swaps",
    body: {
      by: "zoe",
      swap: {
        schedule: "shop",
        ana: { from: said.from, until: said.until, reason: "" },
        ben: { from: both.otherFrom, until: both.otherUntil, reason: "" },
      },
    },
  });
});

test("what is missing depends on what is changed", () => {
  const whole = KINDS.filter(({ value }) => isWhole({ ...said, kind: value }));
  expect(whole.map(({ value }) => value)).toEqual(["take", "add", "remove"]);
  expect(KINDS.every(({ value }) => isWhole({ ...both, kind: value }))).toBe(true);
  expect(isWhole({ ...both, kind: "swap", other: "ana" })).toBe(false);
});
