//! Prometheus remote write 1: a snappy block with a protobuf message of series and samples.
//!
//! *Invariants*: label names and values are borrowed from the body; one series is held at a time.
//! What comes in is malformed as a whole ([`RemoteWriteError`], nothing of it may be stored) or bad
//! in single series ([`InvalidSeries`], the others are fine).
//!
//! *Sources*: the remote write 1.0 specification; Prometheus, `storage/remote/write_handler.go` and
//! `prompb/types.proto`.

use firebell_model::{Labels, METRIC_NAME, Sample, Timestamp};

use crate::protobuf::{Malformed, Message, Value};

/// A body that cannot be read. The answer is 400, and the sender must not try again.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RemoteWriteError {
    /// The body is no snappy block.
    #[error("failed to decompress the body: {0}")]
    Snappy(String),
    /// The block decompresses to more than the limit. The answer is 413.
    #[error("the body decompresses to {bytes} bytes, more than the {bytes_max} allowed")]
    TooLarge {
        /// What the block says of itself.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// The block holds no `WriteRequest`.
    #[error("failed to read the write request: {0}")]
    Protobuf(String),
}

/// A series that must not be stored, in a body that is fine otherwise.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("series `{series}`: {why}")]
pub struct InvalidSeries {
    /// The labels as they came, such as `up{job="db"}`.
    pub series: String,
    /// What is wrong with them.
    pub why: String,
}

/// The body of a write request, decompressed.
#[derive(Debug)]
pub struct WriteRequest {
    bytes: Vec<u8>,
}

impl WriteRequest {
    /// Decompresses a body of at most `bytes_max` bytes (see [`DECODED_BYTES_MAX`]).
    ///
    /// # Errors
    /// When the body is no snappy block, or is too large. Nothing is allocated before the size is
    /// known to fit.
    pub fn decode(body: &[u8], bytes_max: usize) -> Result<Self, RemoteWriteError> {
        let snappy = |error: snap::Error| RemoteWriteError::Snappy(error.to_string());
        let bytes = snap::raw::decompress_len(body).map_err(snappy)?;
        if bytes > bytes_max {
            let (bytes, bytes_max) = (bytes as u64, bytes_max as u64);
            return Err(RemoteWriteError::TooLarge { bytes, bytes_max });
        }
        let bytes = snap::raw::Decoder::new()
            .decompress_vec(body)
            .map_err(snappy)?;
        Ok(Self { bytes })
    }

    /// A request that is not compressed.
    #[must_use]
    pub fn from_decoded(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    /// Begins to read the series.
    #[must_use]
    pub fn series(&self) -> SeriesReader<'_> {
        SeriesReader {
            message: Message::new(&self.bytes),
            labels: Vec::new(),
            samples: Vec::new(),
        }
    }
}

/// Reads a request series by series: `while let Some(series) = reader.next_series()? { … }`.
#[derive(Debug)]
pub struct SeriesReader<'a> {
    message: Message<'a>,
    // Kept between series, so that a series costs no allocation.
    labels: Vec<(&'a str, &'a str)>,
    samples: Vec<Sample>,
}

/// One series with its samples.
#[derive(Debug)]
pub struct WrittenSeries<'r, 'a> {
    /// The labels as they came.
    pub pairs: &'r [(&'a str, &'a str)],
    /// The samples as they came, stale markers included.
    pub samples: &'r [Sample],
    /// How many native histograms came besides; they are not kept yet.
    pub n_histograms: usize,
    /// How many exemplars came besides; they are not kept.
    pub n_exemplars: usize,
}

impl<'a> SeriesReader<'a> {
    /// The next series; `None` at the end. Metadata is passed over.
    ///
    /// # Errors
    /// When the request is malformed; a caller that wants nothing of it stored collects first.
    pub fn next_series(&mut self) -> Result<Option<WrittenSeries<'_, 'a>>, RemoteWriteError> {
        self.read()
            .map_err(|Malformed(why)| RemoteWriteError::Protobuf(why.to_owned()))
    }

    fn read(&mut self) -> Result<Option<WrittenSeries<'_, 'a>>, Malformed> {
        while let Some((number, value)) = self.message.next_field()? {
            let Value::Bytes(bytes) = value else {
                continue;
            };
            if number != TIMESERIES {
                continue;
            }
            self.labels.clear();
            self.samples.clear();
            let (mut n_histograms, mut n_exemplars) = (0, 0);
            let mut series = Message::new(bytes);
            while let Some((number, value)) = series.next_field()? {
                match (number, value) {
                    (1, Value::Bytes(label)) => self.labels.push(read_label(label)?),
                    (2, Value::Bytes(sample)) => self.samples.push(read_sample(sample)?),
                    (3, Value::Bytes(_)) => n_exemplars += 1,
                    (4, Value::Bytes(_)) => n_histograms += 1,
                    (1..=4, _) => return Err(Malformed("a field of a series is no message")),
                    _ => {}
                }
            }
            return Ok(Some(WrittenSeries {
                pairs: &self.labels,
                samples: &self.samples,
                n_histograms,
                n_exemplars,
            }));
        }
        Ok(None)
    }
}

impl WrittenSeries<'_, '_> {
    /// The checked labels. The order in which they came does not matter, as upstream.
    ///
    /// # Errors
    /// When there is no metric name, a name is empty or occurs twice, or there are too many.
    pub fn labels(&self) -> Result<Labels, InvalidSeries> {
        if self.pairs.len() > LABELS_MAX {
            let why = format!("more than {LABELS_MAX} labels");
            return Err(self.invalid(why));
        }
        let mut names: Vec<_> = self.pairs.iter().map(|(name, _)| *name).collect();
        if !names.is_sorted() {
            names.sort_unstable();
        }
        if names.first() == Some(&"") {
            return Err(self.invalid("a label has an empty name".to_owned()));
        }
        if let Some(twice) = names.windows(2).find(|two| two[0] == two[1]) {
            return Err(self.invalid(format!("label name `{}` occurs twice", twice[0])));
        }
        let labels = Labels::from_pairs(self.pairs.iter().copied());
        if labels.metric_name().is_empty() {
            return Err(self.invalid("it has no metric name".to_owned()));
        }
        Ok(labels)
    }

    #[cold]
    fn invalid(&self, why: String) -> InvalidSeries {
        let mut text = String::new();
        let name = self.pairs.iter().find(|pair| pair.0 == METRIC_NAME);
        text.push_str(name.map_or("", |pair| pair.1));
        let pairs: Vec<_> = self
            .pairs
            .iter()
            .filter(|pair| pair.0 != METRIC_NAME)
            .take(SHOWN_LABELS_MAX)
            .map(|(name, value)| format!("{name}={value:?}"))
            .collect();
        let more = if self.pairs.len() > SHOWN_LABELS_MAX {
            ", …"
        } else {
            ""
        };
        text.push_str(&format!("{{{}{more}}}", pairs.join(", ")));
        InvalidSeries { series: text, why }
    }
}

fn read_label(bytes: &[u8]) -> Result<(&str, &str), Malformed> {
    let (mut name, mut value) = ("", "");
    let mut message = Message::new(bytes);
    while let Some((number, field)) = message.next_field()? {
        let text = match (number, field) {
            (1, Value::Bytes(_)) => &mut name,
            (2, Value::Bytes(_)) => &mut value,
            (1 | 2, _) => return Err(Malformed("a label is no text")),
            _ => continue,
        };
        if let Value::Bytes(bytes) = field {
            let utf8 = std::str::from_utf8(bytes);
            *text = utf8.map_err(|_| Malformed("a label is not valid UTF-8"))?;
        }
    }
    Ok((name, value))
}

fn read_sample(bytes: &[u8]) -> Result<Sample, Malformed> {
    let mut sample = Sample {
        at: Timestamp(0),
        value: 0.0,
    };
    let mut message = Message::new(bytes);
    while let Some((number, field)) = message.next_field()? {
        match (number, field) {
            (1, Value::Fixed64(bits)) => sample.value = f64::from_bits(bits),
            (2, Value::Varint(millis)) => sample.at = Timestamp(millis.cast_signed()),
            (1 | 2, _) => return Err(Malformed("a sample's value or time has a wrong type")),
            _ => {}
        }
    }
    Ok(sample)
}

/// What a request may decompress to unless configured otherwise: 64 MiB.
pub const DECODED_BYTES_MAX: usize = 64 << 20;
/// How many labels a series may have; one with more is invalid.
pub const LABELS_MAX: usize = 512;
/// How many labels an error shows.
const SHOWN_LABELS_MAX: usize = 16;
/// Field number of `WriteRequest.timeseries`.
const TIMESERIES: u64 = 1;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn field(number: u8, bytes: &[u8], out: &mut Vec<u8>) {
        out.push(number << 3 | 2);
        out.push(u8::try_from(bytes.len()).unwrap());
        out.extend(bytes);
    }

    fn series(labels: &[(&str, &str)], samples: &[(i64, f64)]) -> Vec<u8> {
        let mut out = Vec::new();
        for (name, value) in labels {
            let mut label = Vec::new();
            field(1, name.as_bytes(), &mut label);
            field(2, value.as_bytes(), &mut label);
            field(1, &label, &mut out);
        }
        for (at, value) in samples {
            let mut sample = vec![0x09];
            sample.extend(value.to_bits().to_le_bytes());
            sample.push(0x10);
            sample.push(u8::try_from(*at).unwrap());
            field(2, &sample, &mut out);
        }
        out
    }

    fn read(body: &[u8]) -> Result<Vec<String>, RemoteWriteError> {
        let request = WriteRequest::decode(body, 10_000)?;
        let mut reader = request.series();
        let mut lines = Vec::new();
        while let Some(series) = reader.next_series()? {
            let (histograms, samples) = (series.n_histograms, series.samples);
            lines.push(match series.labels() {
                Ok(labels) => format!("{labels} {samples:?} {histograms}"),
                Err(invalid) => invalid.to_string(),
            });
        }
        Ok(lines)
    }

    fn compressed(bytes: &[u8]) -> Vec<u8> {
        snap::raw::Encoder::new().compress_vec(bytes).unwrap()
    }

    #[test]
    fn series_come_one_by_one_and_bad_ones_do_not_hide_good_ones() {
        let mut body = Vec::new();
        let mut first = series(&[("job", "db"), ("__name__", "up")], &[(5, 1.5)]);
        field(4, b"", &mut first);
        field(1, &first, &mut body);
        field(3, b"metadata", &mut body);
        for labels in [
            &[("__name__", "x"), ("a", "1"), ("a", "2")][..],
            &[("job", "x")],
            &[("__name__", "x"), ("", "1")],
            &[("__name__", "y"), ("a.b", "")],
        ] {
            field(1, &series(labels, &[]), &mut body);
        }
        assert_eq!(
            read(&compressed(&body)).unwrap(),
            [
                "up{job=\"db\"} [Sample { at: Timestamp(5), value: 1.5 }] 1",
                "series `x{a=\"1\", a=\"2\"}`: label name `a` occurs twice",
                "series `{job=\"x\"}`: it has no metric name",
                "series `x{=\"1\"}`: a label has an empty name",
                "y [] 0",
            ]
        );
    }

    #[test]
    fn a_malformed_body_says_what_is_wrong() {
        let mut not_text = Vec::new();
        field(1, &[0x0a, 3, 0x0a, 1, 0xff], &mut not_text);
        for (body, expected) in [
            (vec![0xff; 3], "failed to decompress the body: snappy: "),
            (
                compressed(&[0; 10_001]),
                "the body decompresses to 10001 bytes, more than the 10000",
            ),
            (
                compressed(&[0x0a, 9, 1]),
                "failed to read the write request: it ends in the middle",
            ),
            (
                compressed(&not_text),
                "failed to read the write request: a label is not valid UTF-8",
            ),
        ] {
            let message = read(&body).unwrap_err().to_string();
            assert!(message.starts_with(expected), "{message}");
        }
    }
}
