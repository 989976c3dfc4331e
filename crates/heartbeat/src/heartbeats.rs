//! All heartbeats: beats come in, alerts begin and end.

use std::collections::{BTreeMap, BTreeSet};

use firebell_model::{Alert, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::{
    Beat, Declared, FAILED_ALERT, Heartbeat, HeartbeatKey, MISSED_ALERT, Outcome, Policy, Refusal,
};

/// What is known of a job now, to be written down.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HeartbeatRecord {
    key: HeartbeatKey,
    /// `None` when it is forgotten.
    is: Option<Heartbeat>,
}

/// See the crate's documentation. Methods that return alerts return those that begin or end, without a
/// `generator_url`.
#[derive(Debug, Default)]
pub struct Heartbeats {
    policy: Policy,
    all: BTreeMap<HeartbeatKey, Heartbeat>,
    /// When each is missed that is not yet.
    deadlines: BTreeSet<(Timestamp, HeartbeatKey)>,
    changed: BTreeSet<HeartbeatKey>,
}

impl Heartbeats {
    /// None is known but those that the policy declares. Follow with [`Heartbeats::restore`] for each
    /// record and [`Heartbeats::resume`] once.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            ..Self::default()
        }
    }

    /// Takes a record from before a restart.
    pub fn restore(&mut self, record: HeartbeatRecord) {
        self.put(record.key, record.is);
    }

    /// Goes on after a restart, or begins.
    pub fn resume(&mut self, now: Timestamp) -> Vec<Alert> {
        for (key, mut it) in self.all.clone() {
            it.resume(now);
            self.change(key, it);
        }
        self.configure(now, self.policy.clone())
    }

    /// Other jobs are declared: those that no longer are, are forgotten.
    pub fn configure(&mut self, now: Timestamp, policy: Policy) -> Vec<Alert> {
        self.policy = policy;
        let declared: BTreeSet<&HeartbeatKey> =
            self.policy.declared.iter().map(|it| &it.key).collect();
        let known = self.all.iter();
        let gone = known.filter(|(key, it)| it.is_declared && !declared.contains(key));
        let gone: BTreeSet<HeartbeatKey> = gone.map(|(key, _)| key.clone()).collect();
        let left = self.all.iter().filter(|(key, _)| !declared.contains(key));
        let left: BTreeMap<HeartbeatKey, Heartbeat> =
            left.map(|(key, it)| (key.clone(), it.clone())).collect();
        let mut alerts = Vec::new();
        for key in &gone {
            alerts.extend(self.remove(now, key.clone()));
        }
        for Declared { key, expectation } in self.policy.declared.clone() {
            let known = self.all.get(&key).cloned();
            let mut it = known.unwrap_or_else(|| Heartbeat::new(now, expectation.clone(), true));
            it.is_declared = true;
            it.expectation = expectation;
            // What is known of a job stays known when the same is declared with or without its service.
            let is_heir = |before: &HeartbeatKey| {
                key.is_heir_of(before) && (key.service().is_empty() || gone.contains(before))
            };
            let left = left.iter().filter(|(before, _)| is_heir(before));
            left.clone()
                .for_each(|(_, before)| it.inherit_times(before));
            for (_, before) in left {
                it.inherit_alerts(now, &key, before, &mut alerts);
            }
            self.settle(now, &key, &mut it, &mut alerts);
            self.change(key, it);
        }
        let taken_over = self.all.keys().filter(|key| self.known_as(key) != **key);
        for key in taken_over.cloned().collect::<Vec<_>>() {
            alerts.extend(self.remove(now, key));
        }
        alerts
    }

    /// Takes what a job says.
    ///
    /// # Errors
    /// When it is not known and does not say what to expect of it, or there are too many.
    pub fn beat(&mut self, now: Timestamp, beat: Beat) -> Result<Vec<Alert>, Refusal> {
        let key = self.known_as(&beat.key);
        let mut alerts = Vec::new();
        let mut it = match (self.all.get(&key), &beat.expectation) {
            (Some(known), _) => known.clone(),
            (None, None) => return Err(Refusal::Unknown(key)),
            (None, Some(_)) if self.all.len() >= HEARTBEATS_MAX => {
                return Err(Refusal::TooMany(HEARTBEATS_MAX));
            }
            (None, Some(expectation)) => Heartbeat::new(now, expectation.clone(), false),
        };
        // A clock ahead of ours would put the next deadline off.
        let at = beat.at.min(now);
        if it.heard.is_some_and(|heard| at <= heard) {
            return Ok(alerts);
        }
        it.heard = Some(at);
        it.spared_until = None;
        if let Some(expectation) = beat.expectation
            && !it.is_declared
        {
            it.expectation = expectation;
        }
        match beat.outcome {
            Outcome::Done => {
                it.last = Some(at);
                alerts.extend(it.failed.take().map(|alert| ended(now, alert)));
            }
            Outcome::Failed(why) => {
                let mut alert = it.failed_alert((now, at), &key, &why);
                if let Some(before) = &it.failed {
                    alert.starts_at = before.starts_at;
                }
                it.failed = Some(alert.clone());
                alerts.push(alert);
            }
        }
        self.settle(now, &key, &mut it, &mut alerts);
        self.change(key, it);
        Ok(alerts)
    }

    /// Forgets a job: it is no longer awaited.
    ///
    /// # Errors
    /// When it is not known, or declared.
    pub fn forget(&mut self, now: Timestamp, key: &HeartbeatKey) -> Result<Vec<Alert>, Refusal> {
        match self.all.get(key) {
            None => Err(self.not_known(key)),
            Some(it) if it.is_declared => Err(Refusal::Declared(key.clone())),
            Some(_) => Ok(self.remove(now, key.clone())),
        }
    }

    /// Why a job cannot be looked at or forgotten: it is not known, but others of its name may be.
    #[must_use]
    pub fn not_known(&self, key: &HeartbeatKey) -> Refusal {
        let others = self.all.keys().filter(|it| it.name() == key.name());
        Refusal::NotKnown {
            key: key.clone(),
            others: others.take(OTHERS_NAMED_MAX).cloned().collect(),
        }
    }

    /// When [`Heartbeats::handle_deadline`] wants to be called next.
    #[must_use]
    pub fn poll_deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(first, _)| *first)
    }

    /// Those that have not come in time are missed from now on.
    pub fn handle_deadline(&mut self, now: Timestamp) -> Vec<Alert> {
        let mut alerts = Vec::new();
        while self.poll_deadline().is_some_and(|at| at <= now)
            && let Some((_, key)) = self.deadlines.pop_first()
        {
            let Some(mut it) = self.all.get(&key).cloned() else {
                continue;
            };
            let alert = it.missed_alert(now, &key);
            it.missed = Some(alert.clone());
            alerts.push(alert);
            self.change(key, it);
        }
        alerts
    }

    /// All of them, by service and name.
    pub fn iter(&self) -> impl Iterator<Item = (&HeartbeatKey, &Heartbeat)> {
        self.all.iter()
    }

    /// What is known of the job that a key means.
    #[must_use]
    pub fn get(&self, key: &HeartbeatKey) -> Option<(&HeartbeatKey, &Heartbeat)> {
        self.all.get_key_value(&self.known_as(key))
    }

    /// What has changed since this was last asked.
    pub fn take_changes(&mut self) -> Vec<HeartbeatRecord> {
        let changed = std::mem::take(&mut self.changed).into_iter();
        let records = changed.map(|key| HeartbeatRecord {
            is: self.all.get(&key).cloned(),
            key,
        });
        records.collect()
    }

    /// The whole state, for a snapshot.
    pub fn records(&self) -> impl Iterator<Item = HeartbeatRecord> {
        self.all.iter().map(|(key, it)| HeartbeatRecord {
            key: key.clone(),
            is: Some(it.clone()),
        })
    }

    /// A job of any service, when that is how it is declared.
    fn known_as(&self, key: &HeartbeatKey) -> HeartbeatKey {
        let of_any = key.of_any_service();
        let is_declared = |key| self.all.get(key).is_some_and(|it| it.is_declared);
        match !is_declared(key) && is_declared(&of_any) {
            true => of_any,
            false => key.clone(),
        }
    }

    /// The alert of what is no longer missed ends. The others say what is said now: what has different
    /// labels ends, and begins anew.
    fn settle(
        &self,
        now: Timestamp,
        key: &HeartbeatKey,
        it: &mut Heartbeat,
        alerts: &mut Vec<Alert>,
    ) {
        // A beat that was long on its way may be over already.
        if now < it.missed_at() {
            alerts.extend(it.missed.take().map(|alert| ended(now, alert)));
        }
        for name in [MISSED_ALERT, FAILED_ALERT] {
            let raised = match name {
                MISSED_ALERT => &it.missed,
                _ => &it.failed,
            };
            let Some(before) = raised else {
                continue;
            };
            let after = it.said_now(now, key, name, before);
            if after.labels != before.labels {
                alerts.push(ended(now, before.clone()));
            }
            if (&after.labels, &after.annotations) != (&before.labels, &before.annotations) {
                alerts.push(after.clone());
                match name {
                    MISSED_ALERT => it.missed = Some(after),
                    _ => it.failed = Some(after),
                }
            }
        }
    }

    fn remove(&mut self, now: Timestamp, key: HeartbeatKey) -> Vec<Alert> {
        let it = self.all.get(&key);
        let alerts = it.into_iter().flat_map(|it| [&it.missed, &it.failed]);
        let alerts = alerts.flatten().map(|it| ended(now, it.clone()));
        let alerts = alerts.collect();
        self.changed.insert(key.clone());
        self.put(key, None);
        alerts
    }

    fn change(&mut self, key: HeartbeatKey, it: Heartbeat) {
        if self.all.get(&key) != Some(&it) {
            self.changed.insert(key.clone());
        }
        self.put(key, Some(it));
    }

    /// The only place where state and deadlines change.
    fn put(&mut self, key: HeartbeatKey, it: Option<Heartbeat>) {
        if let Some(before) = self.all.remove(&key) {
            self.deadlines.remove(&(before.judged_at(), key.clone()));
        }
        if let Some(it) = it {
            if it.missed.is_none() {
                self.deadlines.insert((it.judged_at(), key.clone()));
            }
            self.all.insert(key, it);
        }
    }
}

fn ended(now: Timestamp, alert: Alert) -> Alert {
    Alert {
        ends_at: Some(now),
        updated_at: now,
        ..alert
    }
}

/// What is known of a job takes some kilobytes at most.
const HEARTBEATS_MAX: usize = 10_000;
/// Of other services that have a job of a name, so many are named.
const OTHERS_NAMED_MAX: usize = 3;
