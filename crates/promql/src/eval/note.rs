//! What annotations say, in upstream's words.
//!
//! *Sources*: Prometheus, `util/annotations/annotations.go`: the texts are behaviour.

use firebell_model::{Quoted, Timestamp, format_float_exponent, format_float_general};

use super::histogram::Lifted;
use crate::ast::Span;

/// Something about samples that the reader of a result should know.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Note {
    InvalidQuantile(f64),
    /// A ratio of `limit_ratio` beyond its bounds, and the bound that stands for it.
    InvalidRatio(f64, f64),
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
    /// A metric, and a `__type__` that is not that of a counter.
    TypeOfNoCounter(String, String),
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
                | Self::InvalidRatio(..)
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
        match self {
            Self::InvalidQuantile(q) => {
                let q = format_float_general(*q);
                format!("quantile value should be between 0 and 1, got {q}")
            }
            Self::InvalidRatio(ratio, bound) => {
                let (ratio, bound) = (format_float_general(*ratio), format_float_general(*bound));
                format!("ratio value should be between -1 and 1, got {ratio}, capping to {bound}")
            }
            Self::BadBucketLabel(bound, name) => {
                let bound = Quoted(bound);
                let name = Tail::IfNamed(name);
                format!("bucket label \"le\" is missing or has a malformed value of {bound}{name}")
            }
            Self::IncompatibleTypes(left, op, right) => format!(
                "incompatible sample types encountered for binary operator \"{op}\": {left} {op} \
                 {right}"
            ),
            Self::TypeOfNoCounter(name, kind) => format!(
                "metric might not be a counter, __type__ label is not set to \"counter\" or \
                 \"histogram\", got {}: {}",
                Quoted(kind),
                Quoted(name),
            ),
            Self::IgnoredInAggregation(op) => format!("ignored histogram in {op} aggregation"),
            _ => {
                let (text, tail) = self.plain();
                format!("{text}{tail}")
            }
        }
    }

    /// The notes that are a text with something at the end.
    fn plain(&self) -> (&'static str, Tail<'_>) {
        use Tail::{IfNamed, Name, Word};
        match self {
            Self::MixedWindow(name) => (
                "encountered a mix of histograms and floats for metric name",
                Name(name),
            ),
            Self::MixedClassicNative(name) => (
                "vector contains a mix of classic and native histograms",
                IfNamed(name),
            ),
            Self::MixedSchemas(name) => (
                "vector contains a mix of histograms with exponential and custom buckets schemas \
                 for metric name",
                Name(name),
            ),
            Self::IncompatibleLayout(op) => (
                "incompatible bucket layout encountered for binary operator",
                Word(op),
            ),
            Self::NotCounter(name) => {
                ("this native histogram metric is not a counter:", Name(name))
            }
            Self::NotGauge(name) => ("this native histogram metric is not a gauge:", Name(name)),
            Self::ResetConflict(operation) => (
                "conflicting counter resets during histogram",
                Word(operation.name()),
            ),
            Self::OtherBounds(operation) => (
                "mismatched custom buckets were reconciled during",
                Word(operation.name()),
            ),
            Self::IgnoredInWindow(name) => (
                "ignored histograms in a range containing both floats and histograms for metric \
                 name",
                Name(name),
            ),
            Self::PossiblyNoCounter(name) => (
                "metric might not be a counter, name does not end in _total/_sum/_count/_bucket:",
                Name(name),
            ),
            Self::QuantileOfNan(name) => (
                "input to histogram_quantile has NaN observations, result is NaN",
                IfNamed(name),
            ),
            Self::QuantileSkewedByNan(name) => (
                "input to histogram_quantile has NaN observations, result is skewed higher",
                IfNamed(name),
            ),
            Self::FractionWithNan(name) => (
                "input to histogram_fraction has NaN observations, which are excluded from all \
                 fractions",
                IfNamed(name),
            ),
            _ => (
                "encountered a mix of histograms and floats for",
                Word("aggregation"),
            ),
        }
    }
}

/// What was lifted in classic histograms of one name at one place: one note for all of them.
#[derive(Debug)]
pub(crate) struct LiftedNote {
    pub(crate) span: Span,
    pub(crate) name: String,
    pub(crate) lifted: Lifted,
    pub(crate) n_samples: u64,
    /// The first and the last moment.
    pub(crate) moments: (Timestamp, Timestamp),
}

impl LiftedNote {
    /// Takes in what was lifted at another moment.
    pub(crate) fn add(&mut self, at: Timestamp, lifted: Lifted) {
        let Self { lifted: known, .. } = self;
        known.bounds.0 = known.bounds.0.min(lifted.bounds.0);
        known.bounds.1 = known.bounds.1.max(lifted.bounds.1);
        known.most = known.most.max(lifted.most);
        self.n_samples += 1;
        self.moments = (self.moments.0.min(at), self.moments.1.max(at));
    }

    pub(crate) fn text(&self) -> String {
        let (low, high) = self.lifted.bounds;
        let (low, high) = (format_float_general(low), format_float_general(high));
        // Upstream prints two digits of it and no parts of seconds.
        let digits = format!("{:.1e}", self.lifted.most);
        let most = match digits.parse::<f64>() {
            Ok(most) if most < 100.0 => format_float_general(most),
            most => format_float_exponent(most.unwrap_or(self.lifted.most)),
        };
        let second = |at: Timestamp| {
            let text = Timestamp(at.0 / 1000 * 1000).to_rfc3339_millis();
            text.replace(".000Z", "Z")
        };
        let (first, last) = (second(self.moments.0), second(self.moments.1));
        let name = Tail::IfNamed(&self.name);
        let n = self.n_samples;
        format!(
            "{FORCED_MONOTONICITY}{name}, from buckets {low} to {high}, with a max diff of {most}, \
             over {n} samples from {first} to {last}"
        )
    }
}

/// How often samples of one name count what others have counted.
#[derive(Debug)]
pub(crate) struct OverlapNote {
    pub(crate) span: Span,
    pub(crate) name: String,
    pub(crate) n: u64,
}

impl OverlapNote {
    pub(crate) fn text(&self) -> String {
        let name = Quoted(&self.name);
        let often = match self.n {
            1 => String::new(),
            n => format!(" ({n} occurrences)"),
        };
        format!(
            "sample has start time that overlaps with previous sample timestamp for metric \
             {name}{often}"
        )
    }
}

const FORCED_MONOTONICITY: &str = "input to histogram_quantile needed to be fixed for monotonicity \
     (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)";

/// What stands at the end of a note.
enum Tail<'a> {
    Word(&'a str),
    Name(&'a str),
    /// The name of a metric that may have none.
    IfNamed(&'a str),
}

impl std::fmt::Display for Tail<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Word(word) => write!(f, " {word}"),
            Self::Name(name) => write!(f, " {}", Quoted(name)),
            Self::IfNamed("") => Ok(()),
            Self::IfNamed(name) => write!(f, " for metric name {}", Quoted(name)),
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
