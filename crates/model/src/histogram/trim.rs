//! Histograms cut off at a value.
//!
//! *Sources*: Prometheus, `model/histogram`, `TrimBuckets`, as behaviour.

use super::{Bucket, Histogram};

/// Which observations stay.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trim {
    /// Those up to the value: `</`.
    Below,
    /// Those above it: `>/`.
    Above,
}

/// How observations lie within a bucket.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spread {
    /// Evenly, in custom buckets.
    Linear,
    /// Evenly on a logarithmic scale, between positive bounds.
    Positive,
    /// The same between negative bounds.
    Negative,
}

/// What stays of a bucket, and the value that stands for it in the sum.
struct Kept {
    count: f64,
    middle: f64,
}

impl Histogram {
    /// Takes away the observations on one side of a value. A bucket that the value lies in is split
    /// as if its observations were evenly spread; the sum is estimated anew when anything went.
    pub fn trim(&mut self, trim: Trim, at: f64) {
        let (mut count, mut sum, mut is_changed) = (0.0, 0.0, false);
        let mut has_any = [false; 2];
        let is_custom = self.has_custom_buckets();
        let positive: Vec<Bucket> = self.positive_buckets().collect();
        let negative: Vec<Bucket> = self.negative_buckets().collect();
        let sides = [
            (positive, &mut self.positive.counts, Spread::Positive),
            (negative, &mut self.negative.counts, Spread::Negative),
        ];
        for (side, (buckets, counts, spread)) in sides.into_iter().enumerate() {
            let spread = if is_custom { Spread::Linear } else { spread };
            for (bucket, slot) in buckets.iter().zip(counts) {
                if bucket.count == 0.0 {
                    continue;
                }
                has_any[side] = true;
                let kept = keep(bucket, trim, at, spread);
                count += kept.count;
                sum += kept.middle * kept.count;
                is_changed |= *slot != kept.count;
                *slot = kept.count;
            }
        }
        if self.zero_count > 0.0 {
            let kept = keep_zero(&self.zero_bucket(), trim, at, has_any);
            count += kept.count;
            sum += kept.middle * kept.count;
            is_changed |= self.zero_count != kept.count;
            self.zero_count = kept.count;
        }
        if is_changed {
            (self.count, self.sum) = (count, sum);
            self.compact();
        }
    }
}

fn keep(bucket: &Bucket, trim: Trim, at: f64, spread: Spread) -> Kept {
    let (is_whole, is_split) = match trim {
        Trim::Below => (bucket.upper <= at, bucket.lower < at),
        Trim::Above => (bucket.lower >= at, bucket.upper > at),
    };
    if is_whole {
        let middle = middle(bucket.lower, bucket.upper, spread);
        let count = bucket.count;
        return Kept { count, middle };
    }
    if !is_split {
        let (count, middle) = (0.0, 0.0);
        return Kept { count, middle };
    }
    if bucket.lower == f64::NEG_INFINITY || bucket.upper == f64::INFINITY {
        return keep_endless(bucket, trim, at);
    }
    let below = bucket.count * share_below(bucket, at, spread);
    match trim {
        Trim::Below => Kept {
            count: below,
            middle: middle(bucket.lower, at, spread),
        },
        Trim::Above => Kept {
            count: bucket.count - below,
            middle: middle(at, bucket.upper, spread),
        },
    }
}

/// Nobody knows how observations lie in a bucket without end: it mostly goes as a whole.
fn keep_endless(bucket: &Bucket, trim: Trim, at: f64) -> Kept {
    let Bucket {
        lower,
        upper,
        count,
        ..
    } = *bucket;
    let is_begun = lower != f64::NEG_INFINITY;
    let (count, middle) = match trim {
        Trim::Below if is_begun => (0.0, 0.0),
        // The first custom bucket begins at zero when its bound is positive.
        Trim::Below if at > 0.0 && upper > 0.0 && upper != f64::INFINITY => {
            (count * at / upper, at / 2.0)
        }
        Trim::Below if upper <= 0.0 => (count, at),
        Trim::Below => (0.0, 0.0),
        Trim::Above if is_begun && at >= lower => (count, at),
        Trim::Above if is_begun => (0.0, 0.0),
        Trim::Above if at >= 0.0 && upper > at && upper != f64::INFINITY => {
            (count * (1.0 - at / upper), (at + upper) / 2.0)
        }
        Trim::Above => (0.0, 0.0),
    };
    Kept { count, middle }
}

/// The share of a bucket's observations up to a value within.
fn share_below(bucket: &Bucket, at: f64, spread: Spread) -> f64 {
    let share = |lower: f64, at: f64, upper: f64| (at - lower) / (upper - lower);
    let log = |value: f64| value.abs().log2();
    let (lower, upper) = (bucket.lower, bucket.upper);
    match spread {
        Spread::Linear => share(lower, at, upper),
        Spread::Positive => share(log(lower), log(at), log(upper)),
        Spread::Negative => 1.0 - share(log(upper), log(at), log(lower)),
    }
}

/// The value that stands for the observations between two bounds.
fn middle(lower: f64, upper: f64, spread: Spread) -> f64 {
    match (lower.is_infinite(), upper.is_infinite()) {
        (true, true) => 0.0,
        (true, false) if upper > 0.0 => upper / 2.0,
        (true, false) => upper,
        (false, true) => lower,
        (false, false) => match spread {
            Spread::Linear => (lower + upper) / 2.0,
            Spread::Positive => (lower * upper).abs().sqrt(),
            Spread::Negative => -(lower * upper).abs().sqrt(),
        },
    }
}

/// The zero bucket has only the half on whose side there are other observations, if on one alone.
fn keep_zero(
    bucket: &Bucket,
    trim: Trim,
    at: f64,
    [has_positive, has_negative]: [bool; 2],
) -> Kept {
    let upper = if has_negative && !has_positive {
        0.0
    } else {
        bucket.upper
    };
    let lower = if has_positive && !has_negative {
        0.0
    } else {
        bucket.lower
    };
    let (from, to) = match trim {
        Trim::Below => (lower, at.min(upper)),
        Trim::Above => (at.max(lower), upper),
    };
    if at <= lower && trim == Trim::Below || at >= upper && trim == Trim::Above {
        let (count, middle) = (0.0, 0.0);
        return Kept { count, middle };
    }
    let share = if from == lower && to == upper {
        1.0
    } else {
        (to - from) / (upper - lower)
    };
    Kept {
        count: bucket.count * share,
        middle: (from + to) / 2.0,
    }
}
