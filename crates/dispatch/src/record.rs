//! The state of dispatch as records, each the current value of one key.
//!
//! Keys are stable: a fingerprint, a route id with group labels, a delivery's number, a log key, a
//! silence id. What follows from these and the routing (routes, indexes, deadlines) is not
//! recorded but computed again. An alert that is posted again, which says nothing new but its
//! times, is recorded by these alone.

mod packed;

use std::sync::Arc;

use firebell_model::{Alert, Fingerprint, Labels, Notification, Timestamp};
use serde::{Deserialize, Serialize};

use crate::group::{Attempts, Timers};
use crate::ingest::Times;
use crate::nflog::NflogEntry;
use crate::window::{HeldKey, HeldRecord, PeriodRecord, WholeWindow};
use crate::{DeliveryId, Integration, Silence, SilenceId};

/// One key with its value; `None` says that the key is gone. Later records win; of alerts that were
/// renewed, only in the times.
///
/// As JSON, `{"alert": {"fingerprint": …, "value": …}}`; unknown keys are ignored.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DispatchRecord {
    /// An alert.
    Alert {
        /// Its identity.
        fingerprint: Fingerprint,
        /// Its state.
        value: Option<AlertRecord>,
    },
    /// The times of known alerts that go on as they were: their senders say so again.
    Renewed(Vec<Renewed>),
    /// A group of alerts.
    Group {
        /// [`crate::Route::id`].
        route: Arc<str>,
        /// The group's labels.
        labels: Labels,
        /// Its timers.
        value: Option<GroupRecord>,
    },
    /// A delivery under way.
    Delivery {
        /// Its identity.
        id: DeliveryId,
        /// How far it has come.
        value: Option<Box<DeliveryRecord>>,
    },
    /// An entry of the notification log.
    Nflog {
        /// `<group key>:<receiver>/<kind>/<idx>`, as upstream's.
        key: Arc<str>,
        /// What was last told.
        value: Option<NflogEntry>,
    },
    /// A silence.
    Silence {
        /// Its identity.
        id: SilenceId,
        /// What it is.
        value: Option<Box<Silence>>,
    },
    /// The period of a receiver with a limit, whole: read only.
    Window {
        /// Name of the receiver.
        receiver: Arc<str>,
        /// What was told in it and what waits.
        value: Option<Box<WholeWindow>>,
    },
    /// The period of a receiver with a limit; without it none of its groups waits.
    Period {
        /// Name of the receiver.
        receiver: Arc<str>,
        /// What was told in it.
        value: Option<PeriodRecord>,
    },
    /// A group that waits for the summary of its receiver, or is in the one under way.
    Held {
        /// Name of the receiver.
        receiver: Arc<str>,
        /// [`crate::Route::id`].
        route: Arc<str>,
        /// The group's labels.
        labels: Labels,
        /// Which of the two.
        value: Option<Box<HeldRecord>>,
    },
    /// The counters that identities are made of.
    Counters(Counters),
}

/// An alert, and the routes whose groups no longer wait for it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AlertRecord {
    pub(crate) alert: Alert,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) left: Vec<Arc<str>>,
    /// When it fired anew; kept where a route damps what flaps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) firings: Vec<Timestamp>,
}

/// An alert of which nothing but the times has changed: it goes on as it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Renewed {
    pub(crate) fingerprint: Fingerprint,
    #[serde(flatten)]
    pub(crate) times: Times,
}

/// What of a group is not derived from its alerts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GroupRecord(pub(crate) Timers);

/// A delivery under way.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DeliveryRecord {
    pub(crate) route: Arc<str>,
    pub(crate) group_labels: Labels,
    pub(crate) receiver: Arc<str>,
    pub(crate) integration: Integration,
    pub(crate) notification: Arc<Notification>,
    pub(crate) attempts: Attempts,
    /// Whether it is a summary of its receiver; route and labels are empty then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_summary: bool,
}

/// The counters that identities are made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Counters {
    #[serde(default)]
    pub(crate) deliveries: u64,
    #[serde(default)]
    pub(crate) silences: u64,
}

/// A key whose value changed since the changes were last taken.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum DirtyKey {
    Alert(Fingerprint),
    Group(Arc<str>, Labels),
    Delivery(DeliveryId),
    Nflog(Arc<str>),
    Silence(SilenceId),
    Period(Arc<str>),
    /// A group of that receiver; behind its period.
    Held(Arc<str>, HeldKey),
    Counters,
}
