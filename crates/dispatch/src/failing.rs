//! Deliveries that fail: of an integration that nobody could reach for a while, Firebell tells by an
//! alert of its own, which routes may lead another way.
//!
//! *Invariants*: an integration fails from the first attempt that failed until one succeeds; both
//! are written down, so that a restart forgets neither. The alert is there exactly while `told` has its labels.

use std::collections::BTreeMap;
use std::sync::Arc;

use firebell_model::{ALERT_NAME, Alert, Duration, Labels, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Integration, Routing};

/// The name of the alert.
pub const DELIVERY_ALERT: &str = "FirebellNotificationsFailing";

/// When people are told that others cannot be told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeliveryAlert {
    /// How long no delivery of an integration may succeed.
    pub after: Duration,
    /// Labels of the alert besides `alertname`, `receiver` and `integration`.
    pub labels: Labels,
    /// Where people reach Firebell.
    pub external_url: String,
}

impl Default for DeliveryAlert {
    /// After five minutes, critical: for those whom it should have reached it is a fire.
    fn default() -> Self {
        Self {
            after: Duration::from_mins(5),
            labels: Labels::from_pairs([("severity", "critical")]),
            external_url: String::new(),
        }
    }
}

/// That an integration fails, or no longer does.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FailingRecord {
    /// Name of the receiver.
    receiver: Arc<str>,
    integration: Integration,
    /// `None` when it was reached.
    failing: Option<FailingSince>,
}

/// An integration that fails.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FailingSince {
    /// When the first attempt failed after the last one that succeeded.
    pub since: Timestamp,
    /// What the last attempt said.
    pub error: String,
    /// The labels of the alert, once it has been raised: its end has the same ones.
    pub told: Option<Labels>,
}

/// Name of a receiver, and which of its integrations.
pub(crate) type Key = (Arc<str>, Integration);

/// Which integrations fail.
#[derive(Debug, Default)]
pub struct FailingDeliveries {
    options: Option<DeliveryAlert>,
    failing: BTreeMap<Key, FailingSince>,
    changes: Vec<FailingRecord>,
}

impl FailingDeliveries {
    /// None fails.
    #[must_use]
    pub fn new(options: Option<DeliveryAlert>) -> Self {
        Self {
            options,
            ..Self::default()
        }
    }

    /// Takes a record from before a restart.
    pub fn restore(&mut self, record: FailingRecord) {
        let key = (record.receiver, record.integration);
        match record.failing {
            Some(failing) => self.failing.insert(key, failing),
            None => self.failing.remove(&key),
        };
    }

    /// Other options, other receivers: alerts about what is gone end.
    pub fn configure(
        &mut self,
        now: Timestamp,
        options: Option<DeliveryAlert>,
        routing: &Routing,
    ) -> Vec<Alert> {
        let is_there = |(name, integration): &Key| {
            let receivers = routing.receivers().iter();
            let named = receivers.filter(|receiver| receiver.name() == name);
            let mut slots = named.flat_map(|receiver| receiver.slots());
            slots.any(|slot| slot.integration == *integration)
        };
        let keys = self.failing.keys();
        let gone = keys.filter(|key| options.is_none() || !is_there(key));
        let gone: Vec<Key> = gone.cloned().collect();
        let ended = gone.into_iter().filter_map(|key| self.end(now, key));
        let ended = ended.collect();
        self.options = options;
        ended
    }

    /// After a restart: what is gone meanwhile, or off, fails no longer.
    pub fn resume(&mut self, now: Timestamp, routing: &Routing) -> Vec<Alert> {
        self.configure(now, self.options.clone(), routing)
    }

    /// An attempt failed.
    pub fn fail(&mut self, now: Timestamp, key: Key, error: &str) {
        if self.options.is_none() {
            return;
        }
        let is_new = !self.failing.contains_key(&key);
        let failing = self.failing.entry(key.clone()).or_insert(FailingSince {
            since: now,
            error: String::new(),
            told: None,
        });
        if is_new || failing.error != error {
            error.clone_into(&mut failing.error);
            self.change(key);
        }
    }

    /// An attempt succeeded: the alert's end, if it was raised.
    pub fn succeed(&mut self, now: Timestamp, key: Key) -> Option<Alert> {
        if !self.failing.contains_key(&key) {
            return None;
        }
        self.end(now, key)
    }

    /// When [`FailingDeliveries::handle_deadline`] wants to be called next.
    #[must_use]
    pub fn poll_deadline(&self) -> Option<Timestamp> {
        let after = self.options.as_ref()?.after;
        let untold = self
            .failing
            .values()
            .filter(|failing| failing.told.is_none());
        untold.map(|failing| failing.since + after).min()
    }

    /// The alerts that are due.
    pub fn handle_deadline(&mut self, now: Timestamp) -> Vec<Alert> {
        let Some(options) = self.options.clone() else {
            return Vec::new();
        };
        let due = self.failing.iter_mut().filter(|(_, failing)| {
            let is_due = failing.since + options.after <= now;
            is_due && failing.told.is_none()
        });
        let mut alerts = Vec::new();
        let mut keys = Vec::new();
        for (key, failing) in due {
            let labels = options.labels(key);
            alerts.push(options.alert(key, failing, labels.clone(), now));
            failing.told = Some(labels);
            keys.push(key.clone());
        }
        keys.into_iter().for_each(|key| self.change(key));
        alerts
    }

    /// What has changed since the last call.
    pub fn take_changes(&mut self) -> Vec<FailingRecord> {
        std::mem::take(&mut self.changes)
    }

    /// The whole state.
    pub fn records(&self) -> impl Iterator<Item = FailingRecord> {
        self.failing
            .iter()
            .map(|(key, failing)| record(key, Some(failing.clone())))
    }

    fn end(&mut self, now: Timestamp, key: Key) -> Option<Alert> {
        let failing = self.failing.remove(&key);
        let labels = failing.as_ref().and_then(|failing| failing.told.clone());
        // What it is called may have been changed since, or it may be off by now.
        let options = self.options.clone().unwrap_or_default();
        let alert = failing.zip(labels).map(|(failing, labels)| Alert {
            ends_at: Some(now),
            ..options.alert(&key, &failing, labels, now)
        });
        self.change(key);
        alert
    }

    fn change(&mut self, key: Key) {
        let failing = self.failing.get(&key).cloned();
        self.changes.push(record(&key, failing));
    }
}

fn record((receiver, integration): &Key, failing: Option<FailingSince>) -> FailingRecord {
    FailingRecord {
        receiver: Arc::clone(receiver),
        integration: integration.clone(),
        failing,
    }
}

impl DeliveryAlert {
    fn labels(&self, (receiver, integration): &Key) -> Labels {
        let integration = integration.to_string();
        let own = [
            (ALERT_NAME, DELIVERY_ALERT),
            ("receiver", receiver),
            ("integration", integration.as_str()),
        ];
        let given = self.labels.iter().map(|it| (&*it.name, &*it.value));
        let labels: BTreeMap<&str, &str> = given.chain(own).collect();
        Labels::from_pairs(labels)
    }

    fn alert(
        &self,
        (receiver, integration): &Key,
        failing: &FailingSince,
        labels: Labels,
        now: Timestamp,
    ) -> Alert {
        let FailingSince { since, error, .. } = failing;
        let summary = format!("Notifications to {receiver} ({integration}) fail since {since}");
        Alert {
            labels,
            annotations: Labels::from_pairs([
                ("summary", summary.as_str()),
                ("description", &format!("The last attempt said: {error}")),
            ]),
            starts_at: *since,
            ends_at: None,
            generator_url: self.external_url.clone(),
            updated_at: now,
            is_timeout: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DEFAULT_RESOLVE_TIMEOUT, Receiver, Receivers, RouteSpec};

    fn routing() -> Routing {
        let receivers = Receivers::new(vec![Receiver::new("chat", [("webhook", true)])]).unwrap();
        let root = RouteSpec {
            receiver: receivers.resolve("chat"),
            ..RouteSpec::default()
        };
        Routing::new(receivers, root, Vec::new(), DEFAULT_RESOLVE_TIMEOUT).unwrap()
    }

    fn key(receiver: &str) -> Key {
        let kind = Arc::from("webhook");
        (Arc::from(receiver), Integration { kind, idx: 0 })
    }

    fn min(n: i64) -> Timestamp {
        Timestamp(n * 60_000)
    }

    /// Fails for so long that the alert is raised, and what a restart would find.
    fn raised(receiver: &str) -> (FailingDeliveries, Labels, Vec<FailingRecord>) {
        let mut failing = FailingDeliveries::new(Some(DeliveryAlert::default()));
        failing.fail(min(0), key(receiver), "refused");
        failing.fail(min(4), key(receiver), "late");
        assert_eq!(failing.poll_deadline(), Some(min(5)));
        assert!(failing.handle_deadline(min(4)).is_empty());
        let alerts = failing.handle_deadline(min(5));
        let [alert] = &*alerts else {
            panic!("{alerts:?}");
        };
        assert_eq!((alert.starts_at, alert.ends_at), (min(0), None));
        assert!(alert.annotations.value("description").ends_with("late"));
        assert!(failing.handle_deadline(min(6)).is_empty());
        let (labels, records) = (alert.labels.clone(), failing.records().collect());
        (failing, labels, records)
    }

    fn check_ended(alerts: &[Alert], labels: &Labels, at: Timestamp) {
        let ended: Vec<_> = alerts.iter().map(|it| (&it.labels, it.ends_at)).collect();
        assert_eq!(ended, [(labels, Some(at))]);
    }

    #[test]
    fn the_end_is_that_of_the_alert_that_was_raised_whatever_is_configured_by_then() {
        let (mut failing, labels, _) = raised("chat");
        let other = DeliveryAlert {
            labels: Labels::from_pairs([("severity", "page")]),
            ..DeliveryAlert::default()
        };
        assert!(
            failing
                .configure(min(6), Some(other), &routing())
                .is_empty()
        );
        let ended = failing.succeed(min(7), key("chat"));
        check_ended(ended.as_slice(), &labels, min(7));
        assert!(failing.succeed(min(8), key("chat")).is_none());
        assert_eq!(failing.records().count(), 0);
    }

    #[test]
    fn after_a_restart_what_is_off_or_gone_fails_no_longer() {
        for (options, receiver, ends) in [
            (Some(DeliveryAlert::default()), "chat", false),
            (Some(DeliveryAlert::default()), "gone", true),
            (None, "chat", true),
        ] {
            let (_, labels, records) = raised(receiver);
            let mut failing = FailingDeliveries::new(options);
            records
                .into_iter()
                .for_each(|record| failing.restore(record));
            let ended = failing.resume(min(9), &routing());
            match ends {
                true => check_ended(&ended, &labels, min(9)),
                false => assert!(ended.is_empty(), "{ended:?}"),
            }
        }
    }
}
