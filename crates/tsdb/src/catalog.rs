//! The index of a chunk file: whose chunks they are, where they are, what they add up to.
//!
//! Version 2: 8 bytes of magic and version, then blocks: length (u32, little-endian), CRC-32 of the
//! rest (u32), the rest. Blocks do not depend on each other: damage costs one of them. A block: the
//! place of its first chunk in the chunk file (varint), the number of texts and the texts, then its
//! chunks in order of the file, each told in terms of the one before. A chunk: a byte of flags;
//! unless `SAME_SERIES`, the slot and the making of the series' id (*signed* differences, unless
//! `NEXT_SERIES`), and its labels: with `SAME_NAMES` a varint with a bit for each label whose value
//! differs and the places of these values among the texts, else the number of labels and for each
//! the places of name and value; the chunk's length (varint); the number of samples, the first
//! timestamp and how much later the last one is (*signed* differences); the summary (as in `page`).
//!
//! Version 1: magic, a CRC-32 of the rest, the length of the chunk file, the texts, then for each
//! chunk the id, the number of labels and the places of names and values, the length, the number of
//! samples, the first timestamp (*signed*), how much later the last one is, the summary; numbers as
//! varints.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use firebell_model::{LabelHasher, Labels, SeriesId, Summary};

use crate::bytes::{Put, Reader};
use crate::chunk::Format;
use crate::index::{Comers, Index};
use crate::page::{put_summary, read_summary};
use crate::series::Cell;

/// A chunk of an index.
pub(crate) struct Listed {
    pub(crate) offset: u64,
    pub(crate) len: u32,
    pub(crate) n_samples: u32,
    pub(crate) first_at: i64,
    pub(crate) last_at: i64,
    pub(crate) summary: Option<Summary>,
}

/// An index in the making.
pub(crate) struct Catalog {
    bytes: Vec<u8>,
    texts: Texts,
    entries: Vec<u8>,
    n_entries: usize,
    /// Where the first chunk of the block is.
    offset: u64,
    before: Before,
}

/// The chunk before, as far as the next one is told in terms of it.
#[derive(Default)]
struct Before {
    id: u64,
    labels: Option<Labels>,
    /// The places of the labels' names and values.
    places: Vec<(u64, u64)>,
    n_samples: i64,
    first_at: i64,
    length: i64,
}

impl Catalog {
    pub(crate) fn new() -> Self {
        Self {
            bytes: MAGIC_2.to_vec(),
            texts: Texts::default(),
            entries: Vec::new(),
            n_entries: 0,
            offset: 0,
            before: Before::default(),
        }
    }

    pub(crate) fn push(&mut self, id: SeriesId, labels: &Labels, chunk: &Listed) {
        if self.n_entries == 0 {
            self.offset = chunk.offset;
        }
        self.put_series(id, labels);
        let before = &mut self.before;
        self.entries.put_varint(u64::from(chunk.len));
        let length = chunk.last_at.wrapping_sub(chunk.first_at);
        for (now, before) in [
            (i64::from(chunk.n_samples), &mut before.n_samples),
            (chunk.first_at, &mut before.first_at),
            (length, &mut before.length),
        ] {
            self.entries.put_signed(now.wrapping_sub(*before));
            *before = now;
        }
        put_summary(chunk.first_at, chunk.summary, &mut self.entries);
        self.n_entries += 1;
        if self.n_entries == BLOCK_CHUNKS {
            self.end_block();
        }
    }

    fn put_series(&mut self, id: SeriesId, labels: &Labels) {
        let out = &mut self.entries;
        let is_same = self.before.id == id.0 && self.before.labels.as_ref() == Some(labels);
        if is_same {
            out.push(SAME_SERIES);
            return;
        }
        let place = |text: &Arc<str>, texts: &mut Texts| texts.place_of(text);
        let mut places = Vec::with_capacity(labels.len());
        for label in labels.iter() {
            let name = place(&label.name, &mut self.texts);
            places.push((name, place(&label.value, &mut self.texts)));
        }
        let known = &self.before.places;
        let has_same_names = places.len() == known.len()
            && places.len() < 64
            && places.iter().zip(known).all(|(a, b)| a.0 == b.0);
        let is_next = id.0 == self.before.id.wrapping_add(NEXT_ID);
        let mut flags = if has_same_names { SAME_NAMES } else { 0 };
        flags |= if is_next { NEXT_SERIES } else { 0 };
        out.push(flags);
        if !is_next {
            out.put_signed(i64::from(id.0 as u32) - i64::from(self.before.id as u32));
            out.put_signed((id.0 >> 32) as i64 - (self.before.id >> 32) as i64);
        }
        if has_same_names {
            let pairs = places.iter().zip(known).enumerate();
            let differ = pairs.filter(|(_, (now, before))| now.1 != before.1);
            out.put_varint(differ.clone().fold(0, |mask, (idx, _)| mask | 1 << idx));
            differ.for_each(|(_, (now, _))| out.put_varint(now.1));
        } else {
            out.put_varint(places.len() as u64);
            for &(name, value) in &places {
                out.put_varint(name);
                out.put_varint(value);
            }
        }
        self.before.id = id.0;
        self.before.labels = Some(labels.clone());
        self.before.places = places;
    }

    fn end_block(&mut self) {
        if self.n_entries == 0 {
            return;
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; BLOCK_HEAD]);
        self.bytes.put_varint(self.offset);
        self.bytes.put_varint(self.texts.list.len() as u64);
        for text in &self.texts.list {
            self.bytes.put_bytes(text.as_bytes());
        }
        self.bytes.extend_from_slice(&self.entries);
        let body = start + BLOCK_HEAD;
        let len = (self.bytes.len() - body) as u32;
        let crc = crc32fast::hash(&self.bytes[body..]);
        self.bytes[start..start + 4].copy_from_slice(&len.to_le_bytes());
        self.bytes[start + 4..body].copy_from_slice(&crc.to_le_bytes());
        self.texts = Texts::default();
        self.before = Before::default();
        self.entries.clear();
        self.n_entries = 0;
    }

    /// The whole index.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.end_block();
        self.bytes
    }
}

/// What a file that should be an index begins as.
pub(crate) enum Beginning {
    Known(Format),
    /// Of a later version.
    Later,
    Damaged,
}

/// The version of an index.
pub(crate) fn beginning_of(index: &[u8]) -> Beginning {
    match index.first_chunk::<8>() {
        Some(&MAGIC_1) => Beginning::Known(Format::Version1),
        Some(&MAGIC_2) => Beginning::Known(Format::Version2),
        Some([known @ .., b'3'..=b'9']) if *known == MAGIC_2[..7] => Beginning::Later,
        _ => Beginning::Damaged,
    }
}

/// Who hears of the chunks of an index, and whose they are: nobody's when the slot or the labels of
/// their series went to a younger one.
pub(crate) type Visit<'v> = dyn FnMut(Option<&Arc<Cell>>, &Listed) + 'v;

/// Makes the series of a file's index in the label index, and gives their chunks to `visit`; returns
/// how many parts of it are damaged.
pub(crate) fn read(file: &[u8], format: Format, index: &mut Index, visit: &mut Visit<'_>) -> u64 {
    let Some((_, body)) = file.split_first_chunk::<8>() else {
        return 1;
    };
    match format {
        Format::Version1 => u64::from(read_version_1(body, index, visit).is_none()),
        Format::Version2 => read_blocks(body, index, visit),
    }
}

fn read_blocks(mut body: &[u8], index: &mut Index, visit: &mut Visit<'_>) -> u64 {
    let mut n_damaged = 0;
    while let Some((len, rest)) = body.split_first_chunk::<4>() {
        let len = u32::from_le_bytes(*len) as usize;
        let block = rest.get(4..).and_then(|rest| rest.get(..len));
        let Some(block) = block else {
            // Where the next one begins, nobody knows.
            return n_damaged + 1;
        };
        let is_whole = crc32fast::hash(block).to_le_bytes() == rest[..4];
        if !is_whole || read_block(Reader(block), index, visit).is_none() {
            n_damaged += 1;
        }
        body = &rest[4 + len..];
    }
    n_damaged + u64::from(!body.is_empty())
}

fn read_block(mut reader: Reader<'_>, index: &mut Index, visit: &mut Visit<'_>) -> Option<()> {
    let mut offset = reader.varint()?;
    let mut block = Block::begin(&mut reader, index)?;
    let (mut n_samples, mut first_at, mut length) = (0_i64, 0_i64, 0_i64);
    while !reader.is_empty() {
        block.read_series(&mut reader)?;
        let len = u32::try_from(reader.varint()?).ok()?;
        for number in [&mut n_samples, &mut first_at, &mut length] {
            *number = number.wrapping_add(reader.signed()?);
        }
        let n_samples = u32::try_from(n_samples).ok()?;
        let listed = Listed {
            offset,
            len,
            n_samples,
            first_at,
            last_at: first_at.wrapping_add(length),
            summary: read_summary(first_at, &mut reader, n_samples as usize)?,
        };
        visit(block.cell.as_ref(), &listed);
        offset = offset.checked_add(u64::from(len))?;
    }
    Some(())
}

/// The series of a block, as far as they are read.
struct Block<'i, 'b> {
    comers: Comers<'i>,
    texts: Vec<&'b str>,
    /// Where `comers` has the pairs of names and values in these places.
    pairs: HashMap<(u64, u64), usize, BuildHasherDefault<LabelHasher>>,
    /// Of the series before: its id, its pairs among `texts` and among those of `comers`, and itself.
    id: u64,
    places: Vec<(u64, u64)>,
    own: Vec<usize>,
    cell: Option<Arc<Cell>>,
}

impl<'i, 'b> Block<'i, 'b> {
    /// Reads the texts.
    fn begin(reader: &mut Reader<'b>, index: &'i mut Index) -> Option<Self> {
        let n = reader.count()?;
        let mut texts = Vec::with_capacity(n);
        for _ in 0..n {
            texts.push(reader.text()?);
        }
        Some(Self {
            comers: Comers::new(index),
            texts,
            pairs: HashMap::default(),
            id: 0,
            places: Vec::new(),
            own: Vec::new(),
            cell: None,
        })
    }

    fn read_series(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        let flags = reader.byte()?;
        if flags & !KNOWN_FLAGS != 0 {
            return None;
        }
        if flags & SAME_SERIES != 0 {
            return Some(());
        }
        self.id = if flags & NEXT_SERIES != 0 {
            self.id.wrapping_add(NEXT_ID)
        } else {
            let slot = i64::from(self.id as u32).wrapping_add(reader.signed()?);
            let made = ((self.id >> 32) as i64).wrapping_add(reader.signed()?);
            u64::from(u32::try_from(made).ok()?) << 32 | u64::from(u32::try_from(slot).ok()?)
        };
        if flags & SAME_NAMES != 0 {
            let mask = reader.varint()?;
            for idx in 0..self.places.len().min(64) {
                if mask & 1 << idx != 0 {
                    self.places[idx].1 = reader.varint()?;
                    self.own[idx] = self.pair(self.places[idx])?;
                }
            }
        } else {
            let n = reader.count()?;
            self.places.clear();
            for _ in 0..n {
                self.places.push((reader.varint()?, reader.varint()?));
            }
            self.own.clear();
            for idx in 0..n {
                let own = self.pair(self.places[idx])?;
                self.own.push(own);
            }
        }
        self.make();
        Some(())
    }

    fn make(&mut self) {
        self.cell = self.comers.make_as(SeriesId(self.id), &self.own);
    }

    /// Where `comers` has a pair.
    fn pair(&mut self, places: (u64, u64)) -> Option<usize> {
        if let Some(&known) = self.pairs.get(&places) {
            return Some(known);
        }
        let text = |place: u64| self.texts.get(usize::try_from(place).ok()?).copied();
        let place = self.comers.add_pair(text(places.0)?, text(places.1)?);
        self.pairs.insert(places, place);
        Some(place)
    }
}

fn read_version_1(body: &[u8], index: &mut Index, visit: &mut Visit<'_>) -> Option<()> {
    let (crc, body) = body.split_first_chunk::<4>()?;
    if crc32fast::hash(body).to_le_bytes() != *crc {
        return None;
    }
    let mut reader = Reader(body);
    reader.varint()?;
    let mut block = Block::begin(&mut reader, index)?;
    let mut offset = MAGIC_1.len() as u64;
    while !reader.is_empty() {
        block.id = reader.varint()?;
        block.own.clear();
        for _ in 0..reader.count()? {
            let own = block.pair((reader.varint()?, reader.varint()?))?;
            block.own.push(own);
        }
        block.make();
        let len = u32::try_from(reader.varint()?).ok()?;
        let n_samples = u32::try_from(reader.varint()?).ok()?;
        let first_at = reader.signed()?;
        let last_at = first_at.wrapping_add(reader.varint()? as i64);
        let summary = read_summary(first_at, &mut reader, n_samples as usize)?;
        let listed = Listed {
            offset,
            len,
            n_samples,
            first_at,
            last_at,
            summary,
        };
        visit(block.cell.as_ref(), &listed);
        offset = offset.checked_add(u64::from(len))?;
    }
    Some(())
}

/// Texts of a block, each once.
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

const MAGIC_1: [u8; 8] = *b"FBCIDX 1";
const MAGIC_2: [u8; 8] = *b"FBCIDX 2";
/// Length and checksum.
const BLOCK_HEAD: usize = 8;
/// So many chunks make a block: damage costs as many, texts are told once for as many.
const BLOCK_CHUNKS: usize = 512;
const SAME_SERIES: u8 = 1;
const NEXT_SERIES: u8 = 2;
const SAME_NAMES: u8 = 4;
const KNOWN_FLAGS: u8 = SAME_SERIES | NEXT_SERIES | SAME_NAMES;
/// The next slot, and made next.
const NEXT_ID: u64 = 1 << 32 | 1;
