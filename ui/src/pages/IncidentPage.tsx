// One incident: where it stands, what is known, what happened, and what can be done.
import { Button } from "@mantine/core";
import { useState } from "react";

import { useIncident, useIncidentAct } from "../api/queries.ts";
import type { IncidentDetail, IncidentEntry } from "../api/types.ts";
import { IncidentActs } from "../components/IncidentActs.tsx";
import { IncidentState, SeverityMark } from "../components/IncidentBits.tsx";
import { Failed, Loading } from "../components/Notice.tsx";
import { PageTitle } from "../components/PageTitle.tsx";
import { Since } from "../components/Time.tsx";
import { formatClock, formatDay, safeUrl, toMs } from "../state/format.ts";
import { alertWords } from "../state/incidents.ts";
import { hrefTo } from "../state/route.ts";
import { lastAuthor } from "../state/silence.ts";
import styles from "./IncidentPage.module.css";
import page from "./page.module.css";

export default function IncidentPage({ id }: { id: string }) {
  const { data, error, isPending } = useIncident(id);
  return (
    <>
      <nav aria-label="Way back" className={styles.back}>
        <a href={hrefTo("incidents")}>← Incidents</a>
      </nav>
      {!data && <PageTitle name={id} />}
      {error && <Failed what="the incident" error={error} hasOlder={data !== undefined} />}
      {isPending && <Loading />}
      {data && <Details incident={data} />}
    </>
  );
}

function Details({ incident }: { incident: IncidentDetail }) {
  return (
    <article>
      <Head incident={incident} />
      <div className={styles.columns}>
        <div>
          <Facts incident={incident} />
          <Tasks incident={incident} />
          <Alerts incident={incident} />
          <Timeline incident={incident} />
        </div>
        <IncidentActs incident={incident} />
      </div>
    </article>
  );
}

function Head({ incident }: { incident: IncidentDetail }) {
  const { mergedInto, verdict } = incident;
  const movedAt = toMs(incident.movedAt);
  return (
    <header className={styles.head}>
      <p className={styles.state}>
        <IncidentState incident={incident} />
        {movedAt !== null && (
          <span>
            for <Since at={movedAt} />
          </span>
        )}
        <SeverityMark severity={incident.severity} />
        <span className={page.aside}>{incident.id}</span>
      </p>
      <PageTitle name={incident.title} />
      {mergedInto !== null && (
        <p>
          It goes on as <a href={hrefTo("incidents", mergedInto)}>{mergedInto}</a>.
        </p>
      )}
      {verdict && (
        <p>
          It was {verdict.words}
          {verdict.guessed ? ", as Firebell guesses" : `, says ${verdict.by ?? ""}`}.
        </p>
      )}
    </header>
  );
}

function Facts({ incident }: { incident: IncidentDetail }) {
  const { impact, data, acknowledged, follows } = incident;
  const facts: [string, string][] = [
    ["Opened by", incident.openedBy ?? "Firebell"],
    ["Service", incident.service],
    ["Looks into it", acknowledged?.by ?? ""],
    ...incident.roles.map(({ role, person }): [string, string] => [role, person]),
    ["Users notice", impact ? `${impact.text}${usersOf(impact.users)}` : ""],
    ["Hit", incident.components.join(", ")],
    ["Data", data ? `${data.state.replace("_", " ")} ${data.text}` : ""],
  ];
  return (
    <dl className={styles.facts}>
      {facts
        .filter(([, value]) => value !== "")
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      {follows !== null && (
        <div>
          <dt>Follows</dt>
          <dd>
            <a href={hrefTo("incidents", follows)}>{follows}</a>
          </dd>
        </div>
      )}
    </dl>
  );
}

function usersOf(users: number | null): string {
  return users === null ? "" : ` (${users} users)`;
}

function Tasks({ incident }: { incident: IncidentDetail }) {
  const act = useIncidentAct(incident.id);
  if (incident.tasks.length === 0) return null;
  return (
    <section className={page.card} aria-labelledby="tasks">
      <h2 id="tasks">Tasks</h2>
      <ul className={styles.list}>
        {incident.tasks.map(({ n, text, owner, done }) => (
          <li key={n}>
            <label>
              <input
                type="checkbox"
                checked={done !== null}
                disabled={done !== null || act.isPending || lastAuthor() === ""}
                onChange={() => act.mutate({ do: "task_done", task: n, by: lastAuthor() })}
              />{" "}
              {text}
              <span className={page.aside}>
                {owner !== null && ` ${owner}`}
                {done !== null && ` done by ${done.by}`}
              </span>
            </label>
          </li>
        ))}
      </ul>
      {act.error && <p role="alert">{act.error.message}</p>}
    </section>
  );
}

function Alerts({ incident }: { incident: IncidentDetail }) {
  return (
    <section className={page.card} aria-labelledby="alerts">
      <h2 id="alerts">
        Alerts <span className={page.aside}>{alertWords(incident)}</span>
      </h2>
      {incident.alerts.length > 0 && (
        <ul className={styles.list}>
          {incident.alerts.slice(0, ALERTS_SHOWN).map(({ fingerprint, text, endedAt }) => (
            <li key={fingerprint}>
              <a href={hrefTo("alerts", fingerprint)}>{text}</a>
              <span className={page.aside}>{endedAt === null ? " fires" : " has ended"}</span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

/** The rest is counted above. */
const ALERTS_SHOWN = 50;

function Timeline({ incident }: { incident: IncidentDetail }) {
  const [older, setOlder] = useState<number[]>([]);
  return (
    <section className={page.card} aria-labelledby="timeline">
      <h2 id="timeline">
        Timeline <span className={page.aside}>the newest first</span>
      </h2>
      <ol className={styles.list}>
        <Entries entries={incident.timeline} />
        {older.map((before) => (
          <Older key={before} id={incident.id} before={before} />
        ))}
      </ol>
      <More incident={incident} older={older} onMore={(before) => setOlder([...older, before])} />
    </section>
  );
}

interface MoreProps {
  incident: IncidentDetail;
  older: number[];
  onMore: (before: number) => void;
}

function More({ incident, older, onMore }: MoreProps) {
  const last = useIncident(incident.id, older.at(-1));
  const next = (older.length === 0 ? incident : last.data)?.timelineBefore;
  if (next === null || next === undefined) return null;
  return (
    <Button size="xs" variant="default" onClick={() => onMore(next)}>
      Show older entries
    </Button>
  );
}

function Older({ id, before }: { id: string; before: number }) {
  const { data } = useIncident(id, before);
  return data ? <Entries entries={data.timeline} /> : null;
}

function Entries({ entries }: { entries: IncidentEntry[] }) {
  return [...entries].reverse().map((entry) => {
    const at = toMs(entry.at) ?? 0;
    const url = safeUrl(entry.url ?? undefined);
    return (
      <li key={entry.n} className={styles.entry}>
        <time dateTime={entry.at} title={formatDay(at)}>
          {formatDay(at) === formatDay(Date.now()) ? "" : `${formatDay(at)} `}
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
        </span>
      </li>
    );
  });
}
