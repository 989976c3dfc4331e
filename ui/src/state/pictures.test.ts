import { expect, test } from "vitest";

import { altOf, captionOf, pasted, take } from "./pictures.ts";

const MIB = 1024 * 1024;
const file = (name: string, type = "image/png", size = 100) => ({ name, type, size });

test("only what the server takes is taken, and of the rest it is said why not", () => {
  const before = [file("a.png")];
  const files = [
    file("b.webp", "image/webp", 5 * MIB),
    file("c.svg", "image/svg+xml"),
    file("d.png", "image/png", 5 * MIB + 1),
    file("e.pdf", "application/pdf"),
    file("f.gif", "image/gif"),
  ];
  const { pictures, problem } = take(before, files);
  expect(pictures.map(({ name }) => name)).toEqual(["a.png", "b.webp", "f.gif"]);
  expect(problem).toBe(
    "c.svg is no PNG, JPEG, GIF or WebP. " +
      "d.png is larger than 5 MiB: make it smaller, or link to it. " +
      "e.pdf is no PNG, JPEG, GIF or WebP.",
  );
  expect(before).toHaveLength(1);
  expect(take(before, [file("b.png")]).problem).toBeNull();
});

test("a note takes so many at once", () => {
  const many = Array.from({ length: 12 }, (_, idx) => file(`${idx}.png`));
  const { pictures, problem } = take([], many);
  expect(pictures).toHaveLength(10);
  expect(problem).toContain("A note takes 10 pictures at once.");
});

test.each([
  [["Files"], ["shot"], ["shot"]],
  // What a browser copies of a page has its HTML beside it.
  [["text/html", "Files"], ["shot"], ["shot"]],
  // A spreadsheet gives a picture of its cells too.
  [["text/plain", "text/html", "Files"], ["cells"], []],
  [["text/plain"], [], []],
])("of %j with the files %j these are pictures: %j", (types, files, expected) => {
  expect(pasted({ types, files })).toEqual(expected);
});

test.each([
  ["", 0, 1, ""],
  [" ", 1, 2, ""],
  ["latency", 0, 1, "latency"],
  [" latency ", 1, 3, "latency (2 of 3)"],
  ["é".repeat(991), 0, 2, `${"é".repeat(991)} (1 of 2)`],
  ["é".repeat(992), 0, 2, "é".repeat(992)],
  ["😀".repeat(991), 0, 2, `${"😀".repeat(991)} (1 of 2)`],
])("%j, %i of %i, is shown as %j", (text, idx, count, expected) => {
  expect(captionOf(text, idx, count)).toBe(expected);
});

test("who does not see a picture is told what it shows, or who showed it", () => {
  const of = (text: string) => ({
    id: "a",
    type: "image/png" as const,
    bytes: 1,
    width: 1,
    height: 1,
    text,
  });
  expect(altOf({ by: "ada", picture: of("latency") })).toBe("latency");
  expect(altOf({ by: "ada", picture: of("") })).toBe("Picture that ada showed");
});
