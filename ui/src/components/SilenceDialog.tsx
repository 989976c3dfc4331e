// The form that silences an alert: which labels have to match, for how long, who and why.
import "@mantine/core/styles/CloseButton.css";
import "@mantine/core/styles/Checkbox.css";
import "@mantine/core/styles/InlineInput.css";
import "@mantine/core/styles/Modal.css";
import "@mantine/core/styles/ModalBase.css";
import "@mantine/core/styles/Overlay.css";
import "@mantine/core/styles/Paper.css";

import { Button, Checkbox, Modal, SegmentedControl, Textarea, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";

import { useAlerts, useCreateSilence } from "../api/queries.ts";
import type { Labels } from "../api/types.ts";
import { useNow } from "../state/clock.ts";
import { count, formatMoment } from "../state/format.ts";
import { DURATIONS, lastAuthor, mutes, rememberAuthor } from "../state/silence.ts";
import styles from "./SilenceDialog.module.css";

interface Props {
  /** Of the alert to be silenced. */
  labels: Labels;
  onClose: () => void;
}

export default function SilenceDialog({ labels, onClose }: Props) {
  return (
    <Modal opened onClose={onClose} title="Silence" size="md" closeButtonProps={CLOSE}>
      <SilenceForm labels={labels} onClose={onClose} />
    </Modal>
  );
}

const CLOSE = { "aria-label": "Close" };

function SilenceForm({ labels, onClose }: Props) {
  const all = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  const [chosen, setChosen] = useState(all.map(([name]) => name));
  const [duration, setDuration] = useState("2h");
  const [author, setAuthor] = useState(lastAuthor);
  const [comment, setComment] = useState("");
  const create = useCreateSilence();
  const lasts = new Map(DURATIONS).get(duration) ?? 0;
  const matchers = all.filter(([name]) => chosen.includes(name));
  const isWhole = matchers.length > 0 && author.trim() !== "" && comment.trim() !== "";

  const submit = (event: FormEvent): void => {
    event.preventDefault();
    const now = Date.now();
    rememberAuthor(author.trim());
    create.mutate(
      {
        matchers: matchers.map(([name, value]) => ({ name, value, isRegex: false, isEqual: true })),
        startsAt: new Date(now).toISOString(),
        endsAt: new Date(now + lasts).toISOString(),
        createdBy: author.trim(),
        comment: comment.trim(),
      },
      { onSuccess: onClose },
    );
  };

  return (
    <form onSubmit={submit} className={styles.form}>
      <Checkbox.Group
        label="Alerts with all of these labels"
        value={chosen}
        onChange={setChosen}
        classNames={{ label: styles.label ?? "" }}
      >
        <div className={styles.matchers}>
          {all.map(([name, value]) => (
            <Checkbox key={name} size="xs" value={name} label={`${name}="${value}"`} />
          ))}
        </div>
      </Checkbox.Group>
      <Reach matchers={matchers} />
      <div>
        <p className={styles.label} id="silence-duration">
          For
        </p>
        <SegmentedControl
          fullWidth
          size="xs"
          aria-labelledby="silence-duration"
          value={duration}
          onChange={setDuration}
          data={DURATIONS.map(([words]) => words)}
        />
        <Ends lasts={lasts} />
      </div>
      <TextInput
        size="sm"
        label="Your name"
        required
        value={author}
        onChange={(event) => setAuthor(event.currentTarget.value)}
      />
      <Textarea
        size="sm"
        label="Why"
        required
        rows={2}
        data-autofocus
        value={comment}
        onChange={(event) => setComment(event.currentTarget.value)}
      />
      {create.error && (
        <p role="alert" className={styles.error}>
          {create.error.message}
        </p>
      )}
      <div className={styles.buttons}>
        <Button size="sm" variant="default" onClick={onClose}>
          Cancel
        </Button>
        <Button size="sm" type="submit" disabled={!isWhole} loading={create.isPending}>
          Silence
        </Button>
      </div>
    </form>
  );
}

/** How much of what burns now would be muted: the check against silencing the world. */
function Reach({ matchers }: { matchers: [string, string][] }) {
  const alerts = useAlerts().data ?? [];
  const hit = alerts.filter(
    (alert) => alert.state !== "resolved" && mutes(matchers, alert.labels),
  ).length;
  return (
    <p className={styles.aside} aria-live="polite">
      {matchers.length === 0
        ? "Choose at least one label."
        : `Mutes ${count(hit, "alert")} of now, and what comes with these labels.`}
    </p>
  );
}

function Ends({ lasts }: { lasts: number }) {
  return <p className={styles.aside}>Ends {formatMoment(useNow() + lasts)}</p>;
}
