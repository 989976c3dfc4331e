//! What an expression consists of, without its places: equal for equal trees. Used by the test of
//! the printer and by its fuzz target.

use firebell_promql::{Expr, NESTING_MAX, Node, parse};

/// The nodes from left to right, parents first, each with its number of children.
fn outline(expr: &Expr) -> Vec<String> {
    let mut nodes = Vec::new();
    expr.walk(|expr| {
        nodes.push(match &expr.node {
            Node::Paren(_) => "()".to_owned(),
            Node::Unary(unary) => format!("unary minus={}", unary.is_minus),
            Node::Binary(it) => format!(
                "{:?} bool={} {:?}{}",
                it.op, it.returns_bool, it.matching.cardinality, it.matching
            ),
            Node::Call(call) => format!("{} {}", call.function.name, call.args.len()),
            Node::Aggregate(it) => format!(
                "{:?} {} without={} {:?}",
                it.op,
                it.param.is_some(),
                it.is_without,
                it.grouping
            ),
            Node::Subquery(it) => expr.to_string()[it.expr.to_string().len()..].to_owned(),
            Node::Number(_) | Node::String(_) | Node::Selector(_) | Node::Range(_) => {
                expr.to_string()
            }
        });
    });
    nodes
}

/// Panics unless an expression prints to a text that reads as the same expression.
pub(crate) fn check_round_trip(expr: &Expr) {
    let printed = expr.to_string();
    let again = match parse(&printed) {
        Ok(again) => again,
        // The sign of `+Inf` is a level of its own then.
        Err(error) if error.message.contains(&NESTING_MAX.to_string()) => return,
        Err(error) => panic!("{printed}: {error}"),
    };
    // Upstream prints `inf ^ x` as `+Inf ^ x`, whose sign is then an operator: another tree of the
    // same value, which prints with one sign more.
    if printed.contains("+Inf ^") {
        let unsigned = |text: &str| text.replace('+', "");
        assert_eq!(unsigned(&again.to_string()), unsigned(&printed));
        return;
    }
    assert_eq!(again.to_string(), printed);
    assert_eq!(outline(&again), outline(expr), "{printed}");
}
