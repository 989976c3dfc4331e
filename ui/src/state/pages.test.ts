import { expect, test } from "vitest";

import { page } from "../../fake/pages.ts";
import { formatClock } from "./format.ts";
import { pageWords, reached } from "./pages.ts";

const AT = "2026-01-07T12:15:00Z";
const clock = formatClock(Date.parse(AT)).slice(0, 5);

test("who was told and who is next", () => {
  const shown = page({ next: { at: AT, what: "tell", who: ["ben", "chat"] } });
  expect(pageWords(shown)).toBe(`paged: ana, next: ben, chat at ${clock}`);
});

test("of several messages to one person they count once, those that failed not at all", () => {
  const message = { person: "ana", by: "ntfy", at: AT } as const;
  const messages = [
    { ...message, state: "delivered" as const },
    { ...message, by: "phone", state: "sent" as const },
    { ...message, person: "eva", state: "failed" as const },
    { ...message, person: "ben", state: "planned" as const },
  ];
  expect(reached(page({ messages }))).toEqual(["ana"]);
});

test("what a page waits for", () => {
  const words = (more: Parameters<typeof page>[0]) => pageWords(page({ messages: [], ...more }));
  expect(words({ next: { at: AT, what: "anew", who: [] } })).toBe(`quiet, begins anew at ${clock}`);
  expect(words({ next: { at: AT, what: "tell", who: [] } })).toBe(`next: nobody at ${clock}`);
  expect(words({ next: null, state: "exhausted" })).toContain("nobody is left");
  expect(words({ next: null, state: "failed" })).toBe("nobody could be told");
  expect(words({ next: null, state: "acknowledged" })).toBe("");
});
