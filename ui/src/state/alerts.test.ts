import { expect, test } from "vitest";

import { alert } from "../../fake/scenarios.ts";
import { byState, otherLabels, runbookOf, summaryOf } from "./alerts.ts";

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
