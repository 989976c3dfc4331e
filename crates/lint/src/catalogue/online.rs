//! What a running server says of rules: series, cost, and what alerts would have done.

use crate::lint::{Lint, Severity};

pub(crate) const ALL: &[&Lint] = &[
    &SERIES,
    &FAILS,
    &COST,
    &CARDINALITY,
    &COUNT,
    &FLAPPING,
    &ALWAYS,
    &DISTANT,
    &SILENCE,
    &UNREACHABLE,
];

pub(crate) const SERIES: Lint = Lint {
    id: "promql/series",
    severity: Severity::Warning,
    is_on: true,
    what: "series that the server does not have: never, not any more, or not with that label",
    why: "What is not there gives nothing: the alert cannot fire, and nobody notices.",
    mend: "Mend the name, the label or the value; say what holds without the series (`or vector(0)`, `absent`); `# pint rule/set promql/series min-age 1d` for series that come and go.",
    bad: concat!(
        record!("job:up:sum", "sum by (job) (upp)"),
        "#= server.txt\nup{job=\"a\"} 1x120\n"
    ),
    good: concat!(
        record!("job:up:sum", "sum by (job) (up)"),
        "#= server.txt\nup{job=\"a\"} 1x120\n"
    ),
};

pub(crate) const FAILS: Lint = Lint {
    id: "query/fails",
    severity: Severity::Error,
    is_on: true,
    what: "an expression that the server cannot evaluate",
    why: "The rule errors at every evaluation, and does nothing.",
    mend: "The server says why: two series that would become one, a feature that it does not have.",
    bad: concat!(
        record!("a:renamed", "label_replace(a, \"b\", \"x\", \"\", \"\")"),
        "#= server.txt\na{b=\"1\"} 1x120\na{b=\"2\"} 1x120\n"
    ),
    good: concat!(
        record!("a:renamed", "label_replace(a, \"c\", \"x\", \"\", \"\")"),
        "#= server.txt\na{b=\"1\"} 1x120\na{b=\"2\"} 1x120\n"
    ),
};

pub(crate) const COST: Lint = Lint {
    id: "query/cost",
    severity: Severity::Warning,
    is_on: true,
    what: "an expression that costs the server more than a second, a tenth of its interval, or a million samples",
    why: "Every other rule of the group waits for it, and so do people's queries.",
    mend: "Record a part of it, look back less, aggregate earlier, or evaluate the group less often.",
    bad: concat!(
        record!("a:p99", "quantile_over_time(0.99, a[30d])"),
        "#= server.txt\na 1x120\ncosts a[30d] 2000000\n"
    ),
    good: concat!(
        record!("a:p99", "quantile_over_time(0.99, a[1h])"),
        "#= server.txt\na 1x120\ncosts a[30d] 2000000\n"
    ),
};

pub(crate) const CARDINALITY: Lint = Lint {
    id: "query/cardinality",
    severity: Severity::Warning,
    is_on: true,
    what: "a rule that records more than 10,000 series",
    why: "Each is kept, indexed and read as a scraped one is, at every evaluation.",
    mend: "Aggregate by fewer labels.",
    bad: concat!(
        record!("a:by_id", "sum by (id) (a)"),
        "#= server.txt\na{id=\"1..10001\"} 1x1\n"
    ),
    good: concat!(
        record!("a:all", "sum(a)"),
        "#= server.txt\na{id=\"1..10001\"} 1x1\n"
    ),
};

pub(crate) const COUNT: Lint = Lint {
    id: "alerts/count",
    severity: Severity::Info,
    is_on: true,
    what: "how often an alert would have fired lately; a warning above ten times a day, or fifty at once",
    why: "Whoever is woken often for nothing stops looking.",
    mend: "Raise the threshold, wait longer, aggregate; or mend what it is about.",
    bad: concat!(
        alert!("a > 5", "for: 5m"),
        "#= server.txt\na 1x200 9x9 1x20\n"
    ),
    good: concat!(
        alert!("a > 5", "for: 15m"),
        "#= server.txt\na 1x200 9x9 1x20\n"
    ),
};

pub(crate) const FLAPPING: Lint = Lint {
    id: "alerts/flapping",
    severity: Severity::Warning,
    is_on: true,
    what: "an alert that would have resolved and fired again within half an hour, four times or more",
    why: "Each time somebody is told twice.",
    mend: "Look over a longer range, or keep it firing for a while: `keep_firing_for: 30m`.",
    bad: concat!(
        alert!("a > 5", "for: 1m"),
        "#= server.txt\na 1x100 9x5 1x9 9x5 1x9 9x5 1x9 9x5 1x9 9x5 1x9\n"
    ),
    good: concat!(
        alert!("a > 5", "for: 1m", "keep_firing_for: 30m"),
        "#= server.txt\na 1x100 9x5 1x9 9x5 1x9 9x5 1x9 9x5 1x9 9x5 1x9\n"
    ),
};

pub(crate) const ALWAYS: Lint = Lint {
    id: "alerts/always",
    severity: Severity::Warning,
    is_on: true,
    what: "an alert that would have fired nearly all the time",
    why: "Nobody looks at what always fires, and everybody learns to look away.",
    mend: "Mend what it is about, or move the threshold to where somebody has to act.",
    bad: concat!(alert!("a > 5"), "#= server.txt\na 9x5000\n"),
    good: concat!(alert!("a > 10"), "#= server.txt\na 9x5000\n"),
};

pub(crate) const DISTANT: Lint = Lint {
    id: "alerts/distant",
    severity: Severity::Info,
    is_on: true,
    what: "a threshold that no value came within a hundredth of",
    why: "It may be in another unit: 5 is nothing of seconds and 500 % of a ratio.",
    mend: "Compare the unit of the expression with that of the threshold.",
    bad: concat!(alert!("a_ratio > 5"), "#= server.txt\na_ratio 0.02x300\n"),
    good: concat!(
        alert!("a_ratio > 0.05"),
        "#= server.txt\na_ratio 0.02x300\n"
    ),
};

pub(crate) const SILENCE: Lint = Lint {
    id: "silences/unmatched",
    severity: Severity::Info,
    is_on: true,
    what: "a silence that matched no alert lately; a warning where no rule can make one",
    why: "What it was meant to silence is not silenced, or is long gone.",
    mend: "Expire it, or mend its matchers.",
    bad: concat!(
        alert!("up == 0", "for: 5m"),
        "#= server.txt\nup 1x120\nsilence alertname=B\n"
    ),
    good: concat!(
        alert!("up == 0", "for: 5m"),
        "#= server.txt\nup 1x120\nALERTS{alertname=\"B\",alertstate=\"firing\"} 1x120\nsilence alertname=B\n"
    ),
};

pub(crate) const UNREACHABLE: Lint = Lint {
    id: "server/unreachable",
    severity: Severity::Error,
    is_on: true,
    what: "a server that does not answer, or gave up before the end",
    why: "What only it can say was not checked.",
    mend: "See whether the address is right, and what `--server-header` it wants.",
    bad: concat!(alert!("up == 0", "for: 5m"), "#= server.txt\nis down\n"),
    good: concat!(alert!("up == 0", "for: 5m"), "#= server.txt\nup 1x120\n"),
};
