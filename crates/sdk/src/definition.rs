//! Reads the definition of a series again, as [`crate::cells::join`] put it together.

use crate::cells::{Kind, split};

/// What a series is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Definition {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) unit: String,
    /// Sorted by name.
    pub(crate) labels: Vec<(String, String)>,
}

impl Definition {
    /// `None`: it is none, or has no name.
    pub(crate) fn parse(kind: Kind, encoded: &[u8]) -> Option<Self> {
        let (head, labels) = split(encoded)?;
        let mut parsed = Self::default();
        for (field, bytes) in Fields(head) {
            let place = match field {
                1 => &mut parsed.name,
                2 => &mut parsed.description,
                3 => &mut parsed.unit,
                _ => continue,
            };
            *place = text(bytes);
        }
        for (field, bytes) in Fields(labels) {
            if field == kind.attributes_field() {
                parsed.labels.push(label(bytes));
            }
        }
        (!parsed.name.is_empty()).then_some(parsed)
    }
}

/// A `KeyValue` of a text, or of `true`.
fn label(bytes: &[u8]) -> (String, String) {
    let mut label = (String::new(), "true".to_owned());
    for (field, bytes) in Fields(bytes) {
        match field {
            1 => label.0 = text(bytes),
            2 => {
                if let Some((_, value)) = Fields(bytes).find(|(field, _)| *field == 1) {
                    label.1 = text(value);
                }
            }
            _ => {}
        }
    }
    label
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The fields of a message that have a length; numbers are passed over.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (first, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(first & 0x7f) << shift;
            if *first < 0x80 {
                return Some(number);
            }
        }
        None
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (u32, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let tag = self.varint()?;
            match tag & 7 {
                0 => _ = self.varint()?,
                1 => self.0 = self.0.get(8..)?,
                2 => {
                    let len = usize::try_from(self.varint()?).ok()?;
                    let (bytes, rest) = self.0.split_at_checked(len)?;
                    self.0 = rest;
                    return Some(((tag >> 3) as u32, bytes));
                }
                _ => return None,
            }
        }
    }
}
