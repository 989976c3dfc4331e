// Puts the page together: theme, queries, the live connection.
import "./theme.ts";

import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { App } from "./app.tsx";
import { startLive } from "./state/live.ts";
import { resolveVariables, theme } from "./theme.ts";

// Errors are shown at once and tried again by the next interval or event, not behind the scenes.
// Firebell may run on this very machine, so a browser that is "offline" still asks.
const client = new QueryClient({
  defaultOptions: {
    queries: { retry: false, staleTime: 1_000, networkMode: "always" },
    mutations: { networkMode: "always" },
  },
});
startLive(client);

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no element `root`");
createRoot(root).render(
  <StrictMode>
    <MantineProvider
      theme={theme}
      defaultColorScheme="auto"
      cssVariablesResolver={resolveVariables}
    >
      <QueryClientProvider client={client}>
        <App />
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
