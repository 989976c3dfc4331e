//! The tree as text, in Prometheus's canonical form.
//!
//! *Sources*: Prometheus, `promql/parser/printer.go`.

use std::fmt::{self, Display, Formatter};

use firebell_model::{Duration, METRIC_NAME, MatchOp, Quoted, is_valid_label_name};

use crate::ast::{
    Aggregate, At, Binary, BinaryOp, Borders, Cardinality, Expr, Matching, Node, RangeSelector,
    Selector, Shift, Subquery,
};
use crate::duration::DurationExpr;
use crate::parse::{can_stand_bare, is_arithmetic};

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.node {
            Node::Number(number) => write!(f, "{number}"),
            Node::String(string) => write!(f, "{string}"),
            Node::Paren(inner) => write!(f, "({inner})"),
            Node::Unary(unary) => {
                let sign = if unary.is_minus { '-' } else { '+' };
                write!(f, "{sign}{}", unary.operand)
            }
            Node::Binary(_) => fmt_chain(self, f),
            Node::Call(call) => {
                write!(f, "{}(", call.function.name)?;
                fmt_list(&call.args, f)?;
                f.write_str(")")
            }
            Node::Aggregate(aggregate) => write!(f, "{aggregate}"),
            Node::Selector(selector) => write!(f, "{selector}"),
            Node::Range(range) => write!(f, "{range}"),
            Node::Subquery(subquery) => write!(f, "{subquery}"),
        }
    }
}

impl fmt::Debug for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

/// Prints `a + b + c` from the innermost left operand outwards, without recursing into the chain.
fn fmt_chain(expr: &Expr, f: &mut Formatter<'_>) -> fmt::Result {
    let mut chain: Vec<&Binary> = Vec::new();
    let mut next = expr;
    while let Node::Binary(binary) = &next.node {
        chain.push(binary);
        next = &binary.left;
    }
    fmt_operand(next, chain.last().map(|binary| binary.op), f)?;
    while let Some(binary) = chain.pop() {
        write!(f, " {}", binary.op.text())?;
        if binary.returns_bool {
            f.write_str(" bool")?;
        }
        write!(f, "{} ", binary.matching)?;
        fmt_operand(&binary.right, chain.last().map(|binary| binary.op), f)?;
    }
    Ok(())
}

/// Prints an operand before an operator, which an offset in parentheses at its end would take for
/// its own if it did not stand behind a sign.
fn fmt_operand(expr: &Expr, then: Option<BinaryOp>, f: &mut Formatter<'_>) -> fmt::Result {
    let offset = match then {
        Some(op) if is_arithmetic(op) => last_offset(expr).map(DurationExpr::to_string),
        _ => None,
    };
    let text = expr.to_string();
    match offset.and_then(|offset| Some((text.strip_suffix(&offset)?, offset))) {
        Some((rest, offset)) => write!(f, "{rest}+{offset}"),
        None => f.write_str(&text),
    }
}

/// An offset in parentheses that an expression prints last.
fn last_offset(expr: &Expr) -> Option<&DurationExpr> {
    let (shift, borders) = match &expr.node {
        Node::Unary(unary) => return last_offset(&unary.operand),
        Node::Binary(binary) => return last_offset(&binary.right),
        Node::Selector(selector) => (&selector.shift, selector.borders),
        Node::Range(range) => (&range.selector.shift, range.selector.borders),
        Node::Subquery(subquery) => (&subquery.shift, None),
        _ => return None,
    };
    let is_last = shift.at.is_none() && borders.is_none();
    let offset = shift.offset.as_ref().filter(|_| is_last)?;
    matches!(offset, DurationExpr::Paren(_)).then_some(offset)
}

/// Whether an offset goes on over the operators behind it: all but a term with at most one sign.
fn is_open(offset: &DurationExpr) -> bool {
    match offset {
        DurationExpr::Paren(_) | DurationExpr::Binary(..) => true,
        DurationExpr::Minus(inner) => {
            matches!(**inner, DurationExpr::Minus(_) | DurationExpr::Binary(..))
        }
        _ => false,
    }
}

impl Display for Matching {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let side = match self.cardinality {
            Cardinality::ManyToOne => Some("left"),
            Cardinality::OneToMany => Some("right"),
            Cardinality::OneToOne | Cardinality::ManyToMany => None,
        };
        if !self.labels.is_empty() || self.is_on || side.is_some() {
            let keyword = if self.is_on { "on" } else { "ignoring" };
            write!(f, " {keyword} ({})", LabelNames(&self.labels))?;
        }
        if let Some(side) = side {
            write!(f, " group_{side} ({})", LabelNames(&self.include))?;
        }
        let value = firebell_model::format_float;
        match (self.fill_left, self.fill_right) {
            (Some(left), Some(right)) if left == right => write!(f, " fill ({})", value(left)),
            (left, right) => {
                if let Some(left) = left {
                    write!(f, " fill_left ({})", value(left))?;
                }
                if let Some(right) = right {
                    write!(f, " fill_right ({})", value(right))?;
                }
                Ok(())
            }
        }
    }
}

/// What stands before the parenthesis of an aggregation.
pub(crate) struct AggregateHead<'a>(pub(crate) &'a Aggregate);

impl Display for AggregateHead<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let aggregate = self.0;
        f.write_str(aggregate.op.text())?;
        if aggregate.is_without {
            write!(f, " without ({}) ", LabelNames(&aggregate.grouping))?;
        } else if !aggregate.grouping.is_empty() {
            write!(f, " by ({}) ", LabelNames(&aggregate.grouping))?;
        }
        Ok(())
    }
}

impl Display for Aggregate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", AggregateHead(self))?;
        if let Some(param) = &self.param {
            write!(f, "{param}, ")?;
        }
        write!(f, "{})", self.expr)
    }
}

impl Display for Selector {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        fmt_series(self, f)?;
        let others = format!("{}{}", at(&self.shift), borders(self.borders));
        fmt_suffixes(&self.shift, &others, f)
    }
}

impl Display for RangeSelector {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        fmt_series(&self.selector, f)?;
        write!(f, "[{}]", InBrackets(&self.range))?;
        let (shift, ends) = (&self.selector.shift, borders(self.selector.borders));
        fmt_suffixes(shift, &format!("{ends}{}", at(shift)), f)
    }
}

impl Display for Subquery {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.expr, SubqueryTail(self))
    }
}

/// What stands behind the expression of a subquery.
pub(crate) struct SubqueryTail<'a>(pub(crate) &'a Subquery);

impl Display for SubqueryTail<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let subquery = self.0;
        write!(f, "[{}:", InBrackets(&subquery.range))?;
        if let Some(step) = &subquery.step {
            write!(f, "{}", InBrackets(step))?;
        }
        f.write_str("]")?;
        fmt_suffixes(&subquery.shift, &at(&subquery.shift), f)
    }
}

fn fmt_list(exprs: &[Expr], f: &mut Formatter<'_>) -> fmt::Result {
    for (idx, expr) in exprs.iter().enumerate() {
        let separator = if idx == 0 { "" } else { ", " };
        write!(f, "{separator}{expr}")?;
    }
    Ok(())
}

/// The name and the matchers, sorted as text.
fn fmt_series(selector: &Selector, f: &mut Formatter<'_>) -> fmt::Result {
    let mut matchers: Vec<String> = selector
        .matchers
        .iter()
        .filter(|it| {
            let is_name = it.name() == METRIC_NAME && it.op() == MatchOp::Equal;
            !(is_name && it.value() == selector.name && !selector.name.is_empty())
        })
        .map(|it| {
            let (name, op, value) = (it.name(), it.op(), Quoted(it.value()));
            if is_valid_label_name(name) {
                format!("{name}{op}{value}")
            } else {
                format!("{}{op}{value}", Quoted(name))
            }
        })
        .collect();
    f.write_str(&selector.name)?;
    if !matchers.is_empty() {
        matchers.sort();
        write!(f, "{{{}}}", matchers.join(","))?;
    } else if selector.name.is_empty() {
        f.write_str("{}")?;
    }
    Ok(())
}

/// Prints the offset last, as upstream, unless the others must end it.
fn fmt_suffixes(shift: &Shift, others: &str, f: &mut Formatter<'_>) -> fmt::Result {
    if shift.offset.as_ref().is_some_and(is_open) {
        fmt_offset(shift, f)?;
        return f.write_str(others);
    }
    f.write_str(others)?;
    fmt_offset(shift, f)
}

fn at(shift: &Shift) -> String {
    match shift.at {
        Some(At::Time(at)) => format!(" @ {:.3}", at.as_secs_f64()),
        Some(At::Start) => " @ start()".to_owned(),
        Some(At::End) => " @ end()".to_owned(),
        None => String::new(),
    }
}

fn borders(borders: Option<Borders>) -> &'static str {
    match borders {
        Some(Borders::Anchored) => " anchored",
        Some(Borders::Smoothed) => " smoothed",
        None => "",
    }
}

fn fmt_offset(shift: &Shift, f: &mut Formatter<'_>) -> fmt::Result {
    match &shift.offset {
        Some(DurationExpr::Literal(number)) if number.value == 0.0 => Ok(()),
        // Only behind a parenthesis or two signs may operators be the offset's own.
        Some(offset) if is_open(offset) => {
            let text = offset.to_string();
            let signs = match text.as_bytes() {
                [b'(', ..] | [b'-', b'-', ..] => "",
                [b'-', ..] => "+",
                _ => "++",
            };
            write!(f, " offset {signs}{text}")
        }
        Some(offset) => write!(f, " offset {}", InBrackets(offset)),
        None => Ok(()),
    }
}

/// A bare number of seconds prints as a duration here, unlike within an expression.
struct InBrackets<'a>(&'a DurationExpr);

impl Display for InBrackets<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            // Upstream prints `0s`, which is nothing that a range may be.
            DurationExpr::Literal(number) if number.duration() == Duration::ZERO => {
                write!(f, "{number}")
            }
            DurationExpr::Literal(number) => write!(f, "{}", number.duration()),
            other => write!(f, "{other}"),
        }
    }
}

struct LabelNames<'a>(&'a [String]);

impl Display for LabelNames<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (idx, name) in self.0.iter().enumerate() {
            let separator = if idx == 0 { "" } else { ", " };
            if is_valid_label_name(name) && can_stand_bare(name) {
                write!(f, "{separator}{name}")?;
            } else {
                write!(f, "{separator}{}", Quoted(name))?;
            }
        }
        Ok(())
    }
}
