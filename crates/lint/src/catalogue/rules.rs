//! Rules beside each other: groups, files, tests.

use crate::lint::{Lint, Severity};

pub(crate) const ALL: &[&Lint] = &[
    &DUPLICATE,
    &DEPENDENCY,
    &CONFLICT,
    &NAME,
    &LINK,
    &INTERVAL,
    &UNTESTED,
];

pub(crate) const DUPLICATE: Lint = Lint {
    id: "rule/duplicate",
    severity: Severity::Warning,
    is_on: true,
    what: "two rules with the same name and labels",
    why: "Their results overwrite each other: two samples for one moment of one series, or two alerts that are one.",
    mend: "Delete one, or tell them apart by a label.",
    bad: "groups:\n  - name: g\n    rules:\n      - {record: a, expr: sum(x)}\n      - {record: a, expr: sum(y)}\n",
    good: "groups:\n  - name: g\n    rules:\n      - {record: a, expr: sum(x)}\n      - {record: b, expr: sum(y)}\n",
};

pub(crate) const DEPENDENCY: Lint = Lint {
    id: "rule/dependency",
    severity: Severity::Warning,
    is_on: true,
    what: "a rule that uses what a later rule of its group records",
    why: "It sees what was recorded an interval ago, and at the first evaluation nothing.",
    mend: "Move the recording rule up.",
    bad: "groups:\n  - name: g\n    rules:\n      - {alert: A, expr: \"a:sum > 5\", for: 5m}\n      - {record: \"a:sum\", expr: sum(a)}\n",
    good: "groups:\n  - name: g\n    rules:\n      - {record: \"a:sum\", expr: sum(a)}\n      - {alert: A, expr: \"a:sum > 5\", for: 5m}\n",
};

pub(crate) const CONFLICT: Lint = Lint {
    id: "labels/conflict",
    severity: Severity::Warning,
    is_on: true,
    what: "a rule that sets an external label to another value",
    why: "Alerts that others send with the external label, and those of this rule, say different things of the same place.",
    mend: "Give the label of the rule another name.",
    bad: concat!(
        alert!("up == 0", "for: 5m", "labels: {dc: south}"),
        "#= firebell.yml\nrule_files: [rules.yml]\nglobal: {external_labels: {dc: north}}\n"
    ),
    good: concat!(
        alert!("up == 0", "for: 5m", "labels: {site: south}"),
        "#= firebell.yml\nrule_files: [rules.yml]\nglobal: {external_labels: {dc: north}}\n"
    ),
};

pub(crate) const NAME: Lint = Lint {
    id: "rule/name",
    severity: Severity::Info,
    is_on: true,
    what: "a recorded series whose name looks like one that was scraped",
    why: "`level:metric:operations` tells whoever reads it that there is a rule behind it.",
    mend: "Give it a name with colons, such as `job:http_requests:rate5m`.",
    bad: record!("requests_rate", "sum(rate(a_total[5m]))"),
    good: record!("job:requests:rate5m", "sum(rate(a_total[5m]))"),
};

pub(crate) const LINK: Lint = Lint {
    id: "rule/link",
    severity: Severity::Warning,
    is_on: true,
    what: "an address in an annotation that is none",
    why: "The link of the page leads nowhere, when it is needed most.",
    mend: "Write the whole address, with `https://`.",
    bad: alert!(
        "up == 0",
        "for: 5m",
        "annotations: {runbook_url: runbooks/a}"
    ),
    good: alert!(
        "up == 0",
        "for: 5m",
        "annotations: {runbook_url: \"https://runbooks.example.com/a\"}"
    ),
};

pub(crate) const INTERVAL: Lint = Lint {
    id: "group/interval",
    severity: Severity::Warning,
    is_on: true,
    what: "an interval that leaves gaps, or looks twice at the same samples",
    why: "Series are gone after five minutes without a sample. Evaluating more often than is scraped finds nothing new.",
    mend: "Choose an interval between that of the scrapes and two minutes; long ranges do the rest.",
    bad: "groups:\n  - name: g\n    interval: 10m\n    rules:\n      - {record: \"a:sum\", expr: sum(a)}\n",
    good: "groups:\n  - name: g\n    interval: 2m\n    rules:\n      - {record: \"a:sum\", expr: sum(a)}\n",
};

pub(crate) const UNTESTED: Lint = Lint {
    id: "rule/untested",
    severity: Severity::Info,
    is_on: true,
    what: "an alert that no test asks for, though a test file that is given names its rule file",
    why: "A rule that was never seen to fire may never.",
    mend: "Add it to a test: the samples of a failure, and the alert that has to come of them.",
    bad: concat!(
        alert!("up == 0", "for: 5m"),
        "#= tests.yml\nrule_files: [rules.yml]\ntests:\n  - alert_rule_test:\n      - {eval_time: 1m, alertname: B}\n"
    ),
    good: concat!(
        alert!("up == 0", "for: 5m"),
        "#= tests.yml\nrule_files: [rules.yml]\ntests:\n  - alert_rule_test:\n      - {eval_time: 1m, alertname: A}\n"
    ),
};
