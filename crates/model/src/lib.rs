//! The words that every part of Firebell shares: label sets, matchers, time, samples, alerts.
//!
//! *Invariants*: values are immutable or plain data; nothing here reads a clock, a file or a
//! socket. Text forms (durations, timestamps, floats, label sets) are upstream's, byte for byte.
//!
//! *Not here*: how samples are stored (`firebell-tsdb`), how alerts change (`firebell-rules`,
//! `firebell-dispatch`).

mod hex;
mod label_hasher;
mod labels;
mod matcher;
mod matcher_text;
mod quoted;
mod regex;
mod relabel;
mod secret;
mod time;

mod exemplar;
mod float;
mod histogram;
mod sample;
mod sum;

mod alert;
mod deploy;
mod incident_span;
mod notification;
mod source;

pub use crate::alert::{Alert, AlertStatus};
pub use crate::deploy::Deploy;
pub use crate::exemplar::{Exemplar, Metadata, MetricKind};
pub use crate::float::{
    ParseFloatError, do_underscores_separate, format_float, format_float_exponent,
    format_float_general, parse_float, read_float,
};
pub use crate::hex::{from_hex, hex};
pub use crate::histogram::{
    Bucket, BucketSpan, Buckets, CUSTOM_BUCKETS_SCHEMA, EXPONENTIAL_SCHEMAS, Histogram,
    HistogramSample, HistogramSum, IncompatibleSchemas, Reconciled, ResetHint, Trim,
};
pub use crate::incident_span::IncidentSpan;
pub use crate::label_hasher::LabelHasher;
pub use crate::labels::{
    ALERT_NAME, Fingerprint, Label, Labels, LabelsBuilder, METRIC_NAME, METRIC_TYPE, METRIC_UNIT,
    is_metric_label, is_valid_label_name, is_valid_metric_name,
};
pub use crate::matcher::{MatchOp, Matcher};
pub use crate::matcher_text::{MatcherTextError, label_set_text, matchers_text, parse_matchers};
pub use crate::notification::{Notification, NotificationReason, ReceiverData};
pub use crate::quoted::{CodePoint, Quoted, QuotedChar};
pub use crate::regex::{Regex, RegexError};
pub use crate::relabel::{RelabelAction, RelabelError, RelabelOptions, RelabelRule, relabel};
pub use crate::sample::{STALE_NAN, Sample, SampleValue, Start, is_stale};
pub use crate::secret::Secret;
pub use crate::source::{
    Column, Growth, SampleRows, Series, SeriesId, Source, SourceError, Summary, TimeRange,
};
pub use crate::sum::Sum;
pub use crate::time::{Duration, ParseDurationError, ParseTimestampError, Timestamp};
