//! OpenTelemetry: metrics as Prometheus's series, spans and log records as they are kept.
//!
//! *Invariants*: a request is read point by point; what cannot be stored is told of, the rest is
//! fine. JSON becomes protobuf first, so that there is one reader.
//!
//! *Sources*: the OTLP specification 1.x; `opentelemetry-proto`; Prometheus 3.5,
//! `storage/remote/otlptranslator/prometheusremotewrite`, as behaviour.

mod answer;
mod attributes;
mod context;
mod deltas;
mod json;
mod labels;
mod names;
mod points;
mod translate;

use std::borrow::Cow;
use std::collections::BTreeSet;

use firebell_model::{Exemplar, Histogram, HistogramSample, Labels, Metadata, Sample, Timestamp};

pub use self::answer::{Encoding, Rejected, Signal};
pub use self::context::{Context, ContextRecord, Room, read_context};
pub use self::deltas::Deltas;
use crate::protobuf::Malformed;

/// How OpenTelemetry's words become Prometheus's: section `otlp` of prometheus.yml.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// How names are made.
    pub naming: Naming,
    /// Which attributes of the resource become labels of every series.
    pub promotion: Promotion,
    /// Whether `target_info` has the attributes that `job` and `instance` are made of too.
    pub keep_identifying: bool,
    /// Whether histograms with bounds become native histograms, rather than classic ones.
    pub to_custom: bool,
    /// Whether the scope's name, version and attributes become labels.
    pub promote_scope: bool,
    /// Whether deltas are added up; they are refused otherwise.
    pub adds_deltas: bool,
    /// Whether it is told when series began.
    pub tells_beginnings: bool,
    /// Whether kind and unit of a metric are labels of its series.
    pub has_type_labels: bool,
}

/// How names of metrics and labels are made: `translation_strategy`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Naming {
    /// Names keep all their characters; otherwise others than letters, digits and `_` are `_`.
    pub is_utf8: bool,
    /// Units and `total` are appended.
    pub has_suffixes: bool,
    /// Names of labels that begin with one `_` get `key` in front, unless they keep all characters.
    pub prefixes_underscores: bool,
    /// Neighbouring `_` of names of labels stay as many as they are.
    pub keeps_underscores: bool,
}

/// Attributes of a resource that become labels.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Promotion {
    /// These.
    Only(BTreeSet<String>),
    /// All but these.
    AllBut(BTreeSet<String>),
}

impl Default for Options {
    fn default() -> Self {
        Self {
            naming: Naming {
                is_utf8: false,
                has_suffixes: true,
                prefixes_underscores: true,
                keeps_underscores: true,
            },
            promotion: Promotion::Only(BTreeSet::new()),
            keep_identifying: false,
            to_custom: false,
            promote_scope: false,
            adds_deltas: false,
            tells_beginnings: false,
            has_type_labels: false,
        }
    }
}

/// What a request says, piece by piece.
#[derive(Clone, PartialEq, Debug)]
pub enum Item<'i> {
    /// A sample of a series.
    Sample(Labels, Sample),
    /// A native histogram of a series.
    Histogram(Labels, HistogramSample),
    /// When the series began whose sample comes next; with an empty histogram if it is one of those.
    Beginning(Labels, Timestamp, Option<Histogram>),
    /// An exemplar of a series.
    Exemplar(Labels, Exemplar),
    /// What a metric is.
    Metadata(&'i str, Metadata),
    /// Points that cannot be stored.
    Refused {
        /// How many.
        points: u64,
        /// Why.
        why: String,
    },
}

/// A body that cannot be read; nothing of it may be stored. The answer is 400.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("failed to read the request: {0}")]
pub struct OtlpError(String);

impl From<Malformed> for OtlpError {
    fn from(Malformed(why): Malformed) -> Self {
        Self(why.to_owned())
    }
}

/// Reads an `ExportMetricsServiceRequest` that is not compressed any more; every piece goes to
/// `take`. `deltas` is what earlier requests added up to.
///
/// # Errors
/// When the body is malformed. Whoever took pieces of it must not store them.
pub fn read(
    body: &[u8],
    encoding: Encoding,
    options: &Options,
    deltas: &mut Deltas,
    mut take: impl FnMut(Item<'_>),
) -> Result<(), OtlpError> {
    let body = match encoding {
        Encoding::Protobuf => Cow::Borrowed(body),
        Encoding::Json => Cow::Owned(json::to_protobuf(body, Signal::Metrics).map_err(OtlpError)?),
    };
    if options.adds_deltas {
        // What is added up cannot be taken back, so the body is read to its end before.
        let options = Options::default();
        translate::translate(&body, &options, &mut Deltas::default(), &mut |_| {})?;
    }
    Ok(translate::translate(&body, options, deltas, &mut take)?)
}

/// What a request may decompress to: 32 MiB.
pub const DECODED_BYTES_MAX: usize = 32 << 20;
