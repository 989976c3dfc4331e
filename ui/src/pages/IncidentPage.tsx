// One incident: where it stands, what is known, what happened, and what can be done.
import { useState } from "react";

import { useIncident, useIncidentAct, usePages } from "../api/queries.ts";
import type { IncidentDetail } from "../api/types.ts";
import { IncidentActs } from "../components/IncidentActs.tsx";
import { IncidentState, SeverityMark } from "../components/IncidentBits.tsx";
import { IncidentTimeline } from "../components/IncidentTimeline.tsx";
import { Failed, Loading } from "../components/Notice.tsx";
import { PagePanel } from "../components/PagePanel.tsx";
import { PostmortemPanel } from "../components/PostmortemPanel.tsx";
import { PageTitle } from "../components/PageTitle.tsx";
import { Runbooks } from "../components/Runbooks.tsx";
import { Since } from "../components/Time.tsx";
import { toMs } from "../state/format.ts";
import { alertWords } from "../state/incidents.ts";
import { DATA_STATES } from "../state/known.ts";
import { percent } from "../state/review.ts";
import { hrefTo } from "../state/route.ts";
import { lastAuthor, rememberAuthor } from "../state/silence.ts";
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
  // One name for all that is done on this page.
  const [author, setAuthor] = useState(lastAuthor);
  const paged = usePages().data?.get(incident.id);
  return (
    <article>
      <Head incident={incident} />
      <div className={styles.columns}>
        <div>
          <Facts incident={incident} />
          {paged && <PagePanel page={paged} author={author.trim()} />}
          <Runbooks id={incident.id} author={author.trim()} />
          <Tasks incident={incident} author={author.trim()} />
          <Alerts incident={incident} />
          <PostmortemPanel id={incident.id} author={author.trim()} />
          <IncidentTimeline incident={incident} author={author.trim()} />
        </div>
        <IncidentActs incident={incident} author={author} onAuthor={setAuthor} />
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
  const { impact, data, acknowledged, follows, budget } = incident;
  const facts: [string, string][] = [
    ["Opened by", incident.openedBy ?? "Firebell"],
    ["Service", incident.service],
    ["Looks into it", acknowledged?.by ?? ""],
    ...incident.roles.map(({ role, person }): [string, string] => [role, person]),
    ["Users notice", impact ? `${impact.text}${usersOf(impact.users)}` : ""],
    ["Hit", incident.components.join(", ")],
    ["Error budget", budget ? `${percent(budget.left)} of ${budget.objective} left` : ""],
    ["Data", data ? dataWords(data) : ""],
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

/** In a word, and how that is known. */
function dataWords({ state, text }: NonNullable<IncidentDetail["data"]>): string {
  const word = DATA_STATES.find(({ value }) => value === state)?.label ?? state;
  return text === "" ? word : `${word}: ${text}`;
}

function usersOf(users: number | null): string {
  return users === null ? "" : ` (${users} users)`;
}

function Tasks({ incident, author }: { incident: IncidentDetail; author: string }) {
  const act = useIncidentAct(incident.id);
  const finish = (task: number): void => {
    rememberAuthor(author);
    act.mutate({ do: "task_done", task, by: author });
  };
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
                disabled={done !== null || act.isPending || author === ""}
                onChange={() => finish(n)}
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
