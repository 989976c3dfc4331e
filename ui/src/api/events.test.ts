import { describe, expect, test } from "vitest";

import { EventParser } from "./events.ts";

const STREAM =
  ': hello\n\nevent: changed\ndata: {"what":["alerts"]}\n\ndata:a\ndata: b\nid: 7\n\nevent: empty\n\n';
const EVENTS = [
  { name: "changed", data: '{"what":["alerts"]}' },
  { name: "message", data: "a\nb" },
];

describe("events are the same however the stream is cut", () => {
  test.each([1, 2, 3, 7, 1_000])("into pieces of %d", (size) => {
    for (const text of [STREAM, STREAM.replaceAll("\n", "\r\n"), STREAM.replaceAll("\n", "\r")]) {
      const parser = new EventParser();
      const events = [];
      for (let at = 0; at < text.length; at += size) {
        events.push(...parser.push(text.slice(at, at + size)));
      }
      expect(events).toEqual(EVENTS);
    }
  });
});
