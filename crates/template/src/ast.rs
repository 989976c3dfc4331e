//! The tree of a parsed template.
//!
//! *Invariants*: functions are resolved; a variable is the index of its slot in the frame of its
//! template; every node knows its place in the text.

use std::sync::Arc;

use crate::functions::Function;
use crate::value::Value;

/// A piece of the text, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Span {
    pub(crate) fn of(self, text: &str) -> &str {
        text.get(self.start..self.end).unwrap_or("")
    }

    pub(crate) fn to(self, other: Self) -> Self {
        Self {
            start: self.start,
            end: other.end,
        }
    }
}

/// A template by name: what `define` makes, and the text itself.
#[derive(Debug)]
pub(crate) struct Definition {
    pub(crate) text: Arc<str>,
    pub(crate) body: Vec<Node>,
    pub(crate) n_slots: usize,
}

#[derive(Debug)]
pub(crate) enum Node {
    Text(Arc<str>),
    Action(Pipe),
    If(Branch),
    With(Branch),
    Range(Branch),
    Call {
        span: Span,
        name: Arc<str>,
        argument: Option<Pipe>,
    },
    Break,
    Continue,
}

#[derive(Debug)]
pub(crate) struct Branch {
    pub(crate) pipe: Pipe,
    pub(crate) body: Vec<Node>,
    pub(crate) otherwise: Vec<Node>,
}

/// Commands joined by `|`, and the variables that take the result (two only in `range`).
#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) span: Span,
    pub(crate) slots: Vec<usize>,
    pub(crate) commands: Vec<Command>,
}

/// A value or a function, with its arguments; never empty.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) span: Span,
    pub(crate) first: Expr,
    pub(crate) rest: Vec<Expr>,
}

#[derive(Debug)]
pub(crate) struct Expr {
    pub(crate) span: Span,
    pub(crate) kind: ExprKind,
}

#[derive(Debug)]
pub(crate) enum ExprKind {
    Dot,
    Nil,
    Literal(Value),
    /// Names after the dot, at least one.
    Field(Vec<Arc<str>>),
    Variable(usize, Vec<Arc<str>>),
    Function(&'static Function),
    Pipe(Box<Pipe>),
    /// Names after a parenthesis or a function.
    Chain(Box<Expr>, Vec<Arc<str>>),
}
