// Markdown of runbooks, as far as people write it there: headings, paragraphs, items, steps, code,
// and in a line code, bold and links. What is not understood stays text; nothing becomes HTML.
import { safeUrl } from "./format.ts";

export type Block =
  | { kind: "heading" | "text" | "code"; text: string }
  | {
      kind: "item";
      text: string;
      /** How far it is indented, in items. */
      depth: number;
      /** Which step it is, from 1; null when it is none. */
      step: number | null;
    };

export interface Span {
  kind: "text" | "code" | "strong" | "link";
  text: string;
  /** Where a link leads. */
  url?: string;
}

/** The blocks of a text. Steps are numbered as the server does: `- [ ]` or `- [x]`, outside of code. */
export function blocks(text: string): Block[] {
  const found: Block[] = [];
  let step = 0;
  let isCode = false;
  let isOpen = false;
  for (const line of text.split("\n")) {
    const last = found.at(-1);
    const item = /^(\s*)(?:[-*]|\d+[.)])\s+(.*)$/.exec(line);
    const task = /^\s*- \[[ x]\] +(\S.*)$/.exec(line);
    const heading = /^#{1,6}\s+(.*)$/.exec(line);
    if (line.trimStart().startsWith("```")) {
      isCode = !isCode;
      if (isCode) found.push({ kind: "code", text: "" });
      isOpen = false;
    } else if (isCode && last !== undefined) {
      last.text += last.text === "" ? line : `\n${line}`;
    } else if (heading !== null) {
      found.push({ kind: "heading", text: heading[1] ?? "" });
      isOpen = false;
    } else if (task !== null || item !== null) {
      const depth = Math.floor((item?.[1] ?? "").length / 2);
      const number = task === null ? null : (step += 1);
      const said = (task?.[1] ?? item?.[2] ?? "").trim();
      found.push({ kind: "item", text: said, depth, step: number });
      isOpen = true;
    } else if (line.trim() === "") {
      isOpen = false;
    } else if (isOpen && last !== undefined) {
      last.text += ` ${line.trim()}`;
    } else {
      found.push({ kind: "text", text: line.trim() });
      isOpen = true;
    }
  }
  return found;
}

/** What stands in a line. */
export function spans(text: string): Span[] {
  const found: Span[] = [];
  let rest = text;
  while (rest !== "") {
    const mark = MARK.exec(rest);
    const plain = mark === null ? rest : rest.slice(0, mark.index);
    if (plain !== "") found.push({ kind: "text", text: plain });
    if (mark === null) break;
    const [whole, code, strong, words, link, bare] = mark;
    const url = safeUrl(link ?? bare);
    if (code !== undefined) found.push({ kind: "code", text: code });
    else if (strong !== undefined) found.push({ kind: "strong", text: strong });
    else if (url !== null) found.push({ kind: "link", text: words ?? url, url });
    else found.push({ kind: "text", text: whole });
    rest = rest.slice(mark.index + whole.length);
  }
  return found;
}

const MARK =
  /`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\(([^()\s]+)\)|(https?:\/\/[^\s<>()]+[^\s<>().,;:!?])/;
