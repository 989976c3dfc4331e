// Traces and logs: found, narrowed, gone through, from one to the other.
import { describe, expect, test } from "vitest";

import { scenario } from "../fake/scenarios.ts";
import { TRACE_ID } from "../fake/traces.ts";
import { accessibilityProblems, goTo, open, overflow, useBrowser } from "./page.ts";

useBrowser();

describe("the list of traces", () => {
  test("is narrowed by what somebody looks for, and goes on", async () => {
    const { page } = await open(scenario("busy"), "#/traces");
    const rows = page.getByRole("list", { name: "Traces" }).getByRole("listitem");
    await expect.poll(() => rows.count()).toBe(50);
    const first = await rows.first().innerText();
    for (const part of ["POST /orders/{order}/pay", "shop", "4 spans, 3 failed", "250 ms"])
      expect(first).toContain(part);
    await page.getByRole("button", { name: "Show more" }).click();
    await expect.poll(() => rows.count()).toBe(120);
    expect(await page.getByRole("button", { name: "Show more" }).count()).toBe(0);

    await page.getByText("Failed", { exact: true }).click();
    await expect.poll(() => rows.count()).toBe(7);
    await page.getByLabel("Service").fill("shop");
    await page.getByLabel("Text in a span").fill("ORDERS");
    await expect.poll(() => rows.count()).toBe(1);
    await page.getByLabel("Least duration").fill("long");
    await page.getByText("Such as 250ms or 2s").waitFor();
    await page.getByLabel("Least duration").fill("251ms");
    await page.getByText("No trace matches").waitFor();
    await page.getByRole("link", { name: "Show all" }).click();
    await expect.poll(() => rows.count()).toBe(50);
  });

  test("asks for the time that is chosen, and for what is older where it read enough", async () => {
    const world = scenario("busy");
    const { page } = await open(world, "#/traces");
    const asked = page.waitForRequest((request) => request.url().includes("from="));
    await page.getByLabel("Time").selectOption("Last hour");
    const from = Date.parse(new URL((await asked).url()).searchParams.get("from") ?? "");
    expect(Math.abs(Date.now() - from - 3_600_000)).toBeLessThan(60_000);
    const body = JSON.stringify({ traces: world.traces.slice(0, 2), isWhole: false });
    world.failures.set("/api/firebell/v1/traces", { status: 200, body });
    await page.reload();
    await page.getByRole("button", { name: "Show older ones" }).click();
    await page.getByText(/^Only until/).waitFor();
    expect(page.url()).toContain(encodeURIComponent(world.traces[1]?.startedAt ?? "?"));
  });

  test("says how to send some, and why it failed", async () => {
    const world = scenario("calm");
    const { page, server } = await open(world, "#/traces");
    await page.getByText("No trace came yet").waitFor();
    await page.getByText(`OTEL_EXPORTER_OTLP_ENDPOINT=${server.url.replace(/\/$/, "")}`).waitFor();
    const body = JSON.stringify({ status: "error", error: "the disk is gone" });
    world.failures.set("/api/firebell/v1/logs", { status: 503, body });
    await page.getByRole("link", { name: "Logs" }).click();
    await page.getByText("Could not load the logs").waitFor();
    await page.getByText("the disk is gone").waitFor();
  });
});

describe("from one to the other", () => {
  test("a log record leads to its span, that to the logs of its trace, and back", async () => {
    const { page } = await open(scenario("busy"), "#/logs");
    const records = page.getByRole("region", { name: /Today|20/ }).getByRole("listitem");
    await expect.poll(() => records.count()).toBe(200);
    await page.getByLabel("Severity").selectOption("error and worse");
    await expect.poll(() => records.count()).toBe(1);
    await page.getByText("the bank is away").click();
    await page.getByText("shop.pay", { exact: true }).waitFor();
    await page.getByRole("link", { name: "trace", exact: true }).click();

    await page.getByRole("heading", { level: 1, name: "POST /orders/{order}/pay" }).waitFor();
    const spans = page.getByRole("list", { name: "Spans of the trace" });
    const isOpen = spans.locator("details[open]");
    await expect.poll(() => isOpen.count()).toBe(1);
    expect(await isOpen.innerText()).toContain("charge");
    await page.getByRole("link", { name: "search within them" }).click();
    await page.getByText("Only of the trace").waitFor();
    await expect.poll(() => records.count()).toBe(2);
    await page.getByRole("link", { name: TRACE_ID }).first().click();
    await page.getByText("took 250 ms").waitFor();
  });

  test("an alert leads to its trace, and the trace to its alert", async () => {
    const { page } = await open(scenario("raised"));
    await page.getByRole("link", { name: "Exception", exact: true }).click();
    await page.getByRole("link", { name: TRACE_ID }).click();
    await page.getByText("took 250 ms").waitFor();
    const alerts = page.getByRole("region", { name: "Alerts" });
    await alerts.getByRole("link", { name: "Exception", exact: true }).click();
    await page.getByRole("heading", { level: 1, name: "Exception" }).waitFor();
  });

  test("a trace of which nothing is kept says why that may be", async () => {
    const world = scenario("busy");
    const body = JSON.stringify({ status: "error", error: "nothing is kept of the trace" });
    world.failures.set(`/api/firebell/v1/traces/${TRACE_ID}`, { status: 404, body });
    const { page } = await open(world, `#/traces/${TRACE_ID}`);
    await page.getByText("Nothing is kept of this trace").waitFor();
    expect(await page.getByRole("alert").count()).toBe(0);
  });
});

test.each(["light", "dark"] as const)("everybody can use them, on a phone (%s)", async (scheme) => {
  const options = { colorScheme: scheme, viewport: { width: 360, height: 740 } };
  const { page, server } = await open(scenario("busy"), "#/traces", options);
  for (const place of ["#/traces", `#/traces/${TRACE_ID}?span=00f067aa0ba902b7`, "#/logs"]) {
    await goTo(page, `${server.url}${place}`);
    await page.locator("main li").first().waitFor();
    expect(await accessibilityProblems(page), place).toEqual([]);
    expect(await overflow(page), place).toBe(0);
  }
});
