//! The stream of chunks: frames with a length and a checksum, each a `ChunkedReadResponse`.

use firebell_model::{Labels, Sample};

use super::xor;
use crate::protobuf::Writer;
use crate::row::write_labels;

/// A series of a streamed answer, cut into frames.
#[derive(Clone, Copy, Debug)]
pub struct ChunkedSeries<'s> {
    /// Index of the query in the request.
    pub query: usize,
    /// The labels.
    pub labels: &'s Labels,
    /// Its samples in order; at least one.
    pub samples: &'s [Sample],
}

impl ChunkedSeries<'_> {
    /// The frames, one after the other, each of half a mebibyte at most.
    pub fn frames(&self) -> impl Iterator<Item = Vec<u8>> {
        // An encoded sample takes 20 bytes at most, most often two.
        let per_frame = self.samples.chunks(CHUNK_SAMPLES * FRAME_CHUNKS);
        per_frame.map(|samples| {
            let message = Writer::of(|response| {
                response.message(1, |series| {
                    write_labels(self.labels, series);
                    for samples in samples.chunks(CHUNK_SAMPLES) {
                        series.message(2, |chunk| write_chunk(samples, chunk));
                    }
                });
                response.varint(2, self.query as u64);
            });
            framed(&message)
        })
    }
}

fn write_chunk(samples: &[Sample], chunk: &mut Writer) {
    let at = |sample: Option<&Sample>| sample.map_or(0, |sample| sample.at.0.cast_unsigned());
    chunk.varint(1, at(samples.first()));
    chunk.varint(2, at(samples.last()));
    chunk.varint(3, XOR);
    chunk.blob(4, &xor::encode(samples));
}

fn framed(message: &[u8]) -> Vec<u8> {
    let mut frame = Writer::default();
    frame.raw(message.len() as u64);
    frame.bytes.extend(crc32c(message).to_be_bytes());
    frame.bytes.extend(message);
    frame.bytes
}

/// CRC-32 with Castagnoli's polynomial.
fn crc32c(bytes: &[u8]) -> u32 {
    let update = |crc: u32, byte: &u8| CRC_TABLE[(crc as u8 ^ byte) as usize] ^ (crc >> 8);
    !bytes.iter().fold(!0, update)
}

const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ (0x82f6_3b78 * (crc & 1));
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

/// Samples of a chunk, as upstream's.
const CHUNK_SAMPLES: usize = 120;
/// Chunks of a frame: at most half a mebibyte; readers take frames up to some tens of mebibytes.
const FRAME_CHUNKS: usize = 200;
/// `Chunk.Encoding`
const XOR: u64 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_castagnolis() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }
}
