//! Quantiles and fractions of classic histograms.
//!
//! *Sources*: Prometheus, `promql/quantile.go`, `BucketQuantile`, `BucketFraction`.

use std::cmp::Ordering;

/// One bucket: how many observations are at most `bound`.
#[derive(Clone, Copy)]
pub(super) struct Bucket {
    pub(super) bound: f64,
    pub(super) count: f64,
}

/// What had to be done to counts that fall from one bucket to the next.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Lifted {
    /// The lowest and the highest bound of a bucket that was lifted.
    pub(crate) bounds: (f64, f64),
    /// The largest number of observations that one was lifted by.
    pub(crate) most: f64,
}

/// The quantile, and what was lifted for it.
pub(super) fn quantile(q: f64, buckets: &mut [Bucket]) -> (f64, Option<Lifted>) {
    if q.is_nan() {
        return (f64::NAN, None);
    }
    if q < 0.0 {
        return (f64::NEG_INFINITY, None);
    }
    if q > 1.0 {
        return (f64::INFINITY, None);
    }
    let last = buckets.len() - 1;
    if buckets[last].bound != f64::INFINITY {
        return (f64::NAN, None);
    }
    let lifted = make_monotonic(buckets);
    (quantile_of_monotonic(q, buckets), lifted)
}

/// The quantile of counts that do not fall, up to an infinite bound.
fn quantile_of_monotonic(q: f64, buckets: &[Bucket]) -> f64 {
    let last = buckets.len() - 1;
    let observations = buckets[last].count;
    if last == 0 || observations == 0.0 {
        return f64::NAN;
    }
    let mut rank = q * observations;
    // The rank is NaN where all of infinitely many are above it: no count is at least that.
    let is_below = |bucket: &Bucket| bucket.count.partial_cmp(&rank).is_none_or(Ordering::is_lt);
    let at = buckets[..last].partition_point(is_below);
    if at == last {
        return buckets[last - 1].bound;
    }
    let Bucket { bound, mut count } = buckets[at];
    if at == 0 && bound <= 0.0 {
        return bound;
    }
    let mut start = 0.0;
    if let Some(before) = at.checked_sub(1).map(|before| buckets[before]) {
        start = before.bound;
        count -= before.count;
        rank -= before.count;
    }
    start + (bound - start) * (rank / count)
}

/// Lifts counts that fall; differences that only rounding explains are not told of.
fn make_monotonic(buckets: &mut [Bucket]) -> Option<Lifted> {
    let mut lifted: Option<Lifted> = None;
    let mut before = buckets[0].count;
    for bucket in &mut buckets[1..] {
        let count = bucket.count;
        if count == before {
            continue;
        }
        if is_almost_equal(before, count) {
            bucket.count = before;
        } else if count < before {
            bucket.count = before;
            let (low, most) = lifted.map_or((bucket.bound, 0.0), |it| (it.bounds.0, it.most));
            lifted = Some(Lifted {
                bounds: (low, bucket.bound),
                most: f64::max(most, before - count),
            });
        } else {
            before = count;
        }
    }
    lifted
}

/// Relative difference below 1e-12.
fn is_almost_equal(a: f64, b: f64) -> bool {
    if a.is_nan() && b.is_nan() || a == b {
        return true;
    }
    let (sum, distance) = (a.abs() + b.abs(), (a - b).abs());
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return distance < TOLERANCE * f64::MIN_POSITIVE;
    }
    distance / sum.min(f64::MAX) < TOLERANCE
}

/// The share of observations between two bounds.
pub(super) fn fraction(lower: f64, upper: f64, buckets: &mut [Bucket]) -> f64 {
    let Some(last) = buckets.last().filter(|last| last.bound == f64::INFINITY) else {
        return f64::NAN;
    };
    let observations = last.count;
    if observations == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let from = rank_of(lower, buckets).min(observations);
    let to = rank_of(upper, buckets).min(observations);
    (to - from).max(0.0) / observations
}

/// How many observations are at most `value`, evenly spread within its bucket. A bucket that
/// reaches down to minus infinity counts as a whole.
fn rank_of(value: f64, buckets: &[Bucket]) -> f64 {
    let (mut rank, mut start) = (0.0, f64::NEG_INFINITY);
    for (idx, bucket) in buckets.iter().enumerate() {
        if idx == 0 && bucket.bound > 0.0 {
            start = 0.0;
        }
        if start >= value {
            return rank;
        }
        if bucket.bound > value {
            if start.is_infinite() {
                return bucket.count;
            }
            let share = (value - start) / (bucket.bound - start);
            return rank + (bucket.count - rank) * share;
        }
        rank = bucket.count;
        start = bucket.bound;
    }
    rank
}

const TOLERANCE: f64 = 1e-12;
