//! What was deleted: hidden at once; its bytes go when the store is cleaned, or with retention.
//!
//! A tombstone is an interval of time of one series with the epoch of its delete, so that older views
//! go on seeing what it hides.
//!
//! `tombstones`: magic and CRC-32 (see `bytes`), then series up to the end: id (varint), number of
//! intervals (varint), and for each its first moment (*signed*) and how much later the last one is
//! (varint).
//!
//! *Sources*: Prometheus, `tsdb/head.go`, `Delete`: an interval is cut to what the series has, so that
//! nothing that comes later is hidden.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use firebell_disk::Disk;
use firebell_model::{Matcher, SeriesId, Timestamp};

use crate::Store;
use crate::backfill::range_of;
use crate::bytes::{Put, Reader, checked, with_checksum};
use crate::index::Index;
use crate::options::StoreError;
use crate::series::{Cell, State};
use crate::store::Shared;

/// What is deleted of a series.
#[derive(Clone, Default)]
pub(crate) struct Deleted(Vec<Interval>);

#[derive(Clone, Copy)]
struct Interval {
    epoch: u64,
    from: i64,
    until: i64,
}

impl Deleted {
    /// Whether a view of that epoch must not see the moment.
    pub(crate) fn hides(&self, at: Timestamp, epoch: u64) -> bool {
        let is_in = |it: &Interval| it.epoch <= epoch && it.from <= at.0 && at.0 <= it.until;
        self.0.iter().any(is_in)
    }

    /// Whether one interval hides all from `first` to `last`.
    pub(crate) fn hides_all(&self, (first, last): (i64, i64), epoch: u64) -> bool {
        let is_all = |it: &Interval| it.epoch <= epoch && it.from <= first && last <= it.until;
        self.0.iter().any(is_all)
    }

    /// Whether something from `first` to `last` may be hidden.
    pub(crate) fn touches(&self, (first, last): (i64, i64)) -> bool {
        self.0.iter().any(|it| it.from <= last && first <= it.until)
    }

    /// The epoch of the newest delete.
    pub(crate) fn newest_epoch(&self) -> u64 {
        self.0.iter().map(|it| it.epoch).max().unwrap_or(0)
    }

    /// Notes which files have something of what is deleted.
    pub(crate) fn files(
        &self,
        state: &State,
        floats: &mut BTreeSet<u64>,
        histograms: &mut BTreeSet<u64>,
    ) {
        for interval in &self.0 {
            let range = range_of(interval.from, interval.until);
            floats.extend(state.chunks_in(range).map(|chunk| chunk.segment));
            if let Some(track) = &state.histograms {
                histograms.extend(track.chunks_in(range).map(|chunk| chunk.file));
            }
        }
    }

    /// Forgets what is before the floor. True when nothing is left.
    pub(crate) fn drop_until(&mut self, floor: i64) -> bool {
        self.0.retain(|it| it.until > floor);
        self.0.is_empty()
    }

    fn push(&mut self, interval: Interval) {
        self.0.push(interval);
    }
}

impl Store {
    /// Hides all samples, native histograms among them, from `from` to `until` (both included) of the
    /// series that satisfy all matchers of one of the selectors. Returns of how many series.
    ///
    /// # Errors
    /// When the disk is full or fails; nothing is hidden then.
    pub fn delete(
        &self,
        selectors: &[Vec<Matcher>],
        (from, until): (Timestamp, Timestamp),
    ) -> Result<u64, StoreError> {
        let shared = &*self.shared;
        // Upkeep must not forget tombstones meanwhile, nor others delete.
        let _upkeep = shared.upkeep();
        // With the writer held, the epoch of the delete is no append's.
        let _writer = shared.writer();
        let index = shared.index();
        let epoch = shared.registry().next_epoch();
        let mut cells: Vec<_> = selectors.iter().flat_map(|it| index.select(it)).collect();
        cells.sort_unstable_by_key(|cell| cell.id);
        cells.dedup_by_key(|cell| cell.id);
        let mut new = Vec::new();
        for cell in cells {
            let state = cell.state();
            let (Some(oldest), Some(newest)) = (state.oldest_at(), state.newest_at()) else {
                continue;
            };
            let (from, until) = (from.0.max(oldest), until.0.min(newest));
            if from <= until {
                new.push((cell, Interval { epoch, from, until }));
            }
        }
        let mut all = known(&index);
        for (cell, interval) in &new {
            all.entry(cell.id).or_default().push(*interval);
        }
        shared.disk.replace(PATH, &content(&all))?;
        for (cell, interval) in &new {
            let mut state = cell.state();
            state.deleted.get_or_insert_default().push(*interval);
        }
        shared.registry().publish(epoch, !new.is_empty());
        Ok(new.len() as u64)
    }

    /// Has what is deleted leave files and log, so that its bytes are gone and nothing that is put in
    /// its place is hidden. While a view lives that was made before the delete, it stays, and upkeep
    /// tries again.
    ///
    /// # Errors
    /// When the disk is full or fails; nothing is lost, and what is deleted stays hidden.
    pub fn clean_tombstones(&self) -> Result<(), StoreError> {
        let done = self.shared.upkeep().clean(&self.shared);
        self.shared.figures.forget();
        done
    }
}

/// What is deleted of all series.
fn known(index: &Index) -> BTreeMap<SeriesId, Vec<Interval>> {
    let known = index.cells().filter_map(|cell| {
        let state = cell.state();
        Some((cell.id, state.deleted.as_ref()?.0.clone()))
    });
    known.collect()
}

/// The series of which something is deleted.
pub(crate) fn cells(shared: &Shared) -> Vec<(Arc<Cell>, Deleted)> {
    let index = shared.index();
    let deleted = index.cells().filter_map(|cell| {
        let deleted = cell.state().deleted.as_deref().cloned()?;
        Some((Arc::clone(cell), deleted))
    });
    deleted.collect()
}

/// Forgets what was deleted of these series and has left the store. What is in a file that cannot be
/// read stays hidden, and what is still in memory, for which it returns false. `is_damaged` says
/// whether a file, of floats or of histograms, cannot be read.
pub(crate) fn forget(
    shared: &Shared,
    cells: &[(Arc<Cell>, Deleted)],
    is_damaged: &dyn Fn(u64, bool) -> bool,
) -> Result<bool, StoreError> {
    let (mut left, mut is_gone) = (Vec::new(), true);
    for (cell, deleted) in cells {
        let state = cell.state();
        let mut stays = deleted.0.clone();
        stays.retain(|interval| {
            let range = range_of(interval.from, interval.until);
            let is_in_memory = state.has_in_memory(range);
            is_gone &= !is_in_memory;
            let mut floats = state.chunks_in(range).map(|chunk| chunk.segment);
            let track = state.histograms.iter();
            let mut histograms = track.flat_map(|it| it.chunks_in(range)).map(|it| it.file);
            is_in_memory
                || floats.any(|number| is_damaged(number, true))
                || histograms.any(|number| is_damaged(number, false))
        });
        left.push((cell, stays));
    }
    let mut all = known(&shared.index());
    for (cell, stays) in &left {
        all.insert(cell.id, stays.clone());
    }
    shared.disk.replace(PATH, &content(&all))?;
    for (cell, stays) in left {
        let mut state = cell.state();
        state.deleted = (!stays.is_empty()).then(|| Box::new(Deleted(stays)));
    }
    Ok(is_gone)
}

/// The content of the file.
fn content(all: &BTreeMap<SeriesId, Vec<Interval>>) -> Vec<u8> {
    let mut body = Vec::new();
    for (id, intervals) in all.iter().filter(|(_, intervals)| !intervals.is_empty()) {
        body.put_varint(id.0);
        body.put_varint(intervals.len() as u64);
        for Interval { from, until, .. } in intervals {
            body.put_signed(*from);
            body.put_varint(until.wrapping_sub(*from) as u64);
        }
    }
    with_checksum(MAGIC, &body)
}

/// Reads the file into the series.
pub(crate) fn open(
    disk: &dyn Disk,
    index: &Index,
    damage: &mut Vec<String>,
) -> Result<(), StoreError> {
    let content = match disk.read(PATH) {
        Ok(content) => content,
        Err(error) if error.is_not_found => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let body = checked(MAGIC, &content);
    if body.and_then(|body| read(body, index)).is_none() {
        damage.push(format!(
            "`{PATH}` is damaged: what was deleted may be seen again"
        ));
    }
    Ok(())
}

fn read(mut reader: Reader<'_>, index: &Index) -> Option<()> {
    while !reader.is_empty() {
        let cell = index.get(SeriesId(reader.varint()?));
        for _ in 0..reader.count()? {
            let from = reader.signed()?;
            let until = from.wrapping_add(reader.varint()? as i64);
            if let Some(cell) = cell {
                let mut state = cell.state();
                let epoch = 0;
                let deleted = state.deleted.get_or_insert_default();
                deleted.push(Interval { epoch, from, until });
            }
        }
    }
    Some(())
}

const PATH: &str = "tombstones";
const MAGIC: [u8; 8] = *b"FBTOMB 1";
