//! PromQL: the language, and its evaluation over columns of a [`firebell_model::Source`].
//!
//! The way of an expression: [`parse`] makes a type-checked tree with places; [`Plan`] turns that
//! into a list of operations, once per rule; [`Prepared`] binds these to series, once per set of
//! series, and evaluates them at one moment or over a range, which is the same path.
//!
//! *Invariants*: no input panics or recurses without limit; evaluation is a function of plan,
//! source, moment and options. A bound plan gives what a fresh one would.
//!
//! *Not here*: how samples are stored (`firebell-tsdb`), the HTTP form of results
//! (`firebell-wire`), rules (`firebell-rules`).
//!
//! *Sources*: Prometheus 3.5 to 3.14, `promql`; its test scripts and a real 3.5.3 beside it decide.
//!
//! ```
//! use firebell_model::{Labels, Sample, SampleValue, Timestamp};
//! use firebell_promql::{MemorySource, Options, Plan, Prepared, Value};
//!
//! let mut source = MemorySource::new();
//! let labels = Labels::from_pairs([("__name__", "up"), ("job", "api")]);
//! source.append(&labels, [Sample { at: Timestamp(0), value: 1.0 }]);
//! let mut prepared = Prepared::new(Plan::new("sum by (job) (up) * 2")?);
//! let result = prepared.instant(&source, Timestamp(60_000), &Options::default())?;
//! let Value::Vector(samples) = result else { unreachable!() };
//! assert_eq!(samples[0].labels.to_string(), "{job=\"api\"}");
//! assert_eq!(samples[0].value, SampleValue::Float(2.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod ast;
mod features;
mod lex;
mod literal;
mod parse;

mod check;
mod duration;
mod functions;
mod pretty;
mod print;

mod error;
mod eval;
mod plan;
mod value;

mod arithmetic;

pub mod description;
mod memory;
pub mod script;

pub use crate::ast::{
    Aggregate, AggregateOp, At, Binary, BinaryOp, Borders, Call, Cardinality, Expr, Matching, Node,
    NumberLiteral, RangeSelector, Selector, Shift, Span, StringLiteral, Subquery, Threshold, Unary,
    ValueType, threshold,
};
pub use crate::duration::DurationExpr;
pub use crate::error::EvalError;
pub use crate::eval::{Comparisons, Options, Prepared, Rows, SampleCounts, Shared};
pub use crate::features::Features;
pub use crate::functions::{Function, Variadic, function, functions};
pub use crate::memory::MemorySource;
pub use crate::parse::{
    NESTING_MAX, ParseError, TEXT_BYTES_MAX, line_and_column, parse, parse_selector, parse_with,
};
pub use crate::plan::Plan;
pub use crate::pretty::pretty;
pub use crate::value::{Annotation, MatrixSeries, Value, VectorSample};
