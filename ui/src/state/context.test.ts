import { expect, test } from "vitest";

import { exceptionAnnotations, TRACE_ID } from "../../fake/traces.ts";
import { contextOf } from "./context.ts";

test("what the Python package says becomes facts, breadcrumbs and groups", () => {
  const context = contextOf(exceptionAnnotations());
  expect(context.traceId).toBe(TRACE_ID);
  expect(context.facts.slice(0, 4)).toEqual([
    ["Request", "POST /orders/{order}/pay"],
    ["Path", "/orders/77/pay"],
    ["User", "7, plan=gold"],
    ["Deploy", "v42, to production, 6m before, commit 0c1d2e3"],
  ]);
  expect(context.crumbs.map(({ category, message, data }) => [category, message, data])).toEqual([
    ["cart", "three things in it", "items=3"],
    ["bank", "asked for money", ""],
  ]);
  expect(context.groups).toEqual([
    { name: "Tags", facts: [["shard", "3"]] },
    { name: "cart", facts: [["items", "3"]] },
    { name: "Snapshot pool", facts: [["free", "0"]] },
  ]);
  expect(Object.keys(context.rest)).toEqual(["summary", "description"]);
});

test("what is not as the package writes it stays an annotation", () => {
  const odd = {
    breadcrumbs: '[{"message": "cut of',
    trace_id: "none",
    span_id: "1",
    user: "ada",
    deploy: "[]",
    dashboard: "https://grafana.example.org",
  };
  const context = contextOf(odd);
  expect(context.rest).toEqual(odd);
  expect([context.traceId, context.facts, context.crumbs, context.groups]).toEqual([
    null,
    [],
    [],
    [],
  ]);
});

test("the release of the process is told where it is not what was deployed", () => {
  const facts = (annotations: Record<string, string>) =>
    contextOf(annotations).facts.map(([name, text]) => `${name}: ${text}`);
  const deploy = '{"version":"v42","environment":"prod","age_s":360}';
  const told = "Deploy: v42, to prod, 6m before";
  expect(facts({ deploy, release: "v42" })).toEqual([told]);
  expect(facts({ deploy, release: "v41" })).toEqual([told, "Release: v41"]);
  expect(facts({ deploy: '{"age_s":360}', release: "v41" })).toEqual(["Deploy: v41, 6m before"]);
  expect(facts({ release: "v41" })).toEqual(["Release: v41"]);
});
