// Where in the page we are. It stands behind `#`, so any server under any prefix can serve the page.
import { useSyncExternalStore } from "react";

export const PAGES = [
  "alerts",
  "incidents",
  "objectives",
  "oncall",
  "review",
  "traces",
  "logs",
  "inbox",
  "silences",
  "targets",
] as const;
export type Page = (typeof PAGES)[number];

export interface Route {
  page: Page;
  /** One thing of that page: an alert's fingerprint, an inbox entry's id. */
  id: string | null;
  params: URLSearchParams;
}

/** Reads `#/inbox/12?q=x`. What it does not know leads to the alerts. */
export function parseRoute(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#?\/?/, "").split("?", 2);
  const [page, id] = path.split("/");
  const known = PAGES.find((each) => each === page);
  return {
    page: known ?? "alerts",
    id: known && id ? decode(id) : null,
    params: new URLSearchParams(query),
  };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The link to a place in the page. */
export function hrefTo(page: Page, id?: string | null, params?: Record<string, string>): string {
  const query = new URLSearchParams(Object.entries(params ?? {}).filter(([, value]) => value));
  const tail = query.size > 0 ? `?${query}` : "";
  return `#/${page}${id ? `/${encodeURIComponent(id)}` : ""}${tail}`;
}

let hash = "";
let route = parseRoute("");

function current(): Route {
  if (window.location.hash !== hash) {
    hash = window.location.hash;
    route = parseRoute(hash);
  }
  return route;
}

const listeners = new Set<() => void>();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  window.addEventListener("hashchange", listener);
  return () => {
    listeners.delete(listener);
    window.removeEventListener("hashchange", listener);
  };
}

export function useRoute(): Route {
  return useSyncExternalStore(subscribe, current);
}

/** Changes the place without a new step in the history: for filters, which change with each key. */
export function replaceRoute(href: string): void {
  window.history.replaceState(null, "", href);
  for (const listener of listeners) listener();
}
