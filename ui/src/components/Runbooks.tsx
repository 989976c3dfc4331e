// The runbooks of an incident, in place: what to check, what to do next, and what was done.
import { useIncidentAct, useRunbooks } from "../api/queries.ts";
import type { Runbook } from "../api/types.ts";
import { blocks, type Block, spans } from "../state/markdown.ts";
import { rememberAuthor } from "../state/silence.ts";
import page from "../pages/page.module.css";
import styles from "./Runbooks.module.css";

interface RunbooksProps {
  id: string;
  /** Who ticks; empty is nobody. */
  author: string;
}

export function Runbooks({ id, author }: RunbooksProps) {
  const { data } = useRunbooks(id);
  const act = useIncidentAct(id);
  if (data === undefined || data.length === 0) return null;
  const tick = (runbook: string, step: number): void => {
    rememberAuthor(author);
    act.mutate({ do: "step", runbook, step, by: author });
  };
  return (
    <section className={page.card} aria-labelledby="runbooks">
      <h2 id="runbooks">Runbooks</h2>
      {data.map((runbook) => (
        <Book
          key={runbook.name}
          runbook={runbook}
          isOff={author === "" || act.isPending}
          onTick={(step) => tick(runbook.name, step)}
        />
      ))}
      {act.error && <p role="alert">{act.error.message}</p>}
    </section>
  );
}

interface BookProps {
  runbook: Runbook;
  /** Nobody has said who they are, or something is under way. */
  isOff: boolean;
  onTick: (step: number) => void;
}

function Book({ runbook, ...ticks }: BookProps) {
  const { name, text, steps } = runbook;
  const left = steps.filter(({ done }) => done === null);
  const next = left[0] === undefined ? "all is done" : `next: ${left[0].text}`;
  return (
    <details className={styles.book} open={left.length > 0}>
      <summary>
        {name}{" "}
        {steps.length > 0 && (
          <span className={page.aside}>
            {steps.length - left.length} of {steps.length}; {next}
          </span>
        )}
      </summary>
      {blocks(text).map((block, idx) => (
        <Part key={idx} block={block} runbook={runbook} {...ticks} />
      ))}
    </details>
  );
}

function Part({ block, ...book }: BookProps & { block: Block }) {
  if (block.kind === "item") return <Item item={block} {...book} />;
  if (block.kind === "code") return <pre>{block.text}</pre>;
  const line = <Line text={block.text} />;
  return block.kind === "heading" ? <h3>{line}</h3> : <p>{line}</p>;
}

function Item({ item, runbook, isOff, onTick }: BookProps & { item: Block & { kind: "item" } }) {
  const { step, text, depth } = item;
  const indent = { marginInlineStart: `${depth}rem` };
  if (step === null) {
    return (
      <p style={indent}>
        – <Line text={text} />
      </p>
    );
  }
  const done = runbook.steps.find(({ n }) => n === step)?.done ?? null;
  return (
    <label className={styles.step} style={indent}>
      <input
        type="checkbox"
        checked={done !== null}
        disabled={done !== null || isOff}
        onChange={() => onTick(step)}
      />
      <span>
        <Line text={text} />
        {done !== null && <span className={page.aside}> done by {done.by}</span>}
      </span>
    </label>
  );
}

function Line({ text }: { text: string }) {
  return spans(text).map((span, idx) => {
    if (span.kind === "code") return <code key={idx}>{span.text}</code>;
    if (span.kind === "strong") return <strong key={idx}>{span.text}</strong>;
    if (span.kind === "text") return span.text;
    return (
      <a key={idx} href={span.url} target="_blank" rel="noreferrer">
        {span.text}
      </a>
    );
  });
}
