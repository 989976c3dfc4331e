//! Bits, high ones first, and the integers that Prometheus's chunks are made of.
//!
//! *Sources*: Prometheus, `tsdb/chunkenc/bstream.go`, `varbit.go`, `xor.go` (formats).

/// A reading place in a stream of bits. Every method is `None` when the stream ends early.
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    /// In bits.
    at: usize,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next bits at the high end of a word, zeros behind the last: at least 57 are there.
    #[inline]
    fn peek(&self) -> u64 {
        let rest = self.bytes.get(self.at / 8..).unwrap_or(&[]);
        let word = if let Some(word) = rest.first_chunk::<8>() {
            u64::from_be_bytes(*word)
        } else {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            u64::from_be_bytes(word)
        };
        word << (self.at % 8)
    }

    #[inline]
    fn skip(&mut self, n: usize) -> Option<()> {
        self.at += n;
        (self.at <= self.bytes.len() * 8).then_some(())
    }

    /// Up to 64 bits as a number.
    #[inline]
    pub(super) fn take(&mut self, n: u32) -> Option<u64> {
        match n {
            0 => Some(0),
            1..=57 => {
                let value = self.peek() >> (64 - n);
                self.skip(n as usize)?;
                Some(value)
            }
            _ => {
                let high = self.take(n - 32)?;
                Some(high << 32 | self.take(32)?)
            }
        }
    }

    /// How many ones come before the next zero, at most `max`; the zero is taken too.
    #[inline]
    pub(super) fn ones(&mut self, max: u32) -> Option<u32> {
        let n = self.peek().leading_ones().min(max);
        self.skip((n + u32::from(n < max)) as usize)?;
        Some(n)
    }

    /// A number of `n` bits that says by its size whether it is negative.
    #[inline]
    pub(super) fn signed(&mut self, n: u32) -> Option<i64> {
        let value = self.take(n)?;
        if n < 64 && value > 1 << (n - 1) {
            return Some(value.wrapping_sub(1 << n) as i64);
        }
        Some(value as i64)
    }

    #[inline]
    pub(super) fn float(&mut self) -> Option<f64> {
        self.take(64).map(f64::from_bits)
    }

    /// A whole number whose length a run of ones tells.
    #[inline]
    pub(super) fn varbit_uint(&mut self) -> Option<u64> {
        let n = VARBIT_WIDTHS[self.ones(8)? as usize];
        self.take(n)
    }

    /// The same with a sign.
    #[inline]
    pub(super) fn varbit_int(&mut self) -> Option<i64> {
        match VARBIT_WIDTHS[self.ones(8)? as usize] {
            0 => Some(0),
            n => self.signed(n),
        }
    }

    /// Go's `binary.ReadUvarint`, byte by byte wherever the stream stands.
    pub(super) fn uvarint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..70).step_by(7) {
            let byte = self.take(8)?;
            value |= (byte & 0x7f).checked_shl(shift)?;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    /// Go's `binary.ReadVarint`.
    pub(super) fn varint(&mut self) -> Option<i64> {
        self.uvarint().map(unzigzag)
    }
}

/// A float that is stored as what differs from the one before.
#[derive(Clone, Copy, Default)]
pub(super) struct XorFloat {
    pub(super) value: f64,
    leading: u32,
    trailing: u32,
}

impl XorFloat {
    pub(super) fn first(value: f64) -> Self {
        Self {
            value,
            ..Self::default()
        }
    }

    /// Moves on to the next value.
    #[inline]
    pub(super) fn next(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        let n_ones = bits.ones(2)?;
        if n_ones == 0 {
            return Some(());
        }
        if n_ones == 2 {
            let head = bits.take(11)? as u32;
            let n_bits = match head & 0x3f {
                0 => 64,
                n_bits => n_bits,
            };
            self.leading = head >> 6;
            self.trailing = 64_u32.checked_sub(self.leading + n_bits)?;
        }
        let n_bits = 64 - self.leading - self.trailing;
        let differs = bits.take(n_bits)? << self.trailing;
        self.value = f64::from_bits(self.value.to_bits() ^ differs);
        Some(())
    }
}

#[inline]
pub(super) fn unzigzag(n: u64) -> i64 {
    (n >> 1) as i64 ^ -((n & 1) as i64)
}

/// By the number of ones before.
const VARBIT_WIDTHS: [u32; 9] = [0, 3, 6, 9, 12, 18, 25, 56, 64];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_taken_over_the_borders_of_bytes_and_not_past_the_end() {
        let mut bits = Bits::new(&[0b1010_1111, 0b0101_0101, 0xff]);
        assert_eq!(bits.ones(8), Some(1));
        assert_eq!(bits.take(3), Some(0b101));
        assert_eq!(bits.take(7), Some(0b111_0101));
        assert_eq!(bits.signed(4), Some(5));
        assert_eq!(bits.signed(4), Some(-1));
        assert_eq!(bits.take(4), Some(0b1111));
        assert_eq!(bits.take(1), None);
        let mut bits = Bits::new(&[0xff; 9]);
        assert_eq!(bits.varbit_uint(), Some(u64::MAX));
        assert_eq!(bits.varbit_uint(), None);
        assert_eq!(Bits::new(&[0x80; 20]).uvarint(), None);
    }
}
