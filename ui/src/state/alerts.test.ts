import { expect, test } from "vitest";

import type { Alert } from "../api/types.ts";
import { ago, alert } from "../../fake/scenarios.ts";
import { byState, nextNotification, otherLabels, runbookOf, summaryOf } from "./alerts.ts";

test("what is muted comes after what may wake somebody, and the latest comes first", () => {
  const make = (name: string, since: number, silencedBy: string[] = []) =>
    alert({ name, labels: {}, since, value: 1, more: { silencedBy } });
  const groups = byState([
    make("old", 9_000),
    make("muted", 10, ["s"]),
    make("new", 1_000),
    alert({ name: "waits", labels: {}, since: 0, value: 1, more: { state: "pending" } }),
  ]);
  const names = (list: { labels: Record<string, string> }[]) =>
    list.map(({ labels }) => labels.alertname);
  expect(names(groups.firing)).toEqual(["new", "old", "muted"]);
  expect(names(groups.pending)).toEqual(["waits"]);
  expect(groups.resolved).toEqual([]);
});

test("the worst comes first, and what nobody knows stands in the middle", () => {
  const severities = ["none", "info", "odd", "page", "warning", "Critical"];
  const alerts = severities.map((severity, since) =>
    alert({ name: severity, labels: { severity }, since: since * 60_000, value: 1 }),
  );
  const order = byState(alerts).firing.map(({ labels }) => labels.alertname);
  expect(order).toEqual(["page", "Critical", "odd", "warning", "info", "none"]);
});

test("a next notification is promised only when there is something to tell", () => {
  const next = (more: Partial<Alert>) =>
    nextNotification(
      alert({
        name: "A",
        labels: {},
        since: 60_000,
        value: 1,
        more: { nextNotificationAt: ago(-9_000), lastNotifiedAt: null, ...more },
      }),
    ) !== null;
  expect(next({})).toBe(true);
  expect(next({ lastNotifiedAt: ago(50_000) })).toBe(false);
  expect(next({ lastNotifiedAt: ago(90_000) })).toBe(true);
  expect(next({ silencedBy: ["s"] })).toBe(false);
  expect(next({ nextNotificationAt: null })).toBe(false);
});

test("a runbook is found where people put it, if it is a link", () => {
  const labels = { alertname: "A", runbook_url: "https://b" };
  expect(runbookOf({ labels, annotations: { runbook_url: "https://a" } })).toBe("https://a");
  expect(runbookOf({ labels, annotations: {} })).toBe("https://b");
  expect(runbookOf({ labels: {}, annotations: { runbook: "javascript:1" } })).toBeNull();
});

test("labels with a place of their own are not repeated", () => {
  const labels = { b: "2", alertname: "A", severity: "page", a: "1" };
  expect(otherLabels(labels)).toEqual([
    ["a", "1"],
    ["b", "2"],
  ]);
  expect(summaryOf({ description: "long", message: "short" })).toBe("short");
});
