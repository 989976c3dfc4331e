// What the page knows of the server, by name: each is fetched when somebody looks at it, fetched
// again when an event says that it changed, and now and then besides.
import {
  keepPreviousData,
  type QueryClient,
  useInfiniteQuery,
  useMutation,
  useQueries,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";

import { useLive } from "../state/live.ts";
import { setLimit } from "../state/oncall.ts";
import { captionOf } from "../state/pictures.ts";
import { fromNow } from "../state/telemetry.ts";
import { refetchChanged } from "./changes.ts";
import { fetchJson } from "./http.ts";
import type {
  Alert,
  AlertWhy,
  HeartbeatList,
  InboxEntry,
  IncidentActed,
  IncidentDetail,
  IncidentList,
  LogList,
  NewIncident,
  ObjectiveHistory,
  ObjectiveList,
  ObjectiveSpending,
  OncallImported,
  OncallNow,
  OncallSet,
  OncallShifts,
  PageAnswered,
  PageList,
  Postmortem,
  Quality,
  Runbook,
  SilencePreview,
  Status,
  Trace,
  TraceList,
} from "./types.ts";
import { createSilence, endSilence, fetchSilences, fetchTargets, queryRange } from "./upstream.ts";

/** How often to look when events tell of changes, and when they do not, in milliseconds. */
const CALM_MS = 60_000;
const BLIND_MS = 5_000;
/** Figures that change all the time and are not worth an event. */
const FIGURES_MS = 10_000;
/** The longest wait for the answer to a picture, which may go over a slow line. */
const PICTURE_MAX_MS = 120_000;

function useCalm(): number {
  return useLive().state === "live" ? CALM_MS : BLIND_MS;
}

export function useStatus() {
  return useQuery({
    queryKey: ["status"],
    queryFn: ({ signal }) => fetchJson<Status>("api/firebell/v1/status", { signal }),
    refetchInterval: FIGURES_MS,
    // The title and the icon of a tab in the background count, too.
    refetchIntervalInBackground: true,
  });
}

export function useAlerts() {
  return useQuery({
    queryKey: ["alerts"],
    queryFn: ({ signal }) => fetchJson<{ alerts: Alert[] }>("api/firebell/v1/alerts", { signal }),
    select: (answer) => answer.alerts,
    refetchInterval: useCalm(),
  });
}

/** Why an alert is told of, or not. */
export function useWhy(fingerprint: string) {
  return useQuery({
    queryKey: ["alerts", fingerprint, "why"],
    queryFn: ({ signal }) =>
      fetchJson<AlertWhy>(`api/firebell/v1/alerts/${fingerprint}/why`, { signal }),
    refetchInterval: FIGURES_MS,
  });
}

/** What is kept of a trace. Its last spans may come after the alert that names it. */
export function useTrace(id: string) {
  return useQuery({
    queryKey: ["traces", id],
    queryFn: ({ signal }) => fetchJson<Trace>(`api/firebell/v1/traces/${id}`, { signal }),
    refetchInterval: FIGURES_MS,
    retry: false,
  });
}

/** The newest traces of which `question` (parameters of the API, and `last`) holds. */
export function useTraces(question: string | null) {
  return useTelemetry<TraceList>("traces", question);
}

/** The newest log records of which it holds. */
export function useLogs(question: string | null) {
  return useTelemetry<LogList>("logs", question);
}

/** Nothing is asked while the question is null. What takes much reading is asked calmly. */
function useTelemetry<T extends { isWhole: boolean }>(what: string, question: string | null) {
  return useQuery({
    queryKey: [what, "list", question],
    queryFn: ({ signal }) => {
      const params = fromNow(question ?? "", Date.now());
      return fetchJson<T>(`api/firebell/v1/${what}?${params}`, { signal });
    },
    enabled: question !== null,
    refetchInterval: (query) => (query.state.data?.isWhole === false ? CALM_MS : FIGURES_MS),
    placeholderData: keepPreviousData,
  });
}

export function useObjectives() {
  return useQuery({
    queryKey: ["objectives"],
    queryFn: ({ signal }) => fetchJson<ObjectiveList>("api/firebell/v1/slos", { signal }),
    refetchInterval: FIGURES_MS,
  });
}

/** What was left of an objective's budgets over its window; many queries, so seldom. */
export function useObjectiveHistory(id: string) {
  return useQuery({
    queryKey: ["objectives", id, "history"],
    queryFn: ({ signal }) => fetchJson<ObjectiveHistory>(ofObjective("history", id), { signal }),
    refetchInterval: CALM_MS,
  });
}

/** Where they went; as many. */
export function useObjectiveSpending(id: string) {
  return useQuery({
    queryKey: ["objectives", id, "spending"],
    queryFn: ({ signal }) => fetchJson<ObjectiveSpending>(ofObjective("spending", id), { signal }),
    refetchInterval: CALM_MS,
  });
}

function ofObjective(what: string, id: string): string {
  return `api/firebell/v1/slos/${what}?id=${encodeURIComponent(id)}`;
}

/** Who is on call now. */
export function useOncall() {
  return useQuery({
    queryKey: ["oncall"],
    queryFn: ({ signal }) => fetchJson<OncallNow>("api/firebell/v1/oncall", { signal }),
    refetchInterval: FIGURES_MS,
  });
}

/** Who has which shift of a schedule, from a moment (milliseconds) on. */
export function useShifts(schedule: string, from: number, days: number) {
  const params = new URLSearchParams({
    schedule,
    from: new Date(from).toISOString(),
    days: `${days}`,
  });
  return useQuery({
    queryKey: ["oncall", schedule, from, days],
    queryFn: ({ signal }) =>
      fetchJson<OncallShifts>(`api/firebell/v1/oncall/shifts?${params}`, { signal }),
    refetchInterval: CALM_MS,
  });
}

/**
 * What was set over HTTP for a while of a schedule, and goes on after a moment (milliseconds): a part,
 * and what follows it when somebody asks for more.
 */
export function useOncallSet(schedule: string, from: number) {
  return useInfiniteQuery({
    queryKey: ["oncall", "set", schedule, from],
    queryFn: ({ pageParam: { page, limit }, signal }) => {
      const params = new URLSearchParams([
        ["schedule", schedule],
        ["from", new Date(from).toISOString()],
        ["limit", `${limit}`],
        ["page", page],
        ...["overrides", "swaps", "temporary", "shifts"].map((kind) => ["kind", kind]),
      ]);
      return fetchJson<OncallSet>(`api/firebell/v1/oncall/overrides?${params}`, { signal });
    },
    initialPageParam: { page: "", limit: setLimit(0) },
    getNextPageParam: ({ next }, parts) =>
      typeof next === "string" ? { page: next, limit: setLimit(parts.length) } : null,
    refetchInterval: CALM_MS,
    // Of another schedule nothing is shown, of this one what there was.
    placeholderData: (before, query) => (query?.queryKey[2] === schedule ? before : undefined),
  });
}

/** Shifts out of a calendar, or only what they would be. */
export function useImportCalendar() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (said: object) => postJson<OncallImported>("api/firebell/v1/oncall/calendar", said),
    onSuccess: () => client.invalidateQueries({ queryKey: ["oncall"] }),
  });
}

/** An override or a swap: `path` says which. */
export function useChangeOncall() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ path, body }: { path: string; body: object }) =>
      postJson<object>(`api/firebell/v1/oncall/${path}`, body),
    onSuccess: () => client.invalidateQueries({ queryKey: ["oncall"] }),
  });
}

export function useRemoveOncall() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ kind, id, by }: { kind: string; id: string; by: string }) =>
      fetchJson<object>(
        `api/firebell/v1/oncall/${kind}/${encodeURIComponent(id)}?by=${encodeURIComponent(by)}`,
        { method: "DELETE" },
      ),
    onSuccess: () => client.invalidateQueries({ queryKey: ["oncall"] }),
  });
}

export function useInbox() {
  return useQuery({
    queryKey: ["inbox"],
    queryFn: ({ signal }) =>
      fetchJson<{ entries: InboxEntry[] }>("api/firebell/v1/inbox", { signal }),
    select: (answer) => answer.entries,
    refetchInterval: useCalm(),
  });
}

/** Open ones, or all, the newest first. */
export function useIncidents(isOpen: boolean) {
  const status = isOpen ? "status=open&" : "";
  return useQuery({
    queryKey: ["incidents", "list", isOpen],
    queryFn: ({ signal }) =>
      fetchJson<IncidentList>(`api/firebell/v1/incidents?${status}limit=200`, { signal }),
    refetchInterval: useCalm(),
    placeholderData: keepPreviousData,
  });
}

/** What a month (`2026-11`) was worth. Adding it up reads much: it is asked for calmly. */
export function useQuality(month: string) {
  return useQuery({
    queryKey: ["quality", month],
    queryFn: ({ signal }) =>
      fetchJson<Quality>(`api/firebell/v1/quality?month=${encodeURIComponent(month)}`, { signal }),
    refetchInterval: FIGURES_MS,
  });
}

/** Notes what was decided at the review of a month. */
export function useDecide(month: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (decided: { by: string; about: string; decision: string }) =>
      postJson("api/firebell/v1/review/decisions", { ...decided, month }),
    onSuccess: () => client.invalidateQueries({ queryKey: ["quality", month] }),
  });
}

function incidentPath(id: string): string {
  return `api/firebell/v1/incidents/${encodeURIComponent(id)}`;
}

/** Where a picture of its timeline is, from the page. */
export function picturePath(id: string, picture: string): string {
  return `${incidentPath(id)}/pictures/${encodeURIComponent(picture)}`;
}

/** One of them, with the newest entries of its timeline. */
export function useIncident(id: string) {
  return useQuery({
    queryKey: ["incidents", id],
    queryFn: ({ signal }) => fetchJson<IncidentDetail>(incidentPath(id), { signal }),
    refetchInterval: useCalm(),
  });
}

/** Entries of its timeline before each of these numbers. One changes when its picture is taken back. */
export function useOlderEntries(id: string, before: number[]) {
  return useQueries({
    queries: before.map((number) => ({
      queryKey: ["entries", id, number],
      queryFn: ({ signal }: { signal: AbortSignal }) =>
        fetchJson<IncidentDetail>(`${incidentPath(id)}?before=${number}`, { signal }),
      staleTime: Infinity,
    })),
    combine: (pages) => ({
      entries: pages.flatMap(({ data }) => data?.timeline ?? []),
      isPending: pages.some(({ isPending }) => isPending),
      error: pages.find(({ error }) => error)?.error ?? null,
    }),
  });
}

/**
 * Fetches all of incidents again, and resolves when this one is there: nobody waits with the next
 * act for runbooks and pages.
 */
function refetchIncident(client: QueryClient, id: string): Promise<void> {
  void client.invalidateQueries({ queryKey: ["incidents"] });
  const own = { queryKey: ["incidents", id], exact: true };
  return client.refetchQueries(own, { cancelRefetch: false });
}

/** Does something with an incident. */
export function useIncidentAct(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (act: object) => postJson<IncidentActed>(`${incidentPath(id)}/acts`, act),
    onSuccess: () => refetchIncident(client, id),
  });
}

/** Pictures that are shown, and what is said of them. */
interface Shown {
  pictures: File[];
  text: string;
  by: string;
  audience: "team" | "stakeholders";
  /** So many of the same note were taken before. */
  nTaken: number;
  /** It is on disk, whatever becomes of those that follow. */
  onPicture: (picture: File) => void;
}

/**
 * Shows pictures in its timeline, one after the other. What was shown already counts once, if it is
 * said in the same words: so those that are sent again keep their numbers.
 */
export function useIncidentPictures(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async ({ pictures, text, by, audience, nTaken, onPicture }: Shown) => {
      const count = nTaken + pictures.length;
      for (const [idx, body] of pictures.entries()) {
        const said = { by, text: captionOf(text, nTaken + idx, count), audience };
        const path = `${incidentPath(id)}/pictures?${new URLSearchParams(said).toString()}`;
        await fetchJson<IncidentActed>(path, { method: "POST", body }, PICTURE_MAX_MS);
        onPicture(body);
      }
    },
    // Some may be there though another one was refused.
    onSettled: () => refetchIncident(client, id),
  });
}

/** Takes a picture of its timeline back, wherever it stands there. */
export function useTakeBack(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ picture, by }: { picture: string; by: string }) => {
      const path = `${picturePath(id, picture)}?${new URLSearchParams({ by }).toString()}`;
      return fetchJson<IncidentActed>(path, { method: "DELETE" });
    },
    onSuccess: () =>
      Promise.all([
        client.invalidateQueries({ queryKey: ["entries", id] }),
        client.invalidateQueries({ queryKey: ["incidents"] }),
      ]),
  });
}

/** What to do in it by its runbooks, and what was done. */
export function useRunbooks(id: string) {
  return useQuery({
    queryKey: ["incidents", id, "runbooks"],
    queryFn: ({ signal }) =>
      fetchJson<{ runbooks: Runbook[] }>(`${incidentPath(id)}/runbooks`, { signal }),
    select: (answer) => answer.runbooks,
  });
}

/** What is known and written of it for those who learn from it. */
export function usePostmortem(id: string) {
  return useQuery({
    queryKey: ["incidents", id, "postmortem"],
    queryFn: ({ signal }) => fetchJson<Postmortem>(`${incidentPath(id)}/postmortem`, { signal }),
  });
}

/** Freezes samples for its postmortem; what was frozen before goes. */
export function useDraft(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (by: string) => postJson<Postmortem>(`${incidentPath(id)}/postmortem`, { by }),
    onSuccess: () => client.invalidateQueries({ queryKey: ["incidents"] }),
  });
}

export function useOpenIncident() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (incident: NewIncident) =>
      postJson<IncidentActed>("api/firebell/v1/incidents", incident),
    onSuccess: () => client.invalidateQueries({ queryKey: ["incidents"] }),
  });
}

/** Pages of what is open, by the incident that they are about. */
export function usePages() {
  return useQuery({
    queryKey: ["incidents", "pages"],
    queryFn: ({ signal }) => fetchJson<PageList>("api/firebell/v1/pages?limit=1000", { signal }),
    select: (answer) => new Map(answer.pages.map((page) => [page.id, page])),
    refetchInterval: useCalm(),
  });
}

/** Answers the page of an incident. */
export function usePageAnswer(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ act, said }: { act: string; said: object }) =>
      postJson<PageAnswered>(`api/firebell/v1/pages/${encodeURIComponent(id)}/${act}`, said),
    onSuccess: () => client.invalidateQueries({ queryKey: ["incidents"] }),
  });
}

function postJson<T>(path: string, body: object): Promise<T> {
  return fetchJson<T>(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
}

/** Jobs that report that they ran. */
export function useHeartbeats() {
  return useQuery({
    queryKey: ["heartbeats"],
    queryFn: ({ signal }) => fetchJson<HeartbeatList>("api/firebell/v1/heartbeats", { signal }),
    select: (answer) => answer.heartbeats,
    refetchInterval: FIGURES_MS,
  });
}

export function useTargets() {
  return useQuery({
    queryKey: ["targets"],
    queryFn: ({ signal }) => fetchTargets(signal),
    refetchInterval: FIGURES_MS,
  });
}

export function useSilences() {
  return useQuery({
    queryKey: ["silences"],
    queryFn: ({ signal }) => fetchSilences(signal),
    refetchInterval: useCalm(),
  });
}

/** What a silence with these labels would mute; asked for once the choice rests. */
export function useSilencePreview(conditions: [string, string][]) {
  const filters = conditions.map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  const params = new URLSearchParams(filters.map((filter) => ["filter", filter]));
  return useQuery({
    queryKey: ["silence-preview", ...filters],
    queryFn: ({ signal }) =>
      fetchJson<SilencePreview>(`api/firebell/v1/silences/preview?${params}`, { signal }),
    enabled: filters.length > 0,
    staleTime: 60_000,
    retry: false,
  });
}

/** The values of a query from `from` (milliseconds) until now. */
export function useRange(query: string, from: number) {
  return useQuery({
    queryKey: ["range", query, from],
    queryFn: async ({ signal }) => {
      const end = Math.max(Date.now() / 1000, from / 1000 + 1);
      const step = stepFor(end - from / 1000);
      const start = Math.floor(from / 1000 / step) * step;
      return { start, end, step, series: await queryRange(query, start, end, step, signal) };
    },
    refetchInterval: FIGURES_MS,
    placeholderData: keepPreviousData,
  });
}

/** A round step that gives about 240 points, in seconds. */
export function stepFor(rangeSeconds: number): number {
  const wanted = rangeSeconds / 240;
  const rounds = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600];
  return rounds.find((step) => step >= wanted) ?? Math.ceil(wanted / 3_600) * 3_600;
}

export function useCreateSilence() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: createSilence,
    onSuccess: () => refetchChanged(client, ["alerts"]),
  });
}

export function useEndSilence() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: endSilence,
    onSuccess: () => refetchChanged(client, ["alerts"]),
  });
}
