// The postmortem of an incident of the fake Firebell: a part is written, the rest is not yet.
import type { Postmortem } from "../src/api/types.ts";

const written = new Map<string, Postmortem>();

export function postmortem(id: string): Postmortem {
  const known = written.get(id) ?? fresh(id);
  written.set(id, known);
  return known;
}

export function draft(id: string, body: string): Postmortem {
  const { by } = JSON.parse(body) as { by: string };
  const known = postmortem(id);
  known.drafted = { by, at: "2026-01-07T12:30:00Z" };
  return known;
}

interface Written {
  do: string;
  by: string;
  part?: string;
  text?: string;
  owner?: string;
  due?: string;
  follow_up?: number;
  proof?: string;
}

/** Writes a part, a follow-up or what proves one; other acts are none of its. */
export function write(id: string, { do: act, by, text = "", ...wish }: Written): void {
  const known = postmortem(id);
  for (const part of known.parts) {
    if (act === "part" && part.part === wish.part) part.text = text;
  }
  if (act === "follow_up") {
    const { owner = "", due = "" } = wish;
    known.followUps.push({ n: known.followUps.length + 1, text, owner, due, proof: null });
  }
  for (const followUp of known.followUps) {
    if (act === "proven" && followUp.n === wish.follow_up) {
      followUp.proof = { text: wish.proof ?? "", by, at: "2026-01-08T12:00:00Z" };
    }
  }
}

function fresh(id: string): Postmortem {
  const part = (part: Postmortem["parts"][number]["part"], title: string, text: string | null) => ({
    part,
    title,
    prompt: `What is to be said of it: ${title.toLowerCase()}.`,
    text,
    hints: [],
  });
  const cause = part("cause", "Cause", "Human error of ben.");
  const hint = { line: 1, column: 1, words: "Human error", why: "what made it possible?" };
  return {
    version: 1,
    incident: id,
    title: "Checkout fails",
    drafted: null,
    moments: [
      { name: "first bad sample", at: "2026-01-07T11:55:00Z", afterSeconds: null },
      { name: "first alert", at: "2026-01-07T12:00:00Z", afterSeconds: 300 },
      { name: "mitigated", at: null, afterSeconds: null },
    ],
    parts: [
      part("summary", "Summary", null),
      { ...cause, hints: [hint] },
      part("gaps", "Gaps in monitoring", null),
    ],
    followUps: [],
    graphs: [],
    markdown: "# Postmortem of INC-12\n",
  };
}
