//! Pages within the engine: they follow incidents, and incidents hear what became of them.
//!
//! *Invariants*: an open incident in triage or active that nobody looks into, and whose owner has a
//! policy, has an open page; what is anything else has none. That holds whatever came first, so it
//! is brought about wherever an incident changed, and for all after a restart or a change of the
//! configuration. While nobody is left to page, there is an alert about it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use firebell_escalation::{
    Answer, Effect as PageEffect, End, Escalation, EscalationRecord, Happened, Opening, Page,
    PageKey, Phase, Refusal, SendId, Severity,
};
use firebell_incident::{
    Act, Incident, IncidentId, Incidents, Outcome, Person, Phase as IncidentPhase, State,
};
use firebell_model::{ALERT_NAME, Alert, AlertStatus, Duration, Labels, Timestamp};

use crate::engine::{Effect, Engine, Step};
use crate::paging::{PageBrief, PageMessage, PageRecipient, PageWhy, Paging};

/// The name of the alert that a page has nobody left to tell.
pub const PAGE_ALERT: &str = "FirebellPageUnanswered";

/// What somebody does with a page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PageAct {
    /// I look into it.
    Acknowledge,
    /// It is over, and its incident resolved.
    Resolve,
    /// Nobody is told for so long; then it begins anew.
    Snooze(Duration),
    /// It goes on with this policy from its beginning, or with this person.
    HandOver(Arc<str>),
}

/// Why an answer to a page was refused; in words for who gave it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PageRefusal {
    /// The page cannot do it.
    #[error(transparent)]
    Page(#[from] Refusal),
    /// Its incident cannot.
    #[error(transparent)]
    Incident(#[from] firebell_incident::Refusal),
}

/// The pages of incidents.
pub(crate) struct Pages {
    escalation: Escalation,
    paging: Paging,
    /// Alerts that nobody is left; found again among all alerts after a restart.
    unanswered: BTreeMap<PageKey, Labels>,
}

impl Pages {
    /// None; follow with [`Pages::restore`] and [`Engine::resume_pages`].
    pub(crate) fn new(paging: Paging) -> Self {
        Self {
            escalation: Escalation::default(),
            paging,
            unanswered: BTreeMap::new(),
        }
    }

    pub(crate) fn restore(&mut self, record: EscalationRecord) {
        self.escalation.restore(record);
    }

    pub(crate) fn escalation(&self) -> &Escalation {
        &self.escalation
    }

    pub(crate) fn paging(&self) -> &Paging {
        &self.paging
    }

    pub(crate) fn poll_deadline(&self) -> Option<Timestamp> {
        self.escalation.poll_deadline()
    }

    pub(crate) fn handle_deadline(&mut self, now: Timestamp, out: &mut Vec<PageEffect>) {
        let oncall = &self.paging.oncall;
        self.escalation.handle_deadline(now, oncall, out);
    }

    pub(crate) fn handle_outcome(
        &mut self,
        now: Timestamp,
        outcome: (SendId, bool),
        out: &mut Vec<PageEffect>,
    ) {
        let oncall = &self.paging.oncall;
        self.escalation.handle_outcome(now, outcome, oncall, out);
    }

    pub(crate) fn take_changes(&mut self) -> Vec<EscalationRecord> {
        self.escalation.take_changes()
    }

    pub(crate) fn records(&self) -> impl Iterator<Item = EscalationRecord> + use<> {
        self.escalation.records().into_iter()
    }

    fn put_in_force(&mut self) {
        let policies = Arc::clone(&self.paging.policies);
        let rules = self.paging.rules.clone();
        self.escalation.configure(policies, rules);
    }

    /// Makes the page of an incident what the incident has become.
    fn follow(&mut self, now: Timestamp, incident: &Incident, out: &mut Vec<PageEffect>) {
        let key = key_of(incident.id);
        let is_open = self.escalation.page(key).is_some_and(Page::is_open);
        let needs_somebody = matches!(
            incident.state,
            State::In(IncidentPhase::Triage | IncidentPhase::Active)
        );
        let oncall = Arc::clone(&self.paging.oncall);
        let severity = severity_of(incident);
        let budget = incident.budget.as_ref().map(|it| it.left);
        let known = self.escalation.page(key).map(|it| (it.severity, it.budget));
        // Nothing of this is refused: the page is there, or the policy is, and fewer incidents are
        // open than pages may be.
        let _ = match (needs_somebody, is_open) {
            (true, true) if known == Some((severity, budget)) => return,
            (true, true) => {
                let state = (severity, budget);
                self.escalation.set_state(now, key, state, &oncall, out)
            }
            (true, false) if incident.acknowledged.is_none() => {
                let Some(policy) = self.paging.policy_of(incident) else {
                    return;
                };
                let opening = Opening {
                    key,
                    policy: Arc::clone(policy),
                    severity,
                    budget,
                };
                self.escalation.open(now, &opening, &oncall, out)
            }
            (false, true) => {
                let was_worked_on = !matches!(
                    incident.state,
                    State::Merged(_) | State::In(IncidentPhase::Declined)
                );
                self.escalation.close(now, key, was_worked_on)
            }
            (true | false, false) => return,
        };
    }

    fn brief(&self, key: PageKey, incidents: &Incidents) -> Option<PageBrief> {
        let incident = incidents.get(IncidentId(key.0))?;
        let page = self.escalation.page(key)?;
        Some(PageBrief::of(incident, Some(page)))
    }

    /// The message that an effect is; `None` when it can reach nobody.
    fn message(&self, effect: &PageEffect, incidents: &Incidents) -> Option<PageMessage> {
        let person = |name: &Arc<str>| {
            let directory = &self.paging.oncall.directory;
            Some(directory.person(directory.find_person(name)?))
        };
        let to_person = |name: &Arc<str>, method: firebell_escalation::Method| {
            PageRecipient::of(person(name)?, method)
        };
        let (id, to, why, pages) = match effect {
            PageEffect::Message {
                id,
                person,
                method,
                pages,
            } => {
                let to = to_person(person, *method)?;
                (Some(*id), to, PageWhy::Page, pages.as_slice())
            }
            PageEffect::Remind { person: name, page } => {
                let method = self.escalation.reminded_by(person(name)?)?;
                let to = to_person(name, method)?;
                (None, to, PageWhy::Remind, std::slice::from_ref(page))
            }
            PageEffect::Tell { receiver, page } => {
                let to = PageRecipient::Channel(Arc::clone(receiver));
                (None, to, PageWhy::Tell, std::slice::from_ref(page))
            }
            PageEffect::HandOff(_) | PageEffect::NobodyLeft { .. } | PageEffect::Broken { .. } => {
                return None;
            }
        };
        let briefs = pages.iter().filter_map(|it| self.brief(*it, incidents));
        let pages: Vec<PageBrief> = briefs.collect();
        (!pages.is_empty()).then_some(PageMessage { id, to, why, pages })
    }
}

impl Engine {
    /// Pages, to look at.
    #[must_use]
    pub fn escalation(&self) -> &Escalation {
        &self.pages.escalation
    }

    /// Who is told of incidents, as configured.
    #[must_use]
    pub fn paging(&self) -> &Paging {
        &self.pages.paging
    }

    /// Does with a page what somebody wishes. Twice the same wish is the same as once.
    ///
    /// # Errors
    /// When there is no such page or policy, the snooze is too long, or the incident cannot be
    /// resolved from where it stands.
    pub fn answer_page(
        &mut self,
        now: Timestamp,
        key: PageKey,
        by: Person,
        act: PageAct,
        step: &mut Step,
    ) -> Result<Answer, PageRefusal> {
        let answer = self.answer(now, key, &by, act, step);
        self.finish(now, step);
        answer
    }

    fn answer(
        &mut self,
        now: Timestamp,
        key: PageKey,
        by: &Person,
        act: PageAct,
        step: &mut Step,
    ) -> Result<Answer, PageRefusal> {
        let page = self.pages.escalation.page(key);
        let is_open = page.ok_or(Refusal::Unknown(key))?.is_open();
        let id = IncidentId(key.0);
        let (name, oncall) = (
            Arc::<str>::from(by.name()),
            Arc::clone(&self.pages.paging.oncall),
        );
        match act {
            PageAct::Resolve if is_open => {
                let act = Act::State {
                    to: IncidentPhase::Resolved,
                    from: None,
                    verdict: None,
                };
                let outcome = self.incidents.act(now, id, by.clone(), act)?;
                Ok(match outcome {
                    Outcome::Changed => Answer::Done,
                    Outcome::Already => Answer::Already,
                })
            }
            PageAct::Acknowledge if is_open => Ok(self.acknowledge(now, id, by, step)?.1),
            // It is over: that somebody answered is noted, and changes nothing.
            PageAct::Acknowledge | PageAct::Resolve => Ok(self.answer_page_of(now, id, by, step)),
            PageAct::Snooze(time) => {
                let wish = (&name, now + time);
                let snoozed = self.in_pages(now, step, |pages, out| {
                    pages.escalation.snooze(now, key, wish, &oncall, out)
                });
                Ok(snoozed?)
            }
            PageAct::HandOver(to) => {
                let wish = (&name, &to);
                let handed = self.in_pages(now, step, |pages, out| {
                    pages.escalation.hand_over(now, key, wish, &oncall, out)
                });
                Ok(handed?)
            }
        }
    }

    /// Somebody looks into an incident: nobody else is paged for it, unless others have to answer as
    /// well. An answer that comes when there is one already is between them and the page.
    pub(crate) fn acknowledge(
        &mut self,
        now: Timestamp,
        id: IncidentId,
        by: &Person,
        step: &mut Step,
    ) -> Result<(Outcome, Answer), firebell_incident::Refusal> {
        let page = self.pages.escalation.page(key_of(id));
        if !page.is_some_and(Page::is_open) {
            let outcome = self.incidents.act(now, id, by.clone(), Act::Ack)?;
            return Ok((outcome, Answer::Over));
        }
        let answer = self.answer_page_of(now, id, by, step);
        let incident = self.incidents.get(id);
        let is_known = incident.is_some_and(|it| it.acknowledged.is_some());
        if answer == Answer::Done && !is_known {
            self.incidents.act(now, id, by.clone(), Act::Ack)?;
        }
        let is_changed = matches!(answer, Answer::Done | Answer::Counted);
        let outcome = if is_changed {
            Outcome::Changed
        } else {
            Outcome::Already
        };
        Ok((outcome, answer))
    }

    fn answer_page_of(
        &mut self,
        now: Timestamp,
        id: IncidentId,
        by: &Person,
        step: &mut Step,
    ) -> Answer {
        let (key, by) = (key_of(id), Arc::<str>::from(by.name()));
        let oncall = Arc::clone(&self.pages.paging.oncall);
        let answer = self.in_pages(now, step, |pages, out| {
            pages.escalation.acknowledge(now, key, &by, &oncall, out)
        });
        // Without a page there is nothing to answer.
        answer.unwrap_or(Answer::Over)
    }

    /// Goes on after a restart, with the configuration of now.
    pub(crate) fn resume_pages(&mut self, now: Timestamp, step: &mut Step) {
        self.pages.escalation.resume(now);
        self.pages.put_in_force();
        let alerts = self.dispatch.known_after(None);
        let own = alerts.filter(|(_, labels)| is_of_page(labels));
        let firing = own.filter(|(fingerprint, _)| {
            let view = self.dispatch.alert(now, *fingerprint);
            view.is_some_and(|it| it.alert.status_at(now) == AlertStatus::Firing)
        });
        let by_key = firing.filter_map(|(_, labels)| {
            let id: IncidentId = labels.value(INCIDENT_LABEL).parse().ok()?;
            Some((key_of(id), labels.clone()))
        });
        self.pages.unanswered = by_key.collect();
        self.look_at_schedules(now, step);
        self.follow_all(now, step);
        let unanswered = self.pages.unanswered.keys().copied();
        let keys: BTreeSet<PageKey> = unanswered
            .chain(self.pages.escalation.pages().map(|it| it.key))
            .collect();
        self.tell_of_unanswered(now, &keys, step);
    }

    pub(crate) fn configure_pages(&mut self, now: Timestamp, paging: Paging, step: &mut Step) {
        self.pages.paging = paging;
        self.pages.put_in_force();
        self.look_at_schedules(now, step);
        self.follow_all(now, step);
    }

    /// Schedules may be others now, and somebody else on call.
    fn look_at_schedules(&mut self, now: Timestamp, step: &mut Step) {
        let oncall = Arc::clone(&self.pages.paging.oncall);
        self.in_pages(now, step, |pages, out| {
            pages.escalation.look_at_schedules(now, &oncall, out);
        });
    }

    fn follow_all(&mut self, now: Timestamp, step: &mut Step) {
        let ids: Vec<IncidentId> = self.incidents.iter().map(|it| it.id).collect();
        self.follow(now, &ids, step);
    }

    /// Pages become what those incidents have become that changed in this step.
    pub(crate) fn follow_incidents(&mut self, now: Timestamp, step: &mut Step) {
        let ids: Vec<IncidentId> = self.incidents.changed().collect();
        self.follow(now, &ids, step);
    }

    fn follow(&mut self, now: Timestamp, ids: &[IncidentId], step: &mut Step) {
        let mut out = Vec::new();
        for id in ids {
            if let Some(incident) = self.incidents.get(*id) {
                self.pages.follow(now, incident, &mut out);
            }
        }
        self.perform(now, out, step);
    }

    pub(crate) fn in_pages<T>(
        &mut self,
        now: Timestamp,
        step: &mut Step,
        act: impl FnOnce(&mut Pages, &mut Vec<PageEffect>) -> T,
    ) -> T {
        let mut out = Vec::new();
        let answer = act(&mut self.pages, &mut out);
        self.perform(now, out, step);
        answer
    }

    fn perform(&mut self, now: Timestamp, mut out: Vec<PageEffect>, step: &mut Step) {
        while !out.is_empty() {
            let mut further = Vec::new();
            for effect in out {
                let message = match &effect {
                    PageEffect::HandOff(notice) => {
                        self.pages.hand_off(now, notice, &self.incidents)
                    }
                    _ => self.pages.message(&effect, &self.incidents),
                };
                match (message, effect) {
                    (Some(message), _) => step.effects.push(Effect::Page(message)),
                    // Somebody has lost the contact by which they were to be told.
                    (None, PageEffect::Message { id, .. }) => {
                        self.pages.handle_outcome(now, (id, false), &mut further);
                    }
                    // There was nothing to say.
                    (None, PageEffect::HandOff(notice)) => {
                        self.pages
                            .handle_outcome(now, (notice.id, true), &mut further);
                    }
                    (None, PageEffect::Broken { page, why }) => {
                        step.effects.push(Effect::PageBroken(page, why));
                    }
                    // Of what has nobody left, the page itself says so.
                    (None, _) => {}
                }
            }
            out = further;
        }
        let mut touched = BTreeSet::new();
        for Happened { at, page, what } in self.pages.escalation.take_happened() {
            touched.insert(page);
            self.incidents.handle_paged(at, IncidentId(page.0), what);
        }
        self.tell_of_unanswered(now, &touched, step);
    }

    /// Raises the alert about pages that have nobody left to tell, and ends that about others.
    fn tell_of_unanswered(&mut self, now: Timestamp, keys: &BTreeSet<PageKey>, step: &mut Step) {
        let mut alerts = Vec::new();
        for key in keys {
            let page = self.pages.escalation.page(*key);
            let end = page.and_then(|it| match it.phase {
                Phase::Done(end @ (End::Exhausted | End::Failed)) => Some((it, end)),
                _ => None,
            });
            match (end, self.pages.unanswered.remove(key)) {
                (Some((page, end)), None) => {
                    let incident = self.incidents.get(IncidentId(key.0));
                    let Some(incident) = incident else { continue };
                    let alert = unanswered(now, incident, (page, end));
                    let url = &self.rules().set().context().external_url;
                    let labels = alert.labels.clone();
                    alerts.push(Alert {
                        generator_url: format!("{url}/#/incidents/{}", incident.id),
                        ..alert
                    });
                    self.pages.unanswered.insert(*key, labels);
                }
                (Some(_), Some(labels)) => {
                    self.pages.unanswered.insert(*key, labels);
                }
                (None, Some(labels)) => {
                    let known = self.dispatch.alert(now, labels.fingerprint());
                    alerts.extend(known.map(|it| Alert {
                        ends_at: Some(now),
                        updated_at: now,
                        ..it.alert.clone()
                    }));
                }
                (None, None) => {}
            }
        }
        if !alerts.is_empty() {
            self.in_dispatch(now, step, |dispatch, out| {
                dispatch.handle_own_alerts(now, &alerts, out);
            });
            self.hear(now, step);
        }
    }
}

/// Whether an alert is that nobody is left to page.
pub(crate) fn is_of_page(labels: &Labels) -> bool {
    labels.value(ALERT_NAME) == PAGE_ALERT
}

fn unanswered(now: Timestamp, incident: &Incident, (page, end): (&Page, End)) -> Alert {
    let (id, policy) = (incident.id.to_string(), &page.policy);
    let own = [
        (ALERT_NAME, PAGE_ALERT),
        (INCIDENT_LABEL, id.as_str()),
        ("policy", &**policy),
        // For those who should have been reached it is a fire, however bad the incident is.
        ("severity", "critical"),
    ];
    let of_incident = incident.key.iter().map(|it| (&*it.name, &*it.value));
    let labels: BTreeMap<&str, &str> = of_incident.chain(own).collect();
    let (summary, description) = match end {
        End::Failed => (
            format!("Nobody could be told of {id}: {}", incident.title),
            format!("Nobody of the policy {policy} was there, or no message arrived."),
        ),
        _ => (
            format!("Nobody answers the page of {id}: {}", incident.title),
            format!("Everybody of the policy {policy} was told, and nobody acknowledged it."),
        ),
    };
    let annotations = [("summary", &*summary), ("description", &*description)];
    Alert {
        labels: Labels::from_pairs(labels),
        annotations: Labels::from_pairs(annotations),
        starts_at: now,
        ends_at: None,
        generator_url: String::new(),
        updated_at: now,
        is_timeout: false,
    }
}

pub(crate) fn key_of(id: IncidentId) -> PageKey {
    PageKey(id.0)
}

pub(crate) fn severity_of(incident: &Incident) -> Severity {
    let level = match incident.severity {
        firebell_incident::Severity::Sev1 => 1,
        firebell_incident::Severity::Sev2 => 2,
        firebell_incident::Severity::Sev3 => 3,
        firebell_incident::Severity::Sev4 => 4,
    };
    // All four are.
    Severity::new(level).unwrap_or(Severity::WORST)
}

/// The label of the alert that names the incident.
const INCIDENT_LABEL: &str = "incident";
