//! The protobuf format: `io.prometheus.client.MetricFamily`, one after the other, each after its
//! length.
//!
//! *Sources*: `client_model`, `metrics.proto`; Prometheus, `model/textparse/protobufparse.go`, as
//! behaviour.

use std::fmt::Write as _;

use firebell_model::{
    Exemplar, Histogram, Labels, METRIC_NAME, Metadata, MetricKind, ResetHint, Timestamp,
};

use super::classic::ClassicHistogram;
use super::number::format_bound;
use crate::histogram::{RawHistogram, read_span};
use crate::protobuf::{Malformed, Message, Value, push, zigzag};

/// Which histograms a job wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct HistogramOptions {
    /// Native histograms are taken; otherwise their classic buckets are.
    pub native: bool,
    /// Classic buckets are taken beside native ones.
    pub classic: bool,
    /// Classic histograms become native ones with custom buckets.
    pub to_custom: bool,
}

/// What a body says, piece by piece.
#[derive(Debug)]
pub enum Scraped<'s> {
    /// A value of a series.
    Point(ScrapedPoint<'s>),
    /// What a metric is.
    Metadata(&'s str, Metadata),
}

/// A value of a series.
#[derive(Debug)]
pub struct ScrapedPoint<'s> {
    /// The same for the same series, whenever it is scraped.
    pub key: &'s str,
    labels: &'s [(&'s str, &'s str)],
    name: &'s str,
    /// Label `le` or `quantile`, if it has one.
    bound: Option<(&'static str, &'s str)>,
    /// When it was, if the target says so.
    pub at: Option<Timestamp>,
    /// When the metric began, if the target says so.
    pub created: Option<Timestamp>,
    /// The value.
    pub point: Point,
    /// Examples; those without a time are of the same moment.
    pub exemplars: &'s [(Exemplar, bool)],
}

/// A value.
#[derive(Clone, PartialEq, Debug)]
pub enum Point {
    /// A number.
    Float(f64),
    /// A native histogram.
    Histogram(Box<Histogram>),
}

impl ScrapedPoint<'_> {
    /// The labels, metric name included.
    ///
    /// # Errors
    /// When the name of a label is empty, or occurs twice.
    pub fn labels(&self) -> Result<Labels, String> {
        let mut pairs = self.labels.to_vec();
        if pairs.iter().any(|(name, _)| name.is_empty()) {
            return Err("a label has an empty name".to_owned());
        }
        pairs.push((METRIC_NAME, self.name));
        pairs.extend(self.bound);
        pairs.sort_unstable();
        match pairs.windows(2).find(|two| two[0].0 == two[1].0) {
            Some(twice) => Err(format!("label name `{}` occurs twice", twice[0].0)),
            None => Ok(Labels::from_pairs(pairs)),
        }
    }

    /// The names that are spelled with an empty value: they are no labels.
    #[must_use]
    pub fn empty_names(&self) -> Vec<String> {
        let empty = self.labels.iter().filter(|(_, value)| value.is_empty());
        empty.map(|(name, _)| (*name).to_owned()).collect()
    }
}

/// Reads a body; every piece goes to `take`, whose error ends the reading.
///
/// # Errors
/// The error of `take`, or what is wrong with the body.
pub fn read_families(
    body: &[u8],
    options: HistogramOptions,
    mut take: impl FnMut(Scraped<'_>) -> Result<(), String>,
) -> Result<(), String> {
    let mut body = Message::new(body);
    let mut reader = Reader {
        options,
        take: &mut take,
        key: String::new(),
        name: String::new(),
    };
    while let Some(message) = body.next_delimited().map_err(|error| error.to_string())? {
        let family = Family::read(message).map_err(|error| error.to_string())?;
        if family.name.is_empty() {
            return Err("a metric family has no name".to_owned());
        }
        reader
            .family(&family, message)
            .map_err(|error| match error {
                Stopped::Malformed(error) => format!("metric family `{}`: {error}", family.name),
                Stopped::Refused(why) => why,
            })?;
    }
    Ok(())
}

/// What holds for all metrics of a family.
#[derive(Default)]
struct Family<'a> {
    name: &'a str,
    help: &'a str,
    unit: &'a str,
    kind: u64,
}

impl<'a> Family<'a> {
    fn read(mut message: Message<'a>) -> Result<Self, Malformed> {
        let mut family = Family::default();
        while let Some((number, value)) = message.next_field()? {
            match number {
                1 => family.name = value.text()?,
                2 => family.help = value.text()?,
                3 => family.kind = value.varint()?,
                5 => family.unit = value.text()?,
                _ => {}
            }
        }
        Ok(family)
    }
}

/// Why reading ended early.
enum Stopped {
    Malformed(Malformed),
    Refused(String),
}

impl From<Malformed> for Stopped {
    fn from(error: Malformed) -> Self {
        Self::Malformed(error)
    }
}

/// `Metric`.
#[derive(Default)]
struct Metric<'a> {
    labels: Vec<(&'a str, &'a str)>,
    at: Option<Timestamp>,
    /// The one of `Counter`, `Gauge`, `Summary`, `Untyped` or `Histogram` that the kind names.
    data: Option<Message<'a>>,
}

struct Reader<'t> {
    options: HistogramOptions,
    take: &'t mut dyn FnMut(Scraped<'_>) -> Result<(), String>,
    // Kept between series, so that a series costs no allocation.
    key: String,
    name: String,
}

/// A series of a metric, before it has its key.
struct Line<'s> {
    family: &'s str,
    /// Behind the family's name.
    suffix: &'static str,
    bound: Option<(&'static str, f64)>,
    point: Point,
    created: Option<Timestamp>,
    exemplars: &'s [(Exemplar, bool)],
}

impl Reader<'_> {
    fn family(&mut self, family: &Family<'_>, mut message: Message<'_>) -> Result<(), Stopped> {
        let (kind, field) = match family.kind {
            COUNTER => (MetricKind::Counter, 3),
            GAUGE => (MetricKind::Gauge, 2),
            SUMMARY => (MetricKind::Summary, 4),
            HISTOGRAM => (MetricKind::Histogram, 7),
            GAUGE_HISTOGRAM => (MetricKind::GaugeHistogram, 7),
            _ => (MetricKind::Unknown, 5),
        };
        let metadata = Metadata {
            kind,
            help: family.help.into(),
            unit: family.unit.into(),
        };
        (self.take)(Scraped::Metadata(family.name, metadata)).map_err(Stopped::Refused)?;
        while let Some((number, value)) = message.next_field()? {
            if number != METRIC {
                continue;
            }
            let metric = Metric::read(value.message()?, field)?;
            let data = metric.data.unwrap_or(Message::new(&[]));
            match kind {
                MetricKind::Summary => self.summary(family.name, &metric, data)?,
                MetricKind::Histogram | MetricKind::GaugeHistogram => {
                    let is_gauge = kind == MetricKind::GaugeHistogram;
                    self.histogram(family.name, &metric, data, is_gauge)?;
                }
                _ => self.number(family.name, &metric, data)?,
            }
        }
        Ok(())
    }

    /// `Counter`, `Gauge` and `Untyped`, which are alike.
    fn number(
        &mut self,
        family: &str,
        metric: &Metric<'_>,
        mut data: Message<'_>,
    ) -> Result<(), Stopped> {
        let (mut value, mut exemplar, mut created) = (0.0, None, None);
        while let Some((number, field)) = data.next_field()? {
            match number {
                1 => value = field.double()?,
                2 => exemplar = Some(read_exemplar(field.message()?)?),
                3 => created = Some(read_time(field.message()?)?),
                _ => {}
            }
        }
        let line = Line {
            created,
            exemplars: exemplar.as_slice(),
            ..Line::of(family, "", value)
        };
        self.point(metric, line)
    }

    fn summary(
        &mut self,
        family: &str,
        metric: &Metric<'_>,
        mut data: Message<'_>,
    ) -> Result<(), Stopped> {
        let (mut count, mut sum, mut quantiles) = (0.0, 0.0, Vec::new());
        let mut created = None;
        while let Some((number, field)) = data.next_field()? {
            match number {
                1 => count = field.varint()? as f64,
                2 => sum = field.double()?,
                3 => quantiles.push(read_quantile(field.message()?)?),
                4 => created = Some(read_time(field.message()?)?),
                _ => {}
            }
        }
        let begun = |line| Line { created, ..line };
        self.point(metric, begun(Line::of(family, "_count", count)))?;
        self.point(metric, begun(Line::of(family, "_sum", sum)))?;
        for (quantile, value) in quantiles {
            let line = Line {
                bound: Some(("quantile", quantile)),
                created,
                ..Line::of(family, "", value)
            };
            self.point(metric, line)?;
        }
        Ok(())
    }

    fn histogram(
        &mut self,
        family: &str,
        metric: &Metric<'_>,
        data: Message<'_>,
        is_gauge: bool,
    ) -> Result<(), Stopped> {
        let mut read = ReadHistogram::read(data)?;
        let is_native = self.options.native && read.is_native();
        let to_custom = self.options.to_custom && !is_native;
        if is_native || to_custom {
            let exemplars = read.native_exemplars();
            let mut histogram = if is_native {
                let raw = std::mem::take(&mut read.raw);
                let named = |why| format!("histogram `{family}`: {why}");
                Some(raw.check().map_err(|why| Stopped::Refused(named(why)))?)
            } else {
                read.classic.clone().into_native()
            };
            if let Some(histogram) = histogram.as_mut().filter(|_| is_gauge) {
                histogram.reset_hint = ResetHint::Gauge;
            }
            if let Some(histogram) = histogram {
                let line = Line {
                    point: Point::Histogram(Box::new(histogram)),
                    created: read.created,
                    exemplars: &exemplars,
                    ..Line::of(family, "", 0.0)
                };
                self.point(metric, line)?;
            }
        }
        let has_buckets = !read.classic.buckets.is_empty();
        let wants_classic = match is_native {
            true => self.options.classic && has_buckets,
            false => self.options.classic || !to_custom,
        };
        if wants_classic {
            self.classic(family, metric, &read)?;
        }
        Ok(())
    }

    fn classic(
        &mut self,
        family: &str,
        metric: &Metric<'_>,
        read: &ReadHistogram,
    ) -> Result<(), Stopped> {
        let ClassicHistogram {
            buckets,
            count,
            sum,
        } = &read.classic;
        let count = count.unwrap_or(0.0);
        let created = read.created;
        let begun = |line| Line { created, ..line };
        self.point(metric, begun(Line::of(family, "_count", count)))?;
        self.point(metric, begun(Line::of(family, "_sum", *sum)))?;
        for (idx, (bound, count)) in buckets.iter().enumerate() {
            let exemplar = read.bucket_exemplars.iter().find(|it| it.0 == idx);
            let line = Line {
                bound: Some(("le", *bound)),
                created,
                exemplars: exemplar.map_or(&[], |it| std::slice::from_ref(&it.1)),
                ..Line::of(family, "_bucket", *count)
            };
            self.point(metric, line)?;
        }
        if buckets.iter().any(|(bound, _)| *bound == f64::INFINITY) {
            return Ok(());
        }
        let line = Line {
            bound: Some(("le", f64::INFINITY)),
            created,
            ..Line::of(family, "_bucket", count)
        };
        self.point(metric, line)
    }

    fn point(&mut self, metric: &Metric<'_>, line: Line<'_>) -> Result<(), Stopped> {
        self.name.clear();
        self.name += line.family;
        self.name += line.suffix;
        let bound = line.bound.map(|(name, value)| (name, format_bound(value)));
        let bound = bound.as_ref().map(|(name, value)| (*name, value.as_str()));
        // Lengths keep texts apart that may hold any character.
        self.key.clear();
        let pairs = metric.labels.iter().chain(&bound);
        let texts = pairs.flat_map(|(name, value)| [*name, *value]);
        for text in std::iter::once(self.name.as_str()).chain(texts) {
            // Writing into a string does not fail.
            let _ = write!(self.key, "{}:{text}", text.len());
        }
        let point = ScrapedPoint {
            key: &self.key,
            labels: &metric.labels,
            name: &self.name,
            bound,
            at: metric.at,
            created: line.created,
            point: line.point,
            exemplars: line.exemplars,
        };
        (self.take)(Scraped::Point(point)).map_err(Stopped::Refused)
    }
}

impl<'s> Line<'s> {
    fn of(family: &'s str, suffix: &'static str, value: f64) -> Self {
        Self {
            family,
            suffix,
            bound: None,
            point: Point::Float(value),
            created: None,
            exemplars: &[],
        }
    }
}

impl<'a> Metric<'a> {
    /// Reads a `Metric`, the data from the field with this number.
    fn read(mut message: Message<'a>, data: u64) -> Result<Self, Malformed> {
        let mut metric = Self::default();
        while let Some((number, value)) = message.next_field()? {
            match number {
                1 => metric.labels.push(read_pair(value.message()?)?),
                6 => {
                    let at = value.int()?;
                    metric.at = (at != 0).then_some(Timestamp(at));
                }
                _ if number == data => metric.data = Some(value.message()?),
                _ => {}
            }
        }
        Ok(metric)
    }
}

/// `Histogram`, its native and its classic parts.
#[derive(Default)]
struct ReadHistogram {
    raw: RawHistogram,
    classic: ClassicHistogram,
    exemplars: Vec<(Exemplar, bool)>,
    /// By index of the bucket.
    bucket_exemplars: Vec<(usize, (Exemplar, bool))>,
    created: Option<Timestamp>,
}

impl ReadHistogram {
    fn read(mut message: Message<'_>) -> Result<Self, Malformed> {
        let mut read = Self::default();
        while let Some((number, value)) = message.next_field()? {
            read.field(number, value)?;
        }
        read.raw.sum = read.classic.sum;
        read.classic.count = Some(read.raw.count);
        Ok(read)
    }

    fn field(&mut self, number: u64, value: Value<'_>) -> Result<(), Malformed> {
        let raw = &mut self.raw;
        match number {
            1 if !raw.is_float => raw.count = value.varint()? as f64,
            2 => self.classic.sum = value.double()?,
            3 => self.bucket(value.message()?)?,
            4 => {
                let count = value.double()?;
                if count > 0.0 {
                    (raw.count, raw.is_float) = (count, true);
                }
            }
            5 => raw.schema = value.sint()?,
            6 => raw.zero_threshold = value.double()?,
            7 if !raw.is_float || raw.zero_count == 0.0 => {
                raw.zero_count = value.varint()? as f64;
            }
            8 => {
                let count = value.double()?;
                if count > 0.0 {
                    (raw.zero_count, raw.is_float) = (count, true);
                }
            }
            9 => push(read_span(value.bytes()?)?, &mut raw.negative.spans)?,
            10 => value.varints(zigzag, &mut raw.negative.deltas)?,
            11 => value.fixeds(f64::from_bits, &mut raw.negative.counts)?,
            12 => push(read_span(value.bytes()?)?, &mut raw.positive.spans)?,
            13 => value.varints(zigzag, &mut raw.positive.deltas)?,
            14 => value.fixeds(f64::from_bits, &mut raw.positive.counts)?,
            15 => self.created = Some(read_time(value.message()?)?),
            16 => self.exemplars.push(read_exemplar(value.message()?)?),
            _ => {}
        }
        Ok(())
    }

    fn bucket(&mut self, mut message: Message<'_>) -> Result<(), Malformed> {
        let (mut bound, mut count, mut exemplar) = (0.0, 0.0, None);
        while let Some((number, value)) = message.next_field()? {
            match number {
                1 if count == 0.0 => count = value.varint()? as f64,
                2 => bound = value.double()?,
                3 => exemplar = Some(read_exemplar(value.message()?)?),
                4 => {
                    let float = value.double()?;
                    count = if float > 0.0 { float } else { count };
                }
                _ => {}
            }
        }
        let idx = self.classic.buckets.len();
        self.bucket_exemplars.extend(exemplar.map(|it| (idx, it)));
        self.classic.buckets.push((bound, count));
        Ok(())
    }

    /// Even an empty native histogram has a span or a zero bucket.
    fn is_native(&self) -> bool {
        let RawHistogram {
            zero_threshold,
            zero_count,
            positive,
            negative,
            ..
        } = &self.raw;
        let has_spans = !positive.spans.is_empty() || !negative.spans.is_empty();
        has_spans || *zero_threshold > 0.0 || *zero_count > 0.0
    }

    /// The exemplars of a native histogram: its own, or those of its classic buckets; only those
    /// that say when they were.
    fn native_exemplars(&self) -> Vec<(Exemplar, bool)> {
        let of_buckets = self.bucket_exemplars.iter().map(|(_, exemplar)| exemplar);
        let all: Vec<_> = match self.exemplars.is_empty() {
            true => of_buckets.collect(),
            false => self.exemplars.iter().collect(),
        };
        all.into_iter()
            .filter(|(_, has_time)| *has_time)
            .cloned()
            .collect()
    }
}

fn read_pair<'a>(mut message: Message<'a>) -> Result<(&'a str, &'a str), Malformed> {
    let (mut name, mut text) = ("", "");
    while let Some((number, value)) = message.next_field()? {
        match number {
            1 => name = value.text()?,
            2 => text = value.text()?,
            _ => {}
        }
    }
    Ok((name, text))
}

fn read_quantile(mut message: Message<'_>) -> Result<(f64, f64), Malformed> {
    let (mut quantile, mut value) = (0.0, 0.0);
    while let Some((number, field)) = message.next_field()? {
        match number {
            1 => quantile = field.double()?,
            2 => value = field.double()?,
            _ => {}
        }
    }
    Ok((quantile, value))
}

/// An exemplar, and whether it says when it was.
fn read_exemplar(mut message: Message<'_>) -> Result<(Exemplar, bool), Malformed> {
    let (mut labels, mut value, mut at) = (Vec::new(), 0.0, None);
    while let Some((number, field)) = message.next_field()? {
        match number {
            1 => labels.push(read_pair(field.message()?)?),
            2 => value = field.double()?,
            3 => at = Some(read_time(field.message()?)?),
            _ => {}
        }
    }
    let exemplar = Exemplar {
        labels: Labels::from_pairs(labels),
        value,
        at: at.unwrap_or(Timestamp(0)),
    };
    Ok((exemplar, at.is_some()))
}

/// `google.protobuf.Timestamp`
fn read_time(mut message: Message<'_>) -> Result<Timestamp, Malformed> {
    let mut millis = 0_i64;
    while let Some((number, value)) = message.next_field()? {
        let more = match number {
            1 => value.int()?.saturating_mul(1000),
            2 => value.int()? / 1_000_000,
            _ => 0,
        };
        millis = millis.saturating_add(more);
    }
    Ok(Timestamp(millis))
}

/// Field number of `MetricFamily.metric`.
const METRIC: u64 = 4;
const COUNTER: u64 = 0;
const GAUGE: u64 = 1;
const SUMMARY: u64 = 2;
const HISTOGRAM: u64 = 4;
const GAUGE_HISTOGRAM: u64 = 5;

#[cfg(test)]
mod tests;
