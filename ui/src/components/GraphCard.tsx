// An alert's graph: the varying side of its rule, the threshold, and when it changed state.
import { useComputedColorScheme } from "@mantine/core";
import { useMemo, useRef } from "react";

import { useRange } from "../api/queries.ts";
import type { Alert, Graph } from "../api/types.ts";
import page from "../pages/page.module.css";
import { count, formatClock, formatMoment, formatValue, toMs } from "../state/format.ts";
import { toColumns, trimmed } from "../state/graph.ts";
import { Failed } from "./Notice.tsx";
import { Plot, type Mark } from "./Plot.tsx";
import styles from "./GraphCard.module.css";

/** How much is shown of what was before the alert. */
const BEFORE_MS = 15 * 60_000;

export default function GraphCard({ alert, graph }: { alert: Alert; graph: Graph }) {
  const from = (toMs(alert.activeAt) ?? 0) - BEFORE_MS;
  const range = useRange(graph.query, from);
  const columns = useMemo(
    () =>
      range.data ? trimmed(toColumns(range.data, alert.labels), (from + BEFORE_MS) / 1000) : null,
    [range.data, alert.labels, from],
  );
  const marks = useMemo(() => marksOf(alert), [alert]);
  const scheme = useComputedColorScheme();
  const readout = useRef<HTMLSpanElement>(null);
  const isEmpty = columns !== null && columns.lines.every(isBlank);
  return (
    <figure className={page.card}>
      <figcaption>
        <h2>
          Graph
          <span className={page.aside}>
            <span className={styles.key} data-kind="value" /> value
            <span className={styles.key} data-kind="threshold" /> threshold {graph.op}{" "}
            {formatValue(graph.threshold)}
          </span>
          <span className={`${page.aside} ${styles.readout}`} ref={readout} />
        </h2>
      </figcaption>
      {range.error && (
        <Failed what="the graph" error={range.error} hasOlder={range.data !== undefined} />
      )}
      <div className={`${page.panel} ${styles.plot}`}>
        {isEmpty && <p className={styles.empty}>The query gives no data for this time.</p>}
        {columns && !isEmpty && (
          <Plot
            // The colours are read once, when the plot is made.
            key={scheme}
            columns={columns}
            limit={graph}
            marks={marks}
            description={describe(alert, graph, from)}
            onPoint={(at, value) => {
              if (readout.current) {
                readout.current.textContent =
                  at === null ? "" : `${formatClock(at * 1000)}  ${formatValue(value)}`;
              }
            }}
          />
        )}
      </div>
      {columns !== null && columns.hidden > 0 && (
        <p className={page.aside}>
          {count(columns.hidden, "further series is", "further series are")} not drawn.
        </p>
      )}
    </figure>
  );
}

function isBlank({ values }: { values: (number | null)[] }): boolean {
  return values.every((value) => value === null);
}

function marksOf(alert: Alert): Mark[] {
  const candidates = [
    { at: toMs(alert.activeAt), word: "active", state: "pending" as const },
    { at: toMs(alert.firedAt), word: "fired", state: "firing" as const },
    { at: toMs(alert.resolvedAt), word: "resolved", state: "resolved" as const },
  ];
  return candidates.flatMap(({ at, ...mark }) => (at === null ? [] : [{ at: at / 1000, ...mark }]));
}

/** The graph in words, for those who do not see it. */
function describe({ value, activeAt }: Alert, { op, threshold }: Graph, from: number): string {
  return (
    `Value since ${formatMoment(from)}: now ${formatValue(value)}, ` +
    `alerts when ${op} ${threshold}; condition holds since ${formatMoment(toMs(activeAt) ?? from)}.`
  );
}
