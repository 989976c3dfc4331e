// What to fetch again when the server says that something changed.
import type { QueryClient } from "@tanstack/react-query";

import type { Changed } from "./types.ts";

type What = Changed["what"][number];

/** What an event names → the queries it touches. What mutes and what is drawn comes with alerts. */
const TOUCHES: Record<What, string[]> = {
  alerts: ["alerts", "heartbeats", "incidents", "silences", "range"],
  inbox: ["inbox"],
  status: ["status", "targets"],
};

const ALL_CHANGED = Object.keys(TOUCHES) as What[];

/** Fetches again what an event names, and resolves when it is there. */
export async function refetchChanged(client: QueryClient, what: What[]): Promise<void> {
  // A newer server may name things that this page does not know.
  const keys = new Set(what.flatMap((name) => (TOUCHES[name] as string[] | undefined) ?? []));
  await Promise.all([...keys].map((key) => client.invalidateQueries({ queryKey: [key] })));
}

/** Fetches after changes, one round at a time: a storm of events costs no more than steady fetching. */
export class Changes {
  private waiting = new Set<What>();
  private isBusy = false;

  constructor(private readonly client: QueryClient) {}

  addAll(): void {
    this.add(ALL_CHANGED);
  }

  add(what: What[]): void {
    for (const name of what) this.waiting.add(name);
    if (!this.isBusy) void this.drain();
  }

  private async drain(): Promise<void> {
    this.isBusy = true;
    while (this.waiting.size > 0) {
      const what = [...this.waiting];
      this.waiting.clear();
      await refetchChanged(this.client, what);
    }
    this.isBusy = false;
  }
}
