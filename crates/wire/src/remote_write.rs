//! Prometheus remote write 1: a snappy block with a protobuf message of series and samples.
//!
//! *Invariants*: label names and values are borrowed from the body; one series is held at a time.
//! What comes in is malformed as a whole ([`RemoteWriteError`], nothing of it may be stored) or bad
//! in single series ([`InvalidSeries`], the others are fine).
//!
//! *Sources*: the remote write 1.0 specification; Prometheus, `storage/remote/write_handler.go` and
//! `prompb/types.proto`.

use firebell_model::{
    Exemplar, HistogramSample, Labels, METRIC_NAME, Metadata, MetricKind, Sample, Timestamp,
};

use crate::histogram::read_histogram;
use crate::protobuf::{Malformed, Message, Value};

/// Which message a body holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WriteVersion {
    /// `prometheus.WriteRequest`.
    One,
    /// `io.prometheus.write.v2.Request`.
    Two,
}

impl WriteVersion {
    /// The version that a `Content-Type` names; old senders name none. `None` for what is neither.
    #[must_use]
    pub fn of_content_type(header: &str) -> Option<Self> {
        let mut parts = header.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default();
        if !media_type.is_empty() && !media_type.eq_ignore_ascii_case("application/x-protobuf") {
            return None;
        }
        let proto = parts.find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim()
                .eq_ignore_ascii_case("proto")
                .then(|| value.trim().trim_matches('"'))
        });
        match proto {
            None | Some("prometheus.WriteRequest") => Some(Self::One),
            Some("io.prometheus.write.v2.Request") => Some(Self::Two),
            Some(_) => None,
        }
    }
}

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

/// The body of a write request of either version, decompressed.
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
        let bytes = decompress(body, bytes_max)?;
        Ok(Self { bytes })
    }

    /// A request that is not compressed.
    #[must_use]
    pub fn from_decoded(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    pub(crate) fn message(&self) -> Message<'_> {
        Message::new(&self.bytes)
    }

    /// Begins to read the series of version 1.
    #[must_use]
    pub fn series(&self) -> SeriesReader<'_> {
        SeriesReader {
            message: self.message(),
            series: SeriesParts::default(),
            metadata: Vec::new(),
        }
    }
}

/// Decompresses a snappy block, if it fits.
pub(crate) fn decompress(body: &[u8], bytes_max: usize) -> Result<Vec<u8>, RemoteWriteError> {
    let snappy = |error: snap::Error| RemoteWriteError::Snappy(error.to_string());
    let bytes = snap::raw::decompress_len(body).map_err(snappy)?;
    if bytes > bytes_max {
        let (bytes, bytes_max) = (bytes as u64, bytes_max as u64);
        return Err(RemoteWriteError::TooLarge { bytes, bytes_max });
    }
    // No snappy block expands more than so: its longest copies are 64 bytes, written as three.
    if bytes > body.len().saturating_mul(SNAPPY_EXPANSION_MAX) {
        let why = "snappy: the block says that it is larger than it can be";
        return Err(RemoteWriteError::Snappy(why.to_owned()));
    }
    snap::raw::Decoder::new()
        .decompress_vec(body)
        .map_err(snappy)
}

/// Reads a request series by series: `while let Some(series) = reader.next_series()? { … }`.
#[derive(Debug)]
pub struct SeriesReader<'a> {
    message: Message<'a>,
    series: SeriesParts<'a>,
    metadata: Vec<(&'a str, Metadata)>,
}

/// What a series has, kept between series, so that a series costs no allocation.
#[derive(Debug, Default)]
pub(crate) struct SeriesParts<'a> {
    pub(crate) labels: Vec<(&'a str, &'a str)>,
    pub(crate) samples: Vec<Sample>,
    pub(crate) histograms: Vec<HistogramSample>,
    pub(crate) invalid: Vec<String>,
    pub(crate) exemplars: Vec<Exemplar>,
    pub(crate) metadata: Option<Metadata>,
    pub(crate) created: Option<Timestamp>,
    /// This one included.
    n_series: usize,
    /// Of the series before.
    n_samples: usize,
    n_others: usize,
    /// Of all native histograms.
    n_buckets: usize,
}

/// One series with its samples.
#[derive(Debug)]
pub struct WrittenSeries<'r, 'a> {
    /// The labels as they came.
    pub pairs: &'r [(&'a str, &'a str)],
    /// The samples as they came, stale markers included.
    pub samples: &'r [Sample],
    /// The native histograms, stale markers included.
    pub histograms: &'r [HistogramSample],
    /// Why other native histograms must not be stored, one by one.
    pub invalid_histograms: &'r [String],
    /// The exemplars.
    pub exemplars: &'r [Exemplar],
    /// What remote write 2 says of the metric.
    pub metadata: Option<&'r Metadata>,
    /// When the series began, if remote write 2 says so.
    pub created: Option<Timestamp>,
}

impl<'a> SeriesReader<'a> {
    /// The next series; `None` at the end.
    ///
    /// # Errors
    /// When the request is malformed; a caller that wants nothing of it stored collects first.
    pub fn next_series(&mut self) -> Result<Option<WrittenSeries<'_, 'a>>, RemoteWriteError> {
        Ok(self.read()?)
    }

    /// Names of metrics and what they are, as far as the request was read.
    #[must_use]
    pub fn metadata(&self) -> &[(&'a str, Metadata)] {
        &self.metadata
    }

    fn read(&mut self) -> Result<Option<WrittenSeries<'_, 'a>>, Malformed> {
        while let Some((number, value)) = self.message.next_field()? {
            match number {
                TIMESERIES => {
                    self.series.read(value.message()?)?;
                    return Ok(Some(self.series.written()));
                }
                METADATA => {
                    self.series.check_others()?;
                    self.series.n_others += 1;
                    self.metadata.push(read_metadata(value.message()?)?);
                }
                _ => {}
            }
        }
        Ok(None)
    }
}

impl From<Malformed> for RemoteWriteError {
    fn from(Malformed(why): Malformed) -> Self {
        Self::Protobuf(why.to_owned())
    }
}

impl<'a> SeriesParts<'a> {
    /// Leaves the series before for the next one.
    pub(crate) fn start(&mut self) -> Result<(), Malformed> {
        self.n_series += 1;
        if self.n_series > SERIES_MAX {
            return Err(Malformed("it has more than 1,000,000 series"));
        }
        self.n_samples += self.samples.len();
        self.n_others += self.others();
        let Self {
            labels,
            samples,
            histograms,
            invalid,
            exemplars,
            metadata,
            created,
            ..
        } = self;
        labels.clear();
        samples.clear();
        histograms.clear();
        invalid.clear();
        exemplars.clear();
        *metadata = None;
        *created = None;
        Ok(())
    }

    /// Reads `prometheus.TimeSeries`.
    fn read(&mut self, mut message: Message<'a>) -> Result<(), Malformed> {
        self.start()?;
        loop {
            while let Some(sample) = message.next_short(SAMPLE_KEY) {
                self.push_sample(sample)?;
            }
            let Some((number, value)) = message.next_field()? else {
                return Ok(());
            };
            match number {
                // One too many are enough to refuse the series.
                1 if self.labels.len() > LABELS_MAX => {}
                1 => self.labels.push(read_label(value.bytes()?)?),
                2 => self.push_sample(value.bytes()?)?,
                3 => self.push_exemplar(read_exemplar(value.message()?)?)?,
                4 => self.push_histogram(value.bytes()?)?,
                _ => {}
            }
        }
    }

    pub(crate) fn push_sample(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        if self.n_samples + self.samples.len() >= SAMPLES_MAX {
            return Err(Malformed("it has more than 1,000,000 samples"));
        }
        self.samples.push(read_sample(bytes)?);
        Ok(())
    }

    pub(crate) fn push_exemplar(&mut self, exemplar: Exemplar) -> Result<(), Malformed> {
        self.check_others()?;
        self.exemplars.push(exemplar);
        Ok(())
    }

    pub(crate) fn set_metadata(&mut self, metadata: Metadata) -> Result<(), Malformed> {
        self.check_others()?;
        self.metadata = Some(metadata);
        Ok(())
    }

    pub(crate) fn push_histogram(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        self.check_others()?;
        match read_histogram(bytes)? {
            Ok(sample) => {
                let it = &sample.histogram;
                self.n_buckets += it.positive.counts.len() + it.negative.counts.len();
                if self.n_buckets > BUCKETS_MAX {
                    return Err(Malformed("its histograms have more than 4,000,000 buckets"));
                }
                self.histograms.push(sample);
            }
            Err(why) => self.invalid.push(why),
        }
        Ok(())
    }

    /// Refuses one more of what takes much more room when it is read than on the wire.
    fn check_others(&self) -> Result<(), Malformed> {
        if self.n_others + self.others() >= OTHERS_MAX {
            return Err(TOO_MANY_OTHERS);
        }
        Ok(())
    }

    fn others(&self) -> usize {
        let n_histograms = self.histograms.len() + self.invalid.len();
        n_histograms + self.exemplars.len() + usize::from(self.metadata.is_some())
    }

    pub(crate) fn written(&self) -> WrittenSeries<'_, 'a> {
        WrittenSeries {
            pairs: &self.labels,
            samples: &self.samples,
            histograms: &self.histograms,
            invalid_histograms: &self.invalid,
            exemplars: &self.exemplars,
            metadata: self.metadata.as_ref(),
            created: self.created,
        }
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

    /// Whether there is nothing, good or bad. The specification wants a sample or a histogram;
    /// Prometheus sends series with nothing but an exemplar.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let n_histograms = self.histograms.len() + self.invalid_histograms.len();
        self.samples.is_empty() && n_histograms == 0 && self.exemplars.is_empty()
    }

    #[cold]
    fn invalid(&self, why: String) -> InvalidSeries {
        let series = self.text();
        InvalidSeries { series, why }
    }

    /// The labels as they came, for people; the first of them when they are many.
    #[must_use]
    pub fn text(&self) -> String {
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
        text
    }
}

fn read_label(bytes: &[u8]) -> Result<(&str, &str), Malformed> {
    let (mut name, mut value) = ("", "");
    let mut message = Message::new(bytes);
    while let Some((number, field)) = message.next_field()? {
        match number {
            1 => name = field.text()?,
            2 => value = field.text()?,
            _ => {}
        }
    }
    Ok((name, value))
}

/// Reads a `Sample` of either version.
#[inline]
pub(crate) fn read_sample(bytes: &[u8]) -> Result<Sample, Malformed> {
    if let Some(sample) = usual_sample(bytes) {
        return Ok(sample);
    }
    read_unusual_sample(bytes)
}

/// A sample as nearly every sender writes it: the value, then the time, and nothing else.
#[inline]
fn usual_sample(bytes: &[u8]) -> Option<Sample> {
    let (value, rest) = bytes.strip_prefix(&[0x09])?.split_first_chunk()?;
    let millis = rest.strip_prefix(&[0x10])?;
    let (&last, low) = millis.split_last()?;
    if low.len() > 7 || last >= 0x80 {
        return None;
    }
    let mut at = 0_u64;
    for (idx, &byte) in low.iter().enumerate() {
        if byte < 0x80 {
            return None;
        }
        at |= u64::from(byte & 0x7f) << (7 * idx);
    }
    at |= u64::from(last) << (7 * low.len());
    Some(Sample {
        at: Timestamp(at.cast_signed()),
        value: f64::from_le_bytes(*value),
    })
}

fn read_unusual_sample(bytes: &[u8]) -> Result<Sample, Malformed> {
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

fn read_exemplar(mut message: Message<'_>) -> Result<Exemplar, Malformed> {
    let mut labels = Vec::new();
    let (mut value, mut at) = (0.0, Timestamp(0));
    while let Some((number, field)) = message.next_field()? {
        match number {
            // So many are too long for an exemplar anyway.
            1 if labels.len() > LABELS_MAX => {}
            1 => labels.push(read_label(field.bytes()?)?),
            2 => value = field.double()?,
            3 => at = Timestamp(field.int()?),
            _ => {}
        }
    }
    let labels = Labels::from_pairs(labels);
    Ok(Exemplar { labels, value, at })
}

fn read_metadata(mut message: Message<'_>) -> Result<(&str, Metadata), Malformed> {
    let mut metric = "";
    let mut metadata = Metadata::default();
    while let Some((number, field)) = message.next_field()? {
        match number {
            1 => metadata.kind = metric_kind(field.varint()?),
            2 => metric = field.text()?,
            4 => metadata.help = Metadata::kept(field.text()?).into(),
            5 => metadata.unit = Metadata::kept(field.text()?).into(),
            _ => {}
        }
    }
    Ok((metric, metadata))
}

/// The kinds as both versions of remote write number them.
pub(crate) fn metric_kind(number: u64) -> MetricKind {
    match number {
        1 => MetricKind::Counter,
        2 => MetricKind::Gauge,
        3 => MetricKind::Histogram,
        4 => MetricKind::GaugeHistogram,
        5 => MetricKind::Summary,
        6 => MetricKind::Info,
        7 => MetricKind::StateSet,
        _ => MetricKind::Unknown,
    }
}

/// What a request may decompress to unless configured otherwise: 64 MiB.
pub const DECODED_BYTES_MAX: usize = 64 << 20;
/// Samples that a request may have, as one of OTLP. Senders send some thousands.
pub const SAMPLES_MAX: usize = 1_000_000;
/// Series that a request may have: two bytes are one.
const SERIES_MAX: usize = 1_000_000;
/// How many histograms, exemplars and metadata a request may have together.
pub const OTHERS_MAX: usize = 100_000;
/// Buckets that the native histograms of a request may have together.
const BUCKETS_MAX: usize = 4_000_000;
const TOO_MANY_OTHERS: Malformed =
    Malformed("it has more than 100,000 histograms, exemplars and metadata");
/// How many labels a series may have; one with more is invalid.
pub const LABELS_MAX: usize = 512;
/// How many times longer than its block a text can be, at most.
const SNAPPY_EXPANSION_MAX: usize = 64;
/// How many labels an error shows.
const SHOWN_LABELS_MAX: usize = 16;
/// The key of `TimeSeries.samples`: field 2, with a length.
const SAMPLE_KEY: u8 = 2 << 3 | 2;
/// Field number of `WriteRequest.timeseries`.
const TIMESERIES: u64 = 1;
/// Field number of `WriteRequest.metadata`.
const METADATA: u64 = 3;

#[cfg(test)]
pub(crate) mod tests;
