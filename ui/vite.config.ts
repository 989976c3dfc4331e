import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

import { handlerFor } from "./fake/server.ts";
import { scenario } from "./fake/scenarios.ts";

/** `npm run dev` talks to the Firebell at $FIREBELL_URL, or to the fake one (`FAKE=fresh`, …). */
const realUrl = process.env.FIREBELL_URL;

/** A browser on a busy machine is slow; what waits for a sign of life does not wait this long. */
const PATIENCE = {
  testTimeout: 60_000,
  hookTimeout: 60_000,
  expect: { poll: { timeout: 10_000 } },
};

function fakeFirebell(): Plugin {
  return {
    name: "fake-firebell",
    configureServer(server) {
      const handle = handlerFor(scenario(process.env.FAKE ?? "busy"));
      server.middlewares.use((request, response, next) => {
        if (!handle(request, response)) next();
      });
    },
  };
}

export default defineConfig({
  // Relative, so that the page works under any prefix.
  base: "./",
  plugins: [react(), ...(realUrl === undefined ? [fakeFirebell()] : [])],
  ...(realUrl === undefined ? {} : { server: { proxy: { "/api": realUrl } } }),
  build: { target: "es2023", rolldownOptions: { checks: { bundlerTimings: false } } },
  test: {
    projects: [
      { test: { name: "unit", include: ["src/**/*.test.ts"], environment: "node" } },
      {
        test: {
          name: "page",
          include: ["e2e/*.test.ts"],
          globalSetup: "e2e/build.ts",
          ...PATIENCE,
          fileParallelism: false,
        },
      },
      // Against a Firebell that runs: only when told where.
      ...(realUrl === undefined
        ? []
        : [
            {
              test: {
                name: "smoke",
                include: ["e2e/smoke/*.test.ts"],
                ...PATIENCE,
              },
            },
          ]),
    ],
  },
});
