// A note in the making: its text, and pictures that are pasted into it, dropped on it or chosen.
import { Button, FileButton, TextInput } from "@mantine/core";
import {
  type ClipboardEvent,
  type DragEvent,
  type SyntheticEvent,
  useEffect,
  useState,
} from "react";

import { beyond } from "../state/note.ts";
import { pasted, PICTURE_TYPES, take, type Taken } from "../state/pictures.ts";
import acts from "./IncidentActs.module.css";
import styles from "./IncidentNote.module.css";

interface IncidentNoteProps {
  label: string;
  button: string;
  /** Nobody has said who they are, or something is under way. */
  isOff: boolean;
  /** Its pictures are on their way, or those of another one. */
  isSending: boolean;
  onSend: (note: Note, sent: Sent) => void;
}

/** What is sent. */
export interface Note {
  text: string;
  pictures: File[];
  /** So many of its pictures were taken when it was sent before, and the next one was not. */
  nTaken: number;
}

/** What is done once something of it is on disk. */
export interface Sent {
  onPicture: (picture: File) => void;
  onWhole: () => void;
}

const NOTHING: Taken<File> = { pictures: [], problem: null };

export function IncidentNote({ label, button, isOff, isSending, onSend }: IncidentNoteProps) {
  const { text, setText, pictures, problem, add, leaveOut, begin } = useNote();
  const [onTheirWay, setOnTheirWay] = useState<File[]>([]);
  const isEmpty = text.trim() === "" && pictures.length === 0;
  const { isOver, ...dropping } = useDropping(add);
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    if (isOff || isEmpty) return;
    setOnTheirWay(pictures);
    onSend(...begin());
  };
  const paste = (event: ClipboardEvent): void => {
    const files = pasted(event.clipboardData);
    if (files.length === 0) return;
    event.preventDefault();
    add(files);
  };
  return (
    <form className={isOver ? styles.over : undefined} onSubmit={submit} {...dropping}>
      <div className={acts.statement}>
        <TextInput
          className={acts.text}
          label={label}
          placeholder="Text, or paste a screenshot"
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
          onPaste={paste}
        />
        <FileButton multiple accept={PICTURE_TYPES.join(",")} onChange={add}>
          {(props) => (
            <Button {...props} variant="default" aria-label={`Picture: ${label}`}>
              Picture
            </Button>
          )}
        </FileButton>
        <Button
          type="submit"
          variant="default"
          disabled={isOff || isEmpty}
          aria-label={`${button}: ${label}`}
        >
          {button}
        </Button>
      </div>
      <Chosen
        label={label}
        pictures={pictures}
        onTheirWay={isSending ? onTheirWay : []}
        onLeaveOut={leaveOut}
      />
      {problem !== null && (
        <p role="alert" className={acts.error}>
          {problem}
        </p>
      )}
    </form>
  );
}

/**
 * What is in the form. Only what was sent leaves it: one goes on typing, and pasting, while pictures
 * are on their way.
 */
function useNote() {
  const [text, setText] = useState("");
  const [{ pictures, problem }, setTaken] = useState(NOTHING);
  const [nTaken, setNTaken] = useState(0);
  const remove = (gone: File): void =>
    setTaken((before) => ({ ...before, pictures: before.pictures.filter((it) => it !== gone) }));
  const leaveOut = (gone: File): void => {
    remove(gone);
    setTaken((before) => ({ ...before, problem: null }));
    // What comes into the empty form is another note.
    if (pictures.every((it) => it === gone)) setNTaken(0);
  };
  const begin = (): [Note, Sent] => [
    { text: text.trim(), pictures, nTaken },
    {
      onPicture: (picture) => {
        remove(picture);
        setNTaken((before) => before + 1);
      },
      onWhole: () => {
        setText((now) => beyond(now, text));
        setNTaken(0);
      },
    },
  ];
  const add = (files: File[]): void => setTaken((before) => take(before.pictures, files));
  return { text, setText, pictures, problem, add, leaveOut, begin };
}

/** What a form needs so that files can be dropped on it, and whether some are held over it. */
function useDropping(add: (files: File[]) => void) {
  const [isOver, setOver] = useState(false);
  return {
    isOver,
    onDragOver: (event: DragEvent): void => {
      if (!event.dataTransfer.types.includes("Files")) return;
      event.preventDefault();
      setOver(true);
    },
    onDragLeave: (): void => setOver(false),
    onDrop: (event: DragEvent): void => {
      setOver(false);
      if (event.dataTransfer.files.length === 0) return;
      event.preventDefault();
      add(Array.from(event.dataTransfer.files));
    },
  };
}

const KEYS = new WeakMap<File, number>();
let nKeys = 0;

/** The file itself, as a key: two may be alike, and one that moves up is not drawn anew. */
function keyOf(picture: File): number {
  const key = KEYS.get(picture) ?? nKeys++;
  KEYS.set(picture, key);
  return key;
}

interface ChosenProps {
  label: string;
  pictures: File[];
  /** Those that can no longer be left out. */
  onTheirWay: File[];
  onLeaveOut: (picture: File) => void;
}

/** What goes with the note. */
function Chosen({ label, pictures, onTheirWay, onLeaveOut }: ChosenProps) {
  if (pictures.length === 0) return null;
  return (
    <ul className={styles.pictures} aria-label={`Pictures: ${label}`}>
      {pictures.map((picture) => (
        <li key={keyOf(picture)}>
          <Preview picture={picture} />
          <Button
            size="compact-xs"
            variant="subtle"
            disabled={onTheirWay.includes(picture)}
            aria-label={`Leave out ${picture.name}`}
            onClick={() => onLeaveOut(picture)}
          >
            Leave out
          </Button>
        </li>
      ))}
    </ul>
  );
}

/** The file itself: the page may show what is its own (`data:`), and nothing from elsewhere. */
function Preview({ picture }: { picture: File }) {
  const [url, setUrl] = useState<string | null>(null);
  useEffect(() => {
    const reader = new FileReader();
    reader.onload = () => setUrl(typeof reader.result === "string" ? reader.result : null);
    reader.readAsDataURL(picture);
    return () => reader.abort();
  }, [picture]);
  return url === null ? <span>{picture.name}</span> : <img src={url} alt={picture.name} />;
}
