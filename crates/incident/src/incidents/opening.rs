//! How incidents begin, and which alerts wait until they may open one.
//!
//! *Invariants*: an alert waits only while it fires and belongs to no open incident. Who waited
//! longest comes first.
//!
//! *Limits*: at most [`WAITING_MAX`] alerts wait; a further one opens nothing.

use std::collections::{BTreeMap, BTreeSet};

use firebell_model::{ALERT_NAME, Fingerprint, Labels, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    AlertEvent, INCIDENTS_KEPT_MAX, INCIDENTS_OPEN_MAX, Incidents, Opening, TEXT_BYTES_ALL_MAX,
    people,
};
use crate::act::{Outcome, Refusal};
use crate::incident::{Incident, IncidentId, Person, Severity, What, Who};
use crate::life::{Phase, State};
use crate::policy::SERVICE;

/// An alert that would open an incident, or open one again, and may not yet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Waiting {
    /// Its labels.
    pub labels: Labels,
    /// Since when it waits.
    pub since: Timestamp,
    /// Until what.
    pub waits_for: WaitsFor,
}

/// What an alert waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitsFor {
    /// The end of what mutes it.
    Unmuted,
    /// The end of another incident: [`INCIDENTS_OPEN_MAX`] are open.
    Room,
}

/// An alert that may have to wait.
pub(super) struct Held<'a> {
    pub labels: &'a Labels,
    /// Since when it does.
    pub since: Timestamp,
}

impl Incidents {
    /// Opens an incident for a person, or finds the one that the same person has just opened under
    /// the same title: alerts that are named join that one, and another severity is another one.
    ///
    /// # Errors
    /// When the title or the service is wrong, or too many are open.
    pub fn open(
        &mut self,
        now: Timestamp,
        by: Person,
        opening: &Opening,
    ) -> Result<(IncidentId, Outcome), Refusal> {
        let title = people::checked_name("the title", &opening.title)?;
        if let Some(service) = &opening.service {
            people::checked_name("the service", service)?;
        }
        if let Some(known) = self.just_opened(now, &by, &title, opening) {
            let outcome = self.open_again(now, known, by, opening)?;
            return Ok((known, outcome));
        }
        let key = match (&opening.service, opening.alerts.first()) {
            (Some(service), _) => Labels::from_pairs([(SERVICE, service.trim())]),
            (None, Some(first)) => self.policy.key(first),
            (None, None) => Labels::empty(),
        };
        let id = self.begin(now, Who::Person(by), title, opening.severity, key);
        let id = id.ok_or_else(|| {
            Refusal::Full(format!(
                "{INCIDENTS_OPEN_MAX} incidents are open: resolve, merge or decline some first"
            ))
        })?;
        self.take_in(now, id, &opening.alerts);
        self.queue(id);
        Ok((id, Outcome::Changed))
    }

    fn just_opened(
        &self,
        now: Timestamp,
        by: &Person,
        title: &str,
        opening: &Opening,
    ) -> Option<IncidentId> {
        let mut latest = self.all.values().rev();
        let known = latest.find(|it| {
            let is_new = now - it.opened_at <= people::REPEATED_WITHIN && it.state.is_open();
            let service = Some(it.key.value(SERVICE)).filter(|it| !it.is_empty());
            let asked = opening.service.as_deref().map(str::trim);
            let is_about_it = asked.is_none_or(|it| Some(it) == service);
            is_new && is_about_it && it.title == title && it.opened_by == Who::Person(by.clone())
        });
        known.map(|it| it.id)
    }

    /// What is asked for besides what was opened a moment ago is done to that.
    fn open_again(
        &mut self,
        now: Timestamp,
        id: IncidentId,
        by: Person,
        opening: &Opening,
    ) -> Result<Outcome, Refusal> {
        let n_joined = self.take_in(now, id, &opening.alerts);
        // What somebody else has said meanwhile stays.
        let known = self.all.get(&id);
        let is_own = known.is_some_and(|it| it.severity_by.as_ref() == Some(&by));
        let severity = match is_own {
            true => self.set_severity(now, id, by, opening.severity)?,
            false => Outcome::Already,
        };
        self.queue(id);
        match n_joined {
            0 => Ok(severity),
            _ => Ok(Outcome::Changed),
        }
    }

    /// Alerts that are in no open incident join; says how many.
    fn take_in(&mut self, now: Timestamp, id: IncidentId, alerts: &[Labels]) -> usize {
        let is_elsewhere = |all: &Self, labels: &Labels| {
            let known = all.of_alert(labels.fingerprint());
            known.is_some_and(|it| it.state.is_open())
        };
        let mut n_joined = 0;
        for labels in alerts {
            if !is_elsewhere(self, labels) {
                self.join(now, id, labels);
                n_joined += 1;
            }
        }
        n_joined
    }

    /// Alerts that wait, by fingerprint.
    pub fn waiting(&self) -> impl Iterator<Item = (Fingerprint, &Waiting)> {
        self.waiting.iter().map(|(alert, it)| (*alert, it))
    }

    /// Whether some wait, or wait no more, since the last [`Incidents::take_changes`].
    #[must_use]
    pub fn has_new_waiting(&self) -> bool {
        self.changes.has_waiting()
    }

    /// An alert is muted from now on: if it waits, then for the end of that.
    pub fn handle_muted(&mut self, alert: Fingerprint) {
        let known = self.waiting.get_mut(&alert);
        if let Some(known) = known.filter(|it| it.waits_for != WaitsFor::Unmuted) {
            known.waits_for = WaitsFor::Unmuted;
            self.changes.waiting(alert);
        }
    }

    /// Somebody is told of an alert that fires: if it waits for the end of what mutes it, that has
    /// come.
    pub fn handle_unmuted(&mut self, now: Timestamp, alert: Fingerprint) {
        if let Some(waiting) = self.waiting.get(&alert) {
            let event = AlertEvent {
                labels: waiting.labels.clone(),
                is_firing: true,
                is_muted: false,
            };
            self.handle_alert(now, &event);
        }
    }

    /// Opens what waits for room, as far as there is some.
    pub(super) fn admit(&mut self, now: Timestamp) {
        if self.waiting.is_empty() || !self.has_room() {
            return;
        }
        let for_room = self.waiting.iter();
        let for_room = for_room.filter(|(_, it)| it.waits_for == WaitsFor::Room);
        let in_turn: BTreeSet<_> = for_room.map(|(alert, it)| (it.since, *alert)).collect();
        for (_, alert) in in_turn {
            if !self.has_room() {
                return;
            }
            self.handle_unmuted(now, alert);
        }
    }

    pub(super) fn wait(&mut self, held: Held<'_>, waits_for: WaitsFor) {
        let alert = held.labels.fingerprint();
        if self.waiting.len() >= WAITING_MAX {
            return;
        }
        let waiting = Waiting {
            labels: held.labels.clone(),
            since: held.since,
            waits_for,
        };
        self.waiting.insert(alert, waiting);
        self.changes.waiting(alert);
    }

    pub(super) fn wait_no_more(&mut self, alert: Fingerprint) -> Option<Waiting> {
        let waited = self.waiting.remove(&alert);
        if waited.is_some() {
            self.changes.waiting(alert);
        }
        waited
    }

    pub(super) fn open_by_policy(
        &mut self,
        now: Timestamp,
        held: Held<'_>,
        follows: Option<IncidentId>,
    ) {
        let labels = held.labels;
        let key = self.policy.key(labels);
        let name = labels.value(ALERT_NAME);
        let title = match key.value(SERVICE) {
            "" => name.to_owned(),
            service => format!("{name} ({service})"),
        };
        let title = people::shortened(&title);
        let severity = self.policy.severity(labels);
        let Some(id) = self.begin(now, Who::Firebell, title, severity, key) else {
            self.n_not_opened += 1;
            return self.wait(held, WaitsFor::Room);
        };
        if let Some(before) = follows {
            if let Some(incident) = self.all.get_mut(&id) {
                incident.follows = Some(before);
            }
            self.note(now, id, Who::Firebell, What::Follows(before));
        }
        self.join(now, id, labels);
        self.queue(id);
    }

    fn begin(
        &mut self,
        now: Timestamp,
        by: Who,
        title: String,
        severity: Severity,
        key: Labels,
    ) -> Option<IncidentId> {
        if !self.has_room() {
            return None;
        }
        let id = IncidentId(self.all.keys().next_back().map_or(0, |last| last.0) + 1);
        let incident = Incident {
            id,
            title,
            severity,
            severity_by: match &by {
                Who::Firebell => None,
                Who::Person(person) => Some(person.clone()),
            },
            state: State::In(Phase::Triage),
            opened_at: now,
            opened_by: by.clone(),
            key,
            // What a person opens, a person resolves.
            is_attended: by != Who::Firebell,
            acknowledged: None,
            first_acknowledged_at: None,
            roles: BTreeMap::new(),
            tasks: Vec::new(),
            ticks: Vec::new(),
            impact: None,
            components: Vec::new(),
            data: None,
            verdict: None,
            moved_at: now,
            resolved_at: None,
            alive_at: now,
            follows: None,
            detached: BTreeSet::new(),
            kept_before: None,
            n_left_out: 0,
            budget: None,
            postmortem: None,
            graphs: Vec::new(),
            alerts: BTreeMap::new(),
            timeline: Vec::new(),
        };
        self.all.insert(id, incident);
        self.note(now, id, by, What::Opened);
        self.forget_oldest(id);
        Some(id)
    }

    /// Forgets what is over and too much; the newest stays in any case, as numbers count on from it,
    /// and what is being looked at.
    pub(super) fn forget_oldest(&mut self, but: IncidentId) {
        while self.all.len() > INCIDENTS_KEPT_MAX || self.text_bytes > TEXT_BYTES_ALL_MAX {
            let newest = self.all.keys().next_back().copied();
            let mut over = self
                .all
                .values()
                .filter(|it| !it.state.is_open() && it.id != but && Some(it.id) != newest);
            let Some(id) = over.next().map(|it| it.id) else {
                return;
            };
            if let Some(forgotten) = self.all.remove(&id) {
                self.text_bytes -= forgotten.text_bytes();
                forgotten.pictures().for_each(|it| self.pictures.remove(it));
            }
            self.of_alert.retain(|_, of| *of != id);
            self.due.retain(|(_, of)| *of != id);
            self.changes.forget(id);
        }
    }

    fn has_room(&self) -> bool {
        let open = self.all.values().filter(|it| it.state.is_open());
        open.count() < INCIDENTS_OPEN_MAX
    }
}

/// The most alerts that wait.
const WAITING_MAX: usize = 10_000;
