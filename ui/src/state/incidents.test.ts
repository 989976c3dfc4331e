import { expect, test } from "vitest";

import { incident } from "../../fake/incidents.ts";
import {
  alertWords,
  asksVerdict,
  inOrder,
  movesOf,
  takesWork,
  timelineRows,
  verdictAct,
} from "./incidents.ts";

test("what is open comes first, the worst first, then the newest", () => {
  const of = (id: string, severity: "sev1" | "sev3", isOpen: boolean, openedAt: string) => ({
    ...incident({ id }),
    severity,
    isOpen,
    openedAt,
  });
  const list = [
    of("over-old", "sev1", false, "2026-11-01T00:00:00Z"),
    of("mild", "sev3", true, "2026-11-03T00:00:00Z"),
    of("over-new", "sev3", false, "2026-11-02T00:00:00Z"),
    of("worst", "sev1", true, "2026-11-01T00:00:00Z"),
  ];
  expect(inOrder(list).map(({ id }) => id)).toEqual(["worst", "mild", "over-new", "over-old"]);
});

test("closing is no plain move: it asks what it was", () => {
  const resolved = incident({ state: "resolved", next: ["review", "closed", "active"] });
  expect(movesOf(resolved).map(({ to }) => to)).toEqual(["review", "active"]);
  expect(asksVerdict(resolved)).toBe(true);
  expect(verdictAct(resolved, "false")).toEqual({
    do: "state",
    to: "closed",
    from: "resolved",
    verdict: "false",
  });
});

test("what is closed can be judged anew, and takes no work", () => {
  const closed = incident({ state: "closed", next: ["review", "active"] });
  expect(verdictAct(closed, "acted")).toEqual({ do: "verdict", verdict: "acted" });
  expect(takesWork(closed)).toBe(false);
  expect(asksVerdict(incident({ state: "active" }))).toBe(false);
});

test.each([
  [0, 0, "no alerts"],
  [1, 0, "1 alert, none fires"],
  [1, 1, "1 of 1 alert firing"],
  [30, 4, "4 of 30 alerts firing"],
])("%i alerts of which %i fire", (alertCount, firingCount, words) => {
  expect(alertWords({ ...incident({}), alertCount, firingCount })).toBe(words);
});

test.each([
  [[], ""],
  [[0, 1, 2], "2 1 0"],
  // The newest page went on while an older one was shown.
  [[9, 8, 4, 3], "9 8 (3 before 8) 4 3 (3 older, before 3)"],
  [[9, 8, 7, 8, 6, 5, 4, 3, 2, 1, 0], "9 8 7 6 5 4 3 2 1 0"],
])("entries %j are shown as %s", (numbers, words) => {
  const [by, url, picture] = [null, null, null];
  const entry = (n: number) => ({ n, at: "", by, kind: "note", text: "", url, picture });
  const shown = timelineRows(numbers.map(entry)).map((row) =>
    "n" in row ? `${row.n}` : `(${row.count}${row.isOldest ? " older," : ""} before ${row.before})`,
  );
  expect(shown.join(" ")).toBe(words);
});
