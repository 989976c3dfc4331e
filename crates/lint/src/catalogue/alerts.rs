//! Alerts that will not do what was meant, or will be noise.

use crate::lint::{Lint, Severity};

pub(crate) const ALL: &[&Lint] = &[
    &COMPARISON,
    &FOR,
    &PERSISTENCE,
    &ABSENT,
    &TEMPLATE,
    &EXTERNAL_LABELS,
    &SUMMARY,
    &CONTEXT,
    &RUNBOOK,
    &OWNER,
    &CAUSE,
    &THRESHOLD,
];

pub(crate) const COMPARISON: Lint = Lint {
    id: "alerts/comparison",
    severity: Severity::Warning,
    is_on: true,
    what: "an alert on an expression that has no condition, and so fires as long as there are series",
    why: "An alert fires for every sample of its expression, whatever the value, 0 too. What always \
          fires is muted by people, and then hides what burns.",
    mend: "Compare with a threshold, without `bool`. A heartbeat that is meant to fire always is \
           known by a name with Watchdog, DeadMansSwitch, Heartbeat or Always.",
    bad: alert!("sum(rate(http_errors_total[5m])) > bool 5"),
    good: alert!("sum(rate(http_errors_total[5m])) > 5"),
};

pub(crate) const FOR: Lint = Lint {
    id: "alerts/for",
    severity: Severity::Info,
    is_on: true,
    what: "a `for` that changes nothing, or waits longer than it says",
    why: "The condition is looked at once per interval: a shorter `for` is rounded up to it, and \
          zero is what holds anyway.",
    mend: "Leave it out, or make it a multiple of the group's interval.",
    bad: alert!("up == 0", "for: 0s"),
    good: alert!("up == 0", "for: 2m"),
};

pub(crate) const PERSISTENCE: Lint = Lint {
    id: "alerts/persistence",
    severity: Severity::Warning,
    is_on: true,
    what: "an alert without `for` on a condition that looks at less than two minutes",
    why: "One bad scrape, one restart, one slow second fires it, and it is over before anybody has \
          looked. That is how people learn to pass over pages.",
    mend: "Add `for`, or look over a longer range, such as `rate(x[5m])` or `avg_over_time(x[5m])`.",
    bad: alert!("queue_depth > 50", "labels: {severity: critical}"),
    good: alert!("queue_depth > 50", "for: 5m"),
};

pub(crate) const ABSENT: Lint = Lint {
    id: "alerts/absent",
    severity: Severity::Warning,
    is_on: true,
    what: "`absent()` with a `for` that a restart or a failed scrape outlasts",
    why: "A scrape that fails ends all series of its target at once, so one of them is enough to \
          make them absent.",
    mend: "Give it a `for` of at least two scrape intervals, or use `absent_over_time`.",
    bad: alert!("absent(up{job=\"a\"})"),
    good: alert!("absent(up{job=\"a\"})", "for: 5m"),
};

pub(crate) const TEMPLATE: Lint = Lint {
    id: "alerts/template",
    severity: Severity::Warning,
    is_on: true,
    what: "a text that asks for what cannot be there, a label that holds the value, a bare number",
    why: "A label that the expression takes away is empty in the text. A label that holds the value \
          makes another alert at every evaluation, so that `for` never ends.",
    mend: "Keep the label in `by (…)`, or do not name it; say values in annotations, and through \
           `humanize`, `humanizePercentage` or `printf`.",
    bad: alert!(
        "sum by (job) (up) < 2",
        "annotations: {summary: '{{ $labels.instance }} is down'}"
    ),
    good: alert!(
        "sum by (job) (up) < 2",
        "annotations: {summary: '{{ $labels.job }} is down'}"
    ),
};

pub(crate) const EXTERNAL_LABELS: Lint = Lint {
    id: "alerts/external_labels",
    severity: Severity::Warning,
    is_on: true,
    what: "a text that asks for an external label which the configuration does not set",
    why: "The text is empty there.",
    mend: "Set it in `global.external_labels`, or do not name it.",
    bad: concat!(
        alert!(
            "up == 0",
            "annotations: {summary: '{{ $externalLabels.dc }}'}"
        ),
        "#= firebell.yml\nrule_files: [rules.yml]\n"
    ),
    good: concat!(
        alert!(
            "up == 0",
            "annotations: {summary: '{{ $externalLabels.dc }}'}"
        ),
        "#= firebell.yml\nrule_files: [rules.yml]\nglobal: {external_labels: {dc: north}}\n"
    ),
};

pub(crate) const SUMMARY: Lint = Lint {
    id: "alerts/annotation",
    severity: Severity::Warning,
    is_on: true,
    what: "an alert that says nothing to the person who gets it",
    why: "Who is woken reads the page first, not the rule.",
    mend: "Add the annotation `summary`: what users feel, where, and how much.",
    bad: alert!("up == 0"),
    good: alert!(
        "up == 0",
        "annotations: {summary: '{{ $labels.job }} is down'}"
    ),
};

pub(crate) const CONTEXT: Lint = Lint {
    id: "alerts/context",
    severity: Severity::Info,
    is_on: true,
    what: "texts that name neither the value, nor what the alert is about",
    why: "Whether 5 or 90 per cent of the requests fail decides what to do next; so does where.",
    mend: "Say `{{ $value | humanizePercentage }}` and the labels that tell services apart.",
    bad: alert!(
        "queue_depth > 50",
        "annotations: {summary: the queue is long}"
    ),
    good: alert!(
        "queue_depth > 50",
        "annotations: {summary: '{{ $labels.job }}: {{ $value }} wait'}"
    ),
};

pub(crate) const RUNBOOK: Lint = Lint {
    id: "alerts/runbook",
    severity: Severity::Info,
    is_on: true,
    what: "an alert without a runbook",
    why: "At night nobody remembers what to check first.",
    mend: "Add the annotation `runbook_url`.",
    bad: alert!("up == 0"),
    good: alert!(
        "up == 0",
        "annotations: {runbook_url: 'https://runbooks.example.com/a'}"
    ),
};

pub(crate) const OWNER: Lint = Lint {
    id: "alerts/owner",
    severity: Severity::Info,
    is_on: true,
    what: "an alert that belongs to nobody",
    why: "What nobody owns wakes the wrong team, and nobody improves it.",
    mend: "Add the label `team` or `owner` to the rule, its group, or the external labels; or a \
           comment `# firebell check: owner NAME`.",
    bad: alert!("up == 0"),
    good: alert!("up == 0", "labels: {team: shop}"),
};

pub(crate) const CAUSE: Lint = Lint {
    id: "alerts/cause",
    severity: Severity::Info,
    is_on: true,
    what: "a page on a possible cause (CPU, load, memory, garbage collection) rather than on what \
           users feel",
    why: "A busy machine may serve everybody well, and a service may fail on an idle one. Causes \
          belong on the dashboard that the page links to.",
    mend: "Page on errors, latency or an objective's burn rate; give this one a lower severity.",
    bad: alert!("node_load1 > 8", "labels: {severity: critical}"),
    good: alert!("node_load1 > 8", "labels: {severity: info}"),
};

pub(crate) const THRESHOLD: Lint = Lint {
    id: "alerts/threshold",
    severity: Severity::Info,
    is_on: true,
    what: "a threshold that any single error passes",
    why: "Somewhere a request always fails. A count says nothing without the traffic it is part of.",
    mend: "Compare the ratio of errors with what the objective allows, or demand a number of them \
           that matters.",
    bad: alert!("increase(http_requests_total{code=~\"5..\"}[5m]) > 0"),
    good: alert!(
        "sum(rate(http_requests_total{code=~\"5..\"}[5m])) / sum(rate(http_requests_total[5m])) > 0.01"
    ),
};
