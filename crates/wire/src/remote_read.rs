//! Prometheus remote read: queries for raw samples, answered whole or as a stream of chunks.
//!
//! *Sources*: Prometheus, `prompb/remote.proto`, `storage/remote/read_handler.go` and `chunked.go`,
//! `tsdb/chunkenc`; Facebook's Gorilla paper for the compression.

mod bits;
mod chunks;
mod histogram;
mod xor;

use firebell_model::{HistogramSample, Labels, MatchOp, Matcher, Sample, TimeRange, Timestamp};

pub use self::chunks::ChunkedSeries;
use crate::protobuf::{Malformed, Message, Writer};
use crate::remote_write::decompress;
use crate::row::Row;

/// What is asked for.
#[derive(Debug)]
pub struct ReadRequest {
    /// The queries; each has a result of its own.
    pub queries: Vec<ReadQuery>,
    /// How the answer may be written.
    pub response: ResponseType,
}

/// One query.
#[derive(Debug)]
pub struct ReadQuery {
    /// Left-open: the first millisecond that is asked for comes after its beginning.
    pub range: TimeRange,
    /// What series must satisfy.
    pub matchers: Vec<Matcher>,
}

/// How an answer is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResponseType {
    /// One message with all samples.
    Samples,
    /// A stream of messages with compressed chunks.
    StreamedChunks,
}

/// A request that cannot be read. The answer is 400.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct ReadError(String);

impl From<Malformed> for ReadError {
    fn from(Malformed(why): Malformed) -> Self {
        Self(format!("failed to read the read request: {why}"))
    }
}

impl ReadRequest {
    /// Reads the body of a request, a snappy block.
    ///
    /// # Errors
    /// When it cannot be read, a matcher is wrong, or no answer of ours is accepted.
    pub fn decode(body: &[u8]) -> Result<Self, ReadError> {
        let bytes = decompress(body, REQUEST_BYTES_MAX);
        let bytes = bytes.map_err(|error| ReadError(error.to_string()))?;
        Self::from_decoded(&bytes)
    }

    /// Reads a request that is not compressed.
    ///
    /// # Errors
    /// As [`ReadRequest::decode`].
    pub fn from_decoded(bytes: &[u8]) -> Result<Self, ReadError> {
        let (mut queries, mut accepted) = (Vec::new(), Vec::new());
        let mut message = Message::new(bytes);
        while let Some((number, value)) = message.next_field()? {
            match number {
                1 if queries.len() == QUERIES_MAX => {
                    return Err(ReadError(format!("more than {QUERIES_MAX} queries")));
                }
                1 => queries.push(read_query(value.message()?)?),
                2 => value.varints(|number| number, &mut accepted)?,
                _ => {}
            }
        }
        let known = accepted.iter().find_map(|number| match number {
            0 => Some(ResponseType::Samples),
            1 => Some(ResponseType::StreamedChunks),
            _ => None,
        });
        let response = match known {
            Some(response) => response,
            None if accepted.is_empty() => ResponseType::Samples,
            None => {
                let why = "server does not support any of the requested response types";
                return Err(ReadError(why.to_owned()));
            }
        };
        Ok(Self { queries, response })
    }
}

fn read_query(mut message: Message<'_>) -> Result<ReadQuery, ReadError> {
    let (mut start, mut end, mut matchers) = (0, 0, Vec::new());
    while let Some((number, value)) = message.next_field()? {
        match number {
            1 => start = value.int()?,
            2 => end = value.int()?,
            3 if matchers.len() == MATCHERS_MAX => {
                return Err(ReadError(format!("more than {MATCHERS_MAX} matchers")));
            }
            3 => matchers.push(read_matcher(value.message()?)?),
            _ => {}
        }
    }
    let range = TimeRange {
        after: Timestamp(start.saturating_sub(1)),
        until: Timestamp(end),
    };
    Ok(ReadQuery { range, matchers })
}

fn read_matcher(mut message: Message<'_>) -> Result<Matcher, ReadError> {
    let (mut kind, mut name, mut text) = (0, "", "");
    while let Some((number, value)) = message.next_field()? {
        match number {
            1 => kind = value.varint()?,
            2 => name = value.text()?,
            3 => text = value.text()?,
            _ => {}
        }
    }
    let op = match kind {
        0 => MatchOp::Equal,
        1 => MatchOp::NotEqual,
        2 => MatchOp::Regex,
        3 => MatchOp::NotRegex,
        _ => return Err(ReadError("invalid matcher type".to_owned())),
    };
    Matcher::new(name, op, text).map_err(|error| ReadError(error.to_string()))
}

/// A `ReadResponse` that is being written.
#[derive(Debug, Default)]
pub struct SamplesWriter {
    response: Writer,
    result: Writer,
}

impl SamplesWriter {
    /// Adds a series to the result of the query at hand. Samples and histograms are in order.
    pub fn series(&mut self, labels: &Labels, samples: &[Sample], histograms: &[HistogramSample]) {
        let row = Row {
            samples,
            histograms,
            ..Row::of(labels)
        };
        self.result.message(1, |series| row.write(series));
    }

    /// Ends the result of the query at hand.
    pub fn end_query(&mut self) {
        let result = std::mem::take(&mut self.result);
        self.response.blob(1, &result.bytes);
    }

    /// The whole message, compressed.
    ///
    /// # Errors
    /// When it is too large to be compressed.
    pub fn finish(self) -> Result<Vec<u8>, ReadError> {
        let compressed = snap::raw::Encoder::new().compress_vec(&self.response.bytes);
        compressed.map_err(|error| ReadError(error.to_string()))
    }
}

/// What a request may decompress to; they are some hundred bytes.
const REQUEST_BYTES_MAX: usize = 1 << 20;
/// Queries of a request; Prometheus sends one.
const QUERIES_MAX: usize = 1000;
/// Matchers of a query.
const MATCHERS_MAX: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    fn request(types: &[u64]) -> Vec<u8> {
        Writer::of(|request| {
            request.message(1, |query| {
                query.varint(1, 1000);
                query.varint(2, 2000);
                query.message(3, |matcher| {
                    matcher.varint(1, 2);
                    matcher.text(2, "job");
                    matcher.text(3, "a|b");
                });
            });
            request.varints(2, types.iter().copied());
        })
    }

    #[test]
    fn the_first_response_type_that_we_know_is_given() {
        for (types, expected) in [
            (&[][..], Some(ResponseType::Samples)),
            (&[1, 0], Some(ResponseType::StreamedChunks)),
            (&[7, 0], Some(ResponseType::Samples)),
            (&[7], None),
        ] {
            let read = ReadRequest::from_decoded(&request(types));
            assert_eq!(read.ok().map(|read| read.response), expected);
        }
    }

    #[test]
    fn the_first_millisecond_is_part_of_the_range() {
        let read = ReadRequest::from_decoded(&request(&[])).unwrap();
        let query = &read.queries[0];
        assert!(query.range.contains(Timestamp(1000)) && query.range.contains(Timestamp(2000)));
        assert!(query.matchers[0].matches_value("b"));
    }
}
