// npm run screenshot -- URL OUT.png [--narrow] [--dark] [--whole]
// A picture of the page at URL (`#/inbox` and the like lead to other pages): 1280 pixels wide, or a
// phone's 390 with --narrow; --whole takes in what has to be scrolled to.
import { parseArgs } from "node:util";

import { launch } from "./chromium.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    narrow: { type: "boolean" },
    dark: { type: "boolean" },
    whole: { type: "boolean" },
  },
});
const [url, out] = positionals;
if (url === undefined || out === undefined) {
  console.error("usage: npm run screenshot -- URL OUT.png [--narrow] [--dark] [--whole]");
  process.exit(2);
}

const browser = await launch();
try {
  const page = await browser.newPage({
    viewport: values.narrow ? { width: 390, height: 844 } : { width: 1280, height: 800 },
    deviceScaleFactor: 2,
    colorScheme: values.dark ? "dark" : "light",
  });
  await page.goto(url);
  await page.getByRole("heading", { level: 1 }).waitFor();
  // Long enough for lists and graphs to come and be drawn.
  await page.waitForTimeout(1_500);
  await page.screenshot({ path: out, fullPage: values.whole ?? false });
} finally {
  await browser.close();
}
