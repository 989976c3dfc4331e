import { expect, test } from "vitest";

import { blocks, spans } from "./markdown.ts";

test("a runbook has headings, text, items, code, and steps that are numbered", () => {
  const text = [
    "# Slow",
    "",
    "Look first,",
    "then act.",
    "- [ ] look for `long` queries",
    "  - [x] kill them",
    "    by hand",
    "- an item",
    "```sh",
    "- [ ] no step",
    "  psql",
    "```",
    "1. first",
    "- [ ] hand over",
  ].join("\n");
  const item = (said: string, depth: number, step: number | null) => ({
    kind: "item",
    text: said,
    depth,
    step,
  });
  expect(blocks(text)).toEqual([
    { kind: "heading", text: "Slow" },
    { kind: "text", text: "Look first, then act." },
    item("look for `long` queries", 0, 1),
    item("kill them by hand", 1, 2),
    item("an item", 0, null),
    { kind: "code", text: "- [ ] no step\n  psql" },
    item("first", 0, null),
    item("hand over", 0, 3),
  ]);
});

test("a line has code, bold and links, and nothing that could run", () => {
  expect(
    spans("see `top`, **now**, [graphs](https://g.example/1) or https://w.example/a."),
  ).toEqual([
    { kind: "text", text: "see " },
    { kind: "code", text: "top" },
    { kind: "text", text: ", " },
    { kind: "strong", text: "now" },
    { kind: "text", text: ", " },
    { kind: "link", text: "graphs", url: "https://g.example/1" },
    { kind: "text", text: " or " },
    { kind: "link", text: "https://w.example/a", url: "https://w.example/a" },
    { kind: "text", text: "." },
  ]);
  expect(spans("[x](javascript:alert(1))").every(({ kind }) => kind === "text")).toBe(true);
  expect(spans("<b>x</b>")).toEqual([{ kind: "text", text: "<b>x</b>" }]);
});
