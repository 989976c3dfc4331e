// The form that silences an alert: which labels have to match, for how long, who and why.
import "@mantine/core/styles/CloseButton.css";
import "@mantine/core/styles/Checkbox.css";
import "@mantine/core/styles/InlineInput.css";
import "@mantine/core/styles/Modal.css";
import "@mantine/core/styles/ModalBase.css";
import "@mantine/core/styles/Overlay.css";
import "@mantine/core/styles/Paper.css";

import { Button, Checkbox, Modal, SegmentedControl, Textarea, TextInput } from "@mantine/core";
import { type SyntheticEvent, useState } from "react";

import { useAlerts, useCreateSilence } from "../api/queries.ts";
import type { Labels } from "../api/types.ts";
import { useNow } from "../state/clock.ts";
import { count, formatMoment } from "../state/format.ts";
import { DURATIONS, lastAuthor, mutes, rememberAuthor, toSilence } from "../state/silence.ts";
import styles from "./SilenceDialog.module.css";

interface Props {
  /** Of the alert to be silenced. */
  labels: Labels;
  onClose: () => void;
}

export default function SilenceDialog({ labels, onClose }: Props) {
  return (
    <Modal
      opened
      onClose={onClose}
      title="Silence"
      size="md"
      classNames={CLASSES}
      attributes={ATTRIBUTES}
      closeButtonProps={CLOSE}
    >
      <SilenceForm labels={labels} onClose={onClose} />
    </Modal>
  );
}

const CLASSES = { title: styles.title ?? "" };
// Its `header` element would count as a second head of the whole page.
const ATTRIBUTES = { header: { role: "presentation" } };
const CLOSE = { "aria-label": "Close" };

function SilenceForm({ labels, onClose }: Props) {
  const all = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  const [chosen, setChosen] = useState(all.map(([name]) => name));
  const [duration, setDuration] = useState("2h");
  const [author, setAuthor] = useState(lastAuthor);
  const [comment, setComment] = useState("");
  const [isKnown] = useState(author !== "");
  const create = useCreateSilence();
  const conditions = all.filter(([name]) => chosen.includes(name));
  const lasts = new Map(DURATIONS).get(duration) ?? 0;
  const isWhole = conditions.length > 0 && author.trim() !== "" && comment.trim() !== "";
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    rememberAuthor(author.trim());
    create.mutate(toSilence({ conditions, lasts, author, comment }), { onSuccess: onClose });
  };
  return (
    <form onSubmit={submit} className={styles.form}>
      <Conditions all={all} chosen={chosen} onChange={setChosen} />
      <Reach conditions={conditions} />
      <Lasts duration={duration} lasts={lasts} onChange={setDuration} />
      <TextInput
        label="Your name"
        required
        data-autofocus={isKnown ? undefined : true}
        value={author}
        onChange={(event) => setAuthor(event.currentTarget.value)}
      />
      <Textarea
        label="Why"
        required
        rows={2}
        data-autofocus={isKnown ? true : undefined}
        value={comment}
        onChange={(event) => setComment(event.currentTarget.value)}
      />
      {create.error && (
        <p role="alert" className={styles.error}>
          {create.error.message}
        </p>
      )}
      <div className={styles.buttons}>
        <Button variant="default" onClick={onClose}>
          Cancel
        </Button>
        <Button type="submit" disabled={!isWhole} loading={create.isPending}>
          Silence
        </Button>
      </div>
    </form>
  );
}

interface ConditionsProps {
  all: [string, string][];
  /** Names of labels. */
  chosen: string[];
  onChange: (chosen: string[]) => void;
}

function Conditions({ all, chosen, onChange }: ConditionsProps) {
  return (
    <Checkbox.Group label="Alerts with all of these labels" value={chosen} onChange={onChange}>
      <div className={styles.matchers}>
        {all.map(([name, value]) => (
          <Checkbox key={name} size="xs" value={name} label={`${name}="${value}"`} />
        ))}
      </div>
    </Checkbox.Group>
  );
}

interface LastsProps {
  duration: string;
  /** The same in milliseconds. */
  lasts: number;
  onChange: (duration: string) => void;
}

function Lasts({ duration, lasts, onChange }: LastsProps) {
  const now = useNow();
  return (
    <div>
      <p className={styles.label} id="silence-duration">
        For
      </p>
      <SegmentedControl
        fullWidth
        size="xs"
        aria-labelledby="silence-duration"
        value={duration}
        onChange={onChange}
        data={DURATIONS.map(([words]) => words)}
      />
      <p className={styles.aside}>Ends {formatMoment(now + lasts).slice(0, -3)}</p>
    </div>
  );
}

/** How much of what burns now would be muted: the check against silencing the world. */
function Reach({ conditions }: { conditions: [string, string][] }) {
  const alerts = useAlerts().data ?? [];
  const hit = alerts.filter(
    (alert) => alert.state !== "resolved" && mutes(conditions, alert.labels),
  ).length;
  return (
    <p className={styles.aside} aria-live="polite">
      {conditions.length === 0
        ? "Choose at least one label."
        : `Mutes ${count(hit, "alert")} of now, and what comes with these labels.`}
    </p>
  );
}
