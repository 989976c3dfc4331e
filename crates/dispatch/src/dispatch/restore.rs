//! State out, as records, and in again: after a restart, or into another configuration.
//!
//! Both ways in are the same: everything that is derived is built anew from what is recorded. A
//! group of the new configuration whose route and labels are those of an old group goes on with
//! its timers and its flush; see COMPAT.md (upstream starts all timers anew).

use std::collections::BTreeMap;
use std::sync::Arc;

use firebell_model::{Duration, Fingerprint, Labels, Timestamp};

use super::Dispatch;
use crate::deadlines::Deadline;
use crate::group::{Group, GroupKey, Origin, Pending};
use crate::inhibit::Inhibition;
use crate::label_index::LabelIndex;
use crate::record::{AlertRecord, Counters, DeliveryRecord, DirtyKey, DispatchRecord, GroupRecord};
use crate::silences::Silences;
use crate::window::{HeldKey, Window};
use crate::{
    DeliveryId, DispatchEffect, FailureCause, IntegrationSlot, NflogEntry, Routing, Silence,
    SilenceId, SilenceState,
};

/// Recorded values by key, before anything is derived from them.
#[derive(Debug, Default)]
pub(super) struct Restored {
    alerts: BTreeMap<Fingerprint, AlertRecord>,
    groups: BTreeMap<(Arc<str>, Labels), GroupRecord>,
    deliveries: BTreeMap<DeliveryId, DeliveryRecord>,
    nflog: BTreeMap<Arc<str>, NflogEntry>,
    silences: BTreeMap<SilenceId, Silence>,
    windows: BTreeMap<Arc<str>, Window>,
    counters: Counters,
}

impl Dispatch {
    /// Takes a record from before; the last one of a key wins. Nothing comes of it until
    /// [`Self::resume`].
    pub fn restore(&mut self, record: DispatchRecord) {
        let Restored {
            alerts,
            groups,
            deliveries,
            nflog,
            silences,
            windows,
            counters,
        } = &mut self.restored;
        match record {
            DispatchRecord::Alert {
                fingerprint,
                mut value,
            } => {
                if let Some(record) = &mut value {
                    self.pairs.unite(&mut record.alert.labels);
                    self.pairs.unite(&mut record.alert.annotations);
                }
                set(alerts, fingerprint, value);
            }
            // One that is not known was new in the same step and comes whole behind, or was lost to
            // damage, which has been told.
            DispatchRecord::Renewed(renewed) => renewed.into_iter().for_each(|it| {
                if let Some(known) = alerts.get_mut(&it.fingerprint) {
                    it.times.put_into(&mut known.alert);
                }
            }),
            DispatchRecord::Group {
                route,
                labels,
                value,
            } => set(groups, (route, labels), value),
            DispatchRecord::Delivery { id, value } => set(deliveries, id, value.map(|it| *it)),
            DispatchRecord::Nflog { key, value } => set(nflog, key, value),
            DispatchRecord::Silence { id, value } => set(silences, id, value.map(|it| *it)),
            DispatchRecord::Window { receiver, value } => {
                set(windows, receiver, value.map(|it| Window::from(*it)));
            }
            DispatchRecord::Period { receiver, value } => match value {
                Some(value) => {
                    let window = windows.entry(receiver);
                    let window = window.or_insert_with(|| Window::new(value.since));
                    window.restore(value);
                }
                None => {
                    windows.remove(&receiver);
                }
            },
            DispatchRecord::Held {
                receiver,
                route,
                labels,
                value,
            } => {
                if let Some(window) = windows.get_mut(&receiver) {
                    window.restore_held((route, labels), value.map(|it| *it));
                }
            }
            DispatchRecord::Counters(value) => *counters = value,
        }
    }

    /// Goes on where the records left off, once all are restored. What was under way is sent
    /// again: whether it had arrived is not known.
    pub fn resume(&mut self, now: Timestamp, out: &mut Vec<DispatchEffect>) {
        if self.options.start_delay > Duration::ZERO {
            self.quiet_until = now + self.options.start_delay;
        }
        let restored = std::mem::take(&mut self.restored);
        self.build(now, restored, &mut Vec::new());
        let under_way = self
            .pending
            .iter()
            .filter(|(_, it)| it.attempts.retry_at.is_none());
        out.extend(under_way.map(|(id, pending)| self.effect(*id, pending)));
    }

    /// Goes over to another configuration.
    ///
    /// Groups whose route (by its matchers, from the root down) and labels stay keep their timers;
    /// their deliveries go on when the receiver still has the integration, and are cancelled
    /// otherwise. All other groups end, and their alerts are grouped anew.
    pub fn configure(
        &mut self,
        now: Timestamp,
        routing: Arc<Routing>,
        out: &mut Vec<DispatchEffect>,
    ) {
        let records: Vec<DispatchRecord> = self.records().collect();
        records.into_iter().for_each(|record| self.restore(record));
        let restored = std::mem::take(&mut self.restored);
        self.routing = routing;
        self.build(now, restored, out);
    }

    /// The whole state, each record made when it is asked for.
    pub fn records(&self) -> impl Iterator<Item = DispatchRecord> {
        self.keys().map(|key| self.record(key))
    }

    fn keys(&self) -> impl Iterator<Item = DirtyKey> {
        let group = |key: &GroupKey| {
            DirtyKey::Group(self.routing.route(key.route).id.clone(), key.labels.clone())
        };
        let silences = self.silences.iter().map(|it| DirtyKey::Silence(it.id));
        std::iter::once(DirtyKey::Counters)
            .chain(silences)
            .chain(self.nflog.keys().cloned().map(DirtyKey::Nflog))
            .chain(self.groups.keys().map(group))
            .chain(self.alerts.keys().copied().map(DirtyKey::Alert))
            .chain(self.windows.iter().flat_map(|(name, window)| {
                let held = |key: &HeldKey| DirtyKey::Held(name.clone(), key.clone());
                std::iter::once(DirtyKey::Period(name.clone())).chain(window.groups().map(held))
            }))
            .chain(self.pending.keys().copied().map(DirtyKey::Delivery))
    }

    pub(super) fn record(&self, key: DirtyKey) -> DispatchRecord {
        match key {
            DirtyKey::Alert(fingerprint) => DispatchRecord::Alert {
                fingerprint,
                value: self.alert_record(fingerprint),
            },
            DirtyKey::Group(route, labels) => {
                let group = self
                    .group_key(&route, &labels)
                    .and_then(|key| self.groups.get(&key));
                let value = group.map(|group| GroupRecord(group.timers.clone()));
                DispatchRecord::Group {
                    route,
                    labels,
                    value,
                }
            }
            DirtyKey::Delivery(id) => {
                let pending = self.pending.get(&id);
                let value = pending.map(|pending| Box::new(self.delivery_record(pending)));
                DispatchRecord::Delivery { id, value }
            }
            DirtyKey::Nflog(key) => {
                let value = self.nflog.get(&key).cloned();
                DispatchRecord::Nflog { key, value }
            }
            DirtyKey::Silence(id) => {
                let value = self.silences.get(id).cloned().map(Box::new);
                DispatchRecord::Silence { id, value }
            }
            DirtyKey::Period(receiver) => {
                let value = self.windows.get(&receiver).map(Window::period_record);
                DispatchRecord::Period { receiver, value }
            }
            DirtyKey::Held(receiver, key) => {
                let window = self.windows.get(&receiver);
                let value = window.and_then(|it| it.held_record(&key)).map(Box::new);
                let (route, labels) = key;
                DispatchRecord::Held {
                    receiver,
                    route,
                    labels,
                    value,
                }
            }
            DirtyKey::Counters => DispatchRecord::Counters(self.counters),
        }
    }

    fn alert_record(&self, fingerprint: Fingerprint) -> Option<AlertRecord> {
        let entry = self.alerts.get(&fingerprint)?;
        let left = entry
            .memberships
            .iter()
            .filter(|membership| !membership.is_in);
        let left = left
            .map(|it| self.routing.route(it.group.route).id.clone())
            .collect();
        Some(AlertRecord {
            alert: entry.alert.clone(),
            left,
            firings: entry.firings.clone(),
        })
    }

    fn delivery_record(&self, pending: &Pending) -> DeliveryRecord {
        let Pending {
            origin,
            receiver,
            integration,
            notification,
            attempts,
            last_cause: _,
        } = pending.clone();
        let is_summary = matches!(origin, Origin::Summary);
        let (route, group_labels) = match origin {
            Origin::Group(key) => (self.routing.route(key.route).id.clone(), key.labels),
            Origin::Summary => ("".into(), Labels::empty()),
        };
        DeliveryRecord {
            route,
            group_labels,
            receiver,
            integration,
            notification,
            attempts,
            is_summary,
        }
    }

    pub(super) fn group_key(&self, route: &str, labels: &Labels) -> Option<GroupKey> {
        let route = self.routing.route_by_id(route)?;
        Some(GroupKey {
            route,
            labels: labels.clone(),
        })
    }

    // Derives everything from recorded values; what turns out different is marked dirty.
    fn build(&mut self, now: Timestamp, restored: Restored, out: &mut Vec<DispatchEffect>) {
        let Restored {
            alerts,
            groups,
            deliveries,
            nflog,
            silences,
            windows,
            counters,
        } = restored;
        self.alerts.clear();
        self.happened.forget_muted();
        self.by_label = LabelIndex::default();
        self.n_by_name.clear();
        self.inhibition = Inhibition::new(self.routing.inhibit_rules());
        self.silences = Silences::default();
        self.groups.clear();
        self.pending.clear();
        self.windows = windows;
        let summaries = self.windows.values_mut();
        for summary in summaries.filter_map(|window| window.summary.as_mut()) {
            summary.open.clear(); // What is under way is taken up again below.
        }
        self.looks.clear();
        self.deadlines.clear();
        self.counters = counters;
        self.build_silences(now, silences);
        for (key, entry) in &nflog {
            self.deadlines
                .push(entry.expires_at, Deadline::Nflog(key.clone()));
        }
        self.nflog = nflog;
        // Of groups that are gone, the periods in which something under way counts.
        let mut counted: BTreeMap<HeldKey, Timestamp> = BTreeMap::new();
        for ((route, labels), GroupRecord(timers)) in groups {
            match self.group_key(&route, &labels) {
                Some(key) => {
                    let group = self.new_group(&key, timers);
                    self.groups.insert(key, group);
                }
                None => {
                    let key = (route.clone(), labels.clone());
                    let since = timers.flush.and_then(|it| it.counts_in);
                    counted.extend(since.map(|since| (key, since)));
                    self.dirty.insert(DirtyKey::Group(route, labels));
                }
            }
        }
        self.build_alerts(now, alerts);
        for (id, delivery) in deliveries {
            match delivery.is_summary {
                true => self.take_up_summary(id, delivery, out),
                false => self.take_up(id, delivery, &mut counted, out),
            }
        }
        self.set_timers(now);
        self.set_windows();
        self.set_terms(now);
    }

    // Takes up a delivery where it was, if its group and its integration are still there.
    fn take_up(
        &mut self,
        id: DeliveryId,
        record: DeliveryRecord,
        counted: &mut BTreeMap<HeldKey, Timestamp>,
        out: &mut Vec<DispatchEffect>,
    ) {
        let DeliveryRecord {
            route,
            group_labels,
            receiver,
            integration,
            notification,
            attempts,
            is_summary: _,
        } = record;
        let retry_at = attempts.retry_at;
        let key = self.group_key(&route, &group_labels);
        let current = key.as_ref().map(|key| self.routing.route(key.route));
        let current = current.map(|route| self.routing.receiver(route.receiver));
        let current = current.filter(|it| *it.name() == receiver);
        let has_slot = |slot: &IntegrationSlot| slot.integration == integration;
        // A group that no alert belongs to any more is about to end.
        let is_alive = |group: &Group| !group.alerts.is_empty();
        let group = key.as_ref().and_then(|key| self.groups.get(key));
        let has_integration = current.is_some_and(|it| it.slots().iter().any(has_slot));
        let is_wanted = has_integration && group.is_some_and(is_alive);
        let has_receiver = current.is_some();
        let flush = key.as_ref().and_then(|key| self.groups.get_mut(key));
        let flush = flush.and_then(|group| Some((group.timers.flush.as_mut()?, &mut group.open)));
        match (key, flush) {
            (Some(group), Some((_, open))) if is_wanted => {
                open.insert(id);
                let pending = Pending {
                    origin: Origin::Group(group),
                    receiver,
                    integration,
                    notification,
                    attempts,
                    last_cause: FailureCause::default(),
                };
                self.go_on_with(id, pending);
            }
            (_, flush) => {
                let mut since = None;
                if let Some((flush, _)) = flush {
                    flush.has_failed = true;
                    since = flush.counts_in.take_if(|_| !has_receiver);
                    self.dirty
                        .insert(DirtyKey::Group(route.clone(), group_labels.clone()));
                }
                // What its receiver is no longer told uses up nothing of its limit.
                if let Some(since) = since.or_else(|| counted.remove(&(route, group_labels))) {
                    self.uncount(&receiver, since);
                }
                if retry_at.is_none() {
                    out.push(DispatchEffect::Cancel(id));
                }
                self.dirty.insert(DirtyKey::Delivery(id));
            }
        }
    }

    fn build_silences(&mut self, now: Timestamp, silences: BTreeMap<SilenceId, Silence>) {
        for silence in silences.into_values() {
            self.deadlines
                .push(silence.ends_at + Duration(1), Deadline::Silence(silence.id));
            if silence.state_at(now) != SilenceState::Expired {
                self.list_terms(&silence);
            }
            self.silences.put(now, silence);
        }
    }

    fn build_alerts(&mut self, now: Timestamp, alerts: BTreeMap<Fingerprint, AlertRecord>) {
        for (fingerprint, record) in alerts {
            let AlertRecord {
                alert,
                left,
                firings,
            } = record;
            self.insert_alert(now, (fingerprint, alert), None, &left);
            self.know_noted(fingerprint);
            if let Some(entry) = self.alerts.get_mut(&fingerprint) {
                entry.firings = firings;
            }
            self.keep_until_forgotten(fingerprint);
            // Routes that are gone are forgotten, should they come back.
            if self
                .alerts
                .get(&fingerprint)
                .is_some_and(|it| it.n_left() != left.len())
            {
                self.dirty.insert(DirtyKey::Alert(fingerprint));
            }
        }
    }

    fn take_up_summary(
        &mut self,
        id: DeliveryId,
        record: DeliveryRecord,
        out: &mut Vec<DispatchEffect>,
    ) {
        let DeliveryRecord {
            receiver,
            integration,
            notification,
            attempts,
            ..
        } = record;
        let retry_at = attempts.retry_at;
        let id_of = self.routing.receivers().resolve(&receiver);
        let slots = id_of.map_or(&[][..], |id| self.routing.receiver(id).slots());
        let window = self.windows.get(&receiver);
        let is_wanted = slots.iter().any(|slot| slot.integration == integration)
            && window.is_some_and(|it| it.summary.is_some());
        if !is_wanted {
            self.fail_summary(&receiver);
            if retry_at.is_none() {
                out.push(DispatchEffect::Cancel(id));
            }
            self.dirty.insert(DirtyKey::Delivery(id));
            return;
        }
        self.open_summary(&receiver, id, true);
        let pending = Pending {
            origin: Origin::Summary,
            receiver,
            integration,
            notification,
            attempts,
            last_cause: FailureCause::default(),
        };
        self.go_on_with(id, pending);
    }

    // An attempt that was under way is made again by `resume`, one that waited is made in time.
    fn go_on_with(&mut self, id: DeliveryId, pending: Pending) {
        if let Some(at) = pending.attempts.retry_at {
            self.deadlines.push(at, Deadline::Retry(id));
        }
        self.pending.insert(id, pending);
    }

    fn set_windows(&mut self) {
        let names: Vec<Arc<str>> = self.windows.keys().cloned().collect();
        for name in names {
            if self.routing.receivers().resolve(&name).is_none() {
                self.windows.remove(&name);
                self.dirty.insert(DirtyKey::Period(name));
                continue;
            }
            if let Some(window) = self.windows.get(&name) {
                let end = self.window_end(&name, window).max(self.quiet_until);
                self.deadlines.push(end, Deadline::Window(name.clone()));
                if let Some(summary) = &window.summary {
                    let deadline = Deadline::SummaryEnd(name.clone());
                    self.deadlines.push(summary.head.deadline, deadline);
                }
            }
            self.finish_summary_if_done(&name);
        }
    }

    // Silences are looked at as soon as what is due now is done, not before it.
    fn set_terms(&mut self, now: Timestamp) {
        let warns = self.routing.silence_warning().is_some();
        let live = self.silences.iter().filter(|silence| {
            silence.state_at(now) != SilenceState::Expired
                && (warns || silence.terms.until_resolved_for.is_some())
        });
        for silence in live {
            self.deadlines.push(now, Deadline::Silence(silence.id));
        }
    }

    // A group that was due before the end of the quiet time after a start waits for it.
    fn hold_back(&mut self, key: &GroupKey) {
        let quiet_until = self.quiet_until;
        let Some(group) = self.groups.get_mut(key) else {
            return;
        };
        if group.timers.flush_at < quiet_until {
            group.timers.flush_at = quiet_until;
            self.mark_group(key);
        }
    }

    fn set_timers(&mut self, now: Timestamp) {
        let keys: Vec<GroupKey> = self.groups.keys().cloned().collect();
        for key in keys {
            self.hold_back(&key);
            if let Some(Group { timers, .. }) = self.groups.get(&key) {
                if !timers.is_due {
                    self.deadlines
                        .push(timers.flush_at, Deadline::Flush(key.clone()));
                }
                if let Some(flush) = &timers.flush {
                    self.deadlines
                        .push(flush.deadline, Deadline::FlushEnd(key.clone()));
                }
            }
            self.finish_if_done(now, &key);
            self.destroy_if_empty(&key);
        }
    }
}

fn set<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: Option<V>) {
    match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    };
}
