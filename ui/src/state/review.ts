// Figures of a month, in words.

/** What is to be done about a rule. */
export const ADVICE = { delete: "delete it", tune: "tune it", keep: "keep it" } as const;

/** The month of a moment (milliseconds), in UTC: `2026-11`. */
export function monthOf(at: number): string {
  return new Date(at).toISOString().slice(0, 7);
}

/** A share from 0 to 1. */
export function percent(share: number | null): string {
  return share === null ? "–" : `${Math.round(share * 100)} %`;
}

/** Seconds as minutes; short ones with a digit more. */
export function minutesText(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return "–";
  const minutes = seconds / 60;
  return `${minutes < 10 ? minutes.toFixed(1) : Math.round(minutes)} min`;
}

/** How often somebody was woken, and what of their nights it took. */
export function nightText({ atNight, sleepLostMinutes }: NightFigures): string {
  return atNight === 0 ? "–" : `${atNight} (${Math.round(sleepLostMinutes)} min of sleep)`;
}

interface NightFigures {
  atNight: number;
  sleepLostMinutes: number;
}

/** What there was most of comes first. */
export function verdictsText(verdicts: Record<string, number>): string {
  const all = Object.entries(verdicts).sort(([, a], [, b]) => b - a);
  return all.map(([verdict, n]) => `${n} ${verdict.replaceAll("_", " ")}`).join(", ") || "–";
}

/** A figure of any size, with as many digits as say something. */
export function amount(value: number | null): string {
  if (value === null) return "–";
  return new Intl.NumberFormat("en", { maximumSignificantDigits: 4 }).format(value);
}
