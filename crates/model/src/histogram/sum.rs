//! Sums of histograms: the one place where bucket layouts are brought together.
//!
//! *Sources*: Prometheus, `model/histogram/float_histogram.go`, `Add`, `Sub`, `KahanAdd`,
//! `reconcileZeroBuckets`, as behaviour.

use std::sync::Arc;

use super::{Buckets, CUSTOM_BUCKETS_SCHEMA, Histogram, ResetHint, bounds};
use crate::Sum;

/// A sum of histograms that keeps what rounding loses, in every count.
#[derive(Clone, PartialEq, Debug)]
pub struct HistogramSum {
    hint: ResetHint,
    schema: i8,
    zero_threshold: f64,
    zero: Sum,
    count: Sum,
    sum: Sum,
    positive: Vec<(i32, Sum)>,
    negative: Vec<(i32, Sum)>,
    custom_bounds: Arc<[f64]>,
}

/// What reconciling two histograms took.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Reconciled {
    /// One said that the counter was reset, the other that it was not.
    pub has_hint_conflict: bool,
    /// Custom buckets with different bounds were brought to the bounds that both have.
    pub has_other_bounds: bool,
}

/// An exponential histogram and one with custom buckets, which have nothing in common.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("exponential and custom buckets do not go together")]
pub struct IncompatibleSchemas;

impl HistogramSum {
    /// The sum of one histogram.
    #[must_use]
    pub fn of(histogram: &Histogram) -> Self {
        let side = |buckets: &Buckets| {
            let counts = buckets.iter().map(|(idx, count)| (idx, Sum::from(count)));
            counts.collect()
        };
        Self {
            hint: histogram.reset_hint,
            schema: histogram.schema,
            zero_threshold: histogram.zero_threshold,
            zero: histogram.zero_count.into(),
            count: histogram.count.into(),
            sum: histogram.sum.into(),
            positive: side(&histogram.positive),
            negative: side(&histogram.negative),
            custom_bounds: Arc::clone(&histogram.custom_bounds),
        }
    }

    /// Adds a histogram.
    ///
    /// # Errors
    /// When one has custom buckets and the other not; the sum is what it was.
    pub fn add(&mut self, other: &Histogram) -> Result<Reconciled, IncompatibleSchemas> {
        self.combine(Self::of(other), Precision::Compensated)
    }

    /// Multiplies everything with a factor of at least zero.
    pub fn scale(&mut self, factor: f64) {
        self.each(|sum| {
            sum.sum *= factor;
            sum.lost *= factor;
        });
    }

    /// Divides everything by a number above zero.
    pub fn divide(&mut self, by: f64) {
        self.each(|sum| {
            sum.sum /= by;
            sum.lost /= by;
        });
    }

    /// Whether any count has become infinite.
    #[must_use]
    pub fn has_overflow(&self) -> bool {
        let sides = self.positive.iter().chain(&self.negative);
        let counts = sides.map(|(_, sum)| sum.sum);
        let all = [self.zero.sum, self.count.sum, self.sum.sum];
        all.into_iter().chain(counts).any(f64::is_infinite)
    }

    /// The sum as a histogram.
    #[must_use]
    pub fn total(&self) -> Histogram {
        self.histogram(|sum| sum.sum + sum.lost)
    }

    /// The histogram without what rounding lost.
    pub(super) fn plain(&self) -> Histogram {
        self.histogram(|sum| sum.sum)
    }

    fn histogram(&self, value: impl Fn(Sum) -> f64) -> Histogram {
        let side = |sums: &[(i32, Sum)]| sums.iter().map(|&(idx, sum)| (idx, value(sum))).collect();
        Histogram {
            reset_hint: self.hint,
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            zero_count: value(self.zero),
            count: value(self.count),
            sum: value(self.sum),
            positive: side(&self.positive),
            negative: side(&self.negative),
            custom_bounds: Arc::clone(&self.custom_bounds),
        }
    }

    fn each(&mut self, mut change: impl FnMut(&mut Sum)) {
        [&mut self.zero, &mut self.count, &mut self.sum]
            .into_iter()
            .for_each(&mut change);
        let sides = self.positive.iter_mut().chain(&mut self.negative);
        sides.for_each(|(_, sum)| change(sum));
    }

    /// Turns every sign.
    pub(super) fn negate(&mut self) {
        self.scale(-1.0);
    }

    /// Adds another sum, whose losses count only when this one is compensated.
    pub(super) fn combine(
        &mut self,
        mut other: Self,
        precision: Precision,
    ) -> Result<Reconciled, IncompatibleSchemas> {
        let is_custom = self.schema == CUSTOM_BUCKETS_SCHEMA;
        if is_custom != (other.schema == CUSTOM_BUCKETS_SCHEMA) {
            return Err(IncompatibleSchemas);
        }
        let mut reconciled = Reconciled {
            has_hint_conflict: self.meet_hint(other.hint),
            has_other_bounds: false,
        };
        if is_custom && self.custom_bounds != other.custom_bounds {
            reconciled.has_other_bounds = true;
            let common = common_bounds(&self.custom_bounds, &other.custom_bounds);
            self.positive = to_bounds(&self.positive, &self.custom_bounds, &common);
            other.positive = to_bounds(&other.positive, &other.custom_bounds, &common);
            self.custom_bounds = common.into();
        } else if !is_custom {
            self.meet_zero(&mut other);
            let schema = self.schema.min(other.schema);
            self.reduce(schema);
            other.reduce(schema);
            let zero = self.zero_threshold;
            let is_outside = |(idx, _): &(i32, Sum)| bounds::exponential(*idx, schema) > zero;
            other.positive.retain(is_outside);
            other.negative.retain(is_outside);
        }
        if precision == Precision::Plain {
            other.each(|sum| sum.lost = 0.0);
        }
        add_sum(&mut self.zero, other.zero);
        add_sum(&mut self.count, other.count);
        add_sum(&mut self.sum, other.sum);
        self.positive = merged(&self.positive, &other.positive);
        self.negative = merged(&self.negative, &other.negative);
        if reconciled.has_other_bounds {
            self.drop_empty();
        }
        Ok(reconciled)
    }

    /// Takes over what another hint says; `true` when the two contradict each other.
    fn meet_hint(&mut self, other: ResetHint) -> bool {
        use ResetHint::{Gauge, Unknown};
        let (hint, is_conflict) = match (self.hint, other) {
            (hint, other) if hint == other => (hint, false),
            (Gauge, _) | (_, Gauge) => (Gauge, false),
            (Unknown, _) | (_, Unknown) => (Unknown, false),
            _ => (Unknown, true),
        };
        self.hint = hint;
        is_conflict
    }

    /// Widens the zero buckets of both until they are equally wide and end in no filled bucket.
    fn meet_zero(&mut self, other: &mut Self) {
        while self.zero_threshold < other.zero_threshold
            || other.zero_threshold < self.zero_threshold
        {
            if other.zero_threshold < self.zero_threshold {
                other.widen_zero(self.zero_threshold);
            }
            if self.zero_threshold < other.zero_threshold {
                self.widen_zero(other.zero_threshold);
            }
        }
    }

    /// Widens the zero bucket to a threshold, or to the end of the filled bucket that it lies in.
    fn widen_zero(&mut self, threshold: f64) {
        let (zero, threshold) = self.wider_zero(threshold);
        (self.zero, self.zero_threshold) = (zero, threshold);
        let schema = self.schema;
        let is_outside =
            |(idx, _): &(i32, Sum)| bounds::exponential(idx.wrapping_sub(1), schema) >= threshold;
        self.positive.retain(is_outside);
        self.negative.retain(is_outside);
        self.drop_empty();
    }

    /// The count and the threshold that the zero bucket would have.
    fn wider_zero(&self, mut threshold: f64) -> (Sum, f64) {
        loop {
            let (mut zero, before) = (self.zero, threshold);
            for side in [&self.positive, &self.negative] {
                for &(idx, sum) in side {
                    if bounds::exponential(idx.wrapping_sub(1), self.schema) >= threshold {
                        break;
                    }
                    add_sum(&mut zero, sum);
                    let end = bounds::exponential(idx, self.schema);
                    if end > threshold {
                        if sum.sum != 0.0 {
                            threshold = end;
                        }
                        break;
                    }
                }
            }
            // What a side has widened may take in more of the other.
            if threshold == before {
                return (zero, threshold);
            }
        }
    }

    /// Merges buckets to those of a coarser schema.
    pub(super) fn reduce(&mut self, schema: i8) {
        let halvings = i32::from(self.schema) - i32::from(schema);
        if halvings <= 0 {
            return;
        }
        for side in [&mut self.positive, &mut self.negative] {
            for (idx, _) in side.iter_mut() {
                *idx = (idx.wrapping_sub(1) >> halvings.min(31)) + 1;
            }
            side.dedup_by(|next, known| {
                let is_same = next.0 == known.0;
                if is_same {
                    add_sum(&mut known.1, next.1);
                }
                is_same
            });
        }
        self.schema = schema;
    }

    fn drop_empty(&mut self) {
        let is_filled = |(_, sum): &(i32, Sum)| sum.sum != 0.0 || sum.lost != 0.0;
        self.positive.retain(is_filled);
        self.negative.retain(is_filled);
    }
}

/// Whether what the other side lost to rounding is added as well.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Precision {
    Plain,
    Compensated,
}

fn add_sum(sum: &mut Sum, other: Sum) {
    sum.add(other.sum);
    if other.lost != 0.0 {
        sum.add(other.lost);
    }
}

/// The buckets of both sides, in order.
fn merged(a: &[(i32, Sum)], b: &[(i32, Sum)]) -> Vec<(i32, Sum)> {
    let mut all = Vec::with_capacity(a.len().max(b.len()));
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    loop {
        match (a.peek(), b.peek()) {
            (Some(&&(idx, mut sum)), Some(&&(other_idx, other))) if idx == other_idx => {
                add_sum(&mut sum, other);
                all.push((idx, sum));
                a.next();
                b.next();
            }
            (Some(x), Some(y)) if x.0 > y.0 => all.extend(b.next()),
            (Some(_), _) => all.extend(a.next()),
            (None, Some(_)) => all.extend(b.next()),
            (None, None) => return all,
        }
    }
}

/// The bounds that both lists have.
fn common_bounds(a: &[f64], b: &[f64]) -> Vec<f64> {
    let (mut a, mut common) = (a.iter().peekable(), Vec::new());
    for &bound in b {
        while a.next_if(|&&known| known < bound).is_some() {}
        common.extend(a.next_if(|&&known| known == bound));
    }
    common
}

/// Custom buckets brought to bounds of which theirs have each.
fn to_bounds(buckets: &[(i32, Sum)], from: &[f64], to: &[f64]) -> Vec<(i32, Sum)> {
    let mut all: Vec<(i32, Sum)> = Vec::new();
    for &(idx, sum) in buckets {
        let bound = usize::try_from(idx).ok().and_then(|idx| from.get(idx));
        let idx = bound.map_or(to.len(), |bound| to.partition_point(|it| it < bound)) as i32;
        match all.last_mut() {
            Some((known, total)) if *known == idx => add_sum(total, sum),
            _ => all.push((idx, sum)),
        }
    }
    all
}

impl Histogram {
    /// Adds a histogram, without compensation.
    ///
    /// # Errors
    /// When one has custom buckets and the other not; this one is what it was.
    pub fn add(&mut self, other: &Self) -> Result<Reconciled, IncompatibleSchemas> {
        let mut sum = HistogramSum::of(self);
        let reconciled = sum.combine(HistogramSum::of(other), Precision::Plain)?;
        *self = sum.plain();
        Ok(reconciled)
    }

    /// Subtracts a histogram.
    ///
    /// # Errors
    /// As [`Histogram::add`].
    pub fn sub(&mut self, other: &Self) -> Result<Reconciled, IncompatibleSchemas> {
        let mut sum = HistogramSum::of(self);
        let mut other = HistogramSum::of(other);
        other.negate();
        let reconciled = sum.combine(other, Precision::Plain)?;
        *self = sum.plain();
        Ok(reconciled)
    }

    /// Multiplies everything; a negative factor makes a gauge.
    pub fn scale(&mut self, factor: f64) {
        self.each(|value| value * factor);
        if factor < 0.0 {
            self.reset_hint = ResetHint::Gauge;
        }
    }

    /// Divides everything; zero takes all buckets away, a negative number makes a gauge.
    pub fn divide(&mut self, by: f64) {
        if by == 0.0 {
            (self.positive, self.negative) = (Buckets::default(), Buckets::default());
        }
        self.each(|value| value / by);
        if by < 0.0 {
            self.reset_hint = ResetHint::Gauge;
        }
    }

    fn each(&mut self, change: impl Fn(f64) -> f64) {
        let counts = self.positive.counts.iter_mut();
        let all = counts.chain(&mut self.negative.counts);
        let own = [&mut self.zero_count, &mut self.count, &mut self.sum];
        all.chain(own).for_each(|value| *value = change(*value));
    }

    /// Merges buckets to those of a coarser exponential schema; a finer one changes nothing.
    pub fn reduce_resolution(&mut self, schema: i8) {
        if !self.has_custom_buckets() && schema < self.schema {
            let mut sum = HistogramSum::of(self);
            sum.reduce(schema);
            *self = sum.plain();
        }
    }

    /// Takes empty buckets away.
    pub fn compact(&mut self) {
        for side in [&mut self.positive, &mut self.negative] {
            let has_gap = |(idx, span): (usize, &super::BucketSpan)| {
                span.length == 0 || (idx > 0 && span.offset == 0)
            };
            if side.counts.contains(&0.0) || side.spans.iter().enumerate().any(has_gap) {
                *side = side.iter().filter(|(_, count)| *count != 0.0).collect();
            }
        }
    }

    /// Whether the counter was reset between `previous` and this one: any count has fallen, or the
    /// layout has become finer. Hints decide where there are any.
    #[must_use]
    pub fn is_reset_since(&self, previous: &Self) -> bool {
        match self.reset_hint {
            ResetHint::Reset => return true,
            ResetHint::NotReset => return false,
            ResetHint::Unknown | ResetHint::Gauge => {}
        }
        if self.count < previous.count {
            return true;
        }
        if self.has_custom_buckets() && previous.has_custom_buckets() {
            if self.custom_bounds != previous.custom_bounds {
                return self.has_fallen_in_common(previous);
            }
        } else if self.schema > previous.schema || self.has_custom_buckets() {
            return true;
        }
        if self.zero_threshold < previous.zero_threshold {
            return true;
        }
        let mut before = HistogramSum::of(previous);
        if self.zero_threshold > previous.zero_threshold {
            let (zero, threshold) = before.wider_zero(self.zero_threshold);
            if threshold != self.zero_threshold {
                return true;
            }
            before.zero = zero;
        }
        if self.zero_count < before.zero.sum {
            return true;
        }
        if !self.has_custom_buckets() {
            before.reduce(self.schema);
            let is_outside = |(idx, _): &(i32, Sum)| {
                self.zero_threshold == 0.0
                    || bounds::exponential(*idx, self.schema) > self.zero_threshold
            };
            before.positive.retain(is_outside);
            before.negative.retain(is_outside);
        }
        has_fallen(&self.positive, &before.positive) || has_fallen(&self.negative, &before.negative)
    }

    /// Whether a count has fallen between bounds that both have.
    fn has_fallen_in_common(&self, previous: &Self) -> bool {
        let common = common_bounds(&self.custom_bounds, &previous.custom_bounds);
        let (now, before) = (HistogramSum::of(self), HistogramSum::of(previous));
        let now: Buckets = to_bounds(&now.positive, &self.custom_bounds, &common)
            .into_iter()
            .map(|(idx, sum)| (idx, sum.sum))
            .collect();
        let before = to_bounds(&before.positive, &previous.custom_bounds, &common);
        has_fallen(&now, &before)
    }

    /// Whether two histograms are the same to the last bit, but for the hint.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let is_same_side = |a: &Buckets, b: &Buckets| {
            let bits = |(idx, count): (i32, f64)| (idx, count.to_bits());
            a.iter().map(bits).eq(b.iter().map(bits))
        };
        let numbers = |it: &Self| [it.count, it.sum, it.zero_count].map(f64::to_bits);
        self.schema == other.schema
            && self.zero_threshold == other.zero_threshold
            && numbers(self) == numbers(other)
            && (!self.has_custom_buckets() || self.custom_bounds == other.custom_bounds)
            && is_same_side(&self.positive, &other.positive)
            && is_same_side(&self.negative, &other.negative)
    }
}

/// Whether any bucket has fewer observations than before.
fn has_fallen(now: &Buckets, before: &[(i32, Sum)]) -> bool {
    let mut now = now.iter().peekable();
    before.iter().any(|(idx, sum)| {
        while now.next_if(|(known, _)| known < idx).is_some() {}
        match now.peek() {
            Some((known, count)) if known == idx => *count < sum.sum,
            _ => sum.sum != 0.0,
        }
    })
}
