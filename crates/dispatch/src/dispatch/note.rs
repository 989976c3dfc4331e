//! Notes what happens, for the history and for saying why. Decides nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use firebell_model::{AlertStatus, Fingerprint, Timestamp, label_set_text};

use super::{Dispatch, Entry};
use crate::group::{GroupKey, Origin, Pending};
use crate::happened::{
    ALERTS_NAMED_MAX, Deciding, HistoryEvent, Mutes, Notified, NotifiedStatus, shared,
};
use crate::outcome::cut_error;
use crate::{FailureCause, Outcome};

impl Dispatch {
    /// Notes a new alert.
    pub(super) fn note_new(&mut self, now: Timestamp, fingerprint: Fingerprint) {
        if let Some(entry) = self.alerts.get_mut(&fingerprint) {
            let alert = &entry.alert;
            entry.is_noted_firing = self.happened.note_alert(now, None, alert, false);
        }
    }

    /// Finds what was noted of a restored alert: one that fired when it last came in, and whose end
    /// a group still waits for.
    pub(super) fn know_noted(&mut self, fingerprint: Fingerprint) {
        if let Some(entry) = self.alerts.get_mut(&fingerprint) {
            let fired = entry.alert.status_at(entry.alert.updated_at) == AlertStatus::Firing;
            let is_awaited = entry.memberships.iter().any(|it| it.is_in);
            entry.is_noted_firing = fired && is_awaited;
        }
    }

    /// Notes those resolved alerts that nobody told of: they ran out.
    pub(super) fn note_run_out(&mut self, now: Timestamp, resolved: &[(Fingerprint, Timestamp)]) {
        for (fingerprint, _) in resolved {
            if let Some(entry) = self.alerts.get_mut(fingerprint)
                && entry.is_noted_firing
            {
                let alert = &entry.alert;
                entry.is_noted_firing = self.happened.note_alert(now, None, alert, true);
            }
        }
    }

    /// Notes what a group leaves out when it decides.
    pub(super) fn note_muted(
        &mut self,
        now: Timestamp,
        key: &GroupKey,
        muted: &[Fingerprint],
        intervals: &[Arc<str>],
    ) {
        if muted.is_empty() && !self.happened.has_muted(key) {
            return;
        }
        let by = |fingerprint: &Fingerprint| {
            let entry = self.alerts.get(fingerprint)?;
            let by = self.mute_of(now, entry, intervals)?;
            Some((*fingerprint, (by, entry.alert.labels.clone())))
        };
        let muted: BTreeMap<_, _> = muted.iter().filter_map(by).collect();
        let Some(group) = self.groups.get(key) else {
            return;
        };
        let route = self.routing.route(key.route);
        let deciding = Deciding {
            now,
            key,
            key_text: &group.key_text,
            receiver: self.routing.receiver(route.receiver).name(),
            alerts: &group.alerts,
        };
        self.happened.note_muted(&deciding, muted);
    }

    // In the order in which alerts are left out.
    fn mute_of(&self, now: Timestamp, entry: &Entry, intervals: &[Arc<str>]) -> Option<Mutes> {
        let inhibitor = self
            .inhibition
            .inhibitor(now, &entry.alert.labels, &entry.roles);
        if let Some(source) = inhibitor {
            return Some(Mutes::Inhibition(source));
        }
        if let Some(interval) = intervals.first() {
            return Some(Mutes::Interval(Arc::clone(interval)));
        }
        self.active_silences(now, entry).next().map(Mutes::Silence)
    }

    /// Notes what became of a delivery: that it arrived, or what was said last and what kind of
    /// failure that was.
    pub(super) fn note_outcome(
        &mut self,
        now: Timestamp,
        pending: &Pending,
        failed: Option<(&str, FailureCause)>,
    ) {
        let group: Arc<str> = match &pending.origin {
            Origin::Group(GroupKey { route, labels }) => {
                let route = &self.routing.route(*route).key;
                format!("{route}:{}", label_set_text(labels)).into()
            }
            Origin::Summary => pending.notification.group_key.as_str().into(),
        };
        let Pending {
            receiver,
            integration,
            notification,
            attempts,
            ..
        } = pending;
        let key = format!(
            "{group}:{receiver}/{}/{}",
            integration.kind, integration.idx
        );
        let outcome = Outcome {
            at: now,
            reason: notification.reason,
            attempts: attempts.attempt,
            took: now - attempts.attempted_at,
            error: failed.map(|(error, _)| cut_error(error)),
        };
        let alerts = notification.alerts.iter();
        let named = alerts.clone().take(ALERTS_NAMED_MAX);
        let notified = Notified {
            receiver: Arc::clone(receiver),
            integration: Some(integration.to_string()),
            group,
            status: match failed {
                None => NotifiedStatus::Sent,
                Some(_) => NotifiedStatus::Failed,
            },
            reason: Some(notification.reason),
            alerts: named.map(|it| it.labels.fingerprint()).collect(),
            n_alerts: notification.alerts.len(),
            attempts: attempts.attempt,
            took_ms: outcome.took.0,
            error: outcome.error.clone(),
            cause: failed.map(|(_, cause)| cause),
            by: Vec::new(),
        };
        let first = notification.alerts.first().map(|it| &it.labels);
        let labels = match first {
            Some(first) => shared(first, alerts.map(|it| &it.labels)),
            None => notification.group_labels.clone(),
        };
        self.outcomes.push(key.into(), outcome);
        let event = HistoryEvent::Notification(Box::new(notified));
        self.happened.push(now, labels, event);
    }
}
