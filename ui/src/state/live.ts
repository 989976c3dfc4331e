// Whether the page hears of changes at once, and since when it does not.
import type { QueryClient } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";

import { Changes } from "../api/changes.ts";
import { openEvents } from "../api/events.ts";

export interface Live {
  /** `paused`: the tab is hidden, and its connection was given back. */
  state: "connecting" | "live" | "lost" | "paused";
  /** When it became so, in milliseconds. */
  since: number;
}

/**
 * A browser opens few connections to one server (six with HTTP/1.1). Tabs that nobody looks at give
 * theirs back after this long, else the seventh tab would stay blank.
 */
const HIDDEN_MAX_MS = 30_000;

let live: Live = { state: "connecting", since: Date.now() };
const listeners = new Set<() => void>();

function become(state: Live["state"]): void {
  if (live.state === state) return;
  live = { state, since: Date.now() };
  for (const listener of listeners) listener();
}

export function useLive(): Live {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => live,
  );
}

/** Keeps the page up to date for as long as it is open. */
export function startLive(client: QueryClient): void {
  const changes = new Changes(client);
  const open = (): (() => void) =>
    openEvents({
      onOpen: () => {
        // What happened while nobody listened is unknown; at the start it is being fetched anyway.
        if (live.state !== "connecting") changes.addAll();
        become("live");
      },
      onLost: () => become("lost"),
      onChanged: (what) => changes.add(what),
    });
  let close: (() => void) | null = open();
  let timer: ReturnType<typeof setTimeout> | undefined;
  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (document.visibilityState === "visible") {
      close ??= open();
      return;
    }
    timer = setTimeout(() => {
      close?.();
      close = null;
      become("paused");
    }, HIDDEN_MAX_MS);
  });
}
