// A month in figures: what fired and what it was worth, what to do about it, and what it was like for
// people. The lights are the server's.
import { TextInput } from "@mantine/core";
import type { ReactNode } from "react";

import { useQuality } from "../api/queries.ts";
import type { Figures, PersonMonth, Quality } from "../api/types.ts";
import { Empty, Failed, Loading } from "../components/Notice.tsx";
import { PageTitle } from "../components/PageTitle.tsx";
import { useNow } from "../state/clock.ts";
import { ADVICE, minutesText, monthOf, percent, verdictsText } from "../state/review.ts";
import { hrefTo, replaceRoute } from "../state/route.ts";
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
      {rules.length > 0 && <Rules rules={rules} more={data.moreRules} />}
      {people.length > 0 && <People people={people} targets={data.targets} />}
    </>
  );
}

function Rules({ rules, more }: { rules: Figures[]; more: number }) {
  return (
    <Card name="What fired" aside={more > 0 ? `and ${more} more rules` : undefined}>
      <thead>
        <tr>
          <th scope="col">Rule</th>
          <th scope="col">Fired</th>
          <th scope="col">Told of</th>
          <th scope="col">Actionable</th>
          <th scope="col">Looked at after</th>
          <th scope="col">Over after</th>
          <th scope="col">Verdicts</th>
          <th scope="col">By replay</th>
          <th scope="col">Advice</th>
        </tr>
      </thead>
      <tbody>
        {rules.map((rule) => (
          <tr key={rule.name}>
            <th scope="row">{rule.name === "" ? "(none)" : rule.name}</th>
            <td>{rule.fired}</td>
            <td>{rule.notified}</td>
            <td>
              <Light light={rule.light} /> {percent(rule.actionableShare)}
            </td>
            <td>{minutesText(rule.acknowledgeSeconds?.median)}</td>
            <td>{minutesText(rule.resolveSeconds?.median)}</td>
            <td>{verdictsText(rule.verdicts)}</td>
            <td>–</td>
            <td>{ADVICE[rule.advice ?? "keep"]}</td>
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
      <div className={styles.table} role="region" aria-label={`${name}: table`} tabIndex={0}>
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
