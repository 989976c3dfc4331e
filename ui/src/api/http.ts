// Requests to the server that this page came from: where, how long to wait, what went wrong.

/** The longest wait for an answer, in milliseconds. */
const ANSWER_MAX_MS = 15_000;
/** The longest piece of an unexpected answer that is shown, in characters. */
const EXCERPT_MAX = 200;

/** The server answered, and refused. */
export class HttpError extends Error {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

/** Paths are relative to the page, so that it works behind a prefix. */
export function apiUrl(path: string): string {
  return new URL(path, document.baseURI).href;
}

/**
 * Fetches JSON. `path` has no leading slash. Errors say what was tried and why it
 * failed, for people.
 */
export async function fetchJson<T>(
  path: string,
  init: RequestInit = {},
  answerMaxMs = ANSWER_MAX_MS,
): Promise<T> {
  const tried = `${init.method ?? "GET"} /${path.replace(/\?.*/s, "")}`;
  const { response, text } = await send(tried, path, init, answerMaxMs);
  if (!response.ok) {
    const reason = reasonOf(text, response.statusText);
    throw new HttpError(`${tried} failed (${response.status}): ${reason}`, response.status);
  }
  if (text === "") return undefined as T;
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    const excerpt = text.slice(0, EXCERPT_MAX);
    throw new Error(`${tried} gave no JSON: ${excerpt}. Is a proxy in between?`, { cause });
  }
}

async function send(tried: string, path: string, init: RequestInit, answerMaxMs: number) {
  const timeout = AbortSignal.timeout(answerMaxMs);
  const signal = init.signal ? AbortSignal.any([init.signal, timeout]) : timeout;
  try {
    const response = await fetch(apiUrl(path), { ...init, signal });
    return { response, text: await response.text() };
  } catch (cause) {
    if (init.signal?.aborted) throw cause;
    throw new Error(
      timeout.aborted
        ? `${tried} got no answer within ${answerMaxMs / 1000} s`
        : `${tried} did not reach Firebell: is it running, and is the network up?`,
      { cause },
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
