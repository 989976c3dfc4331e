// A month in figures: what fired and what it was worth, what to do about it, and what it was like for
// people. The lights are the server's.
import { Button, TextInput } from "@mantine/core";
import { type ReactNode, type SyntheticEvent, useState } from "react";

import { useDecide, useQuality } from "../api/queries.ts";
import type { BusinessFigure, Figures, PersonMonth, Quality } from "../api/types.ts";
import { Empty, Failed, Loading } from "../components/Notice.tsx";
import { PageTitle } from "../components/PageTitle.tsx";
import { useNow } from "../state/clock.ts";
import { formatDay, toMs } from "../state/format.ts";
import {
  ADVICE,
  amount,
  minutesText,
  monthOf,
  nightText,
  percent,
  verdictsText,
} from "../state/review.ts";
import { hrefTo, replaceRoute } from "../state/route.ts";
import { lastAuthor, rememberAuthor } from "../state/silence.ts";
import page from "./page.module.css";
import styles from "./ReviewPage.module.css";

export default function ReviewPage({ params }: { params: URLSearchParams }) {
  const now = useNow();
  const month = params.get("month") ?? monthOf(now);
  const quality = useQuality(month);
  const { data, error } = quality;
  return (
    <>
      <div className={page.head}>
        <PageTitle name="Review" />
        <div className={page.controls}>
          <TextInput
            size="xs"
            type="month"
            aria-label="Month"
            value={month}
            onChange={(event) =>
              replaceRoute(hrefTo("review", null, { month: event.currentTarget.value }))
            }
          />
        </div>
      </div>
      {error && <Failed what="the month" error={error} hasOlder={data !== undefined} />}
      {quality.isPending && <Loading />}
      {data && <Month data={data} />}
    </>
  );
}

function Month({ data }: { data: Quality }) {
  const { total, rules, people } = data;
  return (
    <>
      <p>
        {total.fired} alerts fired; {total.notified} were told of, {total.acknowledged} looked at;{" "}
        <Light light={total.light} /> {percent(total.actionableShare)} actionable, the target is{" "}
        {percent(data.targets.actionable)}. {total.guessed} verdicts are guessed.
        {data.isCut && " More fired than is counted here."}{" "}
        <a href={`api/firebell/v1/review?month=${data.month}`}>The review as Markdown</a>
      </p>
      {rules.length === 0 && people.length === 0 && (
        <Empty title={`Nothing fired in ${data.month}`}>
          <p>Figures come from the history: they know what is kept.</p>
        </Empty>
      )}
      {data.figures.length > 0 && <Business figures={data.figures} />}
      {rules.length > 0 && <Rules rules={rules} more={data.moreRules} data={data} />}
      <Runbooks data={data} />
      {data.incidents.length > 0 && <Incidents data={data} />}
      {people.length > 0 && <People people={people} targets={data.targets} />}
      <Decisions data={data} />
    </>
  );
}

function Business({ figures }: { figures: BusinessFigure[] }) {
  return (
    <Card name="What the business did" aside="at the end of each day">
      <thead>
        <tr>
          <th scope="col">Figure</th>
          <th scope="col">Mean</th>
          <th scope="col">Lowest</th>
          <th scope="col">Highest</th>
          <th scope="col">By day</th>
        </tr>
      </thead>
      <tbody>
        {figures.map(({ name, mean, days, error }) => {
          const values = days.map((day) => day.value);
          return (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>{amount(mean)}</td>
              <td>{amount(values.length > 0 ? Math.min(...values) : null)}</td>
              <td>{amount(values.length > 0 ? Math.max(...values) : null)}</td>
              <td>{error ?? <Days values={values} />}</td>
            </tr>
          );
        })}
      </tbody>
    </Card>
  );
}

/** What the table says, to be seen at a glance. */
function Days({ values }: { values: number[] }) {
  const most = Math.max(...values, 0);
  return (
    <svg
      className={styles.days}
      viewBox={`0 0 ${values.length * 4} 20`}
      preserveAspectRatio="xMaxYMid"
      aria-hidden="true"
    >
      {values.map((value, idx) => {
        const height = most > 0 ? Math.max(1, (Math.max(value, 0) / most) * 20) : 1;
        return <rect key={idx} x={idx * 4} y={20 - height} width={3} height={height} />;
      })}
    </svg>
  );
}

function Rules({ rules, more, data }: { rules: Figures[]; more: number; data: Quality }) {
  const decided = new Map(data.decisions.map((it) => [it.about, it.decision]));
  return (
    <Card name="What fired" aside={more > 0 ? `and ${more} more rules` : undefined}>
      <thead>
        <tr>
          <th scope="col">Rule</th>
          <th scope="col">Fired</th>
          <th scope="col">Told of</th>
          <th scope="col">Paged</th>
          <th scope="col">At night</th>
          <th scope="col">Escalated</th>
          <th scope="col">Actionable</th>
          <th scope="col">Looked at after</th>
          <th scope="col">Over after</th>
          <th scope="col">Verdicts</th>
          <th scope="col">By replay</th>
          <th scope="col">Advice</th>
          <th scope="col">Decided</th>
        </tr>
      </thead>
      <tbody>
        {rules.map((rule) => (
          <tr key={rule.name}>
            <th scope="row">{rule.name === "" ? "(none)" : rule.name}</th>
            <td>{rule.fired}</td>
            <td>{rule.notified}</td>
            <td>{rule.pages}</td>
            <td>{nightText(rule)}</td>
            <td>{rule.escalated}</td>
            <td>
              <Light light={rule.light} /> {percent(rule.actionableShare)}
            </td>
            <td>{minutesText(rule.acknowledgeSeconds?.median)}</td>
            <td>{minutesText(rule.resolveSeconds?.median)}</td>
            <td>{verdictsText(rule.verdicts)}</td>
            <td>–</td>
            <td>{ADVICE[rule.advice ?? "keep"]}</td>
            <td>{decided.get(rule.name ?? "") ?? "–"}</td>
          </tr>
        ))}
      </tbody>
    </Card>
  );
}

/** Rules whose alerts took too long, with what should have helped. */
function Runbooks({ data }: { data: Quality }) {
  const failed = data.rules.filter((rule) => rule.runbookFailed === true);
  if (failed.length === 0) return null;
  const aside = `nine of ten alerts were over after more than ${minutesText(data.targets.runbookSeconds)}`;
  return (
    <Card name="Runbooks that failed" aside={aside}>
      <thead>
        <tr>
          <th scope="col">Rule</th>
          <th scope="col">Half within</th>
          <th scope="col">9 of 10 within</th>
          <th scope="col">Runbook</th>
        </tr>
      </thead>
      <tbody>
        {failed.map((rule) => (
          <tr key={rule.name}>
            <th scope="row">{rule.name}</th>
            <td>{minutesText(rule.resolveSeconds?.median)}</td>
            <td>{minutesText(rule.resolveSeconds?.p90)}</td>
            <td>
              <Runbook text={rule.runbook ?? null} />
            </td>
          </tr>
        ))}
      </tbody>
    </Card>
  );
}

function Runbook({ text }: { text: string | null }) {
  if (text === null) return <>it has none</>;
  return /^https?:\/\//.test(text) ? <a href={text}>{text}</a> : <>{text}</>;
}

function Incidents({ data }: { data: Quality }) {
  const { incidents, moreIncidents } = data;
  const without = incidents.filter((it) => it.hadNoAlert).length;
  const more = moreIncidents > 0 ? `, and ${moreIncidents} more` : "";
  return (
    <Card name="Incidents" aside={`${without} had no alert${more}`}>
      <thead>
        <tr>
          <th scope="col">Incident</th>
          <th scope="col">Severity</th>
          <th scope="col">Opened</th>
          <th scope="col">By</th>
          <th scope="col">Lasted</th>
          <th scope="col">Alerts</th>
          <th scope="col">Verdict</th>
        </tr>
      </thead>
      <tbody>
        {incidents.map((it) => (
          <tr key={it.id} data-missed={it.hadNoAlert || undefined}>
            <th scope="row">
              <a href={hrefTo("incidents", it.id)}>
                {it.id} {it.title}
              </a>
            </th>
            <td>{it.severity}</td>
            <td>{formatDay(toMs(it.openedAt) ?? 0)}</td>
            <td>{it.openedBy ?? "Firebell"}</td>
            <td>{minutesText(it.lastedSeconds)}</td>
            <td>{it.hadNoAlert ? "no alert" : it.alertCount}</td>
            <td>
              {it.verdict?.words ?? "–"}
              {it.verdict?.guessed === true && " (guessed)"}
            </td>
          </tr>
        ))}
      </tbody>
    </Card>
  );
}

function People({ people, targets }: { people: PersonMonth[]; targets: Quality["targets"] }) {
  const { good, burnout } = targets.offHours;
  const aside = `off hours: green up to ${good}, red from ${burnout}; by their own clocks`;
  return (
    <Card name="What it was like for people" aside={aside}>
      <thead>
        <tr>
          <th scope="col">Who</th>
          <th scope="col">Pages</th>
          <th scope="col">Off hours</th>
          <th scope="col">At night</th>
          <th scope="col">Sleep lost</th>
          <th scope="col">Looked after</th>
          <th scope="col">9 of 10</th>
          <th scope="col">On call</th>
          <th scope="col">Pages in 12 h</th>
        </tr>
      </thead>
      <tbody>
        {people.map((it) => (
          <tr key={it.name}>
            <th scope="row">{it.name}</th>
            <td>{it.pages}</td>
            <td>
              <Light light={it.light} /> {it.offHours}
            </td>
            <td>{it.atNight}</td>
            <td>{Math.round(it.sleepLostMinutes)} min</td>
            <td>{minutesText(it.acknowledgeSeconds?.median)}</td>
            <td>{minutesText(it.acknowledgeSeconds?.p90)}</td>
            <td>{it.onCallHours === null ? "–" : `${Math.round(it.onCallHours)} h`}</td>
            <td>
              <Light light={it.pagesInShiftLight} /> {it.pagesInShift?.toFixed(1) ?? "–"}
            </td>
          </tr>
        ))}
      </tbody>
    </Card>
  );
}

function Decisions({ data }: { data: Quality }) {
  const [about, setAbout] = useState("");
  const [decision, setDecision] = useState("");
  const [author, setAuthor] = useState(lastAuthor);
  const decide = useDecide(data.month);
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    rememberAuthor(author.trim());
    decide.mutate({ by: author, about, decision }, { onSuccess: () => setDecision("") });
  };
  const isWhole = [about, decision, author].every((text) => text.trim() !== "");
  return (
    <section className={page.card} aria-labelledby="decisions">
      <h2 id="decisions">Decisions</h2>
      <ul className={styles.decisions}>
        {data.decisions.map((it) => (
          <li key={`${it.at} ${it.about}`}>
            <strong>{it.about}</strong>: {it.decision}{" "}
            <span className={page.aside}>
              {it.by}, {formatDay(toMs(it.at) ?? 0)}
            </span>
          </li>
        ))}
      </ul>
      <form className={styles.form} onSubmit={submit} aria-label="Note a decision">
        <TextInput
          size="xs"
          label="About"
          description="A rule, or a topic"
          maxLength={200}
          value={about}
          onChange={(event) => setAbout(event.currentTarget.value)}
        />
        <TextInput
          size="xs"
          label="Decision"
          description="In a line"
          maxLength={200}
          value={decision}
          onChange={(event) => setDecision(event.currentTarget.value)}
        />
        <TextInput
          size="xs"
          label="Your name"
          description="It is kept with it"
          value={author}
          onChange={(event) => setAuthor(event.currentTarget.value)}
        />
        <Button size="xs" type="submit" disabled={!isWhole} loading={decide.isPending}>
          Note it
        </Button>
      </form>
      {decide.error && <p role="alert">{decide.error.message}</p>}
    </section>
  );
}

interface CardProps {
  name: string;
  aside: string | undefined;
  children: ReactNode;
}

function Card({ name, aside, children }: CardProps) {
  return (
    <section className={page.card} aria-label={name}>
      <h2>
        {name} {aside !== undefined && <span className={page.aside}>{aside}</span>}
      </h2>
      <div
        className={`${page.panel} ${page.figures}`}
        role="region"
        aria-label={`${name}: table`}
        tabIndex={0}
      >
        <table>{children}</table>
      </div>
    </section>
  );
}

/** Its colour in a word as well. */
function Light({ light }: { light: string | null | undefined }) {
  if (light === null || light === undefined) return null;
  return (
    <span className={styles.light} data-light={light}>
      {light}
    </span>
  );
}
