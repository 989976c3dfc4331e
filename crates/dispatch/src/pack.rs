//! Bytes for many records at once: numbers as short as they are, each pair of labels once.
//!
//! A pack is a table of pairs and a body. Numbers are in base 128, the low digits first, with the
//! high bit on all but the last byte; signed ones are folded (0, -1, 1, -2, …) before. A text is its
//! length and its bytes, a label set the number of its pairs and the place of each in the table.
//!
//! *Invariants*: whatever bytes it gets, reading ends, with nothing or a value, and takes no more
//! memory than some times their length.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use firebell_model::{Fingerprint, Label, LabelHasher, Labels, Timestamp};

/// The writing end. The body is the caller's to divide.
#[derive(Debug, Default)]
pub struct Packer {
    table: Vec<u8>,
    // Where a pair stands in the table, by its address. Pairs that are equal but not shared stand
    // there twice.
    places: HashMap<usize, u64, BuildHasherDefault<LabelHasher>>,
    // What is freed may give its address to another pair.
    kept: Vec<Arc<Label>>,
    body: Vec<u8>,
}

impl Packer {
    /// Appends the table and the body to `out`, and begins anew.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        put_number(out, self.kept.len() as u64);
        out.append(&mut self.table);
        out.append(&mut self.body);
        self.places.clear();
        self.kept.clear();
    }

    /// How long the pack is so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len() + self.body.len()
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes something behind its length (u32, little-endian).
    pub fn measured(&mut self, put: impl FnOnce(&mut Self)) {
        let start = self.body.len();
        self.bytes(&[0; 4]);
        put(self);
        // A log takes no frame that is too long for this.
        let len = (self.body.len() - start - 4) as u32;
        self.body[start..start + 4].copy_from_slice(&len.to_le_bytes());
    }

    /// Writes a byte.
    pub fn byte(&mut self, byte: u8) {
        self.body.push(byte);
    }

    /// Writes bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.body.extend_from_slice(bytes);
    }

    /// Writes a number.
    pub fn number(&mut self, number: u64) {
        put_number(&mut self.body, number);
    }

    pub(crate) fn signed(&mut self, number: i64) {
        self.number(((number << 1) ^ (number >> 63)).cast_unsigned());
    }

    pub(crate) fn at(&mut self, at: Timestamp) {
        self.signed(at.0);
    }

    pub(crate) fn flag(&mut self, flag: bool) {
        self.byte(u8::from(flag));
    }

    pub(crate) fn fingerprint(&mut self, fingerprint: Fingerprint) {
        self.bytes(&fingerprint.0.to_le_bytes());
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.bytes(text.as_bytes());
    }

    pub(crate) fn labels(&mut self, labels: &Labels) {
        self.number(labels.len() as u64);
        for label in labels.shared() {
            let place = self.place(label);
            self.number(place);
        }
    }

    pub(crate) fn list<T>(&mut self, list: &[T], mut put: impl FnMut(&mut Self, &T)) {
        self.number(list.len() as u64);
        list.iter().for_each(|it| put(self, it));
    }

    pub(crate) fn option<T>(&mut self, value: Option<T>, put: impl FnOnce(&mut Self, T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            put(self, value);
        }
    }

    fn place(&mut self, label: &Arc<Label>) -> u64 {
        let next = self.kept.len() as u64;
        let place = *self
            .places
            .entry(Arc::as_ptr(label) as usize)
            .or_insert(next);
        if place == next {
            for text in [&label.name, &label.value] {
                put_number(&mut self.table, text.len() as u64);
                self.table.extend_from_slice(text.as_bytes());
            }
            self.kept.push(Arc::clone(label));
        }
        place
    }
}

/// The reading end.
#[derive(Clone, Debug)]
pub struct Unpacker<'a> {
    pairs: Arc<[Arc<Label>]>,
    rest: &'a [u8],
}

impl<'a> Unpacker<'a> {
    /// Reads the table; the body is left.
    #[must_use]
    pub fn new(pack: &'a [u8]) -> Option<Self> {
        let mut reader = Self {
            pairs: Arc::from([]),
            rest: pack,
        };
        let n_pairs = reader.count()?;
        let mut pairs = Vec::with_capacity(n_pairs);
        for _ in 0..n_pairs {
            let (name, value) = (reader.shared_text()?, reader.shared_text()?);
            pairs.push(Arc::new(Label { name, value }));
        }
        reader.pairs = pairs.into();
        Some(reader)
    }

    /// What is left of the body.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Takes off what stands behind its length, to be read for itself.
    #[must_use]
    pub fn measured(&mut self) -> Option<Self> {
        let (len, rest) = self.rest.split_first_chunk()?;
        let len = usize::try_from(u32::from_le_bytes(*len)).ok()?;
        let (rest, behind) = rest.split_at_checked(len)?;
        self.rest = behind;
        let pairs = Arc::clone(&self.pairs);
        Some(Self { pairs, rest })
    }

    /// Reads a byte.
    #[must_use]
    pub fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    /// Reads a number.
    #[must_use]
    pub fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let digit = u64::from(byte & 0x7f);
            if digit.leading_zeros() < shift {
                return None;
            }
            number |= digit << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    pub(crate) fn signed(&mut self) -> Option<i64> {
        let folded = self.number()?;
        Some((folded >> 1).cast_signed() ^ -(folded & 1).cast_signed())
    }

    pub(crate) fn at(&mut self) -> Option<Timestamp> {
        self.signed().map(Timestamp)
    }

    pub(crate) fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    pub(crate) fn fingerprint(&mut self) -> Option<Fingerprint> {
        let (bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(Fingerprint(u64::from_le_bytes(*bytes)))
    }

    pub(crate) fn text(&mut self) -> Option<&'a str> {
        let len = self.count()?;
        let (text, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        std::str::from_utf8(text).ok()
    }

    pub(crate) fn shared_text(&mut self) -> Option<Arc<str>> {
        self.text().map(Arc::from)
    }

    pub(crate) fn labels(&mut self) -> Option<Labels> {
        let known = Arc::clone(&self.pairs);
        let pairs =
            self.list(|reader| known.get(usize::try_from(reader.number()?).ok()?).cloned())?;
        let is_set = pairs.is_sorted_by(|a, b| a.name < b.name);
        let is_empty = pairs.iter().any(|it| it.value.is_empty());
        (is_set && !is_empty).then(|| Labels::from_shared(pairs))
    }

    pub(crate) fn list<T>(
        &mut self,
        mut get: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let n = self.count()?;
        (0..n).map(|_| get(self)).collect()
    }

    pub(crate) fn option<T>(
        &mut self,
        get: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<Option<T>> {
        match self.flag()? {
            true => get(self).map(Some),
            false => Some(None),
        }
    }

    // Of things that take a byte at least: more than there are bytes cannot follow.
    fn count(&mut self) -> Option<usize> {
        let n = usize::try_from(self.number()?).ok()?;
        (n <= self.rest.len()).then_some(n)
    }
}

fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}
