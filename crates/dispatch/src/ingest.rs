//! How an alert comes in: posted alerts are completed and checked, and a new state of a known
//! alert is merged with the old one.
//!
//! *Sources*: Alertmanager, `api/v2/api.go` (`postAlertsHandler`), `types.Alert.Merge`,
//! `provider/mem`.

use firebell_model::{Alert, AlertStatus, Duration, Labels, Timestamp};

/// An alert as `POST /api/v2/alerts` gives it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PostedAlert {
    /// Identity; labels with an empty value were dropped by the type.
    pub labels: Labels,
    /// Text for people.
    pub annotations: Labels,
    /// When it began, if the sender says.
    pub starts_at: Option<Timestamp>,
    /// When it ended or will, if the sender says.
    pub ends_at: Option<Timestamp>,
    /// Where the alert can be looked at; may be empty.
    pub generator_url: String,
}

impl PostedAlert {
    /// Fills in the times that are missing, and checks.
    ///
    /// # Errors
    /// In upstream's words, when it has no label, an empty label name, or ends before it starts.
    pub(crate) fn complete(
        self,
        now: Timestamp,
        resolve_timeout: Duration,
    ) -> Result<Alert, String> {
        let alert = Alert {
            starts_at: self.starts_at.or(self.ends_at).unwrap_or(now),
            ends_at: self.ends_at.or(Some(now + resolve_timeout)),
            is_timeout: self.ends_at.is_none(),
            labels: self.labels,
            annotations: self.annotations,
            generator_url: self.generator_url,
            updated_at: now,
        };
        let has_unnamed = |labels: &Labels| labels.iter().any(|label| label.name.is_empty());
        if alert
            .ends_at
            .is_some_and(|ends_at| ends_at < alert.starts_at)
        {
            Err("start time must be before end time".to_owned())
        } else if alert.labels.is_empty() {
            Err("at least one label pair required".to_owned())
        } else if has_unnamed(&alert.labels) {
            Err("invalid label set: invalid name \"\"".to_owned())
        } else if has_unnamed(&alert.annotations) {
            Err("invalid annotations: invalid name \"\"".to_owned())
        } else {
            Ok(alert)
        }
    }
}

/// The state of an alert after `new` came in.
///
/// States whose times overlap are one occurrence; otherwise the new one replaces the old.
pub(crate) fn merge(old: &Alert, new: &Alert, now: Timestamp) -> Alert {
    let ends_inside = end(new) > old.starts_at && end(new) < end(old);
    let starts_inside = new.starts_at > old.starts_at && new.starts_at < end(old);
    if !ends_inside && !starts_inside {
        return new.clone();
    }
    let (older, newer) = if new.updated_at < old.updated_at {
        (new, old)
    } else {
        (old, new)
    };
    let is_resolved = |alert: &Alert| alert.status_at(now) == AlertStatus::Resolved;
    let takes_older_end = end(older) > end(newer)
        && if is_resolved(newer) {
            is_resolved(older)
        } else {
            !older.is_timeout
        };
    let mut merged = newer.clone();
    merged.starts_at = older.starts_at.min(newer.starts_at);
    if takes_older_end {
        merged.ends_at = older.ends_at;
    }
    merged
}

/// When an alert ends; one without an end lasts for ever.
pub(crate) fn end(alert: &Alert) -> Timestamp {
    alert.ends_at.unwrap_or(Timestamp::MAX)
}
