//! What the sender is told.

use serde_json::json;

use crate::protobuf::Writer;

/// How a request is written, and so its answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    /// `application/x-protobuf`
    Protobuf,
    /// `application/json`
    Json,
}

impl Encoding {
    /// The encoding that a `Content-Type` names; `None` when it is neither.
    #[must_use]
    pub fn of_content_type(header: &str) -> Option<Self> {
        let media_type = header.split(';').next().unwrap_or("").trim();
        if media_type.eq_ignore_ascii_case("application/x-protobuf") {
            Some(Self::Protobuf)
        } else if media_type.eq_ignore_ascii_case("application/json") {
            Some(Self::Json)
        } else {
            None
        }
    }

    /// The `Content-Type` of the answer.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }
}

/// What a request is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the words of OpenTelemetry")]
pub enum Signal {
    Metrics,
    Traces,
    Logs,
}

impl Signal {
    /// The field that says how many were refused.
    fn rejected(self) -> &'static str {
        match self {
            Self::Metrics => "rejectedDataPoints",
            Self::Traces => "rejectedSpans",
            Self::Logs => "rejectedLogRecords",
        }
    }
}

/// What of a request was not stored.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rejected {
    /// Data points, spans or log records.
    pub n_refused: u64,
    /// Why.
    pub why: String,
}

impl Rejected {
    /// The answer to a request, such as `ExportMetricsServiceResponse`: empty when all was stored.
    #[must_use]
    pub fn to_response(&self, signal: Signal, encoding: Encoding) -> Vec<u8> {
        let Self { n_refused, why } = self;
        let has_news = *n_refused > 0 || !why.is_empty();
        match encoding {
            Encoding::Protobuf if has_news => Writer::of(|response| {
                response.message(1, |partial| {
                    partial.varint(1, *n_refused);
                    partial.text(2, why);
                });
            }),
            Encoding::Protobuf => Vec::new(),
            Encoding::Json if has_news => {
                let partial =
                    json!({signal.rejected(): n_refused.to_string(), "errorMessage": why});
                json!({ "partialSuccess": partial })
                    .to_string()
                    .into_bytes()
            }
            Encoding::Json => b"{}".to_vec(),
        }
    }

    /// A `google.rpc.Status` with this message, the body of an answer that is an error.
    #[must_use]
    pub fn status(encoding: Encoding, code: u64, message: &str) -> Vec<u8> {
        match encoding {
            Encoding::Protobuf => Writer::of(|status| {
                status.varint(1, code);
                status.text(2, message);
            }),
            Encoding::Json => json!({"code": code, "message": message})
                .to_string()
                .into_bytes(),
        }
    }
}
