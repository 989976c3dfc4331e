// What the page reads out of alerts: their name, their order, what mutes them.
import type { Alert, AlertState, Labels } from "../api/types.ts";
import { safeUrl, toMs } from "./format.ts";

/** Labels with a place of their own in a list. */
const SHOWN_APART = ["alertname", "severity", "runbook_url"];

export function alertName(labels: Labels): string {
  return labels.alertname ?? "(no alertname)";
}

/** The labels besides those with a place of their own, by name. */
export function otherLabels(labels: Labels, apart: string[] = SHOWN_APART): [string, string][] {
  return Object.entries(labels)
    .filter(([name]) => !apart.includes(name))
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

/** One line for people. */
export function summaryOf(annotations: Labels): string {
  return annotations.summary ?? annotations.message ?? annotations.description ?? "";
}

/** What to do about it: a link, or null. */
export function runbookOf({ labels, annotations }: Pick<Alert, "labels" | "annotations">) {
  return safeUrl(annotations.runbook_url ?? annotations.runbook ?? labels.runbook_url);
}

export function isMuted(alert: Alert): boolean {
  return alert.silencedBy.length > 0 || alert.inhibitedBy.length > 0;
}

/** Since when the alert is in its state, in milliseconds. */
export function stateSince(alert: Alert): number {
  const at = { pending: alert.activeAt, firing: alert.firedAt, resolved: alert.resolvedAt };
  return toMs(at[alert.state]) ?? toMs(alert.activeAt) ?? 0;
}

/** States in the order of what matters. */
export const STATES: AlertState[] = ["firing", "pending", "resolved"];

export const STATE_TITLES: Record<AlertState, string> = {
  firing: "Firing",
  pending: "Pending",
  resolved: "Recently resolved",
};

/** What people write as severity, the worst first. What is not known stands in the middle. */
const SEVERITIES = [
  ["critical", "page", "emergency", "fatal", "disaster", "p1", "sev1"],
  ["error", "high", "major", "p2", "sev2"],
  ["warning", "warn", "medium", "ticket", "p3", "sev3"],
  ["info", "information", "low", "minor", "notice", "p4", "p5", "sev4"],
  ["none", "debug"],
];
const UNKNOWN_RANK = 2;

function severityRank({ severity = "" }: Labels): number {
  const rank = SEVERITIES.findIndex((words) => words.includes(severity.toLowerCase()));
  return rank < 0 ? UNKNOWN_RANK : rank;
}

/** When somebody is told next of what was not told yet, in milliseconds; null when nobody is. */
export function nextNotification(alert: Alert): number | null {
  if (isMuted(alert) || alert.state === "pending") return null;
  // The group is looked at again and again; it speaks when there is news.
  const isTold = (toMs(alert.lastNotifiedAt) ?? 0) >= stateSince(alert);
  return isTold ? null : toMs(alert.nextNotificationAt);
}

/** Alerts of each state: what is not muted, the worst, the latest first. */
export function byState(alerts: Alert[]): Record<AlertState, Alert[]> {
  const groups: Record<AlertState, Alert[]> = { firing: [], pending: [], resolved: [] };
  for (const alert of alerts) groups[alert.state].push(alert);
  for (const group of Object.values(groups)) {
    group.sort(
      (a, b) =>
        Number(isMuted(a)) - Number(isMuted(b)) ||
        severityRank(a.labels) - severityRank(b.labels) ||
        stateSince(b) - stateSince(a) ||
        compare(alertName(a.labels), alertName(b.labels)) ||
        compare(a.fingerprint, b.fingerprint),
    );
  }
  return groups;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
