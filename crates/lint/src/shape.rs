//! Questions about the form of an expression.

use firebell_model::Duration;
use firebell_promql::{AggregateOp, BinaryOp, Call, Expr, Node, Selector, Span};

/// Whether a result can be without samples while the series are there: only then can an alert on it
/// end. `known` says it of a series by name.
pub(crate) fn is_condition(expr: &Expr, known: &dyn Fn(&str) -> bool) -> bool {
    is_condition_within(expr, known, DEPTH_MAX)
}

fn is_condition_within(expr: &Expr, known: &dyn Fn(&str) -> bool, depth: usize) -> bool {
    // Deeper ones get the benefit of the doubt.
    let Some(depth) = depth.checked_sub(1) else {
        return true;
    };
    let is_one = |expr: &Expr| is_condition_within(expr, known, depth);
    match &expr.unwrap_parens().node {
        Node::Number(_) | Node::String(_) | Node::Paren(_) => false,
        Node::Unary(unary) => is_one(&unary.operand),
        Node::Binary(binary) => match binary.op {
            BinaryOp::And | BinaryOp::Unless => true,
            // An alert ends only where both sides can.
            BinaryOp::Or => is_one(&binary.right) && is_one(&binary.left),
            op if op.is_comparison() && !binary.returns_bool => true,
            // A join gives nothing where a partner is missing; that is meant as no condition.
            _ => is_one(&binary.right) || is_one(&binary.left),
        },
        Node::Call(call) => match call.function.name {
            "absent" | "absent_over_time" => true,
            "vector" | "scalar" | "time" => false,
            _ => call.args.iter().any(is_one),
        },
        Node::Aggregate(aggregate) => is_one(&aggregate.expr),
        Node::Selector(selector) => is_condition_series(selector, known),
        Node::Range(range) => is_condition_series(&range.selector, known),
        Node::Subquery(subquery) => is_one(&subquery.expr),
    }
}

fn is_condition_series(selector: &Selector, known: &dyn Fn(&str) -> bool) -> bool {
    let name = selector.metric_name();
    name.is_some_and(|name| name.starts_with("ALERTS") || known(name))
}

/// The longest range that it looks back over, and where that stands.
pub(crate) fn longest_range(expr: &Expr) -> Option<(Duration, Span)> {
    let mut longest: Option<(Duration, Span)> = None;
    expr.walk(|expr| {
        let range = match &expr.node {
            Node::Range(range) => range.range.constant(),
            Node::Subquery(subquery) => subquery.range.constant(),
            _ => None,
        };
        if let Some(range) = range
            && longest.is_none_or(|(known, _)| range > known)
        {
            longest = Some((range, expr.span));
        }
    });
    longest
}

/// All calls, with their places.
pub(crate) fn calls(expr: &Expr) -> Vec<(&Call, Span)> {
    let mut found = Vec::new();
    expr.walk(|expr| {
        if let Node::Call(call) = &expr.node {
            found.push((call, expr.span));
        }
    });
    found
}

/// The name of the series that a function of a range looks at.
pub(crate) fn ranged(call: &Call) -> Option<(&Selector, Option<Duration>)> {
    call.args
        .iter()
        .find_map(|arg| match &arg.unwrap_parens().node {
            Node::Range(range) => Some((&range.selector, range.range.constant())),
            _ => None,
        })
}

/// Whether a name says that values only grow, until they start again.
pub(crate) fn is_counter_name(name: &str) -> bool {
    ["_total", "_bucket", "_count"]
        .iter()
        .any(|it| name.ends_with(it))
        && !name.contains(':')
}

/// Whether it adds up what counters count, so that a reset of one of them cannot be told any more.
pub(crate) fn sums_counters(expr: &Expr) -> bool {
    let Node::Aggregate(aggregate) = &expr.unwrap_parens().node else {
        return false;
    };
    let is_counter = |selector: &Selector| selector.metric_name().is_some_and(is_counter_name);
    matches!(aggregate.op, AggregateOp::Sum | AggregateOp::Avg)
        && matches!(&aggregate.expr.unwrap_parens().node, Node::Selector(it) if is_counter(it))
}

/// A list of names for people: `a`, `b` and `c`.
pub(crate) fn listed<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|it| format!("`{it}`")).collect();
    match quoted.split_last() {
        None => "none".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}

/// A piece of an expression for people, shortened.
pub(crate) fn piece(text: &str, span: Span) -> String {
    let text = text.get(span.start..span.end).unwrap_or("");
    let mut words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.chars().count() > PIECE_CHARS_MAX {
        words = words.chars().take(PIECE_CHARS_MAX - 1).collect::<String>() + "…";
    }
    words
}

/// How much of an expression a message shows.
const PIECE_CHARS_MAX: usize = 48;
/// How deep expressions are looked into.
const DEPTH_MAX: usize = 200;
