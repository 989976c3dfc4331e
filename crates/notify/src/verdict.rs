//! What a receiver's answer means.
//!
//! *Sources*: Alertmanager, `notify/util.go`, `Retrier`; RFC 9110, section 10.2.3 (`Retry-After`).

use firebell_model::{Duration, ReceiverData, Secret};

use crate::http::HttpResponse;

/// The outcome of one attempt to deliver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It arrived.
    Delivered,
    /// It arrived, and this is to be known at the next notification of the group, instead of what
    /// was known: how to find the message again.
    DeliveredAs(ReceiverData),
    /// It may arrive later.
    Retry {
        /// What happened, in one line, without secrets.
        why: String,
        /// What the receiver asked us to wait, at most an hour.
        after: Option<Duration>,
    },
    /// It will never arrive in this form.
    Rejected {
        /// What happened, in one line, without secrets.
        why: String,
    },
}

impl Verdict {
    /// Judges by the status: 2xx arrived, 5xx and `retried` may later, the rest never.
    pub(crate) fn of_status(response: &HttpResponse, retried: &[u16]) -> Self {
        Self::of_status_with(response, retried, one_line)
    }

    /// As [`Verdict::of_status`], with what `detail` makes of the body of a refusal.
    pub(crate) fn of_status_with(
        response: &HttpResponse,
        retried: &[u16],
        detail: impl FnOnce(&[u8]) -> String,
    ) -> Self {
        let HttpResponse { status, body, .. } = response;
        if (200..300).contains(status) {
            return Self::Delivered;
        }
        let mut why = format!("unexpected status code {status}");
        let detail = detail(body);
        if !detail.is_empty() {
            why = format!("{why}: {detail}");
        }
        if (500..600).contains(status) || retried.contains(status) {
            let after = retry_after(response);
            return Self::Retry { why, after };
        }
        Self::Rejected { why }
    }
}

/// What a body says, in one line of bounded length.
pub(crate) fn one_line(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(4 * DETAIL_CHARS_MAX)]);
    let words: Vec<_> = text.split_whitespace().collect();
    let printable = words
        .join(" ")
        .replace(|c: char| c.is_control(), "\u{fffd}");
    printable.chars().take(DETAIL_CHARS_MAX).collect()
}

/// The header `Retry-After`: seconds, or a date that is read against the answer's own `Date`, so
/// that no clock is needed.
fn retry_after(response: &HttpResponse) -> Option<Duration> {
    let value = response.header("retry-after").trim();
    let secs = if value.bytes().all(|byte| byte.is_ascii_digit()) {
        value.parse().ok()?
    } else {
        let secs_of = |date: &str| {
            Some(
                jiff::fmt::rfc2822::parse(date)
                    .ok()?
                    .timestamp()
                    .as_second(),
            )
        };
        secs_of(value)? - secs_of(response.header("date").trim())?
    };
    (secs >= 0).then(|| Duration::from_secs(secs.min(RETRY_AFTER_SECS_MAX)))
}

/// Takes a secret, and the path of one that is an address, out of a text.
pub(crate) fn scrub(text: &mut String, secret: &Secret) {
    let secret = secret.reveal();
    let after_scheme = secret.split_once("://").map_or("", |(_, rest)| rest);
    let path = after_scheme
        .find('/')
        .map_or("", |idx| &after_scheme[idx..]);
    let credentials = secret.split_once(' ').map_or("", |(_, rest)| rest);
    for hidden in [secret, path, credentials] {
        if hidden.len() >= SECRET_BYTES_MIN && text.contains(hidden) {
            *text = text.replace(hidden, "<secret>");
        }
    }
}

/// As [`scrub`], of what somebody has answered: before it is cut, so that no part of one is left.
pub(crate) fn scrub_bytes(bytes: &mut Vec<u8>, secrets: &[Secret]) {
    let said = String::from_utf8_lossy(bytes);
    let mut clean = said.to_string();
    secrets.iter().for_each(|secret| scrub(&mut clean, secret));
    if clean != said {
        *bytes = clean.into_bytes();
    }
}

/// Too many requests; some receivers mean "later" by it.
pub(crate) const TOO_MANY_REQUESTS: u16 = 429;
/// How much of an answer's body is shown.
const DETAIL_CHARS_MAX: usize = 512;
/// The longest wait that a receiver may ask for: group intervals go on meanwhile.
const RETRY_AFTER_SECS_MAX: i64 = 3600;
/// Shorter texts are no secrets, but words (`/`, `on`), and hiding them hides the message.
const SECRET_BYTES_MIN: usize = 4;
