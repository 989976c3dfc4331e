// Worlds that the fake Firebell shows: real shapes, made-up shop.
import type {
  Alert,
  Budget,
  Heartbeat,
  InboxEntry,
  IncidentDetail,
  Labels,
  Objective,
  ObjectiveHistory,
  ObjectiveList,
  ObjectiveSpending,
  OncallNow,
  Page,
  LogRecord,
  Status,
  TraceFound,
} from "../src/api/types.ts";
import { heartbeats } from "./heartbeats.ts";
import { incidents } from "./incidents.ts";
import type { Silence, Target } from "../src/api/upstream.ts";
import { oncall } from "./oncall.ts";
import { page } from "./pages.ts";
import { exceptionAnnotations, logs, traces } from "./traces.ts";

export interface World {
  status: Status;
  alerts: Alert[];
  inbox: InboxEntry[];
  incidents: IncidentDetail[];
  pages: Page[];
  objectives: ObjectiveList;
  oncall: OncallNow;
  heartbeats: Heartbeat[];
  targets: Target[];
  silences: Silence[];
  traces: TraceFound[];
  logs: LogRecord[];
  /** Paths that fail, with what they answer. */
  failures: Map<string, { status: number; body: string }>;
}

const MINUTE = 60_000;

export function ago(ms: number): string {
  return new Date(Date.now() - ms).toISOString();
}

export function scenario(name: string): World {
  const make = SCENARIOS[name];
  if (make === undefined) {
    throw new Error(`no scenario \`${name}\`; there are ${Object.keys(SCENARIOS).join(", ")}`);
  }
  return make();
}

const SCENARIOS: Record<string, () => World> = { busy, calm, fresh, crowded, raised };

/** Everything that the page can show, at once. */
function busy(): World {
  const alerts = [checkoutErrors(), slowCheckout(), diskFills(), posted(), backlog(), restarted()];
  return {
    ...calm(),
    status: statusOf(alerts, { inbox: 4, targetsUp: 3, series: 1_482, samplesPerSecond: 98.6 }),
    alerts,
    inbox: [
      entry("4", 2 * MINUTE, "first", "shop", [checkoutErrors(), slowCheckout()]),
      entry("3", 31 * MINUTE, "all_resolved", "shop", [restarted()]),
      entry("2", 58 * MINUTE, "repeat", "platform", [diskFills()]),
      entry("1", 26 * 60 * MINUTE, "new_alerts", "platform", [diskFills(), posted()]),
    ],
    targets: [
      target("shop", "http://127.0.0.1:8001/metrics", "worker-1"),
      target("shop", "http://127.0.0.1:8002/metrics", "worker-2"),
      {
        ...target("shop", "http://127.0.0.1:8003/metrics", "queue"),
        health: "down",
        lastError:
          'Get "http://127.0.0.1:8003/metrics": dial tcp 127.0.0.1:8003: connect: connection refused',
        lastScrapeDuration: 0.0004,
      },
      target("node", "http://10.20.4.17:9100/metrics", "db-3"),
    ],
    incidents: incidents(),
    pages: [page()],
    traces: traces(),
    logs: logs(),
    silences: [silence()],
    objectives: objectives(),
    oncall: oncall(),
    heartbeats: heartbeats(),
  };
}

/** An exception in a Python app. */
function raised(): World {
  const alerts = [
    alert({
      name: "Exception",
      labels: { service: "shop", severity: "error", exception: "BankError" },
      since: MINUTE,
      value: null,
      annotations: exceptionAnnotations(),
    }),
  ];
  return { ...calm(), status: statusOf(alerts, {}), alerts, traces: traces(), logs: logs() };
}

/** Configured, and nothing burns. */
function calm(): World {
  return {
    status: statusOf([], { targets: 2, targetsUp: 2, series: 640, samplesPerSecond: 42 }),
    alerts: [],
    traces: [],
    logs: [],
    inbox: [],
    incidents: [],
    pages: [],
    objectives: { at: ago(0), objectives: [], flows: [] },
    oncall: { at: ago(0), schedules: [], teams: [], people: [] },
    heartbeats: [],
    targets: [
      target("shop", "http://127.0.0.1:8001/metrics", "worker-1"),
      target("shop", "http://127.0.0.1:8002/metrics", "worker-2"),
    ],
    silences: [],
    failures: new Map(),
  };
}

/** `firebell serve` alone. */
function fresh(): World {
  return {
    ...calm(),
    status: {
      ...statusOf([], { targets: 0, targetsUp: 0, rules: 0, series: 0, samplesPerSecond: 0 }),
      configFile: null,
      configLoadedAt: null,
      nextSteps: [
        {
          title: "Use the configuration you have",
          detail: "Firebell reads Prometheus's and Alertmanager's files as they are.",
          command: "prometheus: prometheus.yml\nalertmanager: alertmanager.yml",
        },
        {
          title: "Start Firebell with it",
          detail: "Save those two lines as firebell.yml; paths in it are relative to it.",
          command: "firebell serve --config firebell.yml",
        },
        {
          title: "Or let your Prometheus send its alerts here",
          detail: "Name this address under alerting in prometheus.yml; rules stay where they are.",
          command:
            "alerting:\n  alertmanagers:\n    - static_configs:\n        - targets: ['127.0.0.1:9494']",
        },
      ],
    },
    targets: [],
  };
}

/** Far more than fits a screen. */
function crowded(): World {
  const alerts = Array.from({ length: 1_500 }, (_, n) =>
    alert({
      name: "PodCrashLooping",
      labels: { severity: "ticket", namespace: `team-${n % 40}`, pod: `api-${n}` },
      since: n * 1_000,
      value: n % 7,
    }),
  );
  return { ...calm(), alerts, status: statusOf(alerts, {}) };
}

/** One that burns, one that is kept, one held back, one that measures nothing; a bare flow. */
function objectives(): ObjectiveList {
  const flow = (name: string, description: string, ids: string[]) => ({
    service: "checkout",
    name,
    description,
    owner: "payments",
    critical: true,
    objectives: ids,
  });
  return {
    at: ago(0),
    objectives: [
      objective("pay-is-quick", 99, [
        { ...budget(0.62, [0.2, 0.3, 0.4]), labels: { region: "eu" } },
        { ...budget(0.18, [1.4, 1.2, 0.9]), labels: { region: "us" } },
      ]),
      {
        ...objective("pay-works", 99.9, [
          {
            ...budget(0.31, [213, 21.4, 4.2]),
            exhaustedInSeconds: 36_540,
            alerts: [{ name: "page-fast", isFiring: true, heldBack: null }],
          },
        ]),
        state: "burning",
      },
      objective("refund-works", 99.5, [
        {
          ...budget(0.97, [16.7, 2.8, 0.7]),
          badEvents: 1,
          totalEvents: 6_120,
          alerts: [
            {
              name: "page-fast",
              isFiring: false,
              heldBack: "only 1 bad events, at least 3 are wanted",
            },
          ],
        },
      ]),
      { ...objective("receipts-are-sent", 99, []), state: "noData", owner: "", notify: null },
    ],
    flows: [
      flow("pay", "A customer pays the basket.", ["checkout/pay-is-quick", "checkout/pay-works"]),
      flow("sign up", "Somebody becomes a customer.", []),
    ],
  };
}

const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Whole seconds, as deploys are told. */
function moment(ms: number): string {
  return ago(ms).replace(/\.\d+/, "");
}

function stretch(from: number, until: number, badEvents: number, spent: number, rate: number) {
  return {
    from: moment(from),
    until: moment(until),
    badEvents,
    totalEvents: Math.round((from - until) / 2_000),
    spent,
    rate,
  };
}

/** A deploy that broke something, the one before it, and what nobody told of. */
export function spending(list: ObjectiveList, id: string): ObjectiveSpending {
  const budgets = list.objectives.find((it) => it.id === id)?.budgets ?? [];
  const deploy = (version: string, at: number) => ({
    service: "checkout",
    version,
    at: moment(at),
    namespace: "",
    environment: "",
    url: `https://ci.example.org/${version}`,
  });
  const [first, second] = [deploy("v41", 12 * DAY), deploy("v42", 50 * MINUTE)];
  return {
    at: ago(0),
    from: ago(30 * DAY),
    budgets: budgets.map(({ labels }) => ({
      labels,
      episodes: [
        {
          stretch: stretch(48 * MINUTE, 0, 612, 0.508, 213),
          alerts: ["page-fast", "page-slow"],
          isOpen: true,
          incidents: ["INC-12"],
          deploy: second,
        },
        {
          stretch: stretch(6 * DAY, 6 * DAY - 2 * HOUR, 80, 0.066, 2.1),
          alerts: [],
          isOpen: false,
          incidents: [],
          deploy: first,
        },
      ],
      moreEpisodes: 3,
      incidents: [
        {
          incident: { id: "INC-12", title: "Payments fail", isOpen: true, isDeclined: false },
          stretch: stretch(48 * MINUTE, 0, 612, 0.508, 213),
          parts: 1,
        },
        {
          incident: null,
          stretch: stretch(20 * DAY, 6 * DAY - 2 * HOUR, 118, 0.098, 1.9),
          parts: 4,
        },
      ],
      moreIncidents: 0,
      deploys: [
        {
          deploy: second,
          stretch: stretch(50 * MINUTE, 0, 613, 0.509, 210),
          rateBefore: 0.3,
          rateAfter: 210,
        },
        {
          deploy: first,
          stretch: stretch(12 * DAY, 50 * MINUTE, 190, 0.158, 0.4),
          rateBefore: 0.4,
          rateAfter: 0.3,
        },
        {
          deploy: null,
          stretch: stretch(30 * DAY, 12 * DAY, 28, 0.023, 0.1),
          rateBefore: null,
          rateAfter: null,
        },
      ],
    })),
  };
}

/** It melts slowly, then at once. */
export function history(list: ObjectiveList, id: string): ObjectiveHistory {
  const budgets = list.objectives.find((it) => it.id === id)?.budgets ?? [];
  return {
    at: ago(0),
    budgets: budgets.map(({ labels, remaining }) => ({
      labels,
      points: Array.from({ length: 90 }, (_, idx) => ({
        at: ago((89 - idx) * 8 * HOUR),
        remaining: idx < 86 ? 1 - idx * 0.002 : remaining + (89 - idx) * 0.1,
      })),
    })),
  };
}

function objective(name: string, percent: number, budgets: Budget[]): Objective {
  return {
    id: `checkout/${name}`,
    service: "checkout",
    name,
    flow: "pay",
    description: "",
    objective: percent,
    window: "30d",
    windowSeconds: 2_592_000,
    from: ago(30 * 24 * 60 * MINUTE),
    until: ago(0),
    owner: "payments",
    runbook: "https://runbooks.example.org/checkout",
    notify: "payments-oncall",
    alertName: "ErrorBudgetBurn",
    file: "slo/checkout.yml",
    line: 12,
    state: "ok",
    error: null,
    alerts: [],
    budgets,
  };
}

function budget(remaining: number, rates: number[]): Budget {
  return {
    labels: {},
    badEvents: Math.round((1 - remaining) * 1_204),
    totalEvents: 1_204_113,
    badRatio: (1 - remaining) * 0.001,
    spent: 1 - remaining,
    remaining,
    exhaustedInSeconds: null,
    burns: ["5m", "1h", "6h"].map((window, idx) => ({ window, rate: rates[idx] ?? null })),
    alerts: [],
  };
}

interface AlertParts {
  name: string;
  labels: Labels;
  since: number;
  value: Alert["value"];
  annotations?: Labels;
  more?: Partial<Alert>;
}

export function alert({ name, labels, since, value, annotations, more }: AlertParts): Alert {
  const all = { alertname: name, ...labels };
  return {
    fingerprint: fingerprint(all),
    state: "firing",
    labels: all,
    annotations: annotations ?? {},
    value,
    activeAt: ago(since + MINUTE),
    firedAt: ago(since),
    resolvedAt: null,
    receivers: ["shop"],
    silencedBy: [],
    inhibitedBy: [],
    generatorURL: "",
    rule: null,
    nextNotificationAt: null,
    lastNotifiedAt: null,
    ...more,
  };
}

function checkoutErrors(): Alert {
  return alert({
    name: "CheckoutErrors",
    labels: { service: "checkout", severity: "page", env: "production", job: "shop" },
    since: 2 * MINUTE,
    value: 0.2137,
    annotations: {
      summary: "21.4 % of checkouts fail",
      description:
        "More than 5 % of requests to /checkout answered with 5xx over the last minute. Buyers see an error page and their baskets stay full.",
      runbook_url: "https://runbooks.example.org/checkout-errors",
      dashboard: "https://grafana.example.org/d/checkout",
    },
    more: {
      lastNotifiedAt: ago(2 * MINUTE - 9_000),
      nextNotificationAt: ago(-3 * MINUTE),
      rule: {
        file: "rules/shop.yml",
        group: "shop",
        name: "CheckoutErrors",
        query:
          'sum by (service) (rate(http_requests_total{handler="/checkout",code=~"5.."}[1m]))\n  / sum by (service) (rate(http_requests_total{handler="/checkout"}[1m]))\n  > 0.05',
        forSeconds: 60,
        graph: {
          query:
            'sum by (service) (rate(http_requests_total{handler="/checkout",code=~"5.."}[1m])) / sum by (service) (rate(http_requests_total{handler="/checkout"}[1m]))',
          op: ">",
          threshold: 0.05,
        },
      },
    },
  });
}

function slowCheckout(): Alert {
  return alert({
    name: "CheckoutSlow",
    labels: { service: "checkout", severity: "ticket", env: "production", job: "shop" },
    since: 80_000,
    value: 1.84,
    annotations: { summary: "Half of checkouts take longer than 1.8 s" },
    more: {
      inhibitedBy: [checkoutErrors().fingerprint],
      rule: {
        file: "rules/shop.yml",
        group: "shop",
        name: "CheckoutSlow",
        query:
          "histogram_quantile(0.5, sum by (le, service) (rate(http_request_duration_seconds_bucket[1m]))) > 1",
        forSeconds: 60,
        graph: {
          query:
            "histogram_quantile(0.5, sum by (le, service) (rate(http_request_duration_seconds_bucket[1m])))",
          op: ">",
          threshold: 1,
        },
      },
    },
  });
}

function diskFills(): Alert {
  return alert({
    name: "DiskFillsUp",
    labels: {
      instance: "10.20.4.17:9100",
      device: "/dev/mapper/vg0-postgres",
      mountpoint: "/var/lib/postgresql",
      severity: "ticket",
      env: "production",
    },
    since: 27 * 60 * MINUTE,
    value: 8_412_332_032,
    annotations: {
      summary: "db-3 runs out of disk in 14 hours",
      runbook_url: "javascript:alert(1)",
    },
    more: { receivers: ["platform"], silencedBy: [silence().id], lastNotifiedAt: ago(58 * MINUTE) },
  });
}

function posted(): Alert {
  return alert({
    name: "BudgetBurn",
    labels: { team: "payments", severity: "page", cluster: "eu-west-1" },
    since: 26 * 60 * MINUTE,
    value: "+Inf",
    annotations: { message: "Error budget of payments is spent" },
    more: {
      receivers: ["platform", "payments-pager"],
      generatorURL: "http://prometheus.example.org/graph?g0.expr=budget",
    },
  });
}

function backlog(): Alert {
  return alert({
    name: "QueueBacklog",
    labels: { queue: "emails", severity: "ticket", job: "shop" },
    since: 0,
    value: 1_204,
    annotations: { summary: "1204 emails wait" },
    more: {
      state: "pending",
      activeAt: ago(25_000),
      firedAt: null,
      rule: {
        file: "rules/shop.yml",
        group: "shop",
        name: "QueueBacklog",
        query: "queue_length > 1000 and rate(queue_length[5m]) > 0",
        forSeconds: 300,
        graph: null,
      },
    },
  });
}

function restarted(): Alert {
  return alert({
    name: "WorkerRestarted",
    labels: { instance: "worker-2", severity: "info", job: "shop" },
    since: 44 * MINUTE,
    value: null,
    annotations: { summary: "worker-2 came up again" },
    more: { state: "resolved", resolvedAt: ago(31 * MINUTE) },
  });
}

export function silence(more: Partial<Silence> = {}): Silence {
  return {
    id: "7f2d6c1e-4c0b-4d53-9a53-0c5f3b1e8a11",
    status: { state: "active" },
    matchers: [{ name: "alertname", value: "DiskFillsUp", isRegex: false, isEqual: true }],
    startsAt: ago(50 * MINUTE),
    endsAt: ago(-190 * MINUTE),
    createdBy: "Mara",
    comment: "New disk arrives on Monday (OPS-412)",
    ...more,
  };
}

function entry(
  id: string,
  age: number,
  reason: InboxEntry["reason"],
  receiver: string,
  alerts: Alert[],
): InboxEntry {
  const job = alerts[0]?.labels.job;
  const status = reason === "all_resolved" ? "resolved" : "firing";
  return {
    id,
    at: ago(age),
    receiver,
    status,
    reason,
    groupLabels: job === undefined ? { env: "production" } : { job },
    commonLabels: job === undefined ? { env: "production" } : { job, env: "production" },
    commonAnnotations: {},
    alerts: alerts.map((each) => ({
      fingerprint: each.fingerprint,
      status,
      labels: each.labels,
      annotations: each.annotations,
      startsAt: each.firedAt ?? each.activeAt,
      endsAt: each.resolvedAt,
      generatorURL: each.generatorURL,
    })),
  };
}

function target(scrapePool: string, scrapeUrl: string, name: string): Target {
  return {
    scrapePool,
    scrapeUrl,
    labels: { instance: new URL(scrapeUrl).host, job: scrapePool, name },
    lastError: "",
    lastScrape: ago(3_200),
    lastScrapeDuration: 0.0123,
    health: "up",
  };
}

export function statusOf(alerts: Alert[], counts: Partial<Status["counts"]>): Status {
  const inState = (state: Alert["state"]) => alerts.filter((each) => each.state === state).length;
  return {
    version: "0.1.0",
    startedAt: ago(3 * 60 * MINUTE),
    ready: true,
    configFile: "/etc/firebell/firebell.yml",
    configLoadedAt: ago(3 * 60 * MINUTE),
    configProblems: [],
    storageProblems: [],
    counts: {
      targets: 4,
      targetsUp: 4,
      rules: 12,
      alertsFiring: inState("firing"),
      alertsPending: inState("pending"),
      series: 640,
      samplesPerSecond: 42,
      inbox: 0,
      ...counts,
    },
    nextSteps: [],
  };
}

/** As Alertmanager's: 64-bit FNV-1a over sorted names and values. */
function fingerprint(labels: Labels): string {
  let hash = 0xcbf29ce484222325n;
  for (const pair of Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))) {
    for (const text of pair) {
      for (const byte of [...Buffer.from(text), 0xff]) {
        hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
      }
    }
  }
  return hash.toString(16).padStart(16, "0");
}
