// Requests to the server that this page came from: where, how long to wait, what went wrong.

/** The longest wait for an answer, in milliseconds. */
const ANSWER_MAX_MS = 15_000;
/** The longest piece of an unexpected answer that is shown, in characters. */
const EXCERPT_MAX = 200;

/** A request that failed; the message says what was tried and why it failed, for people. */
export class ApiError extends Error {
  constructor(
    message: string,
    /** The HTTP status, or 0 when no answer came. */
    readonly status: number,
  ) {
    super(message);
  }
}

/** Paths are relative to the page, so that it works behind a prefix. */
export function apiUrl(path: string): string {
  return new URL(path, document.baseURI).href;
}

/** Fetches JSON. `path` has no leading slash. Throws `ApiError`. */
export async function fetchJson<T>(path: string, init: RequestInit = {}): Promise<T> {
  const tried = `${init.method ?? "GET"} /${path.replace(/\?.*/s, "")}`;
  const response = await send(tried, path, init);
  const text = await response.text();
  if (!response.ok) {
    throw new ApiError(
      `${tried} failed (${response.status}): ${reasonOf(text, response.statusText)}`,
      response.status,
    );
  }
  if (text === "") return undefined as T;
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new ApiError(
      `${tried} gave no JSON: ${text.slice(0, EXCERPT_MAX)}. Is a proxy in between?`,
      response.status,
    );
  }
}

async function send(tried: string, path: string, init: RequestInit): Promise<Response> {
  const timeout = AbortSignal.timeout(ANSWER_MAX_MS);
  const signal = init.signal ? AbortSignal.any([init.signal, timeout]) : timeout;
  try {
    return await fetch(apiUrl(path), { ...init, signal });
  } catch (cause) {
    if (init.signal?.aborted) throw cause;
    throw new ApiError(
      timeout.aborted
        ? `${tried} got no answer within ${ANSWER_MAX_MS / 1000} s`
        : `${tried} did not reach Firebell: is it running, and is the network up?`,
      0,
    );
  }
}

/** The reason in an error's body: Prometheus's form, Alertmanager's forms, or plain text. */
export function reasonOf(body: string, fallback: string): string {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed === "string") return parsed;
    if (typeof parsed === "object" && parsed !== null) {
      const { error, message } = parsed as { error?: unknown; message?: unknown };
      if (typeof error === "string") return error;
      if (typeof message === "string") return message;
    }
  } catch {
    // Not JSON: shown as it is.
  }
  return body.trim().slice(0, EXCERPT_MAX) || fallback || "no reason given";
}
