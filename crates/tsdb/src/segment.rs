//! Chunk files: sealed pages of many series, written once.
//!
//! `chunks/NNNNNNNN`: 8 bytes of magic and version, then chunks. A chunk: its length without this
//! head (u32, little-endian), the CRC-32 of what follows (u32), a varint with the number of pages,
//! for each page the first timestamp (*signed*), how much later the last one is (varint) and the
//! length in bytes (varint); then the pages' bytes (see `page`). All of one series, in order.
//!
//! `chunks/NNNNNNNN.idx`: 8 bytes of magic and version, a CRC-32 of the rest (u32), the length of
//! the chunk file (varint), the number of texts and the texts, then for each chunk in order of the
//! file: the series' id (varint), the number of its labels and for each the places of name and value
//! among the texts (varints), the chunk's length with head (varint), the number of samples
//! (varint), first timestamp (*signed*), how much later the last one is (varint), and the summary
//! (as in `page`).
//!
//! `chunks/NNNNNNNN.over`, empty: the chunks of this file take the place of chunks of older files that
//! they overlap, having all their samples (see `backfill`).
//!
//! *Invariants*: the index is written last and at once: a chunk file without one was never
//! finished, its samples are still in the log, and it goes at the next start.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use firebell_disk::Disk;
use firebell_model::{Labels, Sample, SeriesId, Summary, TimeRange};

use crate::bytes::{Put, Reader};
use crate::index::LabelHasher;
use crate::options::StoreError;
use crate::page::{Columns, Page, PageBytes, put_summary, read_summary};
use crate::part::{Part, join};
use crate::series::push_samples;

/// A chunk in a file, and what it adds up to.
#[derive(Clone, Debug)]
pub(crate) struct ChunkRef {
    pub(crate) first_at: i64,
    pub(crate) last_at: i64,
    pub(crate) samples: u32,
    pub(crate) summary: Option<Summary>,
    segment: u64,
    offset: u64,
    len: u32,
}

/// A finished chunk file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Segment {
    pub(crate) number: u64,
    pub(crate) last_at: i64,
    /// Chunk file and index.
    pub(crate) bytes: u64,
}

/// A chunk of an index, and whose it is.
pub(crate) struct Indexed {
    pub(crate) id: SeriesId,
    pub(crate) labels: Labels,
    pub(crate) chunk: ChunkRef,
}

impl ChunkRef {
    pub(crate) fn is_within(&self, range: TimeRange) -> bool {
        range.after.0 < self.first_at && self.last_at <= range.until.0
    }

    /// The newest sample, from the summary: what is not in there is a stale marker.
    pub(crate) fn newest(&self) -> (i64, f64) {
        let known = self.summary.filter(|it| it.last.at.0 == self.last_at);
        let value = known.map_or(firebell_model::STALE_NAN, |it| it.last.value);
        (self.last_at, value)
    }

    /// Reads the chunk and checks it.
    fn read(&self, disk: &dyn Disk) -> Result<ChunkBytes, String> {
        let path = data_path(self.segment);
        let damaged = || format!("`{path}` is damaged at byte {}", self.offset);
        let bytes = disk
            .read_at(&path, self.offset, self.len as usize)
            .map_err(|error| error.to_string())?;
        let (head, body) = bytes.split_at_checked(HEAD_BYTES).ok_or_else(damaged)?;
        let is_whole =
            bytes.len() == self.len as usize && head[4..] == crc32fast::hash(body).to_le_bytes();
        let pages = is_whole.then(|| page_table(body)).flatten();
        let pages = pages.ok_or_else(damaged)?;
        let what = damaged();
        Ok(ChunkBytes { bytes, pages, what })
    }

    /// Appends the samples in the range.
    pub(crate) fn samples(
        &self,
        disk: &dyn Disk,
        range: TimeRange,
        out: &mut Vec<Sample>,
    ) -> Result<(), String> {
        let chunk = self.read(disk)?;
        for page in chunk.pages_in(range) {
            push_samples(&chunk.columns(page)?, range, out);
        }
        Ok(())
    }

    /// What the samples in the range add up to.
    pub(crate) fn part<P: Part>(
        &self,
        disk: &dyn Disk,
        range: TimeRange,
    ) -> Result<Option<P>, String> {
        let chunk = self.read(disk)?;
        let mut sum = None;
        for page in chunk.pages_in(range) {
            let is_within = range.after.0 < page.first_at && page.last_at <= range.until.0;
            let part = if is_within {
                let summary = chunk.bytes_of(page).summary(page.first_at);
                let summary = summary.ok_or_else(|| chunk.what.clone())?;
                summary.map(P::of_summary)
            } else {
                chunk.columns(page)?.part(range)
            };
            sum = join(sum, part);
        }
        Ok(sum)
    }
}

struct ChunkBytes {
    bytes: Vec<u8>,
    pages: Vec<PageEntry>,
    /// What to say when a page is bad although the checksum is right.
    what: String,
}

struct PageEntry {
    first_at: i64,
    last_at: i64,
    /// Behind the head.
    start: usize,
    end: usize,
}

impl ChunkBytes {
    fn pages_in(&self, range: TimeRange) -> impl Iterator<Item = &PageEntry> {
        self.pages
            .iter()
            .filter(move |page| page.first_at <= range.until.0 && range.after.0 < page.last_at)
    }

    fn bytes_of(&self, page: &PageEntry) -> PageBytes<'_> {
        PageBytes(&self.bytes[HEAD_BYTES + page.start..HEAD_BYTES + page.end])
    }

    fn columns(&self, page: &PageEntry) -> Result<Columns, String> {
        let mut columns = Columns::default();
        let read = self.bytes_of(page).columns(&mut columns);
        read.map(|()| columns).ok_or_else(|| self.what.clone())
    }
}

fn page_table(body: &[u8]) -> Option<Vec<PageEntry>> {
    let mut reader = Reader(body);
    let n = reader.count()?;
    let mut pages = Vec::with_capacity(n);
    let mut end = 0_usize;
    for _ in 0..n {
        let first_at = reader.signed()?;
        let last_at = first_at.wrapping_add(reader.varint()? as i64);
        let start = end;
        end = end.checked_add(usize::try_from(reader.varint()?).ok()?)?;
        pages.push(PageEntry {
            first_at,
            last_at,
            start,
            end,
        });
    }
    if reader.0.len() != end {
        return None;
    }
    let table_bytes = body.len() - end;
    for page in &mut pages {
        page.start += table_bytes;
        page.end += table_bytes;
    }
    Some(pages)
}

/// Writes one chunk file. Dropped before [`Writer::finish`], it leaves a file that nobody reads.
pub(crate) struct Writer {
    disk: Arc<dyn Disk>,
    number: u64,
    buffer: Vec<u8>,
    offset: u64,
    last_at: i64,
    texts: Texts,
    entries: Vec<u8>,
    takes_over: bool,
}

impl Writer {
    pub(crate) fn create(disk: Arc<dyn Disk>, number: u64) -> Result<Self, StoreError> {
        // A try before this one may have left its beginning.
        disk.remove(&over_path(number))?;
        disk.remove(&data_path(number))?;
        Ok(Self {
            disk,
            number,
            buffer: DATA_MAGIC.to_vec(),
            offset: DATA_MAGIC.len() as u64,
            last_at: i64::MIN,
            texts: Texts::default(),
            entries: Vec::new(),
            takes_over: false,
        })
    }

    /// A file whose chunks take the place of those that they overlap.
    pub(crate) fn create_over(disk: Arc<dyn Disk>, number: u64) -> Result<Self, StoreError> {
        let mut writer = Self::create(disk, number)?;
        writer.takes_over = true;
        Ok(writer)
    }

    /// Bytes in the chunk file so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.offset
    }

    /// Writes the pages of a series, at least one.
    pub(crate) fn push(
        &mut self,
        id: SeriesId,
        labels: &Labels,
        pages: &[Page],
    ) -> Result<ChunkRef, StoreError> {
        let chunk = self.put_chunk(pages);
        self.entries.put_varint(id.0);
        self.entries.put_varint(labels.len() as u64);
        for label in labels.iter() {
            let (name, value) = (
                self.texts.place_of(&label.name),
                self.texts.place_of(&label.value),
            );
            self.entries.put_varint(name);
            self.entries.put_varint(value);
        }
        self.entries.put_varint(u64::from(chunk.len));
        self.entries.put_varint(u64::from(chunk.samples));
        self.entries.put_signed(chunk.first_at);
        self.entries
            .put_varint(chunk.last_at.wrapping_sub(chunk.first_at) as u64);
        put_summary(chunk.first_at, chunk.summary, &mut self.entries);
        self.last_at = self.last_at.max(chunk.last_at);
        if self.buffer.len() >= WRITE_BYTES {
            self.write()?;
        }
        Ok(chunk)
    }

    fn put_chunk(&mut self, pages: &[Page]) -> ChunkRef {
        let start = self.buffer.len();
        self.buffer.extend_from_slice(&[0; HEAD_BYTES]);
        self.buffer.put_varint(pages.len() as u64);
        for page in pages {
            self.buffer.put_signed(page.first_at);
            self.buffer
                .put_varint(page.last_at.wrapping_sub(page.first_at) as u64);
            self.buffer.put_varint(page.bytes.len() as u64);
        }
        let (mut samples, mut summary) = (0, None);
        for page in pages {
            self.buffer.extend_from_slice(&page.bytes);
            samples += page.count() as u32;
            let part = page.as_bytes().summary(page.first_at).flatten();
            summary = join(summary, part);
        }
        let len = self.buffer.len() - start;
        let body = start + HEAD_BYTES;
        let crc = crc32fast::hash(&self.buffer[body..]);
        self.buffer[start..start + 4].copy_from_slice(&((len - HEAD_BYTES) as u32).to_le_bytes());
        self.buffer[start + 4..body].copy_from_slice(&crc.to_le_bytes());
        let chunk = ChunkRef {
            first_at: pages[0].first_at,
            last_at: pages[pages.len() - 1].last_at,
            samples,
            summary,
            segment: self.number,
            offset: self.offset,
            len: len as u32,
        };
        self.offset += len as u64;
        chunk
    }

    fn write(&mut self) -> Result<(), StoreError> {
        self.disk.append(&data_path(self.number), &self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    /// Makes the file durable, and then part of the store.
    pub(crate) fn finish(mut self) -> Result<Segment, StoreError> {
        self.write()?;
        self.disk.sync(&data_path(self.number))?;
        let mut body = Vec::with_capacity(self.entries.len() + 4096);
        body.put_varint(self.offset);
        body.put_varint(self.texts.list.len() as u64);
        for text in &self.texts.list {
            body.put_bytes(text.as_bytes());
        }
        body.extend_from_slice(&self.entries);
        let mut index = INDEX_MAGIC.to_vec();
        index.extend_from_slice(&crc32fast::hash(&body).to_le_bytes());
        index.extend_from_slice(&body);
        if self.takes_over {
            self.disk.replace(&over_path(self.number), &[])?;
        }
        self.disk.replace(&index_path(self.number), &index)?;
        Ok(Segment {
            number: self.number,
            last_at: self.last_at,
            bytes: self.offset + index.len() as u64,
        })
    }
}

/// Texts of an index, each once.
#[derive(Default)]
struct Texts {
    places: HashMap<Arc<str>, u64, BuildHasherDefault<LabelHasher>>,
    list: Vec<Arc<str>>,
}

impl Texts {
    fn place_of(&mut self, text: &Arc<str>) -> u64 {
        if let Some(&place) = self.places.get(text) {
            return place;
        }
        let place = self.list.len() as u64;
        self.places.insert(Arc::clone(text), place);
        self.list.push(Arc::clone(text));
        place
    }
}

/// The chunk files there are, by number.
pub(crate) struct Listed {
    pub(crate) finished: Vec<u64>,
    pub(crate) unfinished: Vec<u64>,
    /// Those of the finished ones whose chunks take the place of others.
    pub(crate) over: Vec<u64>,
}

/// Looks which chunk files there are.
pub(crate) fn list(disk: &dyn Disk) -> Result<Listed, StoreError> {
    let names = disk.list(FOLDER)?;
    let with = |suffix: &str| -> Vec<u64> {
        names
            .iter()
            .filter_map(|name| name.strip_suffix(suffix)?.parse().ok())
            .collect()
    };
    let finished = with(".idx");
    let is_unfinished = |number: &u64| !finished.contains(number);
    Ok(Listed {
        unfinished: with("").into_iter().filter(is_unfinished).collect(),
        over: with(".over"),
        finished,
    })
}

/// Reads the index of a chunk file. The inner error is damage, in words for the operator.
pub(crate) fn open(
    disk: &dyn Disk,
    number: u64,
    visit: &mut dyn FnMut(Indexed),
) -> Result<Result<Segment, String>, StoreError> {
    let path = index_path(number);
    let index = disk.read(&path)?;
    let magic = index.get(..INDEX_MAGIC.len()).unwrap_or(&index);
    if *magic != INDEX_MAGIC {
        return Err(StoreError::Foreign { path });
    }
    let damaged = Err(format!("`{path}` is damaged: its chunks are left out"));
    let Some((crc, body)) = index[INDEX_MAGIC.len()..].split_first_chunk::<4>() else {
        return Ok(damaged);
    };
    if crc32fast::hash(body).to_le_bytes() != *crc {
        return Ok(damaged);
    }
    let read = read_index(Reader(body), number, visit).map(|mut segment| {
        segment.bytes += index.len() as u64;
        segment
    });
    Ok(read.map_or(damaged, Ok))
}

fn read_index(
    mut reader: Reader<'_>,
    number: u64,
    visit: &mut dyn FnMut(Indexed),
) -> Option<Segment> {
    let bytes = reader.varint()?;
    let n_texts = reader.count()?;
    let mut texts: Vec<Arc<str>> = Vec::with_capacity(n_texts);
    for _ in 0..n_texts {
        texts.push(reader.text()?.into());
    }
    let mut offset = DATA_MAGIC.len() as u64;
    let mut last_at_max = i64::MIN;
    while !reader.is_empty() {
        let id = SeriesId(reader.varint()?);
        let n_labels = reader.count()?;
        let mut pairs = Vec::with_capacity(n_labels);
        for _ in 0..n_labels {
            let name = texts.get(usize::try_from(reader.varint()?).ok()?)?;
            let value = texts.get(usize::try_from(reader.varint()?).ok()?)?;
            pairs.push((Arc::clone(name), Arc::clone(value)));
        }
        let len = u32::try_from(reader.varint()?).ok()?;
        let samples = u32::try_from(reader.varint()?).ok()?;
        let first_at = reader.signed()?;
        let last_at = first_at.wrapping_add(reader.varint()? as i64);
        let summary = read_summary(first_at, &mut reader, samples as usize)?;
        let labels = Labels::from_pairs(pairs);
        let segment = number;
        let chunk = ChunkRef {
            first_at,
            last_at,
            samples,
            summary,
            segment,
            offset,
            len,
        };
        offset += u64::from(len);
        last_at_max = last_at_max.max(last_at);
        visit(Indexed { id, labels, chunk });
    }
    Some(Segment {
        number,
        last_at: last_at_max,
        bytes,
    })
}

/// Removes a chunk file. The index goes first: what is left after a crash is an unfinished file.
pub(crate) fn remove(disk: &dyn Disk, number: u64) -> Result<(), StoreError> {
    disk.remove(&index_path(number))?;
    disk.remove(&over_path(number))?;
    disk.remove(&data_path(number))?;
    Ok(())
}

fn data_path(number: u64) -> String {
    format!("{FOLDER}/{number:08}")
}

fn index_path(number: u64) -> String {
    format!("{FOLDER}/{number:08}.idx")
}

fn over_path(number: u64) -> String {
    format!("{FOLDER}/{number:08}.over")
}

const FOLDER: &str = "chunks";
const DATA_MAGIC: [u8; 8] = *b"FBCHNK 1";
const INDEX_MAGIC: [u8; 8] = *b"FBCIDX 1";
const HEAD_BYTES: usize = 8;
/// So much is gathered before the disk is asked.
const WRITE_BYTES: usize = 1 << 20;
