// What is muted by people: by whom, why, until when.
import { useSilences } from "../api/queries.ts";
import type { Silence } from "../api/upstream.ts";
import { Empty, Failed, Loading } from "../components/Notice.tsx";
import { PageTitle } from "../components/PageTitle.tsx";
import { SilenceItem } from "../components/SilenceItem.tsx";
import list from "../components/SilenceItem.module.css";
import styles from "./page.module.css";

/** Ended silences shown; the rest is history. */
const ENDED_MAX = 20;

const SECTIONS = [
  ["active", "Active"],
  ["pending", "Not begun"],
  ["expired", "Ended"],
] as const;

export default function SilencesPage() {
  const { data, error, isPending } = useSilences();
  return (
    <>
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
