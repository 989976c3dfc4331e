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
use crate::group::{Group, GroupKey, Pending};
use crate::inhibit::Inhibition;
use crate::record::{AlertRecord, Counters, DeliveryRecord, DirtyKey, DispatchRecord, GroupRecord};
use crate::silences::{LabelIndex, Silences};
use crate::{DeliveryId, DispatchEffect, IntegrationSlot, NflogEntry, Routing, Silence, SilenceId};

/// Recorded values by key, before anything is derived from them.
#[derive(Debug, Default)]
pub(super) struct Restored {
    alerts: BTreeMap<Fingerprint, AlertRecord>,
    groups: BTreeMap<(Arc<str>, Labels), GroupRecord>,
    deliveries: BTreeMap<DeliveryId, DeliveryRecord>,
    nflog: BTreeMap<Arc<str>, NflogEntry>,
    silences: BTreeMap<SilenceId, Silence>,
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
            counters,
        } = &mut self.restored;
        match record {
            DispatchRecord::Alert { fingerprint, value } => set(alerts, fingerprint, value),
            DispatchRecord::Group {
                route,
                labels,
                value,
            } => set(groups, (route, labels), value),
            DispatchRecord::Delivery { id, value } => set(deliveries, id, value.map(|it| *it)),
            DispatchRecord::Nflog { key, value } => set(nflog, key, value),
            DispatchRecord::Silence { id, value } => set(silences, id, value.map(|it| *it)),
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
        let keys = self.keys();
        for key in keys {
            let record = self.record(key);
            self.restore(record);
        }
        let restored = std::mem::take(&mut self.restored);
        self.routing = routing;
        self.build(now, restored, out);
    }

    /// The whole state.
    #[must_use]
    pub fn records(&self) -> Vec<DispatchRecord> {
        self.keys()
            .into_iter()
            .map(|key| self.record(key))
            .collect()
    }

    fn keys(&self) -> Vec<DirtyKey> {
        let group = |key: &GroupKey| {
            DirtyKey::Group(self.routing.route(key.route).id.clone(), key.labels.clone())
        };
        let mut keys = vec![DirtyKey::Counters];
        keys.extend(
            self.silences
                .iter()
                .map(|silence| DirtyKey::Silence(silence.id)),
        );
        keys.extend(self.nflog.keys().cloned().map(DirtyKey::Nflog));
        keys.extend(self.groups.keys().map(group));
        keys.extend(self.alerts.keys().copied().map(DirtyKey::Alert));
        keys.extend(self.pending.keys().copied().map(DirtyKey::Delivery));
        keys
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
        })
    }

    fn delivery_record(&self, pending: &Pending) -> DeliveryRecord {
        let Pending {
            group,
            receiver,
            integration,
            notification,
            attempts,
        } = pending.clone();
        let route = self.routing.route(group.route).id.clone();
        let group_labels = group.labels;
        DeliveryRecord {
            route,
            group_labels,
            receiver,
            integration,
            notification,
            attempts,
        }
    }

    fn group_key(&self, route: &str, labels: &Labels) -> Option<GroupKey> {
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
            counters,
        } = restored;
        self.alerts.clear();
        self.by_label = LabelIndex::default();
        self.n_by_name.clear();
        self.inhibition = Inhibition::new(self.routing.inhibit_rules());
        self.silences = Silences::default();
        self.groups.clear();
        self.pending.clear();
        self.deadlines.clear();
        self.counters = counters;
        for silence in silences.into_values() {
            self.deadlines
                .push(silence.ends_at + Duration(1), Deadline::Silence(silence.id));
            self.silences.put(now, silence);
        }
        for (key, entry) in &nflog {
            self.deadlines
                .push(entry.expires_at, Deadline::Nflog(key.clone()));
        }
        self.nflog = nflog;
        for ((route, labels), GroupRecord(timers)) in groups {
            match self.group_key(&route, &labels) {
                Some(key) => {
                    let group = self.new_group(&key, timers);
                    self.groups.insert(key, group);
                }
                None => {
                    self.dirty.insert(DirtyKey::Group(route, labels));
                }
            }
        }
        for (fingerprint, AlertRecord { alert, left }) in alerts {
            self.insert_alert(now, fingerprint, alert, &left);
            // Routes that are gone are forgotten, should they come back.
            if self
                .alerts
                .get(&fingerprint)
                .is_some_and(|it| it.n_left() != left.len())
            {
                self.dirty.insert(DirtyKey::Alert(fingerprint));
            }
        }
        for (id, delivery) in deliveries {
            self.take_up(id, delivery, out);
        }
        self.set_timers(now);
    }

    // Takes up a delivery where it was, if its group and its integration are still there.
    fn take_up(&mut self, id: DeliveryId, record: DeliveryRecord, out: &mut Vec<DispatchEffect>) {
        let DeliveryRecord {
            route,
            group_labels,
            receiver,
            integration,
            notification,
            attempts,
        } = record;
        let retry_at = attempts.retry_at;
        let key = self.group_key(&route, &group_labels);
        let is_wanted = key.as_ref().is_some_and(|key| {
            let current = self
                .routing
                .receiver(self.routing.route(key.route).receiver);
            let has_slot = |slot: &IntegrationSlot| slot.integration == integration;
            // A group that no alert belongs to any more is about to end.
            let is_alive = |group: &Group| !group.alerts.is_empty();
            *current.name() == receiver
                && current.slots().iter().any(has_slot)
                && self.groups.get(key).is_some_and(is_alive)
        });
        let flush = key.as_ref().and_then(|key| self.groups.get_mut(key));
        let flush = flush.and_then(|group| Some((group.timers.flush.as_mut()?, &mut group.open)));
        match (key, flush) {
            (Some(group), Some((_, open))) if is_wanted => {
                open.insert(id);
                let pending = Pending {
                    group,
                    receiver,
                    integration,
                    notification,
                    attempts,
                };
                self.pending.insert(id, pending);
                if let Some(at) = retry_at {
                    self.deadlines.push(at, Deadline::Retry(id));
                }
            }
            (_, flush) => {
                if let Some((flush, _)) = flush {
                    flush.has_failed = true;
                    self.dirty.insert(DirtyKey::Group(route, group_labels));
                }
                if retry_at.is_none() {
                    out.push(DispatchEffect::Cancel(id));
                }
                self.dirty.insert(DirtyKey::Delivery(id));
            }
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
