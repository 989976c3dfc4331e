// Starts the system's Chromium for tests and screenshots; nothing is downloaded.
import { chromium } from "playwright-core";
import { execFileSync } from "node:child_process";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];

/** The browser of $CHROMIUM, by default `chromium` on the PATH. */
export function launch() {
  const name = process.env.CHROMIUM ?? "chromium";
  return chromium.launch({ executablePath: find(name), headless: true, args: FLAGS });
}

/** @param {string} name */
function find(name) {
  try {
    return execFileSync("sh", ["-c", 'command -v "$1"', "sh", name], { encoding: "utf8" }).trim();
  } catch {
    throw new Error(`no browser \`${name}\` found: install Debian's chromium, or set CHROMIUM`);
  }
}
