// Who is told of an incident until somebody answers: who was, who is next, and the answers.
import { Button, TextInput } from "@mantine/core";
import { useState } from "react";

import { usePageAnswer } from "../api/queries.ts";
import type { Page } from "../api/types.ts";
import { formatClock, toMs } from "../state/format.ts";
import { pageWords } from "../state/pages.ts";
import { rememberAuthor } from "../state/silence.ts";
import card from "../pages/page.module.css";
import styles from "./IncidentActs.module.css";

interface PagePanelProps {
  page: Page;
  /** Who answers; empty is nobody. */
  author: string;
}

export function PagePanel({ page, author }: PagePanelProps) {
  const answer = usePageAnswer(page.id);
  const [to, setTo] = useState("");
  const isOff = author === "" || answer.isPending;
  const say = (act: string, more: object = {}): void => {
    rememberAuthor(author);
    answer.mutate({ act, said: { by: author, ...more } });
  };
  return (
    <section className={card.card} aria-labelledby="paged">
      <h2 id="paged">
        Paged <span className={card.aside}>by {page.policy}</span>
      </h2>
      <p>
        {page.acknowledged ? `${page.acknowledged.by} looks into it` : pageWords(page)}
        {page.asked.length > 0 && `; has to answer yet: ${page.asked.join(", ")}`}
      </p>
      <Messages page={page} />
      <div className={styles.buttons} role="group" aria-label="Answer the page">
        <Button
          size="xs"
          disabled={isOff || page.acknowledged !== null}
          onClick={() => say("acknowledge")}
        >
          Acknowledge
        </Button>
        {SNOOZES.map(([time, words]) => (
          <Button
            key={time}
            size="xs"
            variant="default"
            disabled={isOff}
            onClick={() => say("snooze", { for: time })}
          >
            {words}
          </Button>
        ))}
      </div>
      <div className={styles.line}>
        <TextInput
          className={styles.text}
          label="Hand over to a policy or a person"
          value={to}
          onChange={(event) => setTo(event.currentTarget.value)}
        />
        <Button
          variant="default"
          disabled={isOff || to.trim() === ""}
          onClick={() => say("hand-over", { to: to.trim() })}
        >
          Hand over
        </Button>
      </div>
      {answer.error && (
        <p role="alert" className={styles.error}>
          {answer.error.message}
        </p>
      )}
    </section>
  );
}

function Messages({ page }: { page: Page }) {
  if (page.messages.length === 0) return null;
  return (
    <ul className={styles.aside} aria-label="Messages">
      {page.messages.map(({ person, by, at, state }, idx) => (
        // Two may be the same, and none moves.
        <li key={idx}>
          {formatClock(toMs(at) ?? 0).slice(0, 5)} {person} by {by}: {state}
        </li>
      ))}
    </ul>
  );
}

const SNOOZES = [
  ["1h", "Snooze 1 hour"],
  ["8h", "Snooze 8 hours"],
] as const;
