// What happened in an incident, the newest first; what is not there yet is said, and can be had.
import { Button } from "@mantine/core";
import { useState } from "react";

import { picturePath, useOlderEntries, useTakeBack } from "../api/queries.ts";
import type { IncidentDetail, IncidentEntry, IncidentPicture } from "../api/types.ts";
import { useNow } from "../state/clock.ts";
import { formatClock, formatDay, safeUrl, toMs } from "../state/format.ts";
import { timelineRows } from "../state/incidents.ts";
import { altOf } from "../state/pictures.ts";
import { rememberAuthor } from "../state/silence.ts";
import page from "../pages/page.module.css";
import styles from "./IncidentTimeline.module.css";

interface IncidentTimelineProps {
  incident: IncidentDetail;
  /** Who is there; empty when nobody said so. */
  author: string;
}

export function IncidentTimeline({ incident, author }: IncidentTimelineProps) {
  const [asked, setAsked] = useState<number[]>([]);
  const older = useOlderEntries(incident.id, asked);
  const rows = timelineRows([...incident.timeline, ...older.entries]);
  const today = formatDay(useNow());
  const ask = (before: number): void => setAsked([...asked.filter((it) => it !== before), before]);
  return (
    <section className={page.card} aria-labelledby="timeline">
      <h2 id="timeline">
        Timeline <span className={page.aside}>the newest first</span>
      </h2>
      <ol className={styles.list}>
        {rows.map((row) =>
          "n" in row ? (
            <Entry key={row.n} incident={incident.id} entry={row} today={today} author={author} />
          ) : (
            <li key={`before ${row.before}`}>
              <Button
                size="xs"
                variant="default"
                disabled={older.isPending}
                onClick={() => ask(row.before)}
              >
                {row.isOldest ? "Show older entries" : `Show ${row.count} entries in between`}
              </Button>
            </li>
          ),
        )}
      </ol>
      {older.error && <p role="alert">{older.error.message}</p>}
    </section>
  );
}

interface EntryProps {
  /** Whose it is. */
  incident: string;
  entry: IncidentEntry;
  today: string;
  author: string;
}

function Entry({ incident, entry, today, author }: EntryProps) {
  const at = toMs(entry.at) ?? 0;
  const url = safeUrl(entry.url ?? undefined);
  return (
    <li className={styles.entry}>
      <time dateTime={entry.at} title={formatDay(at)}>
        {formatDay(at) === today ? "" : `${formatDay(at)} `}
        {formatClock(at)}
      </time>
      <span className={styles.what}>
        <strong>{entry.by ?? "Firebell"}</strong> {entry.text}
        {url !== null && (
          <>
            {" "}
            <a href={url} target="_blank" rel="noreferrer">
              open
            </a>
          </>
        )}
        {entry.picture && (
          <>
            <Picture
              url={picturePath(incident, entry.picture.id)}
              picture={entry.picture}
              alt={altOf(entry)}
            />
            <TakeBack
              incident={incident}
              picture={entry.picture.id}
              author={author}
              label={altOf(entry)}
            />
          </>
        )}
      </span>
    </li>
  );
}

interface PictureProps {
  url: string;
  picture: IncidentPicture;
  alt: string;
}

/** Small in the timeline, and whole in a tab of its own. */
function Picture({ url, picture, alt }: PictureProps) {
  const [isBroken, setBroken] = useState(false);
  if (isBroken) {
    return (
      <span className={styles.broken}>
        The picture cannot be shown.{" "}
        <Button size="compact-xs" variant="default" onClick={() => setBroken(false)}>
          Try again
        </Button>
      </span>
    );
  }
  return (
    <a className={styles.picture} href={url} target="_blank" rel="noreferrer">
      <img
        src={url}
        alt={alt}
        width={picture.width}
        height={picture.height}
        loading="lazy"
        onError={() => setBroken(true)}
      />
    </a>
  );
}

interface TakeBackProps {
  incident: string;
  picture: string;
  author: string;
  /** What it shows. */
  label: string;
}

/** Asks once more, as a picture does not come back by itself. */
function TakeBack({ incident, picture, author, label }: TakeBackProps) {
  const [isAsking, setAsking] = useState(false);
  const mutation = useTakeBack(incident);
  const takeBack = (): void => {
    rememberAuthor(author);
    mutation.mutate({ picture, by: author });
  };
  const isOff = author === "" || mutation.isPending;
  return (
    <span className={styles.takeBack}>
      {isAsking ? (
        <>
          <Button size="compact-xs" variant="default" disabled={isOff} onClick={takeBack}>
            Remove the picture
          </Button>
          <Button size="compact-xs" variant="default" onClick={() => setAsking(false)}>
            Keep it
          </Button>
          {author === "" && <span>Say your name first, where it says what you do.</span>}
        </>
      ) : (
        <Button
          size="compact-xs"
          variant="subtle"
          aria-label={`Take back: ${label}`}
          onClick={() => setAsking(true)}
        >
          Take back
        </Button>
      )}
      {mutation.error && <span role="alert">{mutation.error.message}</span>}
    </span>
  );
}
