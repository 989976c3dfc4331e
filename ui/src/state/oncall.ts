// Shifts on a line of days, and on-call in words.
import type {
  OncallImported,
  OncallObject,
  OncallSet,
  OncallShift,
  OncallShifts,
  OncallWatch,
} from "../api/types.ts";
import { count, formatClock, formatDay } from "./format.ts";

/** How many days the timeline shows, and over how many the loads are added up. */
export const LINE_DAYS = 14;
export const LOAD_DAYS = 84;

/** When the reader's day began. */
export function startOfDay(ms: number): number {
  const date = new Date(ms);
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}

/** When each of the reader's days begins; a day may have 23 or 25 hours. */
export function days(from: number, n: number): number[] {
  const first = new Date(from);
  return Array.from({ length: n }, (_, day) =>
    new Date(first.getFullYear(), first.getMonth(), first.getDate() + day).getTime(),
  );
}

interface Span {
  from: string;
  until: string;
}

/** Where a span lies on a line, in percent; null when it is not on it. */
export function place(
  span: Span,
  from: number,
  to: number,
): { left: string; width: string } | null {
  const start = Math.max(Date.parse(span.from), from);
  const end = Math.min(Date.parse(span.until), to);
  if (!(start < end)) return null;
  const share = (ms: number) => `${((ms / (to - from)) * 100).toFixed(3)}%`;
  return { left: share(start - from), width: share(end - start) };
}

/** People have colours by the order in which the schedule first names them. */
export function colours(shifts: OncallShifts): Map<string, number> {
  const all = [...shifts.layers.flatMap((layer) => layer.shifts), ...shifts.shifts];
  const names = new Set(all.flatMap(({ people }) => people));
  return new Map([...names].map((name, idx) => [name, idx % N_COLOURS]));
}

const N_COLOURS = 6;

/** `Mon 2026-11-23 09:00` by the reader's clock. */
export function formatTurn(timestamp: string): string {
  const ms = Date.parse(timestamp);
  const weekday = WEEKDAYS[new Date(ms).getDay()];
  return `${weekday} ${formatDay(ms)} ${formatClock(ms).slice(0, 5)}`;
}

export const WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"] as const;

/** What says that somebody is on call, where that is not a layer as always. */
export function causeWords({ cause }: Pick<OncallShift, "cause">): string {
  if (cause.kind === "layer") return "";
  return cause.reason === "" ? cause.kind : `${cause.kind}: ${cause.reason}`;
}

type Change = OncallShifts["changes"][number];

/** A change as a sentence without its times. */
export function changeWords({ kind, people, of, reason }: Change): string {
  const who = people.join(", ");
  const what = {
    temporary: "other layers hold",
    take: `${who} instead of all others`,
    replace: `${who} for ${of}`,
    add: `${who} as well`,
    remove: `without ${who}`,
    shadow: `${who} learns from ${of ?? "whoever is on call"}`,
  }[kind];
  return reason === "" ? what : `${what}: ${reason}`;
}

/** Shifts and gaps, in order. */
export function turns(shifts: OncallShifts): (Span & { shift: OncallShift | null })[] {
  const gaps = shifts.gaps.map((gap) => ({ ...gap, shift: null }));
  const covered = shifts.shifts.map((shift) => ({
    from: shift.from,
    until: shift.until,
    shift,
  }));
  return [...covered, ...gaps].sort((a, b) => Date.parse(a.from) - Date.parse(b.from));
}

/** Schedules that nobody covers now come first. */
export function byNeed(a: OncallWatch, b: OncallWatch): number {
  return Number(isMissed(b)) - Number(isMissed(a));
}

/** Whether nobody is on call who should be. */
export function isMissed({ onCall, gapsAllowed }: OncallWatch): boolean {
  return onCall === null && !gapsAllowed;
}

/** A swap that was set over HTTP, in words. */
export function swapWords({ object, by }: OncallObject): string {
  const sides = Object.entries(object).filter(([name]) => name !== "schedule");
  const words = sides.map(([name, side]) => {
    const { from, until } = side as { from?: string; until?: string };
    return `${name} ${from ?? ""} to ${until ?? ""}`;
  });
  return `${words.join(" for ")}, swapped (set by ${by ?? "somebody"})`;
}

/** An override or a temporary schedule that was set over HTTP, in words. */
export function overrideWords({ object, by }: OncallObject): string {
  const text = (name: string): string => {
    const value = object[name];
    return Array.isArray(value) ? value.join(", ") : typeof value === "string" ? value : "";
  };
  const what =
    text("people") !== ""
      ? `${text("people")} in turns of ${text("every")}`
      : text("take") !== ""
        ? `${text("take")} on call`
        : text("replace") !== ""
          ? `${text("by")} for ${text("replace")}`
          : text("add") !== ""
            ? `${text("add")} as well`
            : `without ${text("remove")}`;
  const why = text("reason") === "" ? "" : `: ${text("reason")}`;
  return `${text("from")} to ${text("until")}, ${what}${why} (set by ${by ?? "somebody"})`;
}

/** A shift that a calendar brought, in words; its times are of no schedule's clock. */
export function shiftWords({ object, by }: OncallObject): string {
  const { from, until, people, reason } = object as Record<string, string | string[] | undefined>;
  const [begin, end] = [from, until].map((it) => (typeof it === "string" ? formatTurn(it) : ""));
  const who = Array.isArray(people) ? people.join(", ") : "";
  const why = typeof reason === "string" && reason !== "" ? `: ${reason}` : "";
  return `${begin} to ${end}, ${who} by a calendar${why} (set by ${by ?? "somebody"})`;
}

/** So many of what was set are asked for after so many parts: few at first, then as many as one may. */
export function setLimit(nParts: number): number {
  return Math.min(SET_FIRST * 3 ** nParts, SET_MAX);
}

const SET_FIRST = 20;
/** As many as the server lists at once. */
const SET_MAX = 1000;

/**
 * A part of what was set, in words: the kind and the id are those by which it is removed. In the order
 * in which the parts follow each other.
 */
export function setWords(set: OncallSet): { kind: string; id: string; words: string }[] {
  const kinds = [
    ["overrides", set.overrides, overrideWords],
    ["swaps", set.swaps, swapWords],
    ["temporary", set.temporary, overrideWords],
    ["shifts", set.shifts, shiftWords],
  ] as const;
  return kinds.flatMap(([kind, list, inWords]) =>
    list.map((it) => ({ kind, id: it.id, words: inWords(it) })),
  );
}

/** What a calendar brings, or has brought. */
export function importedWords(imported: OncallImported): string {
  const { shifts, added, changed, removed, leftOut } = imported;
  const parts = [
    added > 0 && `${added} new`,
    changed > 0 && `${changed} changed`,
    removed > 0 && `${removed} gone`,
    leftOut > 0 && `${leftOut} too old or too far ahead`,
  ].filter((it) => it !== false);
  const rest = parts.length === 0 ? "nothing new" : parts.join(", ");
  return `${count(shifts.length, "shift")}: ${rest}.`;
}
