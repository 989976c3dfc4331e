// An exception of a Python app, with the trace in which it arose.
import type { Labels, LogRecord, Trace, TraceFound, TraceSpan } from "../src/api/types.ts";

export const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const AT = Date.now() - 90_000;

/** As the package writes them. */
export function exceptionAnnotations(): Labels {
  const crumb = { timestamp: new Date(AT).toISOString(), level: "info" };
  return {
    summary: "BankError in shop.pay:charge: the bank is away",
    description:
      'Traceback (most recent call last):\n  File "shop/pay.py", line 41, in charge\n    bank.post(order)\nshop.bank.BankError: the bank is away',
    event_id: "5b1f0c7e2d3a4b5c6d7e8f9000112233",
    trace_id: TRACE_ID,
    span_id: "00f067aa0ba902b7",
    release: "v42",
    request_id: "r-1",
    method: "POST",
    path: "/orders/77/pay",
    route: "/orders/{order}/pay",
    breadcrumbs: JSON.stringify([
      { ...crumb, category: "cart", message: "three things in it", data: { items: 3 } },
      { ...crumb, category: "bank", message: "asked for money" },
    ]),
    user: '{"id":"7","plan":"gold"}',
    tags: '{"shard":3}',
    contexts: '{"cart":{"items":3}}',
    snapshots: '{"pool":{"free":0}}',
    deploy: '{"version":"v42","environment":"production","commit":"0c1d2e3","age_s":360}',
  };
}

export function trace(): Trace {
  return {
    traceId: TRACE_ID,
    startedAt: new Date(AT).toISOString(),
    durationMs: 250,
    spans: [
      span("b7ad6b7169203331", null, "POST /orders/{order}/pay", 0, 250, "the bank is away"),
      span("b7ad6b7169203332", "b7ad6b7169203331", "SELECT orders", 4, 12, null),
      span("00f067aa0ba902b7", "b7ad6b7169203331", "charge", 20, 225, "the bank is away"),
      {
        ...span("00f067aa0ba902b8", "00f067aa0ba902b7", "POST bank.example", 22, 220, ""),
        kind: "client",
      },
    ],
    logs: [line(18, "info", "charging order 77"), line(244, "error", "the bank is away")],
    isWhole: true,
  };
}

/** Many traces, the newest first; the first one is [`trace`]. */
export function traces(): TraceFound[] {
  const { traceId, startedAt, durationMs } = trace();
  const first = { traceId, name: "POST /orders/{order}/pay", service: "shop", startedAt };
  return [
    { ...first, durationMs, spans: 4, failedSpans: 3 },
    ...Array.from({ length: 119 }, (_, idx) => ({
      traceId: `${idx + 1}`.padStart(32, "0"),
      name: idx % 3 === 0 ? "GET /cart" : "mail.send_receipt",
      service: idx % 3 === 0 ? "shop" : "mail",
      startedAt: new Date(AT - (idx + 1) * 7_000).toISOString(),
      durationMs: 3 + ((idx * 37) % 90),
      spans: 1 + (idx % 5),
      failedSpans: idx % 20 === 4 ? 1 : 0,
    })),
  ];
}

/** Many log records, the newest first. */
export function logs(): LogRecord[] {
  const calm = Array.from({ length: 240 }, (_, idx): LogRecord => ({
    ...line(-idx * 4_000, idx % 7 === 0 ? "warn" : "info", idx % 7 === 0 ? "slow" : "sent"),
    service: "mail",
    attributes: { "logger.name": "mail.send", "code.lineno": "12" },
    traceId: null,
    spanId: null,
  }));
  return [...trace().logs.reverse(), ...calm];
}

/** As the server finds them. */
export function tracesFor(all: TraceFound[], params: URLSearchParams) {
  const says = wanted(params);
  const least = Number.parseInt(params.get("min_duration") ?? "0");
  const found = all.filter(
    (each) =>
      says(each, [each.name]) &&
      each.durationMs >= least &&
      (params.get("failed") !== "true" || each.failedSpans > 0),
  );
  return { traces: found.slice(0, Number(params.get("limit"))), isWhole: true };
}

export function logsFor(all: LogRecord[], params: URLSearchParams) {
  const says = wanted(params);
  const grades = ["trace", "debug", "info", "warn", "error", "fatal"];
  const least = grades.indexOf(params.get("severity") ?? "trace");
  const of = params.get("trace_id");
  const found = all.filter(
    (each) =>
      says({ ...each, startedAt: each.at }, [each.body]) &&
      grades.indexOf(each.severity ?? "trace") >= least &&
      (of === null || each.traceId === of),
  );
  return { logs: found.slice(0, Number(params.get("limit"))), isWhole: true };
}

function wanted(params: URLSearchParams) {
  const [service, text] = [params.get("service"), params.get("text")?.toLowerCase() ?? ""];
  const from = Date.parse(params.get("from") ?? "1970-01-01");
  const to = Date.parse(params.get("to") ?? "2970-01-01");
  return (each: { service: string; startedAt: string }, texts: string[]): boolean => {
    const at = Date.parse(each.startedAt);
    const isOf = service === null || each.service === service;
    return isOf && from <= at && at <= to && texts.some((it) => it.toLowerCase().includes(text));
  };
}

function span(
  spanId: string,
  parentId: string | null,
  name: string,
  offsetMs: number,
  durationMs: number,
  failure: string | null,
): TraceSpan {
  return {
    spanId,
    parentId,
    service: "shop",
    name,
    kind: "internal",
    offsetMs,
    durationMs,
    failure,
    attributes: { "shop.order": "77" },
    resource: { "service.name": "shop" },
    events: [],
    links: [],
  };
}

function line(afterMs: number, severity: LogRecord["severity"], body: string): LogRecord {
  return {
    at: new Date(AT + afterMs).toISOString(),
    severity,
    severityText: "",
    service: "shop",
    body,
    event: "",
    attributes: { "logger.name": "shop.pay" },
    traceId: TRACE_ID,
    spanId: "00f067aa0ba902b7",
  };
}
