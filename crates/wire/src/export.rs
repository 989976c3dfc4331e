//! Firebell's own export: all that a store has, in frames of remote write.
//!
//! Eight bytes that name the format and its version, then frames. A frame: the length of what follows
//! the checksum (u32, little-endian), its CRC-32 (u32, little-endian), and a snappy block with a
//! `prometheus.WriteRequest`, as a remote write (version 1) has it: any receiver of remote write could
//! be sent the blocks one by one. A series may come in several frames, in order of time. An empty
//! frame is the end.

use firebell_model::Metadata;

use crate::row::{RequestWriter, Row};

/// What an export begins with.
pub const MAGIC: [u8; 8] = *b"FBEXPT 1";
/// What stands before the block of a frame: see [`frame_head`].
pub const HEAD_BYTES: usize = 8;
/// A frame that says that it is longer is damaged.
pub const FRAME_BYTES_MAX: usize = 64 << 20;

/// Writes an export.
#[derive(Debug, Default)]
pub struct ExportWriter {
    request: RequestWriter,
}

impl ExportWriter {
    /// Adds a series; frames that are full go to `out`.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn series(&mut self, row: &Row<'_>, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        let exemplars = row.exemplars.chunks(SAMPLES_AT_ONCE);
        let samples = row.samples.chunks(SAMPLES_AT_ONCE);
        let histograms = row.histograms.chunks(HISTOGRAMS_AT_ONCE);
        let of = Row::of(row.labels);
        let parts = samples.map(|samples| Row { samples, ..of });
        let parts = parts.chain(histograms.map(|histograms| Row { histograms, ..of }));
        for part in parts.chain(exemplars.map(|exemplars| Row { exemplars, ..of })) {
            self.request.series(&part);
            if self.request.bytes() >= FRAME_BYTES {
                self.end_frame(out)?;
            }
        }
        Ok(())
    }

    /// Says what a metric is.
    pub fn metadata(&mut self, metric: &str, metadata: &Metadata) {
        self.request.metadata(metric, metadata);
    }

    /// Writes what is left, and the end.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn finish(mut self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        if self.request.bytes() > 0 {
            self.end_frame(out)?;
        }
        out.write_all(&[0; HEAD_BYTES])
    }

    fn end_frame(&mut self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        let block = std::mem::take(&mut self.request).finish();
        out.write_all(&(block.len() as u32).to_le_bytes())?;
        out.write_all(&crc32fast::hash(&block).to_le_bytes())?;
        out.write_all(&block)
    }
}

/// What a frame's first bytes say: how long its block is, and the block's checksum.
#[must_use]
pub fn frame_head(head: [u8; HEAD_BYTES]) -> (usize, u32) {
    let [a, b, c, d, e, f, g, h] = head;
    let len = u32::from_le_bytes([a, b, c, d]);
    (len as usize, u32::from_le_bytes([e, f, g, h]))
}

/// Whether a block is what its frame's checksum says.
#[must_use]
pub fn is_whole(block: &[u8], crc: u32) -> bool {
    crc32fast::hash(block) == crc
}

/// So much is gathered before it is compressed.
const FRAME_BYTES: usize = 4 << 20;
const SAMPLES_AT_ONCE: usize = 1 << 16;
/// A histogram of the most buckets that are stored takes half a megabyte.
const HISTOGRAMS_AT_ONCE: usize = 16;
