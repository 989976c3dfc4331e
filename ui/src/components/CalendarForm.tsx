// Shifts of a schedule out of a calendar file: what it says is shown first, and put in force by a
// button.
import { Button, Checkbox, FileInput, TextInput } from "@mantine/core";
import { useState } from "react";

import { useImportCalendar } from "../api/queries.ts";
import type { OncallImported } from "../api/types.ts";
import { importedWords } from "../state/oncall.ts";
import { lastAuthor, rememberAuthor } from "../state/silence.ts";
import styles from "./IncidentActs.module.css";

export function CalendarForm({ schedule }: { schedule: string }) {
  const [author, setAuthor] = useState(lastAuthor);
  const [file, setFile] = useState<File | null>(null);
  const [calendar, setCalendar] = useState("");
  const [isPartial, setPartial] = useState(false);
  const preview = useImportCalendar();
  const taking = useImportCalendar();
  const by = author.trim();
  const problems = preview.data?.problems ?? [];
  const choose = async (chosen: File | null): Promise<void> => {
    setFile(chosen);
    setPartial(false);
    preview.reset();
    taking.reset();
    if (chosen === null) return;
    const text = await chosen.text();
    setCalendar(text);
    preview.mutate({ schedule, calendar: text, preview: true });
  };
  const take = (): void => {
    rememberAuthor(by);
    taking.mutate({ by, schedule, calendar, partial: isPartial });
  };
  const isTaken = taking.data !== undefined;
  const isRight = preview.data !== undefined && (problems.length === 0 || isPartial);
  return (
    <details className={styles.acts}>
      <summary>Read shifts out of a calendar</summary>
      <TextInput
        className={styles.author}
        label="Your name"
        value={author}
        onChange={(event) => setAuthor(event.currentTarget.value)}
      />
      <FileInput
        className={styles.author}
        label="A file of another program"
        description="iCalendar: its events name people of this Firebell"
        placeholder="shifts.ics"
        accept=".ics,text/calendar"
        value={file}
        onChange={(chosen) => void choose(chosen)}
      />
      {preview.data && !isTaken && <p role="status">{importedWords(preview.data)}</p>}
      {problems.length > 0 && !isTaken && (
        <Problems list={problems} isPartial={isPartial} onPartial={setPartial} />
      )}
      {taking.data && <p role="status">{importedWords(taking.data)} It is in force.</p>}
      {!isTaken && (
        <div>
          <Button disabled={by === "" || !isRight || taking.isPending} onClick={take}>
            Put it in force
          </Button>
        </div>
      )}
      {(preview.error ?? taking.error) && (
        <p role="alert" className={styles.error}>
          {(preview.error ?? taking.error)?.message}
        </p>
      )}
    </details>
  );
}

interface ProblemsProps {
  list: OncallImported["problems"];
  isPartial: boolean;
  onPartial: (isPartial: boolean) => void;
}

/** What is not understood, and whether the rest is wanted all the same. */
function Problems({ list, isPartial, onPartial }: ProblemsProps) {
  return (
    <>
      <ul className={styles.problems} aria-label="What is not understood">
        {list.map(({ line, message, hint }) => (
          <li key={`${line} ${message}`}>
            Line {line}: {message}. <span className={styles.aside}>{hint}</span>
          </li>
        ))}
      </ul>
      <Checkbox
        label="Take the rest all the same"
        checked={isPartial}
        onChange={(event) => onPartial(event.currentTarget.checked)}
      />
    </>
  );
}
