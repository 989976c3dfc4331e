import { describe, expect, test } from "vitest";

import { alert, ago, scenario, statusOf } from "../fake/scenarios.ts";
import { emit, listeners } from "../fake/server.ts";
import { open, takeComplaints, useBrowser } from "./page.ts";

useBrowser();

describe("the list of alerts", () => {
  test("shows what fires first, then what is pending, then what resolved", async () => {
    const { page } = await open(scenario("busy"));
    await page.getByRole("link", { name: "CheckoutErrors" }).waitFor();
    const headings = await page.getByRole("heading", { level: 2 }).allInnerTexts();
    expect(headings.map((text) => text.replace(/\s+/g, " "))).toEqual([
      "Firing 4 2 muted",
      "Pending 1",
      "Recently resolved 1",
    ]);
    const row = page.getByRole("listitem").filter({ hasText: "CheckoutErrors" }).first();
    const text = await row.innerText();
    for (const part of ["21.4 % of checkouts fail", "page", "0.2137", "> 0.05", "service=checkout"])
      expect(text).toContain(part);
    expect(text).toMatch(/for 2m( \d+s)?/);
    expect(await row.getByRole("link", { name: "Runbook" }).getAttribute("href")).toBe(
      "https://runbooks.example.org/checkout-errors",
    );
  });

  test("says plainly what is silenced and what is inhibited", async () => {
    const { page } = await open(scenario("busy"));
    const row = (name: string) => page.getByRole("listitem").filter({ hasText: name }).first();
    await row("DiskFillsUp").getByText("silenced").waitFor();
    await row("CheckoutSlow").getByText("inhibited").waitFor();
  });

  test("never links to a script", async () => {
    const { page } = await open(scenario("busy"));
    await page.getByRole("link", { name: "DiskFillsUp" }).waitFor();
    expect(await page.locator('a[href^="javascript"]').count()).toBe(0);
  });

  test("counts time up by itself", async () => {
    const { page } = await open(scenario("busy"));
    const since = page.getByRole("listitem").filter({ hasText: "QueueBacklog" }).locator("time");
    const before = await since.first().innerText();
    await expect.poll(() => since.first().innerText()).not.toBe(before);
    expect(await since.first().getAttribute("title")).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
  });

  test("shows a new alert when an event tells of it, and the tab counts it", async () => {
    const world = scenario("calm");
    const { page } = await open(world);
    await page.getByText("Nothing fires").waitFor();
    await page.getByText("Live", { exact: true }).waitFor();
    expect(await page.title()).toBe("Alerts · Firebell");
    const calmIcon = await page.locator('link[rel="icon"]').getAttribute("href");
    world.alerts = [alert({ name: "ShopDown", labels: { severity: "page" }, since: 0, value: 0 })];
    world.status = statusOf(world.alerts, {});
    emit(world, ["alerts", "status"]);
    await page.getByRole("link", { name: "ShopDown" }).waitFor({ timeout: 15_000 });
    await expect.poll(() => page.title()).toBe("(1) Alerts · Firebell");
    expect(await page.locator('link[rel="icon"]').getAttribute("href")).not.toBe(calmIcon);
  });

  test("is cut to a hundred rows, and more come on demand", async () => {
    const { page } = await open(scenario("crowded"));
    const rows = page.getByRole("link", { name: "PodCrashLooping" });
    await rows.first().waitFor();
    expect(await rows.count()).toBe(100);
    await page.getByRole("button", { name: "Show 100 more of 1400" }).click();
    expect(await rows.count()).toBe(200);
  });
});

describe("the filter", () => {
  test("narrows by words, labels and state, and stands in the address", async () => {
    const { page } = await open(scenario("busy"));
    await page.getByRole("link", { name: "CheckoutErrors" }).waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type("job=shop severity!=page");
    await expect.poll(() => page.getByRole("link", { name: "CheckoutErrors" }).count()).toBe(0);
    await page.getByRole("link", { name: "QueueBacklog" }).waitFor();
    await page.getByText("Pending 1", { exact: true }).first().click();
    await expect.poll(() => page.getByRole("link", { name: "CheckoutSlow" }).count()).toBe(0);
    expect(page.url()).toContain("#/alerts?q=job%3Dshop+severity%21%3Dpage&state=pending");
    await page.reload();
    await page.getByRole("link", { name: "QueueBacklog" }).waitFor();
    expect(await page.getByRole("link", { name: "CheckoutSlow" }).count()).toBe(0);
  });

  test("takes a label that is pressed", async () => {
    const { page } = await open(scenario("busy"));
    await page.getByRole("link", { name: "team=payments" }).click();
    await expect
      .poll(() => page.getByRole("searchbox", { name: "Filter alerts" }).inputValue())
      .toBe("team=payments");
    expect(await page.getByRole("link", { name: "CheckoutErrors" }).count()).toBe(0);
  });

  test("takes the receiver that links in messages name", async () => {
    const { page } = await open(scenario("busy"), "#/alerts?receiver=platform");
    await page.getByRole("link", { name: "BudgetBurn" }).waitFor();
    expect(await page.getByRole("link", { name: "CheckoutErrors" }).count()).toBe(0);
    await page.getByText("Firing 2", { exact: true }).first().click();
    expect(page.url()).toContain("#/alerts?receiver=platform&state=firing");
    await page.getByRole("link", { name: "Show all" }).click();
    await page.getByRole("link", { name: "CheckoutErrors" }).waitFor();
  });

  test("says when nothing matches, and the way back", async () => {
    const { page } = await open(scenario("busy"), "#/alerts?q=nosuchthing");
    await page.getByText("No alert matches").waitFor();
    await page.getByRole("link", { name: "Show all" }).click();
    await page.getByRole("link", { name: "CheckoutErrors" }).waitFor();
  });

  test("names a broken regular expression", async () => {
    const { page } = await open(scenario("busy"), "#/alerts?q=job%3D~(");
    await page.getByText("`(` is not a regular expression").waitFor();
  });
});

describe("when nothing is configured", () => {
  test("the page says what to do next", async () => {
    const { page } = await open(scenario("fresh"));
    await page.getByRole("heading", { name: "Use the configuration you have" }).waitFor();
    await page.getByText("firebell serve --config firebell.yml").waitFor();
    await page.getByText("no configuration file").waitFor();
  });
});

describe("when something fails", () => {
  test("the page says what was tried and why it failed, and comes back by itself", async () => {
    const world = scenario("busy");
    const path = "/api/firebell/v1/alerts";
    world.failures.set(path, { status: 503, body: '{"error":"the store is being replayed"}' });
    const { page } = await open(world);
    const notice = page.getByRole("alert").filter({ hasText: "Could not load the alerts" });
    await notice.waitFor();
    expect(await notice.innerText()).toContain(
      `GET ${path} failed (503): the store is being replayed`,
    );
    world.failures.clear();
    emit(world, ["alerts"]);
    await page.getByRole("link", { name: "CheckoutErrors" }).waitFor();
    expect(await notice.count()).toBe(0);
  });

  test("a lost connection is said, what was known stays, and it is taken up again", async () => {
    const world = scenario("busy");
    const { page, server } = await open(world);
    await page.getByText("Live", { exact: true }).waitFor();
    await server.stop();
    await page.getByText(/Connection to Firebell lost \d+s ago/).waitFor();
    await page.getByRole("link", { name: "CheckoutErrors" }).waitFor();
    world.alerts = [alert({ name: "WhileAway", labels: {}, since: 0, value: 1 })];
    await server.restart();
    await page.getByRole("link", { name: "WhileAway" }).waitFor();
    await page.getByText("Live", { exact: true }).waitFor();
    expect(await page.getByText("Connection to Firebell lost").count()).toBe(0);
  });

  test("a hidden tab gives its connection back, and catches up when it is seen again", async () => {
    const world = scenario("calm");
    const { page } = await open(world);
    await page.getByText("Live", { exact: true }).waitFor();
    await page.clock.install();
    const show = (state: "hidden" | "visible") =>
      page.evaluate((value) => {
        Object.defineProperty(document, "visibilityState", { value, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
      }, state);
    await show("hidden");
    await page.clock.fastForward(31_000);
    await page.getByText("Paused").waitFor();
    await expect.poll(() => listeners(world)).toBe(0);
    world.alerts = [alert({ name: "WhileHidden", labels: {}, since: 0, value: 1 })];
    await show("visible");
    await page.getByRole("link", { name: "WhileHidden" }).waitFor();
    expect(listeners(world)).toBe(1);
  });

  test("an answer that makes no sense costs one page, not the way to the others", async () => {
    const world = scenario("busy");
    world.alerts = [{ ...world.alerts[0], labels: null } as never];
    const { page } = await open(world, "#/targets");
    await page.getByRole("link", { name: "Alerts" }).click();
    await page.getByText("This page cannot be shown").waitFor();
    expect(takeComplaints()).not.toEqual([]);
    await page.getByRole("link", { name: "Targets" }).click();
    await page.getByText("2 of 3 up").waitFor();
  });

  test("a server that was updated meanwhile is said", async () => {
    const world = scenario("busy");
    const { page } = await open(world);
    await page.getByText("Firebell 0.1.0").waitFor();
    world.status.version = "0.2.0";
    emit(world, ["status"]);
    await page.getByText("Firebell was updated to 0.2.0").waitFor();
  });

  test("problems of the configuration are listed, and what applies instead", async () => {
    const world = scenario("busy");
    world.status.configProblems = ["rules/shop.yml:12:9: unknown function `ratee`"];
    world.status.configLoadedAt = ago(3_600_000);
    const { page } = await open(world, "#/targets");
    const notice = page.getByRole("alert");
    await notice.waitFor();
    const text = await notice.innerText();
    expect(text).toContain("/etc/firebell/firebell.yml was not taken over: 1 problem");
    expect(text).toContain("rules/shop.yml:12:9: unknown function `ratee`");
    expect(text).toContain("stays in force");
  });
});
