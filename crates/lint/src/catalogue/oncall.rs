//! Who owns alerts, and who is on call for them.

use crate::lint::{Lint, Severity};

pub(crate) const ALL: &[&Lint] = &[
    &NO_OWNER,
    &GAP,
    &UNREACHABLE,
    &NO_WAY,
    &NOBODY_TOLD,
    &UNCONFIRMED,
    &NO_POLICY,
    &NOBODY_REACHABLE,
    &UNUSED_LAYER,
];

/// An alert whose labels say nothing of an owner.
pub(crate) const NO_OWNER: Lint = Lint {
    id: "oncall/no-owner",
    severity: Severity::Error,
    is_on: true,
    what: "an alert that no team can own: no entry of `owners` fits, no `team`, no `service`",
    why: "An alert that nobody owns is overlooked by everybody.",
    mend: "Give the rule a label `team` or `service`, or add an entry to `owners`; one without \
           `matchers` owns the rest.",
    bad: concat!(
        alert!("sum(up) == 0", "for: 5m"),
        "#= firebell.yml\noncall:\n  people: {ana: {email: a@b.c}}\n  teams: {shop: [ana]}\n"
    ),
    good: concat!(
        alert!("sum(up) == 0", "for: 5m", "labels: {team: shop}"),
        "#= firebell.yml\noncall:\n  people: {ana: {email: a@b.c}}\n  teams: {shop: [ana]}\n"
    ),
};

/// Moments at which nobody is on call.
pub const GAP: Lint = Lint {
    id: "oncall/gap",
    severity: Severity::Error,
    is_on: true,
    what: "a schedule that has nobody on call at times within the next year",
    why: "A page of that time reaches nobody until somebody notices.",
    mend: "Fill the gap with a layer or an override, or say `gaps: allowed` where it is meant.",
    bad: "#= firebell.yml\noncall:\n  people: {ana: {email: a@b.c}}\n  schedules:\n    shop: \
          {people: ana, hours: mon-fri}\n",
    good: "#= firebell.yml\noncall:\n  people: {ana: {email: a@b.c}}\n  schedules:\n    shop: \
           {people: ana}\n",
};

/// Somebody on call who cannot be reached.
pub const UNREACHABLE: Lint = Lint {
    id: "oncall/unreachable",
    severity: Severity::Error,
    is_on: true,
    what: "a person on a schedule without any way to be reached",
    why: "Their pages go nowhere.",
    mend: "Give them `email`, `phone`, `slack` or another contact, or take them off.",
    bad: "#= firebell.yml\noncall:\n  people: {ana: {}}\n  schedules: {shop: {people: ana}}\n",
    good: "#= firebell.yml\noncall:\n  people: {ana: {email: a@b.c}, ben: {}}\n  schedules: \
           {shop: {people: ana}}\n",
};

/// A contact that nothing can tell anything.
pub const NO_WAY: Lint = Lint {
    id: "oncall/no-way",
    severity: Severity::Error,
    is_on: true,
    what: "a contact of a person that no receiver has an account for, where pages escalate",
    why: "Pages that are to go there never arrive; the person's other contacts, or the next person, \
          are told at once.",
    mend: "Add a receiver of that kind, and name it in `via` of `paging` where there are several.",
    bad: "#= firebell.yml\noncall:\n  people: {ana: {phone: \"+34600000001\"}}\nescalation:\n  all: \
          [{notify: person:ana}]\n",
    good: "#= firebell.yml\noncall:\n  people: {ana: {ntfy: ana}}\nescalation:\n  all: [{notify: \
           person:ana}]\nalertmanager:\n  route: {receiver: push}\n  receivers:\n    - {name: push, \
           ntfy_configs: [{topic: ops}]}\n",
};

/// Pages of which nobody hears.
pub const NOBODY_TOLD: Lint = Lint {
    id: "oncall/nobody-told",
    severity: Severity::Warning,
    is_on: true,
    what: "a policy by which a page of the next four weeks would end without anybody having been \
           told, as nobody is on call where it looks for somebody then",
    why: "At that time, nights or weekends most of all, an incident opens and everybody sleeps.",
    mend: "Add a step that tells a person, or a schedule without gaps, or one that hands over.",
    bad: "#= firebell.yml\noncall:\n  people: {ana: {ntfy: ana}}\n  schedules: {day: {people: ana, \
          hours: 09:00-17:00, gaps: allowed}}\nescalation:\n  all: [{notify: \
          schedule:day}]\nalertmanager:\n  route: {receiver: push}\n  receivers:\n    - {name: push, \
          ntfy_configs: [{topic: ops}]}\n",
    good: "#= firebell.yml\noncall:\n  people: {ana: {ntfy: ana}}\n  schedules: {day: {people: ana, \
           hours: 09:00-17:00, gaps: allowed}}\nescalation:\n  all: [{notify: schedule:day}, \
           {after: 15m, notify: person:ana}]\nalertmanager:\n  route: {receiver: push}\n  \
           receivers:\n    - {name: push, ntfy_configs: [{topic: ops}]}\n",
};

/// A contact that may never have reached anybody.
pub const UNCONFIRMED: Lint = Lint {
    id: "oncall/unconfirmed",
    severity: Severity::Info,
    is_on: true,
    what: "a contact, where pages escalate, that its person has not confirmed; a running Firebell \
           knows",
    why: "A number with a digit wrong looks like any other, until a page goes there.",
    mend: "Have its person press the button of a test message: `firebell oncall verify NAME`.",
    bad: "#= firebell.yml\noncall:\n  people: {ana: {ntfy: ana}}\nescalation:\n  all: [{notify: \
          person:ana}]\nalertmanager:\n  route: {receiver: push}\n  receivers:\n    - {name: push, \
          ntfy_configs: [{topic: ops}]}\n#= server.txt\nunconfirmed ana ntfy\n",
    good: "#= firebell.yml\noncall:\n  people: {ana: {ntfy: ana}}\nescalation:\n  all: [{notify: \
           person:ana}]\nalertmanager:\n  route: {receiver: push}\n  receivers:\n    - {name: push, \
           ntfy_configs: [{topic: ops}]}\n#= server.txt\nunconfirmed ben ntfy\n",
};

/// A team whose incidents page nobody, where others do.
pub const NO_POLICY: Lint = Lint {
    id: "oncall/no-policy",
    severity: Severity::Warning,
    is_on: true,
    what: "a team that names no policy of `escalation`, where incidents do not name one for all",
    why: "Incidents that it owns page nobody, however bad they are.",
    mend: "Say `escalation: NAME` at the team, or at `incidents` for all that name none.",
    bad: "#= firebell.yml\noncall:\n  people: {ana: {email: a@b.c}}\n  teams: {shop: \
          [ana]}\nescalation:\n  all: [{notify: team:shop}]\n",
    good: "#= firebell.yml\nincidents: {escalation: all}\noncall:\n  people: {ana: {email: \
           a@b.c}}\n  teams: {shop: [ana]}\nescalation:\n  all: [{notify: team:shop}]\n",
};

/// An owner whose pages go nowhere.
pub const NOBODY_REACHABLE: Lint = Lint {
    id: "oncall/nobody-reachable",
    severity: Severity::Error,
    is_on: true,
    what: "a team of which nobody can be reached: neither by its schedule nor among its members",
    why: "The alerts it owns reach nobody.",
    mend: "Give it a `schedule` or `members`, and them contacts.",
    bad: "#= firebell.yml\noncall:\n  people: {ana: {}}\n  teams: {shop: [ana]}\n",
    good: "#= firebell.yml\noncall:\n  people: {ana: {email: a@b.c}}\n  teams: {shop: [ana]}\n",
};

/// A layer that never decides.
pub const UNUSED_LAYER: Lint = Lint {
    id: "oncall/unused-layer",
    severity: Severity::Warning,
    is_on: true,
    what: "a layer that has nobody on call in the next year, or is covered by later ones at all times",
    why: "Who wrote it believes that it does something.",
    mend: "Move it below the layer that covers it, or delete it; a later layer wins.",
    bad: "#= firebell.yml\noncall:\n  people: {ana: {email: a@b.c}, ben: {email: b@b.c}}\n  \
          schedules:\n    shop:\n      layers: [{people: ana, hours: sat}, {people: ben}]\n",
    good: "#= firebell.yml\noncall:\n  people: {ana: {email: a@b.c}, ben: {email: b@b.c}}\n  \
           schedules:\n    shop:\n      layers: [{people: ben}, {people: ana, hours: sat}]\n",
};
