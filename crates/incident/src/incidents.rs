//! All incidents: what alerts, time and people do to them.
//!
//! *Invariants*: of several incidents that an alert could join, it joins the one that was alive
//! last. An alert that fires never opens a second incident while its first is open, or was declined
//! or resolved less than the window ago.
//!
//! *Limits*: at most [`INCIDENTS_OPEN_MAX`] are open; a further one is refused, and alerts that would
//! open it are counted, and wait for room. At most [`INCIDENTS_KEPT_MAX`] are kept, with at most
//! [`TEXT_BYTES_ALL_MAX`] of text; the oldest that is over is forgotten.
//! An incident has at most [`ALERTS_MAX`] alerts and [`ENTRIES_KEPT_MAX`] entries, of which alerts and
//! notifications make at most [`ENTRIES_MAX`].

mod changes;
mod decisions;
mod opening;
mod pages;
mod people;
mod pictures;
mod steps;
mod writing;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use firebell_model::{Fingerprint, IncidentSpan, Labels, Timestamp};

use self::changes::Changes;
pub use self::changes::IncidentRecord;
pub use self::decisions::{DECISIONS_MAX, Decision};
use self::opening::Held;
pub use self::opening::{Waiting, WaitsFor};
use self::pictures::Named;
use crate::incident::{Entry, ErrorBudget, Incident, IncidentId, Member, Severity, What, Who};
use crate::life::{Phase, State};
use crate::policy::Policy;
use crate::verdict::{Judgement, Verdict};

/// All incidents.
#[derive(Default)]
pub struct Incidents {
    policy: Policy,
    all: BTreeMap<IncidentId, Incident>,
    /// The incident that an alert last belonged to.
    of_alert: BTreeMap<Fingerprint, IncidentId>,
    /// When an incident wants to be looked at, soonest first.
    due: BTreeSet<(Timestamp, IncidentId)>,
    changes: Changes,
    happened: Vec<Happened>,
    /// Alerts that would open an incident, and may not yet.
    waiting: BTreeMap<Fingerprint, Waiting>,
    n_not_opened: u64,
    /// What was decided at reviews, by number.
    decisions: BTreeMap<u64, Decision>,
    /// What the texts of all timelines take.
    text_bytes: usize,
    /// The pictures that timelines name.
    pictures: Named,
}

/// An alert that began or ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AlertEvent {
    /// Its labels.
    pub labels: Labels,
    /// Whether it fires from now on.
    pub is_firing: bool,
    /// Whether it is silenced or inhibited: it then joins, but opens nothing.
    pub is_muted: bool,
}

/// A notification, as far as timelines tell of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Told {
    /// Who was told.
    pub receiver: Arc<str>,
    /// By what.
    pub integration: Arc<str>,
    /// The alerts that it named.
    pub alerts: Vec<Fingerprint>,
    /// Why it did not arrive.
    pub error: Option<Arc<str>>,
}

/// An incident that somebody opens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opening {
    /// What it is called.
    pub title: String,
    /// How bad it is.
    pub severity: Severity,
    /// The service that it is about; alerts of it join.
    pub service: Option<String>,
    /// Alerts that fire, by their labels; the first one's key is that of the incident when no
    /// service is named.
    pub alerts: Vec<Labels>,
}

/// What the history is to be told of an alert.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Happened {
    /// When.
    pub at: Timestamp,
    /// Of this alert.
    pub labels: Labels,
    /// Since when it belonged to the incident.
    pub since: Timestamp,
    /// The incident.
    pub incident: IncidentId,
    /// Who did it.
    pub by: Who,
    /// What.
    pub kind: HappenedKind,
}

/// What the history is to be told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HappenedKind {
    /// Somebody looks into it.
    Acknowledged,
    /// What it was.
    Judged(Verdict),
}

impl Incidents {
    /// None yet.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            ..Self::default()
        }
    }

    /// Puts another policy in force; what is open stays.
    pub fn configure(&mut self, policy: Policy) {
        self.policy = policy;
        let ids: Vec<IncidentId> = self.all.keys().copied().collect();
        ids.into_iter().for_each(|id| self.queue(id));
    }

    /// Whether alerts can matter: one could open an incident, or there is one to join.
    #[must_use]
    pub fn wants_alerts(&self) -> bool {
        let mut newest_first = self.all.values().rev();
        let policy = &self.policy;
        let by_policy = !policy.open_when.is_empty() || policy.open_when_budget.is_some();
        let may_open = by_policy || !self.waiting.is_empty();
        may_open || newest_first.any(|it| !it.state.is_over())
    }

    /// The policy in force.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// All that are kept, by number.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Incident> {
        self.all.values()
    }

    /// Those behind a number: a long list can be looked at in parts.
    pub fn after(&self, id: Option<IncidentId>) -> impl Iterator<Item = &Incident> {
        let start = id.map_or(Bound::Unbounded, Bound::Excluded);
        self.all.range((start, Bound::Unbounded)).map(|(_, it)| it)
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, id: IncidentId) -> Option<&Incident> {
        self.all.get(&id)
    }

    /// The incident that an alert last belonged to.
    #[must_use]
    pub fn of_alert(&self, alert: Fingerprint) -> Option<&Incident> {
        self.all.get(self.of_alert.get(&alert)?)
    }

    /// When each of those was that were not over before a moment, by number; those that were merged
    /// under the name of the one as which they go on.
    #[must_use]
    pub fn spans(&self, since: Timestamp) -> Vec<IncidentSpan> {
        let spans = self.all.values().map(|it| (it, self.root(it)));
        let spans = spans.map(|(it, root)| it.span(root));
        spans
            .filter(|it| it.until.is_none_or(|until| until >= since))
            .collect()
    }

    /// The incident as which one goes on.
    fn root<'a>(&'a self, of: &'a Incident) -> &'a Incident {
        let mut root = of;
        // None is merged into one that was merged: a chain grows at its end, and never closes.
        while let State::Merged(into) = root.state
            && let Some(next) = self.all.get(&into)
        {
            root = next;
        }
        root
    }

    /// So much is left of the error budget behind it, as of now.
    pub fn set_budget(&mut self, id: IncidentId, budget: ErrorBudget) {
        let incident = self.all.get_mut(&id);
        if let Some(incident) = incident.filter(|it| it.budget.as_ref() != Some(&budget)) {
            incident.budget = Some(budget);
            self.changes.head(id);
        }
    }

    /// How often an alert would have opened an incident, and too many were open; since the start.
    #[must_use]
    pub fn n_not_opened(&self) -> u64 {
        self.n_not_opened
    }

    /// An alert began or ended. Told twice, it counts once.
    pub fn handle_alert(&mut self, now: Timestamp, event: &AlertEvent) {
        let fingerprint = event.labels.fingerprint();
        let waited = self.wait_no_more(fingerprint);
        if !event.is_firing {
            self.end_alert(now, fingerprint);
            return;
        }
        let held = Held {
            labels: &event.labels,
            since: waited.map_or(now, |it| it.since),
        };
        let mut follows = None;
        if let Some(known) = self.of_alert(fingerprint) {
            let id = known.id;
            match self.returned(now, known) {
                Return::Stays => return self.mark_firing(now, id, fingerprint),
                // Nobody is to be troubled before the end of what mutes it.
                Return::Reopens if event.is_muted => return self.wait(held, WaitsFor::Unmuted),
                Return::Reopens => {
                    self.mark_firing(now, id, fingerprint);
                    return self.reopen(now, id);
                }
                Return::Follows => follows = Some(id),
                Return::Anew => {}
            }
        }
        if let Some(id) = self.joinable(now, &event.labels) {
            let is_open = self.all.get(&id).is_some_and(|it| it.state.is_open());
            if !is_open && event.is_muted {
                return self.wait(held, WaitsFor::Unmuted);
            }
            self.join(now, id, &event.labels);
            if !is_open {
                self.reopen(now, id);
            }
            return self.queue(id);
        }
        if !self.policy.opens(&event.labels) {
            return;
        }
        match event.is_muted {
            true => self.wait(held, WaitsFor::Unmuted),
            false => self.open_by_policy(now, held, follows),
        }
    }

    /// Somebody was told of alerts, or was not.
    pub fn handle_told(&mut self, now: Timestamp, told: &Told) {
        let of = told.alerts.iter().filter_map(|it| self.of_alert(*it));
        let open = of.filter(|it| it.state.is_open());
        let ids: BTreeSet<IncidentId> = open.map(|it| it.id).collect();
        for id in ids {
            let what = What::Notified {
                receiver: Arc::clone(&told.receiver),
                integration: Arc::clone(&told.integration),
                error: told.error.clone(),
            };
            self.note(now, id, Who::Firebell, what);
        }
    }

    /// Alerts of open incidents that no longer fire have ended; after a restart, when nobody else
    /// says so.
    pub fn reconcile(&mut self, now: Timestamp, fires: impl Fn(Fingerprint) -> bool) {
        let open = self.all.values().filter(|it| it.state.is_open());
        let alerts = open.flat_map(|it| &it.alerts);
        let firing = alerts.filter(|(_, member)| member.ended_at.is_none());
        let ended: Vec<Fingerprint> = firing.map(|(it, _)| *it).filter(|it| !fires(*it)).collect();
        ended.into_iter().for_each(|it| self.end_alert(now, it));
        let waiting = self.waiting.keys().copied();
        let gone: Vec<Fingerprint> = waiting.filter(|it| !fires(*it)).collect();
        for alert in gone {
            self.wait_no_more(alert);
        }
    }

    /// When [`Incidents::handle_deadline`] wants to be called next.
    #[must_use]
    pub fn poll_deadline(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Resolves what nobody touched and is quiet, and guesses verdicts that nobody gave.
    pub fn handle_deadline(&mut self, now: Timestamp) {
        while let Some((at, id)) = self.due.first().copied()
            && at <= now
        {
            self.due.remove(&(at, id));
            let phase = self.all.get(&id).and_then(|it| it.state.phase());
            match phase {
                Some(phase) if phase.is_open() => {
                    self.shift(now, id, Who::Firebell, Phase::Resolved);
                }
                Some(phase) => {
                    self.guess(now, id);
                    if phase == Phase::Resolved {
                        self.shift(now, id, Who::Firebell, Phase::Closed);
                    }
                }
                None => {}
            }
            self.queue(id);
        }
        self.admit(now);
    }

    // What it means that an alert of this incident fires (again).
    fn returned(&self, now: Timestamp, incident: &Incident) -> Return {
        let is_within = |since: Timestamp| now - since <= self.policy.window;
        match incident.state {
            State::In(phase) if phase.is_open() => Return::Stays,
            State::In(Phase::Resolved | Phase::Review) => {
                match incident.resolved_at.is_some_and(is_within) {
                    true => Return::Reopens,
                    false => Return::Anew,
                }
            }
            State::In(Phase::Declined) if is_within(incident.moved_at) => Return::Stays,
            State::In(Phase::Closed) if is_within(incident.moved_at) => Return::Follows,
            State::In(_) | State::Merged(_) => Return::Anew,
        }
    }

    fn mark_firing(&mut self, now: Timestamp, id: IncidentId, alert: Fingerprint) {
        let member = self
            .all
            .get_mut(&id)
            .and_then(|it| it.alerts.get_mut(&alert));
        let Some(member) = member else {
            return;
        };
        if member.ended_at.take().is_some() {
            let what = What::Returned(member.labels.clone());
            self.changes.alert(id, alert);
            self.note(now, id, Who::Firebell, what);
        }
        self.queue(id);
    }

    fn end_alert(&mut self, now: Timestamp, alert: Fingerprint) {
        let Some(id) = self.of_alert.get(&alert).copied() else {
            return;
        };
        let member = self
            .all
            .get_mut(&id)
            .and_then(|it| it.alerts.get_mut(&alert));
        let Some(member) = member.filter(|it| it.ended_at.is_none()) else {
            return;
        };
        member.ended_at = Some(now);
        let what = What::Ended(member.labels.clone());
        self.changes.alert(id, alert);
        self.note(now, id, Who::Firebell, what);
        self.queue(id);
    }

    // An incident of the same service that is alive, or was lately.
    fn joinable(&self, now: Timestamp, labels: &Labels) -> Option<IncidentId> {
        let fingerprint = labels.fingerprint();
        let key = self.policy.key(labels);
        let is_same = |incident: &&Incident| {
            let mut wanted = incident.key.iter();
            !incident.key.is_empty() && wanted.all(|it| key.value(&it.name) == &*it.value)
        };
        let is_alive = |incident: &&Incident| match incident.state {
            State::In(phase) if phase.is_open() => {
                incident.is_firing() || now - incident.alive_at <= self.policy.window
            }
            State::In(Phase::Resolved | Phase::Review) => {
                let resolved_at = incident.resolved_at;
                resolved_at.is_some_and(|at| now - at <= self.policy.window)
            }
            State::In(_) | State::Merged(_) => false,
        };
        let wants = |incident: &&Incident| !incident.detached.contains(&fingerprint);
        let all = self.all.values();
        let going_on = all.filter(|it| !it.state.is_over());
        let fitting = going_on.filter(is_same).filter(is_alive).filter(wants);
        let last = fitting.max_by_key(|it| (it.state.is_open(), it.alive_at, it.id));
        last.map(|it| it.id)
    }

    fn join(&mut self, now: Timestamp, id: IncidentId, labels: &Labels) {
        let severity = self.policy.severity(labels);
        let Some(incident) = self.all.get_mut(&id) else {
            return;
        };
        let fingerprint = labels.fingerprint();
        if incident.alerts.len() >= ALERTS_MAX && !incident.alerts.contains_key(&fingerprint) {
            incident.n_left_out += 1;
            let n = incident.n_left_out;
            self.changes.head(id);
            // Told at the first one, and at every power of two.
            if n.is_power_of_two() {
                self.note(now, id, Who::Firebell, What::LeftOut(n));
            }
            return;
        }
        let member = Member {
            labels: labels.clone(),
            joined_at: now,
            ended_at: None,
        };
        incident.alerts.insert(fingerprint, member);
        self.of_alert.insert(fingerprint, id);
        self.wait_no_more(fingerprint);
        self.changes.alert(id, fingerprint);
        self.note(now, id, Who::Firebell, What::Joined(labels.clone()));
        self.worsen(now, id, severity);
    }

    // A worse alert makes it worse, unless a person has said how bad it is; whoever looked into it
    // has to look again then.
    fn worsen(&mut self, now: Timestamp, id: IncidentId, severity: Severity) {
        let Some(incident) = self.all.get_mut(&id) else {
            return;
        };
        if severity >= incident.severity {
            return;
        }
        if incident.severity_by.is_some() {
            // Said once, and again for what is worse still.
            if incident.kept_before.is_some_and(|it| it <= severity) {
                return;
            }
            incident.kept_before = Some(severity);
            return self.note(now, id, Who::Firebell, What::SeverityKept(severity));
        }
        let from = std::mem::replace(&mut incident.severity, severity);
        let was_acknowledged = incident.acknowledged.take().is_some();
        let to = severity;
        self.note(now, id, Who::Firebell, What::Severity { from, to });
        if was_acknowledged {
            self.note(now, id, Who::Firebell, What::AcknowledgementEnded);
        }
    }

    /// Moves it; nothing happens when it is there already.
    fn shift(&mut self, now: Timestamp, id: IncidentId, by: Who, to: Phase) {
        let Some(incident) = self.all.get_mut(&id) else {
            return;
        };
        let State::In(from) = incident.state else {
            return;
        };
        if from == to {
            return;
        }
        incident.state = State::In(to);
        incident.moved_at = now;
        let mut was_acknowledged = false;
        match to {
            Phase::Resolved if from.is_open() => incident.resolved_at = Some(now),
            Phase::Triage | Phase::Active | Phase::Mitigated if !from.is_open() => {
                // What goes on has no verdict yet, and somebody has to look again.
                incident.resolved_at = None;
                incident.verdict = None;
                was_acknowledged = incident.acknowledged.take().is_some();
            }
            _ => {}
        }
        self.note(now, id, by, What::Moved { from, to });
        if was_acknowledged {
            self.note(now, id, Who::Firebell, What::AcknowledgementEnded);
        }
    }

    fn reopen(&mut self, now: Timestamp, id: IncidentId) {
        let is_attended = self.all.get(&id).is_some_and(|it| it.is_attended);
        let to = match is_attended {
            true => Phase::Active,
            false => Phase::Triage,
        };
        self.shift(now, id, Who::Firebell, to);
        self.queue(id);
    }

    // Guesses once; a person may say otherwise at any time.
    fn guess(&mut self, now: Timestamp, id: IncidentId) {
        let Some(incident) = self.all.get(&id) else {
            return;
        };
        if incident.verdict.is_some() {
            return;
        }
        let guess = Verdict::guess(incident.is_attended, incident.lasted(now));
        self.judge(now, id, Who::Firebell, guess);
    }

    fn judge(&mut self, now: Timestamp, id: IncidentId, by: Who, verdict: Verdict) {
        let Some(incident) = self.all.get_mut(&id) else {
            return;
        };
        incident.verdict = Some(Judgement {
            verdict,
            by: by.clone(),
            at: now,
        });
        self.tell(now, id, &by, HappenedKind::Judged(verdict));
        self.note(now, id, by, What::Judged(verdict));
    }

    fn tell(&mut self, now: Timestamp, id: IncidentId, by: &Who, kind: HappenedKind) {
        let alerts = self
            .all
            .get(&id)
            .into_iter()
            .flat_map(|it| it.alerts.values());
        let happened = alerts.map(|member| Happened {
            at: now,
            labels: member.labels.clone(),
            since: member.joined_at,
            incident: id,
            by: by.clone(),
            kind,
        });
        self.happened.extend(happened);
    }

    /// Adds an entry to a timeline; whatever changed with it is written down.
    fn note(&mut self, now: Timestamp, id: IncidentId, by: Who, what: What) {
        let Some(incident) = self.all.get_mut(&id) else {
            return;
        };
        // Who is paged next while nobody answers is no sign of life.
        if !matches!(what, What::Page(_)) {
            incident.alive_at = now;
        }
        self.changes.head(id);
        let is_small_talk = matches!(
            what,
            What::Joined(_)
                | What::Returned(_)
                | What::Ended(_)
                | What::Notified { .. }
                | What::Page(_)
        );
        let n_max = match &by {
            _ if is_small_talk => ENTRIES_MAX,
            Who::Firebell => people::ENTRIES_OF_ALL_MAX,
            Who::Person(_) => ENTRIES_KEPT_MAX,
        };
        // What is not told any more is so all the same.
        if incident.timeline.len() >= n_max {
            return;
        }
        self.changes.entry(id, incident.timeline.len());
        self.text_bytes += what.text_bytes();
        what.picture()
            .into_iter()
            .for_each(|it| self.pictures.add(it));
        incident.timeline.push(Entry { at: now, by, what });
    }

    /// Finds out anew when an incident wants to be looked at.
    fn queue(&mut self, id: IncidentId) {
        let Some(incident) = self.all.get(&id) else {
            return;
        };
        let due = self.due_at(incident);
        if let Some(before) = self.changes.queued(id, due) {
            self.due.remove(&(before, id));
        }
        self.due.extend(due.map(|at| (at, id)));
    }

    fn due_at(&self, incident: &Incident) -> Option<Timestamp> {
        let phase = incident.state.phase()?;
        if phase.is_open() {
            let ended = incident.alerts.values().filter_map(|it| it.ended_at).max();
            let is_quiet = !incident.is_attended && !incident.is_firing();
            return ended
                .filter(|_| is_quiet)
                .map(|at| at + self.policy.resolve_after);
        }
        let waits = matches!(phase, Phase::Resolved | Phase::Review);
        let is_unjudged = incident.verdict.is_none();
        // A verdict that stands still needs the end of what was resolved.
        (waits && (is_unjudged || phase == Phase::Resolved))
            .then_some(incident.resolved_at?)
            .map(|at| at + self.policy.answer_within)
    }
}

/// What an alert that fires again means for its incident.
enum Return {
    /// It goes on there.
    Stays,
    /// It was not over.
    Reopens,
    /// It is another one, after that one.
    Follows,
    /// It is another one.
    Anew,
}

/// The most incidents that are open at a time.
pub const INCIDENTS_OPEN_MAX: usize = 500;
/// The most incidents that are kept.
pub const INCIDENTS_KEPT_MAX: usize = 2_000;
/// The most bytes of text that all timelines keep while there is something to forget.
pub(crate) const TEXT_BYTES_ALL_MAX: usize = 64 << 20;
/// The most alerts of an incident.
pub(crate) const ALERTS_MAX: usize = 1_000;
/// The most entries that alerts and notifications make in a timeline.
pub(crate) const ENTRIES_MAX: usize = 2_000;
/// The most entries of a timeline, whatever they are.
const ENTRIES_KEPT_MAX: usize = 10_000;
