//! Quantiles and fractions of classic histograms.
//!
//! *Sources*: Prometheus, `promql/quantile.go`, `BucketQuantile`, `BucketFraction`.

/// One bucket: how many observations are at most `bound`.
#[derive(Clone, Copy)]
pub(super) struct Bucket {
    pub(super) bound: f64,
    pub(super) count: f64,
}

/// The quantile, and whether the counts had to be made monotonic.
pub(super) fn quantile(q: f64, buckets: &mut [Bucket]) -> (f64, bool) {
    if q.is_nan() {
        return (f64::NAN, false);
    }
    if q < 0.0 {
        return (f64::NEG_INFINITY, false);
    }
    if q > 1.0 {
        return (f64::INFINITY, false);
    }
    let last = buckets.len() - 1;
    if buckets[last].bound != f64::INFINITY {
        return (f64::NAN, false);
    }
    let was_forced = make_monotonic(buckets);
    if buckets.len() < 2 {
        return (f64::NAN, was_forced);
    }
    let observations = buckets[last].count;
    if observations == 0.0 {
        return (f64::NAN, was_forced);
    }
    let mut rank = q * observations;
    let at = buckets[..last].partition_point(|bucket| bucket.count < rank || bucket.count.is_nan());
    if at == last {
        return (buckets[last - 1].bound, was_forced);
    }
    let Bucket { bound, mut count } = buckets[at];
    if at == 0 && bound <= 0.0 {
        return (bound, was_forced);
    }
    let mut start = 0.0;
    if let Some(before) = at.checked_sub(1).map(|before| buckets[before]) {
        start = before.bound;
        count -= before.count;
        rank -= before.count;
    }
    (start + (bound - start) * (rank / count), was_forced)
}

/// Lifts counts that fall; differences that only rounding explains do not count as forced.
fn make_monotonic(buckets: &mut [Bucket]) -> bool {
    let mut was_forced = false;
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
            was_forced = true;
        } else {
            before = count;
        }
    }
    was_forced
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
