//! Figures about the store, which cost the same for any store to ask for.
//!
//! Only upkeep and backfills change where samples are, and have the next asker walk over all series
//! ([`Figures::forget`]). What appends bring is added to what the last walk found.
//!
//! *Invariants*: without appends meanwhile, all but the bytes in memory are exact. Samples that come
//! while somebody walks may be counted twice, until the next walk.

use std::sync::{Mutex, MutexGuard, PoisonError};

use firebell_model::Timestamp;

use crate::options::Stats;
use crate::store::Shared;

/// What the last walk found.
#[derive(Default)]
pub(crate) struct Figures(Mutex<Option<Walked>>);

#[derive(Clone, Copy)]
struct Walked {
    found: Stats,
    /// Series in the index, also those without samples.
    n_indexed: u64,
}

/// What appends have brought since the last walk.
#[derive(Clone, Copy)]
pub(crate) struct Brought {
    pub(crate) samples: u64,
    /// The oldest of them.
    pub(crate) oldest: i64,
}

impl Default for Brought {
    fn default() -> Self {
        Self {
            samples: 0,
            oldest: i64::MAX,
        }
    }
}

impl Figures {
    /// Samples were moved or dropped.
    pub(crate) fn forget(&self) {
        *self.lock() = None;
    }

    pub(crate) fn stats(&self, shared: &Shared, disk_bytes: u64) -> Stats {
        let mut known = self.lock();
        let brought = shared.writer().brought;
        let fresh = known.filter(|it| brought.samples <= it.found.series * SAMPLES_PER_WALK);
        let walked = match fresh {
            Some(walked) => walked,
            None => *known.insert(walk(shared)),
        };
        let writer = shared.writer();
        let mut stats = walked.found;
        stats.samples += writer.brought.samples;
        stats.series += (shared.index().len() as u64).saturating_sub(walked.n_indexed);
        if writer.brought.samples > 0 {
            let (oldest, newest) = (Timestamp(writer.brought.oldest), Timestamp(writer.newest));
            stats.oldest = Some(stats.oldest.map_or(oldest, |it| it.min(oldest)));
            stats.newest = stats.newest.max(Some(newest));
        }
        stats.unlogged_bytes = writer.unlogged_bytes();
        stats.disk_bytes = disk_bytes + writer.log_bytes;
        stats
    }

    fn lock(&self) -> MutexGuard<'_, Option<Walked>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn walk(shared: &Shared) -> Walked {
    shared.writer().brought = Brought::default();
    let cells: Vec<_> = shared.index().cells().cloned().collect();
    let mut found = Stats::default();
    for cell in &cells {
        let state = cell.state();
        if state.is_empty() {
            continue;
        }
        let (n_memory, bytes, n_filed, n_chunks) = state.figures();
        found.series += 1;
        found.samples += n_memory + n_filed;
        found.chunks += n_chunks;
        found.memory_bytes += bytes;
        let oldest = state.oldest_at().map(Timestamp);
        found.oldest = found.oldest.into_iter().chain(oldest).min();
        found.newest = found.newest.max(state.newest_at().map(Timestamp));
    }
    Walked {
        found,
        n_indexed: cells.len() as u64,
    }
}

/// With so many samples for each series since the last walk, the bytes in memory are worth another.
const SAMPLES_PER_WALK: u64 = 16;
