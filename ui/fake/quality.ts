// A month of the fake Firebell: figures that stand well, so and so, and badly.
import type { Figures, PersonMonth, Quality } from "../src/api/types.ts";

function figures(name: string, more: Partial<Figures>): Figures {
  return {
    name,
    fired: 12,
    notified: 12,
    acknowledged: 9,
    judged: 10,
    guessed: 2,
    actionable: 9,
    actionableShare: 0.9,
    light: "green",
    false: 1,
    flaps: 0,
    acknowledgeSeconds: { median: 240, p90: 700 },
    resolveSeconds: { median: 1_500, p90: 4_000 },
    verdicts: { acted: 9, false: 1 },
    ...more,
  };
}

function person(name: string, more: Partial<PersonMonth>): PersonMonth {
  return {
    name,
    pages: 4,
    incidents: 3,
    acknowledged: 3,
    acknowledgeSeconds: { median: 190, p90: 400 },
    offHours: 1,
    atNight: 0,
    sleepLostMinutes: 0,
    light: "green",
    onCallHours: 168,
    pagesInShift: 0.3,
    pagesInShiftLight: "green",
    ...more,
  };
}

export function quality(month: string): Quality {
  const isEmpty = month < "2026-01";
  const cpu = { fired: 31, actionableShare: 0.1, light: "red", advice: "delete" } as const;
  return {
    month,
    from: `${month}-01T00:00:00Z`,
    to: `${month}-28T00:00:00Z`,
    isCut: false,
    targets: {
      actionable: 0.8,
      deleteUnder: 0.5,
      pagesInShift: 2,
      offHours: { good: 2, burnout: 19 },
    },
    total: figures("", isEmpty ? { fired: 0, actionableShare: null, light: null } : {}),
    rules: isEmpty
      ? []
      : [figures("CartCpuHigh", cpu), figures("CheckoutErrors", { advice: "keep" })],
    moreRules: 0,
    services: [],
    teams: [],
    people: isEmpty
      ? []
      : [
          person("ana", { offHours: 21, atNight: 12, sleepLostMinutes: 840, light: "red" }),
          person("ben", { onCallHours: null, pagesInShift: null, pagesInShiftLight: null }),
        ],
  };
}
