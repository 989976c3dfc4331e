// Changes of a schedule from the page: an override in a form, and what was set before.
import { Button, NativeSelect, TextInput } from "@mantine/core";
import { useState } from "react";

import { useOncallSet, useOverride, useRemoveOverride } from "../api/queries.ts";
import type { OncallPerson } from "../api/types.ts";
import { overrideWords } from "../state/oncall.ts";
import { lastAuthor, rememberAuthor } from "../state/silence.ts";
import styles from "./IncidentActs.module.css";

interface OverrideFormProps {
  schedule: string;
  people: OncallPerson[];
}

export function OverrideForm({ schedule, people }: OverrideFormProps) {
  const [said, setSaid] = useState({ by: lastAuthor(), take: "", from: "", until: "", reason: "" });
  const add = useOverride();
  const set = (name: keyof typeof said) => (event: { currentTarget: { value: string } }) =>
    setSaid({ ...said, [name]: event.currentTarget.value });
  const by = said.by.trim();
  const isOff = [by, said.take, said.from, said.until].includes("") || add.isPending;
  const submit = (): void => {
    rememberAuthor(by);
    const { from, until, reason } = said;
    add.mutate({ by, override: { schedule, from, until, take: [said.take], reason } });
  };
  return (
    <details className={styles.acts}>
      <summary>Change who is on call</summary>
      <TextInput className={styles.author} label="Your name" value={said.by} onChange={set("by")} />
      <NativeSelect
        className={styles.author}
        label="On call, whoever else would be"
        data={[
          { value: "", label: "nobody chosen" },
          ...people.map(({ name, fullName }) => ({ value: name, label: fullName })),
        ]}
        value={said.take}
        onChange={set("take")}
      />
      <div className={styles.line}>
        <TextInput
          type="datetime-local"
          label="From, by the schedule's clock"
          value={said.from}
          onChange={set("from")}
        />
        <TextInput type="datetime-local" label="Until" value={said.until} onChange={set("until")} />
      </div>
      <div className={styles.line}>
        <TextInput
          className={styles.text}
          label="Why"
          value={said.reason}
          onChange={set("reason")}
        />
        <Button disabled={isOff} onClick={submit}>
          Take over
        </Button>
      </div>
      {add.error && (
        <p role="alert" className={styles.error}>
          {add.error.message}
        </p>
      )}
      <SetOverrides schedule={schedule} by={by} />
    </details>
  );
}

/** What was set here before, each with a button that removes it. */
function SetOverrides({ schedule, by }: { schedule: string; by: string }) {
  const remove = useRemoveOverride();
  const { data } = useOncallSet();
  const own = data?.overrides.filter(({ object }) => object["schedule"] === schedule) ?? [];
  return (
    <>
      {own.map((it) => (
        <div key={it.id} className={styles.line}>
          <span className={styles.text}>{overrideWords(it)}</span>
          <Button
            size="xs"
            variant="default"
            disabled={by === "" || remove.isPending}
            onClick={() => remove.mutate({ id: it.id, by })}
          >
            Remove
          </Button>
        </div>
      ))}
      {remove.error && (
        <p role="alert" className={styles.error}>
          {remove.error.message}
        </p>
      )}
    </>
  );
}
