//! The store: appends, views, upkeep.

use std::sync::Arc;

use firebell_disk::Disk;
use firebell_model::{Labels, SeriesId, Timestamp};

use crate::View;
use crate::options::{AppendReport, Batch, OpenReport, Options, Stats, StoreError};

/// A store of samples. Shared between threads; appends of several threads take turns.
pub struct Store {
    _disk: Arc<dyn Disk>,
}

impl Store {
    /// Opens the store in folders `wal` and `chunks` of `disk`, and replays its log.
    ///
    /// # Errors
    /// When the disk fails, or a file is of another program or version.
    pub fn open(disk: Arc<dyn Disk>, options: Options) -> Result<(Self, OpenReport), StoreError> {
        let _ = options;
        Ok((Self { _disk: disk }, OpenReport::default()))
    }

    /// The id of a series, which is made when it is not there. Valid until the series is dropped.
    pub fn resolve(&self, labels: &Labels) -> SeriesId {
        let _ = labels;
        SeriesId(0)
    }

    /// Appends samples: first to the log, then to memory. They outlive the process at once, and a
    /// loss of power after [`Store::sync`].
    ///
    /// # Errors
    /// When the log cannot be written ([`StoreError::is_full`]); nothing was appended then.
    pub fn append(&self, batch: &Batch) -> Result<AppendReport, StoreError> {
        let _ = batch;
        Ok(AppendReport::default())
    }

    /// Makes everything appended so far durable.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn sync(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// The store as it is now; what is appended later is not seen. Costs the same for any store.
    #[must_use]
    pub fn view(&self) -> View {
        View {}
    }

    /// See [`firebell_model::Source::generation`].
    #[must_use]
    pub fn generation(&self) -> u64 {
        0
    }

    /// Upkeep, to be called every minute or so: seals, writes chunk files, drops what is past
    /// retention, shortens the log. Appends and reads go on meanwhile.
    ///
    /// # Errors
    /// When the disk is full or fails; nothing is lost, and the next call tries again.
    pub fn maintain(&self, now: Timestamp) -> Result<(), StoreError> {
        let _ = now;
        Ok(())
    }

    /// Figures about the store. Walks over all series.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats::default()
    }
}
