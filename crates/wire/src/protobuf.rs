//! A protobuf reader that borrows: fields in the order they come, no schema, no allocation.
//!
//! *Sources*: protobuf.dev, "Encoding". Groups (wire types 3 and 4) are refused: no format that is
//! read here has them.

/// The fields of one message that are still to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    bytes: &'a [u8],
}

/// The value of a field.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
}

/// Bytes that are no protobuf message: what is wrong with them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("malformed protobuf: {0}")]
pub(crate) struct Malformed(pub(crate) &'static str);

impl<'a> Value<'a> {
    pub(crate) fn varint(self) -> Result<u64, Malformed> {
        match self {
            Self::Varint(number) => Ok(number),
            _ => Err(WRONG_TYPE),
        }
    }

    /// An `int64`, or an `int32`, which is written as wide.
    pub(crate) fn int(self) -> Result<i64, Malformed> {
        Ok(self.varint()?.cast_signed())
    }

    pub(crate) fn sint(self) -> Result<i64, Malformed> {
        Ok(zigzag(self.varint()?))
    }

    pub(crate) fn fixed(self) -> Result<u64, Malformed> {
        match self {
            Self::Fixed64(bits) => Ok(bits),
            _ => Err(WRONG_TYPE),
        }
    }

    pub(crate) fn double(self) -> Result<f64, Malformed> {
        Ok(f64::from_bits(self.fixed()?))
    }

    pub(crate) fn bytes(self) -> Result<&'a [u8], Malformed> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(WRONG_TYPE),
        }
    }

    pub(crate) fn message(self) -> Result<Message<'a>, Malformed> {
        Ok(Message::new(self.bytes()?))
    }

    pub(crate) fn text(self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Malformed("a text is not valid UTF-8"))
    }

    /// Appends what a repeated field of varints holds, packed or not.
    pub(crate) fn varints<T>(self, read: fn(u64) -> T, out: &mut Vec<T>) -> Result<(), Malformed> {
        let Self::Bytes(bytes) = self else {
            return push(read(self.varint()?), out);
        };
        let mut packed = Message::new(bytes);
        while !packed.bytes.is_empty() {
            push(read(packed.varint()?), out)?;
        }
        Ok(())
    }

    /// Appends what a repeated field of `fixed64` or `double` holds, packed or not.
    pub(crate) fn fixeds<T>(self, read: fn(u64) -> T, out: &mut Vec<T>) -> Result<(), Malformed> {
        let Self::Bytes(bytes) = self else {
            return push(read(self.fixed()?), out);
        };
        let (words, rest) = bytes.as_chunks();
        if !rest.is_empty() {
            return Err(ENDS_EARLY);
        }
        if out.len() + words.len() > REPEATED_MAX {
            return Err(TOO_MANY);
        }
        out.extend(words.iter().map(|word| read(u64::from_le_bytes(*word))));
        Ok(())
    }
}

/// Adds one to a repeated field, unless it has too many: a byte may become sixteen of them.
pub(crate) fn push<T>(item: T, out: &mut Vec<T>) -> Result<(), Malformed> {
    if out.len() >= REPEATED_MAX {
        return Err(TOO_MANY);
    }
    out.push(item);
    Ok(())
}

/// What a varint stands for in `sint32` and `sint64`.
pub(crate) fn zigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

impl<'a> Message<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// The number and the value of the next field; `None` at the end.
    pub(crate) fn next_field(&mut self) -> Result<Option<(u64, Value<'a>)>, Malformed> {
        if self.bytes.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let number = key >> 3;
        if number == 0 || number > FIELD_NUMBER_MAX {
            return Err(Malformed("a field has an impossible number"));
        }
        let value = match key & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let len = self.varint()?;
                let len = usize::try_from(len).map_err(|_| ENDS_EARLY)?;
                Value::Bytes(self.take(len)?)
            }
            5 => Value::Fixed32(u32::from_le_bytes(self.array()?)),
            _ => return Err(Malformed("a field has an unknown wire type")),
        };
        Ok(Some((number, value)))
    }

    /// The next field, when its key is this one byte and it is less than 128 bytes: what a message
    /// has hundreds of is read at less cost.
    #[inline]
    pub(crate) fn next_short(&mut self, key: u8) -> Option<&'a [u8]> {
        let (&[found, len], rest) = self.bytes.split_first_chunk()?;
        if found != key || len >= 0x80 {
            return None;
        }
        let (taken, rest) = rest.split_at_checked(usize::from(len))?;
        self.bytes = rest;
        Some(taken)
    }

    /// The next message of a stream in which each comes after its length; `None` at the end.
    pub(crate) fn next_delimited(&mut self) -> Result<Option<Self>, Malformed> {
        if self.bytes.is_empty() {
            return Ok(None);
        }
        let len = self.varint()?;
        let len = usize::try_from(len).map_err(|_| ENDS_EARLY)?;
        Ok(Some(Self::new(self.take(len)?)))
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        // Nearly all keys and lengths are one byte.
        if let [byte @ ..0x80, rest @ ..] = self.bytes {
            self.bytes = rest;
            return Ok(u64::from(*byte));
        }
        let mut value = 0_u64;
        for (idx, &byte) in self.bytes.iter().enumerate().take(VARINT_BYTES_MAX) {
            value |= u64::from(byte & 0x7f) << (7 * idx);
            if byte < 0x80 {
                let is_too_large = idx == VARINT_BYTES_MAX - 1 && byte > 1;
                self.bytes = &self.bytes[idx + 1..];
                return if is_too_large {
                    Err(TOO_LARGE)
                } else {
                    Ok(value)
                };
            }
        }
        Err(if self.bytes.len() < VARINT_BYTES_MAX {
            ENDS_EARLY
        } else {
            TOO_LARGE
        })
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.bytes.split_at_checked(len).ok_or(ENDS_EARLY)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.bytes.split_first_chunk().ok_or(ENDS_EARLY)?;
        self.bytes = rest;
        Ok(*taken)
    }
}

/// Writes the fields of one message.
#[derive(Clone, Debug, Default)]
pub(crate) struct Writer {
    pub(crate) bytes: Vec<u8>,
}

impl Writer {
    /// A message that is built by `write`.
    pub(crate) fn of(write: impl FnOnce(&mut Self)) -> Vec<u8> {
        let mut writer = Self::default();
        write(&mut writer);
        writer.bytes
    }

    pub(crate) fn varint(&mut self, number: u32, value: u64) {
        self.raw(u64::from(number) << 3);
        self.raw(value);
    }

    pub(crate) fn sint(&mut self, number: u32, value: i64) {
        self.varint(number, ((value << 1) ^ (value >> 63)).cast_unsigned());
    }

    pub(crate) fn double(&mut self, number: u32, value: f64) {
        self.fixed(number, value.to_bits());
    }

    pub(crate) fn fixed(&mut self, number: u32, bits: u64) {
        self.raw(u64::from(number) << 3 | 1);
        self.bytes.extend(bits.to_le_bytes());
    }

    pub(crate) fn text(&mut self, number: u32, text: &str) {
        self.blob(number, text.as_bytes());
    }

    pub(crate) fn blob(&mut self, number: u32, bytes: &[u8]) {
        self.raw(u64::from(number) << 3 | 2);
        self.raw(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn message(&mut self, number: u32, write: impl FnOnce(&mut Self)) {
        self.blob(number, &Self::of(write));
    }

    /// A repeated field of doubles, packed; nothing when there are none.
    pub(crate) fn doubles(&mut self, number: u32, values: &[f64]) {
        if !values.is_empty() {
            self.raw(u64::from(number) << 3 | 2);
            self.raw(8 * values.len() as u64);
            self.bytes
                .extend(values.iter().flat_map(|value| value.to_le_bytes()));
        }
    }

    /// A repeated field of varints, packed; nothing when there are none.
    #[cfg(test)]
    pub(crate) fn varints(&mut self, number: u32, values: impl IntoIterator<Item = u64>) {
        let packed = Self::of(|packed| values.into_iter().for_each(|value| packed.raw(value)));
        if !packed.is_empty() {
            self.blob(number, &packed);
        }
    }

    /// A varint without a key.
    pub(crate) fn raw(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }
}

const WRONG_TYPE: Malformed = Malformed("a field has another wire type than its format says");
const ENDS_EARLY: Malformed = Malformed("it ends in the middle of a field");
const TOO_LARGE: Malformed = Malformed("a number does not fit into 64 bits");
const TOO_MANY: Malformed = Malformed("a list has more than 65,536 numbers or spans");
/// Numbers in a list, which are buckets, bounds and references: histograms have some hundred.
const REPEATED_MAX: usize = 1 << 16;
const VARINT_BYTES_MAX: usize = 10;
const FIELD_NUMBER_MAX: u64 = (1 << 29) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_in_order_or_say_what_is_wrong() {
        let mut message = Message::new(&[
            0x08, 0x96, 0x01, 0x12, 2, b'h', b'i', 0x1d, 1, 0, 0, 0, 0x21, 2, 0, 0, 0, 0, 0, 0, 0,
        ]);
        assert_eq!(message.next_field(), Ok(Some((1, Value::Varint(150)))));
        assert_eq!(message.next_field(), Ok(Some((2, Value::Bytes(b"hi")))));
        assert_eq!(message.next_field(), Ok(Some((3, Value::Fixed32(1)))));
        assert_eq!(message.next_field(), Ok(Some((4, Value::Fixed64(2)))));
        assert_eq!(message.next_field(), Ok(None));
        let minus_one = [0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1];
        assert_eq!(
            Message::new(&minus_one).next_field(),
            Ok(Some((1, Value::Varint(u64::MAX))))
        );
        for (bytes, expected) in [
            (&[0x08][..], ENDS_EARLY),
            (&[0x12, 5, 1], ENDS_EARLY),
            (&[0x80; 9], ENDS_EARLY),
            (&[0x80; 12], TOO_LARGE),
            (&[0x09, 1], ENDS_EARLY),
            (&[0x0b], Malformed("a field has an unknown wire type")),
            (&[0x00], Malformed("a field has an impossible number")),
        ] {
            assert_eq!(Message::new(bytes).next_field(), Err(expected));
        }
    }
}
