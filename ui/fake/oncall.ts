// On-call of the made-up shop: two schedules, one of them with gaps and everything else.
import type { OncallNow, OncallSet, OncallShift, OncallShifts } from "../src/api/types.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

type Cause = OncallShift["cause"];

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

function turn(from: number, until: number, who: string, cause?: Partial<Cause>): OncallShift {
  return {
    from: iso(from),
    until: iso(until),
    people: [who],
    shadows: [],
    cause: { kind: "layer", layer: "weeks", reason: "", ...cause },
  };
}

/** Who is on call now; nobody is by the second schedule. */
export function oncall(): OncallNow {
  const now = Date.now();
  const from = now - 2 * DAY;
  return {
    at: iso(now),
    schedules: [
      {
        name: "payments",
        zone: "Europe/Madrid",
        onCall: {
          ...turn(from, from + 7 * DAY, "ana", { kind: "override", reason: "a wedding" }),
          shadows: ["zoe"],
        },
        before: turn(from - 7 * DAY, from, "ben"),
        next: turn(from + 7 * DAY, from + 14 * DAY, "ben"),
        handOverAt: iso(from + 7 * DAY),
        gapsAllowed: false,
      },
      {
        name: "nights",
        zone: "Asia/Tokyo",
        onCall: null,
        before: turn(now - 9 * HOUR, now - HOUR, "kai"),
        next: turn(now + 15 * HOUR, now + 23 * HOUR, "kai"),
        handOverAt: iso(now + 15 * HOUR),
        gapsAllowed: false,
      },
    ],
    teams: [
      {
        name: "shop",
        members: ["ana", "ben"],
        services: ["cart"],
        schedule: "payments",
        onCall: ["ana"],
      },
      { name: "platform", members: ["kai"], services: [], schedule: null, onCall: ["kai"] },
    ],
    people: [
      person("ana", "Ana Ruiz", "Europe/Madrid", ["phone", "email"]),
      person("ben", "ben", "UTC", ["slack"]),
      person("kai", "Kai Tanaka", "Asia/Tokyo", []),
      person("zoe", "Zoe Lind", "UTC", ["email"]),
    ],
  };
}

function person(
  name: string,
  fullName: string,
  zone: string,
  kinds: ("phone" | "email" | "slack")[],
) {
  const contacts = kinds.map((kind) => ({ kind, verified: false }));
  return { name, fullName, zone, contacts };
}

/** Days of two people with an override, or nights with gaps. */
export function shiftsOf(world: OncallNow, params: URLSearchParams): OncallShifts {
  const schedule = params.get("schedule") ?? "";
  const from = Date.parse(params.get("from") ?? "");
  const to = from + Number(params.get("days")) * DAY;
  const zone = world.schedules.find(({ name }) => name === schedule)?.zone ?? "UTC";
  const shared = { schedule, zone, from: iso(from), to: iso(to), gapsAllowed: false };
  const load = (name: string, hours: number) => ({
    name,
    fullName: world.people.find((it) => it.name === name)?.fullName ?? name,
    zone,
    hours,
    shifts: 3,
    nightHours: hours / 3,
    nights: 14,
    weekendHours: hours / 4,
    weekends: 2,
  });
  if (schedule === "nights") {
    const starts = Array.from({ length: (to - from) / DAY }, (_, day) => from + day * DAY);
    return {
      ...shared,
      shifts: starts.map((at) => turn(at, at + 8 * HOUR, "kai")),
      layers: [{ name: "nights", shifts: starts.map((at) => turn(at, at + 8 * HOUR, "kai")) }],
      changes: [],
      gaps: starts.map((at) => ({ from: iso(at + 8 * HOUR), until: iso(at + DAY) })),
      fairness: { balance: 1, people: [load("kai", 112)] },
    };
  }
  const weeks = [
    turn(from, from + 5 * DAY, "ana"),
    turn(from + 5 * DAY, from + 12 * DAY, "ben"),
    turn(from + 12 * DAY, to, "ana"),
  ];
  const wedding = { kind: "override", layer: null, reason: "a wedding" } as const;
  return {
    ...shared,
    shifts: [
      turn(from, from + 5 * DAY, "ana"),
      turn(from + 5 * DAY, from + 7 * DAY, "ben"),
      turn(from + 7 * DAY, from + 9 * DAY, "ana", wedding),
      turn(from + 9 * DAY, from + 12 * DAY, "ben"),
      turn(from + 12 * DAY, to, "ana"),
    ],
    layers: [
      { name: "weeks", shifts: weeks },
      { name: "holidays", shifts: [] },
    ],
    changes: [
      {
        from: iso(from + 7 * DAY),
        until: iso(from + 9 * DAY),
        kind: "replace",
        people: ["ana"],
        of: "ben",
        reason: "a wedding",
      },
    ],
    gaps: [],
    fairness: { balance: 0.78, people: [load("ana", 1130), load("ben", 886)] },
  };
}

/** More than the server lists at once. */
const N_SHIFTS = 1100;

/** What was set of a schedule, a part at a time: an override, and shifts of a calendar. */
export function setOf(params: URLSearchParams): OncallSet {
  const [schedule, limit] = [params.get("schedule") ?? "", Number(params.get("limit") ?? 100)];
  const from = Date.parse(params.get("from") ?? iso(Date.now()));
  const by = { by: "eva", at: iso(from) };
  const times = (n: number) => ({ from: iso(from + n * DAY), until: iso(from + (n + 1) * DAY) });
  const shifts = Array.from({ length: N_SHIFTS }, (_, n) => ({
    ...by,
    id: `${n}`.padStart(16, "0"),
    object: { schedule, uid: `${n}`, ...times(n), people: ["ben"], shadows: [], reason: "On call" },
  }));
  const take = { schedule, from: "2026-01-06", until: "2026-01-07", take: "ben" };
  const first = Number(params.get("page")?.split(":")[1] ?? 0);
  const behind = first + limit;
  return {
    overrides: first === 0 ? [{ ...by, id: "1", object: take }] : [],
    swaps: [],
    temporary: [],
    shifts: shifts.slice(Math.max(first - 1, 0), behind - 1),
    schedules: [],
    next: behind - 1 < shifts.length ? `shifts:${behind}` : null,
  };
}

/** Reads of each event its title: `ana` is known, anybody else is a problem. */
export function imported(body: string): unknown {
  const said = JSON.parse(body) as { schedule: string; calendar: string; preview?: boolean };
  const titles = said.calendar
    .split("\n")
    .map((text, idx) => ({ line: idx + 1, who: /^SUMMARY:(.*)$/.exec(text)?.[1] }))
    .filter(({ who }) => who !== undefined);
  const times = { from: "2026-01-05T08:00:00Z", until: "2026-01-06T08:00:00Z" };
  const shifts = titles
    .filter(({ who }) => who === "ana")
    .map(({ line }) => ({ uid: `${line}`, line, ...times, people: ["ana"], shadows: [] }));
  const hint = "`people` has ana, each known by name, full name and e-mail address";
  return {
    change: said.preview === true ? null : 7,
    schedule: said.schedule,
    zone: "Europe/Madrid",
    shifts,
    added: shifts.length,
    changed: 0,
    removed: 0,
    leftOut: 0,
    problems: titles
      .filter(({ who }) => who !== "ana")
      .map(({ line, who }) => ({ line, message: `nobody is called \`${who ?? ""}\``, hint })),
  };
}
