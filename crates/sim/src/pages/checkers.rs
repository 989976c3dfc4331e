//! What has to hold of pages at every step of every run.
//!
//! - Every incident that is open, and that nobody looks into, has a page that climbs, or of which
//!   an alert says that nobody is left; no other alert says so.
//! - Nobody is told of what somebody looks into or what is over.
//! - Whoever is told is meant at that moment, by a contact that they have.
//! - What was told is known after a restart, and who had answered.
//!
//! *Invariants*: who is meant is found out here, from people, teams and schedules, not asked of the
//! core that is checked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use firebell_engine::{
    Effect, Engine, PAGE_ALERT, PageMessage, PageRecipient, PageWhy, Paging, Record, Step,
};
use firebell_escalation::{End, EscalationRecord, Page, PageKey, Phase, Target};
use firebell_incident::{IncidentId, Phase as IncidentPhase, State};
use firebell_model::{ALERT_NAME, AlertStatus, Timestamp};
use firebell_oncall::PersonId;

use super::PageTally;
use crate::simulator::{Happening, Scene, Stop, Watch};

/// Checks a run while it goes.
#[derive(Default)]
pub(super) struct PageCheckers {
    start: Timestamp,
    /// What was wrong, the first things first.
    pub(super) violations: Vec<String>,
    pub(super) tally: PageTally,
    /// Pages that somebody looks into or that are over, since when.
    quiet: BTreeMap<PageKey, Timestamp>,
    /// What was written down of each page, and what of it is sure to survive a loss of power.
    written: BTreeMap<PageKey, Page>,
    synced: BTreeMap<PageKey, Page>,
    /// Pages that nobody looked into for a while since then: that may have survived, too.
    let_go: BTreeSet<PageKey>,
    told: BTreeSet<PageKey>,
    is_behind: bool,
    /// What a process that has ended had written down.
    has_to_be_known: Option<BTreeMap<PageKey, Page>>,
}

impl PageCheckers {
    pub(super) fn new(start: Timestamp) -> Self {
        Self {
            start,
            ..Self::default()
        }
    }

    fn object(&mut self, now: Timestamp, why: String) {
        let after = now - self.start;
        self.violations.push(format!("{after} {why}"));
    }

    fn settled(&mut self, now: Timestamp, engine: &Engine, step: &Step, is_behind: bool) {
        for effect in &step.effects {
            if let Effect::PageBroken(key, why) = effect {
                self.object(now, format!("page {} is broken: {why}", key.0));
            }
        }
        for (key, why) in engine.escalation().faults() {
            self.object(now, format!("page {}: {why}", key.0));
        }
        self.is_behind = is_behind;
        for record in &step.records {
            if let Record::Page(EscalationRecord::Page(page)) = record {
                self.count(page);
                if page.acknowledgement.is_none() {
                    self.let_go.insert(page.key);
                }
                self.written.insert(page.key, (**page).clone());
            }
        }
        if step.is_seen_outside() {
            self.synced.clone_from(&self.written);
            self.let_go.clear();
        }
        self.look(now, engine);
    }

    fn count(&mut self, page: &Page) {
        let before = self.written.get(&page.key);
        let n_before = before.map_or(0, |it| it.run);
        self.tally.runs += u64::from(page.run.saturating_sub(n_before));
        let is_new = before.is_none_or(|it| it.phase != page.phase);
        let (acknowledged, unanswered) = match page.phase {
            Phase::Done(End::Acknowledged) if is_new => (1, 0),
            Phase::Done(End::Exhausted | End::Failed) if is_new => (0, 1),
            _ => (0, 0),
        };
        self.tally.acknowledged += acknowledged;
        self.tally.unanswered += unanswered;
    }

    /// What has to hold whatever has happened.
    fn look(&mut self, now: Timestamp, engine: &Engine) {
        let pages = engine.escalation();
        let mut wrong = Vec::new();
        for incident in engine.incidents().iter() {
            let page = pages.page(PageKey(incident.id.0));
            let open = page.filter(|it| it.is_open());
            let id = incident.id;
            let needs_somebody = matches!(
                incident.state,
                State::In(IncidentPhase::Triage | IncidentPhase::Active)
            );
            match open {
                None if needs_somebody && incident.acknowledged.is_none() => {
                    wrong.push(format!("{id} pages nobody"));
                }
                Some(_) if !needs_somebody => wrong.push(format!("{id} is over, its page is not")),
                Some(page) if page.acknowledgement.is_some() && incident.acknowledged.is_none() => {
                    wrong.push(format!("{id} is nobody's, and its page is acknowledged"));
                }
                Some(page) if page.is_running() && page.next_at.is_none() => {
                    wrong.push(format!("the page of {id} waits for nothing"));
                }
                _ => {}
            }
        }
        let unanswered = pages.pages().filter(|it| {
            let is_over = matches!(it.phase, Phase::Done(End::Exhausted | End::Failed));
            is_over && engine.incidents().get(IncidentId(it.key.0)).is_some()
        });
        let unanswered: BTreeSet<PageKey> = unanswered.map(|it| it.key).collect();
        let told = alerts(now, engine);
        if unanswered != told {
            wrong.push(format!(
                "nobody answers {unanswered:?}, alerts say {told:?}"
            ));
        }
        for page in pages.pages() {
            match page.acknowledgement.is_some() || !page.is_open() {
                true => {
                    self.quiet.entry(page.key).or_insert(now);
                }
                false => {
                    self.quiet.remove(&page.key);
                }
            }
        }
        wrong.into_iter().for_each(|why| self.object(now, why));
    }

    fn paged(&mut self, now: Timestamp, engine: &Engine, message: &PageMessage) {
        let PageRecipient::Person { name, contact } = &message.to else {
            return;
        };
        self.tally.messages += 1;
        let oncall = &engine.paging().oncall;
        let person = oncall.directory.find_person(name);
        let contacts = person.map(|id| &oncall.directory.person(id).contacts);
        if contacts.is_none_or(|it| !it.contains(contact)) {
            self.object(now, format!("{name} is told by what is not theirs"));
        }
        if matches!(message.why, PageWhy::HandOff(_)) {
            return;
        }
        for brief in &message.pages {
            self.told.insert(brief.key);
            let Some(page) = engine.escalation().page(brief.key) else {
                continue;
            };
            let is_quiet = self.quiet.get(&brief.key).is_some_and(|at| *at < now);
            let number = brief.key.0;
            if message.why == PageWhy::Remind {
                let by = page.acknowledgement.as_ref().map(|it| &it.by);
                if by != Some(name) {
                    self.object(now, format!("{name} is asked of page {number} of others"));
                }
            } else if is_quiet {
                self.object(
                    now,
                    format!("{name} is told of page {number}, which is quiet"),
                );
            } else if page.is_running() && !is_meant(engine.paging(), page, person, now) {
                self.object(
                    now,
                    format!("{name} is told of page {number} and not meant"),
                );
            }
        }
    }

    fn stopped(&mut self, stop: Stop) {
        let known = match stop {
            Stop::Kill => {
                // What was written last is what there is.
                self.let_go.clear();
                self.written.clone()
            }
            Stop::PowerLoss => self.synced.clone(),
        };
        self.has_to_be_known = (!self.is_behind).then_some(known);
    }

    fn started(&mut self, now: Timestamp, engine: &Engine) {
        self.tally.restarts += 1;
        let told = std::mem::take(&mut self.told);
        let let_go = std::mem::take(&mut self.let_go);
        self.quiet.clear();
        let Some(known) = self.has_to_be_known.take() else {
            // The disk had taken only a part of it: what came after counts no more.
            self.written.clear();
            self.synced.clear();
            return;
        };
        // What was written and not synced is gone with the power.
        self.written.clone_from(&known);
        for page in known.values().filter(|it| it.is_open()) {
            let number = page.key.0;
            let restored = engine.escalation().page(page.key);
            let Some(restored) = restored.filter(|it| it.run >= page.run) else {
                self.object(now, format!("page {number} is forgotten"));
                continue;
            };
            let is_same = restored.run == page.run;
            let was_kept = page.acknowledgement.is_some() && !let_go.contains(&page.key);
            let is_nobodys = restored.is_open() && restored.acknowledgement.is_none();
            if is_same && was_kept && is_nobodys {
                self.object(now, format!("who acknowledged page {number} is forgotten"));
            }
        }
        let forgotten = told
            .iter()
            .filter(|key| engine.escalation().page(**key).is_none());
        let forgotten: Vec<u64> = forgotten.map(|it| it.0).collect();
        if !forgotten.is_empty() {
            self.object(now, format!("told of {forgotten:?}, which is forgotten"));
        }
    }
}

/// The pages of which an alert fires that nobody is left.
fn alerts(now: Timestamp, engine: &Engine) -> BTreeSet<PageKey> {
    let all = engine.dispatch().known_after(None);
    let own = all.filter(|(_, labels)| labels.value(ALERT_NAME) == PAGE_ALERT);
    let firing = own.filter(|(fingerprint, _)| {
        let view = engine.dispatch().alert(now, *fingerprint);
        view.is_some_and(|it| it.alert.status_at(now) == AlertStatus::Firing)
    });
    let ids = firing.filter_map(|(_, labels)| labels.value("incident").parse().ok());
    ids.map(|id: IncidentId| PageKey(id.0)).collect()
}

fn is_meant(paging: &Paging, page: &Page, person: Option<PersonId>, now: Timestamp) -> bool {
    let Some(person) = person else {
        return false;
    };
    let oncall = &paging.oncall;
    let by_schedule = |name: &str| {
        let mut schedules = oncall.schedules.iter();
        let schedule = schedules.find(|it| *it.name == *name);
        let shift = schedule.and_then(|it| it.on_call_at(now));
        shift.is_some_and(|it| it.people.contains(&person))
    };
    let mut targets = page.levels.iter().flat_map(|it| &it.targets);
    targets.any(|target| match target {
        Target::Person(name) => oncall.directory.person(person).name == *name,
        Target::Schedule(name) => by_schedule(name),
        Target::Team(name) => {
            let mut teams = oncall.directory.teams.iter();
            teams.find(|it| it.name == *name).is_some_and(|team| {
                let schedule = team
                    .schedule
                    .map(|id| Arc::clone(&oncall.schedule(id).name));
                schedule.map_or_else(|| team.members.contains(&person), |it| by_schedule(&it))
            })
        }
        Target::Receiver(_) => false,
    })
}

impl Watch for PageCheckers {
    fn see(&mut self, scene: &Scene<'_>, what: &Happening<'_>) {
        match (what, scene.engine) {
            (Happening::Started { .. }, Some(engine)) => self.started(scene.now, engine),
            (
                Happening::Settled {
                    step, is_behind, ..
                },
                Some(engine),
            ) => self.settled(scene.now, engine, step, *is_behind),
            (Happening::Paged(message), Some(engine)) => self.paged(scene.now, engine, message),
            (Happening::Stopped { stop, .. }, _) => self.stopped(*stop),
            _ => {}
        }
    }
}
