import type { QueryClient } from "@tanstack/react-query";
import { expect, test } from "vitest";

import { Changes } from "./changes.ts";

test("a storm of events costs one round at a time, and the last change is fetched", async () => {
  const rounds: string[] = [];
  let finish = (): void => undefined;
  const client = {
    invalidateQueries: ({ queryKey }: { queryKey: string[] }) => {
      rounds.push(queryKey.join());
      return new Promise<void>((resolve) => (finish = resolve));
    },
  } as unknown as QueryClient;
  const changes = new Changes(client);
  for (let n = 0; n < 100; n += 1) changes.add(["inbox"]);
  expect(rounds).toEqual(["inbox"]);
  finish();
  await new Promise((resolve) => setTimeout(resolve, 0));
  expect(rounds).toEqual(["inbox", "inbox"]);
  finish();
  await new Promise((resolve) => setTimeout(resolve, 0));
  expect(rounds).toEqual(["inbox", "inbox"]);
});
