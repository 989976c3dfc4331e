//! Upkeep: retention, chunk files, and a log that does not grow for ever.
//!
//! *Invariants*: samples leave memory only after a durable file has them, and the log only after
//! file or later log have them. What a living view sees is not dropped. Each step may fail and is
//! tried again by a later round.

use std::collections::BTreeSet;
use std::sync::Arc;

use firebell_model::Timestamp;

use crate::histogram::{FileWriter, Files};
use crate::index::{Index, slot_of};
use crate::merge::{Merge, Merged};
use crate::options::StoreError;
use crate::page::Columns;
use crate::segment::{self, ChunkRef, Segment};
use crate::series::Cell;
use crate::store::Shared;
use crate::wal;
use crate::writer::Writer;

/// What upkeep keeps in mind between rounds.
pub(crate) struct Upkeep {
    /// Finished chunk files, in the order in which their newest samples pass retention.
    segments: Vec<Segment>,
    next_segment: u64,
    /// Files of native histograms.
    pub(crate) histograms: Files,
    /// The log has to be rewritten: a chunk file has taken what it holds.
    is_log_stale: bool,
    floor_logged: i64,
    merge: Option<Merge>,
    /// Files that nobody needs but views of this epoch and older ones.
    waste: Vec<(u64, u64)>,
    /// Files that are not merged: they have chunks that cannot be read.
    damaged: BTreeSet<u64>,
    /// A merge failed when this was the next file; the next comes with the next file.
    failed_at: Option<u64>,
}

impl Upkeep {
    pub(crate) fn new(mut segments: Vec<Segment>, next_segment: u64, histograms: Files) -> Self {
        segments.sort_by_key(|segment| segment.last_at);
        Self {
            segments,
            next_segment,
            histograms,
            is_log_stale: false,
            floor_logged: i64::MIN,
            merge: None,
            waste: Vec::new(),
            damaged: BTreeSet::new(),
            failed_at: None,
        }
    }

    /// The number of the next chunk file.
    pub(crate) fn next_segment(&self) -> u64 {
        self.next_segment
    }

    /// Takes note of a finished chunk file.
    pub(crate) fn add(&mut self, segment: Segment) {
        let is_before = |it: &Segment| it.last_at <= segment.last_at;
        let idx = self.segments.partition_point(is_before);
        self.segments.insert(idx, segment);
        self.next_segment = self.next_segment.max(segment.number + 1);
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

    /// Bytes in chunk files.
    pub(crate) fn bytes(&self) -> u64 {
        let floats: u64 = self.segments.iter().map(|segment| segment.bytes).sum();
        floats + self.histograms.bytes()
    }

    pub(crate) fn run(&mut self, shared: &Shared, now: Timestamp) -> Result<(), StoreError> {
        let floor = (now - shared.options.retention)
            .0
            .max(self.floor_by_bytes(shared));
        let (unseen, epoch) = shared.registry().raise_floor(floor);
        let cells: Vec<Arc<Cell>> = shared.index().cells().cloned().collect();
        let due = now - shared.options.head_span;
        let is_due = tend(shared, &cells, unseen, epoch, due.0);
        while self
            .segments
            .first()
            .is_some_and(|segment| segment.last_at <= unseen)
        {
            segment::remove(shared.disk(), self.segments[0].number)?;
            self.segments.remove(0);
        }
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
        self.remove_waste(shared)?;
        self.merge(shared)
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
        let floats = self.segments.iter().map(|it| (it.last_at, it.bytes));
        let mut files: Vec<_> = floats.chain(self.histograms.ages()).collect();
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

    /// Removes files that were merged, when no view can read from them any more.
    fn remove_waste(&mut self, shared: &Shared) -> Result<(), StoreError> {
        let oldest = shared.registry().oldest_live().unwrap_or(u64::MAX);
        while let Some(&(number, epoch)) = self.waste.first()
            && epoch < oldest
        {
            segment::remove(shared.disk(), number)?;
            self.waste.remove(0);
        }
        Ok(())
    }

    /// Begins a merge when there is something to merge, or goes on with one.
    fn merge(&mut self, shared: &Shared) -> Result<(), StoreError> {
        let mut merge = match self.merge.take() {
            Some(merge) => merge,
            None => match self.begin_merge(shared)? {
                Some(merge) => merge,
                None => return Ok(()),
            },
        };
        match merge.go_on(shared) {
            Ok(false) => {
                self.merge = Some(merge);
                return Ok(());
            }
            Ok(true) => {}
            Err(error) => {
                self.failed_at = Some(self.next_segment);
                merge.abort(shared)?;
                return Err(error);
            }
        }
        let Merged {
            segment,
            waste,
            damaged,
        } = merge.finish().inspect_err(|_| {
            self.failed_at = Some(self.next_segment);
        })?;
        self.segments.retain(|it| !waste.contains(&it.number));
        self.add(segment);
        let epoch = shared.registry().epoch();
        self.waste
            .extend(waste.into_iter().map(|number| (number, epoch)));
        self.damaged.extend(damaged);
        self.remove_waste(shared)
    }

    fn begin_merge(&mut self, shared: &Shared) -> Result<Option<Merge>, StoreError> {
        if self.failed_at == Some(self.next_segment) {
            return Ok(None);
        }
        let is_small = |it: &&Segment| !it.is_over && !self.damaged.contains(&it.number);
        let small = self.segments.iter().filter(is_small);
        let from: Vec<&Segment> = small.take(MERGED_FILES).collect();
        // A file goes whole: of a short retention it must not be a large part.
        let is_long = match from[..] {
            [first, .., last] => (last.last_at - first.last_at) > shared.options.retention.0 / 10,
            _ => true,
        };
        if from.len() < MERGED_FILES || is_long {
            return Ok(None);
        }
        let from = from.iter().map(|it| it.number).collect();
        let number = self.next_segment;
        self.next_segment += 1;
        Merge::begin(shared, number, from).map(Some)
    }

    /// Gives up a merge that goes on: chunks are about to change.
    pub(crate) fn abort_merge(&mut self, shared: &Shared) -> Result<(), StoreError> {
        match self.merge.take() {
            Some(merge) => merge.abort(shared),
            None => Ok(()),
        }
    }

    /// Writes the pages that will not change any more to a chunk file.
    fn file(&mut self, shared: &Shared, cells: &[Arc<Cell>], until: i64) -> Result<(), StoreError> {
        let number = self.next_segment;
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
        self.add(file.finish()?);
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
        file.finish(&mut self.histograms)?;
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

/// So many chunk files are merged into one: of two hours each, a day.
const MERGED_FILES: usize = 12;
/// So many series are written to the log between two appends.
const STATES_PER_FRAME: usize = 256;
/// A frame of histograms is written when it is longer than this.
const FRAME_BYTES: usize = 4 << 20;
/// A series that was resolved and got no sample goes after so many rounds of upkeep.
const EMPTY_ROUNDS_MAX: u8 = 60;
