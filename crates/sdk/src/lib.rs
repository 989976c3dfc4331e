//! What the Python package does natively: metrics, records that outlive the process, and their way
//! to the server.
#![expect(
    clippy::disallowed_methods,
    reason = "an edge: it stamps what the app records, and waits for a server"
)]

mod alert;
mod cells;
mod client;
mod clock;
mod collector;
mod context;
mod cumulative;
#[cfg(test)]
mod damage;
mod definition;
mod exporter;
mod expose;
mod files;
mod http;
mod ids;
mod log;
mod metric;
mod proto;
mod proxy;
#[cfg(any(test, fuzzing))]
pub mod reading;
mod recovery;
mod redact;
mod ring;
mod scope;
mod settings;
mod span;
mod stats;
mod sums;
mod sys;
mod value;

pub use alert::Alert;
pub use cells::Kind;
pub use client::{Client, client};
pub use clock::{now_nanos, push_rfc3339, rfc3339};
pub use context::{Remote, traceparent};
pub use expose::{expose, expose_all};
pub use http::{BadEndpoint, Endpoint};
pub use ids::{new_span_id, new_trace_id, push_hex, random};
pub use log::{LogRecord, RequestId, Thrown};
pub use metric::{Metric, MetricError, Metrics, Series, key_of, push_key};
pub use redact::{BadPattern, Level, Redactor};
pub use ring::{BUFFER_BYTES_MAX, BUFFER_BYTES_MIN, Lane};
pub use scope::{Crumb, Scope};
pub use settings::{Otlp, Settings};
pub use span::{Span, SpanKind, Trace};
pub use stats::Snapshot;
pub use value::{Value, write_json_text};
