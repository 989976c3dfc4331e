//! What the API shows: alerts with their status, groups, silences.
//!
//! *Sources*: Alertmanager, `api/v2/api.go`, `dispatch.Dispatcher.Groups`.

use std::cmp::Reverse;
use std::ops::Bound;
use std::sync::Arc;

use firebell_model::{Alert, Fingerprint, Labels, NotificationReason, Timestamp};

use super::{Dispatch, Entry};
use crate::group::{Group, GroupKey, LastFailure};
use crate::order::{by_label_set, by_origin};
use crate::{DeliveryId, Integration, Routing, Silence, SilenceId, SilenceState};

/// An alert as `GET /api/v2/alerts` shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AlertView<'a> {
    /// Identity.
    pub fingerprint: Fingerprint,
    /// The alert.
    pub alert: &'a Alert,
    /// Whether it is muted.
    pub state: AlertState,
    /// The active silences that mute it, sorted.
    pub silenced_by: Vec<SilenceId>,
    /// The alert that inhibits it: at most one is named, as upstream.
    pub inhibited_by: Vec<Fingerprint>,
    /// The receivers of the routes that take it; in route order, repeated as routes do.
    pub receivers: Vec<&'a str>,
}

/// Whether an alert is muted. (Upstream's `unprocessed` never shows: status is always known.)
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum AlertState {
    /// It is told of.
    Active,
    /// It is silenced or inhibited.
    Suppressed,
}

/// A group as `GET /api/v2/alerts/groups` shows it, with what happens next and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupView<'a> {
    key_in_order: &'a GroupKey,
    /// [`crate::Route::id`] of its route.
    pub route: &'a str,
    /// Who is told.
    pub receiver: &'a str,
    /// What its alerts share by `group_by`.
    pub labels: &'a Labels,
    /// The labels of the route; values may be templates.
    pub route_labels: &'a Labels,
    /// Upstream's group key.
    pub key: &'a str,
    /// The alerts that fire; may be none. In upstream's order where all groups are asked for, else in
    /// that of their fingerprints.
    pub alerts: Vec<AlertView<'a>>,
    /// The time intervals that muted it when it last decided; one for each part that did.
    pub muted_by: &'a [Arc<str>],
    /// When it decides next.
    pub next_flush_at: Timestamp,
    /// What each integration was last told.
    pub notified: Vec<NotifiedView<'a>>,
    /// Deliveries that have no outcome yet.
    pub under_way: Vec<UnderWayView<'a>>,
    /// The last delivery that was given up.
    pub last_failure: Option<&'a LastFailure>,
}

/// A place among the groups of a configuration.
#[derive(Clone, Debug)]
pub struct GroupCursor {
    key: GroupKey,
    /// The one in force then: of another one the order is another.
    routing: Arc<Routing>,
}

/// What an integration was last told of a group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NotifiedView<'a> {
    /// Which one.
    pub integration: &'a Integration,
    /// When that was delivered.
    pub at: Timestamp,
    /// Why it was sent.
    pub reason: NotificationReason,
}

/// A delivery that has no outcome yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnderWayView<'a> {
    /// Which one.
    pub id: DeliveryId,
    /// To whom.
    pub integration: &'a Integration,
    /// Counts from 1.
    pub attempt: u32,
    /// When it is tried again; `None` while an attempt is under way.
    pub retry_at: Option<Timestamp>,
    /// What the last attempt said.
    pub last_error: Option<&'a str>,
}

/// Figures for `/metrics`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DispatchStats {
    /// Alerts that are kept, resolved ones included.
    pub n_alerts: usize,
    /// New alerts that were refused by a limit, since the start of the process.
    pub n_refused: u64,
    /// Alerts that flushes left out, since the start of the process.
    pub suppressed: Suppressed,
    /// Groups.
    pub n_groups: usize,
    /// Silences that are kept, expired ones included.
    pub n_silences: usize,
    /// Deliveries without an outcome.
    pub n_under_way: usize,
}

/// How many alerts flushes left out, by what left them out first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Suppressed {
    /// Another alert.
    pub inhibition: u64,
    /// No time interval in which the route is active lasts.
    pub active_time_interval: u64,
    /// A time interval in which the route is mute lasts.
    pub mute_time_interval: u64,
    /// A silence.
    pub silence: u64,
}

impl Suppressed {
    /// With upstream's words for the reasons.
    #[must_use]
    pub fn by_reason(&self) -> [(&'static str, u64); 4] {
        [
            ("active_time_interval", self.active_time_interval),
            ("inhibition", self.inhibition),
            ("mute_time_interval", self.mute_time_interval),
            ("silence", self.silence),
        ]
    }
}

impl Dispatch {
    /// The alerts that fire at `now`, by fingerprint.
    pub fn alerts(&self, now: Timestamp) -> impl Iterator<Item = AlertView<'_>> {
        self.alerts_after(now, None)
    }

    /// Of these, those behind a fingerprint: a long list can be looked up in parts.
    pub fn alerts_after(
        &self,
        now: Timestamp,
        after: Option<Fingerprint>,
    ) -> impl Iterator<Item = AlertView<'_>> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.alerts
            .range((start, Bound::Unbounded))
            .filter(move |(_, entry)| is_shown(&entry.alert, now))
            .map(move |(fingerprint, entry)| self.alert_view(now, *fingerprint, entry))
    }

    /// Whether each of [`Self::alerts`] is muted; for counting, which makes no views.
    pub fn states(&self, now: Timestamp) -> impl Iterator<Item = AlertState> {
        let shown = self.alerts.values();
        let shown = shown.filter(move |entry| is_shown(&entry.alert, now));
        shown.map(move |entry| {
            match self.is_silenced(now, entry) || self.is_inhibited(now, entry) {
                true => AlertState::Suppressed,
                false => AlertState::Active,
            }
        })
    }

    /// One alert, also when it has resolved.
    #[must_use]
    pub fn alert(&self, now: Timestamp, fingerprint: Fingerprint) -> Option<AlertView<'_>> {
        let entry = self.alerts.get(&fingerprint)?;
        Some(self.alert_view(now, fingerprint, entry))
    }

    /// Until when an alert is silenced or inhibited, as far as is known; `None` when it is neither. What
    /// comes before that may end it sooner.
    #[must_use]
    pub fn muted_until(&self, now: Timestamp, fingerprint: Fingerprint) -> Option<Timestamp> {
        let entry = self.alerts.get(&fingerprint)?;
        if self.is_inhibited(now, entry) {
            return Some(Timestamp::MAX);
        }
        let silences = self.active_silences(now, entry);
        silences
            .filter_map(|id| self.silences.get(id))
            .map(|it| it.ends_at)
            .max()
    }

    /// The groups that have an alert which fires at `now`, by labels and receiver.
    #[must_use]
    pub fn groups(&self, now: Timestamp) -> Vec<GroupView<'_>> {
        let views = self.groups_from(now, Bound::Unbounded);
        let mut groups: Vec<GroupView<'_>> = views.filter(|it| !it.alerts.is_empty()).collect();
        for group in &mut groups {
            let alerts = &mut group.alerts;
            alerts.sort_by(|a, b| by_origin(&a.alert.labels, &b.alert.labels));
        }
        groups.sort_by(|a, b| by_label_set(a.labels, b.labels).then(a.receiver.cmp(b.receiver)));
        groups
    }

    /// All groups behind a place, in an order of their own: many can be looked up in parts, and be
    /// put in order elsewhere ([`by_label_set`], [`by_origin`]). `None` when another configuration is
    /// in force since: who looks has to begin anew.
    pub fn groups_after(
        &self,
        now: Timestamp,
        after: Option<GroupCursor>,
    ) -> Option<impl Iterator<Item = GroupView<'_>>> {
        let start = match after {
            None => Bound::Unbounded,
            Some(after) if Arc::ptr_eq(&after.routing, &self.routing) => Bound::Excluded(after.key),
            Some(_) => return None,
        };
        Some(self.groups_from(now, start))
    }

    fn groups_from(
        &self,
        now: Timestamp,
        start: Bound<GroupKey>,
    ) -> impl Iterator<Item = GroupView<'_>> {
        let groups = self.groups.range((start, Bound::Unbounded));
        groups.map(move |(key, group)| self.group_view(now, key, group))
    }

    /// The place behind a group.
    #[must_use]
    pub fn behind(&self, group: &GroupView<'_>) -> GroupCursor {
        GroupCursor {
            key: group.key_in_order.clone(),
            routing: Arc::clone(&self.routing),
        }
    }

    /// The groups that wait for an alert: for saying when it is told of next.
    #[must_use]
    pub fn groups_of(&self, now: Timestamp, fingerprint: Fingerprint) -> Vec<GroupView<'_>> {
        let entry = self.alerts.get(&fingerprint);
        let memberships = entry.into_iter().flat_map(|entry| &entry.memberships);
        memberships
            .filter(|membership| membership.is_in)
            .filter_map(|membership| self.groups.get_key_value(&membership.group))
            .map(|(key, group)| self.group_view(now, key, group))
            .collect()
    }

    /// All silences with their states: active ones by their end, then pending ones by their start,
    /// then expired ones, the last first.
    #[must_use]
    pub fn silences(&self, now: Timestamp) -> Vec<(SilenceState, &Silence)> {
        let with_state = |silence: &'_ Silence| silence.state_at(now);
        let mut silences: Vec<(SilenceState, &Silence)> = self
            .silences
            .iter()
            .map(|silence| (with_state(silence), silence))
            .collect();
        silences.sort_by_key(|(state, silence)| {
            let (up, down) = match state {
                SilenceState::Active => (silence.ends_at, None),
                SilenceState::Pending => (silence.starts_at, None),
                SilenceState::Expired => (Timestamp::MAX, Some(Reverse(silence.ends_at))),
            };
            (*state, up, down, silence.id)
        });
        silences
    }

    /// One silence.
    #[must_use]
    pub fn silence(&self, id: SilenceId) -> Option<&Silence> {
        self.silences.get(id)
    }

    /// The configuration in force.
    #[must_use]
    pub fn routing(&self) -> &Routing {
        &self.routing
    }

    /// Figures for `/metrics`.
    #[must_use]
    pub fn stats(&self) -> DispatchStats {
        DispatchStats {
            n_alerts: self.alerts.len(),
            n_refused: self.n_refused,
            suppressed: self.suppressed,
            n_groups: self.groups.len(),
            n_silences: self.silences.len(),
            n_under_way: self.pending.len(),
        }
    }

    pub(super) fn is_inhibited(&self, now: Timestamp, entry: &Entry) -> bool {
        let inhibitor = self
            .inhibition
            .inhibitor(now, &entry.alert.labels, &entry.roles);
        inhibitor.is_some()
    }

    pub(super) fn is_silenced(&self, now: Timestamp, entry: &Entry) -> bool {
        self.active_silences(now, entry).next().is_some()
    }

    pub(super) fn active_silences(
        &self,
        now: Timestamp,
        entry: &Entry,
    ) -> impl Iterator<Item = SilenceId> {
        let is_active = move |id: &SilenceId| {
            let silence = self.silences.get(*id);
            silence.is_some_and(|it| it.state_at(now) == SilenceState::Active)
        };
        entry.silences.iter().copied().filter(is_active)
    }

    pub(super) fn alert_view<'a>(
        &'a self,
        now: Timestamp,
        fingerprint: Fingerprint,
        entry: &'a Entry,
    ) -> AlertView<'a> {
        let silenced_by: Vec<SilenceId> = self.active_silences(now, entry).collect();
        let inhibitor = self
            .inhibition
            .inhibitor(now, &entry.alert.labels, &entry.roles);
        let inhibited_by: Vec<Fingerprint> = inhibitor.into_iter().collect();
        let is_muted = !silenced_by.is_empty() || !inhibited_by.is_empty();
        let state = if is_muted {
            AlertState::Suppressed
        } else {
            AlertState::Active
        };
        let routes = entry
            .memberships
            .iter()
            .map(|membership| membership.group.route);
        let receivers = routes.map(|route| self.receiver_name(route)).collect();
        let alert = &entry.alert;
        AlertView {
            fingerprint,
            alert,
            state,
            silenced_by,
            inhibited_by,
            receivers,
        }
    }

    fn group_view<'a>(
        &'a self,
        now: Timestamp,
        key: &'a GroupKey,
        group: &'a Group,
    ) -> GroupView<'a> {
        let members = group
            .alerts
            .iter()
            .filter_map(|it| self.alerts.get_key_value(it));
        let alerts = members
            .filter(|(_, entry)| is_shown(&entry.alert, now))
            .map(|(fingerprint, entry)| self.alert_view(now, *fingerprint, entry));
        let route = self.routing.route(key.route);
        let receiver = self.routing.receiver(route.receiver);
        let notified = receiver.slots().iter().filter_map(|slot| {
            let integration = &slot.integration;
            let entry = self
                .nflog
                .get(&self.nflog_key(key, receiver.name(), integration))?;
            Some(NotifiedView {
                integration,
                at: entry.at,
                reason: entry.reason,
            })
        });
        let open = group
            .open
            .iter()
            .filter_map(|id| Some((*id, self.pending.get(id)?)));
        let under_way = open.map(|(id, pending)| UnderWayView {
            id,
            integration: &pending.integration,
            attempt: pending.attempts.attempt,
            retry_at: pending.attempts.retry_at,
            last_error: pending.attempts.last_error.as_deref(),
        });
        GroupView {
            key_in_order: key,
            route: &route.id,
            receiver: receiver.name(),
            labels: &key.labels,
            route_labels: &route.labels,
            key: &group.key_text,
            alerts: alerts.collect(),
            muted_by: &group.timers.muted_by,
            next_flush_at: group.timers.flush_at,
            notified: notified.collect(),
            under_way: under_way.collect(),
            last_failure: group.timers.last_failure.as_ref(),
        }
    }

    fn receiver_name(&self, route: crate::RouteIdx) -> &str {
        self.routing
            .receiver(self.routing.route(route).receiver)
            .name()
    }
}

// Upstream leaves out what ended before now; at exactly its end an alert still shows.
fn is_shown(alert: &Alert, now: Timestamp) -> bool {
    alert.ends_at.is_none_or(|ends_at| ends_at >= now)
}
