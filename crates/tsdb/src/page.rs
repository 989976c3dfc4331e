//! A page: up to [`PAGE_SAMPLES_MAX`] samples of one series, compressed, with their summary.
//!
//! Bytes: a varint with the number of samples; the summary; the columns of timestamps and values as
//! `codec` writes them. The summary: a byte of flags; then, unless it says that all samples are
//! stale markers, `first` and `last` (each the distance from the page's first timestamp as varint,
//! and a *float*), the sum as *float*, the rest only where the flags say that it is not what
//! follows from these.

use firebell_model::{Sample, Summary, TimeRange, Timestamp};

use crate::bytes::{Put, Reader};
use crate::codec;
use crate::part::Part;

/// The most samples in a page.
pub(crate) const PAGE_SAMPLES_MAX: usize = 120;

/// Sealed samples.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) first_at: i64,
    pub(crate) last_at: i64,
    pub(crate) bytes: Box<[u8]>,
}

/// Samples, a column each.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Columns {
    pub(crate) at: Vec<i64>,
    pub(crate) value: Vec<f64>,
}

impl Page {
    /// Seals samples, at least one, in order of time.
    pub(crate) fn seal(columns: &Columns) -> Self {
        let first_at = columns.at.first().copied().unwrap_or(0);
        let mut bytes = Vec::with_capacity(256);
        bytes.put_varint(columns.at.len() as u64);
        put_summary(first_at, columns.summary(), &mut bytes);
        codec::put_timestamps(&columns.at, &mut bytes);
        codec::put_values(&columns.value, &mut bytes);
        Self {
            first_at,
            last_at: columns.at.last().copied().unwrap_or(0),
            // A copy: allocators leave what is shrunk where it is, with the room that it had.
            bytes: bytes.as_slice().into(),
        }
    }

    pub(crate) fn count(&self) -> usize {
        PageBytes(&self.bytes).count()
    }

    /// Whether all of the page lies in the range.
    pub(crate) fn is_within(&self, range: TimeRange) -> bool {
        range.after.0 < self.first_at && self.last_at <= range.until.0
    }

    pub(crate) fn as_bytes(&self) -> PageBytes<'_> {
        PageBytes(&self.bytes)
    }
}

/// The bytes of a page, wherever they lie.
#[derive(Clone, Copy)]
pub(crate) struct PageBytes<'a>(pub(crate) &'a [u8]);

impl PageBytes<'_> {
    pub(crate) fn count(self) -> usize {
        let n = Reader(self.0).varint().unwrap_or(0);
        usize::try_from(n).unwrap_or(0)
    }

    /// Appends all samples. `None`, and nothing is appended, when the bytes are damaged.
    pub(crate) fn columns(self, out: &mut Columns) -> Option<()> {
        let len = out.len();
        let read = self.read_columns(out);
        if read.is_none() {
            // Times may have been read before a value could not be.
            out.at.truncate(len);
            out.value.truncate(len);
        }
        read
    }

    fn read_columns(self, out: &mut Columns) -> Option<()> {
        let mut reader = Reader(self.0);
        let n = usize::try_from(reader.varint()?).ok()?;
        if n > PAGE_SAMPLES_MAX {
            return None;
        }
        read_summary(0, &mut reader, n)?;
        codec::timestamps(&mut reader, n, &mut out.at)?;
        codec::values(&mut reader, n, &mut out.value)
    }

    /// What all samples add up to, without reading them; `Some(None)` when all are stale markers.
    pub(crate) fn summary(self, first_at: i64) -> Option<Option<Summary>> {
        let mut reader = Reader(self.0);
        let n = usize::try_from(reader.varint()?).ok()?;
        read_summary(first_at, &mut reader, n)
    }
}

impl Columns {
    pub(crate) fn len(&self) -> usize {
        self.at.len()
    }

    pub(crate) fn push(&mut self, at: i64, value: f64) {
        self.at.push(at);
        self.value.push(value);
    }

    /// Moves all samples of `later` behind these.
    pub(crate) fn append(&mut self, later: &mut Self) {
        self.at.append(&mut later.at);
        self.value.append(&mut later.value);
    }

    /// Runs of at most `n` samples.
    pub(crate) fn chunks(&self, n: usize) -> impl Iterator<Item = Self> {
        let runs = self.at.chunks(n).zip(self.value.chunks(n));
        runs.map(|(at, value)| Self {
            at: at.to_vec(),
            value: value.to_vec(),
        })
    }

    /// Takes all samples but the first `n` away.
    pub(crate) fn split_off(&mut self, n: usize) -> Self {
        Self {
            at: self.at.split_off(n),
            value: self.value.split_off(n),
        }
    }

    /// Leaves out samples by their time.
    pub(crate) fn retain(&mut self, keep: impl Fn(i64) -> bool) {
        let kept: Vec<bool> = self.at.iter().map(|&at| keep(at)).collect();
        let mut flags = kept.iter();
        self.at.retain(|_| flags.next() == Some(&true));
        let mut flags = kept.iter();
        self.value.retain(|_| flags.next() == Some(&true));
    }

    pub(crate) fn clear(&mut self) {
        self.at.clear();
        self.value.clear();
    }

    /// What all samples add up to.
    pub(crate) fn summary(&self) -> Option<Summary> {
        Part::of(&self.value, |idx| self.at[idx])
    }

    /// The samples of a range.
    pub(crate) fn within(&self, range: TimeRange) -> (&[i64], &[f64]) {
        let start = self.at.partition_point(|&at| at <= range.after.0);
        let end = self.at.partition_point(|&at| at <= range.until.0);
        if start >= end {
            return (&[], &[]);
        }
        (&self.at[start..end], &self.value[start..end])
    }
}

pub(crate) fn put_summary(first_at: i64, summary: Option<Summary>, out: &mut Vec<u8>) {
    let Some(summary) = summary else {
        out.push(NOTHING);
        return;
    };
    let flags_at = out.len();
    out.push(0);
    let mut flags = 0;
    for sample in [summary.first, summary.last] {
        out.put_varint(sample.at.0.wrapping_sub(first_at) as u64);
        out.put_float(sample.value);
    }
    out.put_float(summary.sum);
    out.put_float(summary.squares);
    out.put_varint(summary.count);
    out.put_varint(summary.changes);
    let mut put_unless = |follows: f64, value: f64, flag: u8| {
        if value.to_bits() != follows.to_bits() {
            out.put_float(value);
            flags |= flag;
        }
    };
    put_unless(summary.first.value, summary.min, MIN);
    put_unless(summary.last.value, summary.max, MAX);
    put_unless(0.0, summary.sum_compensation, COMPENSATION);
    put_unless(summary.total() / summary.count as f64, summary.mean, MEAN);
    put_unless(0.0, summary.resets_lost, RESETS_LOST);
    if summary.resets != 0 {
        out.put_varint(summary.resets);
        flags |= RESETS;
    }
    out[flags_at] = flags;
}

pub(crate) fn read_summary(
    first_at: i64,
    reader: &mut Reader<'_>,
    n: usize,
) -> Option<Option<Summary>> {
    let flags = reader.byte()?;
    if flags == NOTHING {
        return Some(None);
    }
    let sample = |reader: &mut Reader<'_>| {
        let at = Timestamp(first_at.wrapping_add(reader.varint()? as i64));
        let value = reader.float()?;
        Some(Sample { at, value })
    };
    let mut whole = Summary::of(sample(reader)?);
    whole.last = sample(reader)?;
    whole.sum = reader.float()?;
    whole.squares = reader.float()?;
    whole.count = reader
        .varint()
        .filter(|&count| count >= 1 && count <= n as u64)?;
    whole.changes = reader.varint()?;
    let mut read_if = |flag: u8, follows: f64| {
        if flags & flag == 0 {
            Some(follows)
        } else {
            reader.float()
        }
    };
    whole.min = read_if(MIN, whole.first.value)?;
    whole.max = read_if(MAX, whole.last.value)?;
    whole.sum_compensation = read_if(COMPENSATION, 0.0)?;
    whole.mean = read_if(MEAN, whole.total() / whole.count as f64)?;
    whole.resets_lost = read_if(RESETS_LOST, 0.0)?;
    if flags & RESETS != 0 {
        whole.resets = reader.varint()?;
    }
    Some(Some(whole))
}

const NOTHING: u8 = 0x80;
const MIN: u8 = 1;
const MAX: u8 = 2;
const COMPENSATION: u8 = 4;
const MEAN: u8 = 8;
const RESETS_LOST: u8 = 16;
const RESETS: u8 = 32;

#[cfg(test)]
mod tests {
    use firebell_model::STALE_NAN;

    use super::*;

    fn check(values: &[f64]) {
        let columns = Columns {
            at: (0..values.len() as i64)
                .map(|i| 1_000 + i * 15_000)
                .collect(),
            value: values.to_vec(),
        };
        let page = Page::seal(&columns);
        assert_eq!(page.count(), values.len());
        let mut read = Columns::default();
        page.as_bytes().columns(&mut read).unwrap();
        assert_eq!(read.at, columns.at);
        let summary = page.as_bytes().summary(page.first_at).unwrap();
        assert_eq!(format!("{summary:?}"), format!("{:?}", columns.summary()));
    }

    #[test]
    fn of_a_page_that_is_cut_nothing_is_read() {
        let value: Vec<f64> = (0..120).map(|n| f64::from(n) * 1.7).collect();
        let at = (0..120).map(|n| n * 15_000).collect();
        let page = Page::seal(&Columns { at, value });
        let whole = page.as_bytes().0;
        for cut in 0..whole.len() {
            let mut read = Columns::default();
            read.push(-1, 1.0);
            if PageBytes(&whole[..cut]).columns(&mut read).is_none() {
                assert_eq!((read.at.len(), read.value.len()), (1, 1), "{cut}");
            }
        }
    }

    #[test]
    fn a_page_keeps_samples_and_summary() {
        check(&[1.0]);
        check(&[STALE_NAN, STALE_NAN]);
        check(&[STALE_NAN, 3.0, 1.0, f64::NAN, 2.5, STALE_NAN]);
        check(&[f64::INFINITY, 1.0, f64::NEG_INFINITY]);
        check(&[1.0, 1e100, 1.0, -1e100]);
        check(&[f64::MAX, f64::MAX]);
        check(&(0..120).map(f64::from).collect::<Vec<_>>());
    }
}
