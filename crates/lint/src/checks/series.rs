//! Functions against what the names of series say they are: counters and gauges.
//!
//! *Sources*: Prometheus, its documentation of metric names and of `rate`.

use firebell_model::{Duration, MatchOp};
use firebell_promql::{AggregateOp, Call, Expr, Node, Selector, Span};

use super::Scope;
use crate::catalogue::promql as lints;
use crate::lint::Severity;
use crate::shape::{calls, is_counter_name, piece, ranged, sums_counters};

pub(super) fn judge(scope: &mut Scope<'_>) {
    let rule = scope.rule;
    for (call, span) in calls(&rule.expr) {
        let name = call.function.name;
        if matches!(name, "rate" | "increase" | "irate") {
            of_counter(scope, call, span);
        }
        if matches!(name, "delta" | "idelta" | "deriv")
            && let Some((selector, _)) = ranged(call)
            && let Some(metric) = selector.metric_name().filter(|it| is_counter_name(it))
        {
            let message = format!("`{name}` takes a reset of the counter `{metric}` for a fall");
            let hint = "use `rate` or `increase`";
            scope.say(&lints::RATE, scope.expr(span), message, hint);
        }
        if RANGED.contains(&name)
            && let Some((selector, Some(range))) = ranged(call)
        {
            too_short(scope, (name, span), selector, range);
        }
    }
    if rule.is_alerting() {
        bare_counter(scope);
    }
}

fn of_counter(scope: &mut Scope<'_>, call: &Call, span: Span) {
    let name = call.function.name;
    let hint = "take the rate of each series first, and the sum after";
    if let Some(Node::Subquery(subquery)) = call.args.first().map(|it| &it.unwrap_parens().node)
        && sums_counters(&subquery.expr)
    {
        let message =
            format!("`{name}` of a sum of counters: a restart of one of them looks like traffic");
        return scope.say(&lints::RATE, scope.expr(span), message, hint);
    }
    let Some((selector, _)) = ranged(call) else {
        return;
    };
    let metric = selector.metric_name().unwrap_or("");
    if scope.project.sums_counters(metric) {
        let message =
            format!("`{metric}` is a sum of counters: a restart of one of them looks like traffic");
        return scope.say(&lints::RATE, scope.expr(span), message, hint);
    }
    if GAUGES.iter().any(|it| metric.ends_with(it)) {
        let message =
            format!("`{metric}` looks like a gauge: whatever falls is taken for a restart");
        let hint = "use `delta` or `deriv` if it is one";
        let told = (message, hint.to_owned());
        scope.say_as(&lints::RATE, Some(Severity::Info), scope.expr(span), told);
    }
}

fn too_short(
    scope: &mut Scope<'_>,
    (name, span): (&str, Span),
    selector: &Selector,
    range: Duration,
) {
    let Some(interval) = scrape_interval(scope, selector) else {
        return;
    };
    let n_needed = if NEEDS_TWO.contains(&name) { 2 } else { 1 };
    if range.0 < n_needed * interval.0 || range <= Duration::ZERO {
        let message =
            format!("{range} holds fewer than {n_needed} scrapes at {interval}: mostly nothing");
        let hint = format!("look over {} or more", Duration(interval.0 * 4));
        return scope.say(&lints::RATE, scope.expr(span), message, hint);
    }
    if n_needed == 2 && range.0 < 4 * interval.0 {
        let message =
            format!("{range} holds fewer than 4 scrapes at {interval}: one that fails makes a gap");
        let hint = format!("look over {} or more", Duration(interval.0 * 4));
        let severity = (range.0 >= 3 * interval.0).then_some(Severity::Info);
        scope.say_as(&lints::RATE, severity, scope.expr(span), (message, hint));
    }
}

/// How often series are scraped: as their job says, or as the most frequent of all jobs.
fn scrape_interval(scope: &Scope<'_>, selector: &Selector) -> Option<Duration> {
    // Recorded series come at the interval of their rules.
    if selector
        .metric_name()
        .is_none_or(|it| it.contains(':') || it.starts_with("ALERTS"))
    {
        return None;
    }
    let global = scope.project.global.as_ref()?;
    let job = selector
        .matchers
        .iter()
        .find(|it| it.name() == "job" && it.op() == MatchOp::Equal);
    let own = job.and_then(|it| global.job_intervals.get(it.value()).copied());
    let shortest = || global.job_intervals.values().min().copied();
    own.or_else(shortest).or(global.scrape_interval)
}

/// A counter that reaches the threshold without anybody asking how fast it grows.
fn bare_counter(scope: &mut Scope<'_>) {
    let rule = scope.rule;
    let mut found = Vec::new();
    for side in compared(&rule.expr) {
        if let Some((name, span)) = bare(side) {
            found.push((name, span));
        }
    }
    for (name, span) in found {
        let message = format!("`{name}` counts since the start of its process");
        let hint = format!(
            "look at `increase({}[1h])` or its rate",
            piece(&rule.expr_text, span)
        );
        scope.say(&lints::COUNTER, scope.expr(span), message, hint);
    }
}

/// The sides of comparisons with a number.
fn compared(expr: &Expr) -> Vec<&Expr> {
    let mut found = Vec::new();
    expr.walk(|expr| {
        let Node::Binary(binary) = &expr.node else {
            return;
        };
        if !binary.op.is_comparison() {
            return;
        }
        for (side, other) in [(&binary.left, &binary.right), (&binary.right, &binary.left)] {
            // Zero asks whether there was any at all.
            if matches!(&other.unwrap_parens().node, Node::Number(it) if it.value > 0.0) {
                found.push(side.unwrap_parens());
            }
        }
    });
    found
}

/// The counter that an expression is, or sums up.
fn bare(expr: &Expr) -> Option<(String, Span)> {
    let mut expr = expr.unwrap_parens();
    while let Node::Aggregate(aggregate) = &expr.node {
        if matches!(aggregate.op, AggregateOp::Count | AggregateOp::Group) {
            return None;
        }
        expr = aggregate.expr.unwrap_parens();
    }
    let Node::Selector(selector) = &expr.node else {
        return None;
    };
    // What differs by hand from its past has been thought of.
    let name = selector
        .metric_name()
        .filter(|it| it.ends_with("_total") && is_counter_name(it))?;
    Some((name.to_owned(), expr.span))
}

/// Functions of a range of samples.
const RANGED: &[&str] = &[
    "rate",
    "increase",
    "irate",
    "delta",
    "idelta",
    "deriv",
    "changes",
    "resets",
    "predict_linear",
    "avg_over_time",
    "min_over_time",
    "max_over_time",
    "sum_over_time",
    "count_over_time",
    "stddev_over_time",
    "quantile_over_time",
    "last_over_time",
];
/// Those that give nothing for a single sample.
const NEEDS_TWO: &[&str] = &[
    "rate",
    "increase",
    "irate",
    "delta",
    "idelta",
    "deriv",
    "predict_linear",
];
/// What names of gauges end with.
const GAUGES: &[&str] = &[
    "_ratio",
    "_percent",
    "_celsius",
    "_info",
    "_timestamp_seconds",
    "_in_flight",
    "_inflight",
    "_in_progress",
    "_depth",
    "_queue_length",
    "_utilization",
    "_available_bytes",
    "_free_bytes",
    "_size_bytes",
    "_usage_bytes",
    "_limit_bytes",
    "_memory_bytes",
    "_open_fds",
    "_max_fds",
];
