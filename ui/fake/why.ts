// What the fake server says of why an alert is told of.
import type { Alert, AlertWhy } from "../src/api/types.ts";
import { ago, type World } from "./scenarios.ts";

/** One route that takes the alert, and others that do not. */
export function why(world: World, fingerprint: string): AlertWhy | undefined {
  const alert = world.alerts.find((each) => each.fingerprint === fingerprint);
  if (alert === undefined) return undefined;
  const isPending = alert.state === "pending";
  const isMuted = alert.silencedBy.length + alert.inhibitedBy.length > 0;
  return {
    fingerprint,
    labels: alert.labels,
    state: alert.state,
    value: alert.value,
    activeAt: alert.activeAt,
    firesAt: isPending ? ago(-45_000) : null,
    startsAt: alert.firedAt,
    endsAt: alert.resolvedAt,
    rule: null,
    silencedBy: [],
    inhibitedBy: null,
    routes: [
      route(0, "{}", "default", "leads"),
      {
        ...route(1, '{team="db"}', "db", "refuses"),
        refusedBy: { matcher: 'team="db"', value: alert.labels.team ?? null },
      },
      route(1, '{service="shop"}', "shop", "takes"),
      route(1, '{severity="low"}', "mail", "not_tried"),
    ],
    routesLeftOut: 0,
    groups: isPending ? [] : [group(alert, isMuted)],
  };
}

type Group = AlertWhy["groups"][number];
type Integration = Group["integrations"][number];

function group(alert: Alert, isMuted: boolean): Group {
  const alertname = alert.labels.alertname ?? "";
  return {
    key: `{}/{service="shop"}:{alertname="${alertname}"}`,
    labels: { alertname },
    receiver: "shop",
    isWaiting: true,
    alerts: 2,
    groupWaitSeconds: 30,
    groupIntervalSeconds: 300,
    repeatIntervalSeconds: 14_400,
    mutedBy: null,
    nextDecisionAt: ago(-240_000),
    integrations: [slack(isMuted), WEBHOOK],
  };
}

function slack(isMuted: boolean): Integration {
  const told = { at: ago(60_000), reason: "first" } as const;
  return {
    integration: "slack[0]",
    sendResolved: true,
    told: { ...told, namedAlert: true },
    underWay: null,
    deliveries: [{ ...told, status: "delivered", attempts: 1, tookMs: 143, error: null }],
    next: isMuted
      ? { at: null, reason: "silenced", because: "nothing is sent: until its silence ends" }
      : {
          at: ago(-14_000_000),
          reason: "repeat_interval",
          because: "a repetition, by repeat_interval 4h",
        },
  };
}

const WEBHOOK: Integration = {
  integration: "webhook[0]",
  sendResolved: true,
  told: null,
  underWay: {
    attempt: 3,
    retryAt: ago(-8_000),
    lastError: "unexpected status code 503: http://relay.example/<redacted>",
  },
  deliveries: [],
  next: { at: ago(-8_000), reason: "retry", because: "attempt 3 failed, it is tried again" },
};

function route(
  depth: number,
  matchers: string,
  receiver: string,
  verdict: AlertWhy["routes"][number]["verdict"],
): AlertWhy["routes"][number] {
  return { depth, matchers, receiver, continues: false, verdict, refusedBy: null };
}
