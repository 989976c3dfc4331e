//! Silences: people mute alerts by matchers, for a time.
//!
//! *Sources*: Alertmanager, `silence/silence.go` and `api/v2/api.go` (the texts of the errors).

use std::fmt;
use std::str::FromStr;

use firebell_model::{Labels, Matcher, Timestamp};
use serde::{Deserialize, Serialize};

use crate::SilenceTerms;

/// Identity of a silence; its text form is that of a UUID.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SilenceId(u128);

/// What somebody asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SilenceRequest {
    /// Which silence to change; `None` makes a new one.
    pub id: Option<SilenceId>,
    /// All have to match; never none.
    pub matchers: Vec<Matcher>,
    /// From when; a moment in the past becomes now when a silence is made.
    pub starts_at: Timestamp,
    /// Until when, inclusive.
    pub ends_at: Timestamp,
    /// Who asks.
    pub created_by: String,
    /// Why.
    pub comment: String,
    /// Further text, such as a ticket.
    pub annotations: Labels,
    /// What upstream does not know; `None` leaves what the silence had, and is plain for a new one.
    pub terms: Option<SilenceTerms>,
}

/// A silence as it is kept.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Silence {
    /// Identity.
    pub id: SilenceId,
    /// All have to match.
    pub matchers: Vec<Matcher>,
    /// From when.
    pub starts_at: Timestamp,
    /// Until when, inclusive.
    pub ends_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Who asked.
    pub created_by: String,
    /// Why.
    pub comment: String,
    /// Further text.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub annotations: Labels,
    /// What upstream does not know.
    #[serde(default, skip_serializing_if = "SilenceTerms::is_plain")]
    pub terms: SilenceTerms,
}

/// Whether a silence mutes at a moment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SilenceState {
    /// `starts_at <= now <= ends_at`.
    Active,
    /// `now < starts_at`, or between the windows of a weekly one.
    Pending,
    /// `ends_at < now`.
    Expired,
}

/// A request that is refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SilenceError {
    /// No silence has this id (404).
    #[error("silence not found")]
    NotFound(SilenceId),
    /// What is asked for makes no sense (400).
    #[error("{0}")]
    Invalid(String),
    /// There are as many silences as there may be (400).
    #[error("exceeded maximum number of silences: {n_silences} (limit: {silences_max})")]
    TooMany {
        /// How many there are.
        n_silences: usize,
        /// How many there may be.
        silences_max: usize,
    },
}

/// A text that is no UUID.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` is not a UUID")]
pub struct ParseSilenceIdError(pub String);

impl Silence {
    /// Whether it mutes at `now`. At exactly `ends_at` it still does.
    #[must_use]
    pub fn state_at(&self, now: Timestamp) -> SilenceState {
        let is_between = || {
            let weekly = self.terms.weekly.as_ref();
            weekly.is_some_and(|weekly| !weekly.contains(now))
        };
        if now > self.ends_at {
            SilenceState::Expired
        } else if now < self.starts_at || is_between() {
            SilenceState::Pending
        } else {
            SilenceState::Active
        }
    }

    /// Whether it mutes a label set, while it is active.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        self.matchers.iter().all(|matcher| matcher.matches(labels))
    }

    /// Whether `GET /silences?filter=` shows it: each condition has to be written in the silence
    /// with the same name, operator and value; alerts are not looked at.
    #[must_use]
    pub fn has_matchers(&self, filter: &[Matcher]) -> bool {
        filter.iter().all(|wanted| self.matchers.contains(wanted))
    }
}

impl SilenceRequest {
    /// Checks how large it is: the bytes of its texts, and a few for each.
    ///
    /// # Errors
    /// [`SilenceError::Invalid`] with upstream's text.
    pub(crate) fn check_size(&self, bytes_max: usize) -> Result<(), SilenceError> {
        let matchers = self.matchers.iter();
        let annotations = self.annotations.iter();
        let n_bytes: usize = matchers
            .map(|it| it.name().len() + it.value().len() + MATCHER_BYTES)
            .chain(annotations.map(|it| it.name.len() + it.value.len() + MATCHER_BYTES))
            .sum();
        let n_bytes = n_bytes + self.created_by.len() + self.comment.len() + SILENCE_BYTES;
        if n_bytes > bytes_max {
            return Err(SilenceError::Invalid(format!(
                "silence exceeded maximum size: {n_bytes} bytes (limit: {bytes_max} bytes)"
            )));
        }
        Ok(())
    }

    /// Checks what can be checked without other silences.
    ///
    /// # Errors
    /// [`SilenceError::Invalid`] with upstream's text.
    pub fn check(&self, now: Timestamp) -> Result<(), SilenceError> {
        let invalid = |why: &str| Err(SilenceError::Invalid(why.to_owned()));
        if self.starts_at >= self.ends_at {
            return invalid("Failed to create silence: start time must be before end time");
        }
        if self.ends_at < now {
            return invalid("Failed to create silence: end time can't be in the past");
        }
        if self.matchers.is_empty() {
            return invalid("invalid silence: at least one matcher required");
        }
        if let Some(idx) = self
            .matchers
            .iter()
            .position(|matcher| matcher.name().is_empty())
        {
            let why = format!(
                "invalid silence: invalid label matcher {idx} in set 0: invalid label name \"\""
            );
            return Err(SilenceError::Invalid(why));
        }
        if self.matchers.iter().all(is_wide_open) {
            return invalid(
                "invalid silence: matcher set 0: at least one matcher must not match the empty string",
            );
        }
        let terms = self.terms.as_ref();
        terms
            .map_or(Ok(()), SilenceTerms::check)
            .map_err(SilenceError::Invalid)
    }
}

// Upstream looks at positive matchers only: `a!="b"` alone is a silence.
fn is_wide_open(matcher: &Matcher) -> bool {
    use firebell_model::MatchOp::{Equal, Regex};
    matches!(matcher.op(), Equal | Regex) && matcher.matches_value("")
}

impl SilenceId {
    /// From 128 bits; the version and variant of a random UUID are put in.
    #[must_use]
    pub fn from_bits(high: u64, low: u64) -> Self {
        let bits = (u128::from(high) << 64) | u128::from(low);
        let (version, variant) = (0xf << 76, 0x3 << 62);
        Self((bits & !(version | variant)) | (0x4 << 76) | (0x2 << 62))
    }
}

impl fmt::Display for SilenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = format!("{:032x}", self.0);
        let parts = [
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..],
        ];
        f.write_str(&parts.join("-"))
    }
}

impl fmt::Debug for SilenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for SilenceId {
    type Err = ParseSilenceIdError;

    fn from_str(text: &str) -> Result<Self, ParseSilenceIdError> {
        let failed = || ParseSilenceIdError(text.to_owned());
        let lengths = text.split('-').map(str::len);
        if !lengths.eq([8, 4, 4, 4, 12])
            || !text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
        {
            return Err(failed());
        }
        u128::from_str_radix(&text.replace('-', ""), 16)
            .map(Self)
            .map_err(|_| failed())
    }
}

impl TryFrom<String> for SilenceId {
    type Error = ParseSilenceIdError;

    fn try_from(text: String) -> Result<Self, ParseSilenceIdError> {
        text.parse()
    }
}

impl From<SilenceId> for String {
    fn from(id: SilenceId) -> Self {
        id.to_string()
    }
}
/// What upstream's form of a silence takes besides its texts: id, times, tags.
const SILENCE_BYTES: usize = 100;
/// The same for a matcher.
const MATCHER_BYTES: usize = 8;
