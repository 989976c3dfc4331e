// Pictures that somebody pastes, drops or chooses: which are taken, and what is said of them.
import type { IncidentEntry } from "../api/types.ts";

/** What the server takes. It looks at the bytes; here it is known what not to send. */
export const PICTURE_TYPES = ["image/png", "image/jpeg", "image/gif", "image/webp"];
const PICTURE_BYTES_MAX = 5 * 1024 * 1024;
/** So many characters may be said of a picture. */
const CAPTION_MAX = 1000;
/** So many go with one note. */
const PICTURES_MAX = 10;

/** What can be sent of a handful of files, and why the rest cannot; null when there is no rest. */
export interface Taken<F> {
  pictures: F[];
  problem: string | null;
}

/** Adds files to the pictures of a note. */
export function take<F extends { name: string; type: string; size: number }>(
  before: readonly F[],
  files: readonly F[],
): Taken<F> {
  const problems: string[] = [];
  const pictures = [...before];
  for (const file of files) {
    const problem = problemOf(file, pictures.length);
    if (problem === null) pictures.push(file);
    else problems.push(problem);
  }
  return { pictures, problem: problems.length === 0 ? null : problems.join(" ") };
}

function problemOf(file: { name: string; type: string; size: number }, count: number) {
  if (!PICTURE_TYPES.includes(file.type)) {
    return `${file.name} is no PNG, JPEG, GIF or WebP.`;
  }
  if (file.size > PICTURE_BYTES_MAX) {
    return `${file.name} is larger than 5 MiB: make it smaller, or link to it.`;
  }
  return count >= PICTURES_MAX ? `A note takes ${PICTURES_MAX} pictures at once.` : null;
}

/**
 * The pictures of what was pasted. Where there is plain text too, as out of a spreadsheet, the text
 * is meant.
 */
export function pasted<F>(data: { types: readonly string[]; files: ArrayLike<F> }): F[] {
  return data.types.includes("text/plain") ? [] : Array.from(data.files);
}

/** What one of several pictures shows: without its number where the server takes no longer text. */
export function captionOf(text: string, idx: number, count: number): string {
  const said = text.trim();
  if (said === "" || count < 2) return said;
  const numbered = `${said} (${idx + 1} of ${count})`;
  return Array.from(numbered).length > CAPTION_MAX ? said : numbered;
}

/** For those who do not see it. */
export function altOf({ by, picture }: Pick<IncidentEntry, "by" | "picture">): string {
  const text = picture?.text ?? "";
  return text === "" ? `Picture that ${by ?? "Firebell"} showed` : text;
}
