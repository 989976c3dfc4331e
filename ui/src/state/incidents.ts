// What people can do with an incident, in words; what a list shows first.
import type {
  Incident,
  IncidentDetail,
  IncidentEntry,
  IncidentState,
  Verdict,
} from "../api/types.ts";

/** Verdicts in the order in which they are offered. */
export const VERDICTS: [Verdict, string][] = [
  ["acted", "Acted"],
  ["elsewhere", "Real, but elsewhere"],
  ["wrong_time", "Right, but wrong time"],
  ["planned_work", "Planned work"],
  ["threshold", "Threshold"],
  ["broken_check", "Broken check"],
  ["duplicate", "Duplicate"],
  ["false", "False"],
];

export const STATES: Record<IncidentState, string> = {
  triage: "Triage",
  active: "Active",
  mitigated: "Mitigated",
  resolved: "Resolved",
  review: "In review",
  closed: "Closed",
  declined: "Declined",
  merged: "Merged",
};

/** What the button that moves it says. */
const MOVES: Record<IncidentDetail["next"][number], string> = {
  triage: "Back to triage",
  active: "It is active",
  mitigated: "Mitigated",
  resolved: "Resolved",
  review: "To review",
  closed: "Close",
  declined: "Decline",
};

export interface Move {
  to: IncidentDetail["next"][number];
  words: string;
}

/** Where it can go by one button; closing asks for a verdict, so it has its own. */
export function movesOf(incident: IncidentDetail): Move[] {
  const others = incident.next.filter((to) => to !== "closed");
  return others.map((to) => ({ to, words: MOVES[to] }));
}

/** What the button of a verdict does: closes where that is possible, else only says what it was. */
export function verdictAct(incident: IncidentDetail, verdict: Verdict): object {
  if (!incident.next.includes("closed")) return { do: "verdict", verdict };
  return { do: "state", to: "closed", from: incident.state, verdict };
}

/** Whether it may be asked what it was: it is over. */
export function asksVerdict(incident: IncidentDetail): boolean {
  return ["resolved", "review", "closed", "declined"].includes(incident.state);
}

/** Whether it takes acts that are work, and not only words. */
export function takesWork(incident: IncidentDetail): boolean {
  return !["closed", "declined", "merged"].includes(incident.state);
}

/** What is open first, the worst first; then the newest. */
export function inOrder(incidents: Incident[]): Incident[] {
  const rank = ({ isOpen, severity }: Incident): string => (isOpen ? `0${severity}` : "1");
  return [...incidents].sort((a, b) => {
    if (rank(a) !== rank(b)) return rank(a) < rank(b) ? -1 : 1;
    return a.openedAt < b.openedAt ? 1 : -1;
  });
}

/** How many of its alerts fire, in words. */
export function alertWords({ alertCount, firingCount }: Incident): string {
  if (alertCount === 0) return "no alerts";
  const alerts = alertCount === 1 ? "1 alert" : `${alertCount} alerts`;
  return firingCount === 0 ? `${alerts}, none fires` : `${firingCount} of ${alerts} firing`;
}

/** Entries that are not here. */
export interface Missing {
  /** The number of the entry after them. */
  before: number;
  count: number;
  /** Nothing older is here. */
  isOldest: boolean;
}

/** A timeline from pieces that may overlap, the newest first; where entries are missing, that. */
export function timelineRows(entries: IncidentEntry[]): (IncidentEntry | Missing)[] {
  const byNumber = new Map(entries.map((entry) => [entry.n, entry]));
  const rows: (IncidentEntry | Missing)[] = [];
  const sorted = [...byNumber.values()].sort((a, b) => b.n - a.n);
  sorted.forEach((entry, idx) => {
    rows.push(entry);
    const next = sorted[idx + 1]?.n ?? -1;
    const count = entry.n - next - 1;
    if (count > 0) rows.push({ before: entry.n, count, isOldest: next === -1 });
  });
  return rows;
}
