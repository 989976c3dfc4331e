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

/** Alerts of each state: what may wake somebody before what is muted, then the latest first. */
export function byState(alerts: Alert[]): Record<AlertState, Alert[]> {
  const groups: Record<AlertState, Alert[]> = { firing: [], pending: [], resolved: [] };
  for (const alert of alerts) groups[alert.state].push(alert);
  for (const group of Object.values(groups)) {
    group.sort(
      (a, b) =>
        Number(isMuted(a)) - Number(isMuted(b)) ||
        stateSince(b) - stateSince(a) ||
        (a.fingerprint < b.fingerprint ? -1 : 1),
    );
  }
  return groups;
}
