// One alert: what it says, how it got there, what to do about it, who knows.
import { Button } from "@mantine/core";
import { lazy, Suspense, useState } from "react";

import { useAlerts, useInbox } from "../api/queries.ts";
import type { Alert, Rule } from "../api/types.ts";
import { LabelList, MutedMarks, Severity, StateMark } from "../components/AlertBits.tsx";
import { AlertFacts } from "../components/AlertFacts.tsx";
import { Annotations } from "../components/Annotations.tsx";
import { ContextCards } from "../components/Context.tsx";
import { CopyButton } from "../components/CopyButton.tsx";
import { InboxList } from "../components/InboxList.tsx";
import { MutedBy } from "../components/MutedBy.tsx";
import { BellOffIcon, OutIcon } from "../components/icons.tsx";
import { Empty, Failed, Loading } from "../components/Notice.tsx";
import { PageTitle } from "../components/PageTitle.tsx";
import { Since } from "../components/Time.tsx";
import { Why } from "../components/Why.tsx";
import { alertName, otherLabels, runbookOf, stateSince, summaryOf } from "../state/alerts.ts";
import { contextOf } from "../state/context.ts";
import { formatSeconds, safeUrl } from "../state/format.ts";
import { hrefTo } from "../state/route.ts";
import styles from "./AlertPage.module.css";
import page from "./page.module.css";

const GraphCard = lazy(() => import("../components/GraphCard.tsx"));
const SilenceDialog = lazy(() => import("../components/SilenceDialog.tsx"));

export default function AlertPage({ fingerprint }: { fingerprint: string }) {
  const alerts = useAlerts();
  const alert = alerts.data?.find((each) => each.fingerprint === fingerprint);
  return (
    <>
      <nav aria-label="Way back" className={styles.back}>
        <a href={hrefTo("alerts")}>← Alerts</a>
      </nav>
      {alerts.error && (
        <Failed what="the alert" error={alerts.error} hasOlder={alert !== undefined} />
      )}
      {alerts.isPending && <Loading />}
      {alert && <Details alert={alert} />}
      {alerts.data && !alert && <Gone fingerprint={fingerprint} />}
    </>
  );
}

function Details({ alert }: { alert: Alert }) {
  const context = contextOf(alert.annotations);
  return (
    <article>
      <Head alert={alert} />
      <MutedBy alert={alert} />
      <AlertFacts alert={alert} />
      <ContextCards context={context} />
      <Why fingerprint={alert.fingerprint} />
      {alert.rule?.graph && (
        <Suspense fallback={<div style={{ height: "18rem" }} />}>
          <GraphCard alert={alert} graph={alert.rule.graph} />
        </Suspense>
      )}
      <div className={styles.columns}>
        <section className={page.card} aria-labelledby="labels">
          <h2 id="labels">Labels</h2>
          <LabelList labels={otherLabels(alert.labels, [])} isWhole />
        </section>
        <Annotations annotations={context.rest} />
      </div>
      {alert.rule ? <RuleCard rule={alert.rule} /> : <ForeignRule />}
      <Notified fingerprint={alert.fingerprint} receivers={alert.receivers} />
    </article>
  );
}

function Head({ alert }: { alert: Alert }) {
  const { labels, annotations } = alert;
  const summary = summaryOf(annotations);
  const { description } = annotations;
  return (
    <header className={styles.head}>
      <div className={styles.text}>
        <p className={styles.state}>
          <StateMark state={alert.state} hasWord />
          <span>
            {alert.state === "resolved" ? "" : "for "}
            <Since at={stateSince(alert)} {...(alert.state === "resolved" && { suffix: "ago" })} />
          </span>
          <Severity labels={labels} />
          <MutedMarks alert={alert} />
        </p>
        <PageTitle name={alertName(labels)} />
        {summary !== "" && <p className={styles.summary}>{summary}</p>}
        {description !== undefined && description !== summary && (
          <p className={styles.description}>{description}</p>
        )}
      </div>
      <Actions alert={alert} />
    </header>
  );
}

function Actions({ alert }: { alert: Alert }) {
  const [isAsking, setIsAsking] = useState(false);
  const runbook = runbookOf(alert);
  const source = safeUrl(alert.generatorURL);
  return (
    <div className={styles.actions}>
      {runbook !== null && (
        <OutButton href={runbook} isFirst={alert.state !== "resolved"}>
          Runbook
        </OutButton>
      )}
      {alert.rule === null && source !== null && <OutButton href={source}>Source</OutButton>}
      <Button
        size="xs"
        variant="default"
        leftSection={<BellOffIcon />}
        onClick={() => setIsAsking(true)}
      >
        Silence…
      </Button>
      {isAsking && (
        <Suspense fallback={null}>
          <SilenceDialog labels={alert.labels} onClose={() => setIsAsking(false)} />
        </Suspense>
      )}
    </div>
  );
}

interface OutButtonProps {
  href: string;
  /** What to do before anything else. */
  isFirst?: boolean;
  children: string;
}

function OutButton({ href, isFirst = false, children }: OutButtonProps) {
  return (
    <Button
      size="xs"
      variant={isFirst ? "filled" : "default"}
      component="a"
      href={href}
      target="_blank"
      rel="noreferrer"
      rightSection={<OutIcon />}
    >
      {children}
    </Button>
  );
}

function RuleCard({ rule }: { rule: Rule }) {
  return (
    <section className={page.card} aria-labelledby="rule">
      <h2 id="rule">
        Rule
        <span className={page.aside}>
          {rule.file} · group {rule.group}
          {rule.forSeconds > 0 && ` · fires after ${formatSeconds(rule.forSeconds)}`}
        </span>
      </h2>
      <div className={`${page.panel} ${styles.rule}`}>
        <pre className={page.code}>{rule.query}</pre>
        <CopyButton text={rule.query} />
      </div>
    </section>
  );
}

function ForeignRule() {
  return (
    <section className={page.card} aria-labelledby="rule">
      <h2 id="rule">Rule</h2>
      <p className={styles.none}>
        Sent from outside, so its rule and its values are at the sender.
      </p>
    </section>
  );
}

/** The notifications that named this alert. */
function Notified({ fingerprint, receivers }: { fingerprint: string; receivers: string[] }) {
  const inbox = useInbox();
  const entries = inbox.data?.filter((entry) =>
    entry.alerts.some((each) => each.fingerprint === fingerprint),
  );
  return (
    <section className={page.card} aria-labelledby="notified">
      <h2 id="notified">
        Notifications
        {receivers.length > 0 && <span className={page.aside}>goes to {receivers.join(", ")}</span>}
      </h2>
      {inbox.error && (
        <Failed what="the inbox" error={inbox.error} hasOlder={entries !== undefined} />
      )}
      {entries && entries.length > 0 && <InboxList entries={entries} />}
      {entries?.length === 0 && (
        <p className={styles.none}>The inbox holds no notification of this alert.</p>
      )}
    </section>
  );
}

/** A link outlives its alert: what the inbox remembers is still shown. */
function Gone({ fingerprint }: { fingerprint: string }) {
  return (
    <>
      <PageTitle name="Alert" />
      <Empty title="This alert is over">
        <p>
          It resolved a while ago, or its rule was removed. The alerts of now are{" "}
          <a href={hrefTo("alerts")}>in the list</a>.
        </p>
      </Empty>
      <Notified fingerprint={fingerprint} receivers={[]} />
    </>
  );
}
