// Jobs of the made-up shop: one of each state.
import type { Heartbeat } from "../src/api/types.ts";

const HOUR = 3_600_000;

export function heartbeats(): Heartbeat[] {
  return [
    job("stock-sync", "shop", "fine", 0.2, 0.3),
    job("invoices", "shop", "late", 25, -1),
    {
      ...job("nightly-backup", "backup", "missed", 41, -17),
      labels: { severity: "critical", team: "storage" },
      missed: {
        fingerprint: "b3f1c2d4e5a69788",
        since: at(-16.5),
        description: "It runs every 1d and may be 30m late; it last did at 2026-11-20T03:00:04Z.",
      },
    },
    {
      ...job("report", "", "failed", 26, 0.5),
      failed: {
        fingerprint: "c4a2d3e5f6b79899",
        since: at(-0.4),
        description: "Its run that ended at 2026-11-21T19:31:00Z failed: exit status 3",
      },
    },
    { ...job("yearly", "shop", "awaited", 0, 24), last: null, isDeclared: true },
  ];
}

function job(
  name: string,
  service: string,
  state: Heartbeat["state"],
  ranAgo: number,
  dueIn: number,
): Heartbeat {
  return {
    name,
    service,
    state,
    every: "1d",
    grace: "30m",
    since: at(-1000),
    last: at(-ranAgo),
    dueAt: at(dueIn),
    isDeclared: false,
    labels: { severity: "error" },
    annotations: {},
    missed: null,
    failed: null,
  };
}

function at(hours: number): string {
  return new Date(Date.now() + hours * HOUR).toISOString();
}
