import { useNow } from "../state/clock.ts";
import { formatAge, formatMoment } from "../state/format.ts";

interface Props {
  /** Milliseconds. */
  at: number;
  /** A word behind it, such as "ago". */
  suffix?: string;
}

/** How long ago, counting up; the moment itself on hover. */
export function Since({ at, suffix }: Props) {
  const now = useNow();
  return (
    <time dateTime={new Date(at).toISOString()} title={formatMoment(at)}>
      {formatAge(now - at)}
      {suffix === undefined ? "" : ` ${suffix}`}
    </time>
  );
}

/** How long until, counting down; the moment itself on hover. */
export function Until({ at }: Props) {
  const now = useNow();
  return (
    <time dateTime={new Date(at).toISOString()} title={formatMoment(at)}>
      {at <= now ? "now" : `in ${formatAge(at - now)}`}
    </time>
  );
}
