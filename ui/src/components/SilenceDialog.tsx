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

import { useAlerts, useCreateSilence, useSilencePreview } from "../api/queries.ts";
import type { Labels, SilencePreview, Weekly } from "../api/types.ts";
import { useNow } from "../state/clock.ts";
import { count, formatMoment } from "../state/format.ts";
import {
  DURATIONS,
  type Kind,
  KINDS,
  lastAuthor,
  mutes,
  OWN_LASTS,
  rememberAuthor,
  RESOLVED_FOR,
  toSilence,
  usualWeek,
  WEEKDAYS,
} from "../state/silence.ts";
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
  const [kind, setKind] = useState<Kind>("while");
  const [week, setWeek] = useState(usualWeek);
  const [duration, setDuration] = useState("2h");
  const [author, setAuthor] = useState(lastAuthor);
  const [comment, setComment] = useState("");
  const [isKnown] = useState(author !== "");
  const create = useCreateSilence();
  const conditions = all.filter(([name]) => chosen.includes(name));
  const lasts = new Map(DURATIONS).get(duration) ?? 0;
  const hasWeek = kind !== "weekly" || week.weekdays.length > 0;
  const isWhole = hasWeek && conditions.length > 0 && author.trim() !== "" && comment.trim() !== "";
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    rememberAuthor(author.trim());
    create.mutate(toSilence({ kind, week, conditions, lasts, author, comment }), {
      onSuccess: onClose,
    });
  };
  return (
    <form onSubmit={submit} className={styles.form}>
      <Conditions all={all} chosen={chosen} onChange={setChosen} />
      <Reach conditions={conditions} />
      <Kinds kind={kind} onChange={setKind} />
      {kind === "while" && <Lasts duration={duration} lasts={lasts} onChange={setDuration} />}
      {kind === "weekly" && <Week week={week} onChange={setWeek} />}
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

function Kinds({ kind, onChange }: { kind: Kind; onChange: (kind: Kind) => void }) {
  return (
    <div>
      <SegmentedControl
        fullWidth
        size="xs"
        aria-label="When it mutes"
        value={kind}
        onChange={onChange}
        data={KINDS.map(([value, label]) => ({ value, label }))}
      />
      {kind === "resolved" && (
        <p className={styles.aside}>
          Ends when all of them have been resolved for {RESOLVED_FOR}, in 30 days at the latest.
        </p>
      )}
    </div>
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

interface WeekProps {
  week: Weekly;
  onChange: (week: Weekly) => void;
}

function Week({ week, onChange }: WeekProps) {
  const ends = useNow() + OWN_LASTS;
  return (
    <div>
      <Checkbox.Group
        label="On"
        value={week.weekdays}
        onChange={(weekdays) => onChange({ ...week, weekdays })}
      >
        <div className={styles.days}>
          {WEEKDAYS.map((day) => (
            <Checkbox key={day} size="xs" value={day} label={day.slice(0, 3)} aria-label={day} />
          ))}
        </div>
      </Checkbox.Group>
      <div className={styles.times}>
        <TextInput
          label="From"
          type="time"
          value={week.start}
          onChange={(event) => onChange({ ...week, start: event.currentTarget.value })}
        />
        <TextInput
          label="To"
          type="time"
          value={week.end}
          onChange={(event) => onChange({ ...week, end: event.currentTarget.value })}
        />
        <TextInput
          label="Time zone"
          value={week.zone ?? "UTC"}
          onChange={(event) => onChange({ ...week, zone: event.currentTarget.value })}
        />
      </div>
      <p className={styles.aside}>Until {formatMoment(ends).slice(0, -3)}</p>
    </div>
  );
}

/** How much would be muted, now and by the past: the check against silencing the world. */
function Reach({ conditions }: { conditions: [string, string][] }) {
  const alerts = useAlerts().data ?? [];
  const past = useSilencePreview(conditions).data?.past;
  const hit = alerts.filter(
    (alert) => alert.state !== "resolved" && mutes(conditions, alert.labels),
  ).length;
  if (conditions.length === 0) {
    return (
      <p className={styles.aside} aria-live="polite">
        Choose at least one label.
      </p>
    );
  }
  return (
    <div className={styles.aside} aria-live="polite">
      <p>Mutes {count(hit, "alert")} of now, and what comes with these labels.</p>
      {past && <Past past={past} />}
    </div>
  );
}

function Past({ past }: { past: SilencePreview["past"] }) {
  if (past.count === 0) return <p>In the last 30 days it would have muted nothing.</p>;
  return (
    <details>
      <summary>In the last 30 days it would have muted {count(past.count, "alert")}</summary>
      <ul className={styles.past}>
        {past.alerts.slice(0, PAST_MAX).map((alert) => (
          <li key={JSON.stringify(alert.labels)}>
            <strong>{alert.labels.alertname}</strong> {otherLabels(alert.labels)} – {alert.firedFor}
            {alert.times > 1 && `, ${alert.times} times`}
          </li>
        ))}
      </ul>
    </details>
  );
}

/** Alerts of the past that are listed. */
const PAST_MAX = 10;

function otherLabels(labels: Labels): string {
  const others = Object.entries(labels).filter(([name]) => name !== "alertname");
  return others.map(([name, value]) => `${name}="${value}"`).join(" ");
}
