//! The frames of the write-ahead log: what a restart replays.
//!
//! A frame begins with its kind. *Samples* (1): a varint with the number of series that come to the
//! log with this frame, these series, then samples up to the end. A series: id (varint), the number
//! of labels (varint), names and values as texts. A sample: a byte whose low four bits count the
//! bytes of its value; then, unless 0x10 says that it is the slot after the last one's, the distance
//! from that slot (*signed*); then, unless 0x20 says that it is the same, the distance from the last
//! timestamp (*signed*); then the bytes of the value, as of a *float*.
//!
//! *States* (2): series up to the end, each with all that memory held of it: the series as above;
//! the number of pages, each with first timestamp (*signed*), how much later the last one is
//! (varint) and bytes; the number of raw samples, their columns as `codec` writes them; the number
//! of late samples, each with timestamp (*signed*) and *float*.
//!
//! *Invariants*: states replace what was replayed of their series before. A log therefore may begin
//! with any segment after which every series with samples in memory has its state.

use firebell_disk::LogOptions;
use firebell_model::{Labels, SeriesId};

use crate::bytes::{Put, Reader, float_bytes};
use crate::codec;
use crate::page::{Columns, PAGE_SAMPLES_MAX, Page};
use crate::series::{Late, State};

/// Where the log lives.
pub(crate) const LOG: LogOptions = LogOptions {
    folder: "wal",
    magic: *b"FBWAL  1",
    segment_bytes_max: 16 << 20,
};

/// Writes a *samples* frame.
pub(crate) struct SamplesFrame<'a> {
    out: &'a mut Vec<u8>,
    slot: u32,
    at: i64,
}

impl<'a> SamplesFrame<'a> {
    /// Begins a frame in which these series come to the log.
    pub(crate) fn begin<'b>(
        out: &'a mut Vec<u8>,
        comers: impl ExactSizeIterator<Item = (SeriesId, &'b Labels)>,
    ) -> Self {
        out.clear();
        out.push(KIND_SAMPLES);
        out.put_varint(comers.len() as u64);
        for (id, labels) in comers {
            put_series(id, labels, out);
        }
        let (slot, at) = (0, 0);
        Self { out, slot, at }
    }

    #[inline]
    pub(crate) fn push(&mut self, slot: u32, at: i64, value: f64) {
        let bits = value.to_bits();
        let n_bytes = float_bytes(bits);
        let is_next = slot == self.slot.wrapping_add(1);
        let is_same_time = at == self.at;
        let mut head = n_bytes as u8;
        head |= if is_next { NEXT_SLOT } else { 0 };
        head |= if is_same_time { SAME_TIME } else { 0 };
        self.out.push(head);
        if !is_next {
            self.out.put_signed(i64::from(slot) - i64::from(self.slot));
        }
        if !is_same_time {
            self.out.put_signed(at.wrapping_sub(self.at));
        }
        self.out.extend_from_slice(&bits.to_be_bytes()[..n_bytes]);
        self.slot = slot;
        self.at = at;
    }
}

/// Begins a *states* frame.
pub(crate) fn begin_states(out: &mut Vec<u8>) {
    out.clear();
    out.push(KIND_STATES);
}

/// Adds a series to a *states* frame.
pub(crate) fn put_state(id: SeriesId, labels: &Labels, state: &State, out: &mut Vec<u8>) {
    put_series(id, labels, out);
    let (pages, tail, late) = state.memory();
    out.put_varint(pages.len() as u64);
    for page in pages {
        out.put_signed(page.first_at);
        out.put_varint(page.last_at.wrapping_sub(page.first_at) as u64);
        out.put_bytes(&page.bytes);
    }
    out.put_varint(tail.len() as u64);
    codec::put_timestamps(&tail.at, out);
    codec::put_values(&tail.value, out);
    out.put_varint(late.len() as u64);
    for late in late {
        out.put_signed(late.at);
        out.put_float(late.value);
    }
}

/// Who listens to a replay.
pub(crate) trait Replay {
    fn series(&mut self, id: SeriesId, labels: Labels);
    fn sample(&mut self, slot: u32, at: i64, value: f64);
    fn state(&mut self, id: SeriesId, pages: Vec<Page>, tail: Columns, late: Vec<Late>);
}

/// Replays a frame. `None` when it says what cannot be.
pub(crate) fn replay(frame: &[u8], to: &mut dyn Replay) -> Option<()> {
    let mut reader = Reader(frame);
    match reader.byte()? {
        KIND_SAMPLES => replay_samples(reader, to),
        KIND_STATES => {
            while !reader.is_empty() {
                replay_state(&mut reader, to)?;
            }
            Some(())
        }
        _ => None,
    }
}

fn replay_samples(mut reader: Reader<'_>, to: &mut dyn Replay) -> Option<()> {
    for _ in 0..reader.count()? {
        let (id, labels) = series(&mut reader)?;
        to.series(id, labels);
    }
    let (mut slot, mut at) = (0_u32, 0_i64);
    while !reader.is_empty() {
        let head = reader.byte()?;
        slot = if head & NEXT_SLOT != 0 {
            slot.wrapping_add(1)
        } else {
            u32::try_from(i64::from(slot).checked_add(reader.signed()?)?).ok()?
        };
        if head & SAME_TIME == 0 {
            at = at.wrapping_add(reader.signed()?);
        }
        to.sample(slot, at, reader.float_of(usize::from(head & 0x0f))?);
    }
    Some(())
}

fn replay_state(reader: &mut Reader<'_>, to: &mut dyn Replay) -> Option<()> {
    let (id, labels) = series(reader)?;
    let n_pages = reader.count()?;
    let mut pages = Vec::with_capacity(n_pages);
    for _ in 0..n_pages {
        let first_at = reader.signed()?;
        let last_at = first_at.wrapping_add(reader.varint()? as i64);
        let bytes = reader.bytes()?.into();
        pages.push(Page {
            first_at,
            last_at,
            bytes,
        });
    }
    let n_tail = usize::try_from(reader.varint()?).ok()?;
    if n_tail > PAGE_SAMPLES_MAX {
        return None;
    }
    let mut tail = Columns::default();
    codec::timestamps(reader, n_tail, &mut tail.at)?;
    codec::values(reader, n_tail, &mut tail.value)?;
    let n_late = reader.count()?;
    let mut late = Vec::with_capacity(n_late);
    for _ in 0..n_late {
        let (epoch, at) = (0, reader.signed()?);
        let value = reader.float()?;
        late.push(Late { epoch, at, value });
    }
    to.series(id, labels);
    to.state(id, pages, tail, late);
    Some(())
}

fn put_series(id: SeriesId, labels: &Labels, out: &mut Vec<u8>) {
    out.put_varint(id.0);
    out.put_varint(labels.len() as u64);
    for label in labels.iter() {
        out.put_bytes(label.name.as_bytes());
        out.put_bytes(label.value.as_bytes());
    }
}

fn series(reader: &mut Reader<'_>) -> Option<(SeriesId, Labels)> {
    let id = SeriesId(reader.varint()?);
    let n_labels = reader.count()?;
    let mut pairs = Vec::with_capacity(n_labels);
    for _ in 0..n_labels {
        pairs.push((reader.text()?, reader.text()?));
    }
    Some((id, Labels::from_pairs(pairs)))
}

const KIND_SAMPLES: u8 = 1;
const KIND_STATES: u8 = 2;
const NEXT_SLOT: u8 = 0x10;
const SAME_TIME: u8 = 0x20;
