//! The index of a Prometheus block, versions 1 and 2: its symbols, then its series one by one.
//!
//! Postings and offset tables are not looked at: whoever reads all series needs none.
//!
//! *Sources*: Prometheus, `tsdb/docs/format/index.md`.

use std::sync::Arc;

use firebell_model::Labels;

use super::bits::unzigzag;
use super::crc32c::crc32c;
use crate::content::hash_of;

/// An index as it is in its file.
pub(super) struct Index {
    bytes: Vec<u8>,
    symbols: Vec<(u32, Arc<str>)>,
    version: u8,
    /// The series section.
    start: usize,
    end: usize,
}

/// A series of an index.
pub(super) struct Entry {
    /// What tombstones name it by.
    pub(super) reference: u64,
    pub(super) labels: Labels,
    pub(super) chunks: Vec<ChunkEntry>,
}

/// Where a chunk is.
#[derive(Clone, Copy)]
pub(super) struct ChunkEntry {
    /// The number that is the chunk file's name, from 1.
    pub(super) file: u64,
    pub(super) offset: u32,
    /// The earliest and the latest time that its samples may have.
    pub(super) times: (i64, i64),
}

impl Index {
    /// Reads and checks head, table of contents and symbols. The error says what is wrong where.
    pub(super) fn open(bytes: Vec<u8>) -> Result<Self, String> {
        let version = match bytes.get(..5) {
            Some([0xba, 0xaa, 0xd7, 0x00, version @ (1 | 2)]) => *version,
            Some([0xba, 0xaa, 0xd7, 0x00, version]) => {
                return Err(format!("index version {version} is not known"));
            }
            _ => return Err("this is no index".to_owned()),
        };
        let toc_at = bytes.len().saturating_sub(TOC_BYTES);
        let toc = bytes.get(toc_at..).and_then(checked_tail);
        let toc =
            toc.ok_or_else(|| format!("the table of contents at byte {toc_at} is damaged"))?;
        let word = |idx: usize| {
            let word = toc.get(idx * 8..).and_then(|rest| rest.first_chunk::<8>());
            word.map_or(0, |word| u64::from_be_bytes(*word) as usize)
        };
        let (symbols_at, start) = (word(0), word(1));
        // Whichever section comes next.
        let after = (2..6).map(word).filter(|&at| at > start);
        let end = after.min().unwrap_or(toc_at).min(toc_at);
        let symbols = symbols(&bytes, symbols_at, version);
        let symbols = symbols.ok_or_else(|| format!("symbols at byte {symbols_at} are damaged"))?;
        let start = start.min(end);
        Ok(Self {
            bytes,
            symbols,
            version,
            start,
            end,
        })
    }

    /// Tells this index from others.
    pub(super) fn hash(&self) -> u64 {
        hash_of(&self.bytes)
    }

    /// Bytes in the series section.
    pub(super) fn span(&self) -> (u64, u64) {
        (self.start as u64, self.end as u64)
    }

    /// The series at `at` or behind, and where the next one may be; `None` at the end. The inner
    /// error says what is wrong with one series; the next one can be read all the same.
    pub(super) fn next(&self, at: u64) -> Option<(u64, Result<Entry, String>)> {
        let mut at = (at as usize).max(self.start);
        if self.version == 2 {
            at = at.next_multiple_of(SERIES_ALIGN);
        }
        let rest = self
            .bytes
            .get(at..self.end)
            .filter(|rest| !rest.is_empty())?;
        let mut head = Reader(rest);
        let len = head.uvarint().and_then(|len| usize::try_from(len).ok());
        let head_len = rest.len() - head.0.len();
        let next = len.and_then(|len| (at + head_len).checked_add(len)?.checked_add(4));
        let Some(next) = next.filter(|&next| next <= self.end && next > at + 5) else {
            let problem =
                format!("the series at byte {at} is damaged, and what follows it is lost");
            return Some((self.end as u64, Err(problem)));
        };
        let reference = match self.version {
            2 => at / SERIES_ALIGN,
            _ => at,
        };
        let body = checked_tail(&self.bytes[at + head_len..next]);
        let entry = body.and_then(|body| self.entry(reference as u64, Reader(body)));
        let entry = entry.ok_or_else(|| format!("the series at byte {at} is damaged"));
        Some((next as u64, entry))
    }

    fn entry(&self, reference: u64, mut reader: Reader<'_>) -> Option<Entry> {
        let n_labels = reader.count()?;
        let mut pairs = Vec::with_capacity(n_labels);
        for _ in 0..n_labels {
            pairs.push((
                self.symbol(reader.uvarint()?)?,
                self.symbol(reader.uvarint()?)?,
            ));
        }
        let n_chunks = reader.count()?;
        let mut chunks = Vec::with_capacity(n_chunks);
        let mut place = 0_u64;
        let mut until = 0_i64;
        for idx in 0..n_chunks {
            // Chunks that overlap step back, and wrap around.
            let from = match idx {
                0 => reader.varint()?,
                _ => until.wrapping_add(reader.uvarint()? as i64),
            };
            until = from.wrapping_add(reader.uvarint()? as i64);
            let step = reader.uvarint()?;
            place = match idx {
                0 => step,
                _ => place.wrapping_add(unzigzag(step) as u64),
            };
            chunks.push(ChunkEntry {
                file: (place >> 32) + 1,
                offset: place as u32,
                times: (from, until),
            });
        }
        let labels = Labels::from_pairs(pairs);
        Some(Entry {
            reference,
            labels,
            chunks,
        })
    }

    fn symbol(&self, reference: u64) -> Option<Arc<str>> {
        let idx = match self.version {
            2 => usize::try_from(reference).ok()?,
            _ => {
                let offset = u32::try_from(reference).ok()?;
                self.symbols.binary_search_by_key(&offset, |it| it.0).ok()?
            }
        };
        self.symbols.get(idx).map(|symbol| Arc::clone(&symbol.1))
    }
}

/// The texts of the symbol table with their offsets in the file, in order.
fn symbols(bytes: &[u8], at: usize, version: u8) -> Option<Vec<(u32, Arc<str>)>> {
    let rest = bytes.get(at..)?;
    let (len, rest) = rest.split_first_chunk::<4>()?;
    let len = u32::from_be_bytes(*len) as usize;
    let body = checked_tail(rest.get(..len.checked_add(4)?)?)?;
    let (n, body) = body.split_first_chunk::<4>()?;
    let n = u32::from_be_bytes(*n) as usize;
    let mut reader = Reader(body);
    let mut symbols = Vec::with_capacity(n.min(body.len()));
    for _ in 0..n {
        let offset = at + 8 + (body.len() - reader.0.len());
        let len = usize::try_from(reader.uvarint()?).ok()?;
        let text = std::str::from_utf8(reader.take(len)?).ok()?;
        symbols.push((if version == 1 { offset as u32 } else { 0 }, text.into()));
    }
    Some(symbols)
}

/// What is before the checksum in the last four bytes, if that is right. While fuzzing every one is:
/// changed bytes are to be read, not refused.
pub(super) fn checked_tail(bytes: &[u8]) -> Option<&[u8]> {
    let (body, crc) = bytes.split_last_chunk::<4>()?;
    (cfg!(fuzzing) || crc32c(body).to_be_bytes() == *crc).then_some(body)
}

/// Reads varints as Go's `encoding/binary` writes them.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn uvarint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    pub(super) fn varint(&mut self) -> Option<i64> {
        self.uvarint().map(unzigzag)
    }

    /// How many things of at least two bytes each follow.
    fn count(&mut self) -> Option<usize> {
        let n = usize::try_from(self.uvarint()?).ok()?;
        (n <= self.0.len()).then_some(n)
    }
}

const TOC_BYTES: usize = 52;
const SERIES_ALIGN: usize = 16;
