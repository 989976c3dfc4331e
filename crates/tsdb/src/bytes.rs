//! Numbers as bytes: what all formats of the store are made of.
//!
//! *varint*: seven bits a byte, low ones first. *signed*: zigzag, then varint. *float*: a byte that
//! counts the leading bytes of the big-endian bits up to the last one that is not zero, then these.
//! *text*: its length as a varint, then UTF-8.
//!
//! Small files that are written whole begin with eight bytes of magic and version, and a CRC-32 of the
//! rest (u32, little-endian).

/// The writing end.
pub(crate) trait Put {
    fn put_varint(&mut self, n: u64);
    fn put_signed(&mut self, n: i64);
    fn put_float(&mut self, value: f64);
    fn put_bytes(&mut self, bytes: &[u8]);
}

impl Put for Vec<u8> {
    #[inline]
    fn put_varint(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.push(n as u8 | 0x80);
            n >>= 7;
        }
        self.push(n as u8);
    }

    fn put_signed(&mut self, n: i64) {
        self.put_varint(zigzag(n));
    }

    fn put_float(&mut self, value: f64) {
        let bits = value.to_bits();
        let n_bytes = float_bytes(bits);
        self.push(n_bytes as u8);
        self.extend_from_slice(&bits.to_be_bytes()[..n_bytes]);
    }

    fn put_bytes(&mut self, bytes: &[u8]) {
        self.put_varint(bytes.len() as u64);
        self.extend_from_slice(bytes);
    }
}

/// The reading end. Every method is `None` when the bytes end early or say what cannot be.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[inline]
    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    #[inline]
    pub(crate) fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    #[inline]
    pub(crate) fn varint(&mut self) -> Option<u64> {
        let mut n = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            n |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(n);
            }
        }
        None
    }

    pub(crate) fn signed(&mut self) -> Option<i64> {
        self.varint().map(unzigzag)
    }

    /// A varint that counts things of at least one byte each that follow: more than there are
    /// bytes left cannot be, so that nobody allocates for what never comes.
    pub(crate) fn count(&mut self) -> Option<usize> {
        let n = usize::try_from(self.varint()?).ok()?;
        (n <= self.0.len()).then_some(n)
    }

    pub(crate) fn float(&mut self) -> Option<f64> {
        let n_bytes = self.byte()?;
        self.float_of(usize::from(n_bytes))
    }

    /// The bytes of a *float* whose count is known.
    #[inline]
    pub(crate) fn float_of(&mut self, n_bytes: usize) -> Option<f64> {
        let mut bits = [0; 8];
        bits.get_mut(..n_bytes)?
            .copy_from_slice(self.take(n_bytes)?);
        Some(f64::from_bits(u64::from_be_bytes(bits)))
    }

    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        let n = self.count()?;
        self.take(n)
    }

    pub(crate) fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }
}

/// The content of a small file.
pub(crate) fn with_checksum(magic: [u8; 8], body: &[u8]) -> Vec<u8> {
    let mut content = Vec::with_capacity(body.len() + 12);
    content.extend_from_slice(&magic);
    content.extend_from_slice(&crc32fast::hash(body).to_le_bytes());
    content.extend_from_slice(body);
    content
}

/// What [`with_checksum`] was given; `None` when the content is another file's, or damaged.
pub(crate) fn checked(magic: [u8; 8], content: &[u8]) -> Option<Reader<'_>> {
    let (crc, body) = content.strip_prefix(&magic)?.split_first_chunk::<4>()?;
    (crc32fast::hash(body).to_le_bytes() == *crc).then_some(Reader(body))
}

/// How many bytes a *float* takes behind its count.
#[inline]
pub(crate) fn float_bytes(bits: u64) -> usize {
    8 - (bits.trailing_zeros() / 8) as usize
}

#[inline]
pub(crate) fn zigzag(n: i64) -> u64 {
    ((n << 1) ^ (n >> 63)) as u64
}

#[inline]
pub(crate) fn unzigzag(n: u64) -> i64 {
    (n >> 1) as i64 ^ -((n & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_and_short_input_is_refused() {
        let mut out = Vec::new();
        let signed = [0, 1, -1, 63, -64, i64::MAX, i64::MIN];
        let floats = [
            0.0,
            -0.0,
            1.0,
            12345.0,
            0.1,
            f64::INFINITY,
            f64::MIN_POSITIVE,
        ];
        signed.iter().for_each(|&n| out.put_signed(n));
        floats.iter().for_each(|&value| out.put_float(value));
        out.put_bytes("Σ".as_bytes());
        let mut reader = Reader(&out);
        for n in signed {
            assert_eq!(reader.signed(), Some(n));
        }
        for value in floats {
            assert_eq!(reader.float().map(f64::to_bits), Some(value.to_bits()));
        }
        assert_eq!(reader.text(), Some("Σ"));
        assert!(reader.is_empty());
        assert_eq!(reader.varint(), None);
        assert_eq!(Reader(&[0xff; 12]).varint(), None);
        assert_eq!(Reader(&[9; 12]).float(), None);
        assert_eq!(Reader(&[200, 1, 0]).count(), None);
    }
}
