//! Upkeep: retention, chunk files, and a log that does not grow for ever.
//!
//! *Invariants*: samples leave memory only after a durable file has them, and the log only after
//! file or later log have them. What a living view sees is not dropped. Each step may fail and is
//! tried again by a later round.

use std::collections::BTreeSet;
use std::sync::Arc;

use firebell_model::Timestamp;

use crate::checkpoint;
use crate::histogram::FileWriter;
use crate::index::slot_of;
use crate::options::StoreError;
use crate::page::Columns;
use crate::page_log::PageLog;
use crate::segment::{self, ChunkRef};
use crate::series::Cell;
use crate::shelf::Shelf;
use crate::store::Shared;
use crate::tombstones;
use crate::writer::Flushing;

/// What upkeep keeps in mind between rounds.
pub(crate) struct Upkeep {
    pub(crate) floats: Shelf<segment::Writer>,
    pub(crate) histograms: Shelf<FileWriter>,
    pub(crate) pages: PageLog,
    /// The logs have to be rewritten: a file has taken what they hold.
    is_log_stale: bool,
    /// The log of pages has to be begun anew by the next checkpoint.
    are_pages_stale: bool,
    floor_logged: i64,
    /// What is deleted is to leave the files, as soon as no view sees it.
    wants_clean: bool,
    /// Which files there were when that failed: it is tried again when others have come. On a full disk
    /// each try would take the room that is left.
    clean_failed_at: Option<[(u64, usize); 2]>,
    /// Samples of memory were moved or dropped.
    has_tended: bool,
    /// Which files there were when that was asked last.
    files_known: [(u64, usize); 2],
}

impl Upkeep {
    pub(crate) fn new(
        floats: Shelf<segment::Writer>,
        histograms: Shelf<FileWriter>,
        pages: PageLog,
    ) -> Self {
        Self {
            floats,
            histograms,
            pages,
            is_log_stale: false,
            are_pages_stale: false,
            floor_logged: i64::MIN,
            wants_clean: false,
            clean_failed_at: None,
            has_tended: true,
            files_known: [(0, 0); 2],
        }
    }

    /// Whether samples were moved or dropped since this was asked last.
    pub(crate) fn take_moved(&mut self) -> bool {
        let files = self.editions();
        let has_filed = std::mem::replace(&mut self.files_known, files) != files;
        std::mem::take(&mut self.has_tended) || has_filed || self.wants_clean
    }

    /// Moves all samples from memory to a chunk file, and empties the log.
    pub(crate) fn flush(&mut self, shared: &Shared) -> Result<(), StoreError> {
        let cells: Vec<Arc<Cell>> = shared.index().cells().cloned().collect();
        self.flush_these(shared, &cells, Flushing::All)
    }

    /// The same for the samples of some series: late ones of the others still find their place.
    fn flush_only(&mut self, shared: &Shared, cells: &[Arc<Cell>]) -> Result<(), StoreError> {
        let slots = cells.iter().map(|cell| slot_of(cell.id)).collect();
        self.flush_these(shared, cells, Flushing::Only(slots))
    }

    fn flush_these(
        &mut self,
        shared: &Shared,
        cells: &[Arc<Cell>],
        flushing: Flushing,
    ) -> Result<(), StoreError> {
        shared.writer().flushing = flushing;
        let filed = self.file_all(shared, cells);
        shared.writer().flushing = Flushing::Nobody;
        filed?;
        if self.is_log_stale {
            self.shorten_log(shared)?;
        }
        Ok(())
    }

    fn file_all(&mut self, shared: &Shared, cells: &[Arc<Cell>]) -> Result<(), StoreError> {
        let (_, epoch) = shared.registry().raise_floor(i64::MIN);
        let mut awake = Vec::new();
        for cell in cells {
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
            .file(shared, cells, i64::MAX)
            .and_then(|()| self.file_histograms(shared, cells, i64::MAX));
        for cell in awake {
            cell.state().is_dormant = false;
        }
        // Who has asked meanwhile may have found a series asleep that is not.
        shared.registry().bump_generation();
        filed
    }

    /// Bytes in files, but for the log.
    pub(crate) fn bytes(&self) -> u64 {
        self.floats.bytes() + self.histograms.bytes() + self.pages.bytes
    }

    pub(crate) fn run(&mut self, shared: &Shared, now: Timestamp) -> Result<(), StoreError> {
        let floor = (now - shared.options().retention).0;
        let floor = floor.max(self.floor_by_bytes(shared, now));
        // An earlier version may have noted one for the sake of a file from the future.
        shared.registry().lower_floor(now.0.max(floor));
        let (unseen, epoch) = shared.registry().raise_floor(floor);
        let due = now - shared.options().head_span;
        let until = filable_until(shared, now);
        let tended = tend(shared, (unseen, epoch), (due.0, until));
        self.has_tended |= tended.is_change;
        self.floats.drop_until(shared.disk(), unseen)?;
        self.histograms.drop_until(shared.disk(), unseen)?;
        if tended.is_due {
            let cells: Vec<Arc<Cell>> = shared.index().cells().cloned().collect();
            self.file(shared, &cells, until)?;
            self.file_histograms(shared, &cells, until)?;
        }
        if shared.is_log_long() || self.is_log_stale {
            self.shorten_log(shared)?;
        } else if floor > self.floor_logged {
            checkpoint::log_floor(shared)?;
        }
        self.floor_logged = floor;
        if self.wants_clean && self.clean_failed_at != Some(self.editions()) {
            self.clean(shared)?;
        }
        self.floats.remove_waste(shared)?;
        self.histograms.remove_waste(shared)?;
        self.floats.merge(shared)?;
        self.histograms.merge(shared)
    }

    /// Rewrites the log to what only memory has.
    pub(crate) fn shorten_log(&mut self, shared: &Shared) -> Result<(), StoreError> {
        let begins_anew = self.is_log_stale || self.are_pages_stale;
        self.is_log_stale = false;
        // After a failure nobody knows what the log of pages has.
        self.are_pages_stale = true;
        match checkpoint::write(shared, &mut self.pages, begins_anew) {
            Ok(is_much_waste) => self.are_pages_stale = is_much_waste,
            Err(error) => {
                // A disk that is nearly full must not be filled by one try after the other: the next
                // comes with the next chunk file, or when the log has grown again.
                let mut writer = shared.writer();
                writer.log_bytes_rewritten = writer.log_bytes;
                return Err(error);
            }
        }
        Ok(())
    }

    /// The floor below which chunk files have to go so that the rest is within its bytes.
    /// Those from the future, or of which nobody knows how old they are, do not go, nor do they count:
    /// all others would have to go for them.
    fn floor_by_bytes(&self, shared: &Shared, now: Timestamp) -> i64 {
        let Some(bytes_max) = shared.options().retention_bytes else {
            return i64::MIN;
        };
        let mut bytes = shared.writer().log_bytes;
        bytes += self.bytes();
        let mut floor = i64::MIN;
        let mut files: Vec<_> = self.floats.ages().chain(self.histograms.ages()).collect();
        files.sort_unstable();
        let later = files.split_off(files.partition_point(|file| file.0 <= now.0));
        bytes -= later.iter().map(|file| file.1).sum::<u64>();
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
    pub(crate) fn abort_merges(&mut self) {
        self.floats.abort_merge();
        self.histograms.abort_merge();
    }

    /// Has what is deleted leave files and log. While views live that see it, it stays, and a later
    /// round of upkeep tries again.
    pub(crate) fn clean(&mut self, shared: &Shared) -> Result<(), StoreError> {
        let done = self.try_clean(shared);
        self.clean_failed_at = done.is_err().then(|| self.editions());
        done
    }

    /// Others whenever files have come or gone.
    fn editions(&self) -> [(u64, usize); 2] {
        [self.floats.edition(), self.histograms.edition()]
    }

    fn try_clean(&mut self, shared: &Shared) -> Result<(), StoreError> {
        let deleted = tombstones::cells(shared);
        let newest = deleted.iter().map(|it| it.1.newest_epoch()).max();
        self.wants_clean = newest.is_some();
        let oldest = shared.registry().oldest_live().unwrap_or(u64::MAX);
        if newest.is_none_or(|newest| oldest < newest) {
            return Ok(());
        }
        self.abort_merges();
        self.is_log_stale = true;
        let cells: Vec<Arc<Cell>> = deleted.iter().map(|it| Arc::clone(&it.0)).collect();
        self.flush_only(shared, &cells)?;
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
        // Series of which all was hidden may be selected again.
        shared.registry().bump_generation();
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

/// Late samples may still come down to here: a page in a file would refuse them.
fn filable_until(shared: &Shared, now: Timestamp) -> i64 {
    let window = shared.options().out_of_order_window.0.max(0);
    if window == 0 {
        return i64::MAX;
    }
    shared.writer().newest_by(now).saturating_sub(window)
}

/// What a look after every series came to.
#[derive(Default)]
struct Tended {
    /// There are pages to be filed.
    is_due: bool,
    /// Samples were moved or dropped.
    is_change: bool,
    /// Series have come to an end.
    comes_or_goes: bool,
    /// Slots of series that are to go.
    gone: Vec<u32>,
}

/// Looks after every series: retention, late samples, ends. Pages older than `due` are to be filed,
/// as far as those that end before `until` may be.
fn tend(shared: &Shared, seen: (i64, u64), (due, until): (i64, i64)) -> Tended {
    let mut tended = Tended::default();
    for page in 0.. {
        // Between two pages others have their turn.
        let index = shared.index();
        let Some(cells) = index.page(page) else {
            break;
        };
        for run in cells.chunks(RUN) {
            // The processor fetches what a run needs at once, as far as no lock stands between.
            let ids = run.iter().flatten().map(|cell| cell.id.0);
            std::hint::black_box(ids.fold(0, u64::wrapping_add));
            for cell in run.iter().flatten() {
                tended.look_after(cell, shared, seen, (due, until));
            }
        }
    }
    tended.is_change |= !tended.gone.is_empty();
    tended.comes_or_goes |= remove(shared, &tended.gone);
    if tended.comes_or_goes {
        shared.registry().bump_generation();
    }
    tended
}

impl Tended {
    fn look_after(
        &mut self,
        cell: &Cell,
        shared: &Shared,
        (unseen, epoch): (i64, u64),
        (due, until): (i64, i64),
    ) {
        let mut state = cell.state();
        state.tidy(&shared.room);
        let n_parts = state.n_parts();
        if state.merge_late(epoch) {
            state.forget(&shared.room);
            self.is_change = true;
        }
        let is_empty = state.drop_until(unseen);
        self.is_change |= state.n_parts() != n_parts;
        if is_empty {
            state.empty_rounds = state.empty_rounds.saturating_add(1);
            let had_samples = state.newest_at().is_some();
            if had_samples || state.empty_rounds > EMPTY_ROUNDS_MAX {
                state.forget(&shared.room);
                self.gone.push(slot_of(cell.id));
            }
            return;
        }
        let is_quiet = state.newest_at().is_some_and(|at| at < due);
        if is_quiet && !state.is_dormant {
            state.end();
            self.comes_or_goes = true;
        }
        let first = state.pages_to_file(until).first();
        self.is_due |= first.is_some_and(|page| page.first_at < due);
        let first = state.histograms_to_file(until).first();
        self.is_due |= first.is_some_and(|page| page.first_at < due);
    }
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

/// So many series are looked at before they are looked after.
const RUN: usize = 16;
/// A series that was resolved and got no sample goes after so many rounds of upkeep.
const EMPTY_ROUNDS_MAX: u8 = 60;
