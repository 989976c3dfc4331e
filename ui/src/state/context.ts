// What an alert says of the request, job or process in which it arose: annotations that the Python
// package writes. What is not as it writes it stays an annotation like any other.
import type { Labels } from "../api/types.ts";
import { formatSeconds } from "./format.ts";

/** Something that happened before, the latest last. */
export interface Crumb {
  at: string | null;
  category: string;
  level: string;
  message: string;
  data: string;
}

export interface Context {
  traceId: string | null;
  /** Names with what they are, in the order in which people ask. */
  facts: [string, string][];
  crumbs: Crumb[];
  /** Groups of facts that the app named itself. */
  groups: { name: string; facts: [string, string][] }[];
  /** All other annotations. */
  rest: Labels;
}

type Json = Record<string, unknown>;

export function contextOf(annotations: Labels): Context {
  const left = new Map(Object.entries(annotations));
  const take = (name: string): string => {
    const text = left.get(name) ?? "";
    left.delete(name);
    return text;
  };
  const takeMap = (name: string): Json | null => {
    const map = parsed(annotations[name]);
    if (map === null || typeof map !== "object" || Array.isArray(map)) return null;
    left.delete(name);
    return map as Json;
  };
  const traceId = /^[0-9a-f]{32}$/.test(annotations.trace_id ?? "") ? take("trace_id") : null;
  const route = take("route");
  const path = take("path");
  const request = [take("method"), route || path].filter(Boolean).join(" ");
  const deploy = takeMap("deploy");
  const facts: [string, string][] = [
    ["Request", request],
    ["Path", route === "" || path === route ? "" : path],
    ["User", textOf(takeMap("user"), "id")],
    ["Deploy", deployText(deploy, annotations.release ?? "")],
    ["Release", releaseText(deploy, take("release"))],
    ["Suppressed", take("suppressed")],
    ["Last seen", take("last_seen")],
    ["Request id", take("request_id")],
    ["Span", traceId === null ? "" : take("span_id")],
    ["Event", take("event_id")],
  ];
  const groups: Context["groups"] = [];
  addGroup(groups, "Tags", takeMap("tags"));
  for (const [kind, title] of [
    ["contexts", ""],
    ["snapshots", "Snapshot "],
  ] as const) {
    for (const [name, group] of Object.entries(takeMap(kind) ?? {})) {
      const map = typeof group === "object" && group !== null ? (group as Json) : { "": group };
      addGroup(groups, `${title}${name}`, map);
    }
  }
  const crumbs = crumbsOf(parsed(annotations.breadcrumbs));
  if (crumbs !== null) left.delete("breadcrumbs");
  const known = facts.filter(([, text]) => text !== "");
  return { traceId, facts: known, crumbs: crumbs ?? [], groups, rest: Object.fromEntries(left) };
}

function addGroup(groups: Context["groups"], name: string, map: Json | null): void {
  const facts = Object.entries(map ?? {}).map(([key, value]): [string, string] => [
    key,
    say(value),
  ]);
  if (facts.length > 0) groups.push({ name, facts });
}

function crumbsOf(list: unknown): Crumb[] | null {
  if (!Array.isArray(list)) return null;
  return list
    .filter((crumb): crumb is Json => typeof crumb === "object" && crumb !== null)
    .map((crumb) => ({
      at: typeof crumb.timestamp === "string" ? crumb.timestamp : null,
      category: say(crumb.category),
      level: say(crumb.level),
      message: say(crumb.message),
      data: textOf(crumb.data as Json | null | undefined),
    }));
}

function deployText(deploy: Json | null, release: string): string {
  if (deploy === null) return "";
  const age = deploy.age_s;
  const before = typeof age === "number" ? `${formatSeconds(age)} before` : "";
  const commit = say(deploy.commit);
  const parts = [
    say(deploy.version) || release || "a deploy",
    say(deploy.environment) && `to ${say(deploy.environment)}`,
    before,
    commit && `commit ${commit}`,
    say(deploy.url),
  ];
  return parts.filter(Boolean).join(", ");
}

/** Where a deploy is known the release is that of the process: told only if it is another. */
function releaseText(deploy: Json | null, release: string): string {
  return deploy !== null && ["", release].includes(say(deploy.version)) ? "" : release;
}

/** `7, plan=gold`: what is called `first` stands without its name. */
function textOf(map: Json | null | undefined, first = ""): string {
  if (map === null || typeof map !== "object") return "";
  return Object.entries(map)
    .map(([name, value]) => (name === first ? say(value) : `${name}=${say(value)}`))
    .join(", ");
}

function say(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** JSON, or null: what was too long was cut, and is none. */
function parsed(text: string | undefined): unknown {
  try {
    return text === undefined ? null : (JSON.parse(text) as unknown);
  } catch {
    return null;
  }
}
