//! At which moment the vectors of an expression are read, where that is one moment for all: `info`
//! reads what describes them there.
//!
//! *Sources*: Prometheus, `promql/info.go`, `infoSelectTimestampAndOffset`.

use firebell_model::{Duration, Timestamp};

use super::fixed_moment;
use crate::ast::{Expr, Node, Shift, ValueType};
use crate::duration::QueryShape;

/// The shifts of each selector and of the subqueries around it, from the inside out; none when some
/// vector comes of no selector, and so of the moment of evaluation.
pub(crate) struct Reference(Vec<Vec<Shift>>);

/// A fixed moment, if any, and how far before it, or before the moment of evaluation.
pub(crate) type Place = (Option<Timestamp>, Duration);

impl Reference {
    /// Only what gives vectors counts; what gives scalars is read for itself.
    pub(crate) fn of(expr: &Expr) -> Self {
        let mut paths = Vec::new();
        let mut stack = vec![(expr, Vec::new())];
        while let Some((expr, around)) = stack.pop() {
            let (own, inner): (Option<&Shift>, Vec<&Expr>) = match &expr.node {
                Node::Selector(selector) => (Some(&selector.shift), Vec::new()),
                Node::Range(range) => (Some(&range.selector.shift), Vec::new()),
                Node::Subquery(subquery) => (Some(&subquery.shift), vec![&subquery.expr]),
                Node::Paren(inner) => (None, vec![inner]),
                Node::Unary(unary) => (None, vec![&unary.operand]),
                Node::Binary(binary) => (None, vec![&binary.left, &binary.right]),
                Node::Aggregate(aggregate) => (None, vec![&aggregate.expr]),
                // What says which info series are meant is not read as a vector.
                Node::Call(call) if call.function.name == "info" => (None, vec![&call.args[0]]),
                Node::Call(call) => (None, call.args.iter().collect()),
                Node::Number(_) | Node::String(_) => (None, Vec::new()),
            };
            let is_read =
                |it: &&Expr| matches!(it.value_type(), ValueType::Vector | ValueType::Matrix);
            let inner: Vec<&Expr> = inner.into_iter().filter(is_read).collect();
            let mut path: Vec<Shift> = own.cloned().into_iter().collect();
            path.extend(around);
            if !inner.is_empty() {
                stack.extend(inner.into_iter().map(|inner| (inner, path.clone())));
            } else if matches!(expr.node, Node::Selector(_) | Node::Range(_)) {
                paths.push(path);
            } else {
                return Self(Vec::new());
            }
        }
        Self(paths)
    }

    /// The place that all share; that of the evaluation when they share none.
    ///
    /// # Errors
    /// When an offset cannot be computed.
    pub(crate) fn place(
        &self,
        (start, end): (Timestamp, Timestamp),
        shape: QueryShape,
    ) -> Result<Place, String> {
        let mut shared: Option<Place> = None;
        for path in &self.0 {
            let (mut fixed, mut offset) = (None, Duration::ZERO);
            for shift in path {
                if let Some(further) = &shift.offset {
                    offset = offset + further.resolve(shape)?;
                }
                fixed = fixed_moment(shift, start, end);
                if fixed.is_some() {
                    break;
                }
            }
            let moment = |(fixed, offset): Place| match fixed {
                Some(fixed) => (Some(fixed - offset), Duration::ZERO),
                None => (None, offset),
            };
            let place = (fixed, offset);
            match shared {
                None => shared = Some(place),
                Some(known) if moment(known) == moment(place) => {}
                Some(_) => return Ok((None, Duration::ZERO)),
            }
        }
        Ok(shared.unwrap_or_default())
    }
}
