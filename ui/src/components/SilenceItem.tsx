import { Button } from "@mantine/core";

import { useEndSilence } from "../api/queries.ts";
import type { Silence } from "../api/upstream.ts";
import { toMs } from "../state/format.ts";
import { matcherText, weekText } from "../state/silence.ts";
import styles from "./SilenceItem.module.css";
import { Since, Until } from "./Time.tsx";

/** A silence: what it mutes, who wants it, until when; and the button that ends it. */
export function SilenceItem({ silence }: { silence: Silence }) {
  const end = useEndSilence();
  const { state } = silence.status;
  return (
    <li className={styles.item}>
      <div className={styles.text}>
        <p className={styles.when}>
          <strong>{WORDS[state]}</strong> <When silence={silence} />
          {silence.createdBy !== "" && ` · by ${silence.createdBy}`}
        </p>
        {silence.untilResolvedFor !== undefined && state !== "expired" && (
          <p>Ends by itself when its alerts have been resolved for {silence.untilResolvedFor}</p>
        )}
        {silence.weekly && <p>Each week: {weekText(silence.weekly)}</p>}
        {silence.comment !== "" && <p>{silence.comment}</p>}
        <ul className={styles.matchers} aria-label="Matchers">
          {silence.matchers.map((matcher) => (
            <li key={matcherText(matcher)}>
              <code>{matcherText(matcher)}</code>
            </li>
          ))}
        </ul>
        {end.error && (
          <p role="alert" className={styles.error}>
            {end.error.message}
          </p>
        )}
      </div>
      {state !== "expired" && (
        <Button
          size="compact-xs"
          variant="default"
          loading={end.isPending}
          onClick={() => end.mutate(silence.id)}
        >
          End now
        </Button>
      )}
    </li>
  );
}

const WORDS = { active: "Silenced", pending: "Will be silenced", expired: "Ended" };

function When({ silence }: { silence: Silence }) {
  const at = toMs(silence.status.state === "pending" ? silence.startsAt : silence.endsAt);
  if (at === null) return null;
  if (silence.status.state === "expired") return <Since at={at} suffix="ago" />;
  return (
    <>
      {silence.status.state === "active" && "– ends "}
      <Until at={at} />
    </>
  );
}
