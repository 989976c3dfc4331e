//! Between which numbers the values of an expression lie, whatever the series are.

use firebell_promql::{AggregateOp, BinaryOp, Call, Expr, Node};

/// Both ends belong to it. NaN may be there too, and passes no comparison but `!=`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Bounds {
    pub(crate) min: f64,
    pub(crate) max: f64,
}

const ANY: Bounds = Bounds {
    min: f64::NEG_INFINITY,
    max: f64::INFINITY,
};
const NOT_NEGATIVE: Bounds = between(0.0, f64::INFINITY);

const fn between(min: f64, max: f64) -> Bounds {
    Bounds { min, max }
}

/// What a comparison of such values does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    Never,
    Always,
    Depends,
}

/// How a comparison of values of `left` with values of `right` goes.
pub(crate) fn compare(left: Bounds, op: BinaryOp, right: Bounds) -> Outcome {
    let (never, always) = match op {
        BinaryOp::Greater => (left.max <= right.min, left.min > right.max),
        BinaryOp::GreaterOrEqual => (left.max < right.min, left.min >= right.max),
        BinaryOp::Less => (left.min >= right.max, left.max < right.min),
        BinaryOp::LessOrEqual => (left.min > right.max, left.max <= right.min),
        BinaryOp::Equal => (are_apart(left, right), is_one(left) && left == right),
        BinaryOp::NotEqual => (is_one(left) && left == right, are_apart(left, right)),
        _ => (false, false),
    };
    match (never, always) {
        (true, _) => Outcome::Never,
        (_, true) => Outcome::Always,
        _ => Outcome::Depends,
    }
}

fn are_apart(left: Bounds, right: Bounds) -> bool {
    left.max < right.min || right.max < left.min
}

fn is_one(bounds: Bounds) -> bool {
    bounds.min == bounds.max
}

/// The bounds of an expression.
pub(crate) fn bounds(expr: &Expr) -> Bounds {
    of(expr, DEPTH_MAX)
}

fn of(expr: &Expr, depth: usize) -> Bounds {
    let Some(depth) = depth.checked_sub(1) else {
        return ANY;
    };
    match &expr.node {
        Node::Number(number) if number.value.is_nan() => ANY,
        Node::Number(number) => between(number.value, number.value),
        Node::Paren(inner) => of(inner, depth),
        Node::Unary(unary) => {
            let inner = of(&unary.operand, depth);
            if unary.is_minus {
                between(-inner.max, -inner.min)
            } else {
                inner
            }
        }
        Node::Selector(selector) if selector.metric_name() == Some("up") => between(0.0, 1.0),
        Node::Aggregate(aggregate) => {
            let inner = of(&aggregate.expr, depth);
            match aggregate.op {
                AggregateOp::Count | AggregateOp::CountValues => between(1.0, f64::INFINITY),
                AggregateOp::Group => between(1.0, 1.0),
                AggregateOp::Stddev | AggregateOp::Stdvar => NOT_NEGATIVE,
                AggregateOp::Sum if inner.min >= 0.0 => between(inner.min, f64::INFINITY),
                AggregateOp::Sum | AggregateOp::Quantile => ANY,
                _ => inner,
            }
        }
        Node::Call(call) => of_call(call, depth),
        Node::Binary(binary) if binary.returns_bool => between(0.0, 1.0),
        Node::Binary(binary) => {
            let (left, right) = (of(&binary.left, depth), of(&binary.right, depth));
            match binary.op {
                BinaryOp::Add => between(left.min + right.min, left.max + right.max),
                BinaryOp::Sub => between(left.min - right.max, left.max - right.min),
                BinaryOp::Mul | BinaryOp::Div if left.min >= 0.0 && right.min >= 0.0 => {
                    NOT_NEGATIVE
                }
                BinaryOp::And | BinaryOp::Unless => left,
                BinaryOp::Or => between(left.min.min(right.min), left.max.max(right.max)),
                op if op.is_comparison() => {
                    // A filter passes the values of its vector.
                    if matches!(binary.left.unwrap_parens().node, Node::Number(_)) {
                        right
                    } else {
                        left
                    }
                }
                _ => ANY,
            }
        }
        _ => ANY,
    }
}

fn of_call(call: &Call, depth: usize) -> Bounds {
    let operand = || call.args.last().map_or(ANY, |it| of(it, depth));
    match call.function.name {
        "absent" | "absent_over_time" | "present_over_time" => between(1.0, 1.0),
        "count_over_time" => between(1.0, f64::INFINITY),
        "rate" | "increase" | "irate" | "changes" | "resets" | "abs" | "sqrt"
        | "stddev_over_time" | "stdvar_over_time" | "histogram_count" => NOT_NEGATIVE,
        "histogram_fraction" => between(0.0, 1.0),
        "sgn" => between(-1.0, 1.0),
        "minute" => between(0.0, 59.0),
        "hour" => between(0.0, 23.0),
        "day_of_week" => between(0.0, 6.0),
        "day_of_month" => between(1.0, 31.0),
        "days_in_month" => between(28.0, 31.0),
        "day_of_year" => between(1.0, 366.0),
        "month" => between(1.0, 12.0),
        "avg_over_time" | "min_over_time" | "max_over_time" | "last_over_time" | "vector"
        | "sort" | "sort_desc" | "first_over_time" => {
            call.args.first().map_or(ANY, |it| of_window(it, depth))
        }
        "label_replace" | "label_join" | "scalar" | "ceil" | "floor" => {
            let inner = call.args.first().map_or(ANY, |it| of(it, depth));
            between(inner.min.floor(), inner.max.ceil())
        }
        "sum_over_time" if operand().min >= 0.0 => NOT_NEGATIVE,
        _ => ANY,
    }
}

fn of_window(expr: &Expr, depth: usize) -> Bounds {
    match &expr.unwrap_parens().node {
        Node::Range(range) if range.selector.metric_name() == Some("up") => between(0.0, 1.0),
        Node::Range(_) => ANY,
        Node::Subquery(subquery) => of(&subquery.expr, depth),
        _ => of(expr, depth),
    }
}

/// Deeper expressions are taken for anything.
const DEPTH_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Outcome) {
        let expr = firebell_promql::parse(text).unwrap();
        let Node::Binary(binary) = &expr.node else {
            panic!("{text}");
        };
        let (left, right) = (bounds(&binary.left), bounds(&binary.right));
        assert_eq!(compare(left, binary.op, right), expected, "{text}");
    }

    #[test]
    fn comparisons_that_can_go_one_way_only_are_known() {
        use Outcome::{Always, Depends, Never};
        for (text, expected) in [
            ("count(up) == 0", Never),
            ("count(up) > 0", Always),
            ("sum(up) == 0", Depends),
            ("up > 1", Never),
            ("up < 1", Depends),
            ("up >= 0", Always),
            ("avg(up) > 1", Never),
            ("avg_over_time(up[5m]) > 1", Never),
            ("absent(up) == 0", Never),
            ("absent(up) == 1", Always),
            ("rate(x_total[5m]) < 0", Never),
            ("sum(rate(x_total[5m])) >= 0", Always),
            ("sum(rate(x[5m])) / sum(rate(y[5m])) < 0", Never),
            ("x > 5", Depends),
            ("hour() > 24", Never),
            ("-count(x) > 0", Never),
            ("count(x) - 1 == -1", Never),
            ("count(x) - 1 == 0", Depends),
            ("(x == bool 1) > 1", Never),
            ("vector(1) > 2", Never),
            ("x != 5", Depends),
        ] {
            check(text, expected);
        }
    }
}
