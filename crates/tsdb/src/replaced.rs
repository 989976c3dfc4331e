//! Which files a file takes the place of.
//!
//! `NNNNNNNN.over`, beside a file of chunks or of histograms: nothing, or 8 bytes of magic and version, a
//! CRC-32 of the rest (u32, little-endian) and the numbers of files, varints up to the end. As soon as
//! the file is finished, those are no part of the store any more.

use std::collections::BTreeSet;

use firebell_disk::Disk;

use crate::bytes::{Put, Reader};
use crate::options::StoreError;

/// The content of the file.
pub(crate) fn content(numbers: &[u64]) -> Vec<u8> {
    if numbers.is_empty() {
        return Vec::new();
    }
    let mut body = Vec::new();
    numbers.iter().for_each(|&number| body.put_varint(number));
    let mut content = MAGIC.to_vec();
    content.extend_from_slice(&crc32fast::hash(&body).to_le_bytes());
    content.extend_from_slice(&body);
    content
}

/// The files that these files, which are finished, take the place of.
pub(crate) fn read(
    disk: &dyn Disk,
    paths: impl Iterator<Item = String>,
    damage: &mut Vec<String>,
) -> Result<BTreeSet<u64>, StoreError> {
    let mut all = BTreeSet::new();
    for path in paths {
        let content = disk.read(&path)?;
        if content.is_empty() {
            continue;
        }
        match numbers(&content) {
            Some(numbers) => all.extend(numbers),
            None => damage.push(format!(
                "`{path}` is damaged: it is not known what it replaces"
            )),
        }
    }
    Ok(all)
}

fn numbers(content: &[u8]) -> Option<Vec<u64>> {
    let (crc, body) = content.strip_prefix(&MAGIC)?.split_first_chunk::<4>()?;
    if crc32fast::hash(body).to_le_bytes() != *crc {
        return None;
    }
    let (mut reader, mut numbers) = (Reader(body), Vec::new());
    while !reader.is_empty() {
        numbers.push(reader.varint()?);
    }
    Some(numbers)
}

const MAGIC: [u8; 8] = *b"FBOVER 1";
