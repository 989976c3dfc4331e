//! The newest samples of a series, not compressed: what rules ask for most.
//!
//! Most series are scraped at even steps and count whole things. Times at even steps cost nothing,
//! and whole values near the first one two bytes; what is otherwise costs four and eight.
//!
//! As bytes, which a restart takes as they are: a varint with the number of samples; unless that is
//! zero, the first timestamp (*signed*), the step (varint), a byte that says how values are kept,
//! plus `UNEVEN` when steps are not even; then, if so, the distance of each sample from the first
//! timestamp (u32); then the base of the values (*signed*), unless they are floats, and the values
//! (i16, i32 or f64); all little-endian.

use firebell_model::{Sample, TimeRange, Timestamp};

use crate::bytes::{Put, Reader};
use crate::page::Columns;
use crate::part::Part;

/// Up to [`TAIL_SAMPLES_MAX`] samples in order of time.
#[derive(Default)]
pub(crate) struct Tail {
    base: i64,
    /// Milliseconds from one sample to the next, while `offsets` are not needed.
    step: u32,
    /// How much later than `base` each sample is; empty while the steps are even.
    offsets: Vec<u32>,
    values: Values,
}

/// Values, bit for bit; whole numbers as their distance from a base.
enum Values {
    Narrow(i64, Vec<i16>),
    Wide(i64, Vec<i32>),
    Float(Vec<f64>),
}

impl Tail {
    pub(crate) fn len(&self) -> usize {
        match &self.values {
            Values::Narrow(_, distances) => distances.len(),
            Values::Wide(_, distances) => distances.len(),
            Values::Float(values) => values.len(),
        }
    }

    pub(crate) fn first_at(&self) -> Option<i64> {
        (self.len() > 0).then_some(self.base)
    }

    pub(crate) fn last(&self) -> Option<Sample> {
        self.len().checked_sub(1).map(|idx| self.sample(idx))
    }

    #[inline]
    pub(crate) fn sample(&self, idx: usize) -> Sample {
        Sample {
            at: Timestamp(self.at(idx)),
            value: self.values.get(idx),
        }
    }

    #[inline]
    fn at(&self, idx: usize) -> i64 {
        match self.offsets.get(idx) {
            Some(&offset) => self.base + i64::from(offset),
            None => self.base + idx as i64 * i64::from(self.step),
        }
    }

    /// Whether a sample at `at` is too far from the others to stand with them.
    pub(crate) fn is_far(&self, at: i64) -> bool {
        self.len() > 0 && !self.is_even(at) && u32::try_from(at.wrapping_sub(self.base)).is_err()
    }

    /// Whether a sample at `at` goes on with the steps as they are.
    fn is_even(&self, at: i64) -> bool {
        self.offsets.is_empty() && self.len() > 1 && at == self.at(self.len())
    }

    /// Makes room for `n` more samples.
    pub(crate) fn reserve(&mut self, n: usize) {
        self.values.reserve(n);
    }

    /// Appends a sample that is later than the others, and not far.
    pub(crate) fn push(&mut self, at: i64, value: f64) {
        match self.len() {
            0 => (self.base, self.step) = (at, 0),
            1 => self.step = (at - self.base) as u32,
            n if !self.is_even(at) => {
                if self.offsets.is_empty() {
                    let even = (0..n).map(|idx| (self.at(idx) - self.base) as u32);
                    self.offsets = even.collect();
                }
                grow(&mut self.offsets, 1);
                self.offsets.push((at - self.base) as u32);
            }
            _ => {}
        }
        self.values.push(value);
    }

    /// Moves the oldest `n` samples to `out`.
    pub(crate) fn take(&mut self, n: usize, out: &mut Columns) {
        out.at.extend((0..n).map(|idx| self.at(idx)));
        self.values.copy(n, &mut out.value);
        if n == self.len() {
            // A series that ended keeps no room.
            *self = Self::default();
            return;
        }
        let base = self.at(n);
        if !self.offsets.is_empty() {
            drop_first(&mut self.offsets, n);
            let later = (base - self.base) as u32;
            self.offsets.iter_mut().for_each(|offset| *offset -= later);
            self.even_out();
        }
        self.base = base;
        self.values.drop_first(n);
    }

    /// Forgets offsets that have become even.
    fn even_out(&mut self) {
        let step = self.offsets.get(1).copied().unwrap_or(0);
        let mut even = (0..).step_by(step.max(1) as usize);
        let is_even = self
            .offsets
            .iter()
            .all(|&offset| even.next() == Some(u64::from(offset)));
        if is_even {
            self.step = step;
            self.offsets.clear();
        }
    }

    /// The places of the samples in the range.
    pub(crate) fn span(&self, range: TimeRange) -> std::ops::Range<usize> {
        let start = self.n_until(range.after.0);
        start..self.n_until(range.until.0).max(start)
    }

    /// How many samples are not later than `at`.
    fn n_until(&self, at: i64) -> usize {
        if at < self.base {
            return 0;
        }
        let later = at.wrapping_sub(self.base) as u64;
        if self.offsets.is_empty() {
            // Most ask until now, and a division takes its time.
            if (self.len() as u64).saturating_sub(1) * u64::from(self.step) <= later {
                return self.len();
            }
            let n_steps = later.checked_div(u64::from(self.step));
            return n_steps.map_or(self.len(), |n| self.len().min(n.saturating_add(1) as usize));
        }
        self.offsets
            .partition_point(|&offset| u64::from(offset) <= later)
    }

    /// Has the processor fetch the values of a range; the result means nothing.
    pub(crate) fn look(&self, range: TimeRange) -> usize {
        let (start, end) = (self.n_until(range.after.0), self.len());
        let places = [start, start.midpoint(end), end.wrapping_sub(1)];
        let places = places.into_iter().filter(|it| *it < end);
        places.fold(0, |sum, idx| sum ^ self.values.get(idx) as usize)
    }

    /// What the samples in the range add up to.
    pub(crate) fn part<P: Part>(&self, range: TimeRange) -> Option<P> {
        let span = self.span(range);
        let start = span.start;
        if span.is_empty() {
            return None;
        }
        if let Some(lost) = self.values.lost(span.clone()) {
            let (first, last) = (self.sample(start), self.sample(span.end - 1));
            if let Some(part) = P::of_ends(span.len() as u64, first, last, lost) {
                return Some(part);
            }
        }
        let mut values = [0.0; TAIL_SAMPLES_MAX];
        P::of(self.values.slice(span, &mut values), |idx| {
            self.at(start + idx)
        })
    }

    /// Writes the tail as it is.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        out.put_varint(self.len() as u64);
        if self.len() == 0 {
            return;
        }
        out.put_signed(self.base);
        out.put_varint(u64::from(self.step));
        let (kind, base) = match &self.values {
            Values::Narrow(base, _) => (NARROW, Some(*base)),
            Values::Wide(base, _) => (WIDE, Some(*base)),
            Values::Float(_) => (FLOAT, None),
        };
        let is_uneven = !self.offsets.is_empty();
        out.push(kind | if is_uneven { UNEVEN } else { 0 });
        put_all(&self.offsets, |it| it.to_le_bytes(), out);
        if let Some(base) = base {
            out.put_signed(base);
        }
        match &self.values {
            Values::Narrow(_, distances) => put_all(distances, |it| it.to_le_bytes(), out),
            Values::Wide(_, distances) => put_all(distances, |it| it.to_le_bytes(), out),
            Values::Float(values) => put_all(values, |it| it.to_le_bytes(), out),
        }
    }

    /// Reads what [`Tail::put`] has written. `None` when the bytes say what cannot be.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let n = usize::try_from(reader.varint()?).ok()?;
        if n == 0 || n > TAIL_SAMPLES_MAX {
            return (n == 0).then(Self::default);
        }
        let (base, step) = (reader.signed()?, u32::try_from(reader.varint()?).ok()?);
        let kind = reader.byte()?;
        let mut offsets = Vec::new();
        if kind & UNEVEN != 0 {
            offsets = read_all(reader, n, u32::from_le_bytes)?;
        }
        let last = match offsets.last() {
            Some(&last) => i64::from(last),
            None => i64::from(step) * (n as i64 - 1),
        };
        let is_rising = offsets.is_sorted_by(|a, b| a < b) && (n == 1 || last > 0);
        if !is_rising || base.checked_add(last).is_none() {
            return None;
        }
        let mut value_base = || reader.signed().filter(|it| it.unsigned_abs() <= BASE_MAX);
        let values = match kind & !UNEVEN {
            NARROW => Values::Narrow(value_base()?, read_all(reader, n, i16::from_le_bytes)?),
            WIDE => Values::Wide(value_base()?, read_all(reader, n, i32::from_le_bytes)?),
            FLOAT => Values::Float(read_all(reader, n, f64::from_le_bytes)?),
            _ => return None,
        };
        Some(Self {
            base,
            step,
            offsets,
            values,
        })
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        let values = match &self.values {
            Values::Narrow(_, distances) => distances.capacity() * 2,
            Values::Wide(_, distances) => distances.capacity() * 4,
            Values::Float(values) => values.capacity() * 8,
        };
        values + self.offsets.capacity() * 4
    }
}

impl Values {
    #[inline]
    fn get(&self, idx: usize) -> f64 {
        match self {
            Self::Narrow(base, distances) => whole(*base, distances[idx]),
            Self::Wide(base, distances) => whole(*base, distances[idx]),
            Self::Float(values) => values[idx],
        }
    }

    /// The sum of those before which a counter was reset, when they are whole numbers and it is exact.
    fn lost(&self, span: std::ops::Range<usize>) -> Option<f64> {
        match self {
            Self::Narrow(base, distances) => lost(*base, &distances[span]),
            Self::Wide(base, distances) => lost(*base, &distances[span]),
            Self::Float(_) => None,
        }
    }

    /// Copies the first `n` to `out`.
    fn copy(&self, n: usize, out: &mut Vec<f64>) {
        match self {
            Self::Narrow(base, it) => out.extend(it[..n].iter().map(|&it| whole(*base, it))),
            Self::Wide(base, it) => out.extend(it[..n].iter().map(|&it| whole(*base, it))),
            Self::Float(values) => out.extend_from_slice(&values[..n]),
        }
    }

    fn slice<'a>(
        &'a self,
        span: std::ops::Range<usize>,
        buffer: &'a mut [f64; TAIL_SAMPLES_MAX],
    ) -> &'a [f64] {
        match self {
            Self::Narrow(base, distances) => wholes(*base, &distances[span], buffer),
            Self::Wide(base, distances) => wholes(*base, &distances[span], buffer),
            Self::Float(values) => &values[span],
        }
    }

    fn push(&mut self, value: f64) {
        let whole = value as i64;
        let is_whole = (whole as f64).to_bits() == value.to_bits() && whole.abs() <= WHOLE_MAX;
        if let Self::Narrow(base, distances) = self {
            if distances.is_empty() && is_whole {
                *base = narrow_base(whole);
            }
            if let Ok(distance) = i16::try_from(whole.wrapping_sub(*base))
                && is_whole
            {
                grow(distances, 1);
                distances.push(distance);
                return;
            }
            let known = distances.iter().map(|&it| i32::from(it));
            *self = Self::Wide(*base, grown(known));
        }
        if let Self::Wide(base, distances) = self {
            if distances.is_empty() && is_whole {
                *base = whole;
            }
            if let Ok(distance) = i32::try_from(whole.wrapping_sub(*base))
                && is_whole
            {
                grow(distances, 1);
                distances.push(distance);
                return;
            }
            *self = Self::Float(grown(distances.iter().map(|&it| self::whole(*base, it))));
        }
        if let Self::Float(values) = self {
            grow(values, 1);
            values.push(value);
        }
    }

    fn drop_first(&mut self, n: usize) {
        match self {
            Self::Narrow(_, distances) => drop_first(distances, n),
            Self::Wide(_, distances) => drop_first(distances, n),
            Self::Float(values) => drop_first(values, n),
        }
        self.settle();
    }

    /// Moves the base to what is left, and turns narrow when what comes will most likely fit.
    fn settle(&mut self) {
        match self {
            Self::Narrow(base, distances) => {
                let Some((min, max)) = ends(distances) else {
                    return;
                };
                let min = *base + i64::from(min);
                let new = narrow_base(min);
                if i64::from(max) + *base - new <= i64::from(i16::MAX) {
                    let later = (new - *base) as i32;
                    // Both bases are at most 2^16 apart, and every sum fits: its ends do.
                    let moved = |it: i16| (i32::from(it) - later) as i16;
                    distances.iter_mut().for_each(|it| *it = moved(*it));
                    *base = new;
                }
            }
            Self::Wide(base, distances) => {
                let Some((min, max)) = ends(distances) else {
                    return;
                };
                let span = max.abs_diff(min);
                if span > NARROW_SPAN {
                    if span < 1 << 30 {
                        distances
                            .iter_mut()
                            .for_each(|it| *it = it.wrapping_sub(min));
                        *base += i64::from(min);
                    }
                    return;
                }
                let new = narrow_base(*base + i64::from(min));
                let later = new - *base;
                let narrow = distances.iter().map(|&it| (i64::from(it) - later) as i16);
                *self = Self::Narrow(new, grown(narrow));
            }
            Self::Float(_) => {}
        }
    }

    fn reserve(&mut self, n: usize) {
        match self {
            Self::Narrow(_, distances) => grow(distances, n),
            Self::Wide(_, distances) => grow(distances, n),
            Self::Float(values) => grow(values, n),
        }
    }
}

impl Default for Values {
    fn default() -> Self {
        Self::Narrow(0, Vec::new())
    }
}

fn lost<D: Copy + Ord + Into<i64>>(base: i64, distances: &[D]) -> Option<f64> {
    let pairs = || distances.iter().zip(distances.iter().skip(1));
    // Without an early end, so that several pairs are compared at once.
    if !pairs().fold(false, |any, (before, after)| any | (after < before)) {
        return Some(0.0);
    }
    let resets = pairs().filter(|(before, after)| after < before);
    let (n_resets, distance) = resets.fold((0, 0), |(n_resets, sum), (&before, _)| {
        (n_resets + 1, sum + before.into())
    });
    // Floats add up whole numbers to the same as long as no sum is beyond those that they tell apart.
    let is_exact = n_resets * (base.abs() + (1 << 32)) <= 1 << 53;
    is_exact.then_some((n_resets * base + distance) as f64)
}

/// Exact: base and sum are whole numbers up to 2^53.
#[inline]
fn whole(base: i64, distance: impl Into<f64>) -> f64 {
    base as f64 + distance.into()
}

fn wholes<'a, D: Copy + Into<f64>>(
    base: i64,
    distances: &[D],
    buffer: &'a mut [f64; TAIL_SAMPLES_MAX],
) -> &'a [f64] {
    for (value, &distance) in buffer.iter_mut().zip(distances) {
        *value = whole(base, distance);
    }
    &buffer[..distances.len()]
}

/// The base for values of which this is the least so far: counters grow, so most room is above.
fn narrow_base(least: i64) -> i64 {
    least - i64::from(i16::MIN) - NARROW_BELOW
}

/// The least and the greatest.
fn ends<D: Copy + Ord>(distances: &[D]) -> Option<(D, D)> {
    let min = distances.iter().min()?;
    Some((*min, *distances.iter().max()?))
}

/// A column of these, with room as if they had been pushed.
fn grown<T>(items: impl ExactSizeIterator<Item = T>) -> Vec<T> {
    let mut column = Vec::new();
    grow(&mut column, items.len());
    column.extend(items);
    column
}

fn put_all<T: Copy, const N: usize>(
    items: &[T],
    to_bytes: impl Fn(T) -> [u8; N],
    out: &mut Vec<u8>,
) {
    out.reserve(items.len() * N);
    items
        .iter()
        .for_each(|&it| out.extend_from_slice(&to_bytes(it)));
}

fn read_all<T, const N: usize>(
    reader: &mut Reader<'_>,
    n: usize,
    of_bytes: impl Fn([u8; N]) -> T,
) -> Option<Vec<T>> {
    let (chunks, _) = reader.take(n.checked_mul(N)?)?.as_chunks::<N>();
    Some(grown(chunks.iter().map(|&it| of_bytes(it))))
}

/// Keeps the room of a column that will be as long again soon: to give it back and take it anew
/// would leave holes everywhere.
fn drop_first<T>(column: &mut Vec<T>, n: usize) {
    column.drain(..n);
    if column.capacity() * size_of::<T>() > KEPT_BYTES {
        column.shrink_to(room_for::<T>(column.len()));
    }
}

/// Makes room for `n` more.
fn grow<T>(column: &mut Vec<T>, n: usize) {
    let len = column.len() + n;
    if len > column.capacity() {
        column.reserve_exact(room_for::<T>(len) - column.len());
    }
}

/// Small columns double, up to a whole tail; large ones grow by steps: most would be half empty.
fn room_for<T>(len: usize) -> usize {
    if TAIL_SAMPLES_MAX * size_of::<T>() > KEPT_BYTES {
        return len.next_multiple_of(TAIL_STEP);
    }
    let n_steps = len.div_ceil(TAIL_STEP).next_power_of_two();
    n_steps * TAIL_STEP
}

/// A tail that would get longer gives its oldest samples to pages.
pub(crate) const TAIL_SAMPLES_MAX: usize = 160;
const TAIL_STEP: usize = 10;
/// A column that takes no more for a whole tail keeps its room.
const KEPT_BYTES: usize = TAIL_SAMPLES_MAX * 4;
/// Room of narrow values below the least so far.
const NARROW_BELOW: i64 = 1 << 13;
/// What a whole tail spans is four times what is left of it when the rest is sealed.
const NARROW_SPAN: u32 = ((1 << 16) - NARROW_BELOW as u32) / 4;
/// Whole numbers up to here are exact as floats, and so are bases a little further.
const WHOLE_MAX: i64 = (1 << 53) - (1 << 16);
/// No base of values is further from zero.
const BASE_MAX: u64 = 1 << 54;
const NARROW: u8 = 0;
const WIDE: u8 = 1;
const FLOAT: u8 = 2;
const UNEVEN: u8 = 4;

#[cfg(test)]
mod tests {
    use firebell_model::STALE_NAN;
    use proptest::prelude::*;

    use super::*;

    fn check(samples: &[(i64, f64)], n_taken: usize) {
        let mut tail = Tail::default();
        for &(at, value) in samples {
            assert!(!tail.is_far(at));
            tail.push(at, value);
        }
        let mut columns = Columns::default();
        tail.take(n_taken.min(samples.len()), &mut columns);
        let n = columns.len();
        let tail = reread(&tail);
        for idx in 0..tail.len() {
            let Sample { at, value } = tail.sample(idx);
            columns.push(at.0, value);
        }
        let bits = |it: (&i64, &f64)| (*it.0, it.1.to_bits());
        let found: Vec<_> = columns.at.iter().zip(&columns.value).map(bits).collect();
        let expected: Vec<_> = samples.iter().map(|it| bits((&it.0, &it.1))).collect();
        assert_eq!(found, expected);
        for &(until, _) in samples {
            let range = TimeRange {
                after: Timestamp(i64::MIN),
                until: Timestamp(until),
            };
            let expected = samples[n..].iter().filter(|it| it.0 <= until).count();
            assert_eq!(tail.span(range).len(), expected, "{until}");
        }
    }

    fn reread(tail: &Tail) -> Tail {
        let mut bytes = Vec::new();
        tail.put(&mut bytes);
        for len in 0..bytes.len() {
            assert!(Tail::read(&mut Reader(&bytes[..len])).is_none());
        }
        let mut reader = Reader(&bytes);
        let read = Tail::read(&mut reader).unwrap();
        assert!(reader.is_empty());
        read
    }

    #[test]
    fn bytes_that_cannot_be_a_tail_are_refused_and_no_bytes_panic() {
        let mut out = Vec::new();
        let mut tail = Tail::default();
        [1, 2, 4].iter().for_each(|&at| tail.push(at, at as f64));
        tail.put(&mut out);
        for place in 0..out.len() {
            for bit in 0..8 {
                let mut bytes = out.clone();
                bytes[place] ^= 1 << bit;
                if let Some(mut tail) = Tail::read(&mut Reader(&bytes)) {
                    let until = Timestamp::MAX;
                    let all = TimeRange {
                        after: Timestamp::MIN,
                        until,
                    };
                    let _: Vec<Sample> = tail.span(all).map(|idx| tail.sample(idx)).collect();
                    let next = tail.last().map_or(0, |it| it.at.0.saturating_add(1));
                    if !tail.is_far(next) {
                        tail.push(next, 1.0);
                    }
                    tail.take(1, &mut Columns::default());
                }
            }
        }
    }

    #[test]
    fn more_samples_than_a_tail_takes_are_refused_however_many() {
        for n in [TAIL_SAMPLES_MAX as u64 + 1, 1 << 40, u64::MAX] {
            let mut bytes = Vec::new();
            bytes.put_varint(n);
            bytes.put_signed(0);
            bytes.put_varint(u64::from(u32::MAX));
            bytes.push(NARROW);
            bytes.put_signed(0);
            bytes.resize(1 << 12, 0);
            assert!(Tail::read(&mut Reader(&bytes)).is_none(), "{n}");
        }
    }

    #[test]
    fn samples_of_all_kinds_come_back_bit_for_bit() {
        let odd = [
            0.5,
            -0.0,
            STALE_NAN,
            f64::INFINITY,
            1e300,
            5e9,
            -5e9,
            9.1e15,
        ];
        for value in odd {
            let samples: Vec<_> = (0..40)
                .map(|n| (n * 15_000, if n == 30 { value } else { n as f64 }))
                .collect();
            for n_taken in [0, 1, 29, 31, 39, 40] {
                check(&samples, n_taken);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn samples_at_even_and_uneven_steps_come_back(
            steps in prop::collection::vec(prop::sample::select(vec![15_000, 15_000, 15_000, 1, 40_000]), 1..60),
            n_taken in 0..60_usize,
        ) {
            let mut at = -7;
            let samples: Vec<_> = steps
                .iter()
                .map(|step| {
                    at += step;
                    (at, (at / 1000) as f64)
                })
                .collect();
            check(&samples, n_taken);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn values_that_wander_come_back_through_many_seals(
            steps in prop::collection::vec(
                prop::sample::select(vec![0.0, 1.0, -1.0, 700.0, 3000.0, -40_000.0, 1e6, -9e9, 0.5]),
                1..400,
            ),
            first in prop::sample::select(vec![0.0, -5.0, 9.007e15, -9.007e15, 1e300]),
        ) {
            let (mut tail, mut sealed) = (Tail::default(), Columns::default());
            let mut value = first;
            let mut expected = Vec::new();
            for (n, step) in steps.iter().enumerate() {
                value += step;
                expected.push(value);
                if tail.len() == TAIL_SAMPLES_MAX {
                    tail.take(120, &mut sealed);
                }
                tail.push(n as i64 * 1000, value);
            }
            let mut buffer = [0.0; TAIL_SAMPLES_MAX];
            sealed.value.extend(tail.values.slice(0..tail.len(), &mut buffer));
            prop_assert_eq!(sealed.value, expected);
        }
    }

    #[test]
    fn a_tail_takes_two_bytes_for_a_value_of_most_counters() {
        for (step, bytes) in [(1, 320), (350, 320), (2000, 640), (1 << 40, 1280)] {
            let mut tail = Tail::default();
            for n in 0..520 {
                if tail.len() == TAIL_SAMPLES_MAX {
                    tail.take(120, &mut Columns::default());
                }
                tail.push(n * 15_000, (n * step) as f64);
            }
            assert_eq!(tail.heap_bytes(), bytes, "{step}");
        }
    }

    #[test]
    fn a_sample_after_months_is_far() {
        let mut tail = Tail::default();
        let month = 30 * 24 * 3_600_000_i64;
        assert!(!tail.is_far(i64::MAX));
        tail.push(0, 1.0);
        assert!(!tail.is_far(month) && tail.is_far(2 * month));
        tail.push(month, 1.0);
        tail.push(2 * month, 1.0);
        assert!(!tail.is_far(3 * month) && tail.is_far(3 * month + 1));
    }
}
