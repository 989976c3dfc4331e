//! Finds out why an alert is told of, or not: a look at the state that changes nothing.
//!
//! What comes next is found by asking at each of the group's next decisions what it would decide,
//! if alerts and silences stay as they are: by the same functions that will decide.

use std::cmp::Reverse;
use std::ops::Bound;
use std::sync::Arc;

use firebell_model::{
    AlertStatus, Duration, Fingerprint, Labels, NotificationReason, Timestamp, label_set_text,
};

use super::{Dispatch, Entry, Membership};
use crate::group::{Group, Pending};
use crate::nflog::{Batch, needs_update};
use crate::time_interval::{names_at, next_change};
use crate::why::{
    GroupWhy, InhibitedBy, IntegrationWhy, IntervalMute, Mute, Next, Nothing, Timer, Why,
};
use crate::{InhibitRule, IntegrationSlot, NflogEntry, NotifiedView, Route, UnderWayView};

/// The last deliveries that are told of each integration.
const OUTCOMES_TOLD_MAX: usize = 5;
/// So many of a group's next decisions are looked at: each is after the end of a mute or due.
const DECISIONS_MAX: usize = 16;
/// So many alerts of a group are looked at; what comes next of larger ones is by these.
const ALERTS_LOOKED_AT_MAX: usize = 10_000;

impl Dispatch {
    /// Why a label set is told of, or not; also one that is not known here, which has routes all
    /// the same.
    #[must_use]
    pub fn why<'a>(&'a self, now: Timestamp, labels: &'a Labels) -> Why<'a> {
        let fingerprint = labels.fingerprint();
        let entry = self.alerts.get(&fingerprint);
        let silences = entry
            .into_iter()
            .flat_map(|it| self.active_silences(now, it));
        let mut silences: Vec<_> = silences.filter_map(|id| self.silence(id)).collect();
        silences.sort_by_key(|it| (Reverse(it.ends_at), it.id));
        let groups = entry.map(|entry| {
            let memberships = entry.memberships.iter();
            let group = |it: &Membership| self.group_why(now, fingerprint, entry, it);
            memberships.map(group).collect()
        });
        Why {
            now,
            fingerprint,
            labels,
            alert: entry.map(|it| &it.alert),
            walk: self.routing.walk(labels),
            silences,
            inhibited_by: entry.and_then(|it| self.inhibited_by(now, it)),
            groups: groups.unwrap_or_default(),
        }
    }

    /// The alerts that are kept, with their labels, behind a fingerprint: for finding one by what
    /// people know of it, in parts.
    pub fn known_after(
        &self,
        after: Option<Fingerprint>,
    ) -> impl Iterator<Item = (Fingerprint, &Labels)> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let alerts = self.alerts.range((start, Bound::Unbounded));
        alerts.map(|(fingerprint, entry)| (*fingerprint, &entry.alert.labels))
    }

    fn inhibited_by(&self, now: Timestamp, entry: &Entry) -> Option<InhibitedBy<'_>> {
        let target = &entry.alert.labels;
        let source = self.inhibition.inhibitor(now, target, &entry.roles)?;
        let alert = &self.alerts.get(&source)?.alert;
        let mut rules = self.routing.inhibit_rules().iter().enumerate();
        let rule = rules.find(|(_, rule)| mutes(rule, &alert.labels, target));
        Some(InhibitedBy {
            source,
            alert,
            rule,
        })
    }

    fn group_why<'a>(
        &'a self,
        now: Timestamp,
        fingerprint: Fingerprint,
        entry: &'a Entry,
        membership: &Membership,
    ) -> GroupWhy<'a> {
        let key = &membership.group;
        let route = self.routing.route(key.route);
        let receiver = self.routing.receiver(route.receiver);
        let group = self.groups.get(key).filter(|_| membership.is_in);
        let key_text = format!("{}:{}", route.key, label_set_text(&key.labels));
        let mut forecast = Forecast {
            dispatch: self,
            now,
            entry,
            group,
            route,
            has_decided: self.happened.has_muted(key),
            batches: Vec::new(),
        };
        let integrations = receiver.slots().iter().map(|slot| {
            let log_key = format!(
                "{key_text}:{}/{}/{}",
                receiver.name(),
                slot.integration.kind,
                slot.integration.idx
            );
            let last = self.nflog.get(&*log_key);
            let told = last.map(|last| NotifiedView {
                integration: &slot.integration,
                at: last.at,
                reason: last.reason,
            });
            let names = |last: &NflogEntry| {
                last.firing.contains(&fingerprint) || last.resolved.contains(&fingerprint)
            };
            let under_way = self.under_way(group, slot);
            IntegrationWhy {
                integration: &slot.integration,
                send_resolved: slot.send_resolved,
                told,
                told_alert: last.is_some_and(names),
                next: match &under_way {
                    Some(it) => under_way_next(it),
                    None => forecast.next(slot, last),
                },
                under_way,
                outcomes: self.outcomes.of(&log_key).take(OUTCOMES_TOLD_MAX).collect(),
            }
        });
        let integrations = integrations.collect();
        GroupWhy {
            route,
            receiver,
            labels: key.labels.clone(),
            key: key_text,
            is_waiting: membership.is_in,
            n_alerts: self.groups.get(key).map_or(0, |it| it.alerts.len()),
            muted_by: interval_mute(route, now),
            next_flush_at: group.map(|it| it.timers.flush_at),
            integrations,
        }
    }

    fn under_way<'a>(
        &'a self,
        group: Option<&'a Group>,
        slot: &IntegrationSlot,
    ) -> Option<UnderWayView<'a>> {
        let open = group.into_iter().flat_map(|it| &it.open);
        let mut pending = open.filter_map(|id| Some((*id, self.pending.get(id)?)));
        let (id, pending) = pending.find(|(_, it)| it.integration == slot.integration)?;
        let Pending {
            integration,
            attempts,
            ..
        } = pending;
        Some(UnderWayView {
            id,
            integration,
            attempt: attempts.attempt,
            retry_at: attempts.retry_at,
            last_error: attempts.last_error.as_deref(),
        })
    }

    // What mutes an alert at a moment, and until when, if that is known.
    fn mute_at(
        &self,
        at: Timestamp,
        entry: &Entry,
        route: &Route,
    ) -> Option<(Mute, Option<Timestamp>)> {
        let labels = &entry.alert.labels;
        if let Some(source) = self.inhibition.inhibitor(at, labels, &entry.roles) {
            // One that was posted without an end is posted again before it runs out.
            let source = self.alerts.get(&source).map(|it| &it.alert);
            let until = source.filter(|it| !it.is_timeout).and_then(|it| it.ends_at);
            return Some((Mute::Inhibition, until));
        }
        if let Some(mute) = interval_mute(route, at) {
            return Some((Mute::Interval, mute.until));
        }
        let silences = self.active_silences(at, entry);
        let ends = silences.filter_map(|id| {
            let silence = self.silence(id)?;
            let weekly = silence.terms.weekly.as_ref();
            let pauses_at = weekly.and_then(|weekly| weekly.next_change(at));
            // At its end a silence still mutes.
            let ends_at = silence.ends_at + Duration(1);
            Some(pauses_at.map_or(ends_at, |it| it.min(ends_at)))
        });
        Some((Mute::Silence, Some(ends.max()?)))
    }
}

fn under_way_next(under_way: &UnderWayView<'_>) -> Next {
    let attempt = under_way.attempt;
    match under_way.retry_at {
        Some(at) => Next::Retry { at, attempt },
        None => Next::UnderWay { attempt },
    }
}

/// The intervals that mute a route at a moment, and until when they do.
fn interval_mute(route: &Route, at: Timestamp) -> Option<IntervalMute> {
    let (active, mute) = (&route.active_time_intervals, &route.mute_time_intervals);
    let is_inactive = |at| !active.is_empty() && names_at(active, at).is_empty();
    let is_muted = |at| is_inactive(at) || !names_at(mute, at).is_empty();
    let is_inactive = is_inactive(at);
    let mut names: Vec<Arc<str>> = match is_inactive {
        true => active.iter().map(|it| it.name.clone()).collect(),
        false => names_at(mute, at),
    };
    names.dedup();
    if names.is_empty() {
        return None;
    }
    let all: Vec<_> = active.iter().chain(mute).cloned().collect();
    Some(IntervalMute {
        names,
        is_inactive,
        until: next_change(&all, at, is_muted),
    })
}

fn mutes(rule: &InhibitRule, source: &Labels, target: &Labels) -> bool {
    let is_source = |labels: &Labels| rule.source.iter().all(|it| it.matches(labels));
    let is_target = |labels: &Labels| rule.target.iter().all(|it| it.matches(labels));
    let is_equal = |name: &String| source.value(name) == target.value(name);
    is_source(source)
        && is_target(target)
        && rule.equal.iter().all(is_equal)
        && !(is_target(source) && is_source(target))
}

// What a group will decide.
struct Forecast<'a> {
    dispatch: &'a Dispatch,
    now: Timestamp,
    entry: &'a Entry,
    // `None` when it no longer waits for the alert.
    group: Option<&'a Group>,
    route: &'a Route,
    // Whether it has decided before, and told nobody: all was muted.
    has_decided: bool,
    batches: Vec<(Timestamp, Batch)>,
}

impl Forecast<'_> {
    fn next(&mut self, slot: &IntegrationSlot, last: Option<&NflogEntry>) -> Next {
        let Some(group) = self.group else {
            return Next::Nothing(Nothing::Resolved);
        };
        let is_resolved = self.entry.alert.status_at(self.now) == AlertStatus::Resolved;
        let mut at = group.timers.flush_at.max(self.now);
        let first = at;
        // What mutes it now may end before the group decides.
        let mute = self
            .dispatch
            .mute_at(at.min(self.now), self.entry, self.route);
        let mut after = mute.map(|(mute, _)| mute);
        for _ in 0..DECISIONS_MAX {
            if let Some((mute, until)) = self.dispatch.mute_at(at, self.entry, self.route) {
                let Some(until) = until else {
                    return Next::Nothing(Nothing::Muted(mute));
                };
                after = Some(mute);
                at = self.decision_after(at, until);
                continue;
            }
            let batch = self.batch_at(at, group);
            let repeat = self.repeat_after(last);
            let reason = needs_update(at, last, &batch, slot.send_resolved, repeat);
            let Some(reason) = reason else {
                let (Some(last), false) = (last, is_resolved || batch.firing.is_empty()) else {
                    return Next::Nothing(Nothing::Resolved);
                };
                let due = last.at + repeat + Duration(1);
                let next = at + self.route.group_interval;
                at = self.decision_after(at, due.max(next));
                continue;
            };
            if is_resolved && !slot.send_resolved {
                return Next::Nothing(Nothing::ResolvedUnwanted);
            }
            let timer = self.timer(reason, last, at == first, group);
            return Next::At {
                at: self.dispatch.not_before_summary(self.route, at),
                reason,
                timer,
                after,
            };
        }
        Next::Nothing(Nothing::TooFar)
    }

    fn timer(
        &self,
        reason: NotificationReason,
        last: Option<&NflogEntry>,
        is_first: bool,
        group: &Group,
    ) -> Timer {
        let is_new =
            last.is_none() && group.timers.last_failure.is_none() && is_first && !self.has_decided;
        match reason {
            NotificationReason::Repeat => Timer::RepeatInterval(self.repeat_after(last)),
            NotificationReason::First if is_new => Timer::GroupWait(self.route.group_wait),
            _ => Timer::GroupInterval(self.route.group_interval),
        }
    }

    fn repeat_after(&self, last: Option<&NflogEntry>) -> Duration {
        self.route
            .repeat_after(last.map_or(0, |last| last.n_repeats))
    }

    // The first decision at or after a moment, of those that follow one.
    fn decision_after(&self, decision: Timestamp, moment: Timestamp) -> Timestamp {
        let interval = self.route.group_interval.0.max(1);
        let missing = (moment.0 - decision.0).max(1);
        let n_intervals = missing / interval + i64::from(missing % interval > 0);
        decision + Duration(n_intervals.saturating_mul(interval))
    }

    // What of the group is not muted at a moment, with alerts as they are now.
    fn batch_at(&mut self, at: Timestamp, group: &Group) -> Batch {
        if let Some((_, batch)) = self.batches.iter().find(|(known, _)| *known == at) {
            return batch.clone();
        }
        let (mut firing, mut resolved) = (Vec::new(), Vec::new());
        for fingerprint in group.alerts.iter().take(ALERTS_LOOKED_AT_MAX) {
            let Some(entry) = self.dispatch.alerts.get(fingerprint) else {
                continue;
            };
            if self.dispatch.is_inhibited(at, entry) || self.dispatch.is_silenced(at, entry) {
                continue;
            }
            match entry.alert.status_at(self.now) {
                AlertStatus::Firing => firing.push(*fingerprint),
                AlertStatus::Resolved => resolved.push(*fingerprint),
            }
        }
        let batch = Batch {
            firing: firing.into(),
            resolved: resolved.into(),
            ..Batch::default()
        };
        self.batches.push((at, batch.clone()));
        batch
    }
}
