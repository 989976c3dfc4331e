//! What annotations say, in upstream's words.
//!
//! *Sources*: Prometheus, `util/annotations/annotations.go`: the texts are behaviour.

use firebell_model::{Quoted, format_float_general};

/// Something about samples that the reader of a result should know.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Note {
    InvalidQuantile(f64),
    /// A classic bucket without a bound that is a number: the bound and the name of the metric.
    BadBucketLabel(String, String),
    /// Floats and histograms in one window of a metric.
    MixedWindow(String),
    MixedAggregation,
    MixedClassicNative(String),
    MixedSchemas(String),
    IncompatibleLayout(&'static str),
    /// An operator between two types that it is not for.
    IncompatibleTypes(&'static str, &'static str, &'static str),
    NotCounter(String),
    NotGauge(String),
    ResetConflict(Operation),
    OtherBounds(Operation),
    IgnoredInAggregation(&'static str),
    IgnoredInWindow(String),
    PossiblyNoCounter(String),
    ForcedMonotonicity(String),
    QuantileOfNan(String),
    QuantileSkewedByNan(String),
    FractionWithNan(String),
}

/// What histograms are being brought together for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Operation {
    Addition,
    Subtraction,
    Aggregation,
}

impl Note {
    pub(crate) fn is_warning(&self) -> bool {
        matches!(
            self,
            Self::InvalidQuantile(_)
                | Self::BadBucketLabel(..)
                | Self::MixedWindow(_)
                | Self::MixedAggregation
                | Self::MixedClassicNative(_)
                | Self::MixedSchemas(_)
                | Self::IncompatibleLayout(_)
                | Self::NotCounter(_)
                | Self::NotGauge(_)
                | Self::ResetConflict(_)
        )
    }

    pub(crate) fn text(&self) -> String {
        let named = |text: &str, name: &str| match name {
            "" => text.to_owned(),
            name => format!("{text} for metric name {}", Quoted(name)),
        };
        match self {
            Self::InvalidQuantile(q) => {
                let q = format_float_general(*q);
                format!("quantile value should be between 0 and 1, got {q}")
            }
            Self::BadBucketLabel(bound, name) => {
                let bound = Quoted(bound);
                let text =
                    format!("bucket label \"le\" is missing or has a malformed value of {bound}");
                named(&text, name)
            }
            Self::MixedWindow(name) => {
                let name = Quoted(name);
                format!("encountered a mix of histograms and floats for metric name {name}")
            }
            Self::MixedAggregation => {
                "encountered a mix of histograms and floats for aggregation".to_owned()
            }
            Self::MixedClassicNative(name) => named(
                "vector contains a mix of classic and native histograms",
                name,
            ),
            Self::MixedSchemas(name) => {
                let name = Quoted(name);
                format!(
                    "vector contains a mix of histograms with exponential and custom buckets \
                     schemas for metric name {name}"
                )
            }
            Self::IncompatibleLayout(op) => {
                format!("incompatible bucket layout encountered for binary operator {op}")
            }
            Self::IncompatibleTypes(left, op, right) => format!(
                "incompatible sample types encountered for binary operator \"{op}\": {left} {op} \
                 {right}"
            ),
            Self::NotCounter(name) => {
                let name = Quoted(name);
                format!("this native histogram metric is not a counter: {name}")
            }
            Self::NotGauge(name) => {
                let name = Quoted(name);
                format!("this native histogram metric is not a gauge: {name}")
            }
            Self::ResetConflict(operation) => {
                let operation = operation.name();
                format!("conflicting counter resets during histogram {operation}")
            }
            Self::OtherBounds(operation) => {
                let operation = operation.name();
                format!("mismatched custom buckets were reconciled during {operation}")
            }
            Self::IgnoredInAggregation(op) => format!("ignored histogram in {op} aggregation"),
            Self::IgnoredInWindow(name) => {
                let name = Quoted(name);
                format!(
                    "ignored histograms in a range containing both floats and histograms for \
                     metric name {name}"
                )
            }
            Self::PossiblyNoCounter(name) => {
                let name = Quoted(name);
                format!(
                    "metric might not be a counter, name does not end in \
                     _total/_sum/_count/_bucket: {name}"
                )
            }
            Self::ForcedMonotonicity(name) => named(
                "input to histogram_quantile needed to be fixed for monotonicity (see \
                 https://prometheus.io/docs/prometheus/latest/querying/functions/\
                 #histogram_quantile)",
                name,
            ),
            Self::QuantileOfNan(name) => named(
                "input to histogram_quantile has NaN observations, result is NaN",
                name,
            ),
            Self::QuantileSkewedByNan(name) => named(
                "input to histogram_quantile has NaN observations, result is skewed higher",
                name,
            ),
            Self::FractionWithNan(name) => named(
                "input to histogram_fraction has NaN observations, which are excluded from all \
                 fractions",
                name,
            ),
        }
    }
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Addition => "addition",
            Self::Subtraction => "subtraction",
            Self::Aggregation => "aggregation",
        }
    }
}
