// A month of the fake Firebell: figures that stand well, so and so, and badly.
import type { Decision, Figures, PersonMonth, Quality } from "../src/api/types.ts";

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
    pages: 14,
    escalated: 2,
    atNight: 3,
    sleepLostMinutes: 120,
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

const BUSINESS: Quality["figures"][number] = {
  name: "orders a day",
  expr: "sum(increase(orders_total[1d]))",
  mean: 1_204.5,
  days: [1_180, 1_260, 0, 1_320].map((value, idx) => ({
    at: `2026-11-0${idx + 1}T23:59:59Z`,
    value,
  })),
  error: null,
};

function reviewed(): Quality["incidents"] {
  const one = {
    id: "INC-3",
    title: "Checkout fails (shop)",
    severity: "sev1",
    openedAt: "2026-11-04T10:00:00Z",
    openedBy: null,
    lastedSeconds: 2_400,
    alertCount: 3,
    hadNoAlert: false,
    verdict: { words: "acted", guessed: false },
  } as const;
  const missed = { alertCount: 0, hadNoAlert: true, openedBy: "zoe", verdict: null };
  return [one, { ...one, id: "INC-4", title: "Customers call", ...missed }];
}

/** What was decided, by month. */
const DECIDED = new Map<string, Quality["decisions"]>();

export function decide(body: string): object {
  const { month, ...decided } = JSON.parse(body) as Decision & { month: string };
  const before = DECIDED.get(month) ?? [];
  DECIDED.set(month, [...before, { ...decided, at: new Date().toISOString() }]);
  return { outcome: "changed", decisions: DECIDED.get(month) };
}

export function quality(month: string): Quality {
  const isEmpty = month < "2026-01";
  const cpu = { fired: 31, actionableShare: 0.1, light: "red", advice: "delete" } as const;
  const errors = {
    advice: "keep",
    runbook: "https://runbooks.example/checkout",
    runbookFailed: true,
  } as const;
  return {
    month,
    from: `${month}-01T00:00:00Z`,
    to: `${month}-28T00:00:00Z`,
    isCut: false,
    targets: {
      actionable: 0.8,
      deleteUnder: 0.5,
      pagesInShift: 2,
      runbookSeconds: 1_800,
      offHours: { good: 2, burnout: 19 },
    },
    total: figures("", isEmpty ? { fired: 0, actionableShare: null, light: null } : {}),
    rules: isEmpty ? [] : [figures("CartCpuHigh", cpu), figures("CheckoutErrors", errors)],
    moreRules: 0,
    figures: isEmpty ? [] : [BUSINESS],
    incidents: isEmpty ? [] : reviewed(),
    moreIncidents: 0,
    decisions: DECIDED.get(month) ?? [],
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
