//! A fast hash for labels, the same in every run.

use std::hash::Hasher;

/// Hashes label sets: fast, and the same in every run.
///
/// It has no secret: where someone may choose labels that collide, that has to cost nobody but
/// himself.
///
/// Source: the multiply-and-fold step of wyhash (Wang Yi, public domain).
#[derive(Debug, Default)]
pub struct LabelHasher(u64);

impl LabelHasher {
    #[inline]
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word ^ 0x9e37_79b9_7f4a_7c15)
            .wrapping_mul(0xa076_1d64_78bd_642f_e703_7ed1_a0b4_28db);
        self.0 = product as u64 ^ (product >> 64) as u64;
    }
}

/// At most eight bytes as a number. A short copy of a length that is not known would be a call.
#[inline]
fn little_endian(bytes: &[u8]) -> u64 {
    if let Ok(whole) = bytes.try_into() {
        return u64::from_le_bytes(whole);
    }
    let half = |bytes: &[u8]| bytes.try_into().map_or(0, u32::from_le_bytes);
    match bytes.len() {
        0 => 0,
        // First, middle and last are all there are.
        n @ 1..4 => {
            let at = |idx: usize| u64::from(bytes[idx]) << (8 * idx);
            at(0) | at(n / 2) | at(n - 1)
        }
        n => {
            let (first, last) = (half(&bytes[..4]), half(&bytes[n - 4..]));
            u64::from(first) | u64::from(last) << (8 * (n - 4))
        }
    }
}

impl Hasher for LabelHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            self.mix(little_endian(word));
        }
        // The length keeps apart what zeros would make the same.
        let len = u64::from(bytes.len() as u8) << 56;
        self.mix(little_endian(words.remainder()) | len);
    }

    fn write_u8(&mut self, _: u8) {
        // The end of a string: `write` mixes its length.
    }

    fn write_usize(&mut self, n: usize) {
        self.mix(n as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_words_are_read_as_if_zeros_followed() {
        let text = b"checkout-eu-west-1";
        for len in 0..=text.len() {
            let mut words = [0; 24];
            words[..len].copy_from_slice(&text[..len]);
            let mut expected = LabelHasher::default();
            let word = |at: usize| u64::from_le_bytes(words[at..at + 8].try_into().unwrap());
            (0..len / 8).for_each(|nth| expected.mix(word(8 * nth)));
            expected.mix(word(len / 8 * 8) | (len as u64) << 56);
            let mut found = LabelHasher::default();
            found.write(&text[..len]);
            assert_eq!(found.finish(), expected.finish(), "{len}");
        }
    }
}
