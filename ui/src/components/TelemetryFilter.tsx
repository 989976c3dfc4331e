// Filters, the way on and the empty states that the lists of traces and of log records share.
import { Button, NativeSelect, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import type { ReactNode } from "react";

import page from "../pages/page.module.css";
import { formatMoment, toMs } from "../state/format.ts";
import { hrefTo, replaceRoute } from "../state/route.ts";
import { type Beyond, isNarrowed, LASTS } from "../state/telemetry.ts";
import { Empty } from "./Notice.tsx";
import styles from "./TelemetryFilter.module.css";

type List = "traces" | "logs";

/** What the place of a page asks, and how to ask otherwise. */
export interface Asking {
  list: List;
  params: URLSearchParams;
  /** Changes what is asked; the list begins anew unless a limit is given. */
  ask: (changed: Record<string, string>) => void;
}

export function askingOf(list: List, params: URLSearchParams): Asking {
  const ask = (changed: Record<string, string>) =>
    replaceRoute(hrefTo(list, null, { ...Object.fromEntries(params), limit: "", ...changed }));
  return { list, params, ask };
}

/** A question once its letters rest, as each costs the server some reading. */
export function useRested(question: string): string {
  return useDebouncedValue(question, RESTS_MS)[0];
}

interface FieldProps {
  asking: Asking;
  name: string;
  label: string;
  placeholder?: string;
  error?: string | null;
}

export function Field({ asking, name, label, placeholder = label, error = null }: FieldProps) {
  return (
    <TextInput
      className={name === "text" ? page.filter : styles.short}
      size="xs"
      type="search"
      aria-label={label}
      placeholder={placeholder}
      value={asking.params.get(name) ?? ""}
      error={error}
      onChange={(event) => asking.ask({ [name]: event.currentTarget.value })}
    />
  );
}

interface ChoiceProps {
  asking: Asking;
  name: string;
  label: string;
  data: readonly { value: string; label: string }[];
}

export function Choice({ asking, name, label, data }: ChoiceProps) {
  return (
    <NativeSelect
      size="xs"
      aria-label={label}
      value={asking.params.get(name) ?? ""}
      data={data.map(({ value, label }) => ({ value, label }))}
      onChange={(event) => asking.ask({ [name]: event.currentTarget.value })}
    />
  );
}

export function TimeChoice({ asking }: { asking: Asking }) {
  return <Choice asking={asking} name="last" label="Time" data={LASTS} />;
}

/** Says that the list is not of now, or of one trace only. */
export function Narrowed({ asking: { list, params } }: { asking: Asking }) {
  const traceId = params.get("trace_id") ?? "";
  const to = toMs(params.get("to"));
  const without = (name: string) =>
    hrefTo(list, null, { ...Object.fromEntries(params), [name]: "" });
  return (
    <>
      {traceId !== "" && (
        <p className={page.aside}>
          Only of the trace <a href={hrefTo("traces", traceId)}>{traceId}</a>.{" "}
          <a href={without("trace_id")}>Of all traces</a>
        </p>
      )}
      {to !== null && (
        <p className={page.aside}>
          Only until {formatMoment(to)}. <a href={without("to")}>Back to the newest</a>
        </p>
      )}
    </>
  );
}

/** Leads to what is not shown. */
export function Further({ asking, way }: { asking: Asking; way: Beyond }) {
  if (way === null) return null;
  return (
    <p className={styles.further}>
      {way.kind === "more" ? (
        <Button size="xs" variant="default" onClick={() => asking.ask({ limit: `${way.limit}` })}>
          Show more
        </Button>
      ) : (
        <Button size="xs" variant="default" onClick={() => asking.ask({ to: way.to })}>
          Show older ones
        </Button>
      )}
    </p>
  );
}

interface NothingProps {
  asking: Asking;
  isWhole: boolean;
  /** What there could be, such as "trace". */
  what: string;
  /** Where it would come from, when there is none at all. */
  children: ReactNode;
}

/** An empty list: why it is, and what to do. */
export function Nothing({ asking: { list, params }, isWhole, what, children }: NothingProps) {
  if (!isNarrowed(params)) return <Empty title={`No ${what} came yet`}>{children}</Empty>;
  return (
    <Empty title={`No ${what} matches`}>
      {!isWhole && (
        <p>
          Only the newest of what is kept were looked at. A service, or a shorter time, reaches
          further back.
        </p>
      )}
      <p>
        <a href={hrefTo(list)}>Show all</a>
      </p>
    </Empty>
  );
}

/** How to send them here. */
export function HowToSend() {
  return (
    <>
      <p>
        The Python package sends them once <code>firebell.init()</code> is called; anything with
        OpenTelemetry does with
      </p>
      <p>
        <code>
          OTEL_EXPORTER_OTLP_ENDPOINT={new URL(".", document.baseURI).href.replace(/\/$/, "")}
        </code>
      </p>
      <p>
        They are kept as long as <code>telemetry</code> of firebell.yml says: a week, 256 MiB.
      </p>
    </>
  );
}

/** So long nobody types before the server is asked, in milliseconds. */
const RESTS_MS = 300;
