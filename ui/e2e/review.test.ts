import { describe, expect, test } from "vitest";

import { scenario } from "../fake/scenarios.ts";
import { accessibilityProblems, open, overflow, useBrowser } from "./page.ts";

useBrowser();

describe("the review", () => {
  test("says what to delete, and who was woken", async () => {
    const { page } = await open(scenario("busy"), "#/review?month=2026-11");
    const cpu = page.getByRole("row", { name: /CartCpuHigh/ });
    await cpu.waitFor();
    const words = await cpu.innerText();
    expect(words).toContain("delete it");
    expect(words).toContain("red 10 %");
    const ana = await page.getByRole("row", { name: /^ana/ }).innerText();
    expect(ana).toContain("red 21");
    expect(ana).toContain("840 min");
    const runbook = page.getByRole("region", { name: "Runbooks that failed: table" });
    expect(await runbook.getByRole("link").getAttribute("href")).toContain("/checkout");
    const missed = await page.getByRole("row", { name: /^INC-4/ }).innerText();
    expect(missed).toContain("no alert");
    const orders = await page.getByRole("row", { name: /^orders a day/ }).innerText();
    expect(orders).toContain("1,205");
    const markdown = page.getByRole("link", { name: "The review as Markdown" });
    expect(await markdown.getAttribute("href")).toBe("api/firebell/v1/review?month=2026-11");
  });

  test("is of the month that is chosen", async () => {
    const { page } = await open(scenario("busy"), "#/review?month=2026-11");
    await page.getByLabel("Month").fill("2025-03");
    await page.getByText("Nothing fired in 2025-03").waitFor();
    expect(page.url()).toContain("#/review?month=2025-03");
  });

  test("takes decisions, each with who", async () => {
    const { page } = await open(scenario("busy"), "#/review?month=2026-10");
    const button = page.getByRole("button", { name: "Note it" });
    await page.getByLabel("About").fill("CartCpuHigh");
    await page.getByLabel("Decision", { exact: true }).fill("delete it");
    await page.getByLabel("Your name").fill("");
    expect(await button.isDisabled()).toBe(true);
    await page.getByLabel("Your name").fill("ada");
    await button.click();
    await page.getByRole("listitem").filter({ hasText: "CartCpuHigh: delete it ada" }).waitFor();
  });

  test("is for everybody, and fits a phone", async () => {
    const { page } = await open(scenario("busy"), "#/review?month=2026-11");
    await page.getByRole("row", { name: /CartCpuHigh/ }).waitFor();
    expect(await accessibilityProblems(page)).toEqual([]);
    await page.setViewportSize({ width: 360, height: 740 });
    await page.waitForTimeout(300);
    await expect.poll(() => overflow(page)).toBe(0);
  });
});
