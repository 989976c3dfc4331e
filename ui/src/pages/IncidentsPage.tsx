// What people work on, and what they worked on; and the button that opens one.
import { Button, SegmentedControl, TextInput } from "@mantine/core";
import { type SyntheticEvent, useState } from "react";

import { useIncidents, useOpenIncident, usePages } from "../api/queries.ts";
import type { Incident, Page } from "../api/types.ts";
import { IncidentState, SeverityChoice, SeverityMark } from "../components/IncidentBits.tsx";
import { Empty, Failed, Loading } from "../components/Notice.tsx";
import { PageTitle } from "../components/PageTitle.tsx";
import { Since } from "../components/Time.tsx";
import { toMs } from "../state/format.ts";
import { alertWords, inOrder } from "../state/incidents.ts";
import { pageWords } from "../state/pages.ts";
import { hrefTo, replaceRoute } from "../state/route.ts";
import { lastAuthor, rememberAuthor } from "../state/silence.ts";
import styles from "./IncidentsPage.module.css";
import page from "./page.module.css";

const SHOWN = [
  { value: "", label: "All" },
  { value: "open", label: "Open" },
];

export default function IncidentsPage({ params }: { params: URLSearchParams }) {
  const shown = params.get("status") === "open" ? "open" : "";
  const incidents = useIncidents(shown === "open");
  const pages = usePages().data;
  const [isOpening, setIsOpening] = useState(false);
  const list = incidents.data?.incidents;
  return (
    <>
      <div className={page.head}>
        <PageTitle name="Incidents" />
        <div className={page.controls}>
          <SegmentedControl
            size="xs"
            aria-label="Which incidents"
            value={shown}
            onChange={(status) => replaceRoute(hrefTo("incidents", null, { status }))}
            data={SHOWN}
          />
          <Button
            size="xs"
            variant="default"
            aria-expanded={isOpening}
            onClick={() => setIsOpening(!isOpening)}
          >
            Open one…
          </Button>
        </div>
      </div>
      {isOpening && <OpenForm onClose={() => setIsOpening(false)} />}
      {incidents.error && (
        <Failed what="the incidents" error={incidents.error} hasOlder={list !== undefined} />
      )}
      {incidents.isPending && <Loading />}
      {list?.length === 0 && <None isOpen={shown === "open"} />}
      {list && list.length > 0 && (
        <ul className={styles.list} aria-label="Incidents">
          {inOrder(list).map((incident) => (
            <Row key={incident.id} incident={incident} paged={pages?.get(incident.id)} />
          ))}
        </ul>
      )}
      {typeof incidents.data?.next === "string" && (
        <p className={page.aside}>
          Older ones: <code>firebell incident list --limit 1000</code>
        </p>
      )}
    </>
  );
}

function None({ isOpen }: { isOpen: boolean }) {
  return (
    <Empty title={isOpen ? "No incident is open" : "There was no incident yet"}>
      <p>
        One opens when a person says so, or when an alert fires that <code>incidents</code> of
        firebell.yml names.
      </p>
    </Empty>
  );
}

function Row({ incident, paged }: { incident: Incident; paged: Page | undefined }) {
  const words = paged && !incident.acknowledged ? pageWords(paged) : "";
  const { acknowledged, verdict } = incident;
  const movedAt = toMs(incident.movedAt);
  return (
    <li className={styles.row}>
      <p className={styles.state}>
        <IncidentState incident={incident} />
        {movedAt !== null && (
          <span>
            for <Since at={movedAt} />
          </span>
        )}
        <SeverityMark severity={incident.severity} />
      </p>
      <div className={styles.text}>
        <a href={hrefTo("incidents", incident.id)} className={styles.title}>
          {incident.title}
        </a>
        <p className={page.aside}>
          {incident.id}
          {incident.service !== "" && ` · ${incident.service}`} · {alertWords(incident)}
          {acknowledged && ` · ${acknowledged.by} looks into it`}
          {words !== "" && ` · ${words}`}
          {verdict && ` · ${verdict.words}${verdict.guessed ? " (guessed)" : ""}`}
        </p>
      </div>
    </li>
  );
}

function OpenForm({ onClose }: { onClose: () => void }) {
  const [title, setTitle] = useState("");
  const [service, setService] = useState("");
  const [severity, setSeverity] = useState<Incident["severity"]>("sev3");
  const [author, setAuthor] = useState(lastAuthor);
  const open = useOpenIncident();
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    rememberAuthor(author.trim());
    open.mutate(
      { by: author, title, severity, service: service.trim() === "" ? null : service },
      {
        onSuccess: ({ incident }) => {
          window.location.hash = hrefTo("incidents", incident.id);
        },
      },
    );
  };
  return (
    <form className={styles.form} onSubmit={submit} aria-label="Open an incident">
      <TextInput
        label="What is wrong"
        required
        autoFocus
        maxLength={200}
        value={title}
        onChange={(event) => setTitle(event.currentTarget.value)}
      />
      <TextInput
        label="Service"
        description="Its alerts join"
        value={service}
        onChange={(event) => setService(event.currentTarget.value)}
      />
      <SeverityChoice severity={severity} onChange={setSeverity} />
      <TextInput
        label="Your name"
        required
        value={author}
        onChange={(event) => setAuthor(event.currentTarget.value)}
      />
      {open.error && (
        <p role="alert" className={styles.error}>
          {open.error.message}
        </p>
      )}
      <div className={styles.buttons}>
        <Button variant="default" onClick={onClose}>
          Cancel
        </Button>
        <Button
          type="submit"
          disabled={title.trim() === "" || author.trim() === ""}
          loading={open.isPending}
        >
          Open incident
        </Button>
      </div>
    </form>
  );
}
