// A few things that hold for any Firebell that runs: fresh, idle, or in the middle of the demo.
import { expect, test } from "vitest";

import type { Status } from "../../src/api/types.ts";
import { openAt, overflow, useBrowser } from "../page.ts";

useBrowser();

const url = (process.env.FIREBELL_URL ?? "").replace(/\/*$/, "/");

async function get<T>(path: string): Promise<T> {
  const response = await fetch(`${url}${path}`);
  expect(response.status, path).toBe(200);
  return (await response.json()) as T;
}

test("the API gives what its document promises", async () => {
  const status = await get<Status>("api/firebell/v1/status");
  expect(status.ready).toBe(true);
  expect(Object.values(status.counts).every((n) => Number.isFinite(n) && n >= 0)).toBe(true);
  const { alerts } = await get<{ alerts: unknown[] }>("api/firebell/v1/alerts");
  const { entries } = await get<{ entries: unknown[] }>("api/firebell/v1/inbox");
  expect([Array.isArray(alerts), Array.isArray(entries)]).toEqual([true, true]);
});

test("the page is live and shows alerts, quiet, or what to do next", async () => {
  const page = await openAt(url);
  await page.getByText("Live", { exact: true }).waitFor();
  await page
    .getByText("Nothing fires")
    .or(page.getByText("It has nothing to watch yet"))
    .or(page.locator("section h2"))
    .first()
    .waitFor();
  await page.getByText(/^Firebell \d+\.\d+\.\d+/).waitFor();
});

test("every page comes without an error and fits a phone", async () => {
  const page = await openAt(url, { viewport: { width: 360, height: 740 } });
  for (const name of ["Traces", "Logs", "Inbox", "Silences", "Targets", "Alerts"]) {
    await page.getByRole("navigation").getByRole("link", { name }).click();
    await page.getByRole("heading", { level: 1, name }).waitFor();
    await page.waitForTimeout(500);
    expect(await page.getByText(/Could not (load|refresh)/).count(), name).toBe(0);
    expect(await overflow(page), name).toBe(0);
  }
});

test("an alert that is listed can be opened", async () => {
  const page = await openAt(url);
  const { alerts } = await get<{
    alerts: { fingerprint: string; labels: { alertname?: string } }[];
  }>("api/firebell/v1/alerts");
  const [first] = alerts;
  if (first === undefined) return;
  await page.goto(`${url}#/alerts/${first.fingerprint}`);
  await page.getByRole("heading", { level: 1, name: first.labels.alertname ?? "Alert" }).waitFor();
});
