//! What a file is known by in the journal: all of its bytes.
//!
//! Its ends alone would not do: a line that is mended in place changes neither them nor the length.

use firebell_disk::Disk;

/// A file, as far as has to be known before it is read.
pub(crate) struct Content {
    pub(crate) head: Vec<u8>,
    pub(crate) tail: Vec<u8>,
    /// FNV-1a of all bytes.
    pub(crate) hash: u64,
}

impl Content {
    /// Reads all of a file, which has `len` bytes. The error says why it cannot be read.
    pub(crate) fn of(disk: &dyn Disk, path: &str, len: u64) -> Result<Self, String> {
        let read = |at, n_bytes| {
            let bytes = disk.read_at(path, at, n_bytes);
            bytes.map_err(|error| error.why)
        };
        let (mut at, mut hash) = (0, FNV_BASIS);
        while at < len {
            let piece = read(at, PIECE_BYTES)?;
            if piece.is_empty() {
                break;
            }
            hash = fnv(hash, &piece);
            at += piece.len() as u64;
        }
        Ok(Self {
            head: read(0, ENDS_BYTES)?,
            tail: read(len.saturating_sub(ENDS_BYTES as u64), ENDS_BYTES)?,
            hash,
        })
    }
}

/// The hash of all bytes.
pub(crate) fn hash_of(bytes: &[u8]) -> u64 {
    fnv(FNV_BASIS, bytes)
}

fn fnv(hash: u64, bytes: &[u8]) -> u64 {
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    bytes.iter().fold(hash, mix)
}

const FNV_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PIECE_BYTES: usize = 1 << 20;
const ENDS_BYTES: usize = 4096;
