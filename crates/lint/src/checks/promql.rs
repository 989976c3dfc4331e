//! Expressions that are fragile, costly, or ask for what is not there.

use firebell_model::Duration;
use firebell_promql::{
    Aggregate, Binary, BinaryOp, DurationExpr, Expr, Node, Shift, Span, ValueType, parse_with,
};

use super::Scope;
use crate::catalogue::promql as lints;
use crate::shape::{calls, longest_range};

pub(super) fn judge(scope: &mut Scope<'_>) {
    let rule = scope.rule;
    features(scope);
    range(scope);
    recorded_twice(scope);
    let mut nodes = Vec::new();
    rule.expr.walk(|expr| nodes.push(expr));
    for expr in nodes {
        match &expr.node {
            Node::Binary(binary) => {
                nan(scope, binary);
                one_sided_without(scope, binary);
            }
            Node::Aggregate(aggregate) => sampled(scope, aggregate, expr.span),
            Node::Selector(selector) => shift(scope, &selector.shift, expr.span),
            Node::Range(range) => shift(scope, &range.selector.shift, expr.span),
            Node::Subquery(subquery) => {
                shift(scope, &subquery.shift, expr.span);
                let step = subquery.step.as_ref().and_then(DurationExpr::constant);
                steps(scope, subquery.range.constant(), step, expr.span);
            }
            _ => {}
        }
    }
    if rule.is_alerting()
        && let Some((_, span)) = calls(&rule.expr)
            .iter()
            .find(|(it, _)| it.function.name == "irate")
    {
        let message = "`irate` looks at two samples: one odd scrape fires or resolves the alert";
        scope.say(&lints::IRATE, scope.expr(*span), message, "use `rate`");
    }
}

/// What only works with a flag.
fn features(scope: &mut Scope<'_>) {
    let rule = scope.rule;
    let enabled = scope.project.global.as_ref().map(|it| it.features);
    let is_enabled = |features| parse_with(&rule.expr_text, features).is_ok();
    if let Some(error) = &rule.experimental
        && !enabled.is_some_and(is_enabled)
    {
        let message = format!("`serve` refuses this without a flag: {}", error.message);
        let hint =
            "say it otherwise, or name the feature in `query.enable_features` of firebell.yml";
        scope.say(&lints::FEATURES, scope.expr(error.span), message, hint);
    }
}

fn range(scope: &mut Scope<'_>) {
    let retention = scope.project.global.as_ref().and_then(|it| it.retention);
    let Some((retention, (range, span))) = retention.zip(longest_range(&scope.rule.expr)) else {
        return;
    };
    if range > retention {
        let message = format!("it looks back {range}, but samples are kept for {retention}");
        let hint = "keep them longer (`storage.retention`), or look back less";
        scope.say(&lints::RANGE_QUERY, scope.expr(span), message, hint);
    }
}

fn nan(scope: &mut Scope<'_>, binary: &Binary) {
    let is_nan =
        |expr: &Expr| matches!(&expr.unwrap_parens().node, Node::Number(it) if it.value.is_nan());
    let is_wrong = binary.op.is_comparison() && (is_nan(&binary.left) || is_nan(&binary.right));
    if is_wrong {
        let message = if binary.op == BinaryOp::NotEqual {
            "every value differs from NaN, NaN too"
        } else {
            "nothing compares with NaN, not even NaN"
        };
        let hint = "`x != x` is true of samples that are NaN";
        scope.say(&lints::NAN, scope.expr(binary.op_span), message, hint);
    }
}

/// `a without (x)` joined with what is not aggregated so.
fn one_sided_without(scope: &mut Scope<'_>, binary: &Binary) {
    let is_vector = |it: &Expr| it.value_type() == ValueType::Vector;
    let (left, right) = (binary.left.unwrap_parens(), binary.right.unwrap_parens());
    let is_joined = is_vector(left) && is_vector(right) && binary.op != BinaryOp::Or;
    if !is_joined || binary.matching.is_on || !binary.matching.labels.is_empty() {
        return;
    }
    let (Some(own), Some(other)) = (grouping(left), grouping(right)) else {
        return;
    };
    let is_same = own.0 == other.0 && {
        let sorted = |labels: &[String]| {
            let mut labels = labels.to_vec();
            labels.sort();
            labels
        };
        sorted(own.1) == sorted(other.1)
    };
    if (own.0 || other.0) && !is_same {
        let message = "one side keeps every label that is not named, the other does not";
        let hint = "aggregate both sides `by` the same labels, or join `on (…)`";
        scope.say(&lints::FRAGILE, scope.expr(binary.op_span), message, hint);
    }
}

/// Whether it is `without`, and the labels.
fn grouping(expr: &Expr) -> Option<(bool, &[String])> {
    match &expr.node {
        Node::Aggregate(it) if !it.op.keeps_series() => Some((it.is_without, &it.grouping)),
        _ => None,
    }
}

/// `topk` and the like over series: others are picked every time.
fn sampled(scope: &mut Scope<'_>, aggregate: &Aggregate, span: Span) {
    if aggregate.op.keeps_series() && scope.rule.is_alerting() {
        let message = format!(
            "`{}` picks other series from one evaluation to the next, so alerts resolve and begin \
             anew",
            aggregate.op.text()
        );
        let hint = "compare all series with a threshold";
        scope.say(&lints::FRAGILE, scope.expr(span), message, hint);
    }
}

fn shift(scope: &mut Scope<'_>, shift: &Shift, span: Span) {
    let offset = match &shift.offset {
        Some(DurationExpr::Minus(inner)) => inner.constant().map(|it| -it),
        Some(other) => other.constant(),
        None => None,
    };
    if offset.is_some_and(|it| it < Duration::ZERO) {
        let message = "it looks into the future, where there are no samples yet";
        scope.say(
            &lints::OFFSET,
            scope.expr(span),
            message,
            "look back instead",
        );
    }
}

fn steps(scope: &mut Scope<'_>, range: Option<Duration>, step: Option<Duration>, span: Span) {
    let default = scope
        .project
        .global
        .as_ref()
        .map(|it| it.evaluation_interval);
    let step = step.or(default).filter(|it| it.0 > 0);
    let Some((range, step)) = range.zip(step) else {
        return;
    };
    let n_steps = range.0 / step.0;
    if n_steps > STEPS_MAX {
        let message = format!("the subquery is evaluated {n_steps} times whenever the rule is");
        let hint = "record what is inside, or choose a longer step";
        scope.say(&lints::PERFORMANCE, scope.expr(span), message, hint);
    }
}

/// A part that another rule records.
fn recorded_twice(scope: &mut Scope<'_>) {
    let (rule, project) = (scope.rule, scope.project);
    let mut found = Vec::new();
    rule.expr.walk(|expr| {
        if matches!(expr.node, Node::Aggregate(_))
            && let Some(name) = project.recorded_by(&expr.to_string())
            && name != rule.name
        {
            found.push((name.to_owned(), expr.span));
        }
    });
    // What is within a part that is said has been said.
    let mut end = 0;
    for (name, span) in found {
        if span.start >= end {
            end = span.end;
            let message = format!("`{name}` records `{}`", scope.piece(span));
            let hint = format!("use `{name}`");
            scope.say(&lints::PERFORMANCE, scope.expr(span), message, hint);
        }
    }
}

/// More steps of a subquery than this are too many: a day of minutes and a half.
const STEPS_MAX: i64 = 2160;
