// The stream of server-sent events, read with `fetch`: unlike `EventSource` it shows the comments
// that keep a connection alive, so a dead one is noticed, and it tells an HTTP error from a cut.
import { apiUrl } from "./http.ts";
import type { Changed } from "./types.ts";

/** The server sends something at least every 15 seconds; twice that and a bit means it is gone. */
const QUIET_MAX_MS = 35_000;
/** Waits between attempts, in milliseconds; the last one repeats. */
const RETRY_AFTER_MS = [500, 1_000, 2_000, 5_000, 10_000];

export interface EventHandlers {
  onOpen: () => void;
  onLost: () => void;
  onChanged: (what: Changed["what"]) => void;
}

/** Opens the stream and keeps it open until the function that is returned is called. */
export function openEvents({ onOpen, onLost, onChanged }: EventHandlers): () => void {
  const closed = new AbortController();
  let failures = 0;
  const attempt = async (): Promise<void> => {
    await readStream(closed.signal, onChanged, () => {
      failures = 0;
      onOpen();
    });
    if (closed.signal.aborted) return;
    onLost();
    setTimeout(
      () => {
        if (!closed.signal.aborted) void attempt();
      },
      RETRY_AFTER_MS[Math.min(failures, RETRY_AFTER_MS.length - 1)],
    );
    failures += 1;
  };
  void attempt();
  return () => closed.abort();
}

/** Reads until the stream ends, for whatever reason. */
async function readStream(
  closed: AbortSignal,
  onChanged: EventHandlers["onChanged"],
  onOpen: () => void,
): Promise<void> {
  const quiet = new AbortController();
  const signal = AbortSignal.any([closed, quiet.signal]);
  let timer = setTimeout(() => quiet.abort(), QUIET_MAX_MS);
  try {
    const response = await fetch(apiUrl("api/firebell/v1/events"), {
      signal,
      headers: { Accept: "text/event-stream" },
    });
    if (!response.ok || response.body === null) return;
    onOpen();
    const parser = new EventParser();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(() => quiet.abort(), QUIET_MAX_MS);
      for (const event of parser.push(value)) {
        if (event.name === "changed") onChanged(parseChanged(event.data));
      }
    }
  } catch {
    // The caller tries again, and the page says that the connection is lost.
  } finally {
    clearTimeout(timer);
  }
}

/** An event that cannot be read means that something changed: then everything is fetched. */
function parseChanged(data: string): Changed["what"] {
  try {
    return (JSON.parse(data) as Changed).what;
  } catch {
    return ["alerts", "inbox", "status"];
  }
}

/** Cuts a stream of text into events. Source: WHATWG HTML, 9.2.6, as far as it is used here. */
export class EventParser {
  private rest = "";
  private name = "";
  private data: string[] = [];

  push(chunk: string): { name: string; data: string }[] {
    const events = [];
    // A `\r` at the end may be half of a line end.
    const text = this.rest + chunk;
    const lines = text.split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") {
        if (this.data.length > 0) {
          events.push({ name: this.name || "message", data: this.data.join("\n") });
        }
        this.name = "";
        this.data = [];
        continue;
      }
      const colon = line.indexOf(":");
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (field === "event") this.name = value;
      if (field === "data") this.data.push(value);
    }
    return events;
  }
}
