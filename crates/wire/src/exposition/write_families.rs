//! The protobuf format, written: untyped samples and native histograms with their times, as
//! `/federate` gives them to those who ask for it.
//!
//! *Sources*: `prometheus/common`, `expfmt/encode.go`; Prometheus, `web/federate.go`; `client_model`,
//! `metrics.proto`.

use firebell_model::{BucketSpan, Histogram, Labels, METRIC_NAME, ResetHint, Timestamp};

use super::classic::cumulative;
use super::families::Point;
use crate::names::Escaping;
use crate::protobuf::Writer;
use crate::row::{write_pair, write_spans};

/// Writes values, family by family.
#[derive(Debug)]
pub struct FamilyWriter {
    body: Writer,
    /// The family at hand: name, kind, and its message so far.
    family: Option<(String, u64, Writer)>,
    /// How names are written.
    escaping: Escaping,
}

impl FamilyWriter {
    /// An empty body.
    #[must_use]
    pub fn new(escaping: Escaping) -> Self {
        Self {
            body: Writer::default(),
            family: None,
            escaping,
        }
    }

    /// Adds a value; those of one metric have to follow each other. `extra` labels are added where
    /// the series has none of the name. A series without a metric name is left out.
    pub fn point(
        &mut self,
        labels: &Labels,
        extra: &[(&str, &str)],
        (at, point): (Timestamp, &Point),
    ) {
        let metric = labels.metric_name();
        if metric.is_empty() {
            return;
        }
        let kind = match point {
            Point::Float(_) => UNTYPED,
            Point::Histogram(it) if it.reset_hint == ResetHint::Gauge => GAUGE_HISTOGRAM,
            Point::Histogram(_) => HISTOGRAM,
        };
        self.begin(metric, kind);
        let own = labels.iter().map(|label| (&*label.name, &*label.value));
        let own = own.filter(|(name, _)| *name != METRIC_NAME);
        let extra = extra.iter().filter(|(name, _)| labels.get(name).is_none());
        let escaping = self.escaping;
        let Some((_, _, family)) = &mut self.family else {
            return;
        };
        family.message(4, |metric| {
            for (name, value) in own.chain(extra.copied()) {
                write_pair(&escaping.write(name, false), value, metric);
            }
            match point {
                Point::Float(value) => metric.message(5, |untyped| untyped.double(1, *value)),
                Point::Histogram(it) => metric.message(7, |out| write_histogram(it, out)),
            }
            metric.varint(6, at.0.cast_unsigned());
        });
    }

    /// Begins a family unless it is the one at hand. Floats and histograms of one metric are families
    /// of their own, as upstream; and so is what comes behind [`FAMILY_BYTES_MAX`] of one, since a
    /// family can be sent only when all of it is there.
    fn begin(&mut self, metric: &str, kind: u64) {
        if let Some((name, known, family)) = &self.family
            && (name.as_str(), *known) == (metric, kind)
            && family.bytes.len() < FAMILY_BYTES_MAX
        {
            return;
        }
        self.end();
        let mut family = Writer::default();
        family.text(1, &self.escaping.write(metric, true));
        family.varint(3, kind);
        self.family = Some((metric.to_owned(), kind, family));
    }

    /// Ends the family at hand: more of it would be another family.
    fn end(&mut self) {
        if let Some((_, _, family)) = self.family.take() {
            self.body.raw(family.bytes.len() as u64);
            self.body.bytes.extend_from_slice(&family.bytes);
        }
    }

    /// How many bytes of whole families there are since the last time.
    #[must_use]
    pub fn n_bytes(&self) -> usize {
        self.body.bytes.len()
    }

    /// The bytes of whole families since the last time.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.body.bytes)
    }

    /// All bytes that were not taken.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.end();
        self.body.bytes
    }
}

/// Writes a `Histogram`. One with bounds of its own becomes a classic one: the format has no other
/// place for bounds.
fn write_histogram(histogram: &Histogram, out: &mut Writer) {
    out.double(2, histogram.sum);
    out.double(4, histogram.count);
    if histogram.has_custom_buckets() {
        for (bound, count) in cumulative(histogram) {
            out.message(3, |bucket| {
                bucket.double(2, bound);
                bucket.double(4, count);
            });
        }
        return;
    }
    out.sint(5, histogram.schema.into());
    out.double(6, histogram.zero_threshold);
    out.double(8, histogram.zero_count);
    if histogram.count == 0.0 {
        // Readers take a count of zero for a whole number, and then look for whole buckets; an empty
        // span tells them that it is a native histogram all the same.
        write_spans(12, &[BucketSpan::default()], out);
        return;
    }
    write_spans(9, &histogram.negative.spans, out);
    out.doubles(11, &histogram.negative.counts);
    write_spans(12, &histogram.positive.spans, out);
    out.doubles(14, &histogram.positive.counts);
}

/// Of a family in one message.
const FAMILY_BYTES_MAX: usize = 1 << 20;

/// Numbers of `MetricType`.
const UNTYPED: u64 = 3;
const HISTOGRAM: u64 = 4;
const GAUGE_HISTOGRAM: u64 = 5;

#[cfg(test)]
mod tests {
    use firebell_model::{Buckets, CUSTOM_BUCKETS_SCHEMA};

    use super::*;
    use crate::exposition::{HistogramOptions, Scraped, read_families};

    fn buckets(offset: i32, counts: &[f64]) -> Buckets {
        let length = counts.len() as u32;
        let (spans, counts) = (vec![BucketSpan { offset, length }], counts.to_vec());
        Buckets { spans, counts }
    }

    fn histograms() -> Vec<Histogram> {
        let full = Histogram {
            schema: 3,
            zero_threshold: 0.25,
            zero_count: 0.5,
            count: 7.5,
            sum: -2.5,
            positive: buckets(-3, &[1.0, 2.0]),
            negative: buckets(4, &[4.0]),
            ..Histogram::default()
        };
        let gauge = Histogram {
            reset_hint: ResetHint::Gauge,
            ..full.clone()
        };
        let custom = Histogram {
            schema: CUSTOM_BUCKETS_SCHEMA,
            count: 6.0,
            sum: 9.0,
            positive: buckets(1, &[2.0, 4.0]),
            custom_bounds: [0.5, 1.0].into(),
            ..Histogram::default()
        };
        let empty = Histogram {
            positive: buckets(0, &[]),
            ..Histogram::default()
        };
        vec![full, gauge, empty, custom]
    }

    #[test]
    fn a_large_family_is_sent_in_parts() {
        let mut writer = FamilyWriter::new(Escaping::Underscores);
        let mut n_bytes_max = 0;
        let mut body = Vec::new();
        let n_points = 50_000;
        for n in 0..n_points {
            let labels = Labels::from_pairs([("__name__", "x"), ("n", &n.to_string())]);
            writer.point(&labels, &[], (Timestamp(5), &Point::Float(1.0)));
            n_bytes_max = n_bytes_max.max(writer.n_bytes());
            body.extend(writer.take());
        }
        body.extend(writer.finish());
        assert!((1..=FAMILY_BYTES_MAX + 100).contains(&n_bytes_max));
        let mut n_read = 0;
        let options = HistogramOptions {
            native: true,
            classic: false,
            to_custom: true,
        };
        read_families(&body, options, |it| {
            n_read += usize::from(matches!(it, Scraped::Point(_)));
            Ok(())
        })
        .unwrap();
        assert_eq!(n_read, n_points);
    }

    #[test]
    fn what_is_written_is_what_a_scrape_reads() {
        let mut writer = FamilyWriter::new(Escaping::Underscores);
        let labels = |n: usize| Labels::from_pairs([("__name__", "h.x"), ("n", &n.to_string())]);
        let extra = [("instance", ""), ("n", "other")];
        let mut expected = Vec::new();
        for (n, it) in histograms().into_iter().enumerate() {
            let point = Point::Histogram(Box::new(it));
            writer.point(&labels(n), &extra, (Timestamp(5 + n as i64), &point));
            let own =
                Labels::from_pairs([("__name__", "h_x"), ("n", &n.to_string()), ("instance", "")]);
            expected.push((own, Some(Timestamp(5 + n as i64)), point));
        }
        let float = Point::Float(-0.5);
        writer.point(&labels(9), &[], (Timestamp(-7), &float));
        let own = Labels::from_pairs([("__name__", "h_x"), ("n", "9")]);
        expected.push((own, Some(Timestamp(-7)), float));
        let options = HistogramOptions {
            native: true,
            classic: false,
            to_custom: true,
        };
        let mut read = Vec::new();
        read_families(&writer.finish(), options, |it| {
            if let Scraped::Point(it) = it {
                read.push((it.labels()?, it.at, it.point.clone()));
            }
            Ok(())
        })
        .unwrap();
        assert_eq!(read, expected);
    }
}
