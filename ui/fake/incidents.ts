// Incidents of the fake Firebell, and what it makes of acts.
import { createHash } from "node:crypto";

import type { IncidentDetail, Runbook } from "../src/api/types.ts";

const MINUTE = 60_000;

function ago(ms: number): string {
  return new Date(Date.now() - ms).toISOString();
}

/** An incident in triage, but for what is given. */
export function incident(given: Partial<IncidentDetail>): IncidentDetail {
  return {
    id: "INC-1",
    title: "Checkout fails",
    severity: "sev2",
    state: "triage",
    isOpen: true,
    mergedInto: null,
    service: "checkout",
    openedAt: ago(12 * MINUTE),
    openedBy: null,
    movedAt: ago(12 * MINUTE),
    resolvedAt: null,
    aliveAt: ago(MINUTE),
    acknowledged: null,
    alertCount: 0,
    firingCount: 0,
    verdict: null,
    severityBy: null,
    follows: null,
    key: { service: "checkout" },
    isAttended: false,
    next: ["active", "mitigated", "resolved", "declined"],
    roles: [],
    tasks: [],
    impact: null,
    components: [],
    budget: null,
    data: null,
    alerts: [],
    leftOut: 0,
    timeline: [],
    timelineBefore: null,
    ...given,
  };
}

/** One that people work on, and two that are over. */
export function incidents(): IncidentDetail[] {
  return [
    worked(),
    incident({
      id: "INC-11",
      title: "Search is slow",
      severity: "sev3",
      state: "resolved",
      isOpen: false,
      openedBy: "cleo",
      openedAt: ago(300 * MINUTE),
      movedAt: ago(200 * MINUTE),
      resolvedAt: ago(200 * MINUTE),
      next: ["review", "closed", "active", "mitigated"],
    }),
    incident({
      id: "INC-10",
      title: "Disk fills up",
      severity: "sev4",
      state: "closed",
      isOpen: false,
      next: ["review", "active"],
      verdict: {
        verdict: "threshold",
        words: "the threshold is wrong",
        by: null,
        guessed: true,
        at: ago(100 * MINUTE),
      },
    }),
  ];
}

function worked(): IncidentDetail {
  const labels = { alertname: "CheckoutErrors", service: "checkout", severity: "page" };
  const text = 'CheckoutErrors{service="checkout", severity="page"}';
  const [by, picture] = [null, null];
  return incident({
    id: "INC-12",
    acknowledged: { by: "ada", at: ago(9 * MINUTE) },
    alertCount: 1,
    firingCount: 1,
    roles: [{ role: "commander", person: "ada" }],
    tasks: [
      { n: 1, text: "roll back v42", owner: "ben", done: null },
      { n: 2, text: "tell support", owner: null, done: { by: "ada", at: ago(3 * MINUTE) } },
    ],
    impact: { text: "one order in five fails", users: 300 },
    components: ["checkout", "cart"],
    budget: { objective: "shop/checkout", left: 0.083 },
    alerts: [
      {
        fingerprint: "1f3700000000a001",
        text,
        labels,
        joinedAt: ago(12 * MINUTE),
        endedAt: null,
      },
    ],
    timeline: [
      { n: 0, at: ago(12 * MINUTE), by, kind: "opened", text: "opened it", url: null, picture },
      {
        n: 1,
        at: ago(12 * MINUTE),
        by,
        kind: "joined",
        text: `joined ${text}`,
        url: null,
        picture,
      },
      {
        n: 2,
        at: ago(9 * MINUTE),
        by: "ada",
        kind: "acknowledged",
        text: "acknowledged it",
        url: null,
        picture,
      },
      {
        n: 3,
        at: ago(4 * MINUTE),
        by: "ben",
        kind: "linked",
        text: "linked graph: https://graphs.example.org/checkout",
        url: "https://graphs.example.org/checkout",
        picture,
      },
    ],
  });
}

/** By the steps that were ticked, of each incident. */
const ticked = new Map<string, Map<number, string>>();

/** One runbook, of those alerts that have one. */
export function runbooks({ id, alerts }: IncidentDetail): Runbook[] {
  const texts = ["What changed? `git log`", "Roll **back**", "After 30 minutes: the managers"];
  const done = ticked.get(id) ?? new Map<number, string>();
  const steps = texts.map((text, idx) => {
    const by = done.get(idx + 1);
    return { n: idx + 1, text, done: by === undefined ? null : { by, at: ago(0) } };
  });
  const items = steps.map((step) => `- [${step.done === null ? " " : "x"}] ${step.text}`);
  const text = `# Checkout\n\nSee https://graphs.example.org/checkout\n\n${items.join("\n")}\n`;
  return alerts.length === 0 ? [] : [{ name: "checkout", text, steps }];
}

interface Wish {
  do: string;
  by: string;
  text?: string;
  to?: IncidentDetail["state"];
  verdict?: "acted";
  step?: number;
  users?: number | null;
  names?: string[];
  state?: NonNullable<IncidentDetail["data"]>["state"];
  role?: IncidentDetail["roles"][number]["role"];
  person?: string | null;
}

/** Does roughly what the server does: notes it, and moves. */
export function act(incident: IncidentDetail, wish: Wish): unknown {
  const text = wish.do === "note" ? `noted: ${wish.text ?? ""}` : `did ${wish.do}`;
  const n = incident.timeline.length;
  const [url, picture] = [null, null];
  incident.timeline.push({ n, at: ago(0), by: wish.by, kind: wish.do, text, url, picture });
  if (wish.step !== undefined) {
    const done = ticked.get(incident.id) ?? new Map<number, string>();
    ticked.set(incident.id, done.set(wish.step, wish.by));
  }
  state(incident, wish);
  if (wish.do === "ack") incident.acknowledged = { by: wish.by, at: ago(0) };
  if (wish.do === "state" && wish.to !== undefined) {
    incident.state = wish.to;
    incident.isOpen = ["triage", "active", "mitigated"].includes(wish.to);
    incident.next = wish.to === "closed" ? ["review", "active"] : ["review", "closed", "active"];
  }
  if (wish.verdict !== undefined) {
    const { verdict, by } = wish;
    incident.verdict = { verdict, words: verdict, by, guessed: false, at: ago(0) };
  }
  return { outcome: "changed", incident };
}

/** The pictures that were sent, by incident and id. */
const pictures = new Map<string, { type: string; bytes: Buffer }>();

/** Takes a picture into the timeline, as large as its bytes say. */
export function showPicture(
  incident: IncidentDetail,
  said: URLSearchParams,
  bytes: Buffer,
): unknown {
  const [by, shows] = [said.get("by"), said.get("text") ?? ""];
  const id = createHash("sha256").update(bytes).digest("hex");
  const type = "image/png";
  pictures.set(`${incident.id}/${id}`, { type, bytes });
  const picture = {
    id,
    type,
    bytes: bytes.length,
    width: bytes.readUInt32BE(16),
    height: bytes.readUInt32BE(20),
    text: shows,
  } as const;
  const text = `showed a picture${shows === "" ? "" : `: ${shows}`}`;
  const n = incident.timeline.length;
  incident.timeline.push({ n, at: ago(0), by, kind: "picture", text, url: null, picture });
  return { outcome: "changed", incident };
}

/** Takes the picture of a path back. */
export function takeBack(incident: IncidentDetail, path: string, by: string | null): unknown {
  const id = path.split("/").pop() ?? "";
  pictures.delete(`${incident.id}/${id}`);
  for (const entry of incident.timeline) {
    if (entry.picture?.id !== id) continue;
    entry.text = entry.text.replace("a picture", "a picture, which was taken back");
    entry.picture = null;
  }
  const n = incident.timeline.length;
  const text = "took a picture back";
  const [url, picture] = [null, null];
  incident.timeline.push({ n, at: ago(0), by, kind: "took_back", text, url, picture });
  return { outcome: "changed", incident };
}

/** The bytes of a picture, by the path that the page asks for. */
export function pictureAt(path: string): { type: string; bytes: Buffer } | undefined {
  const [incident, , id] = path.split("/").slice(-3);
  return pictures.get(`${incident ?? ""}/${id ?? ""}`);
}

/** What is stated takes the place of what was. */
function state(incident: IncidentDetail, wish: Wish): void {
  const { text = "", users = null, names = [], role, person = null } = wish;
  if (wish.do === "impact") incident.impact = { text, users };
  if (wish.do === "components") incident.components = names;
  if (wish.do === "data") incident.data = { state: wish.state ?? "unknown", text };
  if (wish.do === "role" && role !== undefined) {
    const others = incident.roles.filter((held) => held.role !== role);
    incident.roles = person === null ? others : [...others, { role, person }];
  }
}
