// The icon of the tab: a bell in the colour of the worst state, hollow when nothing is known.
import { useEffect } from "react";

import type { Status } from "../api/types.ts";

const BELL =
  "M16 3a2 2 0 0 0-2 2v.6C10 6.5 7.5 9.6 7.5 14v6L5 23.5V25h22v-1.5L24.5 20v-6c0-4.4-2.5-7.5-6.5-8.4V5a2 2 0 0 0-2-2zM13 27a3 3 0 0 0 6 0z";

/** A tab knows no scheme, so these are readable on light and on dark. */
const COLOURS = { firing: "#e5443a", pending: "#cf8a12", calm: "#7c7f8a" };

export function faviconFor(status: Status | undefined, isBlind: boolean): string {
  const { alertsFiring = 0, alertsPending = 0 } = status?.counts ?? {};
  const state = alertsFiring > 0 ? "firing" : alertsPending > 0 ? "pending" : "calm";
  const paint = isBlind
    ? `fill="none" stroke="${COLOURS.calm}" stroke-width="2.5"`
    : `fill="${COLOURS[state]}"`;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><path d="${BELL}" ${paint}/></svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}

export function useFavicon(status: Status | undefined, isBlind: boolean): void {
  const href = faviconFor(status, isBlind);
  useEffect(() => {
    document.querySelector<HTMLLinkElement>('link[rel="icon"]')?.setAttribute("href", href);
  }, [href]);
}
