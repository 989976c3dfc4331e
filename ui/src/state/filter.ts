// The filter above lists of alerts: words, and conditions on labels as in PromQL.
import type { Labels } from "../api/types.ts";

/** What a filter looks at. */
export interface Subject {
  labels: Labels;
  annotations?: Labels;
  /** Words besides, such as a receiver. */
  words?: string[];
}

export interface Filter {
  matches: (subject: Subject) => boolean;
  /** What is wrong with the text, or null. */
  problem: string | null;
}

type Test = (subject: Subject) => boolean;

// A term: perhaps a label with an operator, then text in quotes or up to the next space.
const TERM = /(?:([A-Za-z_]\w*)(=~|!~|!=|=))?(?:"((?:\\.|[^"\\])*)"?|(\S*))/gs;

/** Reads `service=shop severity!=page instance=~"10\\..*" timeout`. All terms have to hold. */
export function parseFilter(text: string): Filter {
  const tests: Test[] = [];
  let problem: string | null = null;
  for (const [, label, op, quoted, bare = ""] of text.matchAll(TERM)) {
    const value = quoted === undefined ? bare : quoted.replace(/\\(["\\])/g, "$1");
    if (label === undefined) {
      if (value !== "") tests.push(holdsWord(value));
      continue;
    }
    const test = condition(op ?? "=", value);
    if (test === null) problem ??= `\`${value}\` is not a regular expression`;
    else tests.push(({ labels }) => test(labels[label] ?? ""));
  }
  return { matches: (subject) => tests.every((test) => test(subject)), problem };
}

/** Labels that are absent count as empty, as in PromQL; null for a broken regular expression. */
function condition(op: string, value: string): ((actual: string) => boolean) | null {
  if (op === "=") return (actual) => actual === value;
  if (op === "!=") return (actual) => actual !== value;
  try {
    const regex = new RegExp(`^(?:${value})$`, "s");
    return (actual) => regex.test(actual) === (op === "=~");
  } catch {
    return null;
  }
}

function holdsWord(word: string): Test {
  const wanted = word.toLowerCase();
  return ({ labels, annotations = {}, words = [] }) =>
    [...Object.entries(labels).flat(), ...Object.values(annotations), ...words].some((text) =>
      text.toLowerCase().includes(wanted),
    );
}

/** A filter's text with a condition added, unless it is there. */
export function withCondition(text: string, label: string, value: string): string {
  const plain = /^[^\s"\\]+$/.test(value);
  const term = `${label}=${plain ? value : `"${value.replace(/(["\\])/g, "\\$1")}"`}`;
  return ` ${text} `.includes(` ${term} `) ? text : `${text.trim()} ${term}`.trim();
}
