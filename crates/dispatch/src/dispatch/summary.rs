//! Receivers with a limit: what is more than it in a period is told in one summary at its end.
//!
//! A group that may not be told keeps everything: its log says nothing, and what resolved does not
//! leave it. So the summary is made of the groups as they stand then, and what fired and resolved
//! meanwhile is in it. A summary that does not arrive leaves its groups waiting for the next one.

use std::sync::Arc;

use firebell_model::{
    Alert, AlertStatus, Duration, Fingerprint, Labels, Notification, NotificationReason, Timestamp,
};

use super::flapping::{marked, marked_reason};
use super::flush::Cut;
use super::log::Told;
use super::{DirtyKey, Dispatch};
use crate::deadlines::Deadline;
use crate::group::{Flush, GroupKey, Origin};
use crate::nflog::needs_update;
use crate::order::by_origin;
use crate::window::{HeldKey, Summarized, Summary, SummaryHead, Window};
use crate::{DeliveryId, DispatchEffect, Integration, IntegrationSlot, NflogEntry, Route};

/// Whether a group may be told now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Allowed {
    /// It may, and counts in the period that began then, if its receiver has any.
    Yes(Option<Timestamp>),
    /// With the next summary.
    Later,
}

/// The most time that a summary has; less when the period is shorter.
const SUMMARY_TIME_MAX: Duration = Duration::from_mins(5);

impl Dispatch {
    /// Whether a group has to wait for a summary. One that waits goes on by itself when there is room
    /// again, since something that counted did not arrive.
    pub(super) fn has_to_wait(&mut self, key: &GroupKey) -> bool {
        let route = self.routing.route(key.route);
        let receiver = self.routing.receiver(route.receiver);
        let (name, limit) = (receiver.name().clone(), receiver.rate_limit());
        let held = (route.id.clone(), key.labels.clone());
        let Some(window) = self.windows.get_mut(&name) else {
            return false;
        };
        let has_room = limit.is_some_and(|it| window.n_told < it.notifications_max);
        if has_room && window.held.remove(&held) {
            self.dirty.insert(DirtyKey::Held(name.clone(), held));
            self.drop_if_idle(&name);
            return false;
        }
        window.has(&held)
    }

    /// Whether a group may be told now; counts it if so, and has it wait for the summary if not. The
    /// count is taken back by [`Self::uncount`] when nothing of it arrived. What stays in the inbox
    /// counts for nothing.
    pub(super) fn may_tell(&mut self, now: Timestamp, key: &GroupKey) -> Allowed {
        let routing = self.routing.clone();
        let route = routing.route(key.route);
        let receiver = routing.receiver(route.receiver);
        let Some(limit) = receiver.rate_limit() else {
            return Allowed::Yes(None);
        };
        let name = receiver.name();
        self.dirty.insert(DirtyKey::Period(name.clone()));
        let Some(window) = self.windows.get_mut(name) else {
            self.windows.insert(name.clone(), Window::new(now));
            self.deadlines
                .push(now + limit.period, Deadline::Window(name.clone()));
            return Allowed::Yes(Some(now));
        };
        if window.n_told < limit.notifications_max {
            window.n_told += 1;
            return Allowed::Yes(Some(window.since));
        }
        let held = (route.id.clone(), key.labels.clone());
        window.held.insert(held.clone());
        self.dirty.insert(DirtyKey::Held(name.clone(), held));
        Allowed::Later
    }

    /// Takes back that a flush counts for a receiver, of which nothing arrived.
    pub(super) fn uncount(&mut self, receiver: &Arc<str>, since: Timestamp) {
        let window = self.windows.get_mut(receiver);
        if let Some(window) = window.filter(|it| it.since == since) {
            window.n_told = window.n_told.saturating_sub(1);
            self.drop_if_idle(receiver);
        }
    }

    // A period begins with the first notification that arrives.
    fn drop_if_idle(&mut self, name: &Arc<str>) {
        self.dirty.insert(DirtyKey::Period(name.clone()));
        if self.windows.get(name).is_some_and(Window::is_idle) {
            self.windows.remove(name);
        }
    }

    /// When the period of a receiver is over.
    pub(super) fn window_end(&self, name: &str, window: &Window) -> Timestamp {
        window.since + self.period(name)
    }

    fn period(&self, name: &str) -> Duration {
        let receivers = self.routing.receivers();
        let receiver = receivers.resolve(name).map(|id| self.routing.receiver(id));
        let limit = receiver.and_then(|it| it.rate_limit());
        // One that has no limit any more is told soon of what waits.
        limit.map_or(SUMMARY_TIME_MAX, |it| it.period)
    }

    /// When a route tells what it would tell then: with the summary, if its receiver was told as
    /// often as it may be.
    pub(super) fn not_before_summary(&self, route: &Route, at: Timestamp) -> Timestamp {
        let receiver = self.routing.receiver(route.receiver);
        let window = self.windows.get(receiver.name());
        match receiver.rate_limit().zip(window) {
            Some((limit, window)) if window.n_told >= limit.notifications_max => {
                at.max(self.window_end(receiver.name(), window))
            }
            _ => at,
        }
    }

    pub(super) fn close_window(
        &mut self,
        now: Timestamp,
        name: &Arc<str>,
        out: &mut Vec<DispatchEffect>,
    ) {
        let Some(window) = self.windows.get(name) else {
            return;
        };
        if window.summary.is_some() || self.window_end(name, window) > now {
            return;
        }
        self.dirty.insert(DirtyKey::Period(name.clone()));
        let held = self.windows.remove(name).map(|it| it.held);
        let held = held.unwrap_or_default();
        let changed = held.iter().cloned();
        let changed = changed.map(|key| DirtyKey::Held(name.clone(), key));
        self.dirty.extend(changed);
        let time = self.period(name).min(SUMMARY_TIME_MAX);
        let mut groups = Summarized::new();
        for key in held {
            if let Some(flush) = self.summarized((now, name), now + time, &key) {
                groups.insert(key, flush);
            }
        }
        let deliveries = self.summaries(now, name, &groups);
        self.log_nothing_to_tell(now, name, &groups, &deliveries);
        if deliveries.is_empty() {
            return;
        }
        let deadline = now + time;
        let mut window = Window::new(now);
        window.summary = Some(Summary {
            head: SummaryHead {
                deadline,
                has_failed: false,
                has_left: false,
            },
            groups,
            open: Default::default(),
        });
        self.deadlines.push(
            self.window_end(name, &window),
            Deadline::Window(name.clone()),
        );
        self.deadlines
            .push(deadline, Deadline::SummaryEnd(name.clone()));
        self.windows.insert(name.clone(), window);
        for (integration, notification) in deliveries {
            self.open(now, Origin::Summary, name, integration, notification, out);
        }
    }

    // The group, if it is there and the receiver still is the one of its route.
    fn key_under(&self, name: &str, (route, labels): &HeldKey) -> Option<GroupKey> {
        let key = self.group_key(route, labels)?;
        let receiver = self.routing.route(key.route).receiver;
        let is_ours = **self.routing.receiver(receiver).name() == *name;
        (is_ours && self.groups.contains_key(&key)).then_some(key)
    }

    // What a group would tell by itself; `None` when it is gone, or all of it is muted.
    fn summarized(
        &mut self,
        (now, name): (Timestamp, &str),
        deadline: Timestamp,
        held: &HeldKey,
    ) -> Option<Flush> {
        let key = self.key_under(name, held)?;
        let Cut {
            batch,
            leaving,
            flapping,
            ..
        } = self.cut(now, &key);
        if batch.firing.is_empty() && batch.resolved.is_empty() {
            return None;
        }
        Some(Flush {
            deadline,
            batch,
            leaving,
            has_failed: false,
            flapping,
            counts_in: None,
        })
    }

    fn summaries(
        &self,
        now: Timestamp,
        name: &Arc<str>,
        groups: &Summarized,
    ) -> Vec<(Integration, Arc<Notification>)> {
        let routing = self.routing.clone();
        let Some(receiver) = routing.receivers().resolve(name) else {
            return Vec::new();
        };
        let mut deliveries = Vec::new();
        for slot in routing.receiver(receiver).slots() {
            let mut n_groups = 0;
            let mut alerts: Vec<Alert> = Vec::new();
            for group in groups {
                let told = self.news_of(now, name, slot, group);
                n_groups += usize::from(!told.is_empty());
                alerts.extend(told);
            }
            if alerts.is_empty() {
                continue;
            }
            alerts.sort_by(|a, b| by_origin(&a.labels, &b.labels));
            let fires = |alert: &Alert| alert.status_at(now) == AlertStatus::Firing;
            let reason = match alerts.iter().any(fires) {
                true => NotificationReason::NewAlerts,
                false => NotificationReason::AllResolved,
            };
            let what = match n_groups {
                1 => "1 notification held back".to_owned(),
                n => format!("{n} notifications held back"),
            };
            let notification = Notification {
                at: now,
                receiver: name.to_string(),
                group_key: format!("{{}}:{{summary={:?}}}", &**name),
                group_labels: Labels::from_pairs([("summary", what)]),
                route_labels: routing.routes()[0].labels.clone(),
                reason,
                alerts,
                measured: Default::default(),
            };
            deliveries.push((slot.integration.clone(), Arc::new(notification)));
        }
        deliveries
    }

    // What an integration does not know of a group: nothing if it need not be told. What fired and
    // resolved meanwhile is told also to those who want no ends.
    fn news_of(
        &self,
        now: Timestamp,
        name: &str,
        slot: &IntegrationSlot,
        ((route, labels), flush): (&HeldKey, &Flush),
    ) -> Vec<Alert> {
        let Some(key) = self.group_key(route, labels) else {
            return Vec::new();
        };
        let entry = self
            .nflog
            .get(&self.nflog_key(&key, name, &slot.integration));
        if !self.has_news(now, &key, entry, slot, flush) {
            return Vec::new();
        }
        let batch = &flush.batch;
        let marks = self.marks(&key, entry, flush);
        let is_unknown = |fingerprint: &&Fingerprint| {
            let knows = |entry: &NflogEntry| {
                entry.firing.contains(fingerprint) || entry.resolved.contains(fingerprint)
            };
            slot.send_resolved || !entry.is_some_and(knows)
        };
        let ended = batch.resolved.iter().filter(is_unknown);
        let alert = |it: &Fingerprint| {
            let alert = self.alerts.get(it)?.alert.clone();
            Some(marked(alert, *it, &marks))
        };
        let open = |alert: Alert| Alert {
            ends_at: None,
            ..alert
        };
        let firing = batch.firing.iter().filter_map(alert).map(open);
        firing.chain(ended.filter_map(alert)).collect()
    }

    fn has_news(
        &self,
        now: Timestamp,
        key: &GroupKey,
        entry: Option<&NflogEntry>,
        slot: &IntegrationSlot,
        flush: &Flush,
    ) -> bool {
        let batch = &flush.batch;
        let n_repeats = entry.map_or(0, |it| it.n_repeats);
        let repeat = self.routing.route(key.route).repeat_after(n_repeats);
        let reason = needs_update(now, entry, batch, slot.send_resolved, repeat);
        let is_unheard = entry.is_none() && !batch.resolved.is_empty();
        let marks = self.marks(key, entry, flush);
        let marked = marked_reason(entry, batch, &marks, slot.send_resolved);
        reason.is_some() || is_unheard || marked.is_some()
    }

    /// A summary arrived at an integration: the log of each of its groups says so.
    pub(super) fn log_summary(
        &mut self,
        now: Timestamp,
        name: &Arc<str>,
        integration: &Integration,
        at: Timestamp,
    ) {
        self.dirty.insert(DirtyKey::Period(name.clone()));
        let summary = self.windows.get_mut(name);
        let Some(summary) = summary.and_then(|it| it.summary.as_mut()) else {
            return;
        };
        summary.head.has_left |= !integration.is_inbox();
        let groups = std::mem::take(&mut summary.groups);
        let routing = self.routing.clone();
        let receiver = routing.receivers().resolve(name);
        let slots = receiver.map_or(&[][..], |it| routing.receiver(it).slots());
        if let Some(slot) = slots.iter().find(|it| it.integration == *integration) {
            self.log_groups((now, at), name, slot, &groups, true);
        }
        let summary = self.windows.get_mut(name);
        if let Some(summary) = summary.and_then(|it| it.summary.as_mut()) {
            summary.groups = groups;
        }
    }

    // As by itself: what an integration need not hear is news that it had.
    fn log_nothing_to_tell(
        &mut self,
        now: Timestamp,
        name: &Arc<str>,
        groups: &Summarized,
        deliveries: &[(Integration, Arc<Notification>)],
    ) {
        let routing = self.routing.clone();
        let receiver = routing.receivers().resolve(name);
        let slots = receiver.map_or(&[][..], |it| routing.receiver(it).slots());
        for slot in slots {
            let mut told = deliveries.iter().map(|(integration, _)| integration);
            if !told.any(|it| *it == slot.integration) {
                self.log_groups((now, now), name, slot, groups, false);
            }
        }
    }

    // At `now`, what an integration was told at `at`, or would have been, did it want to.
    fn log_groups(
        &mut self,
        (now, at): (Timestamp, Timestamp),
        name: &Arc<str>,
        slot: &IntegrationSlot,
        groups: &Summarized,
        was_told: bool,
    ) {
        for (group, flush) in groups {
            let Some(key) = self.key_under(name, group) else {
                continue;
            };
            let log_key = self.nflog_key(&key, name, &slot.integration);
            self.forget_calm(&log_key, slot, flush);
            let entry = self.nflog.get(&log_key);
            // As when it was made: until it is over nothing else is told of its groups.
            if self.has_news(at, &key, entry, slot, flush) {
                let reason = match flush.batch.firing.is_empty() {
                    true => NotificationReason::AllResolved,
                    false => NotificationReason::NewAlerts,
                };
                let told = Told {
                    reason,
                    batch: &flush.batch,
                    flapping: was_told.then_some(&flush.flapping),
                    data: None,
                };
                self.log(now, &key, log_key, told);
            }
        }
    }

    pub(super) fn end_summary(
        &mut self,
        now: Timestamp,
        name: &Arc<str>,
        out: &mut Vec<DispatchEffect>,
    ) {
        let summary = self.windows.get(name).and_then(|it| it.summary.as_ref());
        let Some(summary) = summary.filter(|it| it.head.deadline <= now) else {
            return;
        };
        for id in summary.open.clone() {
            self.cancel(id, out);
            self.give_up(now, id);
        }
    }

    pub(super) fn open_summary(&mut self, name: &str, id: DeliveryId, is_open: bool) {
        let summary = self
            .windows
            .get_mut(name)
            .and_then(|it| it.summary.as_mut());
        if let Some(summary) = summary {
            match is_open {
                true => summary.open.insert(id),
                false => summary.open.remove(&id),
            };
        }
    }

    pub(super) fn fail_summary(&mut self, name: &Arc<str>) {
        let summary = self
            .windows
            .get_mut(name)
            .and_then(|it| it.summary.as_mut());
        if let Some(summary) = summary {
            summary.head.has_failed = true;
            self.dirty.insert(DirtyKey::Period(name.clone()));
        }
    }

    /// Ends the summary of a receiver once every delivery has its outcome.
    pub(super) fn finish_summary_if_done(&mut self, name: &Arc<str>) {
        let period = self.period(name);
        let Some(window) = self.windows.get_mut(name) else {
            return;
        };
        let Some(summary) = window.summary.take_if(|it| it.open.is_empty()) else {
            return;
        };
        let changed = summary.groups.keys().cloned();
        let changed = changed.map(|key| DirtyKey::Held(name.clone(), key));
        self.dirty.extend(changed);
        if !summary.head.has_left {
            window.n_told = window.n_told.saturating_sub(1);
        }
        self.deadlines
            .remove(summary.head.deadline, Deadline::SummaryEnd(name.clone()));
        // A period that ended meanwhile was left alone, as a summary was under way.
        let end = window.since + period;
        self.deadlines.push(end, Deadline::Window(name.clone()));
        if summary.head.has_failed {
            window.held.extend(summary.groups.into_keys());
            return self.drop_if_idle(name);
        }
        self.drop_if_idle(name);
        for (group, flush) in summary.groups {
            // A reload may have given its route to somebody else, who has not heard of it.
            let Some(key) = self.key_under(name, &group) else {
                continue;
            };
            self.release(&key, flush);
            self.destroy_if_empty(&key);
        }
    }
}
