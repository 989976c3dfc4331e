// What is muted by people: by whom, why, until when.
import { lazy, Suspense } from "react";

import { useSilences } from "../api/queries.ts";
import type { Silence } from "../api/upstream.ts";
import { Empty, Failed, Loading, Notice } from "../components/Notice.tsx";
import { PageTitle } from "../components/PageTitle.tsx";
import { SilenceItem } from "../components/SilenceItem.tsx";
import list from "../components/SilenceItem.module.css";
import { hrefTo } from "../state/route.ts";
import { labelsOfFilter } from "../state/silence.ts";
import styles from "./page.module.css";

const SilenceDialog = lazy(() => import("../components/SilenceDialog.tsx"));

/** Ended silences shown; the rest is history. */
const ENDED_MAX = 20;

const SECTIONS = [
  ["active", "Active"],
  ["pending", "Not begun"],
  ["expired", "Ended"],
] as const;

interface Props {
  /** A filter, when a link asks for a new silence; as Alertmanager's page takes it. */
  asked: string | null;
}

export default function SilencesPage({ asked }: Props) {
  const { data, error, isPending } = useSilences();
  return (
    <>
      {asked !== null && <Asked filter={asked} />}
      <div className={styles.head}>
        <PageTitle name="Silences" />
      </div>
      {error && <Failed what="the silences" error={error} hasOlder={data !== undefined} />}
      {isPending && <Loading />}
      {data?.length === 0 && (
        <Empty title="Nothing is silenced">
          <p>To mute an alert for a while, open it in the list of alerts and press “Silence…”.</p>
        </Empty>
      )}
      {data &&
        SECTIONS.map(([state, title]) => (
          <Section
            key={state}
            title={title}
            silences={data.filter((silence) => silence.status.state === state)}
          />
        ))}
    </>
  );
}

/** The form for what a link asks for; when it is closed the page is that of all silences. */
function Asked({ filter }: { filter: string }) {
  const labels = labelsOfFilter(filter);
  const close = (): void => {
    window.location.hash = hrefTo("silences");
  };
  if (labels === null) {
    return (
      <Notice kind="bad" title="This link asks for a silence that the form cannot show">
        <p>
          It understands links that say which labels have which values, such as{" "}
          <code>{'{service="shop",severity="page"}'}</code>. <code>amtool silence add</code> takes
          every condition.
        </p>
      </Notice>
    );
  }
  return (
    <Suspense fallback={null}>
      <SilenceDialog labels={labels} onClose={close} />
    </Suspense>
  );
}

function Section({ title, silences }: { title: string; silences: Silence[] }) {
  if (silences.length === 0) return null;
  const sorted = [...silences].sort((a, b) => (a.endsAt < b.endsAt ? 1 : -1));
  return (
    <section className={styles.card} aria-label={`${title} silences`}>
      <h2>
        {title} <span className={styles.aside}>{silences.length}</span>
      </h2>
      <ul className={list.list}>
        {sorted.slice(0, ENDED_MAX * (title === "Ended" ? 1 : Infinity)).map((silence) => (
          <SilenceItem key={silence.id} silence={silence} />
        ))}
      </ul>
    </section>
  );
}
