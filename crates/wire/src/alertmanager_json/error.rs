//! Requests that are refused, in the shapes that clients know.

use serde::Serialize;

/// A request that is refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RequestError {
    /// The body or a parameter has the wrong form; the body is `{"code":…,"message":…}`.
    #[error("{message}")]
    Form {
        /// go-openapi's code; those from 600 on have the status 422.
        code: u16,
        /// What is wrong.
        message: String,
    },
    /// What is asked for makes no sense; the body is a JSON string.
    #[error("{message}")]
    Meaning {
        /// HTTP status.
        status: u16,
        /// What is wrong.
        message: String,
    },
}

impl RequestError {
    /// Something asked for makes no sense (400).
    pub fn bad_request(message: impl Into<String>) -> Self {
        let message = message.into();
        Self::Meaning {
            status: 400,
            message,
        }
    }

    pub(super) fn required(name: &str) -> Self {
        let message = format!("{name} in body is required");
        Self::Form { code: 602, message }
    }

    pub(super) fn too_few(name: &str) -> Self {
        let message = format!("{name} in body should have at least 1 items");
        Self::Form { code: 612, message }
    }

    pub(super) fn unreadable(name: &str, why: &serde_json::Error) -> Self {
        let message = format!("parsing {name} body from \"\" failed, because {why}");
        Self::Form { code: 400, message }
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            // go-openapi's own codes are no HTTP statuses.
            Self::Form { code: 600.., .. } => 422,
            Self::Form { code, .. } => *code,
            Self::Meaning { status, .. } => *status,
        }
    }

    /// The body.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Form<'a> {
            code: u16,
            message: &'a str,
        }
        let json = match self {
            Self::Form { code, message } => serde_json::to_vec(&Form {
                code: *code,
                message,
            }),
            Self::Meaning { message, .. } => serde_json::to_vec(message),
        };
        json.unwrap_or_default()
    }
}
