import type { ReactNode } from "react";

import { useLive } from "../state/live.ts";
import styles from "./Notice.module.css";

interface Props {
  title: string;
  /** `bad`: something failed. */
  kind?: "plain" | "bad";
  children?: ReactNode;
}

/** A remark above or in place of a page's content. */
export function Notice({ title, kind = "plain", children }: Props) {
  return (
    <div className={styles.notice} data-kind={kind} role={kind === "bad" ? "alert" : "note"}>
      <p className={styles.title}>{title}</p>
      {children !== undefined && <div className={styles.body}>{children}</div>}
    </div>
  );
}

interface FailedProps {
  /** What could not be shown, such as "the alerts". */
  what: string;
  error: Error;
  /** Whether something older is shown below. */
  hasOlder?: boolean;
}

/** A request that failed. It is tried again by itself. */
export function Failed({ what, error, hasOlder = false }: FailedProps) {
  const { state } = useLive();
  // Then the frame says it once, for everything that is shown.
  if (hasOlder && state === "lost") return null;
  return (
    <Notice kind="bad" title={hasOlder ? `Could not refresh ${what}` : `Could not load ${what}`}>
      <p>{error.message}</p>
      <p>{hasOlder ? "Shown is what was known before. " : ""}The page tries again by itself.</p>
    </Notice>
  );
}

/** Shown when an answer takes its time. */
export function Loading() {
  return (
    <p className={styles.loading} role="status">
      Loading…
    </p>
  );
}

interface EmptyProps {
  title: string;
  children?: ReactNode;
}

/** Nothing to show: why, and what to do. */
export function Empty({ title, children }: EmptyProps) {
  return (
    <div className={styles.empty}>
      <p className={styles.title}>{title}</p>
      {children !== undefined && <div className={styles.body}>{children}</div>}
    </div>
  );
}
