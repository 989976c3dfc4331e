//! Flushes: a group decides what to tell, deliveries go out, come back, are tried again.
//!
//! One flush of a group at a time. It lasts until every integration has its outcome, at most until
//! its deadline; a timer that fires meanwhile is kept, and the next flush follows at once.
//!
//! *Sources*: Alertmanager, `dispatch.aggrGroup.run` and `flush`, `notify/notify.go`.

use std::collections::BTreeSet;
use std::sync::Arc;

use firebell_model::{
    Alert, AlertStatus, Duration, Fingerprint, Notification, NotificationReason, ReceiverData,
    Timestamp,
};

use super::flapping::{Flapping, Marks, marked, marked_reason};
use super::log::Told;
use super::summary::Allowed;
use super::{Dispatch, Entry, hash};
use crate::deadlines::Deadline;
use crate::group::{Attempts, Flush, GroupKey, LastFailure, Origin, Pending};
use crate::nflog::{Batch, needs_update};
use crate::order::by_origin;
use crate::record::DirtyKey;
use crate::time_interval::names_at;
use crate::{
    Delivery, DeliveryId, DispatchEffect, Failure, FailureCause, Integration, IntegrationSlot,
    NflogEntry, Route, Suppressed,
};

/// The least time that a flush has, however short the group's interval.
const FLUSH_TIME_MIN: Duration = Duration::from_secs(10);
/// What is said of a delivery that never had an answer.
const NO_ANSWER: &str = "no answer in time";
const BACKOFF_INITIAL: Duration = Duration(500);
const BACKOFF_FACTOR: f64 = 1.5;
const BACKOFF_MAX: Duration = Duration::from_mins(1);

// What is left of a group when it decides, and the resolved alerts, muted or not, that leave it when
// the flush succeeds.
pub(super) struct Cut {
    pub(super) batch: Batch,
    pub(super) leaving: Vec<(Fingerprint, Timestamp)>,
    muted_by: Vec<Arc<str>>,
    // The alerts that were told to flap, once this was told.
    pub(super) flapping: Vec<Fingerprint>,
}

// What makes notifications of a flush differ: the reason, whether ends are told, the marks.
type Form = (NotificationReason, bool, Marks);

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
        self.note_outcome(now, &pending, None);
        let (receiver, integration) = (&pending.receiver, &pending.integration);
        let Origin::Group(group_key) = &pending.origin else {
            self.log_summary(now, receiver, integration, pending.notification.at);
            return self.finish_summary_if_done(receiver);
        };
        let reason = pending.notification.reason;
        let group = self.groups.get_mut(group_key);
        if let Some(flush) = group.and_then(|it| it.timers.flush.as_mut()) {
            let (batch, flapping) = (flush.batch.clone(), flush.flapping.clone());
            if !integration.is_inbox() && flush.counts_in.take().is_some() {
                self.mark_group(group_key);
            }
            let key = self.nflog_key(group_key, receiver, integration);
            let told = Told {
                reason,
                batch: &batch,
                flapping: Some(&flapping),
                data,
            };
            self.log(now, group_key, key, told);
        }
        self.finish_if_done(now, group_key);
    }

    /// Who a delivery without an outcome is for: name of the receiver, and which of its integrations.
    #[must_use]
    pub fn recipient(&self, id: DeliveryId) -> Option<(Arc<str>, Integration)> {
        let pending = self.pending.get(&id)?;
        Some((pending.receiver.clone(), pending.integration.clone()))
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
        pending.last_cause = failure.cause;
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
            flapping,
        } = self.cut(now, key);
        let deadline = now + interval.max(FLUSH_TIME_MIN);
        let mut flush = Flush {
            deadline,
            batch,
            leaving,
            // Otherwise nothing is told, and nothing leaves.
            has_failed: self.has_to_wait(key),
            flapping,
            counts_in: None,
        };
        let mut deliveries = Vec::new();
        if !flush.has_failed {
            deliveries = self.decide(now, key, &flush);
        }
        if deliveries.iter().any(|(to, _)| !to.is_inbox()) {
            match self.may_tell(now, key) {
                Allowed::Yes(counts_in) => flush.counts_in = counts_in,
                Allowed::Later => {
                    deliveries.clear();
                    flush.has_failed = true;
                }
            }
        }
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
        let route = self.routing.route(key.route);
        let receiver = self.routing.receiver(route.receiver).name().clone();
        for (integration, notification) in deliveries {
            let origin = Origin::Group(key.clone());
            self.open(now, origin, &receiver, integration, notification, out);
        }
    }

    // Inhibition, time intervals and silences leave out alerts, in this order; each is counted by
    // what left it out first.
    pub(super) fn cut(&mut self, now: Timestamp, key: &GroupKey) -> Cut {
        let (muted_by, counted) = self.muted_by(now, self.routing.route(key.route));
        let (mut firing, mut resolved, mut leaving) = (Vec::new(), Vec::new(), Vec::new());
        let (mut held, mut flapping) = (Vec::new(), Vec::new());
        let told = self.told_by_own_keys(key);
        let is_through = self.is_through_mute(key);
        let mut suppressed = self.suppressed;
        let mut muted = Vec::new();
        let group = self.groups.get(key);
        for fingerprint in group.into_iter().flat_map(|group| &group.alerts) {
            let Some(entry) = self.alerts.get(fingerprint) else {
                continue;
            };
            let is_firing = entry.alert.status_at(now) == AlertStatus::Firing;
            let was_told = told.contains(fingerprint);
            let flaps = self.flapping(now, key, *fingerprint, entry);
            if matches!(flaps, Some(Flapping::Lasts)) {
                flapping.push(*fingerprint);
            } else if !is_firing && flaps != Some(Flapping::Begins) {
                leaving.push((*fingerprint, entry.alert.updated_at));
            }
            if let Some(by) = self.muted(now, entry, !muted_by.is_empty(), counted) {
                let ends = is_through && was_told && !is_firing;
                if !ends {
                    *by(&mut suppressed) += 1;
                    muted.push(*fingerprint);
                    held.extend((is_through && was_told).then_some(*fingerprint));
                    continue;
                }
            }
            match flaps {
                Some(Flapping::Lasts) => {
                    held.extend(was_told.then_some(*fingerprint));
                    continue;
                }
                Some(flaps) => {
                    // Nobody hears of it while it is muted, or of an end without a beginning: it
                    // then begins anew.
                    let is_heard = flaps == Flapping::Begins && (is_firing || was_told);
                    flapping.extend(is_heard.then_some(*fingerprint));
                }
                None => {}
            }
            let told = if is_firing {
                &mut firing
            } else {
                &mut resolved
            };
            told.push(*fingerprint);
        }
        self.suppressed = suppressed;
        self.note_muted(now, key, &muted, &muted_by);
        self.note_run_out(now, &leaving);
        let batch = Batch {
            firing: firing.into(),
            resolved: resolved.into(),
            held: held.into(),
        };
        Cut {
            batch,
            leaving,
            muted_by,
            flapping,
        }
    }

    // Where what mutes an alert is counted, if anything does.
    fn muted(
        &self,
        now: Timestamp,
        entry: &Entry,
        is_by_time: bool,
        by_time: Counted,
    ) -> Option<Counted> {
        if self.is_inhibited(now, entry) {
            Some(|it| &mut it.inhibition)
        } else if is_by_time {
            Some(by_time)
        } else if self.is_silenced(now, entry) {
            Some(|it| &mut it.silence)
        } else {
            None
        }
    }

    fn is_through_mute(&self, key: &GroupKey) -> bool {
        self.routing.route(key.route).own.resolve_through_mute == Some(true)
    }

    // The alerts that an integration was told to fire, where an own key asks for them.
    fn told_by_own_keys(&self, key: &GroupKey) -> BTreeSet<Fingerprint> {
        let route = self.routing.route(key.route);
        if !self.is_through_mute(key) && route.own.flap_damping.is_none() {
            return BTreeSet::new();
        }
        let receiver = self.routing.receiver(route.receiver);
        let entry = |slot: &IntegrationSlot| {
            let key = self.nflog_key(key, receiver.name(), &slot.integration);
            self.nflog.get(&key)
        };
        let entries = receiver.slots().iter().filter_map(entry);
        entries.flat_map(|it| it.firing.iter().copied()).collect()
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
        flush: &Flush,
    ) -> Vec<(Integration, Arc<Notification>)> {
        let batch = &flush.batch;
        if batch.firing.is_empty() && batch.resolved.is_empty() {
            return Vec::new();
        }
        let routing = self.routing.clone();
        let route = routing.route(key.route);
        let receiver = routing.receiver(route.receiver);
        let mut deliveries: Vec<(Integration, Arc<Notification>)> = Vec::new();
        let mut made: Vec<(Form, Arc<Notification>)> = Vec::new();
        for slot in receiver.slots() {
            let log_key = self.nflog_key(key, receiver.name(), &slot.integration);
            self.forget_calm(&log_key, slot, flush);
            let entry = self.nflog.get(&log_key);
            let repeat = route.repeat_after(entry.map_or(0, |it| it.n_repeats));
            let reason = needs_update(now, entry, batch, slot.send_resolved, repeat);
            let marks = self.marks(key, entry, flush);
            let reason = reason.or_else(|| marked_reason(entry, batch, &marks, slot.send_resolved));
            let Some(reason) = reason else {
                continue;
            };
            if !slot.send_resolved && batch.firing.is_empty() {
                let told = Told {
                    reason,
                    batch,
                    flapping: None,
                    data: None,
                };
                self.log(now, key, log_key, told);
                continue;
            }
            let form = (reason, slot.send_resolved, marks);
            let same = made.iter().find(|(it, _)| *it == form);
            let notification = match same {
                Some((_, notification)) => notification.clone(),
                None => {
                    let resolved = if slot.send_resolved {
                        &*batch.resolved
                    } else {
                        &[]
                    };
                    let told = (&*batch.firing, resolved);
                    let notification = self.notification(now, key, told, reason, &form.2);
                    made.push((form, notification.clone()));
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
        (firing, resolved): (&[Fingerprint], &[Fingerprint]),
        reason: NotificationReason,
        marks: &Marks,
    ) -> Arc<Notification> {
        let alert = |fingerprint: &Fingerprint| {
            let alert = self.alerts.get(fingerprint)?.alert.clone();
            Some(marked(alert, *fingerprint, marks))
        };
        // An alert that fires has no end, so that it does not resolve on the way.
        let fires = |alert: Alert| Alert {
            ends_at: None,
            ..alert
        };
        let mut alerts: Vec<Alert> = firing.iter().filter_map(alert).map(fires).collect();
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
            measured: Default::default(),
        })
    }

    pub(super) fn open(
        &mut self,
        now: Timestamp,
        origin: Origin,
        receiver: &Arc<str>,
        integration: Integration,
        notification: Arc<Notification>,
        out: &mut Vec<DispatchEffect>,
    ) {
        self.counters.deliveries += 1;
        self.dirty.insert(DirtyKey::Counters);
        let id = DeliveryId(self.counters.deliveries);
        let pending = Pending {
            origin,
            receiver: receiver.clone(),
            integration,
            notification,
            attempts: Attempts {
                attempt: 1,
                attempted_at: now,
                retry_at: None,
                last_error: None,
            },
            last_cause: FailureCause::default(),
        };
        out.push(self.effect(id, &pending));
        match &pending.origin {
            Origin::Group(key) => {
                if let Some(group) = self.groups.get_mut(key) {
                    group.open.insert(id);
                }
            }
            Origin::Summary => self.open_summary(receiver, id, true),
        }
        self.pending.insert(id, pending);
        self.dirty.insert(DirtyKey::Delivery(id));
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
        let failed = match &pending.attempts.last_error {
            Some(error) => (error.as_str(), pending.last_cause),
            None => (NO_ANSWER, FailureCause::ContextDeadlineExceeded),
        };
        self.note_outcome(now, &pending, Some(failed));
        let Origin::Group(key) = pending.origin else {
            self.fail_summary(&pending.receiver);
            return self.finish_summary_if_done(&pending.receiver);
        };
        if let Some(group) = self.groups.get_mut(&key) {
            if let Some(flush) = &mut group.timers.flush {
                flush.has_failed = true;
            }
            let Attempts {
                attempt,
                last_error,
                ..
            } = pending.attempts;
            let why = last_error.unwrap_or_else(|| NO_ANSWER.to_owned());
            let integration = pending.integration;
            group.timers.last_failure = Some(LastFailure {
                at: now,
                integration,
                attempt,
                why,
            });
            self.mark_group(&key);
        }
        self.finish_if_done(now, &key);
    }

    pub(super) fn effect(&self, id: DeliveryId, pending: &Pending) -> DispatchEffect {
        let entry = match &pending.origin {
            Origin::Group(key) => {
                let key = self.nflog_key(key, &pending.receiver, &pending.integration);
                self.nflog.get(&key)
            }
            Origin::Summary => None,
        };
        let known = NflogEntry::known(entry, pending.notification.reason);
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
        match &pending.origin {
            Origin::Group(key) => {
                if let Some(group) = self.groups.get_mut(key) {
                    group.open.remove(&id);
                }
            }
            Origin::Summary => self.open_summary(&pending.receiver, id, false),
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
        if let Some(since) = flush.counts_in {
            let receiver = self.routing.route(key.route).receiver;
            let receiver = self.routing.receiver(receiver).name().clone();
            self.uncount(&receiver, since);
        }
        if !flush.has_failed {
            self.release(key, flush);
        }
        self.destroy_if_empty(key);
    }

    /// What a flush told arrived everywhere: what resolved leaves, and what flaps is known to.
    pub(super) fn release(&mut self, key: &GroupKey, flush: Flush) {
        self.mark_group(key);
        if let Some(group) = self.groups.get_mut(key) {
            group.timers.flapping = flush.flapping;
        }
        for (fingerprint, updated_at) in flush.leaving {
            self.leave(key, fingerprint, updated_at);
        }
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
            self.happened.forget_group(key);
            self.deadlines
                .remove(group.timers.flush_at, Deadline::Flush(key.clone()));
            self.mark_group(key);
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
