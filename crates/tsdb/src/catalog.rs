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

use firebell_model::{Labels, SeriesId, Summary};

use crate::bytes::{Put, Reader};
use crate::chunk::Format;
use crate::index::LabelHasher;
use crate::page::{put_summary, read_summary};

/// A chunk of an index.
pub(crate) struct Listed {
    pub(crate) id: SeriesId,
    pub(crate) labels: Labels,
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

    pub(crate) fn push(&mut self, chunk: &Listed) {
        if self.n_entries == 0 {
            self.offset = chunk.offset;
        }
        self.put_series(chunk.id, &chunk.labels);
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

/// The version of an index; `None` when it is none, or of a later version.
pub(crate) fn format_of(index: &[u8]) -> Option<Format> {
    match index.first_chunk::<8>() {
        Some(&MAGIC_1) => Some(Format::Version1),
        Some(&MAGIC_2) => Some(Format::Version2),
        _ => None,
    }
}

/// Gives the chunks of an index to `visit`; returns how many parts of it are damaged.
pub(crate) fn read(index: &[u8], format: Format, visit: &mut dyn FnMut(Listed)) -> u64 {
    let Some((_, body)) = index.split_first_chunk::<8>() else {
        return 1;
    };
    match format {
        Format::Version1 => u64::from(read_version_1(body, visit).is_none()),
        Format::Version2 => read_blocks(body, visit),
    }
}

fn read_blocks(mut body: &[u8], visit: &mut dyn FnMut(Listed)) -> u64 {
    let mut n_damaged = 0;
    while let Some((len, rest)) = body.split_first_chunk::<4>() {
        let len = u32::from_le_bytes(*len) as usize;
        let block = rest.get(4..).and_then(|rest| rest.get(..len));
        let Some(block) = block else {
            // Where the next one begins, nobody knows.
            return n_damaged + 1;
        };
        let is_whole = crc32fast::hash(block).to_le_bytes() == rest[..4];
        if !is_whole || read_block(Reader(block), visit).is_none() {
            n_damaged += 1;
        }
        body = &rest[4 + len..];
    }
    n_damaged + u64::from(!body.is_empty())
}

fn read_block(mut reader: Reader<'_>, visit: &mut dyn FnMut(Listed)) -> Option<()> {
    let mut offset = reader.varint()?;
    let texts = read_texts(&mut reader)?;
    let mut before = Before::default();
    while !reader.is_empty() {
        read_series(&mut reader, &texts, &mut before)?;
        let len = u32::try_from(reader.varint()?).ok()?;
        let Before {
            n_samples,
            first_at,
            length,
            ..
        } = &mut before;
        for number in [&mut *n_samples, &mut *first_at, &mut *length] {
            *number = number.wrapping_add(reader.signed()?);
        }
        let n_samples = u32::try_from(*n_samples).ok()?;
        let (first_at, last_at) = (*first_at, first_at.wrapping_add(*length));
        let summary = read_summary(first_at, &mut reader, n_samples as usize)?;
        visit(Listed {
            id: SeriesId(before.id),
            labels: before.labels.clone()?,
            offset,
            len,
            n_samples,
            first_at,
            last_at,
            summary,
        });
        offset = offset.checked_add(u64::from(len))?;
    }
    Some(())
}

fn read_series(reader: &mut Reader<'_>, texts: &[Arc<str>], before: &mut Before) -> Option<()> {
    let flags = reader.byte()?;
    if flags & !KNOWN_FLAGS != 0 {
        return None;
    }
    if flags & SAME_SERIES != 0 {
        return Some(());
    }
    before.id = if flags & NEXT_SERIES != 0 {
        before.id.wrapping_add(NEXT_ID)
    } else {
        let slot = i64::from(before.id as u32).wrapping_add(reader.signed()?);
        let made = ((before.id >> 32) as i64).wrapping_add(reader.signed()?);
        u64::from(u32::try_from(made).ok()?) << 32 | u64::from(u32::try_from(slot).ok()?)
    };
    if flags & SAME_NAMES != 0 {
        let mask = reader.varint()?;
        for (idx, place) in before.places.iter_mut().enumerate() {
            if idx < 64 && mask & 1 << idx != 0 {
                place.1 = reader.varint()?;
            }
        }
    } else {
        let n = reader.count()?;
        before.places.clear();
        for _ in 0..n {
            before.places.push((reader.varint()?, reader.varint()?));
        }
    }
    before.labels = Some(labels_of(texts, &before.places)?);
    Some(())
}

fn labels_of(texts: &[Arc<str>], places: &[(u64, u64)]) -> Option<Labels> {
    let text = |place: u64| texts.get(usize::try_from(place).ok()?).map(Arc::clone);
    let pairs = places
        .iter()
        .map(|&(name, value)| Some((text(name)?, text(value)?)));
    let pairs: Vec<_> = pairs.collect::<Option<_>>()?;
    Some(Labels::from_pairs(pairs))
}

fn read_texts(reader: &mut Reader<'_>) -> Option<Vec<Arc<str>>> {
    let n = reader.count()?;
    let mut texts = Vec::with_capacity(n);
    for _ in 0..n {
        texts.push(reader.text()?.into());
    }
    Some(texts)
}

fn read_version_1(body: &[u8], visit: &mut dyn FnMut(Listed)) -> Option<()> {
    let (crc, body) = body.split_first_chunk::<4>()?;
    if crc32fast::hash(body).to_le_bytes() != *crc {
        return None;
    }
    let mut reader = Reader(body);
    reader.varint()?;
    let texts = read_texts(&mut reader)?;
    let mut offset = MAGIC_1.len() as u64;
    while !reader.is_empty() {
        let id = SeriesId(reader.varint()?);
        let n_labels = reader.count()?;
        let mut places = Vec::with_capacity(n_labels);
        for _ in 0..n_labels {
            places.push((reader.varint()?, reader.varint()?));
        }
        let len = u32::try_from(reader.varint()?).ok()?;
        let n_samples = u32::try_from(reader.varint()?).ok()?;
        let first_at = reader.signed()?;
        let last_at = first_at.wrapping_add(reader.varint()? as i64);
        let summary = read_summary(first_at, &mut reader, n_samples as usize)?;
        visit(Listed {
            id,
            labels: labels_of(&texts, &places)?,
            offset,
            len,
            n_samples,
            first_at,
            last_at,
            summary,
        });
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
