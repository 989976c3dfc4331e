//! One series in memory: where its samples are, and which of them a view may see.
//!
//! From old to new: chunks in files, then sealed pages, then the tail of raw samples. Times never
//! overlap, so a view is a clamp on time: what is later than the last sample that it knew of is not
//! seen. Samples that came out of order stand apart with the epoch of their append, until no view
//! is older than it and [`State::merge_late`] may put them in place.

pub(crate) mod ask;
mod restore;

pub(crate) use self::restore::Open;

use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use firebell_model::{HistogramSample, Labels, Sample, SeriesId, Summary, TimeRange, Timestamp};

use crate::chunks::Chunks;
use crate::edges::Edges;
use crate::histogram::{self, Filed, Memory, Track};
use crate::page::{Columns, PAGE_SAMPLES_MAX, Page};
use crate::part::join;
use crate::segment::ChunkRef;
use crate::tail::{TAIL_SAMPLES_MAX, Tail};
use crate::tombstones::Deleted;
use crate::visible::Visible;

/// A series and its lock.
pub(crate) struct Cell {
    pub(crate) id: SeriesId,
    pub(crate) labels: Labels,
    state: Mutex<State>,
}

/// What the lock guards.
#[derive(Default)]
pub(crate) struct State {
    chunks: Chunks,
    pages: Vec<Page>,
    tail: Tail,
    late: Vec<Late>,
    /// Native histograms; most series have none.
    pub(crate) histograms: Option<Box<Track>>,
    pub(crate) deleted: Option<Box<Deleted>>,
    visible: Visible,
    edges: Option<Box<Edges>>,
    /// No append for long; such series are only selected for windows that reach back to them.
    pub(crate) is_dormant: bool,
    /// Rounds of upkeep for which there was nothing in the series.
    pub(crate) empty_rounds: u8,
    /// The log of pages has the series' labels.
    pub(crate) is_listed: bool,
    /// So many of the first pages are in the log of pages as they are; they are not filled up.
    n_logged: u32,
}

/// A sample that came out of order.
#[derive(Clone, Copy)]
pub(crate) struct Late {
    pub(crate) epoch: u64,
    pub(crate) at: i64,
    pub(crate) value: f64,
}

/// What a view knows of time: appends up to `epoch`, samples later than `floor`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Horizon {
    pub(crate) epoch: u64,
    pub(crate) floor: i64,
}

impl Cell {
    pub(crate) fn new(id: SeriesId, labels: Labels) -> Self {
        let state = Mutex::default();
        Self { id, labels, state }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, unless somebody else has it.
    pub(crate) fn try_state(&self) -> Option<MutexGuard<'_, State>> {
        match self.state.try_lock() {
            Ok(state) => Some(state),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

/// Writing.
impl State {
    /// Appends samples that are later than all before. `live` are the epochs of living views,
    /// sorted. True when the series comes: it was empty or dormant.
    pub(crate) fn append(&mut self, epoch: u64, samples: &[Sample], live: &[u64]) -> bool {
        let Some(last) = samples.last() else {
            return false;
        };
        let n = self.tail.len() + samples.len();
        let mut raw = samples;
        if n > TAIL_SAMPLES_MAX {
            let n_sealed = (n - TAIL_KEPT) / SEAL_SAMPLES * SEAL_SAMPLES;
            let mut columns = Columns::default();
            let n_tail = n_sealed.min(self.tail.len());
            self.tail.take(n_tail, &mut columns);
            let (old, new) = samples.split_at(n_sealed - n_tail);
            old.iter().for_each(|it| columns.push(it.at.0, it.value));
            self.seal(columns);
            raw = new;
        }
        if raw.len() > 1 {
            self.tail.reserve(raw.len());
        }
        for sample in raw {
            if self.tail.is_far(sample.at.0) {
                self.seal_tail();
            }
            self.tail.push(sample.at.0, sample.value);
        }
        self.advance(epoch, last.at.0, live)
    }

    /// Notes that appends of an epoch reach up to `at`. True when the series comes.
    pub(crate) fn advance(&mut self, epoch: u64, at: i64, live: &[u64]) -> bool {
        self.empty_rounds = 0;
        let was_hidden = self.is_hidden();
        let at = self.visible.last_at().map_or(at, |last| last.max(at));
        let is_first = self.visible.advance(epoch, at, live);
        std::mem::take(&mut self.is_dormant) || is_first || was_hidden
    }

    /// Takes a sample that is older than the newest. True when the series comes.
    pub(crate) fn append_late(&mut self, late: Late) -> bool {
        let was_hidden = self.is_hidden();
        let idx = self.late.partition_point(|known| known.at <= late.at);
        self.late.insert(idx, late);
        was_hidden && !self.is_hidden()
    }

    /// Takes a histogram that is older than the newest; see [`State::append_late`].
    pub(crate) fn append_late_histogram(&mut self, epoch: u64, late: HistogramSample) -> bool {
        let was_hidden = self.is_hidden();
        let track = self.histograms.get_or_insert_default();
        track.append_late(epoch, late);
        was_hidden && !self.is_hidden()
    }

    fn seal_tail(&mut self) {
        let mut columns = Columns::default();
        self.tail.take(self.tail.len(), &mut columns);
        self.seal(columns);
    }

    /// Makes pages of samples behind the last page, or fills that one up.
    fn seal(&mut self, mut columns: Columns) {
        let open = self.pages.get(self.n_logged as usize..).unwrap_or_default();
        let room = |page: &&Page| page.count() + columns.len() <= PAGE_SAMPLES_MAX;
        if let Some(last) = open.last().filter(room) {
            let mut joined = Columns::default();
            if last.as_bytes().columns(&mut joined).is_some() {
                joined.append(&mut columns);
                columns = joined;
                self.pages.pop();
            }
        }
        // Most often it is one page, of columns that need no copy; an empty one says nothing.
        if (1..=PAGE_SAMPLES_MAX).contains(&columns.len()) {
            self.push_page(&columns);
            return;
        }
        for run in columns.chunks(PAGE_SAMPLES_MAX) {
            self.push_page(&run);
        }
    }

    fn push_page(&mut self, columns: &Columns) {
        self.make_room_for_page();
        self.pages.push(Page::seal(columns));
    }

    fn make_room_for_page(&mut self) {
        if self.pages.len() == self.pages.capacity() {
            self.pages.reserve_exact(PAGES_STEP);
        }
    }

    /// The series gets no samples any more, or not for long: nothing is kept raw.
    pub(crate) fn end(&mut self) {
        self.is_dormant = true;
        self.seal_tail();
        if let Some(track) = &mut self.histograms {
            track.seal_tail();
        }
    }

    /// Puts late samples in place whose append all living views know. Of two samples at one time
    /// the one in place wins.
    pub(crate) fn merge_late(&mut self, epoch_min: u64) -> bool {
        if let Some(track) = &mut self.histograms {
            track.merge_late(epoch_min);
        }
        if self.late.is_empty() || self.late.iter().any(|late| late.epoch > epoch_min) {
            return false;
        }
        let late = std::mem::take(&mut self.late);
        let oldest = late[0].at;
        let mut columns = Columns::default();
        let keep = self.pages.partition_point(|page| page.last_at < oldest);
        self.n_logged = self.n_logged.min(keep as u32);
        for page in self.pages.drain(keep..) {
            // Bytes in memory were made here; were they bad, the late samples still are not.
            let _ = page.as_bytes().columns(&mut columns);
        }
        self.tail.take(self.tail.len(), &mut columns);
        let mut samples: Vec<(i64, f64)> = columns.at.into_iter().zip(columns.value).collect();
        samples.extend(late.iter().map(|late| (late.at, late.value)));
        samples.sort_by_key(|sample| sample.0);
        samples.dedup_by_key(|sample| sample.0);
        let (at, value) = samples.into_iter().unzip();
        self.seal(Columns { at, value });
        true
    }

    /// Adds a chunk that a file holds, later than all that is in files already. False when it is
    /// not later, and so is left out.
    pub(crate) fn add_chunk(&mut self, chunk: ChunkRef) -> bool {
        if self
            .filed_until()
            .is_some_and(|until| chunk.first_at <= until)
        {
            return false;
        }
        let is_newest = self
            .visible
            .last_at()
            .is_none_or(|last| last < chunk.last_at);
        if is_newest {
            self.visible.advance(0, chunk.last_at, &[]);
        }
        self.chunks.push(chunk);
        true
    }

    /// Puts a chunk that a file holds between those that are there; it takes the place of chunks
    /// that it overlaps. [`State::settle`] has to follow before anybody reads.
    pub(crate) fn place_chunk(&mut self, chunk: ChunkRef) {
        let last = self.visible.last_at();
        if last.is_none_or(|last| last < chunk.last_at) {
            self.visible.advance(0, chunk.last_at, &[]);
        }
        self.chunks.place(chunk);
    }

    /// Drops chunks that these files hold. [`State::settle`] has to follow before anybody reads.
    pub(crate) fn drop_chunks(&mut self, segments: &[u64]) {
        self.chunks.drop_of(segments);
    }

    /// Sums chunks up anew, after some were placed among them.
    pub(crate) fn settle(&mut self) {
        self.chunks.settle();
    }

    /// Drops what is not later than `floor`: chunks and pages whole. True when nothing is left.
    pub(crate) fn drop_until(&mut self, floor: i64) -> bool {
        self.chunks.drop_until(floor);
        let n_pages = self.pages.partition_point(|page| page.last_at <= floor);
        self.drop_pages(n_pages);
        self.late.retain(|late| late.at > floor);
        if self.deleted.as_mut().is_some_and(|it| it.drop_until(floor)) {
            self.deleted = None;
        }
        if let Some(track) = &mut self.histograms {
            track.drop_until(floor);
            if track.is_empty() {
                self.histograms = None;
            }
        }
        self.is_empty()
    }

    /// Sealed pages that will not change any more: all but the last, or all of a series that gets
    /// no samples any more; none at or past `until`, nor past a late sample that has no place yet.
    pub(crate) fn pages_to_file(&self, until: i64) -> &[Page] {
        let until = self.late.first().map_or(until, |late| until.min(late.at));
        let n = self.pages.partition_point(|page| page.last_at < until);
        let n_open = usize::from(!self.is_dormant || self.tail.len() > 0);
        &self.pages[..n.min(self.pages.len().saturating_sub(n_open))]
    }

    /// Appends the samples of pages that will not change any more; returns how many pages, and
    /// what they add up to.
    pub(crate) fn columns_to_file(
        &self,
        until: i64,
        out: &mut Columns,
    ) -> (usize, Option<Summary>) {
        let (mut n, mut sum) = (0, None);
        for page in self.pages_to_file(until) {
            let summary = page.as_bytes().summary(page.first_at);
            let len = out.len();
            let (Some(summary), Some(())) = (summary, page.as_bytes().columns(out)) else {
                out.split_off(len);
                break;
            };
            sum = join(sum, summary);
            n += 1;
        }
        (n, sum)
    }

    /// The chunks have the samples of the first pages now, up to their own end: the last page may
    /// have been filled up since, and what came there stays.
    pub(crate) fn filed(&mut self, chunks: impl Iterator<Item = ChunkRef>) {
        let (mut until, mut are_added) = (None, true);
        for chunk in chunks {
            let last_at = chunk.last_at;
            are_added &= self.add_chunk(chunk);
            until = are_added.then_some(last_at).or(until);
        }
        let Some(until) = until else {
            return;
        };
        let n_whole = self.pages.partition_point(|page| page.last_at <= until);
        self.drop_pages(n_whole);
        self.pages.shrink_to(PAGES_STEP);
        let Some(page) = self.pages.first_mut().filter(|it| it.first_at <= until) else {
            return;
        };
        let mut columns = Columns::default();
        // Bytes in memory were made here.
        if page.as_bytes().columns(&mut columns).is_some() {
            let n_filed = columns.at.partition_point(|&at| at <= until);
            *page = Page::seal(&columns.split_off(n_filed));
            self.n_logged = 0;
        }
    }

    /// Drops the first `n` pages.
    fn drop_pages(&mut self, n: usize) {
        self.pages.drain(..n);
        self.n_logged = self.n_logged.saturating_sub(n as u32);
    }
}

/// Reading.
impl State {
    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.list().is_empty()
            && self.pages.is_empty()
            && self.tail.len() == 0
            && self.late.is_empty()
            && self.histograms.is_none()
    }

    /// How many chunks, pages and late samples there are, and histograms in memory: fewer after some
    /// were dropped.
    pub(crate) fn n_parts(&self) -> usize {
        let histograms = self.histograms.as_ref().map(|track| track.figures());
        let n_histograms = histograms.map_or(0, |(n_memory, _, _, n_chunks)| n_memory + n_chunks);
        self.chunks.list().len() + self.pages.len() + self.late.len() + n_histograms as usize
    }

    /// Until when files hold the samples.
    pub(crate) fn filed_until(&self) -> Option<i64> {
        self.chunks.list().back().map(|chunk| chunk.last_at)
    }

    /// Until when files hold samples or histograms: late ones have to be later.
    pub(crate) fn all_filed_until(&self) -> Option<i64> {
        let track = self.histograms.as_ref();
        let histograms = track.and_then(|track| track.filed_until());
        self.filed_until().max(histograms)
    }

    /// The newest sample in place, or what stands for the newest histogram.
    pub(crate) fn newest(&self) -> Option<(i64, f64)> {
        let histogram = self.histograms.as_ref().and_then(|track| track.newest());
        let float = self.newest_float();
        float.into_iter().chain(histogram).max_by_key(|it| it.0)
    }

    fn newest_float(&self) -> Option<(i64, f64)> {
        if let Some(last) = self.tail.last() {
            return Some((last.at.0, last.value));
        }
        if let Some(page) = self.pages.last() {
            let mut columns = Columns::default();
            page.as_bytes().columns(&mut columns)?;
            return Some((page.last_at, *columns.value.last()?));
        }
        self.chunks.list().back().map(ChunkRef::newest)
    }

    /// The time of the newest float in place.
    pub(crate) fn newest_float_at(&self) -> Option<i64> {
        let tail = self.tail.last().map(|last| last.at.0);
        let page = self.pages.last().map(|page| page.last_at);
        tail.or(page).or(self.filed_until())
    }

    /// The time of the newest sample that ever was in place.
    pub(crate) fn newest_at(&self) -> Option<i64> {
        self.visible.last_at()
    }

    /// The oldest sample that only memory and log have.
    pub(crate) fn in_memory_since(&self) -> Option<i64> {
        let page = self.pages.first().map(|page| page.first_at);
        let tail = self.tail.first_at();
        let late = self.late.first().map(|late| late.at);
        [page, tail, late].into_iter().flatten().min()
    }

    /// Whether there are samples that only memory and log have.
    pub(crate) fn is_in_memory(&self) -> bool {
        !self.pages.is_empty() || self.tail.len() > 0 || !self.late.is_empty()
    }

    /// Whether there are samples or histograms in the range that only memory and log have.
    pub(crate) fn has_in_memory(&self, range: TimeRange) -> bool {
        let (mut samples, mut histograms) = (Vec::new(), Vec::new());
        // Damaged bytes count: they may have some.
        let is_read = self.memory_samples(range, &mut samples).is_some();
        let track = self.histograms.as_ref();
        let track = track.map(|it| it.in_memory(range, u64::MAX, &mut histograms));
        let is_empty = samples.is_empty() && histograms.is_empty();
        let is_read = is_read && track.is_none_or(|read| read.is_some());
        !is_read || !is_empty || !self.late_in(range, u64::MAX).is_empty()
    }

    /// The value at one moment, of what is in memory.
    pub(crate) fn value_at(&self, at: i64) -> Option<f64> {
        let range = TimeRange {
            after: Timestamp(at.saturating_sub(1)),
            until: Timestamp(at),
        };
        let late = self
            .late
            .iter()
            .find(|late| late.at == at)
            .map(|late| late.value);
        late.or_else(|| Some(self.memory_last(range)??.value))
    }

    /// The oldest sample.
    pub(crate) fn oldest_at(&self) -> Option<i64> {
        let chunk = self.chunks.list().front().map(|chunk| chunk.first_at);
        let page = || self.pages.first().map(|page| page.first_at);
        let tail = || self.tail.first_at();
        let in_place = chunk.or_else(page).or_else(tail);
        let late = self.late.first().map(|late| late.at);
        let histogram = self.histograms.as_ref().and_then(|track| track.oldest_at());
        [in_place, late, histogram].into_iter().flatten().min()
    }

    /// Whether all is deleted, so that views do not select the series.
    fn is_hidden(&self) -> bool {
        if self.deleted.is_none() {
            return false;
        }
        let newest = self.newest_at();
        newest.is_some_and(|newest| self.is_hidden_until(newest, u64::MAX))
    }

    /// Whether one delete hides all that a view of that epoch would see up to `until`.
    fn is_hidden_until(&self, until: i64, epoch: u64) -> bool {
        let Some(deleted) = &self.deleted else {
            return false;
        };
        let oldest = self.oldest_at();
        oldest.is_some_and(|oldest| deleted.hides_all((oldest, until), epoch))
    }

    /// Whether a view that sees `horizon` and looks no further back than `after` has to look here.
    pub(crate) fn may_have(&self, horizon: Horizon, after: i64) -> bool {
        let Some(until) = self.visible.until(horizon.epoch) else {
            return false;
        };
        if self.is_hidden_until(until, horizon.epoch) {
            return false;
        }
        let since = if self.is_dormant {
            after.max(horizon.floor)
        } else {
            horizon.floor
        };
        until > since
    }

    /// Whether what a view may see is neither all before a range nor all after it.
    pub(crate) fn spans(&self, range: TimeRange, horizon: Horizon) -> bool {
        let oldest = self.oldest_at();
        self.clamp(range, horizon).is_some() && oldest.is_some_and(|it| it <= range.until.0)
    }

    /// A range cut to what a view may see; `None` when nothing is left.
    pub(crate) fn clamp(&self, range: TimeRange, horizon: Horizon) -> Option<TimeRange> {
        let until = range.until.0.min(self.visible.until(horizon.epoch)?);
        let after = range.after.0.max(horizon.floor);
        (after < until).then_some(TimeRange {
            after: Timestamp(after),
            until: Timestamp(until),
        })
    }

    /// Chunks that some files hold, in runs of neighbours.
    pub(crate) fn chunks_of(&self, segments: &[u64]) -> Vec<Vec<ChunkRef>> {
        let is_of = |chunk: &ChunkRef| segments.contains(&chunk.segment);
        let mut runs: Vec<Vec<ChunkRef>> = Vec::new();
        let mut is_run = false;
        for chunk in self.chunks.list() {
            if !is_of(chunk) {
                is_run = false;
                continue;
            }
            if !is_run {
                runs.push(Vec::new());
                is_run = true;
            }
            if let Some(run) = runs.last_mut() {
                run.push(chunk.clone());
            }
        }
        runs
    }

    /// The files that hold its chunks.
    pub(crate) fn segments(&self) -> impl Iterator<Item = u64> {
        self.chunks.list().iter().map(|chunk| chunk.segment)
    }

    /// Chunks in files that the range touches.
    pub(crate) fn chunks_in(&self, range: TimeRange) -> impl DoubleEndedIterator<Item = &ChunkRef> {
        let (from, to) = self.chunk_span(range);
        self.chunks.list().range(from..to)
    }

    fn chunk_span(&self, range: TimeRange) -> (usize, usize) {
        let from = self
            .chunks
            .list()
            .partition_point(|chunk| chunk.last_at <= range.after.0);
        let to = self
            .chunks
            .list()
            .partition_point(|chunk| chunk.first_at <= range.until.0);
        (from, to.max(from))
    }

    /// Late samples in the range, in order of time.
    pub(crate) fn late_in(&self, range: TimeRange, epoch: u64) -> Vec<Sample> {
        let is_seen = |late: &&Late| late.epoch <= epoch && range.contains(Timestamp(late.at));
        let sample = |late: &Late| Sample {
            at: Timestamp(late.at),
            value: late.value,
        };
        self.late.iter().filter(is_seen).map(sample).collect()
    }

    /// Appends the samples of pages and tail in the range.
    pub(crate) fn memory_samples(&self, range: TimeRange, out: &mut Vec<Sample>) -> Option<()> {
        let mut columns = Columns::default();
        for page in self.pages_in(range) {
            columns.clear();
            page.as_bytes().columns(&mut columns)?;
            push_samples(&columns, range, out);
        }
        let span = self.tail.span(range);
        out.extend(span.map(|idx| self.tail.sample(idx)));
        Some(())
    }

    /// The newest sample of pages and tail in the range.
    pub(crate) fn memory_last(&self, range: TimeRange) -> Option<Option<Sample>> {
        if let Some(idx) = self.tail.span(range).next_back() {
            return Some(Some(self.tail.sample(idx)));
        }
        let mut columns = Columns::default();
        for page in self.pages_in(range).iter().rev() {
            columns.clear();
            page.as_bytes().columns(&mut columns)?;
            if let ([.., at], [.., value]) = columns.within(range) {
                let (at, value) = (Timestamp(*at), *value);
                return Some(Some(Sample { at, value }));
            }
        }
        Some(None)
    }

    fn pages_in(&self, range: TimeRange) -> &[Page] {
        let (from, to) = self.page_span(range);
        &self.pages[from..to]
    }

    fn page_span(&self, range: TimeRange) -> (usize, usize) {
        let from = self
            .pages
            .partition_point(|page| page.last_at <= range.after.0);
        let to = self
            .pages
            .partition_point(|page| page.first_at <= range.until.0);
        (from, to.max(from))
    }

    /// Samples and their bytes in memory, and samples and chunks in files.
    pub(crate) fn figures(&self) -> (u64, u64, u64, u64) {
        let in_pages: usize = self.pages.iter().map(Page::count).sum();
        let page_bytes: usize = self
            .pages
            .iter()
            .map(|page| page.bytes.len() + PAGE_EXTRA)
            .sum();
        let n_memory = in_pages + self.tail.len() + self.late.len();
        let bytes = page_bytes + self.tail.heap_bytes();
        let n_filed: u64 = self
            .chunks
            .list()
            .iter()
            .map(|chunk| u64::from(chunk.samples))
            .sum();
        let histograms = self.histograms.as_ref().map(|track| track.figures());
        let (n_in_memory, their_bytes, n_in_files, n_chunks) = histograms.unwrap_or_default();
        (
            n_memory as u64 + n_in_memory,
            bytes as u64 + their_bytes,
            n_filed + n_in_files,
            self.chunks.list().len() as u64 + n_chunks,
        )
    }
}

/// Native histograms.
impl State {
    /// Appends histograms that are later than all before; see [`State::append`].
    pub(crate) fn append_histograms(
        &mut self,
        epoch: u64,
        histograms: &[HistogramSample],
        live: &[u64],
    ) -> bool {
        let Some(last) = histograms.last() else {
            return false;
        };
        self.histograms.get_or_insert_default().append(histograms);
        self.advance(epoch, last.at.0, live)
    }

    /// Adds a chunk of histograms that a file holds; see [`Track::add_chunk`].
    pub(crate) fn add_histograms(&mut self, chunk: Filed, takes_over: bool) -> bool {
        let last_at = chunk.last_at;
        let track = self.histograms.get_or_insert_default();
        let is_added = track.add_chunk(chunk, takes_over);
        if is_added {
            self.advance(0, last_at, &[]);
        }
        is_added
    }

    /// Takes what a log remembers of the histograms in memory.
    pub(crate) fn restore_histograms(&mut self, memory: Memory) {
        let newest = self.histograms.get_or_insert_default().restore(memory);
        if let Some(newest) = newest {
            self.advance(0, newest, &[]);
        }
    }

    /// Pages of histograms that will not change any more.
    pub(crate) fn histograms_to_file(&self, until: i64) -> &[histogram::Page] {
        let track = self.histograms.as_ref();
        track.map_or(&[], |track| track.pages_to_file(until, self.is_dormant))
    }
}

/// Appends the samples in the range.
pub(crate) fn push_samples(columns: &Columns, range: TimeRange, out: &mut Vec<Sample>) {
    let (at, values) = columns.within(range);
    let samples = at.iter().zip(values).map(|(&at, &value)| Sample {
        at: Timestamp(at),
        value,
    });
    out.extend(samples);
}

/// What stays raw when a tail is sealed: ten minutes at 15 s. Rules ask most for windows of five, and
/// some for what was a while ago, or before samples that are ahead of them.
const TAIL_KEPT: usize = 40;
/// Tails give whole pages: less would mean to seal each of them several times.
const SEAL_SAMPLES: usize = PAGE_SAMPLES_MAX;
/// Room for pages grows by so many: most of the time there are few.
const PAGES_STEP: usize = 2;
/// What a page costs besides its bytes.
const PAGE_EXTRA: usize = size_of::<Page>() + 32;
