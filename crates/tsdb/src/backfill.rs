//! Backfill: history that is put behind, and between, what the store has.
//!
//! Older samples never went through the log: they come as whole series, in order, and are written to
//! a chunk file of their own. Where they fall into a chunk that is there, its samples are read and
//! written again among them, and the new chunk takes its place; what a sample says that is there
//! already stays.
//!
//! *Invariants*: nothing is seen before [`Backfill::finish`], and everything after it, also when the
//! process ends in between. To push again what was pushed before changes nothing.

use std::borrow::Cow;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};

use firebell_model::{HistogramSample, Labels, Sample, TimeRange, Timestamp};

use crate::Store;
use crate::checkpoint;
use crate::histogram::{self, FileWriter, Filed};
use crate::index::slot_of;
use crate::options::StoreError;
use crate::page::Columns;
use crate::segment::{self, ChunkRef};
use crate::series::Cell;
use crate::upkeep::Upkeep;

/// A chunk file of older samples in the making. Upkeep waits as long as it lives; appends do not.
/// Dropped before [`Backfill::finish`], it changes nothing.
pub struct Backfill<'s> {
    store: &'s Store,
    upkeep: MutexGuard<'s, Upkeep>,
    file: segment::Writer,
    placed: Vec<(Arc<Cell>, Vec<ChunkRef>)>,
    run: Columns,
    histograms: FileWriter,
    placed_histograms: Vec<(Arc<Cell>, Vec<Filed>)>,
    /// The oldest that was put in, or is there already.
    oldest: i64,
}

/// What became of the samples of a series.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Backfilled {
    /// Samples that are new.
    pub added: u64,
    /// Samples of a time for which the series has one already: that one stays.
    pub known: u64,
    /// Samples left out: the series got newer ones since [`Store::backfill`], and these do not come
    /// before them.
    pub too_new: u64,
    /// Samples left out: they fall into a chunk that cannot be read.
    pub unplaced: u64,
    /// Samples left out: the series would be one more than [`Options::series_max`].
    ///
    /// [`Options::series_max`]: crate::Options::series_max
    pub over_limit: u64,
}

impl Store {
    /// Begins to put in older samples. All that is in memory goes to a chunk file first, so that
    /// there is a place for samples between any two.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub fn backfill(&self) -> Result<Backfill<'_>, StoreError> {
        let mut upkeep = self.shared.upkeep();
        // What was deleted must not hide what comes in its place.
        upkeep.clean(&self.shared)?;
        upkeep.abort_merges();
        upkeep.flush(&self.shared)?;
        let disk = Arc::clone(&self.shared.disk);
        let histograms = upkeep.histograms.next;
        let histograms = FileWriter::create(Arc::clone(&disk), histograms, true)?;
        let file = segment::Writer::create_over(disk, upkeep.floats.next)?;
        Ok(Backfill {
            store: self,
            upkeep,
            file,
            placed: Vec::new(),
            run: Columns::default(),
            histograms,
            placed_histograms: Vec::new(),
            oldest: i64::MAX,
        })
    }

    /// Moves all samples from memory to a chunk file, and empties the log; writes what metrics are.
    ///
    /// # Errors
    /// When the disk is full or fails; nothing is lost.
    pub fn flush(&self) -> Result<(), StoreError> {
        let done = self.shared.upkeep().flush(&self.shared);
        self.shared.figures.forget();
        done.and(self.shared.file_metadata())
    }
}

impl Backfill<'_> {
    /// Puts in samples of one series, which are in order of time, each time once. A series comes
    /// once in a backfill.
    ///
    /// # Errors
    /// When the disk is full or fails; the backfill has to be dropped then.
    pub fn push(&mut self, labels: &Labels, samples: &[Sample]) -> Result<Backfilled, StoreError> {
        let Some(cell) = self.cell(labels) else {
            let over_limit = samples.len() as u64;
            return Ok(Backfilled {
                over_limit,
                ..Backfilled::default()
            });
        };
        let (samples, n_unplaced) = self.beside_histograms(&cell, samples);
        let samples = &*samples;
        let (Some(first), Some(last)) = (samples.first(), samples.last()) else {
            return Ok(Backfilled {
                unplaced: n_unplaced,
                ..Backfilled::default()
            });
        };
        self.oldest = self.oldest.min(first.at.0);
        let (chunks, memory_since) = {
            let state = cell.state();
            let range = range_of(first.at.0, last.at.0);
            let chunks: Vec<ChunkRef> = state.chunks_in(range).cloned().collect();
            (chunks, state.in_memory_since())
        };
        let n_fit = memory_since.map_or(samples.len(), |since| {
            samples.partition_point(|sample| sample.at.0 < since)
        });
        let mut rest = &samples[..n_fit];
        let mut report = Backfilled {
            too_new: (samples.len() - n_fit) as u64,
            unplaced: n_unplaced,
            ..Backfilled::default()
        };
        let mut written = Vec::new();
        for chunk in chunks {
            let n_before = rest.partition_point(|sample| sample.at.0 < chunk.first_at);
            let (before, from_chunk) = rest.split_at(n_before);
            let n_within = from_chunk.partition_point(|sample| sample.at.0 <= chunk.last_at);
            let (within, after) = from_chunk.split_at(n_within);
            rest = after;
            self.extend_run(before, &mut report);
            if !self.merge(&chunk, within, &mut report) {
                // The chunk stays, and nothing is written across it.
                self.write_run(&cell, &mut written)?;
            }
        }
        self.extend_run(rest, &mut report);
        self.write_run(&cell, &mut written)?;
        if !written.is_empty() {
            self.placed.push((cell, written));
        }
        Ok(report)
    }

    /// The same for native histograms. A moment for which the series has a float stays as it is.
    ///
    /// # Errors
    /// When the disk is full or fails; the backfill has to be dropped then.
    pub fn push_histograms(
        &mut self,
        labels: &Labels,
        histograms: &[HistogramSample],
    ) -> Result<Backfilled, StoreError> {
        let Some(cell) = self.cell(labels) else {
            return Ok(Backfilled {
                over_limit: histograms.len() as u64,
                ..Backfilled::default()
            });
        };
        let disk = self.store.shared.disk();
        let mut taken = Taken::default();
        if let (Some(first), Some(last)) = (histograms.first(), histograms.last()) {
            self.oldest = self.oldest.min(first.at.0);
            let range = range_of(first.at.0, last.at.0);
            let chunks: Vec<ChunkRef> = cell.state().chunks_in(range).cloned().collect();
            for chunk in chunks {
                let mut floats = Vec::new();
                let read = chunk.samples(disk, range, &mut floats).is_ok();
                let floats = floats.iter().map(|it| it.at);
                taken.add((chunk.first_at, chunk.last_at), read.then_some(floats));
            }
        }
        let fits = |it: &&HistogramSample| {
            histogram::is_storable(&it.histogram) && !taken.has(it.at) && !taken.may_have(it.at)
        };
        let storable: Vec<_> = histograms.iter().filter(fits).cloned().collect();
        let (written, mut report) =
            histogram::backfill(&mut self.histograms, disk, &cell, &storable)?;
        report.unplaced += (histograms.len() - storable.len()) as u64;
        if !written.is_empty() {
            self.placed_histograms.push((cell, written));
        }
        Ok(report)
    }

    /// Bytes in the files so far: whoever has much to put in makes several of it.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.file.bytes() + self.histograms.bytes()
    }

    /// Makes everything durable, and then seen.
    ///
    /// # Errors
    /// When the disk is full or fails; nothing is seen then.
    pub fn finish(mut self) -> Result<(), StoreError> {
        let shared = &self.store.shared;
        self.lower_floor()?;
        if !self.placed.is_empty() {
            self.upkeep.floats.add(self.file.finish(&[])?);
        }
        if !self.placed_histograms.is_empty() {
            self.upkeep.histograms.add(self.histograms.finish(&[])?);
        }
        let bytes = self.upkeep.bytes();
        shared.filed_bytes.store(bytes, Ordering::Relaxed);
        let mut writer = shared.writer();
        for (cell, chunks) in self.placed {
            let newest = chunks.last().map(ChunkRef::newest);
            let mut state = cell.state();
            for chunk in chunks {
                state.place_chunk(chunk);
            }
            state.settle();
            state.forget(&shared.room);
            if let Some((at, value)) = newest {
                writer.raise_tip(slot_of(cell.id), at, value);
            }
        }
        for (cell, chunks) in self.placed_histograms {
            let mut state = cell.state();
            for chunk in chunks {
                writer.raise_tip(slot_of(cell.id), chunk.last_at, chunk.last_mark);
                state.add_histograms(chunk, true);
            }
        }
        drop(writer);
        shared.figures.forget();
        shared.registry().bump_generation();
        Ok(())
    }

    /// What was past retention comes back when it is put in: the retention of the next upkeep says how
    /// much of it stays.
    fn lower_floor(&self) -> Result<(), StoreError> {
        let shared = &self.store.shared;
        if shared.registry().lower_floor(self.oldest.saturating_sub(1)) {
            checkpoint::log_floor(shared)?;
            shared.writer().log.sync()?;
        }
        Ok(())
    }

    /// Leaves out samples of moments for which the series has a histogram, or may have one where
    /// its chunk cannot be read: of these, how many they are.
    fn beside_histograms<'a>(
        &self,
        cell: &Cell,
        samples: &'a [Sample],
    ) -> (Cow<'a, [Sample]>, u64) {
        let range = match (samples.first(), samples.last()) {
            (Some(first), Some(last)) => range_of(first.at.0, last.at.0),
            _ => return (Cow::Borrowed(samples), 0),
        };
        let chunks: Vec<Filed> = match &cell.state().histograms {
            Some(track) => track.chunks_in(range).cloned().collect(),
            None => return (Cow::Borrowed(samples), 0),
        };
        let mut taken = Taken::default();
        for chunk in chunks {
            let mut there = Vec::new();
            let disk = self.store.shared.disk();
            let read = chunk.read(disk, range, &mut there).is_ok();
            let there = there.iter().map(|it| it.at);
            taken.add((chunk.first_at, chunk.last_at), read.then_some(there));
        }
        let n_unplaced = samples.iter().filter(|it| taken.may_have(it.at)).count();
        let is_free = |it: &&Sample| !taken.has(it.at) && !taken.may_have(it.at);
        let free = samples.iter().filter(is_free).copied().collect();
        (Cow::Owned(free), n_unplaced as u64)
    }

    fn cell(&self, labels: &Labels) -> Option<Arc<Cell>> {
        let id = self.store.resolve(labels).ok()?;
        self.store.shared.index().get(id).cloned()
    }

    fn extend_run(&mut self, samples: &[Sample], report: &mut Backfilled) {
        report.added += samples.len() as u64;
        for sample in samples {
            self.run.push(sample.at.0, sample.value);
        }
    }

    /// Adds the samples of a chunk, and those that fall into it, to the run. False when none of them
    /// is new, so that the chunk may stay.
    fn merge(&mut self, chunk: &ChunkRef, within: &[Sample], report: &mut Backfilled) -> bool {
        if within.is_empty() {
            return false;
        }
        let mut there = Vec::new();
        let range = range_of(chunk.first_at, chunk.last_at);
        let disk = self.store.shared.disk();
        if chunk.samples(disk, range, &mut there).is_err() {
            report.unplaced += within.len() as u64;
            return false;
        }
        let is_new = |sample: &&Sample| {
            let place = there.binary_search_by_key(&sample.at, |it| it.at);
            place.is_err()
        };
        let new: Vec<Sample> = within.iter().filter(is_new).copied().collect();
        report.added += new.len() as u64;
        report.known += (within.len() - new.len()) as u64;
        if new.is_empty() {
            return false;
        }
        there.extend(new);
        there.sort_by_key(|sample| sample.at);
        for sample in there {
            self.run.push(sample.at.0, sample.value);
        }
        true
    }

    /// Writes the run as chunks, and empties it.
    fn write_run(&mut self, cell: &Cell, written: &mut Vec<ChunkRef>) -> Result<(), StoreError> {
        self.file
            .push(cell.id, &cell.labels, &self.run, None, written)?;
        self.run.clear();
        Ok(())
    }
}

/// Moments for which a series has samples of the other kind.
#[derive(Default)]
struct Taken {
    /// In order.
    moments: Vec<Timestamp>,
    /// First and last time of chunks that cannot be read: any moment in between may be taken, and
    /// nobody would see a difference until the file is whole again.
    unread: Vec<(i64, i64)>,
}

impl Taken {
    /// Takes note of a chunk, later than the others; without moments when it cannot be read.
    fn add(&mut self, times: (i64, i64), moments: Option<impl Iterator<Item = Timestamp>>) {
        match moments {
            Some(moments) => self.moments.extend(moments),
            None => self.unread.push(times),
        }
    }

    fn has(&self, at: Timestamp) -> bool {
        self.moments.binary_search(&at).is_ok()
    }

    fn may_have(&self, at: Timestamp) -> bool {
        let mut unread = self.unread.iter();
        unread.any(|&(first, last)| first <= at.0 && at.0 <= last)
    }
}

/// From `first` to `last`, both included.
pub(crate) fn range_of(first: i64, last: i64) -> TimeRange {
    TimeRange {
        after: Timestamp(first.saturating_sub(1)),
        until: Timestamp(last),
    }
}
