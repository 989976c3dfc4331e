//! A chunk of a file: samples of one series, in pages that can be read one by one.
//!
//! Bytes, version 2: a varint with the number of pages, an entry for each, then their samples, one
//! page behind the other. An entry: a byte of flags; how far its samples are apart, in milliseconds
//! (varint, with `NEW_STEP`); how many there are (varint, unless `SAME_COUNT`); how much later than
//! the last of the page before the first one is (*signed*, unless `FOLLOWS`); how much later than
//! that the last one is (varint, unless `EVEN`); the bytes of its samples (varint); the first value,
//! as the difference from the last one of the page before, and the last one, as that from the first
//! (*signed* with `WHOLE`, else both as *float* and not as differences). The samples: *timestamps*
//! unless `EVEN`, then *values after* the first (see `codec`).
//!
//! Of version 1 is a chunk of pages as memory has them (see `page`): for each the first timestamp
//! (*signed*), how much later the last one is and the length in bytes (varints), then their bytes.
//!
//! *Invariants*: pages do not depend on each other but for their entries.

use firebell_model::{Sample, Summary, TimeRange, Timestamp};

use crate::bytes::{Put, Reader};
use crate::codec;
use crate::page::{Columns, PageBytes};
use crate::part::{Part, is_rising, join};

/// How chunks of a file are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    /// Read only.
    Version1,
    Version2,
}

/// Samples in a page of a chunk: fewer would cost more bytes for entries, more would follow a wave
/// of the day less closely, and take longer to read one of them.
const PAGE_SAMPLES: usize = 480;
/// Samples in a page when they take next to nothing, so that entries would cost as much.
const SMALL_PAGE_SAMPLES: usize = 1440;
/// Samples are small when they take less than so many bits.
const SMALL_BITS: usize = 2;
/// The most samples in a chunk: a day at 15 s, and a little.
pub(crate) const CHUNK_SAMPLES_MAX: usize = 7200;

/// A page of a chunk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) first_at: i64,
    pub(crate) last_at: i64,
    count: usize,
    /// How far the samples are apart, when that is even.
    step: Option<i64>,
    first: f64,
    last: f64,
    /// No value is less than the one before, and none is NaN: the growth follows.
    is_rising: bool,
    /// Where its samples are among the chunk's bytes.
    start: usize,
    end: usize,
}

impl Entry {
    fn of(at: &[i64], values: &[f64]) -> Self {
        let (first, last) = (values[0], values[values.len() - 1]);
        let step = at.get(1).map_or(0, |second| second.wrapping_sub(at[0]));
        let is_even = step >= 0 && at.windows(2).all(|it| it[1].wrapping_sub(it[0]) == step);
        Self {
            first_at: at[0],
            last_at: at[at.len() - 1],
            count: at.len(),
            step: is_even.then_some(step),
            first,
            last,
            is_rising: is_rising(values),
            start: 0,
            end: 0,
        }
    }

    pub(crate) fn is_within(&self, range: TimeRange) -> bool {
        range.after.0 < self.first_at && self.last_at <= range.until.0
    }

    /// What its samples add up to, when that follows from the entry.
    pub(crate) fn part<P: Part>(&self) -> Option<P> {
        if !self.is_rising {
            return None;
        }
        let sample = |at: i64, value: f64| Sample {
            at: Timestamp(at),
            value,
        };
        let (first, last) = (
            sample(self.first_at, self.first),
            sample(self.last_at, self.last),
        );
        P::of_ends(self.count as u64, first, last, 0.0)
    }
}

/// A chunk that was read.
#[derive(Debug)]
pub(crate) struct Chunk {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    format: Format,
}

impl Chunk {
    /// `None` when the bytes, from `start` on, are no chunk.
    pub(crate) fn parse(bytes: Vec<u8>, start: usize, format: Format) -> Option<Self> {
        let body = bytes.get(start..)?;
        let mut reader = Reader(body);
        let n = reader.count()?;
        let mut entries = Vec::with_capacity(n);
        let mut before = Before::default();
        let mut end = 0_usize;
        for _ in 0..n {
            let (mut entry, len) = match format {
                Format::Version1 => entry_of_version_1(&mut reader)?,
                Format::Version2 => before.read(&mut reader)?,
            };
            entry.start = end;
            end = end.checked_add(len)?;
            entry.end = end;
            entries.push(entry);
        }
        if reader.0.len() != end {
            return None;
        }
        let base = bytes.len() - end;
        for entry in &mut entries {
            entry.start += base;
            entry.end += base;
        }
        Some(Self {
            bytes,
            entries,
            format,
        })
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The places of the pages that have samples in the range.
    pub(crate) fn span(&self, range: TimeRange) -> std::ops::Range<usize> {
        let entries = &self.entries;
        let from = entries.partition_point(|entry| entry.last_at <= range.after.0);
        let to = entries.partition_point(|entry| entry.first_at <= range.until.0);
        from..to.max(from)
    }

    /// Appends the samples of a page. `None` when they are damaged.
    pub(crate) fn columns(&self, page: usize, out: &mut Columns) -> Option<()> {
        let entry = &self.entries[page];
        let bytes = self.bytes.get(entry.start..entry.end)?;
        if self.format == Format::Version1 {
            return PageBytes(bytes).columns(out);
        }
        let mut reader = Reader(bytes);
        match entry.step {
            Some(step) => {
                let times =
                    (0..entry.count as i64).map(|idx| entry.first_at.wrapping_add(idx * step));
                out.at.extend(times);
            }
            None => codec::timestamps(&mut reader, entry.count, &mut out.at)?,
        }
        codec::values_after(&mut reader, entry.count, entry.first, &mut out.value)
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.bytes.len() + self.entries.len() * size_of::<Entry>()
    }
}

fn entry_of_version_1(reader: &mut Reader<'_>) -> Option<(Entry, usize)> {
    let first_at = reader.signed()?;
    let last_at = first_at.wrapping_add(reader.varint()? as i64);
    let len = usize::try_from(reader.varint()?).ok()?;
    let entry = Entry {
        first_at,
        last_at,
        count: 0,
        step: None,
        first: 0.0,
        last: 0.0,
        is_rising: false,
        start: 0,
        end: 0,
    };
    Some((entry, len))
}

/// What an entry is told in terms of: the page before.
#[derive(Default)]
struct Before {
    step: i64,
    count: usize,
    last_at: i64,
    last: f64,
}

impl Before {
    fn put(&mut self, entry: &Entry, len: usize, out: &mut Vec<u8>) {
        let flags_at = out.len();
        out.push(0);
        let mut flags = if entry.is_rising { RISING } else { 0 };
        if let Some(step) = entry.step {
            flags |= EVEN;
            if entry.count > 1 && step != self.step {
                flags |= NEW_STEP;
                out.put_varint(step as u64);
                self.step = step;
            }
        }
        if entry.count == self.count {
            flags |= SAME_COUNT;
        } else {
            out.put_varint(entry.count as u64);
        }
        let later = entry.first_at.wrapping_sub(self.last_at);
        if later == self.step {
            flags |= FOLLOWS;
        } else {
            out.put_signed(later);
        }
        if entry.step.is_none() {
            out.put_varint(entry.last_at.wrapping_sub(entry.first_at) as u64);
        }
        out.put_varint(len as u64);
        let wholes = [self.last, entry.first, entry.last].map(whole);
        if let [Some(before), Some(first), Some(last)] = wholes {
            flags |= WHOLE;
            out.put_signed(first - before);
            out.put_signed(last - first);
        } else {
            out.put_float(entry.first);
            out.put_float(entry.last);
        }
        out[flags_at] = flags;
        self.move_on(entry);
    }

    fn read(&mut self, reader: &mut Reader<'_>) -> Option<(Entry, usize)> {
        let flags = reader.byte()?;
        if flags & !KNOWN_FLAGS != 0 {
            return None;
        }
        if flags & NEW_STEP != 0 {
            self.step = i64::try_from(reader.varint()?).ok()?;
        }
        let count = if flags & SAME_COUNT != 0 {
            self.count
        } else {
            usize::try_from(reader.varint()?).ok()?
        };
        if count == 0 || count > SMALL_PAGE_SAMPLES {
            return None;
        }
        let later = if flags & FOLLOWS != 0 {
            self.step
        } else {
            reader.signed()?
        };
        let first_at = self.last_at.wrapping_add(later);
        let is_even = flags & EVEN != 0;
        let length = if is_even {
            self.step.wrapping_mul(count as i64 - 1)
        } else {
            reader.varint()? as i64
        };
        let len = usize::try_from(reader.varint()?).ok()?;
        let (first, last) = if flags & WHOLE != 0 {
            let first = whole(self.last)?.checked_add(reader.signed()?)?;
            (first as f64, first.checked_add(reader.signed()?)? as f64)
        } else {
            (reader.float()?, reader.float()?)
        };
        let entry = Entry {
            first_at,
            last_at: first_at.wrapping_add(length),
            count,
            step: is_even.then_some(self.step),
            first,
            last,
            is_rising: flags & RISING != 0,
            start: 0,
            end: 0,
        };
        self.move_on(&entry);
        Some((entry, len))
    }

    fn move_on(&mut self, entry: &Entry) {
        (self.count, self.last_at, self.last) = (entry.count, entry.last_at, entry.last);
    }
}

/// How many of `n` go first, when they are shared out evenly and none gets more than `max`.
fn even_share(n: usize, max: usize) -> usize {
    n.div_ceil(n.div_ceil(max).max(1))
}

/// A value as a whole number, when it is one that can be told as a difference.
fn whole(value: f64) -> Option<i64> {
    let whole = value as i64;
    let is_exact = (whole as f64).to_bits() == value.to_bits() && whole.abs() < WHOLE_MAX;
    is_exact.then_some(whole)
}

/// A chunk in the making.
#[derive(Default)]
pub(crate) struct Builder {
    n_pages: usize,
    entries: Vec<u8>,
    samples: Vec<u8>,
    before: Before,
    first_at: i64,
    n_samples: usize,
    summary: Option<Summary>,
}

/// What a chunk that was built has.
pub(crate) struct Built {
    pub(crate) first_at: i64,
    pub(crate) last_at: i64,
    pub(crate) n_samples: usize,
    pub(crate) summary: Option<Summary>,
}

impl Builder {
    /// Adds samples, at least one, and what they add up to.
    pub(crate) fn push(&mut self, columns: &Columns, summary: Option<Summary>) {
        self.summary = join(self.summary, summary);
        self.n_samples += columns.len();
        let (mut at, mut values) = (&columns.at[..], &columns.value[..]);
        while !at.is_empty() {
            let start = self.samples.len();
            let mut n = even_share(at.len(), PAGE_SAMPLES);
            let mut entry = self.put_page(&at[..n], &values[..n]);
            let is_small = (self.samples.len() - start) * 8 < n * SMALL_BITS;
            if is_small && n < at.len() {
                self.samples.truncate(start);
                n = even_share(at.len(), SMALL_PAGE_SAMPLES);
                entry = self.put_page(&at[..n], &values[..n]);
            }
            self.add(&entry, self.samples.len() - start);
            (at, values) = (&at[n..], &values[n..]);
        }
    }

    fn put_page(&mut self, at: &[i64], values: &[f64]) -> Entry {
        let entry = Entry::of(at, values);
        if entry.step.is_none() {
            codec::put_timestamps_small(at, &mut self.samples);
        }
        codec::put_values_after(values, &mut self.samples);
        entry
    }

    fn add(&mut self, entry: &Entry, len: usize) {
        if self.n_pages == 0 {
            self.first_at = entry.first_at;
        }
        self.n_pages += 1;
        self.before.put(entry, len, &mut self.entries);
    }

    /// Writes the chunk, and begins anew.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) -> Built {
        out.put_varint(self.n_pages as u64);
        out.extend_from_slice(&self.entries);
        out.extend_from_slice(&self.samples);
        let built = Built {
            first_at: self.first_at,
            last_at: self.before.last_at,
            n_samples: self.n_samples,
            summary: self.summary.take(),
        };
        self.entries.clear();
        self.samples.clear();
        self.before = Before::default();
        (self.n_pages, self.n_samples) = (0, 0);
        built
    }
}

const EVEN: u8 = 1;
const NEW_STEP: u8 = 2;
const FOLLOWS: u8 = 4;
const SAME_COUNT: u8 = 8;
const RISING: u8 = 16;
const WHOLE: u8 = 32;
/// The others are for kinds of samples that are to come.
const KNOWN_FLAGS: u8 = EVEN | NEW_STEP | FOLLOWS | SAME_COUNT | RISING | WHOLE;
/// Whole numbers below this are exact, and so are their differences.
const WHOLE_MAX: i64 = 1 << 53;

#[cfg(test)]
mod tests {
    use firebell_model::{Growth, STALE_NAN};

    use super::*;

    fn check(columns: &Columns) -> usize {
        let mut builder = Builder::default();
        builder.push(columns, columns.summary());
        let mut bytes = vec![7; 3];
        let built = builder.finish(&mut bytes);
        let chunk = Chunk::parse(bytes.clone(), 3, Format::Version2).unwrap();
        assert_eq!(read(&chunk), *columns);
        assert_eq!(
            (built.first_at, built.n_samples),
            (columns.at[0], columns.len())
        );
        for entry in chunk.entries() {
            let range = TimeRange {
                after: Timestamp(entry.first_at - 1),
                until: Timestamp(entry.last_at),
            };
            if let Some(part) = entry.part::<Growth>() {
                let (at, values) = columns.within(range);
                assert_eq!(Some(part), Part::of(values, |idx| at[idx]));
            }
        }
        for len in 0..bytes.len() {
            let _ = Chunk::parse(bytes[..len].to_vec(), 3, Format::Version2);
        }
        bytes.len() - 3
    }

    fn read(chunk: &Chunk) -> Columns {
        let mut all = Columns::default();
        for page in 0..chunk.entries().len() {
            chunk.columns(page, &mut all).unwrap();
        }
        let bits = all.value.iter().map(|value| value.to_bits());
        assert!(bits.count() > 0);
        all
    }

    fn columns_of(n: i64, at: impl Fn(i64) -> i64, value: impl Fn(i64) -> f64) -> Columns {
        Columns {
            at: (0..n).map(at).collect(),
            value: (0..n).map(value).collect(),
        }
    }

    #[test]
    fn chunks_take_the_bytes_they_should() {
        let chance = |n: i64| ((n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as i64;
        let even = |n: i64| 1_700_000_000_000 + n * 15_000;
        for (what, columns, bytes_max) in [
            ("same", columns_of(480, even, |_| 4.0), 30),
            (
                "steady counter",
                columns_of(480, even, |n| n as f64 * 30.0),
                40,
            ),
            (
                "counter",
                columns_of(480, even, |n| (n * 600 + chance(n) % 300) as f64),
                590,
            ),
            ("rare", columns_of(480, even, |n| (n / 7) as f64), 80),
            (
                "late scrapes",
                columns_of(480, |n| even(n) + chance(n) % 4, |n| n as f64),
                235,
            ),
            ("one", columns_of(1, even, |_| 0.5), 20),
        ] {
            let len = check(&columns);
            assert!(len <= bytes_max, "{what}: {len} bytes");
        }
    }

    #[test]
    fn odd_chunks_come_back() {
        let even = |n: i64| n * 1000;
        check(&columns_of(500, even, |n| (n as f64).sqrt()));
        check(&columns_of(500, |n| n * n * 1000, |n| -(n as f64)));
        check(&columns_of(3, even, |n| {
            [-0.0, f64::INFINITY, 2.0][n as usize]
        }));
        check(&columns_of(2, even, |n| [1.0, f64::MAX][n as usize]));
        let mut ends = columns_of(300, even, |n| n as f64);
        ends.value[299] = 12.5;
        check(&ends);
        let stale = columns_of(2, even, |_| STALE_NAN);
        let mut builder = Builder::default();
        builder.push(&stale, stale.summary());
        let mut bytes = Vec::new();
        assert!(builder.finish(&mut bytes).summary.is_none());
    }
}
