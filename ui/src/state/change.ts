// What people change about who is on call, and what is posted for it.

/** What a form says. */
export interface Said {
  kind: string;
  who: string;
  other: string;
  from: string;
  until: string;
  otherFrom: string;
  otherUntil: string;
  reason: string;
}

export const NOTHING_SAID: Said = {
  kind: "take",
  who: "",
  other: "",
  from: "",
  until: "",
  otherFrom: "",
  otherUntil: "",
  reason: "",
};

interface Kind {
  value: string;
  label: string;
  /** What the second person is called; there is none without. */
  other?: string;
  /** Of an override or a temporary schedule, besides its schedule and time. */
  toFields?: (who: string, other: string) => object;
}

/** What takes the place of the schedule's own rotation has people, in order. */
const TEMPORARY = "temporary";

/** All that can be changed; what has no fields is a swap. */
export const KINDS: readonly [Kind, ...Kind[]] = [
  {
    value: "take",
    label: "is on call, whoever else would be",
    toFields: (who) => ({ take: [who] }),
  },
  {
    value: "replace",
    label: "stands in for somebody",
    other: "For whom",
    toFields: (who, other) => ({ replace: other, by: who }),
  },
  { value: "add", label: "is on call as well", toFields: (who) => ({ add: who }) },
  { value: "remove", label: "is not on call", toFields: (who) => ({ remove: who }) },
  {
    value: TEMPORARY,
    label: "takes turns of a day with somebody, instead of the schedule",
    other: "With whom",
    toFields: (who, other) => ({ every: "1d", people: [who, other] }),
  },
  { value: "swap", label: "swaps shifts with somebody", other: "With whom" },
];

export function kindOf({ kind }: Said): Kind {
  return KINDS.find(({ value }) => value === kind) ?? KINDS[0];
}

/** Whether nothing is missing. */
export function isWhole(said: Said): boolean {
  const { other, toFields } = kindOf(said);
  const needed = [said.who, said.from, said.until];
  if (other !== undefined) needed.push(said.other);
  if (toFields === undefined) needed.push(said.otherFrom, said.otherUntil);
  return !needed.includes("") && (other === undefined || said.who !== said.other);
}

/** Where it is posted to, and what. */
export function posted(said: Said, schedule: string, by: string): { path: string; body: object } {
  const { kind, who, other, from, until, otherFrom, otherUntil, reason } = said;
  const { toFields } = kindOf(said);
  if (toFields !== undefined) {
    const override = { schedule, from, until, ...toFields(who, other), reason };
    return kind === TEMPORARY
      ? { path: TEMPORARY, body: { by, temporary: override } }
      : { path: "overrides", body: { by, override } };
  }
  const sides = {
    [who]: { from, until, reason },
    [other]: { from: otherFrom, until: otherUntil, reason },
  };
  return { path: "swaps", body: { by, swap: { schedule, ...sides } } };
}
