//! Flushes: a group decides what to tell, deliveries go out, come back, are tried again.
//!
//! One flush of a group at a time. It lasts until every integration has its outcome, at most until
//! its deadline; a timer that fires meanwhile is kept, and the next flush follows at once.
//!
//! *Sources*: Alertmanager, `dispatch.aggrGroup.run` and `flush`, `notify/notify.go`.

use std::sync::Arc;

use firebell_model::{
    Alert, AlertStatus, Duration, Fingerprint, Notification, NotificationReason, ReceiverData,
    Timestamp,
};

use super::{Dispatch, hash};
use crate::deadlines::Deadline;
use crate::group::{Attempts, Flush, GroupKey, LastFailure, Pending};
use crate::nflog::{Batch, needs_update};
use crate::order::by_origin;
use crate::record::DirtyKey;
use crate::time_interval::names_at;
use crate::{
    Delivery, DeliveryId, DispatchEffect, Failure, Integration, NflogEntry, Route, Suppressed,
};

/// The least time that a flush has, however short the group's interval.
const FLUSH_TIME_MIN: Duration = Duration::from_secs(10);
const BACKOFF_INITIAL: Duration = Duration(500);
const BACKOFF_FACTOR: f64 = 1.5;
const BACKOFF_MAX: Duration = Duration::from_mins(1);

// What is left of a group when it decides, and the resolved alerts, muted or not, that leave it when
// the flush succeeds.
struct Cut {
    batch: Batch,
    leaving: Vec<(Fingerprint, Timestamp)>,
    muted_by: Vec<Arc<str>>,
}

type Counted = fn(&mut Suppressed) -> &mut u64;

impl Dispatch {
    /// A delivery arrived; from now on the notification log says so. With `data` the integration
    /// says what it wants to be told again, instead of what it was told this time.
    pub fn handle_delivered(
        &mut self,
        now: Timestamp,
        id: DeliveryId,
        data: Option<ReceiverData>,
        _out: &mut Vec<DispatchEffect>,
    ) {
        let Some(pending) = self.close(id) else {
            return;
        };
        let reason = pending.notification.reason;
        let group = self.groups.get(&pending.group);
        if let Some(batch) = group
            .and_then(|it| it.timers.flush.as_ref())
            .map(|it| it.batch.clone())
        {
            let key = self.nflog_key(&pending.group, &pending.receiver, &pending.integration);
            self.log(now, &pending.group, key, reason, &batch, data);
        }
        self.finish_if_done(now, &pending.group);
    }

    /// An attempt failed. It is repeated with growing pauses while its flush has time, if that may
    /// help; otherwise the delivery is given up, and the next flush decides anew.
    pub fn handle_failed(
        &mut self,
        now: Timestamp,
        id: DeliveryId,
        failure: Failure,
        _out: &mut Vec<DispatchEffect>,
    ) {
        let Some(pending) = self.pending.get_mut(&id) else {
            return;
        };
        let attempts = &mut pending.attempts;
        attempts.last_error = Some(failure.why);
        if !failure.is_retryable {
            self.give_up(now, id);
            return;
        }
        let pause = backoff(id, attempts.attempt);
        let asked = now + failure.after.unwrap_or(Duration::ZERO);
        let retry_at = (attempts.attempted_at + pause).max(asked).max(now);
        attempts.retry_at = Some(retry_at);
        self.deadlines.push(retry_at, Deadline::Retry(id));
        self.dirty.insert(DirtyKey::Delivery(id));
    }

    pub(super) fn flush(&mut self, now: Timestamp, key: &GroupKey, out: &mut Vec<DispatchEffect>) {
        let interval = self.routing.route(key.route).group_interval;
        let Some(group) = self.groups.get_mut(key) else {
            return;
        };
        if group.timers.flush_at > now || group.timers.is_due {
            return;
        }
        self.mark_group(key);
        let Some(group) = self.groups.get_mut(key) else {
            return;
        };
        if group.timers.flush.is_some() {
            group.timers.is_due = true;
            return;
        }
        group.timers.flush_at = now + interval;
        self.deadlines
            .push(now + interval, Deadline::Flush(key.clone()));
        let Cut {
            batch,
            leaving,
            muted_by,
        } = self.cut(now, key);
        let deliveries = self.decide(now, key, &batch);
        let deadline = now + interval.max(FLUSH_TIME_MIN);
        let flush = Flush {
            deadline,
            batch,
            leaving,
            has_failed: false,
        };
        let Some(group) = self.groups.get_mut(key) else {
            return;
        };
        group.timers.flush = Some(flush);
        group.timers.muted_by = muted_by;
        if deliveries.is_empty() {
            return self.finish_if_done(now, key);
        }
        self.deadlines
            .push(deadline, Deadline::FlushEnd(key.clone()));
        for (integration, notification) in deliveries {
            self.open(now, key, integration, notification, out);
        }
    }

    // Inhibition, time intervals and silences leave out alerts, in this order; each is counted by
    // what left it out first.
    fn cut(&mut self, now: Timestamp, key: &GroupKey) -> Cut {
        let (muted_by, counted) = self.muted_by(now, self.routing.route(key.route));
        let (mut firing, mut resolved, mut leaving) = (Vec::new(), Vec::new(), Vec::new());
        let mut suppressed = self.suppressed;
        let group = self.groups.get(key);
        for fingerprint in group.into_iter().flat_map(|group| &group.alerts) {
            let Some(entry) = self.alerts.get(fingerprint) else {
                continue;
            };
            let is_firing = entry.alert.status_at(now) == AlertStatus::Firing;
            if !is_firing {
                leaving.push((*fingerprint, entry.alert.updated_at));
            }
            if self.is_inhibited(now, entry) {
                suppressed.inhibition += 1;
            } else if !muted_by.is_empty() {
                *counted(&mut suppressed) += 1;
            } else if self.is_silenced(now, entry) {
                suppressed.silence += 1;
            } else if is_firing {
                firing.push(*fingerprint);
            } else {
                resolved.push(*fingerprint);
            }
        }
        self.suppressed = suppressed;
        let batch = Batch {
            firing: firing.into(),
            resolved: resolved.into(),
        };
        Cut {
            batch,
            leaving,
            muted_by,
        }
    }

    // The time intervals that mute a route, and where what they mute is counted. Where it is not
    // active, all those in which it would be are named.
    fn muted_by(&self, now: Timestamp, route: &Route) -> (Vec<Arc<str>>, Counted) {
        let active = &route.active_time_intervals;
        if !active.is_empty() && names_at(active, now).is_empty() {
            let names = active.iter().map(|interval| interval.name.clone());
            return (names.collect(), |it| &mut it.active_time_interval);
        }
        let names = names_at(&route.mute_time_intervals, now);
        (names, |it| &mut it.mute_time_interval)
    }

    // Which integrations are told what. One that wants no resolved alerts, when there is nothing
    // else, is only noted in the log.
    fn decide(
        &mut self,
        now: Timestamp,
        key: &GroupKey,
        batch: &Batch,
    ) -> Vec<(Integration, Arc<Notification>)> {
        if batch.firing.is_empty() && batch.resolved.is_empty() {
            return Vec::new();
        }
        let routing = self.routing.clone();
        let route = routing.route(key.route);
        let receiver = routing.receiver(route.receiver);
        let mut deliveries: Vec<(Integration, Arc<Notification>)> = Vec::new();
        let mut made: Vec<(NotificationReason, bool, Arc<Notification>)> = Vec::new();
        for slot in receiver.slots() {
            let log_key = self.nflog_key(key, receiver.name(), &slot.integration);
            let entry = self.nflog.get(&log_key);
            let repeat = route.repeat_interval;
            let reason = needs_update(now, entry, batch, slot.send_resolved, repeat);
            let Some(reason) = reason else {
                continue;
            };
            if !slot.send_resolved && batch.firing.is_empty() {
                self.log(now, key, log_key, reason, batch, None);
                continue;
            }
            let form = (reason, slot.send_resolved);
            let same = made
                .iter()
                .find(|(reason, resolved, _)| (*reason, *resolved) == form);
            let notification = match same {
                Some((_, _, notification)) => notification.clone(),
                None => {
                    let notification =
                        self.notification(now, key, batch, reason, slot.send_resolved);
                    made.push((reason, slot.send_resolved, notification.clone()));
                    notification
                }
            };
            deliveries.push((slot.integration.clone(), notification));
        }
        deliveries
    }

    fn notification(
        &self,
        now: Timestamp,
        key: &GroupKey,
        batch: &Batch,
        reason: NotificationReason,
        send_resolved: bool,
    ) -> Arc<Notification> {
        let resolved = if send_resolved { &*batch.resolved } else { &[] };
        let alert = |fingerprint: &Fingerprint| Some(self.alerts.get(fingerprint)?.alert.clone());
        // An alert that fires has no end, so that it does not resolve on the way.
        let fires = |alert: Alert| Alert {
            ends_at: None,
            ..alert
        };
        let mut alerts: Vec<Alert> = batch.firing.iter().filter_map(alert).map(fires).collect();
        alerts.extend(resolved.iter().filter_map(alert));
        alerts.sort_by(|a, b| by_origin(&a.labels, &b.labels));
        let route = self.routing.route(key.route);
        let receiver = self.routing.receiver(route.receiver);
        let group_key = self.groups.get(key).map(|group| group.key_text.to_string());
        Arc::new(Notification {
            at: now,
            receiver: receiver.name().to_string(),
            group_key: group_key.unwrap_or_default(),
            group_labels: key.labels.clone(),
            route_labels: route.labels.clone(),
            reason,
            alerts,
        })
    }

    fn open(
        &mut self,
        now: Timestamp,
        key: &GroupKey,
        integration: Integration,
        notification: Arc<Notification>,
        out: &mut Vec<DispatchEffect>,
    ) {
        self.counters.deliveries += 1;
        self.dirty.insert(DirtyKey::Counters);
        let id = DeliveryId(self.counters.deliveries);
        let receiver = self
            .routing
            .receiver(self.routing.route(key.route).receiver);
        let pending = Pending {
            group: key.clone(),
            receiver: receiver.name().clone(),
            integration,
            notification,
            attempts: Attempts {
                attempt: 1,
                attempted_at: now,
                retry_at: None,
                last_error: None,
            },
        };
        out.push(self.effect(id, &pending));
        self.pending.insert(id, pending);
        self.dirty.insert(DirtyKey::Delivery(id));
        if let Some(group) = self.groups.get_mut(key) {
            group.open.insert(id);
        }
    }

    pub(super) fn retry(&mut self, now: Timestamp, id: DeliveryId, out: &mut Vec<DispatchEffect>) {
        let Some(pending) = self.pending.get_mut(&id) else {
            return;
        };
        let attempts = &mut pending.attempts;
        if attempts.retry_at.is_none_or(|at| at > now) {
            return;
        }
        attempts.attempt += 1;
        attempts.attempted_at = now;
        attempts.retry_at = None;
        out.extend(
            self.pending
                .get(&id)
                .map(|pending| self.effect(id, pending)),
        );
        self.dirty.insert(DirtyKey::Delivery(id));
    }

    // The time of the flush is over: what is still open has failed.
    pub(super) fn end_flush(
        &mut self,
        now: Timestamp,
        key: &GroupKey,
        out: &mut Vec<DispatchEffect>,
    ) {
        let Some(group) = self.groups.get(key) else {
            return;
        };
        if group
            .timers
            .flush
            .as_ref()
            .is_none_or(|flush| flush.deadline > now)
        {
            return;
        }
        for id in group.open.clone() {
            self.cancel(id, out);
            self.give_up(now, id);
        }
    }

    // Tells the driver, if it is at it.
    pub(super) fn cancel(&self, id: DeliveryId, out: &mut Vec<DispatchEffect>) {
        let is_attempted = |pending: &Pending| pending.attempts.retry_at.is_none();
        if self.pending.get(&id).is_some_and(is_attempted) {
            out.push(DispatchEffect::Cancel(id));
        }
    }

    pub(super) fn give_up(&mut self, now: Timestamp, id: DeliveryId) {
        let Some(pending) = self.close(id) else {
            return;
        };
        if let Some(group) = self.groups.get_mut(&pending.group) {
            if let Some(flush) = &mut group.timers.flush {
                flush.has_failed = true;
            }
            let Attempts {
                attempt,
                last_error,
                ..
            } = pending.attempts;
            let why = last_error.unwrap_or_else(|| "no answer in time".to_owned());
            let integration = pending.integration;
            group.timers.last_failure = Some(LastFailure {
                at: now,
                integration,
                attempt,
                why,
            });
            self.mark_group(&pending.group);
        }
        self.finish_if_done(now, &pending.group);
    }

    pub(super) fn effect(&self, id: DeliveryId, pending: &Pending) -> DispatchEffect {
        let key = self.nflog_key(&pending.group, &pending.receiver, &pending.integration);
        let known = NflogEntry::known(self.nflog.get(&key), pending.notification.reason);
        DispatchEffect::Notify(Delivery {
            id,
            receiver: pending.receiver.clone(),
            integration: pending.integration.clone(),
            attempt: pending.attempts.attempt,
            notification: pending.notification.clone(),
            known,
        })
    }

    fn close(&mut self, id: DeliveryId) -> Option<Pending> {
        let pending = self.pending.remove(&id)?;
        self.dirty.insert(DirtyKey::Delivery(id));
        if let Some(group) = self.groups.get_mut(&pending.group) {
            group.open.remove(&id);
        }
        Some(pending)
    }

    // Ends the flush once every delivery has its outcome. Only when all succeeded do the resolved
    // alerts leave: dropped before, a failed send would lose their "resolved" for ever.
    pub(super) fn finish_if_done(&mut self, now: Timestamp, key: &GroupKey) {
        let Some(group) = self
            .groups
            .get_mut(key)
            .filter(|group| group.open.is_empty())
        else {
            return;
        };
        let Some(flush) = group.timers.flush.take() else {
            return;
        };
        self.deadlines
            .remove(flush.deadline, Deadline::FlushEnd(key.clone()));
        if std::mem::take(&mut group.timers.is_due) {
            group.timers.flush_at = now;
            self.deadlines.push(now, Deadline::Flush(key.clone()));
        }
        self.mark_group(key);
        if !flush.has_failed {
            for (fingerprint, updated_at) in flush.leaving {
                self.leave(key, fingerprint, updated_at);
            }
        }
        self.destroy_if_empty(key);
    }

    // Unless a new state of the alert came in since.
    fn leave(&mut self, key: &GroupKey, fingerprint: Fingerprint, updated_at: Timestamp) {
        let Some(entry) = self.alerts.get_mut(&fingerprint) else {
            return;
        };
        if entry.alert.updated_at != updated_at {
            return;
        }
        for membership in entry.memberships.iter_mut().filter(|it| it.group == *key) {
            membership.is_in = false;
        }
        if let Some(group) = self.groups.get_mut(key) {
            group.alerts.remove(&fingerprint);
        }
        self.dirty.insert(DirtyKey::Alert(fingerprint));
        self.keep_until_forgotten(fingerprint);
    }

    pub(super) fn destroy_if_empty(&mut self, key: &GroupKey) {
        if self
            .groups
            .get(key)
            .is_none_or(|group| !group.alerts.is_empty())
        {
            return;
        }
        if let Some(group) = self.groups.remove(key) {
            self.deadlines
                .remove(group.timers.flush_at, Deadline::Flush(key.clone()));
            self.mark_group(key);
        }
    }

    // --- the notification log --------------------------------------------------------------------

    pub(super) fn nflog_key(
        &self,
        key: &GroupKey,
        receiver: &str,
        integration: &Integration,
    ) -> Arc<str> {
        let group = self.groups.get(key).map_or("", |group| &group.key_text);
        format!(
            "{group}:{receiver}/{}/{}",
            integration.kind, integration.idx
        )
        .into()
    }

    fn log(
        &mut self,
        now: Timestamp,
        key: &GroupKey,
        log_key: Arc<str>,
        reason: NotificationReason,
        batch: &Batch,
        data: Option<ReceiverData>,
    ) {
        let repeat_interval = self.routing.route(key.route).repeat_interval;
        let kept_for = self.options.retention.min(repeat_interval * 2);
        let old = self.nflog.get(&log_key);
        let data = data.unwrap_or_else(|| NflogEntry::known(old, reason));
        let entry = NflogEntry::new(now, reason, batch, kept_for, data);
        if let Some(old) = old {
            self.deadlines
                .remove(old.expires_at, Deadline::Nflog(log_key.clone()));
        }
        self.deadlines
            .push(entry.expires_at, Deadline::Nflog(log_key.clone()));
        self.nflog.insert(log_key.clone(), entry);
        self.dirty.insert(DirtyKey::Nflog(log_key));
    }

    pub(super) fn forget_nflog(&mut self, now: Timestamp, key: &Arc<str>) {
        if self
            .nflog
            .get(key)
            .is_some_and(|entry| entry.expires_at <= now)
        {
            self.nflog.remove(key);
            self.dirty.insert(DirtyKey::Nflog(key.clone()));
        }
    }
}

// From the start of an attempt to the next: 0.5 s, growing by half, at most a minute; each between
// half and one and a half times that, by a hash of which attempt it is.
fn backoff(id: DeliveryId, attempt: u32) -> Duration {
    let exponent = attempt.saturating_sub(1).min(64);
    let full = BACKOFF_INITIAL.as_secs_f64() * BACKOFF_FACTOR.powi(exponent as i32);
    let full = full.min(BACKOFF_MAX.as_secs_f64());
    let jitter = hash(format!("{id}/{attempt}").as_bytes()) % 1000;
    Duration::from_secs_f64(full * (0.5 + jitter as f64 / 1000.0))
}
