//! `prometheus.TimeSeries`, written: remote write 1, remote read and exports share it.
//!
//! *Sources*: Prometheus, `prompb/types.proto` and `prompb/remote.proto`.

use firebell_model::{
    BucketSpan, Exemplar, Histogram, HistogramSample, Labels, Metadata, MetricKind, ResetHint,
    Sample, Timestamp,
};

use crate::protobuf::Writer;

/// A series with what it has, each in order of time.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Its labels.
    pub labels: &'a Labels,
    /// Floats, stale markers included.
    pub samples: &'a [Sample],
    /// Native histograms, stale markers included.
    pub histograms: &'a [HistogramSample],
    /// Exemplars.
    pub exemplars: &'a [Exemplar],
}

impl<'a> Row<'a> {
    /// A series that has nothing yet.
    #[must_use]
    pub fn of(labels: &'a Labels) -> Self {
        Self {
            labels,
            samples: &[],
            histograms: &[],
            exemplars: &[],
        }
    }

    pub(crate) fn write(&self, series: &mut Writer) {
        write_labels(self.labels, series);
        for sample in self.samples {
            series.message(2, |message| {
                message.double(1, sample.value);
                message.varint(2, sample.at.0.cast_unsigned());
            });
        }
        for exemplar in self.exemplars {
            series.message(3, |message| {
                write_labels(&exemplar.labels, message);
                message.double(2, exemplar.value);
                message.varint(3, exemplar.at.0.cast_unsigned());
            });
        }
        for HistogramSample { at, histogram } in self.histograms {
            series.message(4, |message| write_histogram(histogram, *at, message));
        }
    }
}

/// A `prometheus.WriteRequest` in the making.
#[derive(Debug, Default)]
pub struct RequestWriter {
    request: Writer,
}

impl RequestWriter {
    /// Adds a series.
    pub fn series(&mut self, row: &Row<'_>) {
        self.request.message(1, |series| row.write(series));
    }

    /// Says what a metric is.
    pub fn metadata(&mut self, metric: &str, metadata: &Metadata) {
        self.request.message(3, |message| {
            message.varint(1, kind_number(metadata.kind));
            message.text(2, metric);
            message.text(4, &metadata.help);
            message.text(5, &metadata.unit);
        });
    }

    /// Its bytes so far, before they are compressed.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.request.bytes.len()
    }

    /// The request as a snappy block, as remote write sends it.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        // Only a block of more than four gigabytes cannot be compressed; requests are small.
        snap::raw::Encoder::new()
            .compress_vec(&self.request.bytes)
            .unwrap_or_default()
    }
}

/// The kinds as both versions of remote write number them.
fn kind_number(kind: MetricKind) -> u64 {
    match kind {
        MetricKind::Unknown => 0,
        MetricKind::Counter => 1,
        MetricKind::Gauge => 2,
        MetricKind::Histogram => 3,
        MetricKind::GaugeHistogram => 4,
        MetricKind::Summary => 5,
        MetricKind::Info => 6,
        MetricKind::StateSet => 7,
    }
}

pub(crate) fn write_labels(labels: &Labels, out: &mut Writer) {
    for label in labels.iter() {
        write_pair(&label.name, &label.value, out);
    }
}

/// Writes a label as field 1, where all of Prometheus's messages have it.
pub(crate) fn write_pair(name: &str, value: &str, out: &mut Writer) {
    out.message(1, |pair| {
        pair.text(1, name);
        pair.text(2, value);
    });
}

/// Writes `prompb.Histogram`, with counts as floats.
fn write_histogram(histogram: &Histogram, at: Timestamp, out: &mut Writer) {
    let hint = match histogram.reset_hint {
        ResetHint::Unknown => 0,
        ResetHint::Reset => 1,
        ResetHint::NotReset => 2,
        ResetHint::Gauge => 3,
    };
    out.double(2, histogram.count);
    out.double(3, histogram.sum);
    out.sint(4, histogram.schema.into());
    out.double(5, histogram.zero_threshold);
    out.double(7, histogram.zero_count);
    write_spans(8, &histogram.negative.spans, out);
    out.doubles(10, &histogram.negative.counts);
    write_spans(11, &histogram.positive.spans, out);
    out.doubles(13, &histogram.positive.counts);
    out.varint(14, hint);
    out.varint(15, at.0.cast_unsigned());
    out.doubles(16, &histogram.custom_bounds);
}

pub(crate) fn write_spans(number: u32, spans: &[BucketSpan], out: &mut Writer) {
    for span in spans {
        out.message(number, |message| {
            message.sint(1, span.offset.into());
            message.varint(2, span.length.into());
        });
    }
}
