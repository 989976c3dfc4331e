// What people state of an incident: who is hit and by what, whether data is as it should be, who does
// what. Each as the act that is posted.
import type { IncidentDetail } from "../api/types.ts";

export type DataState = NonNullable<IncidentDetail["data"]>["state"];
export type Role = IncidentDetail["roles"][number]["role"];

/** States of data, in the order in which they are offered. */
export const DATA_STATES: { value: DataState; label: string }[] = [
  { value: "unknown", label: "Unknown" },
  { value: "intact", label: "Intact" },
  { value: "at_risk", label: "At risk" },
  { value: "lost", label: "Lost or wrong" },
];

/** Roles, the one that decides first. */
export const ROLES: { value: Role; label: string }[] = [
  { value: "commander", label: "Commander" },
  { value: "operations", label: "Operations" },
  { value: "liaison", label: "Liaison" },
  { value: "scribe", label: "Scribe" },
];

/** Names between commas, each once. */
export function namesIn(text: string): string[] {
  const names = text.split(",").map((name) => name.trim());
  return [...new Set(names.filter((name) => name !== ""))];
}

/** How many users that is; `null` where nothing is said, `undefined` where it is no number. */
export function usersIn(text: string): number | null | undefined {
  const digits = text.trim();
  if (digits === "") return null;
  const users = /^\d+$/.test(digits) ? Number(digits) : NaN;
  return Number.isSafeInteger(users) ? users : undefined;
}

/** The act that says what users notice; `null` as long as it is incomplete. */
export function impactAct(text: string, users: string): object | null {
  const count = usersIn(users);
  if (text.trim() === "" || count === undefined) return null;
  return { do: "impact", text: text.trim(), users: count };
}

/** All that is hit: an empty text says that nothing is. */
export function componentsAct(text: string): object {
  return { do: "components", names: namesIn(text) };
}

/** What is known of data, and how. */
export function dataAct(state: DataState, text: string): object {
  return { do: "data", state, text: text.trim() };
}

/** Gives a role to somebody, or takes it back. */
export function roleAct(role: Role, person: string | null): object {
  return { do: "role", role, person: person === null ? null : person.trim() };
}
