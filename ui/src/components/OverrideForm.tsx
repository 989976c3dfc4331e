// Changes of a schedule from the page: overrides, swaps and temporary schedules in a form, and what
// was set before.
import { Button, NativeSelect, TextInput } from "@mantine/core";
import { useState } from "react";

import { useChangeOncall, useOncallSet, useRemoveOncall } from "../api/queries.ts";
import type { OncallPerson } from "../api/types.ts";
import { isWhole, kindOf, KINDS, NOTHING_SAID, posted, type Said } from "../state/change.ts";
import { setWords } from "../state/oncall.ts";
import { lastAuthor, rememberAuthor } from "../state/silence.ts";
import styles from "./IncidentActs.module.css";

interface OverrideFormProps {
  schedule: string;
  /** What was over by then (milliseconds) is not listed. */
  from: number;
  people: OncallPerson[];
}

export function OverrideForm({ schedule, from, people }: OverrideFormProps) {
  const [author, setAuthor] = useState(lastAuthor);
  const [said, setSaid] = useState(NOTHING_SAID);
  const change = useChangeOncall();
  const by = author.trim();
  const kind = kindOf(said);
  const set = (name: keyof Said) => (event: { currentTarget: { value: string } }) =>
    setSaid({ ...said, [name]: event.currentTarget.value });
  const field = (name: keyof Said) => ({ value: said[name], onChange: set(name) });
  const names = [
    { value: "", label: "nobody chosen" },
    ...people.map(({ name, fullName }) => ({ value: name, label: fullName })),
  ];
  const submit = (): void => {
    rememberAuthor(by);
    change.mutate(posted(said, schedule, by), { onSuccess: () => setSaid(NOTHING_SAID) });
  };
  return (
    <details className={styles.acts}>
      <summary>Change who is on call</summary>
      <TextInput
        className={styles.author}
        label="Your name"
        value={author}
        onChange={(event) => setAuthor(event.currentTarget.value)}
      />
      <NativeSelect className={styles.author} label="Who" data={names} {...field("who")} />
      <NativeSelect
        className={styles.author}
        label="What changes"
        data={KINDS.map(({ value, label }) => ({ value, label }))}
        {...field("kind")}
      />
      <Times label="From, by the schedule's clock" from={field("from")} until={field("until")} />
      {kind.other !== undefined && (
        <NativeSelect
          className={styles.author}
          label={kind.other}
          data={names}
          {...field("other")}
        />
      )}
      {kind.toFields === undefined && (
        <Times
          label="For their shifts from"
          from={field("otherFrom")}
          until={field("otherUntil")}
        />
      )}
      <div className={styles.line}>
        <TextInput className={styles.text} label="Why" {...field("reason")} />
        <Button disabled={by === "" || !isWhole(said) || change.isPending} onClick={submit}>
          Change it
        </Button>
      </div>
      {change.error && (
        <p role="alert" className={styles.error}>
          {change.error.message}
        </p>
      )}
      <SetBefore key={schedule} schedule={schedule} from={from} by={by} />
    </details>
  );
}

interface FieldProps {
  value: string;
  onChange: (event: { currentTarget: { value: string } }) => void;
}

function Times({ label, from, until }: { label: string; from: FieldProps; until: FieldProps }) {
  return (
    <div className={styles.line}>
      <TextInput type="datetime-local" label={label} {...from} />
      <TextInput type="datetime-local" label="Until" {...until} />
    </div>
  );
}

/** What was set before and is not over, each with a button that removes it. */
function SetBefore({ schedule, from, by }: { schedule: string; from: number; by: string }) {
  const remove = useRemoveOncall();
  const { data, error, hasNextPage, isFetchingNextPage, fetchNextPage } = useOncallSet(
    schedule,
    from,
  );
  const problem = remove.error ?? error;
  return (
    <>
      {(data?.pages ?? []).flatMap(setWords).map(({ id, kind, words }) => (
        <div key={`${kind} ${id}`} className={styles.line}>
          <span className={styles.text}>{words}</span>
          <Button
            size="xs"
            variant="default"
            disabled={by === "" || remove.isPending}
            onClick={() => remove.mutate({ kind, id, by })}
          >
            Remove
          </Button>
        </div>
      ))}
      {hasNextPage && (
        <div>
          <Button
            size="xs"
            variant="default"
            loading={isFetchingNextPage}
            onClick={() => void fetchNextPage()}
          >
            Show more
          </Button>
        </div>
      )}
      {problem && (
        <p role="alert" className={styles.error}>
          {problem.message}
        </p>
      )}
    </>
  );
}
