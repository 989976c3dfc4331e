//! What evaluations that come again and again would read again and again.
//!
//! A window that moves begins in the same chunk, and mostly in the same page, as the one before;
//! between its ends lie the same whole chunks. So a series keeps, by the times of their first and
//! last samples: chunks in which windows begin or end, the samples of pages there, and what runs of
//! whole chunks and pages add up to; and of windows that come again all of it at once (see
//! `windows`). Upkeep takes away what was not used since its last round.
//!
//! *Invariants*: all that is kept follows from the samples of its times. Whoever changes samples in
//! place forgets it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use firebell_model::{Sample, Summary, TimeRange, Timestamp};

use crate::chunk::Chunk;
use crate::page::Columns;
use crate::part::{Part, is_rising, join};
use crate::windows::{Edge, Windows};

/// What is kept of one series.
#[derive(Default)]
pub(crate) struct Edges {
    chunks: Shelf<EdgeChunk>,
    pages: Shelf<Arc<Cuttable>>,
    sums: Shelf<Option<Summary>>,
    windows: Windows,
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
type Ends = (i64, i64);

/// Things of one kind by their times.
pub(crate) struct Shelf<T>(Vec<Kept<T>>);

struct Kept<T> {
    times: Ends,
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
    fn get(&mut self, times: Ends) -> Option<&mut T> {
        let kept = self.0.iter_mut().find(|kept| kept.times == times)?;
        kept.is_used = true;
        Some(&mut kept.it)
    }

    /// The first that is meant; it counts as used.
    #[inline]
    pub(crate) fn find(&mut self, is_meant: impl Fn(&T) -> bool) -> Option<&T> {
        let kept = self.0.iter_mut().find(|kept| is_meant(&kept.it))?;
        kept.is_used = true;
        Some(&kept.it)
    }

    /// What was used since the last round of upkeep.
    pub(crate) fn used(&self) -> impl Iterator<Item = &T> {
        self.0
            .iter()
            .filter(|kept| kept.is_used)
            .map(|kept| &kept.it)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.0.len() >= KEPT_MAX
    }

    /// Keeps a thing, if there is room for it and for what of it is elsewhere.
    pub(crate) fn put(&mut self, times: Ends, it: T, bytes_elsewhere: u64, room: &Room) {
        let bytes = size_of::<Kept<T>>() as u64 + bytes_elsewhere;
        if !self.is_full() && room.take(bytes) {
            let is_used = true;
            self.0.push(Kept {
                times,
                is_used,
                bytes,
                it,
            });
        }
    }

    fn retain(&mut self, keep: &impl Fn(bool) -> bool, room: &Room) {
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
        pages: &mut Shelf<Arc<Cuttable>>,
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
pub(crate) struct Cuttable {
    times: Times,
    values: Values,
    is_rising: bool,
}

/// When samples are.
enum Times {
    /// At even steps, above zero, from the first one; so many.
    Even(i64, i64, usize),
    Uneven(Box<[i64]>),
}

/// Values, bit for bit: of a hundred thousand windows, every byte of them counts.
enum Values {
    /// Whole numbers, as their distance from the first.
    Whole(f64, Box<[i32]>),
    Float(Box<[f64]>),
}

impl Times {
    fn new(at: &[i64]) -> Self {
        if let &[first, second, ..] = at {
            let step = second.wrapping_sub(first);
            if step > 0 && at.windows(2).all(|it| it[1].wrapping_sub(it[0]) == step) {
                return Self::Even(first, step, at.len());
            }
        }
        Self::Uneven(at.into())
    }

    fn at(&self, idx: usize) -> i64 {
        match self {
            Self::Even(first, step, _) => first + idx as i64 * step,
            Self::Uneven(at) => at[idx],
        }
    }

    /// How many samples are not later than `until`.
    fn n_until(&self, until: i64) -> usize {
        match *self {
            Self::Even(first, _, _) if until < first => 0,
            Self::Even(first, step, n) => {
                let n_steps = until.abs_diff(first) / step.unsigned_abs();
                usize::try_from(n_steps).map_or(n, |steps| n.min(steps.saturating_add(1)))
            }
            Self::Uneven(ref at) => at.partition_point(|&at| at <= until),
        }
    }
}

impl Values {
    fn new(values: Vec<f64>) -> Self {
        let first = values.first().copied().unwrap_or(0.0);
        let distance = |&value: &f64| {
            let distance = (value - first) as i32;
            let again = first + f64::from(distance);
            (again.to_bits() == value.to_bits()).then_some(distance)
        };
        let whole: Option<Box<[i32]>> = values.iter().map(distance).collect();
        match whole {
            Some(distances) => Self::Whole(first, distances),
            None => Self::Float(values.into()),
        }
    }

    fn get(&self, idx: usize) -> f64 {
        match self {
            Self::Whole(first, distances) => first + f64::from(distances[idx]),
            Self::Float(values) => values[idx],
        }
    }
}

impl Cuttable {
    fn new(columns: Columns) -> Self {
        Self {
            is_rising: is_rising(&columns.value),
            times: Times::new(&columns.at),
            values: Values::new(columns.value),
        }
    }

    pub(crate) fn part<P: Part>(&self, range: TimeRange) -> Option<P> {
        let start = self.times.n_until(range.after.0);
        let span = start..self.times.n_until(range.until.0).max(start);
        if self.is_rising && span.len() > 1 {
            let sample = |idx: usize| Sample {
                at: Timestamp(self.times.at(idx)),
                value: self.values.get(idx),
            };
            let (first, last) = (sample(span.start), sample(span.end - 1));
            if let Some(part) = P::of_ends(span.len() as u64, first, last, 0.0) {
                return Some(part);
            }
        }
        let at = |idx: usize| self.times.at(start + idx);
        match &self.values {
            Values::Float(values) => P::of(&values[span], at),
            Values::Whole(..) => {
                let values: Vec<f64> = span.map(|idx| self.values.get(idx)).collect();
                P::of(&values, at)
            }
        }
    }

    /// Bytes on the heap.
    fn bytes(&self) -> u64 {
        let times = match &self.times {
            Times::Even(..) => 0,
            Times::Uneven(at) => size_of_val(&**at),
        };
        let values = match &self.values {
            Values::Whole(_, distances) => size_of_val(&**distances),
            Values::Float(values) => size_of_val(&**values),
        };
        (times + values) as u64
    }
}

/// What the samples of a page add up to that lie in the range.
fn cut<P: Part>(
    pages: &mut Shelf<Arc<Cuttable>>,
    times: Ends,
    range: TimeRange,
    read: impl FnOnce(&mut Columns) -> Option<()>,
    room: &Room,
) -> Option<Option<P>> {
    if let Some(columns) = pages.get(times) {
        return Some(columns.part(range));
    }
    let mut columns = Columns::default();
    read(&mut columns)?;
    let page = Cuttable::new(columns);
    let part = page.part(range);
    let bytes = size_of::<Cuttable>() as u64 + page.bytes();
    pages.put(times, Arc::new(page), bytes, room);
    Some(part)
}

impl Edges {
    /// What the samples of a chunk add up to that lie in the range; `None` when it is not kept.
    pub(crate) fn chunk_part<P: Part>(
        &mut self,
        times: Ends,
        range: TimeRange,
        room: &Room,
    ) -> Option<Option<P>> {
        let edge = self.chunks.get(times)?;
        edge.part(range, &mut self.pages, room)
    }

    /// The same of a chunk that was read just now, which is kept if there is room.
    pub(crate) fn new_chunk_part<P: Part>(
        &mut self,
        times: Ends,
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
        times: Ends,
        range: TimeRange,
        read: impl FnOnce(&mut Columns) -> Option<()>,
        room: &Room,
    ) -> Option<Option<P>> {
        cut(&mut self.pages, times, range, read, room)
    }

    /// What a run of whole chunks and pages adds up to; `None` when there is damage.
    pub(crate) fn sum<P: Part>(
        &mut self,
        times: Ends,
        add_up: impl FnOnce() -> Option<Option<Summary>>,
        room: &Room,
    ) -> Option<Option<P>> {
        if let Some(sum) = self.sums.get(times) {
            return Some(sum.map(P::of_summary));
        }
        let sum = add_up()?;
        self.sums.put(times, sum, 0, room);
        Some(sum.map(P::of_summary))
    }

    /// The edge of windows that begin or end at `at` in this chunk; `None` when it is not kept.
    pub(crate) fn edge_in_chunk(&mut self, times: Ends, at: i64) -> Option<Edge> {
        let entries = self.chunks.get(times)?.chunk.entries();
        let next = entries.partition_point(|entry| entry.first_at <= at);
        let entry = *entries.get(next.checked_sub(1)?)?;
        if at >= entry.last_at {
            return Some(Edge::gap(entry.last_at, entries.get(next)?.first_at));
        }
        self.edge_in_page((entry.first_at, entry.last_at))
    }

    /// The edge of windows that begin or end in this page; `None` when it is not kept.
    pub(crate) fn edge_in_page(&mut self, times: Ends) -> Option<Edge> {
        let page = Some(Arc::clone(self.pages.get(times)?));
        Some(Edge { times, page })
    }

    pub(crate) fn windows(&mut self) -> &mut Windows {
        &mut self.windows
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
        // A page stays as long as a window holds it: what it takes is counted here.
        for page in self.windows.pages_in_use() {
            self.pages.find(|it| Arc::ptr_eq(it, &page));
        }
        self.windows.growths.retain(&keep, room);
        self.windows.summaries.retain(&keep, room);
        self.chunks.retain(&keep, room);
        self.pages.retain(&keep, room);
        self.sums.retain(&keep, room);
        let Windows { growths, summaries } = &self.windows;
        let are_windows_gone = growths.0.is_empty() && summaries.0.is_empty();
        let is_rest_gone = self.pages.0.is_empty() && self.sums.0.is_empty();
        self.chunks.0.is_empty() && is_rest_gone && are_windows_gone
    }
}

/// More is not kept of one series: windows of so many lengths at once are rare.
const KEPT_MAX: usize = 16;
/// More is not kept of all series together: then they are read again, as in a query for once.
const KEPT_BYTES_MAX: u64 = 96 << 20;

#[cfg(test)]
mod tests {
    use firebell_model::{Growth, STALE_NAN};

    use super::*;

    fn check(value: impl Fn(i64) -> f64, at: impl Fn(i64) -> i64, bytes: u64) {
        let columns = Columns {
            at: (0..480).map(at).collect(),
            value: (0..480).map(value).collect(),
        };
        let page = Cuttable::new(columns.clone());
        assert_eq!(page.bytes(), bytes);
        for (after, until) in [
            (-9, 9),
            (0, 7_185_000),
            (14_999, 15_000),
            (600_000, 601_000),
        ] {
            let range = TimeRange {
                after: Timestamp(after),
                until: Timestamp(until),
            };
            let (at, values) = columns.within(range);
            let growth: Option<Growth> = Part::of(values, |idx| at[idx]);
            let summary: Option<Summary> = Part::of(values, |idx| at[idx]);
            let found: Option<Growth> = page.part(range);
            assert_eq!(
                format!("{found:?}"),
                format!("{growth:?}"),
                "{after}..{until}"
            );
            let found: Option<Summary> = page.part(range);
            assert_eq!(
                format!("{found:?}"),
                format!("{summary:?}"),
                "{after}..{until}"
            );
        }
    }

    #[test]
    fn pages_of_counters_are_kept_in_four_bytes_a_sample() {
        let even = |n: i64| n * 15_000;
        check(|n| (n * 700) as f64 + 1e12, even, 480 * 4);
        check(|n| (n % 100) as f64, even, 480 * 4);
        check(|n| n as f64, |n| n * 15_000 + n % 3, 480 * 12);
        check(|n| (n as f64).sqrt(), even, 480 * 8);
        for odd in [-0.0, STALE_NAN, f64::INFINITY, 1e300] {
            check(|n| if n == 77 { odd } else { n as f64 }, even, 480 * 8);
            check(|n| if n == 0 { odd } else { n as f64 }, even, 480 * 8);
        }
    }
}
