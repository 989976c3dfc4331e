//! Alerts that flap: when each fired anew, and what of that a group tells.
//!
//! On a route with `flap_damping` an alert that fires anew too often is told once, marked; then it
//! is held, whatever it does, until it was calm for the whole window; then it is told once more, as
//! it is. The rest of its group goes on. While it is held it does not leave the group.

use std::collections::BTreeMap;
use std::sync::Arc;

use firebell_model::{Alert, AlertStatus, Duration, Fingerprint, NotificationReason, Timestamp};

use super::{DirtyKey, Dispatch, Entry};
use crate::group::{Flush, GroupKey};
use crate::nflog::Batch;
use crate::{FIRINGS_MAX, FlapDamping, IntegrationSlot, NflogEntry};

/// What a flush does with an alert that flaps or did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Flapping {
    /// It is told, with a mark.
    Begins,
    /// It is held.
    Lasts,
    /// It is told, with a mark.
    Ends,
}

/// The alerts that a flush tells although nothing changed, and how each is marked.
pub(super) type Marks = BTreeMap<Fingerprint, String>;

impl Dispatch {
    pub(super) fn fires(&self, now: Timestamp, fingerprint: Fingerprint) -> bool {
        let entry = self.alerts.get(&fingerprint);
        entry.is_some_and(|entry| entry.alert.status_at(now) == AlertStatus::Firing)
    }

    /// An alert has a new state; `fired` says whether it fired before.
    pub(super) fn note_state(&mut self, now: Timestamp, fingerprint: Fingerprint, fired: bool) {
        self.note_under_silences(now, fingerprint);
        if !self.routing.is_damping() || fired || !self.fires(now, fingerprint) {
            return;
        }
        let Some(window) = self.damping_window(fingerprint) else {
            return;
        };
        if let Some(entry) = self.alerts.get_mut(&fingerprint) {
            // What is older has no say, see `FlapDamping::damped_until`.
            entry.firings.retain(|at| now - *at < window * 2);
            if entry.firings.len() > FIRINGS_MAX {
                entry.firings.remove(0);
            }
            entry.firings.push(now);
            self.dirty.insert(DirtyKey::Alert(fingerprint));
        }
    }

    /// The longest window of the routes of an alert.
    fn damping_window(&self, fingerprint: Fingerprint) -> Option<Duration> {
        let memberships = self.alerts.get(&fingerprint).map(|it| &it.memberships);
        let routes = memberships.into_iter().flatten().map(|it| it.group.route);
        let damping = routes.filter_map(|route| self.routing.route(route).own.flap_damping);
        damping.map(|it| it.window).max()
    }

    /// When an alert is forgotten that no group waits for: not before its firings have no say.
    pub(super) fn forgotten_at(&self, fingerprint: Fingerprint) -> Option<Timestamp> {
        let entry = self.alerts.get(&fingerprint)?;
        let at = entry.forgotten_at()?;
        let Some(last) = entry.firings.last() else {
            return Some(at);
        };
        let window = self.damping_window(fingerprint).unwrap_or(Duration::ZERO);
        Some(at.max(*last + window * 2))
    }

    /// What a flush does with an alert that is not muted; `None` for what does not flap.
    pub(super) fn flapping(
        &self,
        now: Timestamp,
        key: &GroupKey,
        fingerprint: Fingerprint,
        entry: &Entry,
    ) -> Option<Flapping> {
        let damping = self.routing.route(key.route).own.flap_damping;
        let until = damping.and_then(|it| it.damped_until(&entry.firings));
        let is_damped = until.is_some_and(|until| now < until);
        let told = self.groups.get(key).map(|it| &it.timers.flapping);
        let was_told = told.is_some_and(|told| told.binary_search(&fingerprint).is_ok());
        match (is_damped, was_told) {
            (false, false) => None,
            (true, false) => Some(Flapping::Begins),
            (true, true) => Some(Flapping::Lasts),
            (false, true) => Some(Flapping::Ends),
        }
    }

    /// What an integration does not know yet: which alerts of a flush begin to flap, and which are
    /// calm again. Each integration is told once, also while another one fails.
    pub(super) fn marks(&self, key: &GroupKey, entry: Option<&NflogEntry>, flush: &Flush) -> Marks {
        let known = entry.map_or(&[][..], |it| &it.flapping);
        let mut marks = Marks::new();
        if known.is_empty() && flush.flapping.is_empty() {
            return marks;
        }
        let told = flush.batch.firing.iter().chain(&*flush.batch.resolved);
        for fingerprint in told {
            let is_in = |list: &[Fingerprint]| list.binary_search(fingerprint).is_ok();
            let flaps = match (is_in(&flush.flapping), is_in(known)) {
                (true, false) => Flapping::Begins,
                (false, true) => Flapping::Ends,
                _ => continue,
            };
            marks.insert(*fingerprint, self.mark(key, flaps));
        }
        marks
    }

    /// Who wants no ends need not hear either that what ended is calm again, but hears of it when it
    /// flaps anew.
    pub(super) fn forget_calm(
        &mut self,
        log_key: &Arc<str>,
        slot: &IntegrationSlot,
        flush: &Flush,
    ) {
        let Some(entry) = self.nflog.get_mut(log_key) else {
            return;
        };
        if slot.send_resolved || entry.flapping.is_empty() {
            return;
        }
        let n_known = entry.flapping.len();
        entry.flapping.retain(|it| {
            let is_in = |list: &[Fingerprint]| list.binary_search(it).is_ok();
            is_in(&flush.flapping) || !is_in(&flush.batch.resolved)
        });
        if entry.flapping.len() != n_known {
            self.dirty.insert(DirtyKey::Nflog(log_key.clone()));
        }
    }

    /// The mark of an alert on a route.
    fn mark(&self, key: &GroupKey, flapping: Flapping) -> String {
        let window = self.routing.route(key.route).own.flap_damping;
        let window = window.map_or(Duration::ZERO, |it: FlapDamping| it.window);
        match flapping {
            Flapping::Begins | Flapping::Lasts => {
                format!("fires again and again: held back until it was calm for {window}")
            }
            Flapping::Ends => "calm again: no longer held back".to_owned(),
        }
    }
}

// What flaps is told although nothing changed, unless nothing was told of it or its end is unwanted.
pub(super) fn marked_reason(
    entry: Option<&NflogEntry>,
    batch: &Batch,
    marks: &Marks,
    send_resolved: bool,
) -> Option<NotificationReason> {
    entry?;
    let has_mark = |told: &[Fingerprint]| told.iter().any(|it| marks.contains_key(it));
    if has_mark(&batch.firing) {
        Some(NotificationReason::NewAlerts)
    } else {
        (send_resolved && has_mark(&batch.resolved)).then_some(NotificationReason::NewResolved)
    }
}

/// With its mark as annotation `flapping`.
pub(super) fn marked(alert: Alert, fingerprint: Fingerprint, marks: &Marks) -> Alert {
    let Some(mark) = marks.get(&fingerprint) else {
        return alert;
    };
    let mut annotations = alert.annotations.to_builder();
    annotations.set("flapping", mark.as_str());
    Alert {
        annotations: annotations.build(),
        ..alert
    }
}
