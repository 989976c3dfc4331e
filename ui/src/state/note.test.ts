import { expect, test } from "vitest";

import { beyond } from "./note.ts";

test.each([
  ["rolled back", "rolled back", ""],
  ["rolled back, and watching", "rolled back", ", and watching"],
  ["rolled back it helps", "rolled back ", "it helps"],
  // It is another text now: whoever changed it sees what to keep.
  ["rolled it back", "rolled back", "rolled it back"],
  ["", "rolled back", ""],
  ["a note", "", "a note"],
])("%j, of which %j was sent, leaves %j", (now, sent, expected) => {
  expect(beyond(now, sent)).toBe(expected);
});
