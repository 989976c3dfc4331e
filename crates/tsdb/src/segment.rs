//! Chunk files: chunks of many series, written once.
//!
//! `chunks/NNNNNNNN`: 8 bytes of magic and version, then chunks: the CRC-32 of what follows (u32,
//! little-endian; in version 1 the length comes before it), then its bytes (see `chunk`).
//! `chunks/NNNNNNNN.idx` says whose they are (see `catalog`).
//!
//! `chunks/NNNNNNNN.over`: the chunks of this file take the place of chunks of older files that
//! they overlap, having all their samples (see `backfill` and `merge`), and of whole files that it names
//! (see `replaced`). How files come and go: see `numbered`.

use std::sync::Arc;

use firebell_disk::Disk;
use firebell_model::{Labels, Sample, SeriesId, Summary, TimeRange};

use crate::catalog::{self, Beginning, Catalog, Listed};
use crate::chunk::{Builder, CHUNK_SAMPLES_MAX, Chunk, Format};
use crate::index::Index;
use crate::numbered::{self, Draft};
use crate::options::StoreError;
use crate::packed::{Frame, Packed};
use crate::page::Columns;
use crate::series::{Cell, push_samples};

/// A chunk in a file, and what it adds up to.
#[derive(Clone, Debug)]
pub(crate) struct ChunkRef {
    pub(crate) first_at: i64,
    pub(crate) last_at: i64,
    pub(crate) samples: u32,
    summary: Packed,
    pub(crate) segment: u64,
    offset: u64,
    len: u32,
    format: Format,
}

/// A finished chunk file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Segment {
    pub(crate) number: u64,
    pub(crate) first_at: i64,
    pub(crate) last_at: i64,
    /// Chunk file and index.
    pub(crate) bytes: u64,
    /// Its chunks took the place of others.
    pub(crate) is_over: bool,
    /// All of its chunks were found.
    pub(crate) is_whole: bool,
}

impl ChunkRef {
    fn new(segment: u64, format: Format, it: &Listed) -> Self {
        let frame = Frame {
            first_at: it.first_at,
            last_at: it.last_at,
            n_samples: it.n_samples,
        };
        Self {
            first_at: it.first_at,
            last_at: it.last_at,
            samples: it.n_samples,
            summary: Packed::new(it.summary, frame),
            segment,
            offset: it.offset,
            len: it.len,
            format,
        }
    }

    /// What its samples add up to; `None` when all are stale markers.
    pub(crate) fn summary(&self) -> Option<Summary> {
        let frame = Frame {
            first_at: self.first_at,
            last_at: self.last_at,
            n_samples: self.samples,
        };
        self.summary.summary(frame)
    }

    pub(crate) fn is_within(&self, range: TimeRange) -> bool {
        range.after.0 < self.first_at && self.last_at <= range.until.0
    }

    /// The newest sample, from the summary: what is not in there is a stale marker.
    pub(crate) fn newest(&self) -> (i64, f64) {
        let known = self.summary().filter(|it| it.last.at.0 == self.last_at);
        let value = known.map_or(firebell_model::STALE_NAN, |it| it.last.value);
        (self.last_at, value)
    }

    /// What to say when the chunk is damaged.
    pub(crate) fn damage(&self) -> String {
        let path = data_path(self.segment);
        format!("`{path}` is damaged at byte {}", self.offset)
    }

    /// Reads the chunk and checks it. The error is for the operator.
    pub(crate) fn read(&self, disk: &dyn Disk) -> Result<Chunk, String> {
        let path = data_path(self.segment);
        let bytes = disk
            .read_at(&path, self.offset, self.len as usize)
            .map_err(|error| error.to_string())?;
        let head_bytes = match self.format {
            Format::Version1 => 8,
            Format::Version2 => HEAD_BYTES,
        };
        let is_whole = bytes.split_at_checked(head_bytes).is_some_and(|it| {
            bytes.len() == self.len as usize && it.0.ends_with(&crc32fast::hash(it.1).to_le_bytes())
        });
        let chunk = is_whole.then(|| Chunk::parse(bytes, head_bytes, self.format));
        chunk.flatten().ok_or_else(|| self.damage())
    }

    /// Appends all samples.
    pub(crate) fn columns(&self, disk: &dyn Disk, out: &mut Columns) -> Result<(), String> {
        let chunk = self.read(disk)?;
        for page in 0..chunk.entries().len() {
            let read = chunk.columns(page, out);
            read.ok_or_else(|| self.damage())?;
        }
        Ok(())
    }

    /// Appends the samples in the range.
    pub(crate) fn samples(
        &self,
        disk: &dyn Disk,
        range: TimeRange,
        out: &mut Vec<Sample>,
    ) -> Result<(), String> {
        let chunk = self.read(disk)?;
        let mut columns = Columns::default();
        for page in chunk.span(range) {
            columns.clear();
            let read = chunk.columns(page, &mut columns);
            read.ok_or_else(|| self.damage())?;
            push_samples(&columns, range, out);
        }
        Ok(())
    }
}

/// Writes one chunk file, which goes when this is dropped before [`Writer::finish`].
pub(crate) struct Writer {
    draft: Draft,
    buffer: Vec<u8>,
    offset: u64,
    first_at: i64,
    last_at: i64,
    catalog: Catalog,
    builder: Builder,
    takes_over: bool,
}

impl Writer {
    pub(crate) fn create(disk: Arc<dyn Disk>, number: u64) -> Result<Self, StoreError> {
        Ok(Self {
            draft: Draft::new(disk, FOLDER, number)?,
            buffer: DATA_MAGIC.to_vec(),
            offset: DATA_MAGIC.len() as u64,
            first_at: i64::MAX,
            last_at: i64::MIN,
            catalog: Catalog::new(),
            builder: Builder::default(),
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

    /// Writes samples of a series, in order of time, and what they add up to, if that
    /// is known. A series' chunks come in order.
    pub(crate) fn push(
        &mut self,
        id: SeriesId,
        labels: &Labels,
        columns: &Columns,
        summary: Option<Summary>,
        written: &mut Vec<ChunkRef>,
    ) -> Result<(), StoreError> {
        if columns.len() == 0 {
            return Ok(());
        }
        if columns.len() <= CHUNK_SAMPLES_MAX {
            let summary = summary.or_else(|| columns.summary());
            self.builder.push(columns, summary);
            return self.end_chunk(id, labels, written);
        }
        for run in columns.chunks(CHUNK_SAMPLES_MAX) {
            self.builder.push(&run, run.summary());
            self.end_chunk(id, labels, written)?;
        }
        Ok(())
    }

    fn end_chunk(
        &mut self,
        id: SeriesId,
        labels: &Labels,
        written: &mut Vec<ChunkRef>,
    ) -> Result<(), StoreError> {
        let start = self.buffer.len();
        let body = start + HEAD_BYTES;
        self.buffer.extend_from_slice(&[0; HEAD_BYTES]);
        let built = self.builder.finish(&mut self.buffer);
        let crc = crc32fast::hash(&self.buffer[body..]);
        self.buffer[start..body].copy_from_slice(&crc.to_le_bytes());
        let listed = Listed {
            offset: self.offset,
            len: (self.buffer.len() - start) as u32,
            n_samples: built.n_samples as u32,
            first_at: built.first_at,
            last_at: built.last_at,
            summary: built.summary,
        };
        self.catalog.push(id, labels, &listed);
        self.offset += u64::from(listed.len);
        self.first_at = self.first_at.min(listed.first_at);
        self.last_at = self.last_at.max(listed.last_at);
        written.push(ChunkRef::new(self.draft.number(), FORMAT, &listed));
        if self.buffer.len() >= WRITE_BYTES {
            self.write()?;
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), StoreError> {
        self.draft.append(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    /// Makes the file durable, and then part of the store, in the place of other files.
    pub(crate) fn finish(mut self, replaces: &[u64]) -> Result<Segment, StoreError> {
        self.write()?;
        let index = self.catalog.finish();
        let number = self.draft.number();
        let over = self.takes_over.then_some(replaces);
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

/// Reads the index of a chunk file into the label index, and gives its chunks to `visit`, with whose
/// they are. With it comes damage, in words for the operator.
pub(crate) fn open(
    disk: &dyn Disk,
    number: u64,
    is_over: bool,
    index: &mut Index,
    visit: &mut dyn FnMut(&Arc<Cell>, ChunkRef),
) -> Result<(Segment, Vec<String>), StoreError> {
    let path = numbered::index_path(FOLDER, number);
    let file = disk.read(&path)?;
    let data_bytes = numbered::data_size(disk, &data_path(number))?;
    let mut segment = Segment {
        number,
        first_at: i64::MAX,
        last_at: i64::MIN,
        bytes: file.len() as u64 + data_bytes,
        is_over,
        is_whole: true,
    };
    let format = match catalog::beginning_of(&file) {
        Beginning::Known(format) => format,
        Beginning::Later => return Err(StoreError::Foreign { path }),
        Beginning::Damaged => {
            segment.is_whole = false;
            segment.last_at = i64::MAX;
            let damage = format!("`{path}` is damaged: all chunks that it lists are left out");
            return Ok((segment, vec![damage]));
        }
    };
    let (mut listed_bytes, mut n_beyond) = (DATA_MAGIC.len() as u64, 0_u64);
    let n_damaged = catalog::read(&file, format, index, &mut |cell, listed| {
        segment.first_at = segment.first_at.min(listed.first_at);
        segment.last_at = segment.last_at.max(listed.last_at);
        listed_bytes = listed_bytes.max(listed.offset.saturating_add(u64::from(listed.len)));
        if listed_bytes > data_bytes {
            n_beyond += 1;
        } else if let Some(cell) = cell {
            visit(cell, ChunkRef::new(number, format, listed));
        }
    });
    let mut damage = Vec::new();
    if n_damaged > 0 {
        damage.push(format!(
            "`{path}` is damaged in {n_damaged} places: chunks that it lists there are left out"
        ));
    } else if listed_bytes < data_bytes {
        damage.push(format!(
            "`{path}` ends too soon: chunks from byte {listed_bytes} of {data_bytes} on are left out"
        ));
    }
    if n_beyond > 0 {
        let path = data_path(number);
        damage.push(format!(
            "`{path}` ends at byte {data_bytes} of {listed_bytes}: {n_beyond} chunks are lost"
        ));
    }
    segment.is_whole = damage.is_empty();
    if !segment.is_whole && segment.last_at == i64::MIN {
        // Nobody knows how old it is: it does not go by itself.
        segment.last_at = i64::MAX;
    }
    Ok((segment, damage))
}

/// Removes a chunk file.
pub(crate) fn remove(disk: &dyn Disk, number: u64) -> Result<(), StoreError> {
    numbered::remove(disk, FOLDER, number)
}

fn data_path(number: u64) -> String {
    numbered::data_path(FOLDER, number)
}

pub(crate) const FOLDER: &str = "chunks";
const DATA_MAGIC: [u8; 8] = *b"FBCHNK 2";
/// What is written.
const FORMAT: Format = Format::Version2;
const HEAD_BYTES: usize = 4;
/// So much is gathered before the disk is asked.
const WRITE_BYTES: usize = 1 << 20;
