//! An alert as rules and senders hand it to dispatch.

use serde::{Deserialize, Serialize};

use crate::{Labels, Timestamp};

/// One alert: a label set that burns, from `starts_at` until `ends_at`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Alert {
    /// Identity. Never empty.
    pub labels: Labels,
    /// Text for people; may change while the alert fires.
    pub annotations: Labels,
    /// When it began to fire.
    pub starts_at: Timestamp,
    /// When it ended or is going to; `None` while an own rule holds it firing.
    pub ends_at: Option<Timestamp>,
    /// Where the alert can be looked at; may be empty.
    pub generator_url: String,
    /// When this state of it was handed over.
    pub updated_at: Timestamp,
    /// Whether `ends_at` is only the sender's silence plus `resolve_timeout`.
    pub is_timeout: bool,
}

/// Whether an alert still burns.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertStatus {
    /// `now < ends_at`, or no end is known.
    Firing,
    /// `ends_at <= now`.
    Resolved,
}

impl Alert {
    /// Whether it burns at `now`. Derived, never stored: an alert resolves with nobody saying so.
    #[must_use]
    pub fn status_at(&self, now: Timestamp) -> AlertStatus {
        match self.ends_at {
            Some(ends_at) if ends_at <= now => AlertStatus::Resolved,
            _ => AlertStatus::Firing,
        }
    }
}
