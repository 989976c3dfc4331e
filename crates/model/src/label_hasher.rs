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

impl Hasher for LabelHasher {
    fn write(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            let mut whole = [0; 8];
            whole.copy_from_slice(word);
            self.mix(u64::from_le_bytes(whole));
        }
        let rest = words.remainder();
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        // The length keeps apart what zeros would make the same.
        last[7] = bytes.len() as u8;
        self.mix(u64::from_le_bytes(last));
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
