//! The native histograms of a series: as its floats, chunks in files, sealed pages, a raw tail, and
//! late ones apart.
//!
//! *Invariants*: as in `series`. Floats and histograms of a series share its newest time and what views
//! see of it; no moment has both.

mod backfill;
mod file;
mod merge;
mod page;

use std::collections::VecDeque;

use firebell_model::{HistogramSample, TimeRange, Timestamp};

pub(crate) use self::backfill::push as backfill;
pub(crate) use self::file::{FileWriter, Filed, open};
pub(crate) use self::page::{PAGE_HISTOGRAMS_MAX, Page, is_storable, mark, put, read};

/// The histograms of a series.
#[derive(Default)]
pub(crate) struct Track {
    pub(crate) chunks: VecDeque<Filed>,
    pub(crate) pages: Vec<Page>,
    pub(crate) tail: Vec<HistogramSample>,
    late: Vec<Late>,
}

/// A histogram that came out of order.
struct Late {
    epoch: u64,
    histogram: HistogramSample,
}

/// Writing.
impl Track {
    /// Appends histograms that are later than all before.
    pub(crate) fn append(&mut self, histograms: &[HistogramSample]) {
        self.tail.extend_from_slice(histograms);
        if self.tail.len() > TAIL_MAX {
            let n_sealed = (self.tail.len() - TAIL_KEPT) / SEAL_AT_ONCE * SEAL_AT_ONCE;
            let sealed: Vec<_> = self.tail.drain(..n_sealed).collect();
            self.seal(sealed);
        }
    }

    /// Takes a histogram that is older than the newest.
    pub(crate) fn append_late(&mut self, epoch: u64, histogram: HistogramSample) {
        let place = self
            .late
            .partition_point(|known| known.histogram.at <= histogram.at);
        self.late.insert(place, Late { epoch, histogram });
    }

    /// Makes pages of histograms behind the last page, or fills that one up.
    fn seal(&mut self, mut histograms: Vec<HistogramSample>) {
        let room = |page: &&Page| page.count as usize + histograms.len() <= PAGE_HISTOGRAMS_MAX;
        if let Some(last) = self.pages.last().filter(room) {
            let mut joined = Vec::with_capacity(PAGE_HISTOGRAMS_MAX);
            if read(&last.bytes, ALL_TIME, &mut joined).is_some() {
                joined.append(&mut histograms);
                histograms = joined;
                self.pages.pop();
            }
        }
        self.pages
            .extend(histograms.chunks(PAGE_HISTOGRAMS_MAX).map(Page::seal));
    }

    /// Nothing is kept raw.
    pub(crate) fn seal_tail(&mut self) {
        let tail = std::mem::take(&mut self.tail);
        self.seal(tail);
    }

    /// Puts late histograms in place whose append all living views know. Of two at one time the one
    /// in place wins.
    pub(crate) fn merge_late(&mut self, epoch_min: u64) {
        if self.late.is_empty() || self.late.iter().any(|late| late.epoch > epoch_min) {
            return;
        }
        let late = std::mem::take(&mut self.late);
        let oldest = late[0].histogram.at.0;
        let keep = self.pages.partition_point(|page| page.last_at < oldest);
        let mut all = Vec::new();
        for page in self.pages.drain(keep..) {
            // Bytes in memory were made here; were they bad, the late ones still are not.
            let _ = read(&page.bytes, ALL_TIME, &mut all);
        }
        all.append(&mut self.tail);
        all.extend(late.into_iter().map(|late| late.histogram));
        all.sort_by_key(|it| it.at);
        all.dedup_by_key(|it| it.at);
        self.seal(all);
    }

    /// Adds a chunk that a file holds. It takes the place of chunks that it overlaps when
    /// `takes_over`; otherwise it is left out when it is not later than all that is there, and that
    /// is false.
    pub(crate) fn add_chunk(&mut self, chunk: Filed, takes_over: bool) -> bool {
        let from = self
            .chunks
            .partition_point(|it| it.last_at < chunk.first_at);
        let to = self
            .chunks
            .partition_point(|it| it.first_at <= chunk.last_at);
        if !takes_over && from < self.chunks.len() {
            return false;
        }
        self.chunks.drain(from..to.max(from));
        self.chunks.insert(from, chunk);
        true
    }

    /// Takes what a log remembers of memory in place of what is there; what files hold by now is
    /// left out. Returns the newest time.
    pub(crate) fn restore(&mut self, memory: Memory) -> Option<i64> {
        let filed = self.filed_until().unwrap_or(i64::MIN);
        self.pages.clear();
        self.tail.clear();
        self.late.clear();
        let Memory { pages, tail, late } = memory;
        let mut rest = Vec::new();
        for page in pages {
            if page.first_at > filed && rest.is_empty() {
                self.pages.push(page);
            } else {
                let _ = read(&page.bytes, ALL_TIME, &mut rest);
            }
        }
        rest.extend(tail);
        rest.retain(|it| it.at.0 > filed);
        self.append(&rest);
        for histogram in late.into_iter().filter(|it| it.at.0 > filed) {
            self.append_late(0, histogram);
        }
        self.in_place_until()
    }

    /// Drops what is not later than `floor`: chunks and pages whole.
    pub(crate) fn drop_until(&mut self, floor: i64) {
        let n_chunks = self.chunks.partition_point(|chunk| chunk.last_at <= floor);
        self.chunks.drain(..n_chunks);
        let n_pages = self.pages.partition_point(|page| page.last_at <= floor);
        self.pages.drain(..n_pages);
        self.late.retain(|late| late.histogram.at.0 > floor);
    }

    /// Pages that will not change any more; see the same for floats.
    pub(crate) fn pages_to_file(&self, until: i64, is_dormant: bool) -> &[Page] {
        let late = self.late.first().map(|late| late.histogram.at.0);
        let until = late.map_or(until, |late| until.min(late));
        let n = self.pages.partition_point(|page| page.last_at < until);
        let n_open = usize::from(!is_dormant || !self.tail.is_empty());
        &self.pages[..n.min(self.pages.len().saturating_sub(n_open))]
    }

    /// Files have the first pages now, as these chunks.
    pub(crate) fn filed(&mut self, chunks: Vec<Filed>) {
        for chunk in chunks {
            let until = chunk.last_at;
            if !self.add_chunk(chunk, false) {
                continue;
            }
            let page = self.pages.remove(0);
            if page.last_at > until {
                // It was filled up meanwhile.
                let mut rest = Vec::new();
                let _ = read(&page.bytes, ALL_TIME, &mut rest);
                rest.retain(|it| it.at.0 > until);
                self.pages.insert(0, Page::seal(&rest));
            }
        }
    }
}

/// What a log has to remember of a series' histograms.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) pages: Vec<Page>,
    pub(crate) tail: Vec<HistogramSample>,
    pub(crate) late: Vec<HistogramSample>,
}

/// Reading.
impl Track {
    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty() && !self.is_in_memory()
    }

    pub(crate) fn is_in_memory(&self) -> bool {
        !self.pages.is_empty() || !self.tail.is_empty() || !self.late.is_empty()
    }

    pub(crate) fn filed_until(&self) -> Option<i64> {
        self.chunks.back().map(|chunk| chunk.last_at)
    }

    /// The time of the newest histogram in place.
    pub(crate) fn in_place_until(&self) -> Option<i64> {
        let tail = self.tail.last().map(|it| it.at.0);
        let page = self.pages.last().map(|page| page.last_at);
        tail.or(page).or(self.filed_until())
    }

    /// The newest histogram in place: when, and what it is known by.
    pub(crate) fn newest(&self) -> Option<(i64, f64)> {
        let marked = |it: &HistogramSample| (it.at.0, mark(it).value);
        if let Some(last) = self.tail.last() {
            return Some(marked(last));
        }
        let Some(page) = self.pages.last() else {
            return self
                .chunks
                .back()
                .map(|chunk| (chunk.last_at, chunk.last_mark));
        };
        let mut histograms = Vec::new();
        read(&page.bytes, ALL_TIME, &mut histograms)?;
        histograms.last().map(marked)
    }

    pub(crate) fn oldest_at(&self) -> Option<i64> {
        let chunk = self.chunks.front().map(|chunk| chunk.first_at);
        chunk.or(self.in_memory_since())
    }

    pub(crate) fn in_memory_since(&self) -> Option<i64> {
        let page = self.pages.first().map(|page| page.first_at);
        let tail = self.tail.first().map(|it| it.at.0);
        let late = self.late.first().map(|late| late.histogram.at.0);
        [page, tail, late].into_iter().flatten().min()
    }

    /// What the histogram of one moment is known by, of those in memory.
    pub(crate) fn mark_at(&self, at: i64) -> Option<f64> {
        let range = TimeRange {
            after: Timestamp(at.saturating_sub(1)),
            until: Timestamp(at),
        };
        let mut found = Vec::new();
        self.in_memory(range, u64::MAX, &mut found);
        found.first().map(|it| mark(it).value)
    }

    /// Appends the histograms of memory that lie in the range, in order of time. `None` when bytes
    /// are damaged.
    pub(crate) fn in_memory(
        &self,
        range: TimeRange,
        epoch: u64,
        out: &mut Vec<HistogramSample>,
    ) -> Option<()> {
        for page in self.pages.iter().filter(|page| page.touches(range)) {
            read(&page.bytes, range, out)?;
        }
        out.extend(self.tail.iter().filter(|it| range.contains(it.at)).cloned());
        let is_seen = |late: &&Late| late.epoch <= epoch && range.contains(late.histogram.at);
        out.extend(
            self.late
                .iter()
                .filter(is_seen)
                .map(|late| late.histogram.clone()),
        );
        Some(())
    }

    /// Chunks in files that the range touches.
    pub(crate) fn chunks_in(&self, range: TimeRange) -> impl Iterator<Item = &Filed> {
        self.chunks
            .iter()
            .filter(move |chunk| range.after.0 < chunk.last_at && chunk.first_at <= range.until.0)
    }

    pub(crate) fn late(&self) -> Vec<HistogramSample> {
        self.late
            .iter()
            .map(|late| late.histogram.clone())
            .collect()
    }

    /// Histograms and their bytes in memory, and histograms and chunks in files.
    pub(crate) fn figures(&self) -> (u64, u64, u64, u64) {
        let in_pages: u64 = self.pages.iter().map(|page| u64::from(page.count)).sum();
        let page_bytes: usize = self.pages.iter().map(|page| page.bytes.len()).sum();
        let raw_bytes = |it: &HistogramSample| {
            let n = it.histogram.positive.counts.len() + it.histogram.negative.counts.len();
            size_of_val(&*it.histogram) + n * size_of::<f64>()
        };
        let tail_bytes: usize = self.tail.iter().map(raw_bytes).sum();
        let n_filed = self.chunks.iter().map(|chunk| u64::from(chunk.count)).sum();
        (
            in_pages + (self.tail.len() + self.late.len()) as u64,
            (page_bytes + tail_bytes) as u64,
            n_filed,
            self.chunks.len() as u64,
        )
    }
}

pub(crate) const ALL_TIME: TimeRange = TimeRange {
    after: Timestamp::MIN,
    until: Timestamp::MAX,
};
/// A tail this long gives its oldest to a page.
const TAIL_MAX: usize = 50;
/// What stays raw then: a window of five minutes at 15 s.
const TAIL_KEPT: usize = 20;
const SEAL_AT_ONCE: usize = 30;
