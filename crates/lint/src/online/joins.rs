//! Operators whose two sides are there, and of which no series finds a partner.

use firebell_model::Labels;
use firebell_promql::{Binary, BinaryOp, Cardinality, Matching, Node, Span, ValueType};

use super::{Online, Reply, unfiltered};
use crate::catalogue::promql as lints;
use crate::checks::Scope;
use crate::shape::listed;

pub(super) fn judge(scope: &mut Scope<'_>, online: &Online<'_>) {
    let mut joins: Vec<&Binary> = Vec::new();
    scope.rule.expr.walk(|expr| {
        if let Node::Binary(binary) = &expr.node
            && is_join(binary)
        {
            joins.push(binary);
        }
    });
    for binary in joins.into_iter().take(JOINS_MAX) {
        join(scope, online, binary);
    }
}

fn is_join(binary: &Binary) -> bool {
    let is_vector = |side: &firebell_promql::Expr| side.value_type() == ValueType::Vector;
    let matching = &binary.matching;
    !matches!(binary.op, BinaryOp::Or | BinaryOp::Unless)
        && matching.fill_left.is_none()
        && matching.fill_right.is_none()
        && is_vector(&binary.left)
        && is_vector(&binary.right)
}

fn join(scope: &mut Scope<'_>, online: &Online<'_>, binary: &Binary) {
    let (left, right) = (unfiltered(&binary.left), unfiltered(&binary.right));
    let matching = Matching {
        cardinality: Cardinality::ManyToMany,
        is_on: binary.matching.is_on,
        labels: binary.matching.labels.clone(),
        ..Matching::default()
    };
    if online.count(&format!("({left}) and{matching} ({right})")) != Some(0) {
        return;
    }
    let (Some(left), Some(right)) = (
        labels(online, left.to_string()),
        labels(online, right.to_string()),
    ) else {
        return;
    };
    if left.is_empty() || right.is_empty() {
        return;
    }
    let names = |side: &[Labels]| {
        let mut names: Vec<String> = side
            .iter()
            .flat_map(Labels::iter)
            .map(|it| it.name.to_string())
            .filter(|it| it != firebell_model::METRIC_NAME)
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    };
    let (left, right) = (names(&left), names(&right));
    let all = |names: &[String]| match names {
        [] => "no labels".to_owned(),
        names => listed(names.iter().map(String::as_str)),
    };
    let message = format!(
        "no series of the left side finds a partner: it has {}, the right side {}",
        all(&left),
        all(&right)
    );
    let common: Vec<&str> = left
        .iter()
        .filter(|it| right.contains(it))
        .map(String::as_str)
        .collect();
    let hint = match (left == right, common.is_empty()) {
        (true, _) => "the names are the same, so the values differ: see what both sides say".into(),
        (_, true) => "they have no label in common: aggregate both by the same labels".into(),
        (_, false) => format!("match `on ({})`", common.join(", ")),
    };
    let span = Span {
        start: binary.op_span.start,
        end: binary.op_span.end,
    };
    scope.say(&lints::VECTOR_MATCHING, scope.expr(span), message, hint);
}

/// The labels of an expression's result.
fn labels(online: &Online<'_>, expr: String) -> Option<Vec<Labels>> {
    match &*online.vector(expr)? {
        Reply::Vector(vector) => {
            let labels = vector.series.iter().take(SERIES_MAX);
            Some(labels.map(|(labels, _)| labels.clone()).collect())
        }
        _ => None,
    }
}

/// Operators of one rule that are asked about.
const JOINS_MAX: usize = 20;
/// Series whose labels are looked at.
const SERIES_MAX: usize = 10_000;
