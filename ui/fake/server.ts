// A Firebell that only looks like one: answers the page's requests out of a `World`.
import { createReadStream, existsSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";

import type { Changed, IncidentDetail } from "../src/api/types.ts";
import type { SilencePreview } from "../src/api/types.ts";
import type { NewSilence } from "../src/api/upstream.ts";
import { act, incident, pictureAt, runbooks, showPicture, takeBack } from "./incidents.ts";
import { answerPage } from "./pages.ts";
import { draft, postmortem, write } from "./postmortem.ts";
import { decide, quality } from "./quality.ts";
import { ago, history, spending, type World } from "./scenarios.ts";
import { imported, setOf, shiftsOf } from "./oncall.ts";
import { logsFor, trace, tracesFor } from "./traces.ts";
import { why } from "./why.ts";

/** Answers a request, or says false when it is not for the API. */
export type Handler = (request: IncomingMessage, response: ServerResponse) => boolean;

const streams = new WeakMap<World, Set<ServerResponse>>();

/** Tells every open page that something changed. */
export function emit(world: World, what: Changed["what"]): void {
  for (const stream of streams.get(world) ?? []) {
    stream.write(`event: changed\ndata: ${JSON.stringify({ what })}\n\n`);
  }
}

/** How many pages listen. */
export function listeners(world: World): number {
  return streams.get(world)?.size ?? 0;
}

export function handlerFor(world: World): Handler {
  return (request, response) => {
    const url = new URL(request.url ?? "/", "http://fake");
    const failure = world.failures.get(url.pathname);
    if (failure !== undefined) {
      response.writeHead(failure.status).end(failure.body);
      return true;
    }
    if (url.pathname === "/api/firebell/v1/events") {
      stream(world, response);
      return true;
    }
    if (url.pathname.includes("/pictures")) return pictured(world, url, request, response);
    const path = url.pathname
      .replace(/(silence|incidents|pages|traces)\/.*/, "$1/")
      .replace(/[0-9a-f]{16}/, "ID");
    const key = `${request.method} ${path}`;
    const answer = ANSWERS[key];
    if (answer === undefined) return false;
    void bodyOf(request).then((body) => {
      response.setHeader("Content-Type", "application/json");
      response.end(JSON.stringify(answer(world, url, body)));
    });
    return true;
  };
}

const ANSWERS: Record<string, (world: World, url: URL, body: string) => unknown> = {
  "GET /api/firebell/v1/status": (world) => world.status,
  "GET /api/firebell/v1/alerts": (world) => ({ alerts: world.alerts }),
  "GET /api/firebell/v1/alerts/ID/why": (world, url) =>
    why(world, url.pathname.split("/").at(-2) ?? ""),
  "GET /api/firebell/v1/traces": ({ traces }, url) => tracesFor(traces, url.searchParams),
  "GET /api/firebell/v1/traces/": () => trace(),
  "GET /api/firebell/v1/logs": ({ logs }, url) => logsFor(logs, url.searchParams),
  "GET /api/firebell/v1/inbox": (world) => ({ entries: world.inbox }),
  "GET /api/firebell/v1/incidents": ({ incidents }, url) => {
    const isOpen = url.searchParams.get("status") === "open";
    const open = incidents.filter((each) => each.isOpen);
    return { incidents: isOpen ? open : incidents, next: null, open: open.length, notOpened: 0 };
  },
  "GET /api/firebell/v1/incidents/": ({ incidents }, url) => {
    const found = named(incidents, url);
    if (url.pathname.endsWith("/runbooks")) return found && { runbooks: runbooks(found) };
    return url.pathname.endsWith("/postmortem") ? found && postmortem(found.id) : found;
  },
  "POST /api/firebell/v1/incidents": (world, _, body) => {
    const { title, by } = JSON.parse(body) as { title: string; by: string };
    const opened = incident({ id: `INC-${world.incidents.length + 10}`, title, openedBy: by });
    world.incidents.unshift(opened);
    return { outcome: "changed", incident: opened };
  },
  "POST /api/firebell/v1/incidents/": ({ incidents }, url, body) => {
    const found = named(incidents, url);
    if (found && url.pathname.endsWith("/postmortem")) return draft(found.id, body);
    if (found) write(found.id, JSON.parse(body) as Parameters<typeof write>[1]);
    return found && act(found, JSON.parse(body) as Parameters<typeof act>[1]);
  },
  "GET /api/firebell/v1/pages": ({ pages }) => ({ pages, next: null, open: pages.length }),
  "POST /api/firebell/v1/pages/": ({ pages }, url, body) => {
    const found = pages.find(({ id }) => url.pathname.split("/").includes(id));
    return found && answerPage(found, url.pathname.split("/").at(-1), body);
  },
  "GET /api/firebell/v1/slos": (world) => world.objectives,
  "GET /api/firebell/v1/slos/history": ({ objectives }, url) =>
    history(objectives, url.searchParams.get("id") ?? ""),
  "GET /api/firebell/v1/slos/spending": ({ objectives }, url) =>
    spending(objectives, url.searchParams.get("id") ?? ""),
  "GET /api/firebell/v1/quality": (_, url) => quality(url.searchParams.get("month") ?? ""),
  "POST /api/firebell/v1/review/decisions": (_, __, body) => decide(body),
  "GET /api/firebell/v1/heartbeats": ({ heartbeats }) => ({ heartbeats }),
  "GET /api/firebell/v1/oncall": ({ oncall }) => oncall,
  "GET /api/firebell/v1/oncall/overrides": (_, url) => setOf(url.searchParams),
  "POST /api/firebell/v1/oncall/calendar": (_, __, body) => imported(body),
  "GET /api/firebell/v1/oncall/shifts": ({ oncall }, url) => shiftsOf(oncall, url.searchParams),
  "GET /api/v1/targets": (world) => ({
    status: "success",
    data: { activeTargets: world.targets, droppedTargets: [] },
  }),
  "GET /api/v1/query_range": (_, url) => ({
    status: "success",
    data: { resultType: "matrix", result: range(url.searchParams) },
  }),
  "GET /api/firebell/v1/silences": ({ silences }) => ({ silences }),
  "GET /api/firebell/v1/silences/preview": (world) => preview(world),
  "POST /api/firebell/v1/silences": (world, _, body) => add(world, body),
  "POST /api/v2/silences": (world, _, body) => add(world, body),
  "DELETE /api/v2/silence/": (world, url) => {
    const id = url.pathname.split("/").at(-1);
    for (const silence of world.silences) {
      if (silence.id === id)
        Object.assign(silence, { status: { state: "expired" }, endsAt: ago(0) });
    }
    for (const alert of world.alerts) {
      alert.silencedBy = alert.silencedBy.filter((each) => each !== id);
    }
    emit(world, ["alerts"]);
    return {};
  },
};

/** Pictures of timelines: the one thing here that is not JSON. */
function pictured(
  { incidents }: World,
  url: URL,
  request: IncomingMessage,
  response: ServerResponse,
): boolean {
  const found = named(incidents, url);
  const picture = pictureAt(url.pathname);
  if (request.method === "POST" && found) {
    void bytesOf(request).then((bytes) => {
      response.setHeader("Content-Type", "application/json");
      response.end(JSON.stringify(showPicture(found, url.searchParams, bytes)));
    });
  } else if (request.method === "DELETE" && found) {
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify(takeBack(found, url.pathname, url.searchParams.get("by"))));
  } else if (picture === undefined) {
    response.writeHead(404).end();
  } else {
    response.writeHead(200, { "Content-Type": picture.type }).end(picture.bytes);
  }
  return true;
}

function named(incidents: IncidentDetail[], url: URL): IncidentDetail | undefined {
  return incidents.find(({ id }) => url.pathname.split("/").includes(id));
}

function stream(world: World, response: ServerResponse): void {
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
  response.write(": hello\n\n");
  const open = streams.get(world) ?? new Set();
  streams.set(world, open.add(response));
  const timer = setInterval(() => response.write(": still here\n\n"), 15_000);
  response.on("close", () => {
    clearInterval(timer);
    open.delete(response);
  });
}

/** Three services; checkout breaks three minutes before now. */
function range(params: URLSearchParams) {
  const [start, end, step] = ["start", "end", "step"].map((name) => Number(params.get(name)));
  const breaksAt = Date.now() / 1000 - 190;
  const scale = params.get("query")?.includes("quantile") ? 8 : 1;
  return ["cart", "checkout", "search"].map((service, idx) => {
    const values: [number, string][] = [];
    for (let at = start ?? 0; at <= (end ?? 0); at += step ?? 1) {
      const noise = 0.006 * (1 + Math.sin(at / 37 + idx * 2) + 0.4 * Math.sin(at / 5.1 + idx));
      const since = service === "checkout" ? Math.max(0, at - breaksAt) : 0;
      values.push([at, `${scale * (noise + Math.min(since / 60, 1) * 0.2)}`]);
    }
    return { metric: { service }, values };
  });
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  return (await bytesOf(request)).toString();
}

async function bytesOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

const TYPES: Record<string, string> = {
  ".css": "text/css",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
};

/** Serves the built page out of `dist`, under `prefix`, with the API beside it. */
export async function serve(world: World, dist: string, prefix = "/") {
  const handle = handlerFor(world);
  const server = createServer((request, response) => {
    if (!request.url?.startsWith(prefix)) {
      response.writeHead(404).end();
      return;
    }
    request.url = `/${request.url.slice(prefix.length)}`;
    if (handle(request, response)) return;
    const path = normalize(new URL(request.url, "http://fake").pathname);
    const file = join(dist, path === "/" ? "index.html" : path);
    if (!existsSync(file)) {
      response.writeHead(404).end();
      return;
    }
    response.setHeader("Content-Type", TYPES[extname(file)] ?? "application/octet-stream");
    createReadStream(file).pipe(response);
  });
  const listen = (port: number) =>
    new Promise<void>((resolve) => server.listen(port, "127.0.0.1", () => resolve()));
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { url: `http://127.0.0.1:${port}${prefix}`, stop, restart: () => listen(port) };
}

function add(world: World, body: string): { silenceID: string } {
  const silence = JSON.parse(body) as NewSilence;
  const id = `fake-${world.silences.length + 1}`;
  world.silences.push({ ...silence, id, status: { state: "active" } });
  for (const alert of world.alerts) {
    const isMatch = silence.matchers.every(({ name, value }) => alert.labels[name] === value);
    if (isMatch) alert.silencedBy = [...alert.silencedBy, id];
  }
  emit(world, ["alerts"]);
  return { silenceID: id };
}

/** What fires now, as if it had fired before. */
function preview({ alerts }: World): SilencePreview {
  const firing = alerts.filter((alert) => alert.state === "firing");
  const past = firing.map(({ labels }, idx) => ({
    labels,
    times: idx + 1,
    firedFor: "2h35m",
    firstAt: ago(20 * 24 * 60 * 60_000),
    lastAt: ago(60_000),
  }));
  return {
    now: { count: firing.length, alerts: firing.map(({ labels }) => labels) },
    past: { since: ago(30 * 24 * 60 * 60_000), count: past.length, alerts: past },
  };
}
