//! Native histograms: counts per bucket, as one value of a series.
//!
//! *Invariants*: counts are absolute, not deltas between buckets; spans are in order and name
//! exactly as many buckets as there are counts.
//!
//! *Sources*: Prometheus, `model/histogram` and the native-histogram specification.

mod bounds;
mod buckets;
mod sum;
mod text;
mod trim;

use std::sync::Arc;

use crate::{STALE_NAN, Timestamp, is_stale};
pub use buckets::Bucket;
pub use sum::{HistogramSum, IncompatibleSchemas, Reconciled};
pub use trim::Trim;

/// The schema of histograms with bounds of their own.
pub const CUSTOM_BUCKETS_SCHEMA: i8 = -53;
/// The coarsest and the finest exponential schema: bounds grow by `2^(2^-schema)`.
pub const EXPONENTIAL_SCHEMAS: std::ops::RangeInclusive<i8> = -4..=8;

/// One native histogram of a series at one moment.
#[derive(Clone, PartialEq, Debug)]
pub struct HistogramSample {
    /// When, in milliseconds since the epoch.
    pub at: Timestamp,
    /// The histogram; [`Histogram::stale`] says that the series ended here.
    pub histogram: Arc<Histogram>,
}

/// A native histogram. Counts are floats throughout: what comes as whole numbers stays whole.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Histogram {
    /// What is known of counter resets before this sample.
    pub reset_hint: ResetHint,
    /// In [`EXPONENTIAL_SCHEMAS`], or [`CUSTOM_BUCKETS_SCHEMA`].
    pub schema: i8,
    /// Observations with an absolute value up to this count in the zero bucket.
    pub zero_threshold: f64,
    /// Observations in the zero bucket.
    pub zero_count: f64,
    /// All observations.
    pub count: f64,
    /// Sum of the observations; [`STALE_NAN`] marks the end of the series.
    pub sum: f64,
    /// Buckets of positive observations, and all those of custom buckets.
    pub positive: Buckets,
    /// Buckets of negative observations, from zero outwards.
    pub negative: Buckets,
    /// Upper bounds of custom buckets, ascending, without the infinity at the end.
    pub custom_bounds: Arc<[f64]>,
}

/// Buckets with counts, most of the others being empty.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Buckets {
    /// Runs of neighbouring buckets.
    pub spans: Vec<BucketSpan>,
    /// The count of each bucket that the spans name.
    pub counts: Vec<f64>,
}

/// A run of neighbouring buckets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BucketSpan {
    /// How many buckets lie between this span and the one before; the index of the first bucket
    /// for the first span. Bucket `i` of an exponential schema ends at `base^i`.
    pub offset: i32,
    /// How many buckets.
    pub length: u32,
}

/// What is known of counter resets between a histogram and the one before it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum ResetHint {
    /// Nothing; readers compare.
    #[default]
    Unknown,
    /// The counter was reset.
    Reset,
    /// It was not.
    NotReset,
    /// The histogram is a gauge: its counts may fall.
    Gauge,
}

impl Histogram {
    /// The marker of a series that ended.
    #[must_use]
    pub fn stale() -> Self {
        Self {
            sum: STALE_NAN,
            ..Self::default()
        }
    }

    /// Whether it is the marker of a series that ended.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        is_stale(self.sum)
    }

    /// Whether the buckets have bounds of their own.
    #[must_use]
    pub fn has_custom_buckets(&self) -> bool {
        self.schema == CUSTOM_BUCKETS_SCHEMA
    }
}
