//! What dispatch decides to tell, before an integration gives it a form.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Alert, AlertStatus, Fingerprint, Labels, Timestamp};

/// One message about one group of alerts to one integration of a receiver.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Notification {
    /// When it was decided.
    pub at: Timestamp,
    /// Name of the receiver, as configured.
    pub receiver: String,
    /// Upstream's group key, such as `{}:{alertname="Down"}`.
    pub group_key: String,
    /// The labels that the group's alerts share by `group_by`.
    pub group_labels: Labels,
    /// The labels of the route. Their values may be templates, until they are rendered for the
    /// delivery.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub route_labels: Labels,
    /// Why it is sent.
    pub reason: NotificationReason,
    /// The alerts in upstream's order (job, instance, labels); those that fire have no end.
    pub alerts: Vec<Alert>,
    /// The values of alerts of own rules against their thresholds, such as `0.2 > 0.05`, as they
    /// were when this attempt began. Not kept.
    #[serde(skip)]
    pub measured: BTreeMap<Fingerprint, String>,
}

/// What an integration wants to be told again at the next notification of the same group, such as
/// where its message is. Source: Alertmanager, `nflog.proto`, `receiver_data`.
pub type ReceiverData = BTreeMap<String, String>;

/// Why a notification is sent. Source: Alertmanager, `notify/dedup`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotificationReason {
    /// Nothing firing was told of before.
    First,
    /// An alert fires that the last notification did not list.
    NewAlerts,
    /// Every alert of the group has resolved.
    AllResolved,
    /// Some alerts resolved since the last notification.
    NewResolved,
    /// `repeat_interval` has passed.
    Repeat,
}

impl Notification {
    /// Firing when any of its alerts fires.
    #[must_use]
    pub fn status(&self) -> AlertStatus {
        let statuses = self.alerts.iter().map(|alert| alert.status_at(self.at));
        statuses.min().unwrap_or(AlertStatus::Resolved)
    }

    /// The labels that all alerts share with the same value.
    #[must_use]
    pub fn common_labels(&self) -> Labels {
        common(self.alerts.iter().map(|alert| &alert.labels))
    }

    /// The annotations that all alerts share with the same value.
    #[must_use]
    pub fn common_annotations(&self) -> Labels {
        common(self.alerts.iter().map(|alert| &alert.annotations))
    }
}

fn common<'a>(mut sets: impl Iterator<Item = &'a Labels>) -> Labels {
    let Some(first) = sets.next() else {
        return Labels::empty();
    };
    let mut shared: BTreeMap<&str, &str> = first
        .iter()
        .map(|label| (&*label.name, &*label.value))
        .collect();
    for set in sets {
        shared.retain(|name, value| set.get(name) == Some(value));
    }
    Labels::from_pairs(shared)
}
