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
    /// How many repetitions came last, with nothing else between them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub n_repeats: u32,
    /// The alerts of which it was told that they flap; sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flapping: Vec<Fingerprint>,
}

/// What a flush would tell, after muting.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Batch {
    pub(crate) firing: Arc<[Fingerprint]>,
    pub(crate) resolved: Arc<[Fingerprint]>,
    /// Alerts that were told as firing and stay so in the log, while this does not tell of them.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub(crate) held: Arc<[Fingerprint]>,
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
        n_repeats: u32,
    ) -> Self {
        let (firing, resolved) = (batch.all_firing(), batch.resolved.clone());
        let expires_at = at + kept_for + GRACE;
        Self {
            at,
            reason,
            firing,
            resolved,
            expires_at,
            receiver_data,
            n_repeats,
            flapping: Vec::new(),
        }
    }

    /// How many repetitions in a row there are with one more notification.
    pub(crate) fn n_repeats(entry: Option<&Self>, reason: NotificationReason) -> u32 {
        match (entry, reason) {
            (Some(entry), NotificationReason::Repeat) => entry.n_repeats.saturating_add(1),
            _ => 0,
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

impl Batch {
    /// Those that fire, with those that are held.
    fn all_firing(&self) -> Arc<[Fingerprint]> {
        if self.held.is_empty() {
            return self.firing.clone();
        }
        let mut all: Vec<Fingerprint> = self.firing.iter().chain(&*self.held).copied().collect();
        all.sort_unstable();
        all.dedup();
        all.into()
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
    if batch.firing.is_empty() && batch.held.is_empty() {
        // Whatever `send_resolved` says, so that the log no longer lists the alerts as firing.
        return (!entry.firing.is_empty()).then_some(NotificationReason::AllResolved);
    }
    if send_resolved && !is_subset(&batch.resolved, &entry.resolved) {
        return Some(NotificationReason::NewResolved);
    }
    if batch.firing.is_empty() {
        return None; // All that fires is held, and only ends get through.
    }
    (entry.at < now - repeat_interval).then_some(NotificationReason::Repeat)
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

// Both sorted.
fn is_subset(small: &[Fingerprint], large: &[Fingerprint]) -> bool {
    let mut rest = large.iter();
    small
        .iter()
        .all(|wanted| rest.by_ref().any(|it| it == wanted))
}
