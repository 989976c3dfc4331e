//! Arithmetic and comparison of two numbers.

pub(crate) use firebell_model::Sum;
use firebell_model::{Histogram, HistogramSum, IncompatibleSchemas, Reconciled};

use crate::ast::BinaryOp;

/// The result of an arithmetic operator, or 0 and 1 of a comparison; `None` for the others.
pub(crate) fn apply(op: BinaryOp, left: f64, right: f64) -> Option<f64> {
    Some(match op {
        BinaryOp::Add => left + right,
        BinaryOp::Sub => left - right,
        BinaryOp::Mul => left * right,
        BinaryOp::Div => left / right,
        BinaryOp::Mod => left % right,
        BinaryOp::Pow => power(left, right),
        BinaryOp::Atan2 => left.atan2(right),
        _ => f64::from(compare(op, left, right)?),
    })
}

/// What a comparison says; `None` for the other operators.
pub(crate) fn compare(op: BinaryOp, left: f64, right: f64) -> Option<bool> {
    Some(match op {
        BinaryOp::Equal => left == right,
        BinaryOp::NotEqual => left != right,
        BinaryOp::Greater => left > right,
        BinaryOp::Less => left < right,
        BinaryOp::GreaterOrEqual => left >= right,
        BinaryOp::LessOrEqual => left <= right,
        _ => return None,
    })
}

/// `powf`; the special cases of Go's `math.Pow` are those of C, which Rust follows as well.
fn power(base: f64, exponent: f64) -> f64 {
    base.powf(exponent)
}

/// A mean that turns incremental when the plain sum would overflow.
///
/// Source: Prometheus, `promql/functions.go`, `funcAvgOverTime`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mean {
    sum: Sum,
    mean: Sum,
    pub(crate) count: f64,
    is_incremental: bool,
}

impl Mean {
    #[inline]
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1.0;
        if self.count == 1.0 {
            self.sum.sum = value;
            return;
        }
        if !self.is_incremental {
            let mut sum = self.sum;
            sum.add(value);
            if !sum.sum.is_infinite() {
                self.sum = sum;
                return;
            }
            self.is_incremental = true;
            self.mean = Sum {
                sum: self.sum.sum / (self.count - 1.0),
                lost: self.sum.lost / (self.count - 1.0),
            };
        }
        let share = (self.count - 1.0) / self.count;
        self.mean.sum *= share;
        self.mean.lost *= share;
        self.mean.add(value / self.count);
    }

    pub(crate) fn value(self) -> f64 {
        if self.is_incremental {
            self.mean.sum + self.mean.lost
        } else {
            self.sum.sum / self.count + self.sum.lost / self.count
        }
    }
}

/// Variance after Welford, compensated.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Variance {
    count: f64,
    mean: Sum,
    squares: Sum,
}

impl Variance {
    #[inline]
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1.0;
        let distance = value - (self.mean.sum + self.mean.lost);
        self.mean.add(distance / self.count);
        let after = value - (self.mean.sum + self.mean.lost);
        self.squares.add(distance * after);
    }

    pub(crate) fn value(self) -> f64 {
        (self.squares.sum + self.squares.lost) / self.count
    }
}

/// Quantile `q` of values, which get sorted, NaN first; infinite outside of 0 to 1.
pub(crate) fn quantile(q: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    values.sort_unstable_by(|a, b| match (a.is_nan(), b.is_nan()) {
        (true, true) => std::cmp::Ordering::Equal,
        (true, false) => std::cmp::Ordering::Less,
        (false, true) => std::cmp::Ordering::Greater,
        (false, false) => a.total_cmp(b),
    });
    let last = values.len() - 1;
    let rank = q * last as f64;
    let lower = rank.floor();
    let weight = rank - lower;
    let lower = lower as usize;
    let upper = (lower + 1).min(last);
    values[lower] * (1.0 - weight) + values[upper] * weight
}

/// A sum or mean of histograms; the mean turns incremental when a sum would overflow.
///
/// Source: Prometheus, `promql/functions.go`, `funcAvgOverTime`.
#[derive(Clone, Debug)]
pub(crate) struct HistogramMean {
    sum: HistogramSum,
    count: f64,
    is_incremental: bool,
}

impl HistogramMean {
    pub(crate) fn of(histogram: &Histogram) -> Self {
        Self {
            sum: HistogramSum::of(histogram),
            count: 1.0,
            is_incremental: false,
        }
    }

    /// Adds a histogram of which only the sum is wanted.
    pub(crate) fn add_to_sum(
        &mut self,
        histogram: &Histogram,
    ) -> Result<Reconciled, IncompatibleSchemas> {
        self.sum.add(histogram)
    }

    pub(crate) fn add(&mut self, histogram: &Histogram) -> Result<Reconciled, IncompatibleSchemas> {
        self.count += 1.0;
        if !self.is_incremental {
            let mut sum = self.sum.clone();
            let reconciled = sum.add(histogram)?;
            if !sum.has_overflow() {
                self.sum = sum;
                return Ok(reconciled);
            }
            self.is_incremental = true;
            self.sum.divide(self.count - 1.0);
        }
        self.sum.scale((self.count - 1.0) / self.count);
        let mut share = histogram.clone();
        share.divide(self.count);
        self.sum.add(&share)
    }

    pub(crate) fn sum(&self) -> Histogram {
        self.sum.total()
    }

    pub(crate) fn mean(&self) -> Histogram {
        let mut mean = self.sum.clone();
        if !self.is_incremental {
            mean.divide(self.count);
        }
        mean.total()
    }
}
