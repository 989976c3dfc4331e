//! Spans and log records, kept for context: what went on around an alert.
//!
//! [`Kept`] is the writing end, one per signal. [`trace`], [`traces`] and [`logs`] say where to look
//! for what people ask; reading does not hold the writer up.
//!
//! *Invariants*: bounded in bytes and in age; the oldest goes first, a segment at a time, and is
//! counted. Nothing here decides anything: what is lost changes no alert. A torn end is cut off, a
//! damaged part is named, the rest is used. Of what is kept, memory holds eight bytes for each trace
//! of each segment.
//!
//! *Not here*: how it comes in (`firebell-wire`), what is redacted (senders do that).

mod record;

mod frame;
mod kept;
mod question;

pub use crate::kept::{Dropped, Kept, Limits, nanos_of};
pub use crate::question::{
    Found, LogQuestion, Looking, OfOneTrace, OfTrace, TraceFound, TraceQuestion, logs, trace,
    traces,
};
pub use crate::record::{
    Attributes, LogRecord, Origin, ParseIdError, Record, Span, SpanEvent, SpanId, SpanKind, TraceId,
};
