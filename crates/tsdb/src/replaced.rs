//! Which files a file takes the place of.
//!
//! `NNNNNNNN.over`, beside a file of chunks or of histograms: nothing, or magic and CRC-32 (see `bytes`)
//! and the numbers of files, varints up to the end. As soon as the file is finished, those are no part
//! of the store any more.

use std::collections::BTreeSet;

use firebell_disk::Disk;

use crate::bytes::{Put, checked, with_checksum};
use crate::options::StoreError;

/// The content of the file.
pub(crate) fn content(numbers: &[u64]) -> Vec<u8> {
    if numbers.is_empty() {
        return Vec::new();
    }
    let mut body = Vec::new();
    numbers.iter().for_each(|&number| body.put_varint(number));
    with_checksum(MAGIC, &body)
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
    let (mut reader, mut numbers) = (checked(MAGIC, content)?, Vec::new());
    while !reader.is_empty() {
        numbers.push(reader.varint()?);
    }
    Some(numbers)
}

const MAGIC: [u8; 8] = *b"FBOVER 1";
