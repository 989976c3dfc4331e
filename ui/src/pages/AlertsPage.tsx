// Every alert, what matters first; the page that stays open on somebody's second screen.
import { SegmentedControl, TextInput } from "@mantine/core";
import { useEffect, useMemo, useRef } from "react";

import { useAlerts, useStatus } from "../api/queries.ts";
import type { Alert, AlertState, Status } from "../api/types.ts";
import { AlertList } from "../components/AlertList.tsx";
import { NextSteps } from "../components/NextSteps.tsx";
import { Empty, Failed, Loading } from "../components/Notice.tsx";
import { PageTitle } from "../components/PageTitle.tsx";
import { byState, STATES } from "../state/alerts.ts";
import { parseFilter } from "../state/filter.ts";
import { count } from "../state/format.ts";
import { hrefTo, replaceRoute } from "../state/route.ts";
import styles from "./page.module.css";

export function AlertsPage({ params }: { params: URLSearchParams }) {
  const alerts = useAlerts();
  const status = useStatus();
  const text = params.get("q") ?? "";
  // Links in messages made with Alertmanager's templates name the receiver.
  const receiver = params.get("receiver") ?? "";
  const filter = useMemo(() => filterFor(text, receiver), [text, receiver]);
  const state = STATES.find((each) => each === params.get("state")) ?? null;
  return (
    <>
      <div className={styles.head}>
        <PageTitle name="Alerts" />
        {alerts.data && alerts.data.length > 0 && (
          <Controls
            alerts={alerts.data}
            text={text}
            receiver={receiver}
            filter={filter}
            state={state}
          />
        )}
      </div>
      {receiver !== "" && (
        <p className={styles.aside}>
          Only what goes to <b>{receiver}</b>. <a href={hrefTo("alerts")}>Show all</a>
        </p>
      )}
      {alerts.error && (
        <Failed what="the alerts" error={alerts.error} hasOlder={alerts.data !== undefined} />
      )}
      {alerts.isPending && <Loading />}
      {alerts.data && (
        <Alerts
          alerts={alerts.data}
          text={text}
          filter={filter}
          state={state}
          status={status.data}
        />
      )}
    </>
  );
}

interface AlertFilter {
  matches: (alert: Alert) => boolean;
  problem: string | null;
}

function filterFor(text: string, receiver: string): AlertFilter {
  const { matches, problem } = parseFilter(text);
  if (receiver === "") return { matches, problem };
  return {
    matches: (alert) => alert.receivers.includes(receiver) && matches(alert),
    problem,
  };
}

interface Props {
  alerts: Alert[];
  text: string;
  filter: AlertFilter;
  /** Null: all. */
  state: AlertState | null;
}

function Alerts({ alerts, text, filter, state, status }: Props & { status: Status | undefined }) {
  const shown = useMemo(() => byState(alerts.filter(filter.matches)), [alerts, filter]);
  if (alerts.length === 0) return <Quiet status={status} />;
  const states = state === null ? STATES : [state];
  if (states.every((each) => shown[each].length === 0)) {
    return (
      <Empty title="No alert matches">
        <p>
          None of {count(alerts.length, "alert")} fits the filter.{" "}
          <a href={hrefTo("alerts")}>Show all</a>
        </p>
      </Empty>
    );
  }
  return states.map((each) => (
    <AlertList key={each} state={each} alerts={shown[each]} filter={text} />
  ));
}

/** No alert at all: either all is well, or there is something to set up first. */
function Quiet({ status }: { status: Status | undefined }) {
  if (status === undefined) return null;
  if (status.nextSteps.length > 0) return <NextSteps steps={status.nextSteps} />;
  const { rules, targets, targetsUp } = status.counts;
  return (
    <Empty title="Nothing fires">
      <p>
        {count(rules, "rule")} {rules === 1 ? "is" : "are"} watched;{" "}
        {targets === 0 ? (
          "no targets are scraped."
        ) : (
          <a href={hrefTo("targets")}>
            {targetsUp} of {count(targets, "target")} up
          </a>
        )}
      </p>
    </Empty>
  );
}

function Controls({ alerts, text, receiver, filter, state }: Props & { receiver: string }) {
  const input = useRef<HTMLInputElement>(null);
  useSlashKey(input);
  const go = (q: string, next: string) =>
    replaceRoute(hrefTo("alerts", null, { receiver, q, state: next }));
  const groups = useMemo(() => byState(alerts.filter(filter.matches)), [alerts, filter]);
  return (
    <div className={styles.controls} role="search">
      <TextInput
        ref={input}
        className={styles.filter}
        size="xs"
        type="search"
        aria-label="Filter alerts"
        placeholder='Filter: words, service=shop, pod=~"api-.*"'
        title="Press / to come here. Words and conditions have to hold together."
        value={text}
        error={filter.problem}
        onChange={(event) => go(event.currentTarget.value, state ?? "")}
      />
      <SegmentedControl
        size="xs"
        aria-label="State"
        value={state ?? ""}
        onChange={(next) => go(text, next)}
        data={[
          { value: "", label: "All" },
          ...STATES.map((each) => ({
            value: each,
            label: `${WORDS[each]} ${groups[each].length}`,
          })),
        ]}
      />
    </div>
  );
}

const WORDS: Record<AlertState, string> = {
  firing: "Firing",
  pending: "Pending",
  resolved: "Resolved",
};

/** `/` leads to the filter, unless somebody is typing. */
function useSlashKey(input: React.RefObject<HTMLInputElement | null>) {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const isTyping = event.target instanceof Element && event.target.matches("input, textarea");
      if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      input.current?.focus();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [input]);
}
