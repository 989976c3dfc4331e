//! The tree as text, in Prometheus's canonical form.
//!
//! *Sources*: Prometheus, `promql/parser/printer.go`.

use std::fmt::{self, Display, Formatter};

use firebell_model::{Duration, METRIC_NAME, MatchOp, Quoted, is_valid_label_name};

use crate::ast::{
    Aggregate, At, Binary, Borders, Cardinality, Expr, Matching, Node, RangeSelector, Selector,
    Shift, Subquery,
};
use crate::duration::DurationExpr;
use crate::parse::can_stand_bare;

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
    write!(f, "{next}")?;
    for binary in chain.into_iter().rev() {
        write!(f, " {}", binary.op.text())?;
        if binary.returns_bool {
            f.write_str(" bool")?;
        }
        write!(f, "{} {}", binary.matching, binary.right)?;
    }
    Ok(())
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
        fmt_at(&self.shift, f)?;
        fmt_borders(self.borders, f)?;
        fmt_offset(&self.shift, f)
    }
}

impl Display for RangeSelector {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        fmt_series(&self.selector, f)?;
        write!(f, "[{}]", InBrackets(&self.range))?;
        fmt_borders(self.selector.borders, f)?;
        fmt_at(&self.selector.shift, f)?;
        fmt_offset(&self.selector.shift, f)
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
        fmt_at(&subquery.shift, f)?;
        fmt_offset(&subquery.shift, f)
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

fn fmt_at(shift: &Shift, f: &mut Formatter<'_>) -> fmt::Result {
    match shift.at {
        Some(At::Time(at)) => write!(f, " @ {:.3}", at.as_secs_f64()),
        Some(At::Start) => f.write_str(" @ start()"),
        Some(At::End) => f.write_str(" @ end()"),
        None => Ok(()),
    }
}

fn fmt_offset(shift: &Shift, f: &mut Formatter<'_>) -> fmt::Result {
    match &shift.offset {
        Some(DurationExpr::Literal(number)) if number.value == 0.0 => Ok(()),
        Some(offset) => write!(f, " offset {}", InBrackets(offset)),
        None => Ok(()),
    }
}

fn fmt_borders(borders: Option<Borders>, f: &mut Formatter<'_>) -> fmt::Result {
    f.write_str(match borders {
        Some(Borders::Anchored) => " anchored",
        Some(Borders::Smoothed) => " smoothed",
        None => "",
    })
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
