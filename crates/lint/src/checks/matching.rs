//! Operators between vectors: joins without partners, comparisons that nothing passes.

use std::collections::BTreeSet;

use firebell_model::METRIC_NAME;
use firebell_promql::{Binary, BinaryOp, Cardinality, Expr, Node, ValueType};

use super::Scope;
use crate::bounds::{Outcome, bounds, compare};
use crate::catalogue::promql as lints;
use crate::flow::{Flow, flow};
use crate::shape::listed;

pub(super) fn judge(scope: &mut Scope<'_>) {
    let rule = scope.rule;
    let mut binaries = Vec::new();
    rule.expr.walk(|expr| {
        if let Node::Binary(binary) = &expr.node {
            binaries.push((&**binary, expr));
        }
    });
    // A chain of very many operators is judged in part: every one asks for the labels of its left.
    for (binary, expr) in binaries.into_iter().take(OPERATORS_MAX) {
        let is_vector = |side: &Expr| side.value_type() == ValueType::Vector;
        if binary.op.is_comparison() && !binary.returns_bool {
            never(scope, binary, expr);
        }
        if is_vector(&binary.left) && is_vector(&binary.right) && binary.op != BinaryOp::Or {
            join(scope, binary);
        }
    }
}

fn never(scope: &mut Scope<'_>, binary: &Binary, expr: &Expr) {
    let (left, right) = (bounds(&binary.left), bounds(&binary.right));
    if compare(left, binary.op, right) != Outcome::Never {
        return;
    }
    let is_zero =
        |side: &Expr| matches!(&side.unwrap_parens().node, Node::Number(it) if it.value == 0.0);
    let counts = |side: &Expr| matches!(&side.unwrap_parens().node, Node::Aggregate(it) if bounds(side).min >= 1.0 && !it.op.keeps_series());
    let has_zero = is_zero(&binary.left) || is_zero(&binary.right);
    let hint = if has_zero && (counts(&binary.left) || counts(&binary.right)) {
        "of nothing there is no count, not even 0: use `absent(…)`, or `unless`"
    } else {
        "compare with a value that can occur"
    };
    let message = format!("`{}` never holds", scope.piece(expr.span));
    scope.say(&lints::IMPOSSIBLE, scope.expr(expr.span), message, hint);
}

fn join(scope: &mut Scope<'_>, binary: &Binary) {
    let project = scope.project;
    let known = |name: &str| project.flow_of(name);
    let (left, right) = (flow(&binary.left, &known), flow(&binary.right, &known));
    let matching = &binary.matching;
    if matching.fill_left.is_some() || matching.fill_right.is_some() {
        return;
    }
    let compared = |label: &str| {
        label != METRIC_NAME && matching.labels.iter().any(|it| it == label) == matching.is_on
    };
    let op = binary.op.text();
    let at = scope.expr(binary.op_span);
    if let Some(why) = apart(&left, &right, &compared) {
        let what = if binary.op == BinaryOp::Unless {
            "`unless` takes nothing away"
        } else {
            "nothing ever matches"
        };
        let message = format!("{what}: {why}");
        let hint = if matching.is_on {
            "join on labels that both sides have"
        } else {
            "say `on (…)` with the labels that both sides share"
        };
        return scope.say(&lints::IMPOSSIBLE, at, message, hint);
    }
    if let Some(why) = likely_apart(&left, &right, &compared) {
        let message = format!("nothing matches, unless the series lack the label: {why}");
        let hint = "say `on (…)` with the labels that both sides share";
        return scope.say(&lints::VECTOR_MATCHING, at, message, hint);
    }
    if let Some(message) = different(&left, &right, binary) {
        let hint = "aggregate both sides by the same labels, or say `on (…)`";
        return scope.say(&lints::VECTOR_MATCHING, at, message, hint);
    }
    for (side, flow) in [("left", &left), ("right", &right)] {
        if let Some(labels) = several(flow, binary, side) {
            let message = format!(
                "several series of the {side} side may share what `{op}` joins on: they differ in {labels}"
            );
            let hint = format!("aggregate them away, or say `group_{side}`");
            return scope.say(&lints::VECTOR_MATCHING, at.clone(), message, hint);
        }
    }
}

/// Why no series of one side equals one of the other in the labels that are compared.
fn apart(left: &Flow, right: &Flow, compared: &dyn Fn(&str) -> bool) -> Option<String> {
    for (one, other, side, far) in [
        (left, right, "left", "right"),
        (right, left, "right", "left"),
    ] {
        for (label, value) in one.sure.iter().filter(|(label, _)| compared(label)) {
            if other.taken_by(label).is_some() {
                return Some(format!(
                    "the {side} side has `{label}`, the {far} side cannot have it"
                ));
            }
            if let (Some(value), Some(Some(others))) = (value, other.sure.get(label))
                && value != others
            {
                return Some(format!(
                    "`{label}` is `{value}` on the {side}, `{others}` on the {far}"
                ));
            }
        }
    }
    None
}

fn likely_apart(left: &Flow, right: &Flow, compared: &dyn Fn(&str) -> bool) -> Option<String> {
    for (one, other, side, far) in [
        (left, right, "left", "right"),
        (right, left, "right", "left"),
    ] {
        let mut likely = one.likely.iter().filter(|label| compared(label));
        if let Some(label) = likely.find(|label| other.taken_by(label).is_some()) {
            return Some(format!(
                "the {side} side has `{label}`, the {far} side cannot have it"
            ));
        }
    }
    None
}

/// Both sides have known labels, and not the same.
fn different(left: &Flow, right: &Flow, binary: &Binary) -> Option<String> {
    if binary.matching.is_on || binary.matching.cardinality == Cardinality::ManyToMany {
        return None;
    }
    let visible = |flow: &Flow| -> Option<BTreeSet<String>> {
        let is_seen = |it: &&String| *it != METRIC_NAME && !binary.matching.labels.contains(it);
        Some(
            flow.only
                .as_ref()?
                .iter()
                .filter(is_seen)
                .cloned()
                .collect(),
        )
    };
    let (left, right) = (visible(left)?, visible(right)?);
    (left != right).then(|| {
        format!(
            "the left side has the labels {}, the right side {}",
            listed(left.iter().map(String::as_str)),
            listed(right.iter().map(String::as_str))
        )
    })
}

/// Labels of a side with known labels that `on` or `ignoring` leaves out, so that several of its
/// series may be one to the operator.
fn several(flow: &Flow, binary: &Binary, side: &str) -> Option<String> {
    let matching = &binary.matching;
    let may_be_many = match matching.cardinality {
        Cardinality::ManyToMany => true,
        Cardinality::ManyToOne => side == "left",
        Cardinality::OneToMany => side == "right",
        Cardinality::OneToOne => false,
    };
    let only = flow.only.as_ref()?;
    let is_left_out = |label: &&String| {
        let is_named = matching.labels.contains(label);
        let is_one_value = flow.sure.get(*label).is_some_and(Option::is_some);
        *label != METRIC_NAME && is_named != matching.is_on && !is_one_value
    };
    let left_out: Vec<&str> = only
        .iter()
        .filter(is_left_out)
        .map(String::as_str)
        .collect();
    (!may_be_many && !left_out.is_empty()).then(|| listed(left_out))
}

/// How many operators of an expression are judged.
const OPERATORS_MAX: usize = 64;
