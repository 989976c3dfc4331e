//! Writes protobuf, and the few messages of OTLP that are sent.
//!
//! *Sources*: protobuf.dev, "Encoding"; opentelemetry-proto 1.x: common, resource, metrics, logs, trace.

use crate::value::Value;

/// A message under construction.
#[derive(Debug, Default)]
pub(crate) struct Message(Vec<u8>);

impl Message {
    pub(crate) fn with_capacity(n_bytes: usize) -> Self {
        Self(Vec::with_capacity(n_bytes))
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn varint(&mut self, field: u32, value: u64) {
        self.raw_varint(u64::from(field) << 3);
        self.raw_varint(value);
    }

    pub(crate) fn sint(&mut self, field: u32, value: i64) {
        self.varint(
            field,
            (value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned(),
        );
    }

    pub(crate) fn fixed64(&mut self, field: u32, value: u64) {
        self.raw_varint(u64::from(field) << 3 | 1);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn double(&mut self, field: u32, value: f64) {
        self.fixed64(field, value.to_bits());
    }

    pub(crate) fn bytes(&mut self, field: u32, value: &[u8]) {
        self.raw_varint(u64::from(field) << 3 | 2);
        self.raw_varint(value.len() as u64);
        self.0.extend_from_slice(value);
    }

    pub(crate) fn text(&mut self, field: u32, value: &str) {
        self.bytes(field, value.as_bytes());
    }

    /// A message within: its length is written once it is known, by moving it when it is long.
    pub(crate) fn message(&mut self, field: u32, fill: impl FnOnce(&mut Self)) {
        self.raw_varint(u64::from(field) << 3 | 2);
        let at = self.0.len();
        self.0.push(0);
        fill(self);
        let len = self.0.len() - at - 1;
        if len < 0x80 {
            if let Some(place) = self.0.get_mut(at) {
                *place = len as u8;
            }
            return;
        }
        let mut header = Self::default();
        header.raw_varint(len as u64);
        self.0.splice(at..=at, header.0);
    }

    /// Packed unsigned numbers.
    pub(crate) fn packed(&mut self, field: u32, values: &[u64]) {
        self.message(field, |it| {
            values.iter().for_each(|value| it.raw_varint(*value))
        });
    }

    /// Bytes that are a part of a message already.
    pub(crate) fn append(&mut self, encoded: &[u8]) {
        self.0.extend_from_slice(encoded);
    }

    fn raw_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    /// A `KeyValue`.
    pub(crate) fn attribute(&mut self, field: u32, key: &str, value: &Value) {
        self.message(field, |it| {
            it.text(1, key);
            it.message(2, |it| it.any(value));
        });
    }

    /// The content of an `AnyValue`.
    pub(crate) fn any(&mut self, value: &Value) {
        match value {
            Value::Null => {}
            Value::Text(text) => self.text(1, text),
            Value::Bool(is) => self.varint(2, u64::from(*is)),
            Value::Int(number) => self.varint(3, number.cast_unsigned()),
            Value::Float(number) => self.double(4, *number),
            Value::List(values) => self.message(5, |it| {
                for value in values {
                    it.message(1, |it| it.any(value));
                }
            }),
            Value::Map(pairs) => self.message(6, |it| {
                for (key, value) in pairs {
                    it.attribute(1, key, value);
                }
            }),
        }
    }
}

/// A whole export request: one resource, one scope, the records as they are. All three signals
/// have this shape, with the same field numbers.
pub(crate) fn request(resource: &[u8], records: &[Vec<u8>]) -> Vec<u8> {
    let n_bytes: usize = records.iter().map(|it| it.len() + 8).sum();
    let mut request = Message::with_capacity(n_bytes + resource.len() + 128);
    request.message(1, |it| {
        it.bytes(1, resource);
        it.message(2, |it| {
            it.message(1, |it| {
                it.text(1, "firebell");
                it.text(2, env!("CARGO_PKG_VERSION"));
            });
            for record in records {
                it.bytes(2, record);
            }
        });
    });
    request.into_bytes()
}

/// A `Resource` of attributes.
pub(crate) fn resource<'a>(attributes: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<u8> {
    let mut resource = Message::default();
    for (key, value) in attributes {
        resource.attribute(1, key, &Value::Text(value.to_owned()));
    }
    resource.into_bytes()
}

/// How many records an export response says were refused, and why; `None` when it says none. All
/// three signals have this shape, too. What is no such response says nothing.
pub(crate) fn refused(response: &[u8]) -> Option<(u64, String)> {
    let Content::Bytes(partial) = field(response, 1)? else {
        return None;
    };
    let Content::Number(n_refused) = field(partial, 1)? else {
        return None;
    };
    let why = match field(partial, 2) {
        Some(Content::Bytes(text)) => String::from_utf8_lossy(text).into_owned(),
        _ => String::new(),
    };
    (n_refused > 0).then_some((n_refused, why))
}

/// What a field has.
enum Content<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The first field of a number in a message that has only numbers and bytes.
fn field(mut message: &[u8], wanted: u64) -> Option<Content<'_>> {
    while !message.is_empty() {
        let key = take_varint(&mut message)?;
        let number = take_varint(&mut message)?;
        let content = match key & 7 {
            0 => Content::Number(number),
            2 => {
                let (bytes, rest) = message.split_at_checked(usize::try_from(number).ok()?)?;
                message = rest;
                Content::Bytes(bytes)
            }
            _ => return None,
        };
        if key >> 3 == wanted {
            return Some(content);
        }
    }
    None
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_success_says_how_many_were_refused() {
        let response = |n_refused, why: &str| {
            let mut response = Message::default();
            response.message(1, |it| {
                it.varint(1, n_refused);
                it.text(2, why);
            });
            response.into_bytes()
        };
        let whole = response(300, "no deltas");
        assert_eq!(refused(&whole), Some((300, "no deltas".to_owned())));
        assert_eq!(refused(&response(0, "a warning")), None);
        assert_eq!(refused(b""), None);
        assert_eq!(refused(b"<html>"), None);
        for n_bytes in 0..whole.len() {
            assert_eq!(refused(&whole[..n_bytes]), None);
        }
    }

    #[test]
    fn fields_are_written_as_the_format_asks() {
        let check = |fill: &dyn Fn(&mut Message), expected: &[u8]| {
            let mut message = Message::default();
            fill(&mut message);
            assert_eq!(message.as_bytes(), expected);
        };
        check(&|it| it.varint(1, 150), &[0x08, 0x96, 0x01]);
        check(&|it| it.sint(6, -1), &[0x30, 0x01]);
        check(&|it| it.text(2, "hi"), &[0x12, 2, b'h', b'i']);
        check(&|it| it.packed(3, &[1, 300]), &[0x1a, 3, 1, 0xac, 0x02]);
        check(
            &|it| it.attribute(1, "k", &Value::Bool(true)),
            &[0x0a, 7, 0x0a, 1, b'k', 0x12, 2, 0x10, 1],
        );
    }

    #[test]
    fn a_long_message_within_has_a_long_length() {
        let mut message = Message::default();
        message.message(1, |it| it.text(1, &"x".repeat(200)));
        let bytes = message.into_bytes();
        assert_eq!(
            bytes.get(..6),
            Some(&[0x0a, 0xcb, 0x01, 0x0a, 0xc8, 0x01][..])
        );
        assert_eq!(bytes.len(), 206);
    }
}
