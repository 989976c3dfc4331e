//! What cannot be read.

use crate::lint::{Lint, Severity};

pub(crate) const ALL: &[&Lint] = &[&INVALID, &SYNTAX, &TEMPLATE_SYNTAX, &COMMENT];

pub(crate) const INVALID: Lint = Lint {
    id: "file/invalid",
    severity: Severity::Error,
    is_on: true,
    what: "a file that cannot be loaded: no YAML, an unknown field, a value that does not fit",
    why: "Firebell refuses to start with such a file, and a reload of it changes nothing.",
    mend: "Correct what the message names; the hint is often the right word.",
    bad: alert!("up == 0", "fro: 5m"),
    good: alert!("up == 0", "for: 5m"),
};

pub(crate) const SYNTAX: Lint = Lint {
    id: "promql/syntax",
    severity: Severity::Error,
    is_on: true,
    what: "an expression that is no PromQL",
    why: "The rule cannot be evaluated, and the file is refused.",
    mend: "Correct the expression at the place that is shown; `firebell promql fmt` prints it.",
    bad: alert!("sum(up == 0"),
    good: alert!("sum(up) == 0"),
};

pub(crate) const TEMPLATE_SYNTAX: Lint = Lint {
    id: "template/syntax",
    severity: Severity::Error,
    is_on: true,
    what: "a text that is no template, or calls what does not exist",
    why: "The text cannot be expanded, and the file is refused.",
    mend: "Correct it at the place that is shown.",
    bad: alert!(
        "up == 0",
        "annotations: {summary: '{{ $value | humanise }}'}"
    ),
    good: alert!(
        "up == 0",
        "annotations: {summary: '{{ $value | humanize }}'}"
    ),
};

pub(crate) const COMMENT: Lint = Lint {
    id: "check/comment",
    severity: Severity::Warning,
    is_on: true,
    what: "a comment for `firebell check` that switches nothing off",
    why: "Somebody believes that a lint is off, or on, and it is not.",
    mend: "Write `# firebell check: disable ID` in or above the rule; `firebell check --lints` \
           prints all ids.",
    bad: "# firebell check: disable alerts/four\ngroups: []\n",
    good: "# firebell check: disable-file alerts/for\ngroups: []\n",
};
