//! Where the next good frame begins behind a bad one.
//!
//! Any byte may begin it. The sum over what would be its payload is made of sums from the beginning of
//! the segment on, so that each place costs about as much, however long a frame is said to be there.

use crc32fast::Hasher;

use super::{FRAME_BYTES_MAX, HEAD_BYTES, frame_at};

/// What comes behind a bad frame.
pub(super) enum Next {
    /// A good one begins here.
    Frame(usize),
    /// None.
    End,
    /// To find out would take too long.
    Unknown,
}

/// Looks for frames in one segment.
pub(super) struct Search<'c> {
    content: &'c [u8],
    /// Of the content up to each [`BLOCK`].
    sums: Vec<u32>,
    /// So many places are looked at more closely, at most.
    n_left: u32,
}

impl<'c> Search<'c> {
    pub(super) fn new(content: &'c [u8]) -> Self {
        Self {
            content,
            sums: Vec::new(),
            n_left: PLACES_MAX,
        }
    }

    /// What comes behind the bad frame that begins here.
    pub(super) fn behind(&mut self, bad: usize) -> Next {
        let Some(len) = self.len_at(bad) else {
            return Next::End;
        };
        // Most often the length is right, and what is damaged is the payload.
        let claimed = bad.saturating_add(HEAD_BYTES + len);
        if frame_at(self.content, claimed).is_some() {
            return Next::Frame(claimed);
        }
        for at in bad + 1..self.content.len() {
            let Some(len) = self.len_at(at) else {
                return Next::End;
            };
            if len > FRAME_BYTES_MAX || !self.may_end(at + HEAD_BYTES + len) {
                continue;
            }
            let Some(left) = self.n_left.checked_sub(1) else {
                return Next::Unknown;
            };
            self.n_left = left;
            if self.is_frame(at, len) {
                return Next::Frame(at);
            }
        }
        Next::End
    }

    /// The length that a frame says that it has; `None` where no frame can begin.
    fn len_at(&self, at: usize) -> Option<usize> {
        let len = self.content.get(at..at + HEAD_BYTES)?.first_chunk()?;
        Some(u32::from_le_bytes(*len) as usize)
    }

    /// Whether a frame may end here: the segment ends too, in the middle of a head perhaps, or another
    /// frame begins.
    fn may_end(&self, at: usize) -> bool {
        let len = self.len_at(at);
        at <= self.content.len() && len.is_none_or(|len| len <= FRAME_BYTES_MAX)
    }

    /// Whether the frame of this length, which is all there, is good.
    fn is_frame(&mut self, at: usize, len: usize) -> bool {
        if self.sums.is_empty() {
            self.sum_up();
        }
        let (head, start) = (&self.content[at..at + HEAD_BYTES], at + HEAD_BYTES);
        let end = start + len;
        // Sums of what comes behind one another are those of the first, moved on by the length of the
        // second, and of the second, added: so what is before the payload is taken off, and the length
        // put in its place.
        let before = crc32fast::hash(&head[..4]) ^ self.sum_until(start);
        let mut moved = Hasher::new_with_initial_len(before, start as u64);
        moved.combine(&Hasher::new_with_initial_len(0, len as u64));
        (self.sum_until(end) ^ moved.finalize()).to_le_bytes() == head[4..]
    }

    fn sum_up(&mut self) {
        let mut sum = Hasher::new();
        self.sums.push(0);
        for block in self.content.chunks_exact(BLOCK) {
            sum.update(block);
            self.sums.push(sum.clone().finalize());
        }
    }

    fn sum_until(&self, at: usize) -> u32 {
        let idx = at / BLOCK;
        let mut sum = Hasher::new_with_initial(self.sums[idx]);
        sum.update(&self.content[idx * BLOCK..at]);
        sum.finalize()
    }
}

const BLOCK: usize = 4096;
/// About two microseconds each.
const PLACES_MAX: u32 = 1 << 19;

#[cfg(test)]
mod tests {
    use super::super::frame_head;
    use super::*;

    #[test]
    fn sums_of_parts_are_those_of_the_frame() {
        let noise = |n: usize| (n.wrapping_mul(2_654_435_761) >> 13) as u8;
        let mut content: Vec<u8> = (0..3 * BLOCK).map(noise).collect();
        for len in [0, 1, 7, 100, BLOCK - 8, BLOCK, BLOCK + 1, 3 * BLOCK + 5] {
            for behind in [0, 1, BLOCK] {
                let payload: Vec<u8> = (0..len).map(|n| noise(n + 77)).collect();
                let at = content.len();
                content.extend(frame_head(&payload));
                content.extend(&payload);
                content.extend((0..behind).map(noise));
                assert!(Search::new(&content).is_frame(at, len), "{at} {len}");
                let last = content.len() - behind - 1;
                content[last] ^= 1;
                assert!(!Search::new(&content).is_frame(at, len), "{at} {len}");
                content[last] ^= 1;
                content[at - 1] ^= 1;
                assert!(Search::new(&content).is_frame(at, len), "{at} {len}");
            }
        }
    }
}
