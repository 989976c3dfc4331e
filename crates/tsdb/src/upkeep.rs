//! Upkeep: retention, chunk files, and a log that does not grow for ever.
//!
//! *Invariants*: samples leave memory only after a durable file has them, and the log only after
//! file or later log have them. What a living view sees is not dropped. Each step may fail and is
//! tried again by a later round.

use std::collections::BTreeSet;
use std::sync::Arc;

use firebell_model::Timestamp;

use crate::histogram::FileWriter;
use crate::index::{Index, slot_of};
use crate::options::StoreError;
use crate::page::Columns;
use crate::segment::{self, ChunkRef};
use crate::series::Cell;
use crate::shelf::Shelf;
use crate::store::Shared;
use crate::tombstones;
use crate::wal;
use crate::writer::Writer;

/// What upkeep keeps in mind between rounds.
pub(crate) struct Upkeep {
    pub(crate) floats: Shelf<segment::Writer>,
    pub(crate) histograms: Shelf<FileWriter>,
    /// The log has to be rewritten: a file has taken what it holds.
    is_log_stale: bool,
    floor_logged: i64,
    /// What is deleted is to leave the files, as soon as no view sees it.
    wants_clean: bool,
}

impl Upkeep {
    pub(crate) fn new(floats: Shelf<segment::Writer>, histograms: Shelf<FileWriter>) -> Self {
        Self {
            floats,
            histograms,
            is_log_stale: false,
            floor_logged: i64::MIN,
            wants_clean: false,
        }
    }

    /// Moves all samples from memory to a chunk file, and empties the log.
    pub(crate) fn flush(&mut self, shared: &Shared) -> Result<(), StoreError> {
        let (_, epoch) = shared.registry().raise_floor(i64::MIN);
        let cells: Vec<Arc<Cell>> = shared.index().cells().cloned().collect();
        let mut awake = Vec::new();
        for cell in &cells {
            let mut state = cell.state();
            if state.merge_late(epoch) {
                state.forget(&shared.room);
            }
            if !state.is_dormant {
                state.end();
                awake.push(cell);
            }
        }
        let filed = self
            .file(shared, &cells, i64::MAX)
            .and_then(|()| self.file_histograms(shared, &cells, i64::MAX));
        for cell in awake {
            cell.state().is_dormant = false;
        }
        filed?;
        if std::mem::take(&mut self.is_log_stale) {
            rewrite_log(shared)?;
        }
        Ok(())
    }

    /// Bytes in files.
    pub(crate) fn bytes(&self) -> u64 {
        self.floats.bytes() + self.histograms.bytes()
    }

    pub(crate) fn run(&mut self, shared: &Shared, now: Timestamp) -> Result<(), StoreError> {
        let floor = (now - shared.options.retention)
            .0
            .max(self.floor_by_bytes(shared));
        let (unseen, epoch) = shared.registry().raise_floor(floor);
        let cells: Vec<Arc<Cell>> = shared.index().cells().cloned().collect();
        let due = now - shared.options.head_span;
        let is_due = tend(shared, &cells, unseen, epoch, due.0);
        self.floats.drop_until(shared.disk(), unseen)?;
        self.histograms.drop_until(shared.disk(), unseen)?;
        if is_due {
            let until = filable_until(shared);
            self.file(shared, &cells, until)?;
            self.file_histograms(shared, &cells, until)?;
        }
        if shared.is_log_long() || self.is_log_stale {
            self.shorten_log(shared)?;
        } else if floor > self.floor_logged {
            log_floor(shared)?;
        }
        self.floor_logged = floor;
        if self.wants_clean {
            self.clean(shared)?;
        }
        self.floats.remove_waste(shared)?;
        self.histograms.remove_waste(shared)?;
        self.floats.merge(shared)?;
        self.histograms.merge(shared)
    }

    /// Rewrites the log to what only memory has.
    pub(crate) fn shorten_log(&mut self, shared: &Shared) -> Result<(), StoreError> {
        self.is_log_stale = false;
        let rewritten = rewrite_log(shared);
        if rewritten.is_err() {
            // A disk that is nearly full must not be filled by one try after the other: the next
            // comes with the next chunk file, or when the log is twice as long.
            let mut writer = shared.writer();
            writer.log_bytes_rewritten = writer.log_bytes;
        }
        rewritten
    }

    /// The floor below which chunk files have to go so that the rest is within its bytes.
    fn floor_by_bytes(&self, shared: &Shared) -> i64 {
        let Some(bytes_max) = shared.options.retention_bytes else {
            return i64::MIN;
        };
        let mut bytes = shared.writer().log_bytes;
        bytes += self.bytes();
        let mut floor = i64::MIN;
        let mut files: Vec<_> = self.floats.ages().chain(self.histograms.ages()).collect();
        files.sort_unstable();
        for (last_at, file_bytes) in files {
            if bytes <= bytes_max {
                break;
            }
            bytes -= file_bytes;
            floor = floor.max(last_at);
        }
        floor
    }

    /// Gives up merges that go on: chunks are about to change.
    pub(crate) fn abort_merges(&mut self, shared: &Shared) -> Result<(), StoreError> {
        self.floats.abort_merge(shared)?;
        self.histograms.abort_merge(shared)
    }

    /// Has what is deleted leave files and log. While views live that see it, it stays, and a later
    /// round of upkeep tries again.
    pub(crate) fn clean(&mut self, shared: &Shared) -> Result<(), StoreError> {
        let deleted = tombstones::cells(shared);
        let newest = deleted.iter().map(|it| it.1.newest_epoch()).max();
        self.wants_clean = newest.is_some();
        let oldest = shared.registry().oldest_live().unwrap_or(u64::MAX);
        if newest.is_none_or(|newest| oldest < newest) {
            return Ok(());
        }
        self.abort_merges(shared)?;
        self.is_log_stale = true;
        self.flush(shared)?;
        let (mut floats, mut histograms) = (BTreeSet::new(), BTreeSet::new());
        for (cell, deleted) in &deleted {
            deleted.files(&cell.state(), &mut floats, &mut histograms);
        }
        self.floats.clean(shared, &floats)?;
        self.histograms.clean(shared, &histograms)?;
        let is_damaged = |number, is_float| match is_float {
            true => self.floats.is_damaged(number),
            false => self.histograms.is_damaged(number),
        };
        self.wants_clean = !tombstones::forget(shared, &deleted, &is_damaged)?;
        self.floats.remove_waste(shared)?;
        self.histograms.remove_waste(shared)
    }

    /// Writes the pages that will not change any more to a chunk file.
    fn file(&mut self, shared: &Shared, cells: &[Arc<Cell>], until: i64) -> Result<(), StoreError> {
        let number = self.floats.next;
        let mut file = segment::Writer::create(Arc::clone(&shared.disk), number)?;
        // Each with how many chunks its pages became. All chunks stand in one
        // vector, which goes back to the system whole: a vector for each series would not.
        let mut filed: Vec<(&Arc<Cell>, usize)> = Vec::new();
        let mut chunks: Vec<ChunkRef> = Vec::new();
        let mut columns = Columns::default();
        for cell in cells {
            columns.clear();
            let (n_pages, summary) = cell.state().columns_to_file(until, &mut columns);
            if n_pages > 0 {
                let n_before = chunks.len();
                file.push(cell.id, &cell.labels, &columns, summary, &mut chunks)?;
                filed.push((cell, chunks.len() - n_before));
            }
        }
        if filed.is_empty() {
            return Ok(());
        }
        self.floats.add(file.finish(&[])?);
        let mut chunks = chunks.into_iter();
        for (cell, n_chunks) in filed {
            let chunks = chunks.by_ref().take(n_chunks);
            cell.state().filed(chunks);
        }
        self.is_log_stale = true;
        Ok(())
    }

    /// Writes the histograms that will not change any more to a file.
    fn file_histograms(
        &mut self,
        shared: &Shared,
        cells: &[Arc<Cell>],
        until: i64,
    ) -> Result<(), StoreError> {
        let disk = Arc::clone(&shared.disk);
        let mut file = FileWriter::create(disk, self.histograms.next, false)?;
        let mut filed = Vec::new();
        for cell in cells {
            let pages = cell.state().histograms_to_file(until).to_vec();
            if !pages.is_empty() {
                filed.push((cell, file.push(cell.id, &cell.labels, &pages)?));
            }
        }
        if filed.is_empty() {
            return Ok(());
        }
        self.histograms.add(file.finish(&[])?);
        for (cell, chunks) in filed {
            if let Some(track) = &mut cell.state().histograms {
                track.filed(chunks);
            }
        }
        self.is_log_stale = true;
        Ok(())
    }
}

/// Notes the floor in the log: a restart must not bring back what was past retention.
fn log_floor(shared: &Shared) -> Result<(), StoreError> {
    let mut writer = shared.writer();
    let floor = shared.registry().floor();
    wal::put_floor(floor, &mut writer.frame);
    writer.write_frame()
}

/// Late samples may still come down to here: a page in a file would refuse them.
fn filable_until(shared: &Shared) -> i64 {
    let window = shared.options.out_of_order_window.0.max(0);
    if window == 0 {
        return i64::MAX;
    }
    shared.writer().newest.saturating_sub(window)
}

/// Looks after every series: retention, late samples, ends. True when there are pages older than
/// `due` to be filed.
fn tend(shared: &Shared, cells: &[Arc<Cell>], unseen: i64, epoch: u64, due: i64) -> bool {
    let until = filable_until(shared);
    let mut is_due = false;
    let mut comes_or_goes = false;
    let mut gone = Vec::new();
    for cell in cells {
        let mut state = cell.state();
        state.tidy(&shared.room);
        if state.merge_late(epoch) {
            state.forget(&shared.room);
        }
        if state.drop_until(unseen) {
            state.empty_rounds = state.empty_rounds.saturating_add(1);
            let had_samples = state.newest_at().is_some();
            if had_samples || state.empty_rounds > EMPTY_ROUNDS_MAX {
                state.forget(&shared.room);
                gone.push(slot_of(cell.id));
            }
            continue;
        }
        let is_quiet = state.newest_at().is_some_and(|at| at < due);
        if is_quiet && !state.is_dormant {
            state.end();
            comes_or_goes = true;
        }
        let first = state.pages_to_file(until).first();
        is_due |= first.is_some_and(|page| page.first_at < due);
        let first = state.histograms_to_file(until).first();
        is_due |= first.is_some_and(|page| page.first_at < due);
    }
    comes_or_goes |= remove(shared, &gone);
    if comes_or_goes {
        shared.registry().bump_generation();
    }
    is_due
}

/// Removes series that are still empty. True when there were any.
fn remove(shared: &Shared, slots: &[u32]) -> bool {
    if slots.is_empty() {
        return false;
    }
    // With the writer held, nobody appends to them meanwhile.
    let mut writer = shared.writer();
    let mut index = shared.index_mut();
    let mut is_any = false;
    for &slot in slots {
        if index.at(slot).is_some_and(|cell| cell.state().is_empty()) {
            index.remove(slot);
            writer.clear_tip(slot);
            is_any = true;
        }
    }
    is_any
}

/// Writes the state of every series with samples in memory to the log, and removes what was in the
/// log before. Appends take turns with it.
fn rewrite_log(shared: &Shared) -> Result<(), StoreError> {
    let (segment, bytes_before) = {
        let mut writer = shared.writer();
        // What waits belongs before the states, which replace it.
        writer.write_unlogged()?;
        let segment = writer.log.start_segment()?;
        writer.first_segment = segment;
        (segment, writer.log_bytes)
    };
    log_floor(shared)?;
    let cells: Vec<Arc<Cell>> = shared.index().cells().cloned().collect();
    for run in cells.chunks(STATES_PER_FRAME) {
        let mut writer = shared.writer();
        let index = shared.index();
        wal::begin_states(&mut writer.frame);
        let empty_len = writer.frame.len();
        let at_segment = writer.log.segment();
        let mut slots = Vec::with_capacity(run.len());
        for cell in run {
            let is_there = index.get(cell.id).is_some();
            let state = cell.state();
            if is_there && state.is_in_memory() {
                wal::put_state(cell.id, &cell.labels, &state, &mut writer.frame);
                slots.push(slot_of(cell.id));
            }
        }
        if writer.frame.len() > empty_len {
            writer.write_frame()?;
            for slot in slots {
                writer.tip_mut(slot).segment = at_segment;
            }
        }
        log_histograms(&mut writer, &index, run)?;
    }
    shared.log_all_exemplars()?;
    let mut writer = shared.writer();
    writer.log.sync()?;
    writer.log.remove_before(segment)?;
    writer.log_bytes -= bytes_before;
    writer.log_bytes_rewritten = writer.log_bytes;
    Ok(())
}

/// Writes the histograms that memory has of these series to the log.
fn log_histograms(
    writer: &mut Writer,
    index: &Index,
    cells: &[Arc<Cell>],
) -> Result<(), StoreError> {
    wal::begin_histogram_states(&mut writer.frame);
    let empty_len = writer.frame.len();
    let at_segment = writer.log.segment();
    for cell in cells {
        let state = cell.state();
        let track = state
            .histograms
            .as_ref()
            .filter(|track| track.is_in_memory());
        if let Some(track) = track
            && index.get(cell.id).is_some()
        {
            wal::put_histogram_state(cell.id, &cell.labels, track, &mut writer.frame);
            writer.tip_mut(slot_of(cell.id)).segment = at_segment;
        }
        if writer.frame.len() > FRAME_BYTES {
            writer.write_frame()?;
            wal::begin_histogram_states(&mut writer.frame);
        }
    }
    if writer.frame.len() > empty_len {
        writer.write_frame()?;
    }
    Ok(())
}

/// So many series are written to the log between two appends.
const STATES_PER_FRAME: usize = 256;
/// A frame of histograms is written when it is longer than this.
const FRAME_BYTES: usize = 4 << 20;
/// A series that was resolved and got no sample goes after so many rounds of upkeep.
const EMPTY_ROUNDS_MAX: u8 = 60;
