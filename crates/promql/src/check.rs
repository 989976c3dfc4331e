//! Types: which operands and arguments go together.
//!
//! *Sources*: Prometheus, `promql/parser/parse.go`, `checkAST`, for the order and the wording.

use firebell_model::{METRIC_NAME, Quoted};

use crate::ast::{
    Aggregate, Binary, Call, Cardinality, Expr, Matching, Node, Selector, Span, ValueType,
};
use crate::functions::{Kind, Other, Variadic};
use crate::parse::{Failure, failure};

/// Checks an expression whole, and settles what follows from types.
pub(crate) fn check(expr: &mut Expr) -> Result<ValueType, Failure> {
    let span = expr.span;
    match &mut expr.node {
        Node::Number(_) => Ok(ValueType::Scalar),
        Node::String(_) => Ok(ValueType::String),
        Node::Paren(inner) => check(inner),
        Node::Unary(unary) => match check(&mut unary.operand)? {
            ok @ (ValueType::Scalar | ValueType::Vector) => Ok(ok),
            other => failure(
                span,
                format!(
                    "unary expression only allowed on expressions of type scalar or instant \
                     vector, got \"{}\"",
                    other.documented_name()
                ),
            ),
        },
        Node::Binary(_) => check_chain(expr),
        Node::Call(call) => check_call(call, span),
        Node::Aggregate(aggregate) => check_aggregate(aggregate),
        Node::Selector(selector) => check_selector(selector, span, false),
        Node::Range(range) => {
            check_selector(&range.selector, span, false)?;
            Ok(ValueType::Matrix)
        }
        Node::Subquery(subquery) => match check(&mut subquery.expr)? {
            ValueType::Vector => Ok(ValueType::Matrix),
            other => failure(
                span,
                format!(
                    "subquery is only allowed on instant vector, got {} instead",
                    other.name()
                ),
            ),
        },
    }
}

/// Binary operators from the innermost left one outwards, without recursing into the chain.
fn check_chain(expr: &mut Expr) -> Result<ValueType, Failure> {
    let mut chain = Vec::new();
    let mut next = expr;
    while let Node::Binary(_) = next.node {
        let span = next.span;
        let Node::Binary(binary) = &mut next.node else {
            unreachable!("the loop has just seen it");
        };
        let Binary {
            op,
            op_span,
            left,
            right,
            returns_bool,
            matching,
        } = &mut **binary;
        chain.push((span, *op, *op_span, right, *returns_bool, matching));
        next = left;
    }
    let mut left_span = next.span;
    let mut left = check(next)?;
    while let Some((span, op, op_span, right, returns_bool, matching)) = chain.pop() {
        let right_type = check(right)?;
        let sides = Sides {
            op,
            op_span,
            span,
            returns_bool,
            left,
            left_span,
            right: right_type,
            right_span: right.span,
        };
        check_binary(&sides, matching)?;
        left = match (left, right_type) {
            (ValueType::Scalar, ValueType::Scalar) => ValueType::Scalar,
            _ => ValueType::Vector,
        };
        left_span = span;
    }
    Ok(left)
}

struct Sides {
    op: crate::ast::BinaryOp,
    op_span: Span,
    span: Span,
    returns_bool: bool,
    left: ValueType,
    left_span: Span,
    right: ValueType,
    right_span: Span,
}

fn check_binary(sides: &Sides, matching: &mut Matching) -> Result<(), Failure> {
    let Sides {
        op, op_span, span, ..
    } = *sides;
    let (left, right) = (sides.left, sides.right);
    if sides.returns_bool && !op.is_comparison() {
        let message = "bool modifier can only be used on comparison operators";
        return failure(op_span, message);
    }
    let are_scalars = left == ValueType::Scalar && right == ValueType::Scalar;
    if op.is_comparison() && !sides.returns_bool && are_scalars {
        return failure(
            op_span,
            "comparisons between scalars must use BOOL modifier",
        );
    }
    let has_group = matching.cardinality != Cardinality::OneToOne;
    if op.is_set() && !has_group {
        matching.cardinality = Cardinality::ManyToMany;
    }
    if matching.is_on
        && let Some(twice) = matching
            .labels
            .iter()
            .find(|it| matching.include.contains(it))
    {
        let label = Quoted(twice);
        let message = format!("label {label} must not occur in ON and GROUP clause at once");
        return failure(op_span, message);
    }
    for (side, side_span) in [(left, sides.left_span), (right, sides.right_span)] {
        if !matches!(side, ValueType::Scalar | ValueType::Vector) {
            let message = "binary expression must contain only scalar and instant vector types";
            return failure(side_span, message);
        }
    }
    let has_fill = matching.fill_left.is_some() || matching.fill_right.is_some();
    let has_scalar = left == ValueType::Scalar || right == ValueType::Scalar;
    if has_scalar {
        if !matching.labels.is_empty() {
            return failure(span, "vector matching only allowed between instant vectors");
        }
        if has_fill {
            let message = "filling in missing series only allowed between instant vectors";
            return failure(span, message);
        }
        *matching = Matching::default();
    } else if op.is_set() && has_group {
        let message = format!("no grouping allowed for \"{}\" operation", op.text());
        return failure(span, message);
    } else if op.is_set() && has_fill {
        let message = "filling in missing series not allowed for set operators";
        return failure(span, message);
    }
    if has_scalar && op.is_set() {
        let op = op.text();
        let message = format!("set operator \"{op}\" not allowed in binary scalar expression");
        return failure(span, message);
    }
    Ok(())
}

fn check_call(call: &mut Call, span: Span) -> Result<ValueType, Failure> {
    let function = call.function;
    let (n_types, n_args, name) = (function.args.len(), call.args.len(), function.name);
    let counted = |wanted: String| {
        let message = format!("expected {wanted} argument(s) in call to \"{name}\", got {n_args}");
        failure(span, message)
    };
    match function.variadic {
        Variadic::No if n_args != n_types => return counted(n_types.to_string()),
        Variadic::UpTo(_) | Variadic::Any if n_args + 1 < n_types => {
            return counted(format!("at least {}", n_types - 1));
        }
        Variadic::UpTo(more) if n_args > n_types - 1 + more => {
            return counted(format!("at most {}", n_types - 1 + more));
        }
        _ => {}
    }
    let is_info = function.kind == Kind::Other(Other::Info);
    if is_info && let Some(second) = call.args.get(1) {
        match &second.node {
            Node::Selector(selector) if selector.name.is_empty() => {}
            Node::Selector(_) => {
                let message = "expected label selectors only, got vector selector instead";
                return failure(second.span, message);
            }
            _ => return failure(second.span, "expected label selectors only"),
        }
    }
    for (idx, arg) in call.args.iter_mut().enumerate() {
        let wanted = function.args[idx.min(n_types - 1)];
        let given = match &arg.node {
            Node::Selector(selector) if is_info && idx == 1 => {
                check_selector(selector, arg.span, true)?
            }
            _ => check(arg)?,
        };
        expect_type(
            wanted,
            given,
            arg.span,
            &format!("call to function \"{name}\""),
        )?;
    }
    Ok(function.result)
}

fn check_aggregate(aggregate: &mut Aggregate) -> Result<ValueType, Failure> {
    let given = check(&mut aggregate.expr)?;
    let span = aggregate.expr.span;
    expect_type(ValueType::Vector, given, span, "aggregation expression")?;
    if let (Some(wanted), Some(param)) = (aggregate.op.param_type(), &mut aggregate.param) {
        let given = check(param)?;
        expect_type(wanted, given, param.span, "aggregation parameter")?;
    }
    Ok(ValueType::Vector)
}

fn expect_type(
    wanted: ValueType,
    given: ValueType,
    span: Span,
    context: &str,
) -> Result<(), Failure> {
    if wanted == given {
        return Ok(());
    }
    let (wanted, given) = (wanted.documented_name(), given.documented_name());
    failure(
        span,
        format!("expected type {wanted} in {context}, got {given}"),
    )
}

fn check_selector(
    selector: &Selector,
    span: Span,
    may_match_all: bool,
) -> Result<ValueType, Failure> {
    if let Some((_, inner)) = selector.matchers.split_last()
        && !selector.name.is_empty()
    {
        if let Some(twice) = inner.iter().find(|it| it.name() == METRIC_NAME) {
            let (name, other) = (Quoted(&selector.name), Quoted(twice.value()));
            let message = format!("metric name must not be set twice: {name} or {other}");
            return failure(span, message);
        }
        return Ok(ValueType::Vector);
    }
    let selects_all = selector.matchers.iter().all(|it| it.matches_value(""));
    if selects_all && !may_match_all {
        let message = "vector selector must contain at least one non-empty matcher";
        return failure(span, message);
    }
    Ok(ValueType::Vector)
}
