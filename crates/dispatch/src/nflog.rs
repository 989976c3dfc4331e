//! The notification log: what each integration was last told of each group.
//!
//! *Sources*: Alertmanager, `nflog/nflog.go`, `notify.DedupStage.needsUpdate`.

use std::sync::Arc;

use firebell_model::{Duration, Fingerprint, NotificationReason, ReceiverData, Timestamp};
use serde::{Deserialize, Serialize};

/// The last notification that was delivered under a key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NflogEntry {
    /// When it was delivered.
    pub at: Timestamp,
    /// Why it was sent.
    pub reason: NotificationReason,
    /// The alerts that fired; sorted.
    pub firing: Arc<[Fingerprint]>,
    /// The alerts that had resolved; sorted.
    pub resolved: Arc<[Fingerprint]>,
    /// When the entry is forgotten.
    pub expires_at: Timestamp,
    /// What the integration wants to be told again at the next notification.
    #[serde(default, skip_serializing_if = "ReceiverData::is_empty")]
    pub receiver_data: ReceiverData,
}

/// What a flush would tell, after muting.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Batch {
    pub(crate) firing: Arc<[Fingerprint]>,
    pub(crate) resolved: Arc<[Fingerprint]>,
}

// Upstream looks for expired entries each 15 minutes only; an entry that is needed at the very
// next flush must not be lost to that, so here it always lives so long.
const GRACE: Duration = Duration::from_mins(15);

impl NflogEntry {
    pub(crate) fn new(
        at: Timestamp,
        reason: NotificationReason,
        batch: &Batch,
        kept_for: Duration,
        receiver_data: ReceiverData,
    ) -> Self {
        let Batch { firing, resolved } = batch.clone();
        let expires_at = at + kept_for + GRACE;
        Self {
            at,
            reason,
            firing,
            resolved,
            expires_at,
            receiver_data,
        }
    }

    /// What is known of earlier notifications when one is sent for a reason: a group that begins
    /// anew begins with nothing.
    pub(crate) fn known(entry: Option<&Self>, reason: NotificationReason) -> ReceiverData {
        match (entry, reason) {
            (Some(entry), reason) if reason != NotificationReason::First => {
                entry.receiver_data.clone()
            }
            _ => ReceiverData::new(),
        }
    }
}

/// Why an integration is to be told, if it is.
pub(crate) fn needs_update(
    now: Timestamp,
    entry: Option<&NflogEntry>,
    batch: &Batch,
    send_resolved: bool,
    repeat_interval: Duration,
) -> Option<NotificationReason> {
    let Some(entry) = entry else {
        return (!batch.firing.is_empty()).then_some(NotificationReason::First);
    };
    if !is_subset(&batch.firing, &entry.firing) {
        let is_first = entry.firing.is_empty();
        let reason = if is_first {
            NotificationReason::First
        } else {
            NotificationReason::NewAlerts
        };
        return Some(reason);
    }
    if batch.firing.is_empty() {
        // Whatever `send_resolved` says, so that the log no longer lists the alerts as firing.
        return (!entry.firing.is_empty()).then_some(NotificationReason::AllResolved);
    }
    if send_resolved && !is_subset(&batch.resolved, &entry.resolved) {
        return Some(NotificationReason::NewResolved);
    }
    (entry.at < now - repeat_interval).then_some(NotificationReason::Repeat)
}

// Both sorted.
fn is_subset(small: &[Fingerprint], large: &[Fingerprint]) -> bool {
    let mut rest = large.iter();
    small
        .iter()
        .all(|wanted| rest.by_ref().any(|it| it == wanted))
}
