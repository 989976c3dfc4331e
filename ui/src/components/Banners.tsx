// What has to be known before anything on a page is believed.
import { Button } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import { useState } from "react";

import type { Status } from "../api/types.ts";
import { useNow } from "../state/clock.ts";
import { count, formatAge, formatClock, formatMoment, toMs } from "../state/format.ts";
import { useLive } from "../state/live.ts";
import { Failed, Notice } from "./Notice.tsx";

export function Banners({ status }: { status: UseQueryResult<Status> }) {
  const live = useLive();
  return (
    <>
      {live.state === "lost" && status.dataUpdatedAt > 0 && (
        <LostNotice since={live.since} seenAt={status.dataUpdatedAt} />
      )}
      {status.error && live.state !== "lost" && (
        <Failed what="the status" error={status.error} hasOlder={status.data !== undefined} />
      )}
      {status.data && <UpdateNotice version={status.data.version} />}
      {status.data?.ready === false && (
        <Notice title="Firebell is starting">
          It reads back what it stored. Rules are evaluated as soon as that is done.
        </Notice>
      )}
      {status.data && status.data.configProblems.length > 0 && <ConfigNotice {...status.data} />}
      {status.data?.ruleProblems && status.data.ruleProblems.length > 0 && (
        <Notice kind="bad" title="Rules fail: what they watch is not seen">
          {status.data.ruleProblems.map((problem) => (
            <p key={problem}>{problem}</p>
          ))}
        </Notice>
      )}
      {status.data && status.data.storageProblems.length > 0 && (
        <Notice kind="bad" title="The disk does not take what Firebell writes">
          {status.data.storageProblems.map((problem) => (
            <p key={problem}>{problem}</p>
          ))}
          <p>Alerts are still told. Make room: a restart before that would forget the latest.</p>
        </Notice>
      )}
    </>
  );
}

/** The page in this tab is the one that the server had when it was opened. */
function UpdateNotice({ version }: { version: string }) {
  const [opened] = useState(version);
  if (version === opened) return null;
  return (
    <Notice title={`Firebell was updated to ${version}`}>
      <p>What is open in this tab is older.</p>
      <Button size="compact-xs" variant="default" onClick={() => window.location.reload()}>
        Reload
      </Button>
    </Notice>
  );
}

function LostNotice({ since, seenAt }: { since: number; seenAt: number }) {
  const now = useNow();
  return (
    <Notice kind="bad" title={`Connection to Firebell lost ${formatAge(now - since)} ago`}>
      What is shown is as of {formatClock(seenAt)}. The page tries again by itself.
    </Notice>
  );
}

function ConfigNotice({ configFile, configLoadedAt, configProblems }: Status) {
  const loadedAt = toMs(configLoadedAt);
  return (
    <Notice
      kind="bad"
      title={`${configFile ?? "The configuration"} was not taken over: ${count(configProblems.length, "problem")}`}
    >
      <ul>
        {configProblems.map((problem) => (
          <li key={problem}>
            <code>{problem}</code>
          </li>
        ))}
      </ul>
      {loadedAt !== null && (
        <p>The configuration of {formatMoment(loadedAt)} stays in force until these are mended.</p>
      )}
    </Notice>
  );
}
