// The built page in a browser, before a fake Firebell: what every test of the page starts with.
import { join } from "node:path";

import axeCore from "axe-core";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect } from "vitest";

import { type World } from "../fake/scenarios.ts";
import { serve } from "../fake/server.ts";
import { launch } from "../scripts/chromium.mjs";

export const DIST = join(import.meta.dirname, "../dist");

const WIDE = { width: 1280, height: 800 };

let browser: Browser;
/** What the browser complained about since the last look. */
const complaints: string[] = [];
const closers: (() => Promise<void>)[] = [];

/** To be called once at the top of a file of tests. */
export function useBrowser(): void {
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser.close());
  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
    expect(takeComplaints()).toEqual([]);
  });
}

/** Opens the page at `place`, such as `#/inbox`. */
export async function open(
  world: World,
  place = "",
  options: BrowserContextOptions & { prefix?: string } = {},
): Promise<{ page: Page; server: Awaited<ReturnType<typeof serve>> }> {
  const server = await serve(world, DIST, options.prefix);
  closers.push(server.stop);
  const page = await openAt(`${server.url}${place}`, options);
  return { page, server };
}

/** Opens the page of any Firebell. */
export async function openAt(url: string, options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext({ viewport: WIDE, ...options });
  closers.unshift(() => context.close());
  const page = await context.newPage();
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    // The browser itself reports failed requests here; the page's own words for them are tested.
    const isRequest = message.text().startsWith("Failed to load resource");
    if (message.type() === "error" && !isRequest) complaints.push(message.text());
  });
  await page.goto(url);
  await page.getByRole("heading", { level: 1 }).waitFor();
  return page;
}

/** Loads the page anew at a place; what another place showed is gone, however slow the machine. */
export async function goTo(page: Page, url: string): Promise<void> {
  await page.goto("about:blank");
  await page.goto(url);
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.waitForTimeout(300);
}

/** For tests that break things on purpose: what the browser complained about so far, forgotten. */
export function takeComplaints(): string[] {
  return complaints.splice(0);
}

/** What axe finds wrong for those who use a keyboard, a screen reader, or see little contrast. */
export async function accessibilityProblems(page: Page): Promise<string[]> {
  await page.evaluate(axeCore.source);
  return page.evaluate(async () => {
    const { axe } = window as unknown as { axe: typeof axeCore };
    const { violations } = await axe.run(document, { resultTypes: ["violations"] });
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
  });
}

/** How many pixels the page is wider than its window: a phone's user would have to push it about. */
export function overflow(page: Page): Promise<number> {
  return page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
}
