//! Durations in brackets and after `offset`, which may be computed: `[5m + step()]`.
//!
//! *Sources*: Prometheus, `promql/durations.go`.

use std::fmt;

use firebell_model::{Duration, format_float};

use crate::ast::{BinaryOp, NumberLiteral};

/// A duration as it was written.
#[derive(Clone, PartialEq, Debug)]
pub enum DurationExpr {
    /// `5m`, or `300`, in seconds.
    Literal(NumberLiteral),
    /// `step()`: the step of the query, zero for an instant one.
    Step,
    /// `range()`: the time from the query's first step to its last.
    Range,
    /// `-x`.
    Minus(Box<DurationExpr>),
    /// `(x)`.
    Paren(Box<DurationExpr>),
    /// `min_of(a, b)`.
    MinOf(Box<(DurationExpr, DurationExpr)>),
    /// `max_of(a, b)`.
    MaxOf(Box<(DurationExpr, DurationExpr)>),
    /// `a + b` and the other arithmetic operators.
    Binary(BinaryOp, Box<(DurationExpr, DurationExpr)>),
}

/// The query that `step()` and `range()` speak of.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct QueryShape {
    pub(crate) step: Duration,
    pub(crate) range: Duration,
}

impl DurationExpr {
    /// Its length when it depends on nothing.
    #[must_use]
    pub fn constant(&self) -> Option<Duration> {
        match self {
            Self::Literal(number) => Some(number.duration()),
            Self::Paren(inner) if matches!(**inner, Self::Literal(_)) => inner.constant(),
            _ => None,
        }
    }

    /// Its length, or why it has none.
    pub(crate) fn resolve(&self, shape: QueryShape) -> Result<Duration, String> {
        if let Self::Literal(number) = self {
            return Ok(number.duration());
        }
        let secs = self.secs(shape)?;
        if secs.is_nan() || secs.abs() > SECS_MAX {
            return Err("duration is out of range".to_owned());
        }
        // As upstream: what is computed is cut to milliseconds at once, not rounded.
        Ok(Duration((secs * 1000.0) as i64))
    }

    /// Its length as that of a range: more than nothing, though perhaps less than a millisecond.
    pub(crate) fn resolve_range(&self, shape: QueryShape) -> Result<Duration, String> {
        if self.secs(shape)? <= 0.0 {
            return Err("duration must be greater than 0".to_owned());
        }
        self.resolve(shape)
    }

    fn secs(&self, shape: QueryShape) -> Result<f64, String> {
        Ok(match self {
            Self::Literal(number) => number.value,
            Self::Step => shape.step.as_secs_f64(),
            Self::Range => shape.range.as_secs_f64(),
            Self::Minus(inner) => -inner.secs(shape)?,
            Self::Paren(inner) => inner.secs(shape)?,
            Self::MinOf(sides) => sides.0.secs(shape)?.min(sides.1.secs(shape)?),
            Self::MaxOf(sides) => sides.0.secs(shape)?.max(sides.1.secs(shape)?),
            Self::Binary(op, sides) => {
                let (left, right) = (sides.0.secs(shape)?, sides.1.secs(shape)?);
                match op {
                    BinaryOp::Div if right == 0.0 => return Err("division by zero".to_owned()),
                    BinaryOp::Mod if right == 0.0 => return Err("modulo by zero".to_owned()),
                    _ => crate::arithmetic::apply(*op, left, right).unwrap_or(f64::NAN),
                }
            }
        })
    }
}

impl NumberLiteral {
    /// These seconds. Those of a bare number are rounded to nanoseconds, of which whole milliseconds
    /// count, as upstream; those of a duration were whole milliseconds.
    pub(crate) fn duration(self) -> Duration {
        if self.is_duration {
            return Duration::from_secs_f64(self.value);
        }
        Duration((self.value * 1e9).round() as i64 / 1_000_000)
    }
}

impl fmt::Display for DurationExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(number) => write!(f, "{number}"),
            Self::Step => f.write_str("step()"),
            Self::Range => f.write_str("range()"),
            Self::Minus(inner) => write!(f, "-{inner}"),
            Self::Paren(inner) => write!(f, "({inner})"),
            Self::MinOf(sides) => write!(f, "min_of({}, {})", sides.0, sides.1),
            Self::MaxOf(sides) => write!(f, "max_of({}, {})", sides.0, sides.1),
            Self::Binary(op, sides) => write!(f, "{} {} {}", sides.0, op.text(), sides.1),
        }
    }
}

impl fmt::Display for NumberLiteral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_duration {
            write!(f, "{}", self.duration())
        } else {
            f.write_str(&format_float(self.value))
        }
    }
}

/// What upstream's nanoseconds hold in 64 bits.
pub(crate) const SECS_MAX: f64 = 9_223_372_036.854_775;
