import { describe, expect, test } from "vitest";

import { scenario } from "../fake/scenarios.ts";
import { TRACE_ID } from "../fake/traces.ts";
import { accessibilityProblems, goTo, open, overflow, useBrowser } from "./page.ts";

useBrowser();

const fingerprintOf = (world: ReturnType<typeof scenario>, name: string): string =>
  world.alerts.find(({ labels }) => labels.alertname === name)?.fingerprint ?? "";

describe("the page of one alert", () => {
  test("shows what it says, its graph, its rule and where it was notified", async () => {
    const world = scenario("busy");
    const { page } = await open(world);
    await page.getByRole("link", { name: "CheckoutErrors" }).click();
    const heading = page.getByRole("heading", { level: 1, name: "CheckoutErrors" });
    await heading.waitFor();
    await expect.poll(() => heading.evaluate((it) => it === document.activeElement)).toBe(true);
    await expect.poll(() => page.title()).toBe("(4) CheckoutErrors · Firebell");
    const article = page.getByRole("article");
    for (const part of [
      "More than 5 % of requests",
      "alerts when > 0.05",
      "rules/shop.yml · group shop · fires after 1m",
      "sum by (service)",
      "goes to shop",
      "a repetition, by repeat_interval 4h",
      "attempt 3 failed, it is tried again",
    ])
      await expect.poll(() => article.innerText()).toContain(part);
    await page.getByRole("img", { name: /alerts when > 0.05/ }).waitFor();
    await page.getByText("first notification of this group").waitFor();
  });

  test("shows what was going on: request, breadcrumbs, trace and its logs", async () => {
    const world = scenario("raised");
    const place = `#/alerts/${fingerprintOf(world, "Exception")}`;
    const { page } = await open(world, place, { viewport: { width: 360, height: 800 } });
    await page.getByText("SELECT orders").waitFor();
    const text = await page.getByRole("article").innerText();
    for (const part of [
      "POST /orders/{order}/pay",
      "7, plan=gold",
      "v42, to production, 6m before",
      "three things in it",
      "4 spans in 250 ms",
      "charging order 77",
    ])
      expect(text).toContain(part);
    expect(text).not.toContain('{"items"');
    await page.getByText("POST bank.example").click();
    await page.getByText("shop.order").last().waitFor();
    expect(await accessibilityProblems(page)).toEqual([]);
    expect(await overflow(page)).toBe(0);
  });

  test("says so when nothing is kept of the trace", async () => {
    const world = scenario("raised");
    const body = JSON.stringify({ status: "error", error: "nothing is kept of the trace" });
    world.failures.set(`/api/firebell/v1/traces/${TRACE_ID}`, { status: 404, body });
    const { page } = await open(world, `#/alerts/${fingerprintOf(world, "Exception")}`);
    await page.getByText("nothing is kept of the trace").waitFor();
  });

  test("draws its line, the threshold and the marks", async () => {
    const world = scenario("busy");
    const { page } = await open(world, `#/alerts/${fingerprintOf(world, "CheckoutErrors")}`);
    const canvas = page.locator("canvas");
    await canvas.waitFor();
    const colours = await canvas.evaluate((it: HTMLCanvasElement) => {
      const { data } = it.getContext("2d")?.getImageData(0, 0, it.width, it.height) ?? {};
      const seen = new Set<string>();
      for (let at = 0; data && at < data.length; at += 4) {
        if (data[at + 3] === 255) seen.add(`${data[at]},${data[at + 1]},${data[at + 2]}`);
      }
      return [...seen];
    });
    // Text, firing and pending of the light scheme.
    expect(colours).toEqual(expect.arrayContaining(["26,27,31", "194,42,31", "143,91,0"]));
  });

  test("asks for the graph from fifteen minutes before the alert", async () => {
    const world = scenario("busy");
    const { page } = await open(world);
    const asked = page.waitForRequest((request) => request.url().includes("query_range"));
    await page.getByRole("link", { name: "CheckoutErrors" }).click();
    const params = new URL((await asked).url()).searchParams;
    const activeAt = Date.parse(world.alerts[0]?.activeAt ?? "") / 1000;
    expect(activeAt - Number(params.get("start"))).toBeGreaterThanOrEqual(900);
    expect(activeAt - Number(params.get("start"))).toBeLessThan(930);
    expect(params.get("query")).toBe(world.alerts[0]?.rule?.graph?.query);
  });

  test("without a rule of ours leads to its sender", async () => {
    const world = scenario("busy");
    const { page } = await open(world, `#/alerts/${fingerprintOf(world, "BudgetBurn")}`);
    const source = page.getByRole("link", { name: "Source" });
    expect(await source.getAttribute("href")).toContain("prometheus.example.org");
    expect(await page.getByText("+∞").count()).toBe(1);
  });

  test("names the alert that inhibits it", async () => {
    const world = scenario("busy");
    const { page } = await open(world, `#/alerts/${fingerprintOf(world, "CheckoutSlow")}`);
    await page.getByRole("note").getByRole("link", { name: "CheckoutErrors" }).click();
    await page.getByRole("heading", { level: 1, name: "CheckoutErrors" }).waitFor();
  });

  test("says so when it is over, and shows what the inbox remembers", async () => {
    const world = scenario("busy");
    const gone = fingerprintOf(world, "WorkerRestarted");
    world.alerts = world.alerts.filter(({ fingerprint }) => fingerprint !== gone);
    const { page } = await open(world, `#/alerts/${gone}`);
    await page.getByText("This alert is over").waitFor();
    await page.getByText("every alert of this group resolved").waitFor();
  });
});

describe("silences", () => {
  test("are made from an alert, seen on it, and ended", async () => {
    const world = scenario("busy");
    const { page } = await open(world, `#/alerts/${fingerprintOf(world, "CheckoutErrors")}`);
    await page.getByRole("button", { name: "Silence…" }).click();
    const dialog = page.getByRole("dialog", { name: "Silence" });
    await dialog.getByText("Mutes 1 alert of now").waitFor();
    await dialog.getByLabel('alertname="CheckoutErrors"').uncheck();
    await dialog.getByLabel('severity="page"').uncheck();
    await dialog.getByText("Mutes 2 alerts of now").waitFor();
    await dialog.getByText("8h", { exact: true }).click();
    await dialog.getByLabel("Your name").fill("Ada");
    const send = dialog.getByRole("button", { name: "Silence" });
    expect(await send.isDisabled()).toBe(true);
    await dialog.getByLabel("Why").fill("deploying the fix");
    await send.click();
    await page.getByText("deploying the fix").waitFor();
    const made = world.silences.at(-1);
    expect(made?.matchers.map(({ name, value }) => `${name}=${value}`)).toEqual([
      "env=production",
      "job=shop",
      "service=checkout",
    ]);
    expect(Date.parse(made?.endsAt ?? "") - Date.parse(made?.startsAt ?? "")).toBe(8 * 3_600_000);
    await page.getByRole("button", { name: "End now" }).click();
    await expect.poll(() => page.getByText("deploying the fix").count()).toBe(0);
    expect(world.silences.at(-1)?.status.state).toBe("expired");
  });

  test("that are refused say why, and nothing typed is lost", async () => {
    const world = scenario("busy");
    const { page } = await open(world, `#/alerts/${fingerprintOf(world, "CheckoutErrors")}`);
    await page.getByRole("button", { name: "Silence…" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Your name").fill("Ada");
    await dialog.getByLabel("Why").fill("deploying");
    world.failures.set("/api/v2/silences", { status: 400, body: '"the disk is full"' });
    await dialog.getByRole("button", { name: "Silence" }).click();
    await dialog.getByText("POST /api/v2/silences failed (400): the disk is full").waitFor();
    expect(await dialog.getByLabel("Why").inputValue()).toBe("deploying");
    await page.keyboard.press("Escape");
    await expect.poll(() => dialog.count()).toBe(0);
  });

  test("have a page of their own", async () => {
    const { page } = await open(scenario("busy"), "#/silences");
    await page.getByText("New disk arrives on Monday").waitFor();
    await page.getByText('alertname="DiskFillsUp"').waitFor();
  });
});

describe("the inbox", () => {
  test("says what was sent, when, to whom and why, and leads to the alerts", async () => {
    const { page } = await open(scenario("busy"), "#/inbox");
    const entry = page.getByRole("listitem").filter({ hasText: "CheckoutErrors, CheckoutSlow" });
    await entry.first().waitFor();
    const text = await entry.first().innerText();
    for (const part of ["to shop", "2 alerts", "first notification of this group", "ago"])
      expect(text).toContain(part);
    expect(await page.getByRole("link", { name: "CheckoutErrors" }).isVisible()).toBe(false);
    await entry.first().getByText("first notification").click();
    await page.getByRole("link", { name: "CheckoutErrors" }).click();
    await page.getByRole("heading", { level: 1, name: "CheckoutErrors" }).waitFor();
  });

  test("that is empty says what will come", async () => {
    const { page } = await open(scenario("calm"), "#/inbox");
    await page.getByText("Nothing was sent yet").waitFor();
  });
});

describe("the targets", () => {
  test("show what is down first, with its error", async () => {
    const { page } = await open(scenario("busy"), "#/targets");
    await page.getByText("2 of 3 up").waitFor();
    const first = page.locator("section li[data-health]").first();
    expect(await first.innerText()).toContain("connection refused");
    expect(await first.getAttribute("data-health")).toBe("down");
  });

  test("show jobs that did not run first, and why", async () => {
    const { page } = await open(scenario("busy"), "#/targets");
    await page.getByText("3 of 5 as expected").waitFor();
    const rows = await page.locator("section li[data-state]").allInnerTexts();
    for (const [idx, parts] of [
      ["missed", "nightly-backup of backup", "may be 30m late", "team", "storage"],
      ["failed", "report", "exit status 3"],
      ["late", "invoices", "due now"],
      ["awaited", "yearly", "never ran", "due in"],
      ["fine", "stock-sync", "every 1d"],
    ].entries()) {
      for (const part of parts) expect(rows[idx]).toContain(part);
    }
  });
});

describe("on call", () => {
  test("says who is, until when, and where nobody is", async () => {
    const { page } = await open(scenario("busy"), "#/oncall");
    const now = page.getByRole("region", { name: "Now" });
    await now.getByRole("listitem").first().waitFor();
    const rows = await now.getByRole("listitem").allInnerTexts();
    expect(rows[0]).toContain("nights");
    expect(rows[0]).toContain("Nobody");
    for (const part of ["Ana Ruiz", "then ben", "before: ben", "override: a wedding", "Zoe Lind"])
      expect(rows[1]).toContain(part);
    expect(rows[2]).toContain("team platform");
    const people = page.getByRole("region", { name: "People" });
    expect(await people.innerText()).toContain("cannot be reached");
  });

  test("takes overrides and swaps in one form, which asks for what is needed", async () => {
    const { page } = await open(scenario("busy"), "#/oncall");
    await page.getByText("Change who is on call").click();
    await page.getByLabel("Your name").first().fill("zoe");
    await page.getByLabel("Who", { exact: true }).selectOption({ index: 1 });
    await page.getByLabel("From, by the schedule's clock").fill("2026-01-05T09:00");
    await page.getByLabel("Until").fill("2026-01-06T09:00");
    const button = page.getByRole("button", { name: "Change it" });
    expect(await button.isDisabled()).toBe(false);
    await page.getByLabel("What changes").selectOption("swap");
    expect(await button.isDisabled()).toBe(true);
    await page.getByLabel("With whom").selectOption({ index: 2 });
    await page.getByLabel("For their shifts from").fill("2026-01-12T09:00");
    await page.getByLabel("Until").nth(1).fill("2026-01-13T09:00");
    expect(await accessibilityProblems(page)).toEqual([]);
    const request = page.waitForRequest(/oncall\/swaps$/);
    await button.click();
    const said = JSON.parse((await request).postData() ?? "") as { by: string; swap: object };
    expect(said.by).toBe("zoe");
    expect(Object.keys(said.swap)).toHaveLength(3);
  });

  test("lists what was set and is not over, a part at a time, and removes it", async () => {
    const { page } = await open(scenario("busy"), "#/oncall");
    await page.getByText("Change who is on call").click();
    await page.getByText("2026-01-06 to 2026-01-07, ben on call (set by eva)").waitFor();
    const buttons = page.getByRole("button", { name: "Remove" });
    expect(await buttons.count()).toBe(20);
    const more = page.waitForRequest(/oncall\/overrides/);
    await page.getByRole("button", { name: "Show more" }).click();
    const { searchParams } = new URL((await more).url());
    expect(searchParams.get("schedule")).toBe("payments");
    expect(searchParams.getAll("kind")).toEqual(["overrides", "swaps", "temporary", "shifts"]);
    await expect.poll(() => buttons.count()).toBe(80);
    await page.getByLabel("Your name").first().fill("zoe");
    const request = page.waitForRequest(/oncall\/shifts\/0+78\?by=zoe$/);
    await buttons.last().click();
    expect((await request).method()).toBe("DELETE");
  });

  test("lists all that was set, however much: each part is asked for once", async () => {
    const { page } = await open(scenario("busy"), "#/oncall");
    const asked: (string | null)[] = [];
    page.on("request", (request) => {
      const { pathname, searchParams } = new URL(request.url());
      if (pathname.endsWith("/oncall/overrides")) asked.push(searchParams.get("page"));
    });
    await page.getByText("Change who is on call").click();
    const buttons = page.getByRole("button", { name: "Remove" });
    const more = page.getByRole("button", { name: "Show more" });
    for (const count of [80, 260, 800, 1101]) {
      await more.click();
      await expect.poll(() => buttons.count()).toBe(count);
    }
    expect(await more.count()).toBe(0);
    const parts = ["shifts:20", "shifts:80", "shifts:260", "shifts:800"];
    expect(asked.filter((it) => it !== "")).toEqual(parts);
  });

  test("reads shifts out of a calendar: shows what it says, then puts it in force", async () => {
    const { page } = await open(scenario("busy"), "#/oncall", {
      viewport: { width: 360, height: 740 },
      colorScheme: "dark",
    });
    await page.getByText("Read shifts out of a calendar").click();
    const choose = async (text: string): Promise<void> => {
      const chooser = page.waitForEvent("filechooser");
      await page.getByRole("button", { name: "A file of another program" }).click();
      const file = { name: "rota.ics", mimeType: "text/calendar", buffer: Buffer.from(text) };
      await (await chooser).setFiles(file);
    };
    const event = (who: string): string => `BEGIN:VEVENT\nSUMMARY:${who}\nEND:VEVENT\n`;
    await choose(event("ana") + event("bob"));
    await page.getByText("1 shift: 1 new.").waitFor();
    const problems = page.getByRole("list", { name: "What is not understood" });
    await problems.getByText("Line 5: nobody is called `bob`.").waitFor();
    await page.getByLabel("Your name").last().fill("zoe");
    const button = page.getByRole("button", { name: "Put it in force" });
    expect(await button.isDisabled()).toBe(true);
    await page.getByLabel("Take the rest all the same").check();
    expect(await accessibilityProblems(page)).toEqual([]);
    expect(await overflow(page)).toBe(0);
    const request = page.waitForRequest(/oncall\/calendar$/);
    await button.click();
    const said = JSON.parse((await request).postData() ?? "") as { by: string; partial: boolean };
    expect([said.by, said.partial]).toEqual(["zoe", true]);
    await page.getByText("It is in force.").waitFor();
    // Another file begins anew.
    await choose(event("ana"));
    await expect.poll(() => problems.count()).toBe(0);
    await expect.poll(() => button.isDisabled()).toBe(false);
  });

  test("draws two weeks, lists them, and adds up what everybody carries", async () => {
    const { page } = await open(scenario("busy"), "#/oncall");
    await page.getByRole("img", { name: /payments: covered for two weeks/ }).waitFor();
    const loads = page.getByRole("row", { name: /Ana Ruiz/ });
    expect(await loads.innerText()).toContain("1,130 h");
    await page.getByRole("link", { name: "nights" }).press("Enter");
    await page.getByRole("img", { name: /nights: 14 gaps within two weeks/ }).waitFor();
    const list = page.getByText("As a list");
    await list.press("Enter");
    const turns = page.locator("details li");
    await expect.poll(() => turns.count()).toBe(28);
    expect(await turns.nth(1).innerText()).toContain("nobody");
  });
});

describe("the objectives", () => {
  test("show what burns first, what holds an alert back, and what nobody promised", async () => {
    const { page } = await open(scenario("busy"), "#/objectives");
    const rows = page.getByRole("region", { name: "Error budgets" }).getByRole("listitem");
    await rows.first().waitFor();
    const burning = await rows.first().innerText();
    for (const part of ["pay-works", "burning", "99.9 % over 30d", "31.0 % left", "213×", "10h 9m"])
      expect(burning).toContain(part);
    await page.getByText("page-fast held back: only 1 bad events").waitFor();
    await page.getByText("The indicator gives nothing").waitFor();
    const flows = page.getByRole("region", { name: "Flows" });
    expect(await flows.innerText()).toContain("1 of 2 without an objective");
  });

  test("say on what a budget was spent, over time, by episode and by deploy", async () => {
    const { page } = await open(scenario("busy"), "#/objectives");
    await page.getByText("Where it went").first().click();
    const ways = page.getByRole("region", { name: "Where it went" });
    await ways.getByRole("img", { name: "now 31.0 %" }).waitFor();
    const text = await ways.innerText();
    for (const part of [
      ...["goes on", "50.8 % of the budget", "told by page-fast, page-slow", "v42 was live"],
      ...["nobody told", "3 more took less", "before 0.3×, after 210×", "before any that is known"],
    ])
      expect(text).toContain(part);
    expect(await ways.getByRole("link", { name: "v42" }).getAttribute("href")).toContain(
      "ci.example",
    );
    expect(await accessibilityProblems(page)).toEqual([]);
    await page.setViewportSize({ width: 360, height: 740 });
    await page.waitForTimeout(300);
    await expect.poll(() => overflow(page)).toBe(0);
  });
});

describe("every page", () => {
  const places = (world: ReturnType<typeof scenario>) => [
    "#/alerts",
    `#/alerts/${fingerprintOf(world, "CheckoutErrors")}`,
    `#/alerts/${fingerprintOf(world, "DiskFillsUp")}`,
    "#/incidents",
    "#/incidents/INC-12",
    "#/incidents/INC-11",
    "#/objectives",
    "#/oncall",
    "#/inbox/4",
    "#/silences",
    "#/targets",
  ];

  test.each(["light", "dark"] as const)("can be used by everybody (%s)", async (colorScheme) => {
    const world = scenario("busy");
    const { page, server } = await open(world, "", { colorScheme });
    for (const place of places(world)) {
      await goTo(page, `${server.url}${place}`);
      await expect.poll(() => accessibilityProblems(page), { message: place }).toEqual([]);
    }
    await page.getByRole("link", { name: "Alerts" }).first().click();
    await page.getByRole("link", { name: "CheckoutErrors" }).click();
    await page.getByRole("button", { name: "Silence…" }).click();
    await page.getByRole("dialog").waitFor();
    await page.waitForTimeout(400);
    await expect.poll(() => accessibilityProblems(page), { message: "dialog" }).toEqual([]);
  });

  test("fits a phone", async () => {
    const world = scenario("busy");
    const { page, server } = await open(world, "", { viewport: { width: 360, height: 740 } });
    for (const place of places(world)) {
      await goTo(page, `${server.url}${place}`);
      expect(await overflow(page), place).toBe(0);
    }
  });

  test("follows the system's colours until somebody chooses", async () => {
    const { page } = await open(scenario("calm"), "", { colorScheme: "dark" });
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    expect(await ground()).toBe("rgb(17, 18, 20)");
    await page.getByRole("button", { name: /Colours: follows the system/ }).click();
    await expect.poll(ground).toBe("rgb(250, 250, 250)");
    await page.reload();
    await expect.poll(ground).toBe("rgb(250, 250, 250)");
  });

  test("works behind a prefix", async () => {
    const world = scenario("busy");
    const { page } = await open(world, "#/inbox", { prefix: "/tools/firebell/" });
    await page.getByText("first notification of this group").waitFor();
  });

  test("loads nothing from elsewhere", async () => {
    const { page, server } = await open(scenario("busy"));
    const foreign: string[] = [];
    page.on("request", (request) => {
      if (!request.url().startsWith(server.url) && !request.url().startsWith("data:"))
        foreign.push(request.url());
    });
    await page.reload();
    await page.getByRole("link", { name: "CheckoutErrors" }).click();
    await page.locator("canvas").waitFor();
    expect(foreign).toEqual([]);
  });
});
