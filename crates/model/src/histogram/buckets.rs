//! The buckets of a histogram as intervals, and lists of buckets as runs of neighbours.

use super::{BucketSpan, Buckets, Histogram};

/// One bucket with its bounds.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Bucket {
    /// Its lower bound.
    pub lower: f64,
    /// Its upper bound.
    pub upper: f64,
    /// Whether an observation of the lower bound belongs to it.
    pub is_lower_in: bool,
    /// Whether an observation of the upper bound belongs to it.
    pub is_upper_in: bool,
    /// How many observations.
    pub count: f64,
}

impl Histogram {
    /// The positive buckets (or the custom ones) from zero outwards, empty ones included.
    pub fn positive_buckets(&self) -> impl Iterator<Item = Bucket> {
        self.positive.iter().map(|(idx, count)| {
            let lower = self.upper_bound(idx.wrapping_sub(1));
            let mut bucket = Bucket::new(lower, self.upper_bound(idx), count);
            if self.has_custom_buckets() {
                // Custom buckets end with their upper bound on both sides of zero; only the first
                // one has all that lies below.
                (bucket.is_lower_in, bucket.is_upper_in) = (idx == 0, true);
            }
            bucket
        })
    }

    /// The negative buckets from zero outwards, empty ones included.
    pub fn negative_buckets(&self) -> impl Iterator<Item = Bucket> {
        self.negative.iter().map(|(idx, count)| {
            let upper = -self.upper_bound(idx.wrapping_sub(1));
            Bucket::new(-self.upper_bound(idx), upper, count)
        })
    }

    /// The zero bucket.
    #[must_use]
    pub fn zero_bucket(&self) -> Bucket {
        Bucket {
            lower: -self.zero_threshold,
            upper: self.zero_threshold,
            is_lower_in: true,
            is_upper_in: true,
            count: self.zero_count,
        }
    }

    /// All buckets in ascending order, empty ones included but for the zero bucket. Those that
    /// overlap with the zero bucket begin or end where it does.
    #[must_use]
    pub fn all_buckets(&self) -> Vec<Bucket> {
        let zero = self.zero_threshold;
        let mut all: Vec<Bucket> = self.negative_buckets().collect();
        all.reverse();
        for bucket in &mut all {
            if bucket.upper < 0.0 && bucket.upper > -zero {
                bucket.upper = -zero;
            }
        }
        if self.zero_count > 0.0 {
            all.push(self.zero_bucket());
        }
        all.extend(self.positive_buckets().map(|mut bucket| {
            if bucket.lower > 0.0 && bucket.lower < zero {
                bucket.lower = zero;
            }
            bucket
        }));
        all
    }
}

impl Bucket {
    fn new(lower: f64, upper: f64, count: f64) -> Self {
        Self {
            lower,
            upper,
            is_lower_in: lower < 0.0,
            is_upper_in: upper > 0.0,
            count,
        }
    }
}

impl Buckets {
    /// Index and count of each bucket that the spans name, in order.
    pub fn iter(&self) -> impl Iterator<Item = (i32, f64)> {
        let mut next = 0_i32;
        let indices = self.spans.iter().flat_map(move |span| {
            let first = next.wrapping_add(span.offset);
            next = first.wrapping_add_unsigned(span.length);
            (0..span.length).map(move |idx| first.wrapping_add_unsigned(idx))
        });
        indices.zip(self.counts.iter().copied())
    }
}

impl FromIterator<(i32, f64)> for Buckets {
    /// Of indices in ascending order and their counts, neighbours sharing a span.
    fn from_iter<I: IntoIterator<Item = (i32, f64)>>(all: I) -> Self {
        let mut buckets = Self::default();
        let mut next = 0_i32;
        for (idx, count) in all {
            let offset = idx.wrapping_sub(next);
            match buckets.spans.last_mut() {
                Some(span) if offset == 0 => span.length += 1,
                _ => buckets.spans.push(BucketSpan { offset, length: 1 }),
            }
            buckets.counts.push(count);
            next = idx.wrapping_add(1);
        }
        buckets
    }
}
