//! The chunks of one series that files hold, and what runs of them add up to.
//!
//! A series that has none, as all of a store that was just started, pays one word for them.

use std::collections::VecDeque;

use firebell_model::Summary;

use crate::ladder::Ladder;
use crate::part::Part;
use crate::segment::ChunkRef;

/// Oldest first; times do not overlap.
#[derive(Default)]
pub(crate) struct Chunks(Option<Box<Filed>>);

#[derive(Default)]
struct Filed {
    list: VecDeque<ChunkRef>,
    /// The ordinal of the first of `list`; see [`Ladder`].
    first: u64,
    ladder: Ladder,
}

static NONE: VecDeque<ChunkRef> = VecDeque::new();

impl Chunks {
    pub(crate) fn list(&self) -> &VecDeque<ChunkRef> {
        self.0.as_ref().map_or(&NONE, |filed| &filed.list)
    }

    /// Adds a chunk that is later than the others.
    pub(crate) fn push(&mut self, chunk: ChunkRef) {
        let Filed {
            list,
            first,
            ladder,
        } = &mut **self.0.get_or_insert_default();
        if list.len() == list.capacity() {
            // By doubling, the first chunk of each series would bring room for three more.
            list.reserve_exact(1 + list.len() / 4);
        }
        list.push_back(chunk);
        let count = *first + list.len() as u64;
        ladder.push(*first, count, &|ordinal| leaf(list, *first, ordinal));
    }

    /// Puts a chunk between those that are there, in the place of those that it overlaps.
    /// [`Chunks::settle`] has to follow before anybody reads.
    pub(crate) fn place(&mut self, chunk: ChunkRef) {
        let list = &mut self.0.get_or_insert_default().list;
        let from = list.partition_point(|it| it.last_at < chunk.first_at);
        let to = list.partition_point(|it| it.first_at <= chunk.last_at);
        list.drain(from..to);
        list.insert(from, chunk);
    }

    /// Drops the chunks of some files. [`Chunks::settle`] has to follow before anybody reads.
    pub(crate) fn drop_of(&mut self, segments: &[u64]) {
        if let Some(filed) = &mut self.0 {
            filed.list.retain(|it| !segments.contains(&it.segment));
        }
    }

    /// Sums chunks up anew, after some came among them or went.
    pub(crate) fn settle(&mut self) {
        let Some(filed) = &mut self.0 else {
            return;
        };
        let list = &filed.list;
        (filed.first, filed.ladder) = (0, Ladder::default());
        let leaf = |ordinal: u64| leaf(list, 0, ordinal);
        for count in 1..=list.len() as u64 {
            filed.ladder.push(0, count, &leaf);
        }
    }

    /// Drops chunks that are not later than `floor`.
    pub(crate) fn drop_until(&mut self, floor: i64) {
        let Some(filed) = &mut self.0 else {
            return;
        };
        let n = filed.list.partition_point(|it| it.last_at <= floor);
        filed.list.drain(..n);
        filed.first += n as u64;
        filed.ladder.drop_before(filed.first);
    }

    /// What the chunks in these places add up to.
    pub(crate) fn fold<P: Part>(&self, places: std::ops::Range<usize>) -> Option<P> {
        let filed = self.0.as_ref()?;
        let leaf = |ordinal: u64| leaf(&filed.list, filed.first, ordinal);
        let ordinal = |idx: usize| filed.first + idx as u64;
        let (from, to) = (ordinal(places.start), ordinal(places.end));
        filed.ladder.fold(from, to, &leaf)
    }
}

fn leaf(list: &VecDeque<ChunkRef>, first: u64, ordinal: u64) -> Option<Summary> {
    let idx = usize::try_from(ordinal.checked_sub(first)?).ok()?;
    list.get(idx)?.summary()
}
