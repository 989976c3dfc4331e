import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";

import { scenario } from "../fake/scenarios.ts";
import { accessibilityProblems, open, overflow, useBrowser } from "./page.ts";

useBrowser();

/** A pixel. */
const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/** Pastes a picture into the note, or drops it there, as a browser does of a screenshot. */
async function give(page: Page, how: "paste" | "drop", name: string, type: string): Promise<void> {
  const note = page.getByLabel("Note", { exact: true });
  await note.evaluate(
    async (field, [how, name, type]) => {
      const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 480 });
      const drawing = canvas.getContext("2d");
      drawing?.fillText(name, 20, 20);
      const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve));
      const data = new DataTransfer();
      data.items.add(new File([blob ?? ""], name, { type }));
      const options = { bubbles: true, cancelable: true };
      if (how === "drop") {
        field.dispatchEvent(new DragEvent("dragover", { ...options, dataTransfer: data }));
        field.dispatchEvent(new DragEvent("drop", { ...options, dataTransfer: data }));
      } else {
        field.dispatchEvent(new ClipboardEvent("paste", { ...options, clipboardData: data }));
      }
    },
    [how, name, type] as const,
  );
}

describe("incidents", () => {
  test("are listed, what is open first, with who looks into it and what they were", async () => {
    const { page } = await open(scenario("busy"), "#/incidents");
    const rows = page.getByRole("list", { name: "Incidents" }).getByRole("listitem");
    await rows.first().waitFor();
    const texts = await rows.allInnerTexts();
    expect(texts.map((text) => /INC-\d+/.exec(text)?.[0])).toEqual(["INC-12", "INC-10", "INC-11"]);
    expect(texts[0]).toContain("ada looks into it");
    expect(texts[1]).toContain("the threshold is wrong (guessed)");
    await page.getByText("Open", { exact: true }).click();
    await expect.poll(() => rows.count()).toBe(1);
    expect(page.url()).toContain("status=open");
  });

  test("are opened by a form that wants a name", async () => {
    const { page } = await open(scenario("busy"), "#/incidents");
    await page.getByRole("button", { name: "Open one…" }).click();
    const form = page.getByRole("form", { name: "Open an incident" });
    await form.getByLabel("What is wrong").fill("nobody can pay");
    const button = form.getByRole("button", { name: "Open incident" });
    expect(await button.isDisabled()).toBe(true);
    await form.getByLabel("Your name").fill("ada");
    expect(await accessibilityProblems(page)).toEqual([]);
    await button.click();
    await page.getByRole("heading", { level: 1, name: "nobody can pay" }).waitFor();
  });

  test("take notes and moves, each with who did it", async () => {
    const world = scenario("busy");
    const { page } = await open(world, "#/incidents/INC-12");
    await page.getByRole("heading", { level: 1, name: "Checkout fails" }).waitFor();
    expect(await page.getByRole("button", { name: "Mitigated" }).isDisabled()).toBe(true);
    await page.getByLabel("Your name").fill("ben");
    await page.getByLabel("Note", { exact: true }).fill("rolled back");
    await page.keyboard.press("Enter");
    await page.getByText("noted: rolled back").waitFor();
    await expect.poll(() => page.getByLabel("Note", { exact: true }).inputValue()).toBe("");
    await page.getByRole("button", { name: "Mitigated" }).click();
    await expect.poll(() => world.incidents[0]?.state).toBe("mitigated");
    expect(world.incidents[0]?.timeline.slice(-2).map(({ by }) => by)).toEqual(["ben", "ben"]);
  });

  test.each([
    ["wide and light", { viewport: { width: 1280, height: 800 }, colorScheme: "light" as const }],
    ["narrow and dark", { viewport: { width: 360, height: 740 }, colorScheme: "dark" as const }],
  ])("take pictures that are pasted, dropped and chosen: %s", async (_, options) => {
    const world = scenario("busy");
    const { page } = await open(world, "#/incidents/INC-12", options);
    const note = page.getByLabel("Note", { exact: true });
    await note.waitFor();
    await page.getByLabel("Your name").fill("ben");
    await give(page, "drop", "graph.png", "image/png");
    await give(page, "paste", "shot.png", "image/png");
    const chosen = page.getByRole("list", { name: "Pictures: Note" }).getByRole("img");
    await chosen.nth(1).waitFor();
    // What cannot be sent is said, and what can stays.
    await give(page, "drop", "drawing.svg", "image/svg+xml");
    await page.getByRole("alert").getByText("drawing.svg is no PNG").waitFor();
    const second = await chosen.nth(1).elementHandle();
    await page.getByRole("button", { name: "Leave out graph.png" }).click();
    // It moved up, and was not drawn anew.
    expect(await second.evaluate((it) => it.isConnected)).toBe(true);
    const chooser = page.waitForEvent("filechooser");
    await page.getByRole("button", { name: "Picture: Note" }).click();
    const buffer = Buffer.from(PNG, "base64");
    await (await chooser).setFiles({ name: "chosen.png", mimeType: "image/png", buffer });
    await page.getByRole("img", { name: "chosen.png" }).waitFor();
    expect(await accessibilityProblems(page)).toEqual([]);
    expect(await overflow(page)).toBe(0);
    await note.fill("latency doubled");
    await page.getByRole("button", { name: "Note: Note" }).click();

    const timeline = page.getByRole("region", { name: /^Timeline/ });
    await timeline.getByText("showed a picture: latency doubled (2 of 2)").waitFor();
    await expect.poll(() => page.getByRole("list", { name: "Pictures: Note" }).count()).toBe(0);
    await expect.poll(() => note.inputValue()).toBe("");
    const shown = timeline.getByRole("img", { name: "latency doubled (1 of 2)" });
    await shown.scrollIntoViewIfNeeded();
    const drawn = () => shown.evaluate((it) => (it as HTMLImageElement).naturalWidth);
    await expect.poll(drawn).toBe(640);
    expect(await accessibilityProblems(page)).toEqual([]);
    expect(await overflow(page)).toBe(0);
    const whole = page.waitForEvent("popup");
    await shown.click();
    expect((await whole).url()).toMatch(/INC-12\/pictures\/[0-9a-f]{64}$/);
  });

  test("take a picture back once somebody insists", async () => {
    const { page } = await open(scenario("busy"), "#/incidents/INC-12");
    await page.getByLabel("Your name").fill("ben");
    await give(page, "paste", "shot.png", "image/png");
    await page.getByLabel("Note", { exact: true }).fill("a password");
    await page.getByRole("button", { name: "Note: Note" }).click();
    const timeline = page.getByRole("region", { name: /^Timeline/ });
    const shown = timeline.getByRole("img", { name: "a password" });
    await shown.waitFor();
    await timeline.getByRole("button", { name: "Take back: a password" }).click();
    await timeline.getByRole("button", { name: "Keep it" }).click();
    await timeline.getByRole("button", { name: "Take back: a password" }).click();
    expect(await accessibilityProblems(page)).toEqual([]);
    await timeline.getByRole("button", { name: "Remove the picture" }).click();
    await timeline.getByText("took a picture back").waitFor();
    await timeline.getByText("a picture, which was taken back: a password").waitFor();
    expect(await shown.count()).toBe(0);
  });

  test("say that a picture cannot be shown when its file is gone", async () => {
    const world = scenario("busy");
    const picture = {
      id: "00".repeat(32),
      type: "image/png" as const,
      bytes: 1,
      width: 4,
      height: 3,
      text: "",
    };
    const timeline = world.incidents[0]?.timeline ?? [];
    const [at, by] = [new Date().toISOString(), "ada"];
    timeline.push({ n: 4, at, by, kind: "picture", text: "showed a picture", url: null, picture });
    const { page } = await open(world, "#/incidents/INC-12");
    await page.getByText("The picture cannot be shown.").waitFor();
    // It may have been sent again, or the server was away.
    const body = Buffer.from(PNG, "base64");
    await page.route(/\/pictures\/0{64}$/, (route) => route.fulfill({ body }));
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByRole("img", { name: "Picture that ada showed" }).waitFor();
    expect(await page.getByText("The picture cannot be shown.").count()).toBe(0);
  });

  test("keep a picture whose sending failed, with the reason", async () => {
    const world = scenario("busy");
    world.failures.set("/api/firebell/v1/incidents/INC-12/pictures", {
      status: 409,
      body: JSON.stringify({ error: "INC-12 has 200 pictures" }),
    });
    const { page } = await open(world, "#/incidents/INC-12");
    await page.getByLabel("Your name").fill("ben");
    await give(page, "paste", "shot.png", "image/png");
    await page.getByRole("button", { name: "Note: Note" }).click();
    await page.getByRole("alert").getByText("INC-12 has 200 pictures").waitFor();
    await page.getByRole("img", { name: "shot.png" }).waitFor();
  });

  test("leave what is typed and pasted while pictures are on their way", async () => {
    const { page } = await open(scenario("busy"), "#/incidents/INC-12");
    let go = (): void => undefined;
    const held = new Promise<void>((resolve) => (go = resolve));
    await page.route(/INC-12\/pictures\?/, async (route) => {
      await held;
      await route.continue();
    });
    await page.getByLabel("Your name").fill("ben");
    const note = page.getByLabel("Note", { exact: true });
    await note.fill("latency doubled");
    await give(page, "paste", "shot.png", "image/png");
    await page.getByRole("button", { name: "Note: Note" }).click();
    await page.getByText("The picture is on its way.").waitFor();
    expect(await page.getByRole("button", { name: "Leave out shot.png" }).isDisabled()).toBe(true);
    await note.press("End");
    await note.pressSequentially(" rolled back");
    await give(page, "paste", "later.png", "image/png");
    expect(await page.getByRole("button", { name: "Leave out later.png" }).isEnabled()).toBe(true);
    go();
    const timeline = page.getByRole("region", { name: /^Timeline/ });
    await timeline.getByText("showed a picture: latency doubled").waitFor();
    await expect.poll(() => note.inputValue()).toBe("rolled back");
    const chosen = page.getByRole("list", { name: "Pictures: Note" }).getByRole("img");
    await expect.poll(() => chosen.count()).toBe(1);
    expect(await chosen.getAttribute("alt")).toBe("later.png");
  });

  test("show each of several pictures once, though some were refused at first", async () => {
    const { page } = await open(scenario("busy"), "#/incidents/INC-12");
    const said: (string | null)[] = [];
    await page.route(/INC-12\/pictures\?/, async (route) => {
      said.push(new URL(route.request().url()).searchParams.get("text"));
      if (said.length === 2) await route.fulfill({ status: 503, body: "the disk is full" });
      else await route.continue();
    });
    await page.getByLabel("Your name").fill("ben");
    await page.getByLabel("Note", { exact: true }).fill("latency");
    for (const name of ["a.png", "b.png", "c.png"]) await give(page, "paste", name, "image/png");
    const chosen = page.getByRole("list", { name: "Pictures: Note" }).getByRole("img");
    await expect.poll(() => chosen.count()).toBe(3);
    const button = page.getByRole("button", { name: "Note: Note" });
    await button.click();
    await page.getByRole("alert").getByText("the disk is full").waitFor();
    const names = () => chosen.evaluateAll((all) => all.map((it) => it.getAttribute("alt")));
    expect(await names()).toEqual(["b.png", "c.png"]);
    await button.click();
    await expect.poll(() => chosen.count()).toBe(0);
    expect(said).toEqual([1, 2, 2, 3].map((n) => `latency (${n} of 3)`));
    const timeline = page.getByRole("region", { name: /^Timeline/ });
    await expect.poll(() => timeline.getByText(/showed a picture/).count()).toBe(3);
  });

  test("are stated: what users notice, what is hit, how data is, who does what", async () => {
    const world = scenario("busy");
    const { page } = await open(world, "#/incidents/INC-12");
    const impact = page.getByRole("form", { name: "What users notice" });
    await impact.waitFor();
    expect(await impact.getByRole("button").isDisabled()).toBe(true);
    await page.getByLabel("Your name").fill("ben");
    // It begins with what was said last.
    const users = impact.getByLabel("How many users");
    expect(await users.inputValue()).toBe("300");
    await users.fill("a few");
    await impact.getByText("No number").waitFor();
    expect(await impact.getByRole("button").isDisabled()).toBe(true);
    await users.fill("1200");
    await impact.getByRole("button").click();
    await page.getByText("one order in five fails (1200 users)").waitFor();

    const hit = page.getByRole("form", { name: "What is hit" });
    await hit.getByRole("textbox").fill("checkout, mail,");
    await page.keyboard.press("Enter");
    await page.getByText("checkout, mail", { exact: true }).waitFor();
    await hit.getByRole("textbox").fill("");
    await expect.poll(() => hit.getByRole("button").isEnabled()).toBe(true);
    await page.keyboard.press("Enter");
    await expect.poll(() => world.incidents[0]?.components).toEqual([]);

    const data = page.getByRole("form", { name: "Data" });
    await data.getByRole("combobox").selectOption("At risk");
    await data.getByLabel("How that is known").fill("two orders differ");
    await data.getByRole("button").click();
    await page.getByText("At risk: two orders differ").waitFor();

    const role = page.getByRole("form", { name: "Role" });
    await role.getByRole("combobox").selectOption("Scribe");
    await role.getByLabel("Who has it").fill("cleo");
    await role.getByRole("button").click();
    const held = page.getByRole("list", { name: "Roles" });
    await held.getByText("Scribe cleo").waitFor();
    await held.getByRole("button", { name: "Take back: Commander" }).click();
    await expect.poll(() => held.getByRole("listitem").count()).toBe(1);
    expect(world.incidents[0]?.roles).toEqual([{ role: "scribe", person: "cleo" }]);
    expect(await accessibilityProblems(page)).toEqual([]);
  });

  test("take statements on a phone and in the dark, and no roles once they are closed", async () => {
    const { page } = await open(scenario("busy"), "#/incidents/INC-12", {
      viewport: { width: 360, height: 740 },
      colorScheme: "dark",
    });
    await page.getByLabel("Your name").fill("ben");
    await page.getByRole("form", { name: "Role" }).getByLabel("Who has it").fill("x".repeat(60));
    await page.getByRole("form", { name: "Role" }).getByRole("button").click();
    await page.getByRole("list", { name: "Roles" }).getByText("x".repeat(60)).waitFor();
    expect(await overflow(page)).toBe(0);
    expect(await accessibilityProblems(page)).toEqual([]);
    await page.goto(page.url().replace("INC-12", "INC-10"));
    await page.getByRole("heading", { level: 1, name: "Disk fills up" }).waitFor();
    await page.getByRole("form", { name: "Data" }).waitFor();
    expect(await page.getByRole("form", { name: "Role" }).count()).toBe(0);
  });

  test("have a postmortem, with parts, follow-ups and what proves them", async () => {
    const { page } = await open(scenario("busy"), "#/incidents/INC-12");
    await page.getByLabel("Your name").fill("ben");
    await page.getByRole("button", { name: "Show it" }).click();
    await page.getByText("“Human error”: what made it possible?").waitFor();
    expect(await accessibilityProblems(page)).toEqual([]);
    await page.getByRole("textbox", { name: "Summary" }).fill("Nobody could pay.");
    await page.getByRole("button", { name: "Save summary" }).click();
    const form = page.getByRole("form", { name: "A follow-up" });
    await form.getByLabel("Follow-up").fill("Migrations give up");
    await form.getByLabel("Owner").fill("ana");
    await form.getByLabel("Until").fill("2026-02-01");
    await form.getByRole("button").click();
    const followUps = page.getByRole("list", { name: "Follow-ups" });
    await followUps.getByText("Migrations give up").waitFor();
    await page.getByLabel("What proves follow-up 1").fill("the drill");
    await page.getByRole("button", { name: "Follow-up 1 is proven" }).click();
    await followUps.getByText("Proven by ben: the drill").waitFor();
    await page.getByRole("button", { name: "Freeze samples" }).click();
    await page.getByText("0 graphs, frozen by ben").waitFor();
    await page.setViewportSize({ width: 360, height: 740 });
    await page.waitForTimeout(300);
    await expect.poll(() => overflow(page)).toBe(0);
  });

  test("have runbooks in place, whose steps are ticked by whoever is named", async () => {
    const { page } = await open(scenario("busy"), "#/incidents/INC-12");
    const books = page.getByRole("region", { name: "Runbooks" });
    await books.getByText("0 of 3; next: What changed?").waitFor();
    expect(await books.getByLabel("Roll back").isDisabled()).toBe(true);
    await page.getByLabel("Your name").fill("ben");
    await books.getByLabel("What changed? git log").click();
    await books.getByText("1 of 3; next: Roll").waitFor();
    await books.getByText("done by ben").waitFor();
    expect(await accessibilityProblems(page)).toEqual([]);
  });

  test("say who was paged and who is next, and take answers", async () => {
    const world = scenario("busy");
    const { page } = await open(world, "#/incidents/INC-12");
    const paged = page.getByRole("region", { name: /^Paged/ });
    await paged.getByText("paged: ana, next: ben").waitFor();
    expect(await paged.getByRole("button", { name: "Acknowledge" }).isDisabled()).toBe(true);
    await page.getByLabel("Your name").fill("ben");
    await paged.getByRole("button", { name: "Snooze 1 hour" }).click();
    await paged.getByText("begins anew").waitFor();
    await paged.getByRole("button", { name: "Acknowledge" }).click();
    await paged.getByText("ben looks into it").waitFor();
    expect(await accessibilityProblems(page)).toEqual([]);
  });

  test("have tasks that whoever is named on the page has done, not who was here last", async () => {
    const world = scenario("busy");
    const { page } = await open(world, "#/incidents/INC-12");
    const name = page.getByLabel("Your name");
    await name.fill("ada");
    await page.getByLabel("Note", { exact: true }).fill("hm");
    await page.keyboard.press("Enter");
    await page.getByText("noted: hm").waitFor();
    const task = page.getByRole("checkbox", { name: "roll back v42" });
    await name.fill("");
    expect(await task.isDisabled()).toBe(true);
    await name.fill("ben");
    // What was done is told by the server: the box itself stays as it is until then.
    await task.click();
    await expect.poll(() => world.incidents[0]?.timeline.at(-1)?.text).toBe("did task_done");
    expect(world.incidents[0]?.timeline.at(-1)?.by).toBe("ben");
  });

  test("are closed by one tap on what they were", async () => {
    const world = scenario("busy");
    const { page } = await open(world, "#/incidents/INC-11", {
      viewport: { width: 360, height: 740 },
    });
    await page.getByText("Close it: what was it?").waitFor();
    await page.getByLabel("Your name").fill("cleo");
    await page.getByRole("button", { name: "Acted", exact: true }).click();
    await expect.poll(() => world.incidents[1]?.state).toBe("closed");
    await page.getByText("It was acted, says cleo.").waitFor();
    expect(await overflow(page)).toBe(0);
  });

  test("say why an act was refused", async () => {
    const world = scenario("busy");
    world.failures.set("/api/firebell/v1/incidents/INC-12/acts", {
      status: 409,
      body: JSON.stringify({ error: "INC-12 is mitigated, no longer triage: look again" }),
    });
    const { page } = await open(world, "#/incidents/INC-12");
    await page.getByLabel("Your name").fill("ada");
    await page.getByRole("button", { name: "Resolved" }).click();
    await page.getByRole("alert").getByText("look again").waitFor();
  });
});
