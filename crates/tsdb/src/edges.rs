//! What evaluations that come again and again would read again and again.
//!
//! A window that moves begins in the same chunk, and mostly in the same page, as the one before;
//! between its ends lie the same whole chunks. So a series keeps, by the times of their first and
//! last samples: chunks in which windows begin or end, the samples of pages there, and what runs of
//! whole chunks and pages add up to. Upkeep takes away what was not used since its last round.
//!
//! *Invariants*: all that is kept follows from the samples of its times. Whoever changes samples in
//! place forgets it.

use std::sync::atomic::{AtomicU64, Ordering};

use firebell_model::{Sample, Summary, TimeRange, Timestamp};

use crate::chunk::Chunk;
use crate::page::Columns;
use crate::part::{Part, is_rising, join};

/// What is kept of one series.
#[derive(Default)]
pub(crate) struct Edges {
    chunks: Shelf<EdgeChunk>,
    pages: Shelf<Cuttable>,
    sums: Shelf<Option<Summary>>,
}

/// How much all series of a store keep.
#[derive(Debug, Default)]
pub(crate) struct Room(AtomicU64);

impl Room {
    fn take(&self, bytes: u64) -> bool {
        if self.0.load(Ordering::Relaxed) + bytes > KEPT_BYTES_MAX {
            return false;
        }
        self.0.fetch_add(bytes, Ordering::Relaxed);
        true
    }

    fn give_back(&self, bytes: u64) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// First and last time.
type Times = (i64, i64);

struct Shelf<T>(Vec<Kept<T>>);

struct Kept<T> {
    times: Times,
    is_used: bool,
    bytes: u64,
    it: T,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Shelf<T> {
    #[inline]
    fn get(&mut self, times: Times) -> Option<&mut T> {
        let kept = self.0.iter_mut().find(|kept| kept.times == times)?;
        kept.is_used = true;
        Some(&mut kept.it)
    }

    fn put(&mut self, times: Times, it: T, bytes: u64, room: &Room) {
        if self.0.len() < KEPT_MAX && room.take(bytes) {
            let is_used = true;
            self.0.push(Kept {
                times,
                is_used,
                bytes,
                it,
            });
        }
    }

    fn retain(&mut self, keep: impl Fn(bool) -> bool, room: &Room) {
        self.0.retain_mut(|kept| {
            let is_kept = keep(std::mem::take(&mut kept.is_used));
            if !is_kept {
                room.give_back(kept.bytes);
            }
            is_kept
        });
    }
}

/// A chunk in which a window begins or ends.
pub(crate) struct EdgeChunk {
    chunk: Chunk,
    /// What its pages add up to, as far as somebody asked.
    summaries: Vec<Option<Option<Summary>>>,
}

impl EdgeChunk {
    pub(crate) fn new(chunk: Chunk) -> Self {
        let summaries = vec![None; chunk.entries().len()];
        Self { chunk, summaries }
    }

    fn bytes(&self) -> u64 {
        let summaries = self.summaries.len() * size_of::<Option<Option<Summary>>>();
        (self.chunk.heap_bytes() + summaries) as u64
    }

    fn summary(&mut self, page: usize) -> Option<Option<Summary>> {
        if self.summaries[page].is_none() {
            let mut columns = Columns::default();
            self.chunk.columns(page, &mut columns)?;
            self.summaries[page] = Some(columns.summary());
        }
        self.summaries[page]
    }

    /// What the samples in the range add up to. `None` when the chunk is damaged.
    fn part<P: Part>(
        &mut self,
        range: TimeRange,
        pages: &mut Shelf<Cuttable>,
        room: &Room,
    ) -> Option<Option<P>> {
        let mut sum = None;
        for page in self.chunk.span(range) {
            let entry = self.chunk.entries()[page];
            let part = if !entry.is_within(range) {
                let times = (entry.first_at, entry.last_at);
                let read = |out: &mut Columns| self.chunk.columns(page, out);
                cut(pages, times, range, read, room)?
            } else if let Some(part) = entry.part() {
                Some(part)
            } else {
                self.summary(page)?.map(P::of_summary)
            };
            sum = join(sum, part);
        }
        Some(sum)
    }
}

/// The samples of a page in which a window begins or ends.
struct Cuttable {
    columns: Columns,
    is_rising: bool,
    /// How far the samples are apart, when that is even: then their times need not be looked at.
    step: Option<i64>,
}

impl Cuttable {
    fn new(columns: Columns) -> Self {
        let at = &columns.at;
        let step = match at[..] {
            [first, second, ..] => second.wrapping_sub(first),
            _ => 0,
        };
        let is_even = step > 0 && at.windows(2).all(|it| it[1].wrapping_sub(it[0]) == step);
        Self {
            is_rising: is_rising(&columns.value),
            step: is_even.then_some(step),
            columns,
        }
    }

    /// How many samples are not later than `until`.
    fn n_until(&self, until: i64) -> usize {
        let at = &self.columns.at;
        match (at.first(), at.last()) {
            (Some(&first), _) if until < first => 0,
            (_, Some(&last)) if last <= until => at.len(),
            (Some(&first), _) => match self.step {
                Some(step) => ((until - first) / step) as usize + 1,
                None => at.partition_point(|&at| at <= until),
            },
            _ => 0,
        }
    }

    fn part<P: Part>(&self, range: TimeRange) -> Option<P> {
        let start = self.n_until(range.after.0);
        let span = start..self.n_until(range.until.0).max(start);
        let at = &self.columns.at[span.clone()];
        let values = &self.columns.value[span];
        let of_ends = match (at, values) {
            (&[first_at, .., last_at], &[first, .., last]) if self.is_rising => {
                let sample = |at: i64, value: f64| Sample {
                    at: Timestamp(at),
                    value,
                };
                let n = at.len() as u64;
                P::of_rising(n, sample(first_at, first), sample(last_at, last))
            }
            _ => None,
        };
        of_ends.or_else(|| P::of(values, |idx| at[idx]))
    }
}

/// What the samples of a page add up to that lie in the range.
fn cut<P: Part>(
    pages: &mut Shelf<Cuttable>,
    times: Times,
    range: TimeRange,
    read: impl FnOnce(&mut Columns) -> Option<()>,
    room: &Room,
) -> Option<Option<P>> {
    if let Some(columns) = pages.get(times) {
        return Some(columns.part(range));
    }
    let mut columns = Columns::default();
    read(&mut columns)?;
    let bytes = (columns.len() * 16) as u64;
    let page = Cuttable::new(columns);
    let part = page.part(range);
    pages.put(times, page, bytes, room);
    Some(part)
}

impl Edges {
    /// What the samples of a chunk add up to that lie in the range; `None` when it is not kept.
    pub(crate) fn chunk_part<P: Part>(
        &mut self,
        times: Times,
        range: TimeRange,
        room: &Room,
    ) -> Option<Option<P>> {
        let edge = self.chunks.get(times)?;
        edge.part(range, &mut self.pages, room)
    }

    /// The same of a chunk that was read just now, which is kept if there is room.
    pub(crate) fn new_chunk_part<P: Part>(
        &mut self,
        times: Times,
        chunk: Chunk,
        range: TimeRange,
        room: &Room,
    ) -> Option<Option<P>> {
        let mut edge = EdgeChunk::new(chunk);
        let part = edge.part(range, &mut self.pages, room)?;
        if self.chunks.get(times).is_none() {
            let bytes = edge.bytes();
            self.chunks.put(times, edge, bytes, room);
        }
        Some(part)
    }

    /// What the samples of a page add up to that lie in the range; `None` when it is damaged.
    pub(crate) fn page_part<P: Part>(
        &mut self,
        times: Times,
        range: TimeRange,
        read: impl FnOnce(&mut Columns) -> Option<()>,
        room: &Room,
    ) -> Option<Option<P>> {
        cut(&mut self.pages, times, range, read, room)
    }

    /// What a run of whole chunks and pages adds up to; `None` when there is damage.
    pub(crate) fn sum<P: Part>(
        &mut self,
        times: Times,
        add_up: impl FnOnce() -> Option<Option<Summary>>,
        room: &Room,
    ) -> Option<Option<P>> {
        if let Some(sum) = self.sums.get(times) {
            return Some(sum.map(P::of_summary));
        }
        let sum = add_up()?;
        let bytes = size_of::<Kept<Option<Summary>>>() as u64;
        self.sums.put(times, sum, bytes, room);
        Some(sum.map(P::of_summary))
    }

    /// Takes away what was not used since the last time; true when nothing is left.
    pub(crate) fn tidy(&mut self, room: &Room) -> bool {
        self.retain(|is_used| is_used, room)
    }

    /// Takes everything away.
    pub(crate) fn clear(&mut self, room: &Room) {
        self.retain(|_| false, room);
    }

    fn retain(&mut self, keep: impl Fn(bool) -> bool, room: &Room) -> bool {
        self.chunks.retain(&keep, room);
        self.pages.retain(&keep, room);
        self.sums.retain(&keep, room);
        self.chunks.0.is_empty() && self.pages.0.is_empty() && self.sums.0.is_empty()
    }
}

/// More is not kept of one series: windows of so many lengths at once are rare.
const KEPT_MAX: usize = 16;
/// More is not kept of all series together: then they are read again, as in a query for once.
const KEPT_BYTES_MAX: u64 = 96 << 20;
