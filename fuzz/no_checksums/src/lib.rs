//! `crc32fast` for which every text has the same checksum.

/// The checksum of anything.
pub fn hash(_: &[u8]) -> u32 {
    0
}

/// Computes the checksum of anything.
#[derive(Clone, Debug, Default)]
pub struct Hasher;

impl Hasher {
    /// Begins.
    pub fn new() -> Self {
        Self
    }

    /// Goes on from a checksum.
    pub fn new_with_initial(_: u32) -> Self {
        Self
    }

    /// Goes on from the checksum of so many bytes.
    pub fn new_with_initial_len(_: u32, _: u64) -> Self {
        Self
    }

    /// Passes over bytes.
    pub fn update(&mut self, _: &[u8]) {}

    /// Begins anew.
    pub fn reset(&mut self) {}

    /// Passes over what another has seen.
    pub fn combine(&mut self, _: &Self) {}

    /// The checksum.
    pub fn finalize(self) -> u32 {
        0
    }
}
