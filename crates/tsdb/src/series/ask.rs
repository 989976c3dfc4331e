//! What evaluations ask of a series: what its samples add up to, and what is raw, at once.
//!
//! *Invariants*: nothing here reads a file; what would have to be read is named.

use firebell_model::{Sample, TimeRange, is_stale};

use super::{Horizon, State};
use crate::chunk::Chunk;
use crate::edges::Room;
use crate::page::Columns;
use crate::part::{Part, join};
use crate::segment::ChunkRef;
use crate::windows::{Edge, Window};

/// The parts of a summary that are still to be read from chunk files, and those that are not.
pub(crate) struct Partial<P> {
    pub(crate) first: Cut<P>,
    pub(crate) whole: Option<P>,
    pub(crate) last: Cut<P>,
    pub(crate) tail: Option<P>,
}

impl<P: Part> Partial<P> {
    /// The sum, when nothing has to be read for it.
    fn known(self) -> Option<Option<P>> {
        match self {
            Self {
                first: Cut::Known(first),
                whole,
                last: Cut::Known(last),
                tail,
            } => Some(join(join(join(first, whole), last), tail)),
            _ => None,
        }
    }
}

/// A chunk that a range cuts.
pub(crate) enum Cut<P> {
    Known(Option<P>),
    Unread(ChunkRef),
}

impl State {
    /// Whether all samples of the range are raw and in place: the cheapest read.
    fn is_raw(&self, range: TimeRange) -> bool {
        // The first question is the cheaper one, and mostly answers for short windows.
        let begins_by = |first_at: i64| first_at <= range.after.0;
        let is_sealed_before = || self.sealed_until().is_none_or(|at| at <= range.after.0);
        self.late.is_empty() && (self.tail.first_at().is_some_and(begins_by) || is_sealed_before())
    }

    /// Has the processor fetch what reads of a range that ends now look at; the result means nothing.
    pub(crate) fn look(&self, range: TimeRange) -> usize {
        let (n_late, visible_at) = (self.late.len(), self.visible.last_at());
        self.tail.look(range) ^ n_late ^ visible_at.unwrap_or(0) as usize
    }

    /// The time of the newest sample that is not in the tail.
    fn sealed_until(&self) -> Option<i64> {
        let page = self.pages.last().map(|page| page.last_at);
        page.or_else(|| self.filed_until())
    }

    /// Appends what a view sees of the range without stale markers, when all of it is raw. False
    /// when it is not.
    pub(crate) fn raw_samples(
        &self,
        range: TimeRange,
        horizon: Horizon,
        out: &mut Vec<Sample>,
    ) -> bool {
        let Some(range) = self.clamp(range, horizon) else {
            return true;
        };
        if !self.is_raw(range) {
            return false;
        }
        let span = self.tail.span(range);
        let samples = span.map(|idx| self.tail.sample(idx));
        out.extend(samples.filter(|sample| !is_stale(sample.value)));
        true
    }

    /// The latest sample that a view sees of the range, when it is raw.
    pub(crate) fn raw_last(&self, range: TimeRange, horizon: Horizon) -> Option<Option<Sample>> {
        let Some(range) = self.clamp(range, horizon) else {
            return Some(None);
        };
        if !self.late.is_empty() {
            return None;
        }
        let last = self.tail.span(range).next_back();
        let last = last.map(|idx| self.tail.sample(idx));
        (last.is_some() || self.is_raw(range)).then_some(last)
    }

    /// What the samples in the range add up to, but for up to two chunks that have to be read.
    /// `None` when bytes are damaged.
    pub(crate) fn partial<P: Part>(&mut self, range: TimeRange, room: &Room) -> Option<Partial<P>> {
        let (mut from, mut to) = self.chunk_span(range);
        let (mut page_from, mut page_to) = self.page_span(range);
        let edges = self.edges.get_or_insert_default();
        let chunks = self.chunks.list();
        let mut cut_chunk = |idx: usize| {
            let chunk = &chunks[idx];
            let times = (chunk.first_at, chunk.last_at);
            let known = edges.chunk_part(times, range, room);
            known.map_or_else(|| Cut::Unread(chunk.clone()), Cut::Known)
        };
        let is_cut = |idx: usize| !chunks[idx].is_within(range);
        let (mut first, mut last) = (Cut::Known(None), Cut::Known(None));
        if from < to && is_cut(from) {
            first = cut_chunk(from);
            from += 1;
        }
        if from < to && is_cut(to - 1) {
            last = cut_chunk(to - 1);
            to -= 1;
        }
        let mut cut_page = |idx: usize| {
            let page = &self.pages[idx];
            let read = |out: &mut Columns| page.as_bytes().columns(out);
            edges.page_part((page.first_at, page.last_at), range, read, room)
        };
        let is_cut = |idx: usize| !self.pages[idx].is_within(range);
        let begins_before = |idx: usize| self.pages[idx].first_at <= range.after.0;
        let (mut before, mut after) = (None, None);
        if page_from < page_to && begins_before(page_from) {
            before = cut_page(page_from)?;
            page_from += 1;
        }
        if page_from < page_to && is_cut(page_to - 1) {
            after = cut_page(page_to - 1)?;
            page_to -= 1;
        }
        let pages = &self.pages[page_from..page_to];
        let begin = if from < to {
            Some(chunks[from].first_at)
        } else {
            pages.first().map(|page| page.first_at)
        };
        let end = match pages.last() {
            Some(page) => Some(page.last_at),
            None => (from < to).then(|| chunks[to - 1].last_at),
        };
        let add_up = || {
            let filed = self.chunks.fold(from..to);
            let summaries = pages
                .iter()
                .map(|page| page.as_bytes().summary(page.first_at));
            summaries
                .into_iter()
                .try_fold(filed, |sum, next| Some(join(sum, next?)))
        };
        let whole = match begin.zip(end) {
            Some(times) => edges.sum(times, add_up, room)?,
            None => None,
        };
        // A page that is cut at its start comes before all whole ones, and then no chunk does.
        let whole = join(join(before, whole), after);
        let tail = self.tail.part(range);
        Some(Partial {
            first,
            whole,
            last,
            tail,
        })
    }

    /// What the samples that a view sees in the range add up to, when nothing has to be read for it.
    pub(crate) fn known_part<P: Part>(
        &mut self,
        range: TimeRange,
        horizon: Horizon,
        room: &Room,
    ) -> Option<Option<P>> {
        let Some(range) = self.clamp(range, horizon) else {
            return Some(None);
        };
        if self.is_raw(range) {
            return Some(self.tail.part(range));
        }
        if !self.late.is_empty() {
            return None;
        }
        let sealed_until = self.sealed_until();
        let windows = self.edges.as_mut().map(|edges| edges.windows());
        let kept = windows.and_then(|it| it.part(range, sealed_until));
        if let Some(sealed) = kept {
            return Some(join(sealed, self.tail.part(range)));
        }
        let part = self.partial(range, room)?.known()?;
        self.keep_window::<P>(range, room);
        Some(part)
    }

    /// Keeps what windows that begin and end near this one have in common.
    fn keep_window<P: Part>(&mut self, range: TimeRange, room: &Room) {
        let windows = self.edges.get_or_insert_default().windows();
        if P::windows(windows).is_full() {
            return;
        }
        let (Some(first), Some(last)) = (self.edge(range.after.0), self.edge(range.until.0)) else {
            return;
        };
        if first.times == last.times {
            return;
        }
        let between = first.until(&last, range);
        let partial = self.partial::<P>(between, room);
        let Some(between) = partial.and_then(Partial::known) else {
            return;
        };
        let window = Window {
            first,
            between,
            last,
        };
        let windows = self.edges.get_or_insert_default().windows();
        windows.put(window, room);
    }

    /// The edge of windows that begin or end at `at`. `None` when its page is not kept, and when
    /// nothing is sealed.
    fn edge(&mut self, at: i64) -> Option<Edge> {
        let sealed_until = self.sealed_until()?;
        if at >= sealed_until {
            return Some(Edge::tail(sealed_until));
        }
        let edges = self.edges.get_or_insert_default();
        let next = self.pages.partition_point(|page| page.first_at <= at);
        if let Some(page) = next.checked_sub(1).map(|idx| &self.pages[idx]) {
            if at < page.last_at {
                return edges.edge_in_page((page.first_at, page.last_at));
            }
            return Some(Edge::gap(page.last_at, self.pages.get(next)?.first_at));
        }
        let chunks = self.chunks.list();
        let next = chunks.partition_point(|chunk| chunk.first_at <= at);
        let page = self.pages.first().map(|page| page.first_at);
        let end = chunks.get(next).map(|chunk| chunk.first_at).or(page)?;
        match next.checked_sub(1).map(|idx| &chunks[idx]) {
            Some(chunk) if at < chunk.last_at => {
                edges.edge_in_chunk((chunk.first_at, chunk.last_at), at)
            }
            Some(chunk) => Some(Edge::gap(chunk.last_at, end)),
            None => Some(Edge::gap(i64::MIN, end)),
        }
    }

    /// Samples have changed in place: nothing that was kept holds.
    pub(crate) fn forget(&mut self, room: &Room) {
        if let Some(mut edges) = self.edges.take() {
            edges.clear(room);
        }
    }

    /// Takes away what reads have kept and not used of late.
    pub(crate) fn tidy(&mut self, room: &Room) {
        if let Some(edges) = &mut self.edges
            && edges.tidy(room)
        {
            self.edges = None;
        }
    }

    /// A chunk that was read from its file: what its samples in the range add up to.
    pub(crate) fn read_part<P: Part>(
        &mut self,
        at: &ChunkRef,
        chunk: Chunk,
        range: TimeRange,
        room: &Room,
    ) -> Option<Option<P>> {
        let edges = self.edges.get_or_insert_default();
        edges.new_chunk_part((at.first_at, at.last_at), chunk, range, room)
    }
}
