// Before the page's tests: builds the page if what is built is older than what it is built from.
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

import { build } from "vite";

import { DIST } from "./page.ts";

export default async function buildIfStale(): Promise<void> {
  const built = join(DIST, "index.html");
  const sources = ["src", "index.html", "package-lock.json", "vite.config.ts"];
  if (existsSync(built) && statSync(built).mtimeMs > Math.max(...sources.map(newest))) return;
  await build({ logLevel: "warn" });
}

/** When anything at or under a path changed last, in milliseconds. */
function newest(path: string): number {
  const stats = statSync(path);
  if (!stats.isDirectory()) return stats.mtimeMs;
  return Math.max(stats.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))));
}
