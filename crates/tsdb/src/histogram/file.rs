//! Files of sealed histograms, written once.
//!
//! `histograms/NNNNNNNN`: 8 bytes of magic and version, then pages (see `page`).
//!
//! `histograms/NNNNNNNN.idx`: 8 bytes of magic and version, a CRC-32 of the rest (u32, little-endian),
//! the length of the file of pages (varint), a byte that is 1 when these pages take the place of older
//! ones that they overlap, then series up to the end. A series: id (varint), the number of labels and
//! names and values as texts, the number of pages (varint), and for each its length (varint), its
//! CRC-32 (u32), the number of histograms (varint), the first timestamp (*signed*), how much later the
//! last one is (varint), and what the last histogram is known by (8 bytes).
//!
//! `histograms/NNNNNNNN.over`: files that this one takes the place of whole (see `crate::replaced`).
//!
//! How files come and go: see `crate::numbered`.

use std::sync::Arc;

use firebell_disk::Disk;
use firebell_model::{HistogramSample, Labels, SeriesId, TimeRange};

use super::page::{Page, mark, read};
use crate::bytes::{Put, Reader};
use crate::numbered::{self, Draft};
use crate::options::StoreError;
use crate::replaced;
use crate::segment::Segment;

/// A page in a file.
#[derive(Clone, Debug)]
pub(crate) struct Filed {
    pub(crate) first_at: i64,
    pub(crate) last_at: i64,
    pub(crate) count: u32,
    /// What the last histogram is known by.
    pub(crate) last_mark: f64,
    pub(crate) file: u64,
    offset: u64,
    len: u32,
    crc: u32,
}

impl Filed {
    /// Appends what lies in the range. The error is a sentence for the operator.
    pub(crate) fn read(
        &self,
        disk: &dyn Disk,
        range: TimeRange,
        out: &mut Vec<HistogramSample>,
    ) -> Result<(), String> {
        let path = data_path(self.file);
        let bytes = disk
            .read_at(&path, self.offset, self.len as usize)
            .map_err(|error| error.to_string())?;
        let is_whole = bytes.len() == self.len as usize && crc32fast::hash(&bytes) == self.crc;
        let read = is_whole.then(|| read(&bytes, range, out)).flatten();
        read.ok_or_else(|| format!("`{path}` is damaged at byte {}", self.offset))
    }
}

/// Who listens when files are opened.
pub(crate) type Visit<'a> = dyn FnMut(SeriesId, Labels, Filed, bool) + 'a;

/// Reads all indexes, oldest first, and removes what was never finished or is replaced. Returns the
/// files and the number of the next one. What is damaged is named.
pub(crate) fn open(
    disk: &dyn Disk,
    visit: &mut Visit<'_>,
    damage: &mut Vec<String>,
) -> Result<(Vec<Segment>, u64), StoreError> {
    let numbered::Files {
        finished,
        unfinished,
        lost,
        over,
    } = numbered::list(disk, FOLDER)?;
    damage.extend(lost.iter().map(|&number| numbered::lost(FOLDER, number)));
    let markers = over.iter().map(|&it| numbered::over_path(FOLDER, it));
    let replaced = replaced::read(disk, markers, damage)?;
    for &number in unfinished.iter().chain(&replaced) {
        remove(disk, number)?;
    }
    let next = finished.last().map_or(0, |last| last + 1);
    let mut files = Vec::with_capacity(finished.len());
    for number in finished {
        if replaced.contains(&number) {
            continue;
        }
        let path = numbered::index_path(FOLDER, number);
        let index = disk.read(&path)?;
        if index.len() >= 8 && index[..7] == INDEX_MAGIC[..7] && (b'2'..=b'9').contains(&index[7]) {
            return Err(StoreError::Foreign { path });
        }
        let data_bytes = numbered::data_size(disk, &data_path(number))?;
        let mut n_beyond = 0_u64;
        let mut visit_whole = |id, labels, filed: Filed, takes_over| {
            if filed.offset.saturating_add(u64::from(filed.len)) > data_bytes {
                n_beyond += 1;
            } else {
                visit(id, labels, filed, takes_over);
            }
        };
        let checked = index
            .strip_prefix(&INDEX_MAGIC)
            .and_then(<[u8]>::split_first_chunk::<4>)
            .filter(|(crc, body)| crc32fast::hash(body).to_le_bytes() == **crc);
        let file = checked.and_then(|it| read_index(Reader(it.1), number, &mut visit_whole));
        let Some(mut file) = file else {
            damage.push(format!("`{path}` is damaged: its histograms are left out"));
            continue;
        };
        if n_beyond > 0 {
            let (path, all) = (data_path(number), file.bytes);
            damage.push(format!(
                "`{path}` ends at byte {data_bytes} of {all}: {n_beyond} pages of histograms are lost"
            ));
            file.is_whole = false;
        }
        file.bytes += index.len() as u64;
        files.push(file);
    }
    Ok((files, next))
}

/// Removes a file.
pub(crate) fn remove(disk: &dyn Disk, number: u64) -> Result<(), StoreError> {
    numbered::remove(disk, FOLDER, number)
}

fn read_index(mut reader: Reader<'_>, file: u64, visit: &mut Visit<'_>) -> Option<Segment> {
    let bytes = reader.varint()?;
    let takes_over = reader.byte()? == 1;
    let mut offset = DATA_MAGIC.len() as u64;
    let (mut oldest, mut newest) = (i64::MAX, i64::MIN);
    while !reader.is_empty() {
        let id = SeriesId(reader.varint()?);
        let mut pairs = Vec::new();
        for _ in 0..reader.count()? {
            pairs.push((reader.text()?, reader.text()?));
        }
        let labels = Labels::from_pairs(pairs);
        for _ in 0..reader.count()? {
            let len = u32::try_from(reader.varint()?).ok()?;
            let crc = u32::from_le_bytes(reader.take(4)?.try_into().ok()?);
            let count = u32::try_from(reader.varint()?).ok()?;
            let first_at = reader.signed()?;
            let last_at = first_at.wrapping_add(reader.varint()? as i64);
            let last_mark = f64::from_le_bytes(reader.take(8)?.try_into().ok()?);
            let filed = Filed {
                first_at,
                last_at,
                count,
                last_mark,
                file,
                offset,
                len,
                crc,
            };
            offset += u64::from(len);
            (oldest, newest) = (oldest.min(first_at), newest.max(last_at));
            visit(id, labels.clone(), filed, takes_over);
        }
    }
    Some(Segment {
        number: file,
        first_at: oldest,
        last_at: newest,
        bytes,
        is_over: takes_over,
        is_whole: true,
    })
}

/// Writes one file, which goes when this is dropped before [`FileWriter::finish`].
pub(crate) struct FileWriter {
    draft: Draft,
    takes_over: bool,
    buffer: Vec<u8>,
    offset: u64,
    first_at: i64,
    last_at: i64,
    entries: Vec<u8>,
}

impl FileWriter {
    pub(crate) fn create(
        disk: Arc<dyn Disk>,
        number: u64,
        takes_over: bool,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            draft: Draft::new(disk, FOLDER, number)?,
            takes_over,
            buffer: DATA_MAGIC.to_vec(),
            offset: DATA_MAGIC.len() as u64,
            first_at: i64::MAX,
            last_at: i64::MIN,
            entries: Vec::new(),
        })
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.offset
    }

    /// Writes the pages of a series.
    pub(crate) fn push(
        &mut self,
        id: SeriesId,
        labels: &Labels,
        pages: &[Page],
    ) -> Result<Vec<Filed>, StoreError> {
        self.entries.put_varint(id.0);
        self.entries.put_varint(labels.len() as u64);
        for label in labels.iter() {
            self.entries.put_bytes(label.name.as_bytes());
            self.entries.put_bytes(label.value.as_bytes());
        }
        self.entries.put_varint(pages.len() as u64);
        let filed = pages.iter().map(|page| self.put(page)).collect();
        if self.buffer.len() >= WRITE_BYTES {
            self.write()?;
        }
        Ok(filed)
    }

    fn put(&mut self, page: &Page) -> Filed {
        let only_last = TimeRange {
            after: firebell_model::Timestamp(page.last_at.saturating_sub(1)),
            until: firebell_model::Timestamp(page.last_at),
        };
        let mut last = Vec::new();
        // Pages that were made here can be read.
        let _ = read(&page.bytes, only_last, &mut last);
        let filed = Filed {
            first_at: page.first_at,
            last_at: page.last_at,
            count: page.count,
            last_mark: last.first().map_or(0.0, |it| mark(it).value),
            file: self.draft.number(),
            offset: self.offset,
            len: page.bytes.len() as u32,
            crc: crc32fast::hash(&page.bytes),
        };
        self.buffer.extend_from_slice(&page.bytes);
        self.offset += page.bytes.len() as u64;
        self.first_at = self.first_at.min(page.first_at);
        self.last_at = self.last_at.max(page.last_at);
        self.entries.put_varint(u64::from(filed.len));
        self.entries.extend_from_slice(&filed.crc.to_le_bytes());
        self.entries.put_varint(u64::from(filed.count));
        self.entries.put_signed(filed.first_at);
        self.entries
            .put_varint(filed.last_at.wrapping_sub(filed.first_at) as u64);
        self.entries
            .extend_from_slice(&filed.last_mark.to_le_bytes());
        filed
    }

    fn write(&mut self) -> Result<(), StoreError> {
        self.draft.append(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    /// Makes the file durable, and then part of the store, in the place of other files.
    pub(crate) fn finish(mut self, replaces: &[u64]) -> Result<Segment, StoreError> {
        self.write()?;
        let mut body = Vec::with_capacity(self.entries.len() + 16);
        body.put_varint(self.offset);
        body.push(u8::from(self.takes_over));
        body.extend_from_slice(&self.entries);
        let mut index = INDEX_MAGIC.to_vec();
        index.extend_from_slice(&crc32fast::hash(&body).to_le_bytes());
        index.extend_from_slice(&body);
        let number = self.draft.number();
        let over = (!replaces.is_empty()).then_some(replaces);
        self.draft.finish(&index, over)?;
        Ok(Segment {
            number,
            first_at: self.first_at,
            last_at: self.last_at,
            bytes: self.offset + index.len() as u64,
            is_over: self.takes_over,
            is_whole: true,
        })
    }
}

fn data_path(number: u64) -> String {
    numbered::data_path(FOLDER, number)
}

const FOLDER: &str = "histograms";
const DATA_MAGIC: [u8; 8] = *b"FBHIST 1";
const INDEX_MAGIC: [u8; 8] = *b"FBHIDX 1";
/// So much is gathered before the disk is asked.
const WRITE_BYTES: usize = 1 << 20;
