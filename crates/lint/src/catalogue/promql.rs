//! Expressions that do not compute what was meant, or cost more than they have to.

use crate::lint::{Lint, Severity};

pub(crate) const ALL: &[&Lint] = &[
    &IMPOSSIBLE,
    &VECTOR_MATCHING,
    &RATE,
    &COUNTER,
    &IRATE,
    &REGEXP,
    &SMELLY,
    &SELECTOR,
    &FRAGILE,
    &NAN,
    &OFFSET,
    &RANGE_QUERY,
    &FEATURES,
    &PERFORMANCE,
];

pub(crate) const IMPOSSIBLE: Lint = Lint {
    id: "promql/impossible",
    severity: Severity::Warning,
    is_on: true,
    what: "a comparison or join that no sample can pass",
    why: "The rule never gives anything: the alert cannot fire, and nobody notices.",
    mend: "Join on labels that both sides have; compare with values that can occur. `count` of nothing is no sample, not 0: ask with `absent` or `unless`.",
    bad: alert!("count(up{job=\"a\"}) == 0", "for: 5m"),
    good: alert!("absent(up{job=\"a\"})", "for: 5m"),
};

pub(crate) const VECTOR_MATCHING: Lint = Lint {
    id: "promql/vector_matching",
    severity: Severity::Warning,
    is_on: true,
    what: "two sides of an operator that do not have the same labels, or several partners for a series",
    why: "Series without a partner give nothing, without a word; several partners are an error at run time.",
    mend: "Aggregate both sides by the same labels, or say `on (…)` and `group_left`.",
    bad: record!("a:ratio", "sum by (job) (a) / sum by (job, pod) (b)"),
    good: record!("a:ratio", "sum by (job) (a) / sum by (job) (b)"),
};

pub(crate) const RATE: Lint = Lint {
    id: "promql/rate",
    severity: Severity::Warning,
    is_on: true,
    what: "a range with too few samples, or a function of counters on what is none",
    why: "A rate needs two samples. With fewer than four scrapes in its range, one that fails or comes late makes a gap, and the alert resolves.",
    mend: "Use a range of at least four scrape intervals; `rate` for counters, `delta` and `deriv` for gauges; take the rate first and the sum after.",
    bad: concat!(
        record!("a:rate", "rate(a_total[45s])"),
        "#= firebell.yml\nrule_files: [rules.yml]\nglobal: {scrape_interval: 30s}\n"
    ),
    good: concat!(
        record!("a:rate", "rate(a_total[2m])"),
        "#= firebell.yml\nrule_files: [rules.yml]\nglobal: {scrape_interval: 30s}\n"
    ),
};

pub(crate) const COUNTER: Lint = Lint {
    id: "promql/counter",
    severity: Severity::Info,
    is_on: true,
    what: "the bare value of a counter",
    why: "It says how much there was since the process started, so it depends on when that was.",
    mend: "Look at its `rate` or `increase`.",
    bad: alert!("http_errors_total > 100", "for: 5m"),
    good: alert!("increase(http_errors_total[1h]) > 100", "for: 5m"),
};

pub(crate) const IRATE: Lint = Lint {
    id: "promql/irate",
    severity: Severity::Info,
    is_on: true,
    what: "`irate` in an alert",
    why: "It looks at two samples only: one odd scrape fires or resolves the alert.",
    mend: "Use `rate` over the range in which the condition matters.",
    bad: alert!("irate(a_total[5m]) > 100"),
    good: alert!("rate(a_total[5m]) > 100"),
};

pub(crate) const REGEXP: Lint = Lint {
    id: "promql/regexp",
    severity: Severity::Info,
    is_on: true,
    what: "a regular expression that a plain comparison says better, or an anchor that is there anyway",
    why: "Expressions are anchored at both ends. A plain comparison is quicker, and says what is meant.",
    mend: "Use `=` and `!=`; `!=\"\"` for any value; leave `^` and `$` out.",
    bad: record!("a:sum", "sum(a{job=~\"shop\"})"),
    good: record!("a:sum", "sum(a{job=\"shop\"})"),
};

pub(crate) const SMELLY: Lint = Lint {
    id: "promql/smelly",
    severity: Severity::Info,
    is_on: false,
    what: "a regular expression that takes names apart, such as `shop-.*-prod`",
    why: "Meaning that is hidden in names breaks when somebody renames.",
    mend: "Give the parts labels of their own.",
    bad: concat!(
        record!("a:sum", "sum(a{pod=~\"shop-.*-prod\"})"),
        "#= firebell.yml\nrule_files: [rules.yml]\ncheck: {enable: [promql/smelly]}\n"
    ),
    good: concat!(
        record!("a:sum", "sum(a{service=\"shop\",env=\"prod\"})"),
        "#= firebell.yml\nrule_files: [rules.yml]\ncheck: {enable: [promql/smelly]}\n"
    ),
};

pub(crate) const SELECTOR: Lint = Lint {
    id: "promql/selector",
    severity: Severity::Warning,
    is_on: true,
    what: "a selector whose conditions exclude each other, or that names no metric",
    why: "The first selects nothing, the second searches all series.",
    mend: "Leave one of the conditions out; name the metric.",
    bad: record!("a:sum", "sum(a{job=\"x\",job=\"y\"})"),
    good: record!("a:sum", "sum(a{job=~\"x|y\"})"),
};

pub(crate) const FRAGILE: Lint = Lint {
    id: "promql/fragile",
    severity: Severity::Info,
    is_on: true,
    what: "a result that changes when series come, go, or get another label",
    why: "`topk` over series picks others at every evaluation, so alerts resolve and begin anew. `without` on one side of a join only keeps every label that somebody adds later.",
    mend: "Aggregate before `topk`; use `by (…)`, or the same `without (…)`, on both sides of a join.",
    bad: alert!("topk(3, rate(a_total[5m])) > 5"),
    good: alert!("rate(a_total[5m]) > 5"),
};

pub(crate) const NAN: Lint = Lint {
    id: "promql/nan",
    severity: Severity::Warning,
    is_on: true,
    what: "a comparison with NaN",
    why: "Nothing equals NaN, not even NaN.",
    mend: "Ask `x != x` for samples that are NaN.",
    bad: alert!("a == NaN", "for: 5m"),
    good: alert!("a != a", "for: 5m"),
};

pub(crate) const OFFSET: Lint = Lint {
    id: "promql/offset",
    severity: Severity::Warning,
    is_on: true,
    what: "a negative offset in a rule",
    why: "It looks into the future, where there are no samples yet.",
    mend: "Look back instead, and name the alert for what it then says.",
    bad: record!("a:later", "a offset -5m"),
    good: record!("a:earlier", "a offset 5m"),
};

pub(crate) const RANGE_QUERY: Lint = Lint {
    id: "promql/range_query",
    severity: Severity::Warning,
    is_on: true,
    what: "a range longer than samples are kept",
    why: "It sees only what is there, and says nothing of it.",
    mend: "Keep samples longer (`storage.retention`), or look back less.",
    bad: concat!(
        record!("a:month", "increase(a_total[60d])"),
        "#= firebell.yml\nrule_files: [rules.yml]\nstorage: {retention: 30d}\n"
    ),
    good: concat!(
        record!("a:month", "increase(a_total[28d])"),
        "#= firebell.yml\nrule_files: [rules.yml]\nstorage: {retention: 30d}\n"
    ),
};

pub(crate) const FEATURES: Lint = Lint {
    id: "promql/features",
    severity: Severity::Warning,
    is_on: true,
    what: "an experimental part of the language",
    why: "`firebell serve` refuses it without the flag, and Prometheus may change it.",
    mend: "Name the feature in `query.enable_features` of firebell.yml, or say it otherwise.",
    bad: record!("a:some", "limitk(3, a)"),
    good: record!("a:some", "topk(3, a)"),
};

pub(crate) const PERFORMANCE: Lint = Lint {
    id: "promql/performance",
    severity: Severity::Info,
    is_on: true,
    what: "work that is done again and again, or more than it has to be",
    why: "What one rule records need not be computed by the next; a subquery of many thousand steps is a query each.",
    mend: "Use the recorded series; choose a longer step; name the metric.",
    bad: "groups:\n  - name: g\n    rules:\n      - record: job:a:rate5m\n        expr: sum by (job) (rate(a_total[5m]))\n      - alert: A\n        expr: sum by (job) (rate(a_total[5m])) > 5\n",
    good: "groups:\n  - name: g\n    rules:\n      - record: job:a:rate5m\n        expr: sum by (job) (rate(a_total[5m]))\n      - alert: A\n        expr: job:a:rate5m > 5\n",
};
