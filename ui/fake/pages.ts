// A page for tests and for looking at the interface.
import type { Page, PageAnswered } from "../src/api/types.ts";

const START = Date.parse("2026-01-07T12:00:00Z");
const AT = new Date(START).toISOString();

/** Ana was told of it, Ben is next. */
export function page(more: Partial<Page> = {}): Page {
  return {
    id: "INC-12",
    title: "Checkout fails",
    severity: "sev1",
    service: "checkout",
    budgetLeft: null,
    openedAt: AT,
    isOpen: true,
    state: "awaiting_acknowledgement",
    policy: "payments",
    run: 1,
    round: 1,
    step: 1,
    acknowledged: null,
    snoozedUntil: null,
    next: { at: new Date(START + 15 * 60_000).toISOString(), what: "tell", who: ["ben"] },
    messages: [
      { person: "ana", by: "ntfy", at: AT, state: "delivered" },
      { person: "ana", by: "phone", at: new Date(START + 120_000).toISOString(), state: "planned" },
    ],
    asked: [],
    answered: [],
    ...more,
  };
}

/** Does what somebody answers. */
export function answerPage(page: Page, act: string | undefined, body: string): PageAnswered {
  const { by } = JSON.parse(body) as { by: string };
  page.next = null;
  if (act === "acknowledge") {
    page.state = "acknowledged";
    page.acknowledged = { by, at: AT, remindAt: null, endsAt: null };
  } else if (act === "snooze") {
    page.state = "snoozed";
    page.next = { at: AT, what: "anew", who: [] };
  }
  return { outcome: "done", page };
}
