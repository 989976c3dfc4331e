//! A group of alerts that are told of together, its timer and its flush under way.

use std::collections::BTreeSet;
use std::sync::Arc;

use firebell_model::{Fingerprint, Labels, Notification, Timestamp};
use serde::{Deserialize, Serialize};

use crate::nflog::Batch;
use crate::{DeliveryId, FailureCause, Integration, RouteIdx};

/// Identity of a group while the route tree stands.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct GroupKey {
    pub(crate) route: RouteIdx,
    pub(crate) labels: Labels,
}

/// A group. Never empty between two inputs.
#[derive(Debug)]
pub(crate) struct Group {
    /// Upstream's key, `{}/{a="b"}:{alertname="Down"}`.
    pub(crate) key_text: Arc<str>,
    pub(crate) alerts: BTreeSet<Fingerprint>,
    pub(crate) timers: Timers,
    /// The deliveries of the flush under way.
    pub(crate) open: BTreeSet<DeliveryId>,
}

/// What of a group is not derived from its alerts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Timers {
    /// When it decides next.
    pub(crate) flush_at: Timestamp,
    /// Whether that moment passed while a flush was under way.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_due: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) flush: Option<Flush>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last_failure: Option<LastFailure>,
    /// The time intervals that muted it when it last decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) muted_by: Vec<Arc<str>>,
    /// The alerts of which it was told that they flap; sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) flapping: Vec<Fingerprint>,
}

/// A flush whose deliveries are under way.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Flush {
    pub(crate) deadline: Timestamp,
    /// What is written to the log when a delivery succeeds.
    pub(crate) batch: Batch,
    /// The resolved alerts, each with the `updated_at` at which it leaves the group on success.
    pub(crate) leaving: Vec<(Fingerprint, Timestamp)>,
    pub(crate) has_failed: bool,
    /// What [`Timers::flapping`] is on success.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) flapping: Vec<Fingerprint>,
    /// The period of its receiver in which it counts, by its begin, as long as nothing of it arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) counts_in: Option<Timestamp>,
}

/// The last delivery of a group that was given up.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LastFailure {
    /// When it was given up.
    pub at: Timestamp,
    /// To whom.
    pub integration: Integration,
    /// After how many attempts.
    pub attempt: u32,
    /// What the last attempt said, or that there was no answer.
    pub why: String,
}

/// A delivery until its outcome is final.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Pending {
    pub(crate) origin: Origin,
    pub(crate) receiver: Arc<str>,
    pub(crate) integration: Integration,
    pub(crate) notification: Arc<Notification>,
    pub(crate) attempts: Attempts,
    /// What kind of failure was last; not recorded.
    pub(crate) last_cause: FailureCause,
}

/// What a delivery tells of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Origin {
    /// A group.
    Group(GroupKey),
    /// The groups in the summary of its receiver.
    Summary,
}

/// How far a delivery has come.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Attempts {
    /// Counts from 1.
    pub(crate) attempt: u32,
    /// When the current or last attempt began.
    pub(crate) attempted_at: Timestamp,
    /// When the next one begins; `None` while one is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) retry_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last_error: Option<String>,
}
