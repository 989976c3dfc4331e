//! What a store is opened with, what it is fed, and what it says back.

use firebell_disk::{DiskError, LogError};
use firebell_model::{Duration, Timestamp};

/// How a store keeps its samples.
#[derive(Clone, Debug)]
pub struct Options {
    /// Samples older than this are dropped by [`Store::maintain`](crate::Store::maintain).
    pub retention: Duration,
    /// When chunk files and log grow past this, the oldest chunks are dropped as well.
    pub retention_bytes: Option<u64>,
    /// How much older than the newest sample of the store a sample may be and still be taken,
    /// although its series has a later one. Zero: samples of a series come in order.
    pub out_of_order_window: Duration,
    /// How long sealed samples stay in memory before they are written to a chunk file.
    pub head_span: Duration,
    /// A checkpoint is written when the log has grown by more than this since the last one, and by
    /// more than a quarter of what that wrote to it.
    pub log_bytes_max: u64,
    /// How many series there may be; samples of more are refused.
    pub series_max: u64,
    /// What the log may lack while the disk is full or fails; then appends are refused.
    pub unlogged_bytes_max: u64,
    /// How many exemplars there may be of all series; the oldest go. Zero: none are kept.
    pub exemplars_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            retention: Duration::from_hours(15 * 24),
            retention_bytes: None,
            out_of_order_window: Duration::ZERO,
            head_span: Duration::from_hours(2),
            log_bytes_max: 2 << 20,
            series_max: u64::from(u32::MAX),
            unlogged_bytes_max: 64 << 20,
            exemplars_max: 100_000,
        }
    }
}

/// How far a sample may be ahead of when it arrives, as clocks of machines may differ.
///
/// Sources: Prometheus, `cmd/prometheus` and `scrape/scrape.go`, `maxAheadTime`.
pub const AHEAD_MAX: Duration = Duration::from_mins(10);

/// What [`Store::open`](crate::Store::open) found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OpenReport {
    /// Series that the store holds now.
    pub series: u64,
    /// Samples read back from the log; those in chunk files do not count.
    pub samples_replayed: u64,
    /// Chunks found in chunk files.
    pub chunks: u64,
    /// Bytes cut off the end of the log: what a crash in the middle of a write leaves.
    pub torn_bytes: u64,
    /// What could not be read, a sentence each, for the operator.
    pub damage: Vec<String>,
}

/// What became of a batch. A sample equal to the newest of its series counts nowhere. The reasons
/// count samples and histograms together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AppendReport {
    /// Samples taken.
    pub appended: u64,
    /// Native histograms taken.
    pub histograms_appended: u64,
    /// Native histograms refused, for whatever reason.
    pub histograms_refused: u64,
    /// Exemplars taken.
    pub exemplars_appended: u64,
    /// Exemplars refused, for whatever reason.
    pub exemplars_refused: u64,
    /// Refused: older than the newest sample of their series ("out of order sample").
    pub out_of_order: u64,
    /// Refused: another value for the same time ("duplicate sample for timestamp").
    pub duplicate_different_value: u64,
    /// Refused: older than the retention or the out-of-order window ("too old sample").
    pub too_old: u64,
    /// Refused: later than [`AHEAD_MAX`] after the batch arrived.
    pub too_far_ahead: u64,
    /// Refused: the id is of a series that was dropped since; resolve its labels anew.
    pub unknown_series: u64,
    /// Refused: the series would be one more than [`Options::series_max`].
    pub over_limit: u64,
    /// Bytes of this and earlier batches that memory has and the log has not: the disk is full or
    /// fails. A restart would forget them; the next append or [`Store::sync`] tries again.
    ///
    /// [`Store::sync`]: crate::Store::sync
    pub unlogged_bytes: u64,
}

impl AppendReport {
    /// Adds what became of the next part of a batch.
    pub(crate) fn add(&mut self, next: &Self) {
        let Self {
            appended,
            histograms_appended,
            histograms_refused,
            exemplars_appended,
            exemplars_refused,
            out_of_order,
            duplicate_different_value,
            too_old,
            too_far_ahead,
            unknown_series,
            over_limit,
            unlogged_bytes,
        } = *next;
        self.appended += appended;
        self.histograms_appended += histograms_appended;
        self.histograms_refused += histograms_refused;
        self.exemplars_appended += exemplars_appended;
        self.exemplars_refused += exemplars_refused;
        self.out_of_order += out_of_order;
        self.duplicate_different_value += duplicate_different_value;
        self.too_old += too_old;
        self.too_far_ahead += too_far_ahead;
        self.unknown_series += unknown_series;
        self.over_limit += over_limit;
        self.unlogged_bytes = unlogged_bytes;
    }
}

/// Figures for `/metrics` and the operator.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Series with samples.
    pub series: u64,
    /// Samples in memory and in chunk files.
    pub samples: u64,
    /// Chunks in chunk files.
    pub chunks: u64,
    /// Samples, compressed and not, that are held in memory, without labels and index.
    pub memory_bytes: u64,
    /// Chunk files and log.
    pub disk_bytes: u64,
    /// What the log lacks, because the disk is full or fails.
    pub unlogged_bytes: u64,
    /// The oldest sample that is kept.
    pub oldest: Option<Timestamp>,
    /// The newest sample.
    pub newest: Option<Timestamp>,
}

/// A store that cannot be opened or written.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StoreError {
    /// The write-ahead log failed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Bytes that are not what was written.
    #[error("{0}")]
    Damaged(String),
    /// A chunk file that another program or another version wrote.
    #[error("`{path}` is not a chunk file that this version can read; it was left as it is")]
    Foreign {
        /// The file.
        path: String,
    },
}

/// A series that was not made: there are [`Options::series_max`] already.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "the store has {series_max} series, and more are not allowed: label `{label}` has {n_values} values"
)]
pub struct TooManySeries {
    /// The limit.
    pub series_max: u64,
    /// The label with the most values: most often the one that should not be a label.
    pub label: String,
    /// How many it has.
    pub n_values: u64,
}

impl StoreError {
    /// Whether the disk is full: reads and appends go on in memory, up to a bound.
    #[must_use]
    pub fn is_full(&self) -> bool {
        match self {
            Self::Disk(error) | Self::Log(LogError::Disk(error)) => error.is_full,
            Self::Log(_) | Self::Foreign { .. } | Self::Damaged(_) => false,
        }
    }
}
