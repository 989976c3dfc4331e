//! The frame around every answer, and errors.

use serde::Serialize;

/// `{"status":"success","data":…}`
#[derive(Clone, Debug, Serialize)]
pub struct Success<T> {
    status: &'static str,
    /// What was asked for.
    pub data: T,
    /// What may be wrong with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What might be better.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub infos: Vec<String>,
}

impl<T: Serialize> Success<T> {
    /// An answer without warnings.
    #[must_use]
    pub fn new(data: T) -> Self {
        let (status, warnings, infos) = ("success", Vec::new(), Vec::new());
        Self {
            status,
            data,
            warnings,
            infos,
        }
    }

    /// The body.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        // Only maps with keys that are no text fail, and none of ours has those.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// A request that failed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// What kind of failure; decides the HTTP status.
    pub kind: ErrorKind,
    /// For people.
    pub message: String,
}

/// Kinds of failure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrorKind {
    /// The request makes no sense.
    BadData,
    /// The expression cannot be evaluated.
    Execution,
    /// It took too long.
    Timeout,
    /// The client went away.
    Canceled,
    /// Our fault.
    Internal,
    /// There is no such thing.
    NotFound,
    /// Not ready yet.
    Unavailable,
    /// The wanted format is not to be had.
    NotAcceptable,
    /// It does not fit to how things stand; not in upstream.
    Conflict,
    /// It was asked for too often; not in upstream.
    TooMany,
}

/// Kind, upstream's `errorType`, HTTP status.
const ERRORS: [(ErrorKind, &str, u16); 10] = [
    (ErrorKind::BadData, "bad_data", 400),
    (ErrorKind::Execution, "execution", 422),
    (ErrorKind::Timeout, "timeout", 503),
    (ErrorKind::Canceled, "canceled", 499),
    (ErrorKind::Internal, "internal", 500),
    (ErrorKind::NotFound, "not_found", 404),
    (ErrorKind::Unavailable, "unavailable", 503),
    (ErrorKind::NotAcceptable, "not_acceptable", 406),
    (ErrorKind::Conflict, "conflict", 409),
    (ErrorKind::TooMany, "too_many_requests", 429),
];

impl ErrorKind {
    fn row(self) -> (&'static str, u16) {
        let row = ERRORS.iter().find(|(kind, ..)| *kind == self);
        row.map_or(("internal", 500), |(_, name, status)| (name, *status))
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(self) -> u16 {
        self.row().1
    }

    /// Upstream's `errorType`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().0
    }
}

impl ApiError {
    /// An error of a kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { kind, message }
    }

    /// A parameter that cannot be read: `invalid parameter "step": …`.
    pub(super) fn parameter(name: &str, why: impl std::fmt::Display) -> Self {
        Self::new(
            ErrorKind::BadData,
            format!("invalid parameter {name:?}: {why}"),
        )
    }

    /// The body: `{"status":"error","errorType":"bad_data","error":"…"}`
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Body<'a> {
            status: &'a str,
            #[serde(rename = "errorType")]
            kind: &'a str,
            error: &'a str,
        }
        let (status, kind, error) = ("error", self.kind.name(), &*self.message);
        serde_json::to_vec(&Body {
            status,
            kind,
            error,
        })
        .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_have_upstreams_frame() {
        let text = |json: Vec<u8>| String::from_utf8(json).unwrap();
        let mut success = Success::new(["up"]);
        assert_eq!(
            text(success.to_json()),
            r#"{"status":"success","data":["up"]}"#
        );
        success.warnings.push("w".to_owned());
        assert_eq!(
            text(success.to_json()),
            r#"{"status":"success","data":["up"],"warnings":["w"]}"#
        );
        let error = ApiError::parameter("step", "x");
        assert_eq!(error.kind.status(), 400);
        assert_eq!(
            text(error.to_json()),
            r#"{"status":"error","errorType":"bad_data","error":"invalid parameter \"step\": x"}"#
        );
    }
}
