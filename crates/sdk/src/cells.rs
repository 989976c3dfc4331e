//! The numbers behind a series, in words that outlive the process, and their way into OTLP.
//!
//! A counter and a histogram hold what was added since it was last collected, so that whoever finds
//! the words of a dead process finds just what was never sent. Beside it stands what was collected
//! before, for those who want totals.
//!
//! Histograms are exponential, of scale 3: eight buckets for each doubling, so that a quantile is
//! off by 4.4 % at most. All have the same bounds, so that they can be added up. Values of zero and
//! less are counted as zero; those beyond 2^±64 in the last bucket.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::proto::Message;
use crate::ring::read_bytes;
use crate::sums::{self, Sum, Totals};

/// What a metric is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// How often values of what size came.
    Histogram,
}

/// The moment of a collection, in nanoseconds since 1970.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Point {
    /// Since when was counted.
    pub(crate) since: u64,
    pub(crate) until: u64,
}

impl Kind {
    /// As people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }

    pub(crate) fn number(self) -> u64 {
        match self {
            Self::Counter => 1,
            Self::Gauge => 2,
            Self::Histogram => 3,
        }
    }

    pub(crate) fn of_number(number: u64) -> Option<Self> {
        [Self::Counter, Self::Gauge, Self::Histogram]
            .into_iter()
            .find(|it| it.number() == number)
    }

    pub(crate) fn n_cells(self) -> usize {
        match self {
            Self::Counter => 2 + EXEMPLAR_WORDS,
            Self::Gauge => 2,
            Self::Histogram => HISTOGRAM_CELLS,
        }
    }

    /// Where the labels stand in a point of OTLP.
    pub(crate) fn attributes_field(self) -> u32 {
        match self {
            Self::Counter | Self::Gauge => 7,
            Self::Histogram => 1,
        }
    }

    fn exemplar_at(self) -> Option<usize> {
        match self {
            Self::Counter => Some(2),
            Self::Gauge => None,
            Self::Histogram => Some(4),
        }
    }
}

/// The words of one series, with where its buckets are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cells<'a> {
    pub(crate) words: &'a [AtomicU64],
    pub(crate) arena: &'a [AtomicU64],
    pub(crate) spill: Option<&'a [AtomicU64]>,
}

/// What a series came to since the process began.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Total {
    /// Of a histogram the sum.
    pub(crate) value: f64,
    /// Values of zero or less, of a histogram.
    pub(crate) n_zeros: u64,
    /// Counts by the numbers of their buckets, those that are not empty.
    pub(crate) buckets: BTreeMap<usize, u64>,
}

impl<'a> Cells<'a> {
    fn word(&self, at: usize) -> Option<&'a AtomicU64> {
        self.words.get(at)
    }

    /// The count of a bucket, if there is a place for it.
    #[inline]
    pub(crate) fn bucket(&self, bucket: usize) -> Option<&'a AtomicU64> {
        let chunk = self
            .word(CHUNKS_AT + bucket / CHUNK_LEN)?
            .load(Ordering::Acquire) as usize;
        match chunk {
            0 => self.spill?.get(bucket),
            at => self.arena.get((at - 1).checked_add(bucket % CHUNK_LEN)?),
        }
    }

    /// What a bucket had before it was last collected.
    fn bucket_before(&self, bucket: usize) -> Option<&'a AtomicU64> {
        let chunk = self
            .word(CHUNKS_AT + bucket / CHUNK_LEN)?
            .load(Ordering::Acquire) as usize;
        match chunk {
            0 => self.spill?.get(N_BUCKETS + bucket),
            at => self
                .arena
                .get((at - 1).checked_add(CHUNK_LEN + bucket % CHUNK_LEN)?),
        }
    }

    /// The bucket's chunk begins at this word of the arena.
    pub(crate) fn set_chunk(&self, bucket: usize, at: usize) {
        if let Some(word) = self.word(CHUNKS_AT + bucket / CHUNK_LEN) {
            word.store(at as u64 + 1, Ordering::Release);
        }
    }

    /// Takes out what was added, as an encoded `Metric`. `None`: nothing was, unless `all` asks.
    pub(crate) fn collect(
        &self,
        kind: Kind,
        definition: &[u8],
        all: bool,
        point: Point,
    ) -> Option<Vec<u8>> {
        let (head, labels) = split(definition)?;
        let [first, second, ..] = self.words else {
            return None;
        };
        let mut metric = Message::with_capacity(definition.len() + 64);
        metric.append(head);
        match kind {
            Kind::Counter => {
                let added = f64::from_bits(first.swap(0, Ordering::Relaxed));
                if added == 0.0 && !all {
                    return None;
                }
                add(second, added);
                let exemplar = Exemplar::take(kind, self.words);
                metric.message(7, |it| {
                    it.message(1, |it| {
                        write_number(it, added, labels, exemplar.as_ref(), point)
                    });
                    it.varint(2, DELTA);
                    it.varint(3, 1);
                });
            }
            Kind::Gauge => {
                // A gauge that was never set has no value.
                let n_changes = second.load(Ordering::Relaxed);
                let is_changed = n_changes & NEWS_MASK > 0;
                if n_changes == 0 || !(is_changed || all) {
                    return None;
                }
                second.store(SET_ONCE, Ordering::Relaxed);
                let value = f64::from_bits(first.load(Ordering::Relaxed));
                metric.message(5, |it| {
                    it.message(1, |it| write_number(it, value, labels, None, point));
                });
            }
            Kind::Histogram => {
                let taken = self.take_buckets();
                if taken.count == 0 && !all {
                    return None;
                }
                metric.message(10, |it| {
                    it.message(1, |it| self.write_histogram(it, &taken, labels, point));
                    it.varint(2, DELTA);
                });
            }
        }
        Some(metric.into_bytes())
    }

    fn take_buckets(&self) -> TakenBuckets {
        let mut taken = TakenBuckets::default();
        let take = |at: usize| self.word(at).map_or(0, |it| it.swap(0, Ordering::Relaxed));
        taken.sum = f64::from_bits(take(0));
        taken.n_zeros = take(1);
        taken.count = taken.n_zeros;
        for bucket in 0..N_BUCKETS {
            let Some(place) = self.bucket(bucket) else {
                continue;
            };
            if place.load(Ordering::Relaxed) == 0 {
                continue;
            }
            let count = place.swap(0, Ordering::Relaxed);
            if let Some(before) = self.bucket_before(bucket) {
                before.fetch_add(count, Ordering::Relaxed);
            }
            taken.count = taken.count.saturating_add(count);
            let first = *taken.first.get_or_insert(bucket);
            taken.counts.resize(bucket - first, 0);
            taken.counts.push(count);
        }
        if let [_, _, zeros_before, sum_before, ..] = self.words {
            zeros_before.fetch_add(taken.n_zeros, Ordering::Relaxed);
            add(sum_before, taken.sum);
        }
        taken
    }

    fn write_histogram(&self, it: &mut Message, taken: &TakenBuckets, labels: &[u8], point: Point) {
        it.append(labels);
        it.fixed64(2, point.since);
        it.fixed64(3, point.until);
        it.fixed64(4, taken.count);
        it.double(5, taken.sum);
        it.sint(6, SCALE);
        it.fixed64(7, taken.n_zeros);
        if let Some(first) = taken.first {
            it.message(8, |it| {
                it.sint(1, first as i64 - BIAS);
                it.packed(2, &taken.counts);
            });
        }
        if let Some(exemplar) = Exemplar::take(Kind::Histogram, self.words) {
            it.message(11, |it| exemplar.write(it));
        }
    }

    /// Whether there is anything to tell: a gauge has no value before it was set.
    pub(crate) fn has_value(&self, kind: Kind) -> bool {
        let n_changes = self.word(1).map_or(0, |it| it.load(Ordering::Relaxed));
        kind != Kind::Gauge || n_changes != 0
    }

    /// What it came to, with the last exemplar.
    pub(crate) fn sum(&self, kind: Kind) -> Sum {
        Sum {
            total: self.total(kind),
            exemplar: Exemplar::last(kind, self.words),
        }
    }

    /// What it came to, with what is not collected yet.
    fn total(&self, kind: Kind) -> Total {
        let read = |at: usize| self.word(at).map_or(0, |it| it.load(Ordering::Relaxed));
        let number = |at: usize| f64::from_bits(read(at));
        let mut total = Total {
            value: match kind {
                Kind::Counter => number(0) + number(1),
                Kind::Gauge => number(0),
                Kind::Histogram => number(0) + number(3),
            },
            n_zeros: 0,
            buckets: BTreeMap::new(),
        };
        if kind == Kind::Histogram {
            total.n_zeros = read(1).saturating_add(read(2));
            let count =
                |place: Option<&AtomicU64>| place.map_or(0, |it| it.load(Ordering::Relaxed));
            let is_there =
                |bucket: &usize| self.spill.is_some() || read(CHUNKS_AT + bucket / CHUNK_LEN) != 0;
            total.buckets = (0..N_BUCKETS)
                .filter(is_there)
                .map(|bucket| {
                    let before = count(self.bucket_before(bucket));
                    (bucket, before.saturating_add(count(self.bucket(bucket))))
                })
                .filter(|(_, count)| *count > 0)
                .collect();
        }
        total
    }
}

#[derive(Debug, Default)]
struct TakenBuckets {
    sum: f64,
    count: u64,
    n_zeros: u64,
    first: Option<usize>,
    counts: Vec<u64>,
}

fn write_number(
    it: &mut Message,
    value: f64,
    labels: &[u8],
    exemplar: Option<&Exemplar>,
    point: Point,
) {
    it.fixed64(2, point.since);
    it.fixed64(3, point.until);
    it.double(4, value);
    if let Some(exemplar) = exemplar {
        it.message(5, |it| exemplar.write(it));
    }
    it.append(labels);
}

/// One observation with the span in which it was made.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Exemplar {
    pub(crate) value: f64,
    pub(crate) nanos: u64,
    pub(crate) trace_id: u128,
    pub(crate) span_id: u64,
}

impl Exemplar {
    #[inline]
    pub(crate) fn wanted(kind: Kind, words: &[AtomicU64], value: f64) -> bool {
        let Some(at) = kind.exemplar_at() else {
            return false;
        };
        match words.get(at..at + 2) {
            Some([state, kept]) => match state.load(Ordering::Acquire) {
                EMPTY => true,
                put_off @ BUSY_UNTIL.. => {
                    let after = if put_off == BUSY_UNTIL {
                        EMPTY
                    } else {
                        put_off - 1
                    };
                    state.store(after, Ordering::Release);
                    false
                }
                FULL => {
                    kind == Kind::Histogram && value > f64::from_bits(kept.load(Ordering::Relaxed))
                }
                _ => false,
            },
            _ => false,
        }
    }

    /// Keeps it, unless somebody is at the place just now.
    pub(crate) fn keep(&self, kind: Kind, words: &[AtomicU64]) {
        let Some(place) = kind
            .exemplar_at()
            .and_then(|at| words.get(at..at + EXEMPLAR_WORDS))
        else {
            return;
        };
        let [state, value, nanos, high, low, span] = place else {
            return;
        };
        let before = state.load(Ordering::Acquire);
        if before > FULL
            || state
                .compare_exchange(before, BUSY, Ordering::AcqRel, Ordering::Relaxed)
                .is_err()
        {
            return;
        }
        value.store(self.value.to_bits(), Ordering::Relaxed);
        nanos.store(self.nanos, Ordering::Relaxed);
        high.store((self.trace_id >> 64) as u64, Ordering::Relaxed);
        low.store(self.trace_id as u64, Ordering::Relaxed);
        span.store(self.span_id, Ordering::Relaxed);
        state.store(FULL, Ordering::Release);
    }

    /// An empty place is left alone for a while.
    pub(crate) fn put_off(kind: Kind, words: &[AtomicU64]) {
        let place = kind.exemplar_at().and_then(|at| words.get(at));
        if let Some(state) = place {
            let _ = state.compare_exchange(EMPTY, PUT_OFF, Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    pub(crate) fn take(kind: Kind, words: &[AtomicU64]) -> Option<Self> {
        let at = kind.exemplar_at()?;
        let [state, value, nanos, high, low, span] = words.get(at..at + EXEMPLAR_WORDS)? else {
            return None;
        };
        state
            .compare_exchange(FULL, BUSY, Ordering::AcqRel, Ordering::Relaxed)
            .ok()?;
        let read = |word: &AtomicU64| word.load(Ordering::Relaxed);
        let exemplar = Self {
            value: f64::from_bits(read(value)),
            nanos: read(nanos),
            trace_id: u128::from(read(high)) << 64 | u128::from(read(low)),
            span_id: read(span),
        };
        state.store(EMPTY, Ordering::Release);
        Some(exemplar)
    }

    /// The one that was kept last, whether or not it was taken since.
    fn last(kind: Kind, words: &[AtomicU64]) -> Option<Self> {
        let at = kind.exemplar_at()?;
        let [state, value, nanos, high, low, span] = words.get(at..at + EXEMPLAR_WORDS)? else {
            return None;
        };
        let before = state.load(Ordering::Acquire);
        let read = |word: &AtomicU64| word.load(Ordering::Acquire);
        let exemplar = Self {
            value: f64::from_bits(read(value)),
            nanos: read(nanos),
            trace_id: u128::from(read(high)) << 64 | u128::from(read(low)),
            span_id: read(span),
        };
        let is_whole = before != BUSY && state.load(Ordering::Acquire) != BUSY;
        (is_whole && exemplar.trace_id != 0).then_some(exemplar)
    }

    pub(crate) fn write(&self, it: &mut Message) {
        it.fixed64(2, self.nanos);
        it.double(3, self.value);
        it.bytes(4, &self.span_id.to_be_bytes());
        it.bytes(5, &self.trace_id.to_be_bytes());
    }
}

/// Calls with every series that an arena has, its definition and its cells.
fn walk(arena: &[AtomicU64], used: usize, mut see: impl FnMut(Kind, Vec<u8>, Cells<'_>)) {
    let mut at = 0;
    while at < used.min(arena.len()) {
        let tag = arena.get(at).map_or(0, |it| it.load(Ordering::Relaxed));
        if tag == CHUNK_TAG {
            at += 1 + CHUNK_WORDS;
            continue;
        }
        let len = (tag >> 8) as usize;
        let Some(kind) = Kind::of_number(tag & 0xff).filter(|_| len < arena.len() * 8) else {
            return; // It was killed while it wrote this one.
        };
        let cells_at = at + 1 + len.div_ceil(8);
        let definition = read_bytes(arena, at + 1, len);
        at = cells_at + kind.n_cells();
        if let Some(words) = arena.get(cells_at..at) {
            let spill = None;
            let cells = Cells {
                words,
                arena,
                spill,
            };
            see(kind, definition, cells);
        }
    }
}

/// Reads what series of a dead process counted and never sent, as encoded `Metric`s.
pub(crate) fn collect_of_dead(arena: &[AtomicU64], used: usize, point: Point) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    walk(arena, used, |kind, definition, cells| {
        records.extend(cells.collect(kind, &definition, false, point));
    });
    records
}

/// Reads what the series of a process came to. A gauge that was never set is none.
pub(crate) fn totals_of(arena: &[AtomicU64]) -> Totals {
    let mut totals = Totals::new();
    walk(arena, arena.len(), |kind, definition, cells| {
        if cells.has_value(kind) {
            sums::add(&mut totals, (kind, definition), cells.sum(kind));
        }
    });
    totals
}

/// What stands before the cells of a series.
pub(crate) fn tag(kind: Kind, definition_bytes: usize) -> u64 {
    (definition_bytes as u64) << 8 | kind.number()
}

/// A definition: the metric's part with its length, then the labels.
pub(crate) fn join(head: &[u8], labels: &[u8]) -> Vec<u8> {
    let mut joined = Vec::with_capacity(4 + head.len() + labels.len());
    joined.extend_from_slice(&(head.len() as u32).to_le_bytes());
    joined.extend_from_slice(head);
    joined.extend_from_slice(labels);
    joined
}

pub(crate) fn split(definition: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = definition.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_le_bytes(*len) as usize)
}

/// Adds to a number that lies in a word.
#[inline]
pub(crate) fn add(word: &AtomicU64, n: f64) {
    let mut before = word.load(Ordering::Relaxed);
    loop {
        let after = (f64::from_bits(before) + n).to_bits();
        match word.compare_exchange_weak(before, after, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return,
            Err(now) => before = now,
        }
    }
}

/// The bucket of a value; `None` for zero and less. A bucket has its upper bound in it.
#[inline]
pub(crate) fn bucket_of(value: f64) -> Option<usize> {
    if value <= 0.0 {
        return None;
    }
    let bits = value.to_bits();
    let exponent = (bits >> 52) as i64 - 1023;
    let mantissa = bits & MANTISSA;
    let n_below: i64 = BOUNDS
        .iter()
        .map(|bound| i64::from(mantissa > *bound))
        .sum();
    let idx = exponent * 8 + n_below - 1 + BIAS;
    Some(idx.clamp(0, N_BUCKETS as i64 - 1) as usize)
}

/// The upper bound of a bucket.
pub(crate) fn upper_bound(bucket: usize) -> f64 {
    ((bucket as f64 + 1.0 - BIAS as f64) / 8.0).exp2()
}

pub(crate) const SCALE: i64 = 3;
/// The number of the bucket whose upper bound is 2^(1/8).
pub(crate) const BIAS: i64 = 512;
pub(crate) const N_BUCKETS: usize = 1024;
const CHUNK_LEN: usize = 64;
/// Counts, and what they were before they were last collected.
pub(crate) const CHUNK_WORDS: usize = 2 * CHUNK_LEN;
const CHUNKS_AT: usize = 4 + EXEMPLAR_WORDS;
pub(crate) const HISTOGRAM_CELLS: usize = CHUNKS_AT + N_BUCKETS / CHUNK_LEN;
const EXEMPLAR_WORDS: usize = 6;
const EMPTY: u64 = 0;
const FULL: u64 = 1;
const BUSY: u64 = 2;
/// Empty, and for as many observations as it is above this nobody need look for a span.
const BUSY_UNTIL: u64 = 3;
const PUT_OFF: u64 = BUSY_UNTIL + 32;
/// A gauge whose value was collected: it has one, but nothing new.
const SET_ONCE: u64 = 1 << 63;
const NEWS_MASK: u64 = SET_ONCE - 1;
pub(crate) const CHUNK_TAG: u64 = 0xc4;
/// `AGGREGATION_TEMPORALITY_DELTA`.
const DELTA: u64 = 1;
const MANTISSA: u64 = (1 << 52) - 1;
/// The mantissas of 2^(0/8) to 2^(7/8).
const BOUNDS: [u64; 8] = [
    0,
    1.090_507_732_665_257_7_f64.to_bits() & MANTISSA,
    1.189_207_115_002_721_f64.to_bits() & MANTISSA,
    1.296_839_554_651_009_6_f64.to_bits() & MANTISSA,
    std::f64::consts::SQRT_2.to_bits() & MANTISSA,
    1.542_210_825_407_940_7_f64.to_bits() & MANTISSA,
    1.681_792_830_507_429_f64.to_bits() & MANTISSA,
    1.834_008_086_409_342_4_f64.to_bits() & MANTISSA,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_within_the_bounds_of_its_bucket() {
        for value in [
            1e-12, 0.001, 0.37, 0.5, 1.0, 1.05, 1.0905, 1.1, 2.0, 3.0, 1e6, 1.8e18,
        ] {
            let bucket = bucket_of(value).unwrap();
            assert!(value <= upper_bound(bucket) * (1.0 + 1e-12), "{value}");
            assert!(value > upper_bound(bucket - 1) * (1.0 - 1e-12), "{value}");
        }
        assert_eq!(bucket_of(1.0), Some(511));
        assert_eq!(bucket_of(0.0), None);
        assert_eq!(bucket_of(-3.0), None);
        assert_eq!(bucket_of(f64::INFINITY), Some(N_BUCKETS - 1));
        assert_eq!(bucket_of(f64::MIN_POSITIVE / 4.0), Some(0));
    }

    #[test]
    fn an_exemplar_is_the_first_or_the_largest() {
        let words: Vec<AtomicU64> = (0..HISTOGRAM_CELLS).map(|_| AtomicU64::new(0)).collect();
        let kind = Kind::Histogram;
        let exemplar = |value| Exemplar {
            value,
            nanos: 7,
            trace_id: 1 << 70 | 5,
            span_id: 9,
        };
        assert!(Exemplar::wanted(kind, &words, 0.1));
        exemplar(0.1).keep(kind, &words);
        assert!(!Exemplar::wanted(kind, &words, 0.05));
        assert!(Exemplar::wanted(kind, &words, 0.2));
        exemplar(0.2).keep(kind, &words);
        assert_eq!(Exemplar::take(kind, &words), Some(exemplar(0.2)));
        assert_eq!(Exemplar::take(kind, &words), None);
    }
}
