// A line that is typed while what stood in it is sent.

/** What a field keeps once `sent` is on disk: what was typed behind it, or all if it was changed. */
export function beyond(now: string, sent: string): string {
  return now.startsWith(sent) ? now.slice(sent.length).trimStart() : now;
}
