//! PromQL: the language, and its evaluation over columns of a [`firebell_model::Source`].

mod arithmetic;
mod ast;
mod check;
pub mod description;
mod duration;
mod error;
mod eval;
mod functions;
mod lex;
mod literal;
mod memory;
mod parse;
mod plan;
mod print;
pub mod script;
mod value;

pub use crate::ast::*;
pub use crate::duration::DurationExpr;
pub use crate::error::EvalError;
pub use crate::eval::{Options, Prepared};
pub use crate::functions::{Function, Variadic, function, functions};
pub use crate::memory::MemorySource;
pub use crate::parse::{NESTING_MAX, ParseError, TEXT_BYTES_MAX, line_and_column, parse};
pub use crate::plan::Plan;
pub use crate::value::{Annotation, MatrixSeries, Value, VectorSample};
