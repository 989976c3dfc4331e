//! What is kept: spans and log records, in OpenTelemetry's words.
//!
//! *Sources*: `opentelemetry-proto`, `trace.proto` and `logs.proto`.

use std::fmt;
use std::str::FromStr;

use firebell_disk::LogOptions;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Names with their values as texts; lists and maps are JSON.
pub type Attributes = Vec<(String, String)>;

/// Who sent something: its resource.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Origin {
    /// `service.name`; empty when it says none.
    pub service: String,
    /// All that it says.
    pub attributes: Attributes,
}

/// The id of a trace; never zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TraceId(u128);

/// The id of a span; never zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SpanId(u64);

/// A text that is no id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ParseIdError;

impl fmt::Display for ParseIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id is 32 hexadecimal digits for a trace, 16 for a span, and not all zero")
    }
}

impl std::error::Error for ParseIdError {}

impl TraceId {
    /// The id of 16 bytes; `None` when it is none.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let number = u128::from_be_bytes(bytes.try_into().ok()?);
        (number != 0).then_some(Self(number))
    }

    /// What stands for it where a few that stand for each other do no harm.
    pub(crate) fn short(self) -> u64 {
        // The low half is the random one, also where ids begin with a time.
        self.0 as u64
    }
}

impl SpanId {
    /// The id of 8 bytes; `None` when it is none.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let number = u64::from_be_bytes(bytes.try_into().ok()?);
        (number != 0).then_some(Self(number))
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for TraceId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let bytes = firebell_model::from_hex(text).ok_or(ParseIdError)?;
        Self::of_bytes(&bytes).ok_or(ParseIdError)
    }
}

impl FromStr for SpanId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let bytes = firebell_model::from_hex(text).ok_or(ParseIdError)?;
        Self::of_bytes(&bytes).ok_or(ParseIdError)
    }
}

impl TryFrom<String> for TraceId {
    type Error = ParseIdError;

    fn try_from(text: String) -> Result<Self, ParseIdError> {
        text.parse()
    }
}

impl TryFrom<String> for SpanId {
    type Error = ParseIdError;

    fn try_from(text: String) -> Result<Self, ParseIdError> {
        text.parse()
    }
}

impl From<TraceId> for String {
    fn from(id: TraceId) -> Self {
        id.to_string()
    }
}

impl From<SpanId> for String {
    fn from(id: SpanId) -> Self {
        id.to_string()
    }
}

/// The part of a span in a conversation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the words of OpenTelemetry")]
pub enum SpanKind {
    #[default]
    Internal,
    Server,
    Client,
    Producer,
    Consumer,
}

impl SpanKind {
    /// By its number in the format; what is not known is internal.
    #[must_use]
    pub fn of_number(number: u64) -> Self {
        match number {
            2 => Self::Server,
            3 => Self::Client,
            4 => Self::Producer,
            5 => Self::Consumer,
            _ => Self::Internal,
        }
    }

    /// Its name, in small letters.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Server => "server",
            Self::Client => "client",
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        }
    }
}

/// A part of a trace.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Span {
    /// Its trace.
    #[serde(rename = "t")]
    pub trace: TraceId,
    /// Its own id.
    #[serde(rename = "i")]
    pub id: SpanId,
    /// The span within which it is; none for the first one of a trace.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<SpanId>,
    /// What is done.
    #[serde(rename = "n")]
    pub name: String,
    /// Its part in a conversation.
    #[serde(rename = "k", default)]
    pub kind: SpanKind,
    /// Nanoseconds since 1970.
    #[serde(rename = "s")]
    pub start_nanos: u64,
    /// Nanoseconds since 1970.
    #[serde(rename = "e")]
    pub end_nanos: u64,
    /// Why it failed, which may be empty; `None` when it did not.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// What is known of it.
    #[serde(rename = "a", default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Attributes,
    /// What happened within it.
    #[serde(rename = "v", default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<SpanEvent>,
    /// Spans that it has to do with, mostly of other traces.
    #[serde(rename = "l", default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<(TraceId, SpanId)>,
}

/// Something that happened within a span.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SpanEvent {
    /// Nanoseconds since 1970.
    #[serde(rename = "s")]
    pub nanos: u64,
    /// What happened.
    #[serde(rename = "n")]
    pub name: String,
    /// What is known of it.
    #[serde(rename = "a", default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Attributes,
}

/// A line of a log, or an event.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct LogRecord {
    /// Nanoseconds since 1970.
    #[serde(rename = "s")]
    pub nanos: u64,
    /// From 1 (trace) to 24 (fatal); 0 when it is not said.
    #[serde(rename = "y", default)]
    pub severity: u8,
    /// As its source calls it.
    #[serde(rename = "x", default, skip_serializing_if = "String::is_empty")]
    pub severity_text: String,
    /// The name of an event, which is no log line.
    #[serde(rename = "n", default, skip_serializing_if = "String::is_empty")]
    pub event: String,
    /// What is said.
    #[serde(rename = "b", default, skip_serializing_if = "String::is_empty")]
    pub body: String,
    /// What is known of it.
    #[serde(rename = "a", default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Attributes,
    /// The trace in which it was said.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceId>,
    /// The span in which it was said.
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    pub span: Option<SpanId>,
}

/// One of the two kinds that are kept.
pub trait Record: Serialize + DeserializeOwned {
    /// Where its kind is kept.
    const FOLDER: &'static str;
    /// What its segments begin with.
    const MAGIC: [u8; 8];

    /// When it began, in nanoseconds since 1970.
    fn nanos(&self) -> u64;

    /// The trace to which it belongs.
    fn trace(&self) -> Option<TraceId>;

    /// Is told when it came, for what has no time of its own.
    fn came(&mut self, _nanos: u64) {}

    /// How its kind is kept in segments of so many bytes.
    #[must_use]
    fn options(segment_bytes_max: u64) -> LogOptions {
        LogOptions {
            folder: Self::FOLDER,
            magic: Self::MAGIC,
            magics_read: &[],
            segment_bytes_max,
        }
    }
}

impl Record for Span {
    const FOLDER: &'static str = "spans";
    const MAGIC: [u8; 8] = *b"FBSPANS1";

    fn nanos(&self) -> u64 {
        self.start_nanos
    }

    fn trace(&self) -> Option<TraceId> {
        Some(self.trace)
    }
}

impl Record for LogRecord {
    const FOLDER: &'static str = "logs";
    const MAGIC: [u8; 8] = *b"FBLOGS 1";

    fn nanos(&self) -> u64 {
        self.nanos
    }

    fn came(&mut self, nanos: u64) {
        if self.nanos == 0 {
            self.nanos = nanos;
        }
    }

    fn trace(&self) -> Option<TraceId> {
        self.trace
    }
}
