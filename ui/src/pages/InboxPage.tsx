// What was sent, when, to whom, and why just then.
import { TextInput } from "@mantine/core";
import { useMemo } from "react";

import { useInbox } from "../api/queries.ts";
import type { InboxEntry } from "../api/types.ts";
import { InboxList } from "../components/InboxList.tsx";
import { Empty, Failed, Loading } from "../components/Notice.tsx";
import { PageTitle } from "../components/PageTitle.tsx";
import { parseFilter } from "../state/filter.ts";
import { formatDay, toMs } from "../state/format.ts";
import { hrefTo, replaceRoute } from "../state/route.ts";
import styles from "./page.module.css";

interface Props {
  params: URLSearchParams;
  openId: string | null;
}

export default function InboxPage({ params, openId }: Props) {
  const inbox = useInbox();
  const text = params.get("q") ?? "";
  const filter = useMemo(() => parseFilter(text), [text]);
  const shown = inbox.data?.filter((entry) =>
    entry.alerts.some((alert) => filter.matches({ ...alert, words: [entry.receiver] })),
  );
  return (
    <>
      <div className={styles.head}>
        <PageTitle name="Inbox" />
        {inbox.data && inbox.data.length > 0 && (
          <div className={styles.controls} role="search">
            <TextInput
              className={styles.filter}
              size="xs"
              type="search"
              aria-label="Filter notifications"
              placeholder="Filter: words, receivers, service=shop"
              value={text}
              error={filter.problem}
              onChange={(event) =>
                replaceRoute(hrefTo("inbox", openId, { q: event.currentTarget.value }))
              }
            />
          </div>
        )}
      </div>
      {inbox.error && (
        <Failed what="the inbox" error={inbox.error} hasOlder={inbox.data !== undefined} />
      )}
      {inbox.isPending && <Loading />}
      {inbox.data?.length === 0 && (
        <Empty title="Nothing was sent yet">
          <p>
            Every notification that Firebell sends is kept here, too. The first one comes when an
            alert fires and its group has waited its <code>group_wait</code>.
          </p>
        </Empty>
      )}
      {inbox.data && inbox.data.length > 0 && shown?.length === 0 && (
        <Empty title="No notification matches">
          <p>
            <a href={hrefTo("inbox")}>Show all</a>
          </p>
        </Empty>
      )}
      {shown && <Days entries={shown} openId={openId} />}
    </>
  );
}

function Days({ entries, openId }: { entries: InboxEntry[]; openId: string | null }) {
  const days = new Map<string, InboxEntry[]>();
  for (const entry of entries) {
    const day = formatDay(toMs(entry.at) ?? 0);
    days.set(day, [...(days.get(day) ?? []), entry]);
  }
  const today = formatDay(Date.now());
  return [...days].map(([day, list]) => (
    <section key={day} className={styles.card} aria-labelledby={`day-${day}`}>
      <h2 id={`day-${day}`}>{day === today ? "Today" : day}</h2>
      <InboxList entries={list} openId={openId} />
    </section>
  ));
}
