import { expect, test } from "vitest";

import { statusOf } from "../../fake/scenarios.ts";
import { faviconFor } from "./favicon.ts";

test("the icon of the tab tells states apart", () => {
  const calm = statusOf([], {});
  const icons = [
    faviconFor(calm, false),
    faviconFor(statusOf([], { alertsPending: 1 }), false),
    faviconFor(statusOf([], { alertsPending: 1, alertsFiring: 1 }), false),
    faviconFor(calm, true),
  ];
  expect(new Set(icons).size).toBe(4);
  expect(faviconFor(undefined, false)).toBe(icons[0]);
});
