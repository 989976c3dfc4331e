//! What a team demands of its rules: `check.policies` of firebell.yml.

use crate::lint::{Lint, Severity};

pub(crate) const ALL: &[&Lint] = &[
    &FOR,
    &LABEL,
    &ANNOTATION,
    &NAMING,
    &REJECT,
    &AGGREGATE,
    &LABELS_OF_SELECTOR,
    &GROUP_INTERVAL,
    &REPORT,
];

pub(crate) const FOR: Lint = Lint {
    id: "rule/for",
    severity: Severity::Error,
    is_on: true,
    what: "a `for` or `keep_firing_for` outside of what a policy allows",
    why: "The team has agreed on it.",
    mend: "Choose one within the bounds, or change the policy.",
    bad: concat!(
        alert!("up == 0", "for: 5m"),
        "#= firebell.yml\nrule_files: [rules.yml]\ncheck: {policies: [{demand: {for: {min: 10m}}}]}\n"
    ),
    good: concat!(
        alert!("up == 0", "for: 15m"),
        "#= firebell.yml\nrule_files: [rules.yml]\ncheck: {policies: [{demand: {for: {min: 10m}}}]}\n"
    ),
};

pub(crate) const LABEL: Lint = Lint {
    id: "rule/label",
    severity: Severity::Error,
    is_on: true,
    what: "a label that a policy demands and that is missing or wrong",
    why: "The team has agreed on it; routes depend on labels.",
    mend: "Add or correct the label.",
    bad: concat!(
        alert!("up == 0", "for: 5m"),
        "#= firebell.yml\nrule_files: [rules.yml]\ncheck: {policies: [{demand: {labels: {severity: {required: true}}}}]}\n"
    ),
    good: concat!(
        alert!("up == 0", "for: 5m", "labels: {severity: page}"),
        "#= firebell.yml\nrule_files: [rules.yml]\ncheck: {policies: [{demand: {labels: {severity: {required: true, value: \"page|ticket\"}}}}]}\n"
    ),
};

pub(crate) const ANNOTATION: Lint = Lint {
    id: "rule/annotation",
    severity: Severity::Error,
    is_on: true,
    what: "an annotation that a policy demands and that is missing or wrong",
    why: "The team has agreed on it.",
    mend: "Add or correct the annotation.",
    bad: concat!(
        alert!("up == 0", "for: 5m"),
        "#= firebell.yml\nrule_files: [rules.yml]\ncheck: {policies: [{demand: {annotations: {runbook_url: {required: true}}}}]}\n"
    ),
    good: concat!(
        alert!(
            "up == 0",
            "for: 5m",
            "annotations: {runbook_url: \"https://a.example\"}"
        ),
        "#= firebell.yml\nrule_files: [rules.yml]\ncheck: {policies: [{demand: {annotations: {runbook_url: {required: true}}}}]}\n"
    ),
};

pub(crate) const NAMING: Lint = Lint {
    id: "rule/naming",
    severity: Severity::Error,
    is_on: true,
    what: "a name that a policy does not allow",
    why: "The team has agreed on it.",
    mend: "Rename the rule.",
    bad: concat!(
        record!("x", "sum(a)"),
        "#= firebell.yml\nrule_files: [rules.yml]\ncheck: {policies: [{demand: {name: \".+:.+\"}}]}\n"
    ),
    good: concat!(
        record!("a:sum", "sum(a)"),
        "#= firebell.yml\nrule_files: [rules.yml]\ncheck: {policies: [{demand: {name: \".+:.+\"}}]}\n"
    ),
};

pub(crate) const REJECT: Lint = Lint {
    id: "rule/reject",
    severity: Severity::Error,
    is_on: true,
    what: "a label or annotation that a policy forbids",
    why: "The team has agreed on it.",
    mend: "Leave it out, or say it otherwise.",
    bad: concat!(
        alert!(
            "up == 0",
            "annotations: {summary: \"see https://old.example\"}"
        ),
        "#= firebell.yml\nrule_files: [rules.yml]\ncheck: {policies: [{demand: {reject: \".*old[.]example.*\"}}]}\n"
    ),
    good: concat!(
        alert!(
            "up == 0",
            "annotations: {summary: \"see https://new.example\"}"
        ),
        "#= firebell.yml\nrule_files: [rules.yml]\ncheck: {policies: [{demand: {reject: \".*old[.]example.*\"}}]}\n"
    ),
};

pub(crate) const AGGREGATE: Lint = Lint {
    id: "promql/aggregate",
    severity: Severity::Error,
    is_on: true,
    what: "an aggregation that takes away a label which a policy keeps, or keeps one that it strips",
    why: "The team has agreed on it; dashboards and routes depend on labels.",
    mend: "Aggregate `by` or `without` the labels that the policy names.",
    bad: concat!(
        record!("a:sum", "sum by (pod) (a)"),
        "#= firebell.yml\nrule_files: [rules.yml]\ncheck: {policies: [{demand: {keep: [job]}}]}\n"
    ),
    good: concat!(
        record!("a:sum", "sum by (job) (a)"),
        "#= firebell.yml\nrule_files: [rules.yml]\ncheck: {policies: [{demand: {keep: [job], strip: [pod]}}]}\n"
    ),
};

pub(crate) const LABELS_OF_SELECTOR: Lint = Lint {
    id: "rule/selector",
    severity: Severity::Error,
    is_on: true,
    what: "a selector that does not name a label which a policy demands",
    why: "The team has agreed on it.",
    mend: "Add the condition.",
    bad: concat!(
        record!("a:sum", "sum(a)"),
        "#= firebell.yml\nrule_files: [rules.yml]\ncheck: {policies: [{demand: {selector: [job]}}]}\n"
    ),
    good: concat!(
        record!("a:sum", "sum(a{job=\"x\"})"),
        "#= firebell.yml\nrule_files: [rules.yml]\ncheck: {policies: [{demand: {selector: [job]}}]}\n"
    ),
};

pub(crate) const GROUP_INTERVAL: Lint = Lint {
    id: "rule/interval",
    severity: Severity::Error,
    is_on: true,
    what: "an interval of a group outside of what a policy allows",
    why: "The team has agreed on it.",
    mend: "Choose one within the bounds, or change the policy.",
    bad: concat!(
        record!("a:sum", "sum(a)"),
        "#= firebell.yml\nrule_files: [rules.yml]\ncheck: {policies: [{demand: {interval: {max: 30s}}}]}\n"
    ),
    good: concat!(
        record!("a:sum", "sum(a)"),
        "#= firebell.yml\nrule_files: [rules.yml]\ncheck: {policies: [{demand: {interval: {max: 2m}}}]}\n"
    ),
};

pub(crate) const REPORT: Lint = Lint {
    id: "rule/report",
    severity: Severity::Info,
    is_on: true,
    what: "a rule that a policy says something of",
    why: "The team wants to be told.",
    mend: "Do what the message says.",
    bad: concat!(
        record!("a:sum", "sum(a)"),
        "#= firebell.yml\nrule_files: [rules.yml]\ncheck: {policies: [{demand: {report: \"ask the platform team\"}}]}\n"
    ),
    good: concat!(
        record!("a:sum", "sum(a)"),
        "#= firebell.yml\nrule_files: [rules.yml]\ncheck: {policies: [{name: \"b.*\", demand: {report: x}}]}\n"
    ),
};
