//! The stream of chunks: frames with a length and a checksum, each a `ChunkedReadResponse`.

use firebell_model::{HistogramSample, Labels, Sample, Timestamp};

use super::{histogram, xor};
use crate::protobuf::Writer;
use crate::row::write_labels;

/// A series of a streamed answer, cut into frames.
#[derive(Clone, Copy, Debug)]
pub struct ChunkedSeries<'s> {
    /// Index of the query in the request.
    pub query: usize,
    /// The labels.
    pub labels: &'s Labels,
    /// Its samples in order.
    pub samples: &'s [Sample],
    /// Its histograms in order; no moment has both.
    pub histograms: &'s [HistogramSample],
}

impl<'s> ChunkedSeries<'s> {
    /// The frames, one after the other, each of little more than a quarter of a mebibyte at most.
    pub fn frames(&self) -> impl Iterator<Item = Vec<u8>> + use<'s> {
        let Self {
            query,
            labels,
            samples,
            histograms,
        } = *self;
        let mut chunks = Chunks {
            samples,
            histograms,
        }
        .peekable();
        std::iter::from_fn(move || {
            chunks.peek()?;
            let message = Writer::of(|response| {
                response.message(1, |series| {
                    write_labels(labels, series);
                    while series.bytes.len() < FRAME_BYTES
                        && let Some(chunk) = chunks.next()
                    {
                        series.blob(2, &chunk);
                    }
                });
                response.varint(2, query as u64);
            });
            Some(framed(&message))
        })
    }
}

/// What is left of a series, cut into chunks in order of time.
struct Chunks<'s> {
    samples: &'s [Sample],
    histograms: &'s [HistogramSample],
}

impl Iterator for Chunks<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let next_sample = self.samples.first().map(|it| it.at);
        let next_histogram = self.histograms.first().map(|it| it.at);
        let is_sample = match (next_sample, next_histogram) {
            (Some(sample), Some(histogram)) => sample < histogram,
            (sample, _) => sample.is_some(),
        };
        if is_sample {
            let until = next_histogram.unwrap_or(Timestamp::MAX);
            let n = self.samples.partition_point(|it| it.at < until);
            let (run, rest) = self.samples.split_at(n.clamp(1, CHUNK_SAMPLES));
            self.samples = rest;
            let ends = (run.first()?.at, run.last()?.at);
            return Some(chunk(ends, XOR, &xor::encode(run)));
        }
        let until = next_sample.unwrap_or(Timestamp::MAX);
        let first = &self.histograms[..self.histograms.len().min(CHUNK_SAMPLES)];
        let n = first
            .partition_point(|it| it.at < until)
            .max(1)
            .min(first.len());
        let n = histogram::run_len(&first[..n]);
        let (run, rest) = self.histograms.split_at(n);
        self.histograms = rest;
        let ends = (run.first()?.at, run.last()?.at);
        Some(chunk(ends, FLOAT_HISTOGRAM, &histogram::encode(run)))
    }
}

/// `Chunk`
fn chunk((first, last): (Timestamp, Timestamp), encoding: u64, data: &[u8]) -> Vec<u8> {
    Writer::of(|chunk| {
        chunk.varint(1, first.0.cast_unsigned());
        chunk.varint(2, last.0.cast_unsigned());
        chunk.varint(3, encoding);
        chunk.blob(4, data);
    })
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
/// A frame that has got so long is sent; readers take frames up to some tens of mebibytes.
const FRAME_BYTES: usize = 1 << 18;
/// `Chunk.Encoding`
const XOR: u64 = 1;
const FLOAT_HISTOGRAM: u64 = 3;

#[cfg(test)]
mod tests {
    use firebell_model::Histogram;

    use super::*;
    use crate::protobuf::Message;

    /// The chunks of a stream: when they begin and end, and what they hold.
    fn chunks(series: &ChunkedSeries<'_>) -> Vec<(i64, i64, u64)> {
        let mut found = Vec::new();
        for frame in series.frames() {
            // The length takes as many bytes as it needs, the checksum four.
            let length = frame.iter().take_while(|byte| **byte >= 0x80).count() + 1;
            let mut response = Message::new(&frame[length + 4..]);
            while let Some((number, value)) = response.next_field().unwrap() {
                let mut series = match number {
                    1 => value.message().unwrap(),
                    _ => continue,
                };
                while let Some((number, value)) = series.next_field().unwrap() {
                    let mut chunk = match number {
                        2 => value.message().unwrap(),
                        _ => continue,
                    };
                    let mut fields = [0; 3];
                    while let Some((number, value)) = chunk.next_field().unwrap() {
                        if let Some(field) = fields.get_mut(number as usize - 1) {
                            *field = value.varint().unwrap();
                        }
                    }
                    let [first, last, encoding] = fields;
                    found.push((first.cast_signed(), last.cast_signed(), encoding));
                }
            }
        }
        found
    }

    #[test]
    fn chunks_of_floats_and_of_histograms_follow_in_order_of_time() {
        let sample = |at| Sample {
            at: Timestamp(at),
            value: 1.0,
        };
        let histogram = |at| HistogramSample {
            at: Timestamp(at),
            histogram: Histogram::default().into(),
        };
        let samples: Vec<_> = (1..=130).chain(200..=201).map(sample).collect();
        let histograms: Vec<_> = (140..=150).chain(210..=340).map(histogram).collect();
        let series = ChunkedSeries {
            query: 0,
            labels: &Labels::from_pairs([("__name__", "a")]),
            samples: &samples,
            histograms: &histograms,
        };
        assert_eq!(
            chunks(&series),
            [
                (1, 120, XOR),
                (121, 130, XOR),
                (140, 150, FLOAT_HISTOGRAM),
                (200, 201, XOR),
                (210, 329, FLOAT_HISTOGRAM),
                (330, 340, FLOAT_HISTOGRAM),
            ]
        );
        let nothing = ChunkedSeries {
            samples: &[],
            histograms: &[],
            ..series
        };
        assert_eq!(nothing.frames().count(), 0);
    }

    #[test]
    fn checksums_are_castagnolis() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }
}
