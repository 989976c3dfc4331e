// The postmortem of an incident: how it was noticed, what people write about it, what is to be done so
// that it does not come back.
import { Button, Textarea, TextInput } from "@mantine/core";
import { type SyntheticEvent, useState } from "react";

import { useDraft, useIncidentAct, usePostmortem } from "../api/queries.ts";
import type { Postmortem, PostmortemPart } from "../api/types.ts";
import page from "../pages/page.module.css";
import { minutesText } from "../state/review.ts";
import { rememberAuthor } from "../state/silence.ts";
import { Failed } from "./Notice.tsx";
import styles from "./PostmortemPanel.module.css";

interface PanelProps {
  id: string;
  /** Who does it; nobody yet when empty. */
  author: string;
}

/** What is written is asked for once somebody wants to see it: it may be long. */
export function PostmortemPanel({ id, author }: PanelProps) {
  const [isOpen, setOpen] = useState(false);
  return (
    <section className={page.card} aria-labelledby="postmortem">
      <h2 id="postmortem">Postmortem</h2>
      {isOpen ? (
        <Content id={id} author={author} />
      ) : (
        <Button size="xs" variant="default" onClick={() => setOpen(true)}>
          Show it
        </Button>
      )}
    </section>
  );
}

function Content({ id, author }: PanelProps) {
  const { data, error } = usePostmortem(id);
  const draft = useDraft(id);
  const act = useIncidentAct(id);
  const isOff = author === "" || act.isPending;
  const write = (wish: object, after?: () => void): void => {
    rememberAuthor(author);
    act.mutate({ ...wish, by: author }, { onSuccess: () => after?.() });
  };
  if (data === undefined) return error && <Failed what="the postmortem" error={error} />;
  return (
    <div className={styles.postmortem}>
      <Noticed data={data} />
      <p>
        <Button
          size="xs"
          variant="default"
          disabled={author === ""}
          loading={draft.isPending}
          onClick={() => draft.mutate(author)}
        >
          {data.drafted === null ? "Freeze samples" : "Freeze them anew"}
        </Button>{" "}
        <span className={page.aside}>
          {data.drafted === null
            ? "Samples of its alerts' rules are kept with it, longer than the store keeps them"
            : `${data.graphs.length} graphs, frozen by ${data.drafted.by}`}
        </span>
      </p>
      {data.parts.map((part) => (
        <Part key={part.part} part={part} isOff={isOff} write={write} />
      ))}
      <FollowUps data={data} isOff={isOff} write={write} />
      {(act.error ?? draft.error) && (
        <p role="alert" className={styles.error}>
          {(act.error ?? draft.error)?.message}
        </p>
      )}
      <details>
        <summary>As Markdown</summary>
        <pre className={`${page.panel} ${page.code}`}>{data.markdown}</pre>
      </details>
    </div>
  );
}

/** From the first bad sample to the end, each step with how long it took. */
function Noticed({ data }: { data: Postmortem }) {
  return (
    <dl className={styles.moments} aria-label="How it was noticed">
      {data.moments.map(({ name, at, afterSeconds }) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            {at === null ? "–" : at.slice(0, 16).replace("T", " ")}
            {afterSeconds !== null && ` (+${minutesText(afterSeconds)})`}
          </dd>
        </div>
      ))}
    </dl>
  );
}

interface WriteProps {
  isOff: boolean;
  write: (wish: object, after?: () => void) => void;
}

function Part({ part, isOff, write }: WriteProps & { part: PostmortemPart }) {
  const [text, setText] = useState<string | null>(null);
  const shown = text ?? part.text ?? "";
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    write({ do: "part", part: part.part, text: shown.trim() }, () => setText(null));
  };
  return (
    <form onSubmit={submit} aria-label={part.title}>
      <Textarea
        label={part.title}
        description={part.prompt}
        autosize
        minRows={2}
        value={shown}
        onChange={(event) => setText(event.currentTarget.value)}
      />
      {part.hints.map((hint) => (
        <p key={`${hint.line}:${hint.column}`} className={page.aside}>
          {hint.line}:{hint.column} “{hint.words}”: {hint.why}
        </p>
      ))}
      {text !== null && text.trim() !== (part.text ?? "") && (
        <Button size="xs" type="submit" disabled={isOff || shown.trim() === ""}>
          Save {part.title.toLowerCase()}
        </Button>
      )}
    </form>
  );
}

function FollowUps({ data, isOff, write }: WriteProps & { data: Postmortem }) {
  return (
    <div>
      <h3>So that it does not come back</h3>
      <ul className={styles.followUps} aria-label="Follow-ups">
        {data.followUps.map((it) => (
          <li key={it.n}>
            <span data-proven={it.proof !== null}>
              {it.text}{" "}
              <span className={page.aside}>
                {it.owner}, by {it.due}
              </span>
            </span>
            {it.proof ? (
              <span className={page.aside}>
                {" "}
                Proven by {it.proof.by}: {it.proof.text}
              </span>
            ) : (
              <Proof n={it.n} isOff={isOff} write={write} />
            )}
          </li>
        ))}
      </ul>
      <NewFollowUp isOff={isOff} write={write} />
    </div>
  );
}

function Proof({ n, isOff, write }: WriteProps & { n: number }) {
  const [proof, setProof] = useState("");
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    write({ do: "proven", follow_up: n, proof: proof.trim() }, () => setProof(""));
  };
  return (
    <form className={styles.line} onSubmit={submit} aria-label={`What proves ${n}`}>
      <TextInput
        className={styles.text}
        size="xs"
        aria-label={`What proves follow-up ${n}`}
        placeholder="What proves that it is done"
        value={proof}
        onChange={(event) => setProof(event.currentTarget.value)}
      />
      <Button
        size="xs"
        variant="default"
        type="submit"
        disabled={isOff || proof.trim() === ""}
        aria-label={`Follow-up ${n} is proven`}
      >
        Proven
      </Button>
    </form>
  );
}

function NewFollowUp({ isOff, write }: WriteProps) {
  const [text, setText] = useState("");
  const [owner, setOwner] = useState("");
  const [due, setDue] = useState("");
  const isWhole = [text, owner, due].every((it) => it.trim() !== "");
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    const wish = { do: "follow_up", text: text.trim(), owner: owner.trim(), due };
    write(wish, () => setText(""));
  };
  return (
    <form className={styles.line} onSubmit={submit} aria-label="A follow-up">
      <TextInput
        className={styles.text}
        size="xs"
        label="Follow-up"
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
      />
      <TextInput
        size="xs"
        label="Owner"
        value={owner}
        onChange={(event) => setOwner(event.currentTarget.value)}
      />
      <TextInput
        size="xs"
        type="date"
        label="Until"
        value={due}
        onChange={(event) => setDue(event.currentTarget.value)}
      />
      <Button size="xs" variant="default" type="submit" disabled={isOff || !isWhole}>
        Add follow-up
      </Button>
    </form>
  );
}
