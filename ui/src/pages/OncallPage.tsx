// Who is on call now, who will be in the next two weeks and why, where nobody is, and who carries
// how much.
import type { ReactNode } from "react";

import { useOncall, useShifts } from "../api/queries.ts";
import type { OncallNow, OncallPerson, OncallShifts, OncallWatch } from "../api/types.ts";
import { CalendarForm } from "../components/CalendarForm.tsx";
import { Empty, Failed, Loading } from "../components/Notice.tsx";
import { OverrideForm } from "../components/OverrideForm.tsx";
import { PageTitle } from "../components/PageTitle.tsx";
import { Until } from "../components/Time.tsx";
import { useNow } from "../state/clock.ts";
import { count } from "../state/format.ts";
import {
  byNeed,
  causeWords,
  changeWords,
  colours,
  days,
  formatTurn,
  isMissed,
  LINE_DAYS,
  LOAD_DAYS,
  place,
  startOfDay,
  turns,
  WEEKDAYS,
} from "../state/oncall.ts";
import { hrefTo } from "../state/route.ts";
import own from "./OncallPage.module.css";
import styles from "./page.module.css";

/** `asked` names the schedule to show; the first when it is null. */
export default function OncallPage({ asked }: { asked: string | null }) {
  const { data, error, isPending } = useOncall();
  const shown = asked ?? data?.schedules[0]?.name;
  return (
    <>
      <div className={styles.head}>
        <PageTitle name="On call" />
      </div>
      {error && <Failed what="who is on call" error={error} hasOlder={data !== undefined} />}
      {isPending && <Loading />}
      {data?.schedules.length === 0 && (
        <Empty title="Nobody is on call">
          <p>
            Name people and schedules under <code>oncall</code> in firebell.yml.
          </p>
        </Empty>
      )}
      {data && data.schedules.length > 0 && <Now now={data} shown={shown} />}
      {data && shown !== undefined && <Schedule key={shown} name={shown} people={data.people} />}
      {data && data.people.length > 0 && <People list={data.people} />}
    </>
  );
}

function Now({ now, shown }: { now: OncallNow; shown: string | undefined }) {
  const missed = now.schedules.filter(isMissed).length;
  const bare = now.teams.filter(({ schedule }) => schedule === null);
  return (
    <section className={styles.card} aria-label="Now">
      <h2>
        Now
        <span className={styles.aside}>
          {missed > 0
            ? `nobody by ${missed} of ${count(now.schedules.length, "schedule")}`
            : count(now.schedules.length, "schedule")}
        </span>
      </h2>
      <ul className={styles.panel}>
        {[...now.schedules].sort(byNeed).map((watch) => (
          <WatchRow key={watch.name} watch={watch} now={now} isShown={watch.name === shown} />
        ))}
        {bare.map((team) => (
          <li key={`team ${team.name}`} className={own.row}>
            <p className={own.name}>team {team.name}</p>
            <p className={own.facts}>
              {team.onCall.join(", ") || "nobody"}: all members, it has no schedule
            </p>
          </li>
        ))}
      </ul>
    </section>
  );
}

interface WatchProps {
  watch: OncallWatch;
  now: OncallNow;
  isShown: boolean;
}

function WatchRow({ watch, now, isShown }: WatchProps) {
  const { name, zone, onCall, before, next, handOverAt } = watch;
  const fullName = (who: string) => now.people.find((it) => it.name === who)?.fullName ?? who;
  const teams = now.teams.filter(({ schedule }) => schedule === name).map((team) => team.name);
  const cause = onCall === null ? "" : causeWords(onCall);
  return (
    <li className={own.row} data-missed={isMissed(watch) ? "" : undefined}>
      <div>
        <p className={own.name}>
          <a href={hrefTo("oncall", name)} aria-current={isShown ? "true" : undefined}>
            {name}
          </a>
        </p>
        <p className={own.facts}>
          {zone}
          {teams.length > 0 && ` · of ${teams.join(", ")}`}
        </p>
      </div>
      <div>
        <p className={own.who}>{onCall?.people.map(fullName).join(", ") ?? "Nobody"}</p>
        <p className={own.facts}>
          {handOverAt === null ? (
            "no hand-over within 40 days"
          ) : (
            <>
              until {formatTurn(handOverAt)} (<Until at={Date.parse(handOverAt)} />)
            </>
          )}
          {next !== null && `, then ${next.people.map(fullName).join(", ")}`}
        </p>
        <p className={own.facts}>
          {[
            before !== null && `before: ${before.people.map(fullName).join(", ")}`,
            cause !== "" && cause,
            onCall !== null &&
              onCall.shadows.length > 0 &&
              `shadow: ${onCall.shadows.map(fullName).join(", ")}`,
          ]
            .filter((it) => it !== false)
            .join(" · ")}
        </p>
      </div>
    </li>
  );
}

function Schedule({ name, people }: { name: string; people: OncallPerson[] }) {
  const from = startOfDay(useNow());
  const { data, error, isPending } = useShifts(name, from, LINE_DAYS);
  return (
    <section className={styles.card} aria-labelledby="schedule">
      <h2 id="schedule">
        {name}
        <span className={styles.aside}>
          {data === undefined ? "two weeks" : gapWords(data)} · by your clock
        </span>
      </h2>
      {error && <Failed what="the shifts" error={error} hasOlder={data !== undefined} />}
      {isPending && <Loading />}
      {data && (
        <div className={styles.panel}>
          <Timeline shifts={data} from={from} />
          <Turns shifts={data} />
          <p className={own.links}>
            <a href={`api/firebell/v1/oncall/calendar.ics?schedule=${encodeURIComponent(name)}`}>
              Calendar
            </a>{" "}
            to subscribe to
          </p>
        </div>
      )}
      <Loads name={name} from={from} />
      <div className={styles.change}>
        <OverrideForm schedule={name} from={from} people={people} />
        <CalendarForm schedule={name} />
      </div>
    </section>
  );
}

function gapWords({ gaps, gapsAllowed }: OncallShifts): string {
  if (gaps.length === 0) return "covered for two weeks";
  return `${count(gaps.length, "gap")} within two weeks${gapsAllowed ? ", which is allowed" : ""}`;
}

/** A picture; the same stands below it as a list. */
function Timeline({ shifts, from }: { shifts: OncallShifts; from: number }) {
  const now = useNow();
  const [first = from, ...rest] = days(from, LINE_DAYS + 1);
  const to = rest.at(-1) ?? first;
  const starts = [first, ...rest.slice(0, -1)];
  const known = colours(shifts);
  const changes = shifts.changes.filter((change) => place(change, from, to) !== null);
  const nowAt = `${((now - from) / (to - from)) * 100}%`;
  return (
    <div
      className={own.line}
      role="img"
      aria-label={`Two weeks of ${shifts.schedule}: ${gapWords(shifts)}; listed below`}
    >
      <div className={own.days}>
        <span />
        <div className={own.track}>
          {starts.map((at) => (
            <span
              key={at}
              className={own.day}
              data-weekend={[0, 6].includes(new Date(at).getDay()) ? "" : undefined}
              style={{ left: `${((at - from) / (to - from)) * 100}%` }}
            >
              <b>{WEEKDAYS[new Date(at).getDay()]?.slice(0, 2)}</b> {new Date(at).getDate()}
            </span>
          ))}
        </div>
      </div>
      {shifts.layers.map((layer, idx) => (
        <Row key={idx} name={layer.name}>
          {layer.shifts.map((shift) => (
            <Bar
              key={shift.from}
              span={shift}
              range={[from, to]}
              known={known}
              who={shift.people}
            />
          ))}
        </Row>
      ))}
      {changes.length > 0 && (
        <Row name="changes">
          {changes.map((change, idx) => (
            <Bar key={idx} span={change} range={[from, to]} known={known} who={change.people} />
          ))}
        </Row>
      )}
      <Row name="on call" isFinal>
        {shifts.shifts.map((shift) => (
          <Bar key={shift.from} span={shift} range={[from, to]} known={known} who={shift.people} />
        ))}
        {shifts.gaps.map((gap) => (
          <span
            key={gap.from}
            className={own.gap}
            data-allowed={shifts.gapsAllowed ? "" : undefined}
            style={place(gap, from, to) ?? {}}
          />
        ))}
        <span className={own.now} style={{ left: nowAt }} />
      </Row>
    </div>
  );
}

interface RowProps {
  name: string;
  isFinal?: boolean;
  children: ReactNode;
}

function Row({ name, isFinal = false, children }: RowProps) {
  return (
    <div className={own.lane} data-final={isFinal ? "" : undefined}>
      <span className={own.laneName}>{name}</span>
      <div className={own.track}>{children}</div>
    </div>
  );
}

interface BarProps {
  span: { from: string; until: string };
  range: [number, number];
  known: Map<string, number>;
  who: string[];
}

function Bar({ span, range: [from, to], known, who }: BarProps) {
  const names = who.join(", ");
  return (
    <span
      className={own.bar}
      data-colour={known.get(who[0] ?? "") ?? 0}
      style={place(span, from, to) ?? { display: "none" }}
      title={`${names}: ${formatTurn(span.from)} to ${formatTurn(span.until)}`}
    >
      {names}
    </span>
  );
}

function Turns({ shifts }: { shifts: OncallShifts }) {
  return (
    <details className={own.turns}>
      <summary>As a list</summary>
      <ul>
        {turns(shifts).map(({ from, until, shift }) => (
          <li key={from} data-gap={shift === null && !shifts.gapsAllowed ? "" : undefined}>
            <span>
              {formatTurn(from)} to {formatTurn(until)}
            </span>{" "}
            <b>{shift === null ? "nobody" : shift.people.join(", ")}</b>
            {shift !== null && causeWords(shift) !== "" && ` (${causeWords(shift)})`}
          </li>
        ))}
        {shifts.changes.map((change, idx) => (
          <li key={idx}>
            <span>
              {formatTurn(change.from)} to {formatTurn(change.until)}
            </span>{" "}
            change: {changeWords(change)}
          </li>
        ))}
      </ul>
    </details>
  );
}

function Loads({ name, from }: { name: string; from: number }) {
  const { data } = useShifts(name, from, LOAD_DAYS);
  if (data === undefined || data.fairness.people.length === 0) return null;
  const hours = (it: number) => it.toLocaleString("en", { maximumFractionDigits: 1 });
  return (
    <>
      <p className={own.carried} id="carried">
        The next twelve weeks: balance {data.fairness.balance.toFixed(2)} (1 when all carry the
        same); nights and weekends by their own clocks
      </p>
      <div className={styles.figures} role="region" aria-label="Who carries how much" tabIndex={0}>
        <table aria-labelledby="carried">
          <thead>
            <tr>
              <th scope="col">Who</th>
              <th scope="col">Hours</th>
              <th scope="col">Shifts</th>
              <th scope="col">Nights</th>
              <th scope="col">At night</th>
              <th scope="col">Weekends</th>
              <th scope="col">At weekends</th>
            </tr>
          </thead>
          <tbody>
            {data.fairness.people.map((load) => (
              <tr key={load.name}>
                <th scope="row">{load.fullName}</th>
                <td>{hours(load.hours)} h</td>
                <td>{load.shifts}</td>
                <td>{load.nights}</td>
                <td>{hours(load.nightHours)} h</td>
                <td>{load.weekends}</td>
                <td>{hours(load.weekendHours)} h</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function contactWords({ kind, verified }: OncallPerson["contacts"][number]): string {
  return verified === false ? `${kind} (not confirmed)` : kind;
}

function People({ list }: { list: OncallPerson[] }) {
  return (
    <section className={styles.card} aria-label="People">
      <h2>
        People <span className={styles.aside}>{list.length}</span>
      </h2>
      <ul className={styles.panel}>
        {list.map((person) => (
          <li key={person.name} className={own.row}>
            <p className={own.name}>{person.fullName}</p>
            <p className={person.contacts.length === 0 ? own.unreachable : own.facts}>
              {person.contacts.map(contactWords).join(", ") || "cannot be reached"} · {person.zone}
            </p>
          </li>
        ))}
      </ul>
    </section>
  );
}
