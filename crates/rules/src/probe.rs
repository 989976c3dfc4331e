//! Expressions that are derived from a rule's: what its value is, whatever its thresholds say, and
//! whether anything that it asks for is there at all.
//!
//! They are made of pieces of the rule's own text, so that a cluster can be asked them as well.

use firebell_promql::{Binary, BinaryOp, Expr, Node, Plan, Span};

/// The expression without the comparisons that filter it: a sample for each alert that there could
/// be. `latency > 0.5 and traffic > 10` becomes `latency and traffic`.
pub(crate) fn values(plan: &Plan) -> Option<Plan> {
    let texts = Texts(plan.text());
    Plan::new(&texts.unfiltered(plan.expr(), 0)).ok()
}

/// An expression that has a result if any of the selectors finds a sample. `None` where there is
/// none to ask.
pub(crate) fn any_data(plan: &Plan) -> Option<Plan> {
    let texts = Texts(plan.text());
    let mut subqueries = Vec::new();
    let mut selectors = Vec::new();
    plan.expr().walk(|expr| match &expr.node {
        Node::Subquery(subquery) => subqueries.push((expr.span, subquery.expr.span)),
        Node::Selector(_) => selectors.push((expr.span, texts.of(expr.span).to_owned())),
        Node::Range(_) => {
            let text = format!("present_over_time({})", texts.of(expr.span));
            selectors.push((expr.span, text));
        }
        _ => {}
    });
    let is_within = |inner: Span, outer: Span| outer.start <= inner.start && inner.end <= outer.end;
    let probes = selectors.into_iter().map(|(span, mut text)| {
        // Parents are visited first, so the innermost is the last.
        for (whole, inner) in subqueries.iter().rev() {
            if is_within(span, *inner) {
                let range = &texts.0[inner.end..whole.end];
                text = format!("present_over_time(({text}){range})");
            }
        }
        format!("group({text})")
    });
    let probes: Vec<String> = probes.collect();
    Plan::new(&probes.join(" or ")).ok()
}

/// The text of an expression, to cut pieces from.
#[derive(Clone, Copy)]
struct Texts<'a>(&'a str);

impl<'a> Texts<'a> {
    fn of(self, span: Span) -> &'a str {
        self.0.get(span.start..span.end).unwrap_or("")
    }

    fn unfiltered(self, expr: &Expr, depth: usize) -> String {
        match &expr.node {
            _ if depth > DEPTH_MAX => self.of(expr.span).to_owned(),
            Node::Paren(inner) => self.unfiltered(inner, depth + 1),
            Node::Binary(binary) => self.unfiltered_binary(expr, binary, depth + 1),
            _ => self.of(expr.span).to_owned(),
        }
    }

    fn unfiltered_binary(self, expr: &Expr, binary: &Binary, depth: usize) -> String {
        use firebell_promql::ValueType::Scalar;
        let Binary {
            op, left, right, ..
        } = binary;
        let side = |side: &Expr| self.unfiltered(side, depth);
        // `on (…)` and the like stand between the operator and its right side.
        let between = self.0.get(binary.op_span.end..right.span.start);
        let joined = |op: &str| {
            let (left, right) = (side(left), side(right));
            format!("({left}) {op} {} ({right})", between.unwrap_or(""))
        };
        match op {
            op if op.is_comparison() && !binary.returns_bool => {
                match (left.value_type(), right.value_type()) {
                    (_, Scalar) => side(left),
                    (Scalar, _) => side(right),
                    // The labels of a difference are those of the comparison.
                    _ => joined("-"),
                }
            }
            BinaryOp::And => joined("and"),
            BinaryOp::Or => joined("or"),
            BinaryOp::Unless => side(left),
            _ => self.of(expr.span).to_owned(),
        }
    }
}

/// What is nested deeper is left as it is.
const DEPTH_MAX: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expr: &str, expected_values: &str, expected_any: Option<&str>) {
        let plan = Plan::new(expr).unwrap();
        let text = |plan: Option<Plan>| plan.map(|plan| plan.expr().to_string());
        assert_eq!(text(values(&plan)).as_deref(), Some(expected_values));
        assert_eq!(text(any_data(&plan)).as_deref(), expected_any, "{expr}");
    }

    #[test]
    fn thresholds_are_left_out_and_every_selector_is_asked() {
        check("up == 0", "up", Some("group(up)"));
        check(
            "5 < rate(x{a=\"b\"}[5m] offset 1h)",
            "rate(x{a=\"b\"}[5m] offset 1h)",
            Some("group(present_over_time(x{a=\"b\"}[5m] offset 1h))"),
        );
        check(
            "(a > 1) and on (i) (b > 2)",
            "(a) and on (i) (b)",
            Some("group(a) or group(b)"),
        );
        check(
            "a > on (i) group_left (t) b # why\n",
            "(a) - on (i) group_left (t) (b)",
            Some("group(a) or group(b)"),
        );
        check("a > 1 unless muted", "a", Some("group(a) or group(muted)"));
        check("a > bool 1", "a > bool 1", Some("group(a)"));
        check(
            "max_over_time((sum(rate(x[1m])) > 2)[1h:5m] offset 5m) > 3",
            "max_over_time((sum(rate(x[1m])) > 2)[1h:5m] offset 5m)",
            Some("group(present_over_time((present_over_time(x[1m]))[1h:5m] offset 5m))"),
        );
        check("vector(1)", "vector(1)", None);
    }
}
