//! What comes beside samples: exemplars, and what a metric is.

use std::sync::Arc;

use crate::{Labels, LabelsBuilder, METRIC_TYPE, METRIC_UNIT, Timestamp};

/// One observation that stands for many, most often with the id of its trace.
#[derive(Clone, PartialEq, Debug)]
pub struct Exemplar {
    /// Labels of its own, such as `trace_id`; those of the series are not repeated.
    pub labels: Labels,
    /// What was observed.
    pub value: f64,
    /// When, in milliseconds since the epoch.
    pub at: Timestamp,
}

/// What a metric is, as its exporter says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Metadata {
    /// The kind of metric.
    pub kind: MetricKind,
    /// A sentence for people.
    pub help: Arc<str>,
    /// The unit, such as `seconds`; empty when there is none.
    pub unit: Arc<str>,
}

impl Metadata {
    /// What is kept of a help or a unit: its first 4 KiB, whole characters. They are for people, and
    /// anybody may send them.
    #[must_use]
    pub fn kept(text: &str) -> &str {
        let mut ends = (0..=text.len().min(4 << 10)).rev();
        let end = ends.find(|end| text.is_char_boundary(*end));
        &text[..end.unwrap_or(0)]
    }

    /// Says kind and unit in labels, over what these say; what is not known leaves them as they are.
    pub fn set_labels(&self, labels: &mut LabelsBuilder) {
        if self.kind != MetricKind::Unknown {
            labels.set(METRIC_TYPE, self.kind.name());
        }
        if !self.unit.is_empty() {
            labels.set(METRIC_UNIT, Arc::clone(&self.unit));
        }
    }
}

/// The kind of a metric.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum MetricKind {
    /// Nobody has said.
    #[default]
    Unknown,
    /// Only grows, but for resets.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts per bucket, classic or native.
    Histogram,
    /// Counts per bucket that go up and down.
    GaugeHistogram,
    /// Quantiles that the exporter computed.
    Summary,
    /// Labels only; the value is 1.
    Info,
    /// One series for each state, 0 or 1.
    StateSet,
}

impl MetricKind {
    /// The name in APIs: Prometheus's `model.MetricType`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::GaugeHistogram => "gaugehistogram",
            Self::Summary => "summary",
            Self::Info => "info",
            Self::StateSet => "stateset",
        }
    }
}
