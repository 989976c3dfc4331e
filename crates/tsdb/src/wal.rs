//! The frames of the write-ahead log: what a restart replays.
//!
//! A frame begins with its kind. *Runs* (3): a varint with the number of series that come to the
//! log with this frame, these series, then runs of samples of one series each, up to the end. A
//! series: id (varint), the number of labels (varint), names and values as texts. A run: a varint
//! with the number of its samples times 8, plus 4 when they are at even steps, plus 2 when the first
//! one's timestamp is that of the run before, plus 1 when its slot is the one after; then, unless
//! said already, the distances from that slot and that timestamp (*signed*); then the step
//! (*signed*; one if even, and none for a single sample); then the values. A value: a whole number is the
//! distance from the last whole number, zigzagged, times 2, as a varint; other values have 1 plus
//! twice the number of bytes that follow, which are the low ones of the bits XOR those before.
//!
//! *Samples* (1), of version 1: as *runs*, but for samples one by one. A sample: a byte whose low
//! four bits count the bytes of its value; then, unless 0x10 says that it is the slot after the last
//! one's, the distance from that slot (*signed*); then, unless 0x20 says that it is the same, the
//! distance from the last timestamp (*signed*); then the bytes of the value, as of a *float*.
//!
//! *Mixed* (5): as *runs*, but with histograms behind the series that come: the number of their runs
//! (varint), and for each its slot (varint) and its histograms as `histogram/page` writes them, as
//! *bytes*.
//!
//! *Histogram states* (6): as *states*, with the histograms that memory held: the number of pages, each
//! with first timestamp (*signed*), how much later the last one is (varint), number (varint) and *bytes*;
//! then raw ones and late ones, as pages are written, as *bytes*.
//!
//! *Exemplars* (7): exemplars up to the end, each with the labels of its series and its own (their
//! number, names and values as texts), its timestamp (*signed*) and its value (8 bytes).
//!
//! *Floor* (4): a *signed*; samples not later than that are past retention.
//!
//! *States* (2), of versions 1 and 2: series up to the end, each with all that memory held of it:
//! the series as above; the number of pages, each with first timestamp (*signed*), how much later
//! the last one is (varint) and bytes; the number of raw samples, their columns as `codec` writes
//! them; the number of late samples, each with timestamp (*signed*) and *float*.
//!
//! *Open parts* (8): the number of the checkpoint (varint), then series up to the end, each with what
//! memory held of it behind the pages that the log of pages has: id (*next id*, see `page_log`);
//! twice the number of pages, plus 1 when there are logged ones (varint), and then where these end
//! (*signed*); pages as there; raw samples as `tail` writes them; the number of late samples, each
//! with timestamp (*signed*) and *float*.
//!
//! *Invariants*: states and open parts replace what was replayed of their series before. A log
//! therefore may begin with any segment after which every series with samples in memory has its own.

use firebell_disk::LogOptions;
use firebell_model::{Exemplar, HistogramSample, Labels, Sample, SeriesId, Timestamp};

use crate::bytes::{Put, Reader, unzigzag, zigzag};
use crate::codec;
use crate::histogram::{self, Memory, Track};
use crate::page::{Columns, PAGE_SAMPLES_MAX, Page};
use crate::page_log::{LastId, put_page, read_page, read_pages};
use crate::series::{Late, Open, State};
use crate::tail::Tail;

/// Where the log lives.
pub(crate) const LOG: LogOptions = LogOptions {
    folder: "wal",
    magic: *b"FBWAL  3",
    magics_read: &[*b"FBWAL  1", *b"FBWAL  2"],
    segment_bytes_max: 16 << 20,
};

/// Writes a *runs* frame.
pub(crate) struct RunsFrame<'a> {
    out: &'a mut Vec<u8>,
    slot: u32,
    at: i64,
}

impl<'a> RunsFrame<'a> {
    /// Begins a frame in which these series come to the log.
    pub(crate) fn begin<'b>(
        out: &'a mut Vec<u8>,
        comers: impl ExactSizeIterator<Item = (SeriesId, &'b Labels)>,
        histograms: &[(u32, &[HistogramSample])],
    ) -> Self {
        out.clear();
        let is_mixed = !histograms.is_empty();
        out.push(if is_mixed { KIND_MIXED } else { KIND_RUNS });
        out.put_varint(comers.len() as u64);
        for (id, labels) in comers {
            put_series(id, labels, out);
        }
        if is_mixed {
            out.put_varint(histograms.len() as u64);
        }
        for (slot, run) in histograms {
            out.put_varint(u64::from(*slot));
            put_histograms(run, out);
        }
        let (slot, at) = (0, 0);
        Self { out, slot, at }
    }

    /// Adds samples of one series, at least one.
    pub(crate) fn push(&mut self, slot: u32, samples: &[Sample]) {
        let Some(first) = samples.first() else {
            return;
        };
        let (is_next, is_same_time) = (slot == self.slot.wrapping_add(1), first.at.0 == self.at);
        let step = step_of(samples);
        let is_even = samples.windows(2).all(|pair| step_of(pair) == step);
        let head = (samples.len() as u64) << 3
            | u64::from(is_even) << 2
            | u64::from(is_same_time) << 1
            | u64::from(is_next);
        self.out.put_varint(head);
        if !is_next {
            self.out.put_signed(i64::from(slot) - i64::from(self.slot));
        }
        if !is_same_time {
            self.out.put_signed(first.at.0.wrapping_sub(self.at));
        }
        if is_even && samples.len() > 1 {
            self.out.put_signed(step);
        } else {
            for pair in samples.windows(2) {
                self.out.put_signed(step_of(pair));
            }
        }
        let mut before = Before::default();
        for sample in samples {
            before.put(sample.value, self.out);
        }
        (self.slot, self.at) = (slot, first.at.0);
    }
}

/// Milliseconds between the first two of the samples.
fn step_of(samples: &[Sample]) -> i64 {
    match samples {
        [first, second, ..] => second.at.0.wrapping_sub(first.at.0),
        _ => 0,
    }
}

/// The value before the next one.
#[derive(Default)]
struct Before {
    bits: u64,
    whole: i64,
}

impl Before {
    #[inline]
    fn put(&mut self, value: f64, out: &mut Vec<u8>) {
        let bits = value.to_bits();
        let whole = value as i64;
        if (whole as f64).to_bits() == bits && whole.unsigned_abs() <= WHOLE_MAX {
            out.put_varint(zigzag(whole - self.whole) << 1);
            self.whole = whole;
        } else {
            let changed = bits ^ self.bits;
            let n_bytes = 8 - (changed.leading_zeros() / 8) as usize;
            out.push((n_bytes << 1) as u8 | 1);
            out.extend_from_slice(&changed.to_le_bytes()[..n_bytes]);
        }
        self.bits = bits;
    }

    #[inline]
    fn read(&mut self, reader: &mut Reader<'_>) -> Option<f64> {
        let n = reader.varint()?;
        if n & 1 == 0 {
            self.whole = self.whole.wrapping_add(unzigzag(n >> 1));
            self.bits = (self.whole as f64).to_bits();
        } else {
            let mut changed = [0; 8];
            let n_bytes = usize::try_from(n >> 1).ok()?;
            changed
                .get_mut(..n_bytes)?
                .copy_from_slice(reader.take(n_bytes)?);
            self.bits ^= u64::from_le_bytes(changed);
        }
        Some(f64::from_bits(self.bits))
    }
}

/// Writes a *floor* frame.
pub(crate) fn put_floor(floor: i64, out: &mut Vec<u8>) {
    out.clear();
    out.push(KIND_FLOOR);
    out.put_signed(floor);
}

/// An *open parts* frame in the making.
pub(crate) struct OpenFrame<'a> {
    out: &'a mut Vec<u8>,
    before: LastId,
}

impl<'a> OpenFrame<'a> {
    pub(crate) fn begin(out: &'a mut Vec<u8>, checkpoint: u64) -> Self {
        out.clear();
        out.push(KIND_OPEN);
        out.put_varint(checkpoint);
        let before = LastId::default();
        Self { out, before }
    }

    /// Bytes so far.
    pub(crate) fn len(&self) -> usize {
        self.out.len()
    }

    pub(crate) fn push(&mut self, id: SeriesId, state: &State) {
        let (logged_until, pages, tail, late) = state.open_part();
        let out = &mut *self.out;
        self.before.put(id, out);
        out.put_varint((pages.len() as u64) << 1 | u64::from(logged_until.is_some()));
        if let Some(until) = logged_until {
            out.put_signed(until);
        }
        pages.iter().for_each(|page| put_page(page, out));
        tail.put(out);
        out.put_varint(late.len() as u64);
        for late in late {
            out.put_signed(late.at);
            out.put_float(late.value);
        }
    }
}

fn put_histograms(histograms: &[HistogramSample], out: &mut Vec<u8>) {
    let mut bytes = Vec::new();
    histogram::put(histograms, &mut bytes);
    out.put_bytes(&bytes);
}

/// Begins a *histogram states* frame.
pub(crate) fn begin_histogram_states(out: &mut Vec<u8>) {
    out.clear();
    out.push(KIND_HISTOGRAM_STATES);
}

/// Adds a series to a *histogram states* frame.
pub(crate) fn put_histogram_state(id: SeriesId, labels: &Labels, track: &Track, out: &mut Vec<u8>) {
    put_series(id, labels, out);
    out.put_varint(track.pages.len() as u64);
    for page in &track.pages {
        out.put_signed(page.first_at);
        out.put_varint(page.last_at.wrapping_sub(page.first_at) as u64);
        out.put_varint(u64::from(page.count));
        out.put_bytes(&page.bytes);
    }
    put_histograms(&track.tail, out);
    put_histograms(&track.late(), out);
}

/// Writes an *exemplars* frame.
pub(crate) fn put_exemplars(exemplars: &[(&Labels, &Exemplar)], out: &mut Vec<u8>) {
    out.clear();
    out.push(KIND_EXEMPLARS);
    exemplars.iter().for_each(|it| put_exemplar(*it, out));
}

pub(crate) fn put_exemplar((series, exemplar): (&Labels, &Exemplar), out: &mut Vec<u8>) {
    put_labels(series, out);
    put_labels(&exemplar.labels, out);
    out.put_signed(exemplar.at.0);
    out.extend_from_slice(&exemplar.value.to_le_bytes());
}

/// Who listens to a replay.
pub(crate) trait Replay {
    fn series(&mut self, id: SeriesId, labels: Labels);
    fn run(&mut self, slot: u32, samples: &[Sample]);
    fn floor(&mut self, floor: i64);
    fn state(&mut self, id: SeriesId, pages: Vec<Page>, tail: Columns, late: Vec<Late>);
    fn open(&mut self, checkpoint: u64, id: SeriesId, open: Open);
    fn histograms(&mut self, slot: u32, histograms: &[HistogramSample]);
    fn histogram_state(&mut self, id: SeriesId, memory: Memory);
    fn exemplar(&mut self, series: &Labels, exemplar: &Exemplar);
}

/// Whether a frame is of a checkpoint: what appends bring comes behind.
pub(crate) fn is_of_checkpoint(frame: &[u8]) -> bool {
    let kinds = [KIND_STATES, KIND_HISTOGRAM_STATES, KIND_OPEN];
    frame.first().is_some_and(|kind| kinds.contains(kind))
}

/// Replays a frame. `None` when it says what cannot be.
pub(crate) fn replay(frame: &[u8], to: &mut dyn Replay) -> Option<()> {
    let mut reader = Reader(frame);
    match reader.byte()? {
        kind @ (KIND_RUNS | KIND_MIXED) => {
            replay_comers(&mut reader, to)?;
            if kind == KIND_MIXED {
                for _ in 0..reader.count()? {
                    let slot = u32::try_from(reader.varint()?).ok()?;
                    to.histograms(slot, &histograms(&mut reader)?);
                }
            }
            replay_runs(reader, to)
        }
        KIND_HISTOGRAM_STATES => {
            while !reader.is_empty() {
                replay_histogram_state(&mut reader, to)?;
            }
            Some(())
        }
        KIND_EXEMPLARS => {
            while !reader.is_empty() {
                let (series, exemplar) = read_exemplar(&mut reader)?;
                to.exemplar(&series, &exemplar);
            }
            Some(())
        }
        KIND_OPEN => replay_open(reader, to),
        KIND_SAMPLES => replay_samples(reader, to),
        KIND_FLOOR => {
            to.floor(reader.signed()?);
            Some(())
        }
        KIND_STATES => {
            while !reader.is_empty() {
                replay_state(&mut reader, to)?;
            }
            Some(())
        }
        _ => None,
    }
}

fn replay_comers(reader: &mut Reader<'_>, to: &mut dyn Replay) -> Option<()> {
    for _ in 0..reader.count()? {
        let (id, labels) = series(reader)?;
        to.series(id, labels);
    }
    Some(())
}

fn replay_runs(mut reader: Reader<'_>, to: &mut dyn Replay) -> Option<()> {
    let (mut slot, mut first_at) = (0_u32, 0_i64);
    let mut samples = Vec::new();
    while !reader.is_empty() {
        let head = reader.varint()?;
        slot = if head & 1 != 0 {
            slot.wrapping_add(1)
        } else {
            u32::try_from(i64::from(slot).checked_add(reader.signed()?)?).ok()?
        };
        if head & 2 == 0 {
            first_at = first_at.wrapping_add(reader.signed()?);
        }
        // Each sample takes a byte at least.
        let n = usize::try_from(head >> 3).ok()?;
        if n > reader.0.len() {
            return None;
        }
        samples.clear();
        let (mut at, is_even) = (first_at, head & 4 != 0);
        let mut step = if is_even && n > 1 {
            reader.signed()?
        } else {
            0
        };
        for idx in 0..n {
            if idx > 0 {
                if !is_even {
                    step = reader.signed()?;
                }
                at = at.wrapping_add(step);
            }
            let at = Timestamp(at);
            samples.push(Sample { at, value: 0.0 });
        }
        let mut before = Before::default();
        for sample in &mut samples {
            sample.value = before.read(&mut reader)?;
        }
        to.run(slot, &samples);
    }
    Some(())
}

fn replay_samples(mut reader: Reader<'_>, to: &mut dyn Replay) -> Option<()> {
    replay_comers(&mut reader, to)?;
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
        let value = reader.float_of(usize::from(head & 0x0f))?;
        let at_time = Timestamp(at);
        to.run(slot, &[Sample { at: at_time, value }]);
    }
    Some(())
}

fn replay_open(mut reader: Reader<'_>, to: &mut dyn Replay) -> Option<()> {
    let checkpoint = reader.varint()?;
    let mut before = LastId::default();
    while !reader.is_empty() {
        let id = before.read(&mut reader)?;
        let head = reader.varint()?;
        let logged_until = if head & 1 != 0 {
            Some(reader.signed()?)
        } else {
            None
        };
        let n_pages = usize::try_from(head >> 1).ok()?;
        let pages = (0..n_pages).map(|_| read_page(&mut reader));
        let open = Open {
            logged_until,
            pages: pages.collect::<Option<_>>()?,
            tail: Tail::read(&mut reader)?,
            late: read_late(&mut reader)?,
        };
        to.open(checkpoint, id, open);
    }
    Some(())
}

fn read_late(reader: &mut Reader<'_>) -> Option<Vec<Late>> {
    let n_late = reader.count()?;
    let mut late = Vec::with_capacity(n_late);
    for _ in 0..n_late {
        let (epoch, at) = (0, reader.signed()?);
        let value = reader.float()?;
        late.push(Late { epoch, at, value });
    }
    Some(late)
}

fn replay_state(reader: &mut Reader<'_>, to: &mut dyn Replay) -> Option<()> {
    let (id, labels) = series(reader)?;
    let pages = read_pages(reader)?;
    let n_tail = usize::try_from(reader.varint()?).ok()?;
    if n_tail > PAGE_SAMPLES_MAX {
        return None;
    }
    let mut tail = Columns::default();
    codec::timestamps(reader, n_tail, &mut tail.at)?;
    codec::values(reader, n_tail, &mut tail.value)?;
    let late = read_late(reader)?;
    to.series(id, labels);
    to.state(id, pages, tail, late);
    Some(())
}

fn replay_histogram_state(reader: &mut Reader<'_>, to: &mut dyn Replay) -> Option<()> {
    let (id, labels) = series(reader)?;
    let n_pages = reader.count()?;
    let mut pages = Vec::with_capacity(n_pages);
    for _ in 0..n_pages {
        let first_at = reader.signed()?;
        pages.push(histogram::Page {
            first_at,
            last_at: first_at.wrapping_add(reader.varint()? as i64),
            count: u32::try_from(reader.varint()?).ok()?,
            bytes: reader.bytes()?.into(),
        });
    }
    let tail = histograms(reader)?;
    let late = histograms(reader)?;
    to.series(id, labels);
    to.histogram_state(id, Memory { pages, tail, late });
    Some(())
}

/// An exemplar, and of which series it is.
pub(crate) fn read_exemplar(reader: &mut Reader<'_>) -> Option<(Labels, Exemplar)> {
    let series = labels(reader)?;
    let exemplar = Exemplar {
        labels: labels(reader)?,
        at: Timestamp(reader.signed()?),
        value: f64::from_le_bytes(reader.take(8)?.try_into().ok()?),
    };
    Some((series, exemplar))
}

fn histograms(reader: &mut Reader<'_>) -> Option<Vec<HistogramSample>> {
    let mut histograms = Vec::new();
    histogram::read(reader.bytes()?, histogram::ALL_TIME, &mut histograms)?;
    Some(histograms)
}

fn put_series(id: SeriesId, labels: &Labels, out: &mut Vec<u8>) {
    out.put_varint(id.0);
    put_labels(labels, out);
}

fn put_labels(labels: &Labels, out: &mut Vec<u8>) {
    out.put_varint(labels.len() as u64);
    for label in labels.iter() {
        out.put_bytes(label.name.as_bytes());
        out.put_bytes(label.value.as_bytes());
    }
}

fn series(reader: &mut Reader<'_>) -> Option<(SeriesId, Labels)> {
    Some((SeriesId(reader.varint()?), labels(reader)?))
}

fn labels(reader: &mut Reader<'_>) -> Option<Labels> {
    let n_labels = reader.count()?;
    let mut pairs = Vec::with_capacity(n_labels);
    for _ in 0..n_labels {
        pairs.push((reader.text()?, reader.text()?));
    }
    Some(Labels::from_pairs(pairs))
}

const KIND_SAMPLES: u8 = 1;
const KIND_STATES: u8 = 2;
const KIND_RUNS: u8 = 3;
const KIND_FLOOR: u8 = 4;
const KIND_MIXED: u8 = 5;
const KIND_HISTOGRAM_STATES: u8 = 6;
const KIND_EXEMPLARS: u8 = 7;
const KIND_OPEN: u8 = 8;
/// Whole numbers up to here are exact as floats.
const WHOLE_MAX: u64 = 1 << 53;
const NEXT_SLOT: u8 = 0x10;
const SAME_TIME: u8 = 0x20;
