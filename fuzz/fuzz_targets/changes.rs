//! Files that are right but for some bytes: the first byte of an input chooses a file, then each
//! three are a place and what stands there. An odd byte at the end cuts the file.

/// The index of the chosen file and its changed content.
pub(crate) fn changed(files: &[(String, Vec<u8>)], input: &[u8]) -> Option<(usize, Vec<u8>)> {
    let (&choice, edits) = input.split_first()?;
    let chosen = usize::from(choice) % files.len();
    let mut content = files[chosen].1.clone();
    let (edits, rest) = edits.as_chunks::<3>();
    for &[low, high, byte] in edits {
        let place = usize::from(u16::from_le_bytes([low, high]));
        let len = content.len().max(1);
        if let Some(old) = content.get_mut(place % len) {
            *old = byte;
        }
    }
    if let [cut] = rest {
        content.truncate(content.len() * usize::from(*cut) / 256);
    }
    Some((chosen, content))
}
