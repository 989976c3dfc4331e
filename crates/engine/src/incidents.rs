//! Incidents within the engine: what they hear of dispatch, and what people do with them.
//!
//! *Invariants*: incidents hear of alerts in the step in which the alerts change, and what that
//! changes is a part of the step: a kill loses both or neither.

use std::collections::BTreeSet;
use std::sync::Arc;

use firebell_dispatch::{
    AlertState, Dispatch, HistoryEntry, HistoryEvent, INBOX, Notified, NotifiedStatus,
};
use firebell_incident::{
    Act, AlertEvent, Graph, Happened, HappenedKind, IncidentId, Incidents, Opening, Outcome,
    Person, Refusal, Told, WaitsFor, Who,
};
use firebell_model::{AlertStatus, Duration, Fingerprint, Labels, Matcher, Timestamp};

use crate::engine::{Engine, Step};
use crate::pages::is_of_page;

impl Engine {
    /// Incidents, to look at.
    #[must_use]
    pub fn incidents(&self) -> &Incidents {
        &self.incidents
    }

    /// Opens an incident for a person: about a service, whose alerts join it, or about alerts that
    /// are named. The same wish again within a minute finds what it opened.
    ///
    /// # Errors
    /// When the opening is wrong, an alert is unknown, or too many incidents are open.
    pub fn open_incident(
        &mut self,
        now: Timestamp,
        by: Person,
        mut opening: Opening,
        alerts: &[Fingerprint],
        step: &mut Step,
    ) -> Result<(IncidentId, Outcome), Refusal> {
        for fingerprint in alerts {
            let view = self.dispatch.alert(now, *fingerprint);
            let known =
                view.ok_or_else(|| Refusal::Invalid(format!("there is no alert {fingerprint}")))?;
            if known.alert.status_at(now) != AlertStatus::Firing {
                let why =
                    format!("alert {fingerprint} does not fire: an incident is of alerts that do");
                return Err(Refusal::Invalid(why));
            }
            opening.alerts.push(known.alert.labels.clone());
        }
        if let Some(service) = &opening.service {
            let of_service = self.firing_of_service(now, service.trim());
            let new = of_service.filter(|it| !opening.alerts.contains(it));
            let new: Vec<Labels> = new.take(ALERTS_AT_OPENING_MAX).collect();
            opening.alerts.extend(new);
        }
        let opened = self.incidents.open(now, by, &opening);
        self.finish(now, step);
        opened
    }

    /// Does with an incident what a person wishes.
    ///
    /// # Errors
    /// See [`Incidents::act`].
    pub fn act_on_incident(
        &mut self,
        now: Timestamp,
        id: IncidentId,
        by: Person,
        act: Act,
        step: &mut Step,
    ) -> Result<Outcome, Refusal> {
        let outcome = match act {
            Act::Ack => {
                let answered = self.acknowledge(now, id, &by, step);
                answered.map(|(outcome, _)| outcome)
            }
            act => self.incidents.act(now, id, by, act),
        };
        self.finish(now, step);
        outcome
    }

    /// Freezes samples for an incident's postmortem.
    ///
    /// # Errors
    /// See [`Incidents::draft`].
    pub fn draft_postmortem(
        &mut self,
        now: Timestamp,
        id: IncidentId,
        by: Person,
        graphs: Vec<Graph>,
        step: &mut Step,
    ) -> Result<Outcome, Refusal> {
        let outcome = self.incidents.draft(now, id, by, graphs);
        self.finish(now, step);
        outcome
    }

    /// Notes what was decided at a review.
    ///
    /// # Errors
    /// See [`Incidents::decide`].
    pub fn decide(
        &mut self,
        now: Timestamp,
        by: Person,
        month: &str,
        decided: (&str, &str),
        step: &mut Step,
    ) -> Result<Outcome, Refusal> {
        let outcome = self.incidents.decide(now, by, month, decided);
        self.finish(now, step);
        outcome
    }

    /// Found by the labels that can name a service, not among all alerts.
    fn firing_of_service(&self, now: Timestamp, service: &str) -> impl Iterator<Item = Labels> {
        let policy = self.incidents.policy();
        let names = policy.service_labels.iter();
        let equal = names.map(|name| [Matcher::equal(name, service)]);
        let candidates = equal.flat_map(|it| self.dispatch.candidates(&it));
        let candidates: BTreeSet<Fingerprint> = candidates.collect();
        let firing = candidates.into_iter().filter_map(move |fingerprint| {
            let view = self.dispatch.alert(now, fingerprint)?;
            let fires = view.alert.status_at(now) == AlertStatus::Firing;
            fires.then_some(&view.alert.labels)
        });
        firing
            .filter(move |labels| policy.key(labels).value("service") == service)
            .filter(|labels| !is_of_page(labels))
            .cloned()
    }
}

impl Engine {
    /// Alerts that wait for the end of what mutes them open their incidents when it has come, and not
    /// only when somebody is told of them.
    pub(crate) fn look_at_muted(&mut self, now: Timestamp) {
        if self.muted_look_at.take_if(|at| *at <= now).is_none() {
            return;
        }
        let (mut unmuted, mut next) = (Vec::new(), now + LOOK_AT_MUTED_EVERY);
        let waiting = self.incidents.waiting();
        let muted = waiting.filter(|(_, it)| it.waits_for == WaitsFor::Unmuted);
        for (alert, _) in muted {
            match self.dispatch.muted_until(now, alert) {
                // It is active up to its last moment.
                Some(until) if until < next => next = until + Duration(1),
                Some(_) => {}
                None if is_firing(&self.dispatch, now, alert) => unmuted.push(alert),
                None => {}
            }
        }
        for alert in unmuted {
            self.incidents.handle_unmuted(now, alert);
        }
        let waits = self.incidents.waiting().next().is_some();
        self.muted_look_at = waits.then_some(next);
    }

    /// They are looked at no later than that.
    pub(crate) fn look_at_muted_by(&mut self, at: Timestamp) {
        let waits = self.incidents.waiting().next().is_some();
        let next = self.muted_look_at.map_or(at, |known| known.min(at));
        self.muted_look_at = waits.then_some(next);
    }
}

/// After a restart: what was open is, but for alerts that have ended meanwhile.
pub(crate) fn resume(incidents: &mut Incidents, now: Timestamp, dispatch: &Dispatch) {
    incidents.resume();
    incidents.reconcile(now, |alert| is_firing(dispatch, now, alert));
}

/// Tells incidents what has happened to alerts and notifications.
pub(crate) fn hear(
    incidents: &mut Incidents,
    now: Timestamp,
    dispatch: &Dispatch,
    entries: &[HistoryEntry],
) {
    if !incidents.wants_alerts() {
        return;
    }
    // That nobody answers a page is no alert of its incident: it would keep it from ending.
    let entries = entries.iter().filter(|it| !is_of_page(&it.labels));
    for entry in entries {
        match &entry.event {
            // It may have ended in silence.
            HistoryEvent::Unsuppressed { .. }
                if !is_firing(dispatch, now, entry.labels.fingerprint()) => {}
            HistoryEvent::Firing | HistoryEvent::Unsuppressed { .. } => {
                let view = dispatch.alert(now, entry.labels.fingerprint());
                let is_muted = view.is_some_and(|it| it.state == AlertState::Suppressed);
                alert(incidents, now, entry, true, is_muted);
            }
            HistoryEvent::Resolved => alert(incidents, now, entry, false, false),
            HistoryEvent::Suppressed { .. } => incidents.handle_muted(entry.labels.fingerprint()),
            HistoryEvent::Notification(notified) => {
                let Some(integration) = &notified.integration else {
                    continue;
                };
                unmute(incidents, now, dispatch, notified);
                // Every receiver has the inbox: that is no news.
                if integration.starts_with(INBOX) {
                    continue;
                }
                let is_failed = notified.status == NotifiedStatus::Failed;
                let why = || notified.error.clone().unwrap_or_else(|| "failed".into());
                let told = Told {
                    receiver: Arc::clone(&notified.receiver),
                    integration: integration.as_str().into(),
                    alerts: notified.alerts.clone(),
                    error: is_failed.then(why),
                };
                incidents.handle_told(now, &told);
            }
            HistoryEvent::Pending
            | HistoryEvent::Acknowledged { .. }
            | HistoryEvent::Judged { .. } => {}
        }
    }
}

fn alert(
    incidents: &mut Incidents,
    now: Timestamp,
    entry: &HistoryEntry,
    is_firing: bool,
    is_muted: bool,
) {
    let event = AlertEvent {
        labels: entry.labels.clone(),
        is_firing,
        is_muted,
    };
    incidents.handle_alert(now, &event);
}

/// What mutes an alert may end before its group decides: then nobody hears of an end, but somebody
/// is told of the alert.
fn unmute(incidents: &mut Incidents, now: Timestamp, dispatch: &Dispatch, notified: &Notified) {
    // Of a large group only some are named.
    let is_all_named = notified.n_alerts <= notified.alerts.len();
    let is_named = |it: &Fingerprint| !is_all_named || notified.alerts.contains(it);
    let is_told = |it: &Fingerprint| {
        let view = dispatch.alert(now, *it);
        let is_muted = view.is_none_or(|it| it.state == AlertState::Suppressed);
        !is_muted && is_firing(dispatch, now, *it)
    };
    let waiting = incidents.waiting();
    let muted = waiting.filter(|(_, it)| it.waits_for == WaitsFor::Unmuted);
    let muted = muted.map(|(alert, _)| alert);
    let told: Vec<_> = muted.filter(is_named).filter(is_told).collect();
    for alert in told {
        incidents.handle_unmuted(now, alert);
    }
}

fn is_firing(dispatch: &Dispatch, now: Timestamp, alert: Fingerprint) -> bool {
    let view = dispatch.alert(now, alert);
    view.is_some_and(|it| it.alert.status_at(now) == AlertStatus::Firing)
}

/// What incidents have for the history.
pub(crate) fn entry(happened: Happened) -> HistoryEntry {
    let person = match &happened.by {
        Who::Firebell => None,
        Who::Person(person) => Some(Arc::<str>::from(person.name())),
    };
    let incident = Some(happened.incident.0);
    HistoryEntry {
        at: happened.at,
        labels: happened.labels,
        event: match happened.kind {
            HappenedKind::Acknowledged => HistoryEvent::Acknowledged {
                by: person,
                incident,
            },
            HappenedKind::Judged(verdict) => HistoryEvent::Judged {
                verdict: verdict.name().into(),
                by: person,
                since: happened.since,
                incident,
            },
        },
    }
}

/// What mutes an alert is looked at so often, besides at the end of its silences: inhibition ends
/// with another alert.
const LOOK_AT_MUTED_EVERY: Duration = Duration::from_secs(15);
/// The most alerts that fire already and join an incident when it is opened.
const ALERTS_AT_OPENING_MAX: usize = 1_000;
