//! Statistics, quantiles and fractions of native histograms.
//!
//! *Sources*: Prometheus, `promql/quantile.go`, `HistogramQuantile`, `HistogramFraction`;
//! `promql/functions.go`, `simpleHistogramFunc`, `histogramVariance`.

use firebell_model::{Bucket, Histogram};

use crate::arithmetic::Sum;
use crate::eval::frame::{ABSENT, Block, Frame};
use crate::eval::note::Note;
use crate::eval::{Context, State, map};
use crate::functions::HistogramStat;

/// A value, and what is to be noted of the metric it is of.
pub(super) struct Answer {
    pub(super) value: f64,
    pub(super) note: Option<fn(String) -> Note>,
}

impl From<f64> for Answer {
    fn from(value: f64) -> Self {
        Self { value, note: None }
    }
}

/// A number of each histogram; floats give nothing.
pub(crate) fn stat(
    stat: HistogramStat,
    mut block: Block,
    state: &mut State,
    context: &Context<'_>,
) -> Frame {
    let values = (0..block.cells.len()).map(|idx| match block.cells.histogram(idx) {
        None => ABSENT,
        Some(it) => match stat {
            HistogramStat::Count => it.count,
            HistogramStat::Sum => it.sum,
            HistogramStat::Avg => it.sum / it.count,
            HistogramStat::Stdvar => variance(it),
            HistogramStat::Stddev => variance(it).sqrt(),
        },
    });
    block.cells = values.collect::<Vec<f64>>().into();
    map::drop_names(&mut block, state, context);
    Frame::Vector(block)
}

/// The variance, as if all observations of a bucket lay in its middle.
fn variance(histogram: &Histogram) -> f64 {
    let mean = histogram.sum / histogram.count;
    let mut variance = Sum::default();
    for bucket in histogram.all_buckets() {
        if bucket.count == 0.0 {
            continue;
        }
        let middle = if histogram.has_custom_buckets() {
            (bucket.upper + bucket.lower) / 2.0
        } else if bucket.lower <= 0.0 && bucket.upper >= 0.0 {
            0.0
        } else {
            (bucket.upper * bucket.lower).sqrt().copysign(bucket.upper)
        };
        let distance = middle - mean;
        variance.add(bucket.count * distance * distance);
    }
    (variance.sum + variance.lost) / histogram.count
}

/// Whether there are buckets on one side of zero only: 1 for the positive, -1 for the negative one.
fn only_side(histogram: &Histogram) -> i32 {
    let has_positive = !histogram.positive.counts.is_empty();
    let has_negative = !histogram.negative.counts.is_empty();
    i32::from(has_positive) - i32::from(has_negative)
}

pub(super) fn quantile(q: f64, histogram: &Histogram) -> Answer {
    if q < 0.0 {
        return f64::NEG_INFINITY.into();
    }
    if q > 1.0 {
        return f64::INFINITY.into();
    }
    if histogram.count == 0.0 || q.is_nan() {
        return f64::NAN.into();
    }
    // Observations of NaN count, but are in no bucket, as if they were above all of them. Without
    // them, the shorter way is taken.
    let is_forward = histogram.sum.is_nan() || q < 0.5;
    let mut all = histogram.all_buckets();
    let mut rank = if is_forward {
        q * histogram.count
    } else {
        all.reverse();
        (1.0 - q) * histogram.count
    };
    let (mut count, mut hit) = (0.0, None);
    for (idx, bucket) in all.iter().enumerate() {
        hit = Some(idx);
        count += bucket.count;
        if bucket.count != 0.0 && count >= rank {
            break;
        }
    }
    let nothing = Bucket {
        lower: 0.0,
        upper: 0.0,
        is_lower_in: false,
        is_upper_in: false,
        count: 0.0,
    };
    let mut bucket = hit.map_or(nothing, |idx| all[idx]);
    let is_custom = histogram.has_custom_buckets();
    if !is_custom && bucket.lower < 0.0 && bucket.upper > 0.0 {
        clip_zero(&mut bucket, histogram);
    } else if is_custom && bucket.lower == f64::NEG_INFINITY {
        if bucket.upper <= 0.0 {
            return bucket.upper.into();
        }
        bucket.lower = 0.0;
    } else if is_custom && bucket.upper == f64::INFINITY {
        return bucket.lower.into();
    }
    // Rounding may have lifted it.
    count = count.min(histogram.count);
    if count < rank {
        if histogram.sum.is_nan() {
            let (value, note) = (f64::NAN, Some(Note::QuantileOfNan as fn(String) -> Note));
            return Answer { value, note };
        }
        return bucket.upper.into();
    }
    if is_forward {
        rank -= count - bucket.count;
    } else {
        rank = count - rank;
    }
    let mut note: Option<fn(String) -> Note> = None;
    if histogram.sum.is_nan() {
        let rest = all.iter().skip(hit.map_or(0, |idx| idx + 1));
        count += rest.map(|bucket| bucket.count).sum::<f64>();
        if count < histogram.count {
            note = Some(Note::QuantileSkewedByNan);
        }
    }
    let value = within(&bucket, rank / bucket.count, is_custom);
    Answer { value, note }
}

/// Takes the half of a zero bucket away on whose side there are no buckets.
fn clip_zero(bucket: &mut Bucket, histogram: &Histogram) {
    match only_side(histogram) {
        1 => bucket.lower = 0.0,
        -1 => bucket.upper = 0.0,
        _ => {}
    }
}

/// The value up to which a share of a bucket's observations lie.
fn within(bucket: &Bucket, share: f64, is_linear: bool) -> f64 {
    if is_linear || (bucket.lower <= 0.0 && bucket.upper >= 0.0) {
        return bucket.lower + (bucket.upper - bucket.lower) * share;
    }
    let (lower, upper) = (bucket.lower.abs().log2(), bucket.upper.abs().log2());
    if bucket.lower > 0.0 {
        (lower + (upper - lower) * share).exp2()
    } else {
        -(upper + (lower - upper) * (1.0 - share)).exp2()
    }
}

pub(super) fn fraction(lower: f64, upper: f64, histogram: &Histogram) -> Answer {
    if histogram.count == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN.into();
    }
    if lower >= upper {
        return 0.0.into();
    }
    let all = histogram.all_buckets();
    let from = rank_of(lower, histogram, &all);
    let to = rank_of(upper, histogram, &all);
    let mut count = histogram.count;
    let mut note: Option<fn(String) -> Note> = None;
    if histogram.sum.is_nan() {
        count = all.iter().map(|bucket| bucket.count).sum();
        if count < histogram.count {
            note = Some(Note::FractionWithNan);
        }
    }
    let capped = |rank: Option<f64>| rank.filter(|rank| *rank <= count).unwrap_or(count);
    let value = (capped(to) - capped(from)) / histogram.count;
    Answer { value, note }
}

/// How many observations lie below a value; `None` when all may.
fn rank_of(value: f64, histogram: &Histogram, all: &[Bucket]) -> Option<f64> {
    let mut rank = 0.0;
    for bucket in all {
        let mut bucket = *bucket;
        let is_zero = bucket.lower <= 0.0 && bucket.upper >= 0.0;
        if is_zero {
            clip_zero(&mut bucket, histogram);
        }
        if bucket.lower >= value {
            return Some(rank);
        }
        if bucket.upper > value {
            if histogram.has_custom_buckets() || is_zero {
                // A bucket that begins nowhere counts as a whole.
                if bucket.lower == f64::NEG_INFINITY {
                    return Some(bucket.count);
                }
                let share = bucket.count * (value - bucket.lower) / (bucket.upper - bucket.lower);
                return Some(rank + share);
            }
            let [lower, upper, at] = [bucket.lower, bucket.upper, value].map(|it| it.abs().log2());
            let share = if value > 0.0 {
                (at - lower) / (upper - lower)
            } else {
                1.0 - (at - upper) / (lower - upper)
            };
            return Some(rank + bucket.count * share);
        }
        rank += bucket.count;
    }
    None
}
