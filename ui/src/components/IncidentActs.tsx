// What people do with an incident: one name for all of it, a button or a line each.
import { Button, TextInput } from "@mantine/core";
import { type SyntheticEvent, useState } from "react";

import { useIncidentAct, useIncidentPictures } from "../api/queries.ts";
import type { IncidentDetail } from "../api/types.ts";
import { asksVerdict, movesOf, takesWork, verdictAct, VERDICTS } from "../state/incidents.ts";
import { beyond } from "../state/note.ts";
import { rememberAuthor } from "../state/silence.ts";
import { SeverityChoice } from "./IncidentBits.tsx";
import { IncidentKnown } from "./IncidentKnown.tsx";
import { IncidentNote, type Note, type Sent } from "./IncidentNote.tsx";
import styles from "./IncidentActs.module.css";

/** Does an act; what comes after it is done once it is on disk. */
type Do = (act: object, after?: () => void) => void;

export interface PartProps {
  incident: IncidentDetail;
  /** Nobody has said who they are, or something is under way. */
  isOff: boolean;
  act: Do;
}

/** Shows pictures with what is said of them. */
type Show = (note: Note & { audience: Audience }, sent: Sent) => void;

type Audience = "team" | "stakeholders";

interface IncidentActsProps {
  incident: IncidentDetail;
  /** Who does it, as typed so far. */
  author: string;
  onAuthor: (author: string) => void;
}

export function IncidentActs({ incident, author, onAuthor }: IncidentActsProps) {
  const mutation = useIncidentAct(incident.id);
  const showing = useIncidentPictures(incident.id);
  const isNamed = author.trim() !== "";
  const act: Do = (wish, after) => {
    rememberAuthor(author.trim());
    showing.reset();
    mutation.mutate({ ...wish, by: author.trim() }, { onSuccess: () => after?.() });
  };
  const show: Show = (note, { onPicture, onWhole }) => {
    rememberAuthor(author.trim());
    mutation.reset();
    showing.mutate({ ...note, by: author.trim(), onPicture }, { onSuccess: onWhole });
  };
  const error = mutation.error ?? showing.error;
  const isOff = !isNamed || mutation.isPending || showing.isPending;
  const part = { incident, isOff, act };
  if (incident.state === "merged") return null;
  return (
    <section className={styles.acts} aria-labelledby="acts">
      <h2 id="acts">What you do</h2>
      <TextInput
        className={styles.author}
        label="Your name"
        description={isNamed ? undefined : "Every act says who did it"}
        value={author}
        onChange={(event) => onAuthor(event.currentTarget.value)}
      />
      <Moves {...part} />
      {asksVerdict(incident) && <Verdicts {...part} />}
      {takesWork(incident) && (
        <SeverityChoice
          severity={incident.severity}
          isDisabled={part.isOff}
          onChange={(to) => act({ do: "severity", to })}
        />
      )}
      <Lines {...part} isSending={showing.isPending} show={show} />
      {error && (
        <p role="alert" className={styles.error}>
          {error.message}
        </p>
      )}
      <p role="status" className={styles.aside}>
        {showing.isPending && "The picture is on its way."}
        {mutation.data?.outcome === "already" && "It was so already."}
      </p>
    </section>
  );
}

interface LinesProps extends PartProps {
  isSending: boolean;
  show: Show;
}

function Lines({ isSending, show, ...part }: LinesProps) {
  const isWork = takesWork(part.incident);
  const noteFor = (audience: Audience) => ({
    isOff: part.isOff,
    isSending,
    onSend: (note: Note, sent: Sent): void => {
      if (note.pictures.length > 0) show({ ...note, audience }, sent);
      else part.act({ do: "note", text: note.text, audience }, sent.onWhole);
    },
  });
  return (
    <>
      <IncidentNote label="Note" button="Note" {...noteFor("team")} />
      <IncidentNote label="For stakeholders" button="Tell" {...noteFor("stakeholders")} />
      <Line {...part} label="Task" button="Add" toAct={(text) => ({ do: "task", text })} />
      <Line {...part} label="Link" button="Link" toAct={(url) => ({ do: "link", url })} />
      <IncidentKnown key={part.incident.id} {...part} />
      {isWork && (
        <Line
          {...part}
          label="Merge into"
          placeholder="INC-1"
          button="Merge"
          toAct={(into) => ({ do: "merge", into })}
        />
      )}
    </>
  );
}

function Moves({ incident, isOff, act }: PartProps) {
  const isAcknowledged = incident.acknowledged !== null;
  return (
    <div className={styles.buttons} role="group" aria-label="Move it">
      {takesWork(incident) && !isAcknowledged && (
        <Button size="xs" disabled={isOff} onClick={() => act({ do: "ack" })}>
          I look into it
        </Button>
      )}
      {movesOf(incident).map(({ to, words }) => (
        <Button
          key={to}
          size="xs"
          variant="default"
          disabled={isOff}
          onClick={() => act({ do: "state", to, from: incident.state })}
        >
          {words}
        </Button>
      ))}
    </div>
  );
}

function Verdicts({ incident, isOff, act }: PartProps) {
  const isClosing = incident.next.includes("closed");
  return (
    <div role="group" aria-labelledby="verdicts">
      <p id="verdicts" className={styles.label}>
        {isClosing ? "Close it: what was it?" : "What was it?"}
      </p>
      <div className={styles.buttons}>
        {VERDICTS.map(([verdict, words]) => (
          <Button
            key={verdict}
            size="xs"
            variant={incident.verdict?.verdict === verdict ? "filled" : "default"}
            aria-pressed={incident.verdict?.verdict === verdict}
            disabled={isOff}
            onClick={() => act(verdictAct(incident, verdict))}
          >
            {words}
          </Button>
        ))}
      </div>
    </div>
  );
}

interface LineProps extends PartProps {
  label: string;
  placeholder?: string;
  button: string;
  toAct: (text: string) => object;
}

/** A line of text and its button; what it said leaves it once that is on disk. */
function Line({ isOff, act, label, placeholder, button, toAct }: LineProps) {
  const [text, setText] = useState("");
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    if (!isOff && text.trim() !== "")
      act(toAct(text.trim()), () => setText((now) => beyond(now, text)));
  };
  return (
    <form className={styles.line} onSubmit={submit}>
      <TextInput
        className={styles.text}
        label={label}
        placeholder={placeholder}
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
      />
      <Button
        type="submit"
        variant="default"
        disabled={isOff || text.trim() === ""}
        aria-label={`${button}: ${label}`}
      >
        {button}
      </Button>
    </form>
  );
}
