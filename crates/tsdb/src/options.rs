//! What a store is opened with, what it is fed, and what it says back.

use firebell_disk::{DiskError, LogError};
use firebell_model::{Duration, Labels, Sample, SeriesId, Timestamp};

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
    /// The log is rewritten when it is larger than this and than twice what it was afterwards.
    pub log_bytes_max: u64,
    /// What the log may lack while the disk is full or fails; then appends are refused.
    pub unlogged_bytes_max: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            retention: Duration::from_hours(15 * 24),
            retention_bytes: None,
            out_of_order_window: Duration::ZERO,
            head_span: Duration::from_hours(2),
            log_bytes_max: 64 << 20,
            unlogged_bytes_max: 64 << 20,
        }
    }
}

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

/// Samples to append, in the order of the two lists: first by labels, then by id.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Batch {
    /// Samples of series that are named by their labels.
    pub by_labels: Vec<(Labels, Sample)>,
    /// Samples of series that [`Store::resolve`](crate::Store::resolve) has named before.
    pub by_id: Vec<(SeriesId, Sample)>,
}

/// What became of a batch. A sample equal to the newest of its series counts nowhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AppendReport {
    /// Taken.
    pub appended: u64,
    /// Refused: older than the newest sample of their series ("out of order sample").
    pub out_of_order: u64,
    /// Refused: another value for the same time ("duplicate sample for timestamp").
    pub duplicate_different_value: u64,
    /// Refused: older than the retention or the out-of-order window ("too old sample").
    pub too_old: u64,
    /// Refused: the id is of a series that was dropped since; resolve its labels anew.
    pub unknown_series: u64,
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
            out_of_order,
            duplicate_different_value,
            too_old,
            unknown_series,
            unlogged_bytes,
        } = *next;
        self.appended += appended;
        self.out_of_order += out_of_order;
        self.duplicate_different_value += duplicate_different_value;
        self.too_old += too_old;
        self.unknown_series += unknown_series;
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
    /// A chunk file that another program or another version wrote.
    #[error("`{path}` is not a chunk file that this version can read; it was left as it is")]
    Foreign {
        /// The file.
        path: String,
    },
}

impl StoreError {
    /// Whether the disk is full: reads and appends go on in memory, up to a bound.
    #[must_use]
    pub fn is_full(&self) -> bool {
        match self {
            Self::Disk(error) | Self::Log(LogError::Disk(error)) => error.is_full,
            Self::Log(_) | Self::Foreign { .. } => false,
        }
    }
}
