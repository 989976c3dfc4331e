//! What people, alerts and budgets do to pages.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use firebell_model::{Duration, Timestamp};
use firebell_oncall::Oncall;

use super::{Effect, Escalation, OVER_KEPT_MAX, PAGES_MAX};
use crate::happened::What;
use crate::page::{Acknowledgement, End, Page, PageKey, Phase, Send, SendState, Wait};
use crate::policy::{BudgetLeft, Policy, Severity, Target};

/// A page that begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opening {
    /// What it is about.
    pub key: PageKey,
    /// The policy by which it climbs.
    pub policy: Arc<str>,
    /// How bad it is.
    pub severity: Severity,
    /// What is left of the error budget, if that is known.
    pub budget: Option<BudgetLeft>,
}

/// What became of somebody's wish. Twice the same wish is the same as once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// It is done.
    Done,
    /// It is noted; others have to answer as well.
    Counted,
    /// It was so before, and nothing changes.
    Already,
    /// The page is over, and nothing changes.
    Over,
}

/// Why something cannot be done.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// There is no such page.
    #[error("nobody is paged for INC-{}", .0.0)]
    Unknown(PageKey),
    /// There is no such policy.
    #[error("there is no policy `{0}`: policies stand in `escalation`")]
    UnknownPolicy(Arc<str>),
    /// There is neither a policy nor a person of this name.
    #[error("there is neither a policy nor a person `{0}`")]
    UnknownTarget(Arc<str>),
    /// Somebody without any contact.
    #[error("`{0}` has no contact, and cannot be told: contacts stand in `people`")]
    Unreachable(Arc<str>),
    /// A snooze that ends too early or too late.
    #[error("a snooze ends within the next {SNOOZE_MAX}")]
    Snooze,
    /// Too many pages are open.
    #[error("{PAGES_MAX} pages are open: acknowledge and resolve some first")]
    Full,
}

/// The longest snooze.
pub const SNOOZE_MAX: Duration = Duration::from_hours(7 * 24);

impl Escalation {
    /// Begins a page, or begins again with one that is over; one that is open stays as it is.
    ///
    /// # Errors
    /// When there is no such policy, or too many pages are open.
    pub fn open(
        &mut self,
        now: Timestamp,
        opening: &Opening,
        oncall: &Oncall,
        out: &mut Vec<Effect>,
    ) -> Result<Answer, Refusal> {
        let key = opening.key;
        if self.pages.get(&key).is_some_and(Page::is_open) {
            return Ok(Answer::Already);
        }
        if !self.has_policy(&opening.policy) {
            return Err(Refusal::UnknownPolicy(Arc::clone(&opening.policy)));
        }
        let n_open = self.pages.values().filter(|it| it.is_open()).count();
        if n_open >= PAGES_MAX {
            return Err(Refusal::Full);
        }
        let run = self.pages.get(&key).map_or(0, |it| it.run);
        let mut page = Page {
            key,
            severity: opening.severity,
            budget: opening.budget,
            first_policy: Arc::clone(&opening.policy),
            policy: Arc::clone(&opening.policy),
            version: self.newest(),
            run,
            phase: Phase::Waiting,
            step: 0,
            round: 0,
            base: now,
            next_at: Some(now),
            wait: None,
            n_handed: 0,
            is_told: false,
            is_delivered: false,
            levels: Vec::new(),
            sends: Vec::new(),
            asked: BTreeSet::new(),
            answered: BTreeSet::new(),
            acknowledgement: None,
        };
        self.begin(now, &mut page);
        self.pages.insert(key, page);
        self.settle(now, &BTreeSet::from([key]), oncall, out);
        Ok(Answer::Done)
    }

    /// Somebody looks into it.
    ///
    /// # Errors
    /// When there is no such page.
    pub fn acknowledge(
        &mut self,
        now: Timestamp,
        key: PageKey,
        by: &Arc<str>,
        oncall: &Oncall,
        out: &mut Vec<Effect>,
    ) -> Result<Answer, Refusal> {
        let mut page = self.take(key)?;
        let answer = self.answered(now, &mut page, by);
        self.pages.insert(key, page);
        self.settle(now, &BTreeSet::from([key]), oncall, out);
        Ok(answer)
    }

    fn answered(&mut self, now: Timestamp, page: &mut Page, by: &Arc<str>) -> Answer {
        let again = What::AnsweredAgain(Arc::clone(by));
        if !page.is_open() {
            self.note(now, page.key, again);
            return Answer::Over;
        }
        if let Some(known) = &page.acknowledgement {
            let was_asked = known.remind_at.is_none_or(|at| at <= now);
            if known.ends_at.is_none() || !was_asked {
                self.note(now, page.key, again);
                return Answer::Already;
            }
            page.acknowledgement = Some(self.acknowledgement(now, page, by));
            self.note(now, page.key, What::Renewed(Arc::clone(by)));
            return Answer::Done;
        }
        // Whoever was told without others having to answer as well ends it alone.
        let of_page = page.sends.iter().any(|it| it.person == *by);
        let ends_it = of_page && !page.asked.contains(by) && !page.answered.contains(by);
        let is_asked = page.asked.remove(by);
        if is_asked {
            page.answered.insert(Arc::clone(by));
            let others = |it: &Send| it.person != *by || it.state != SendState::Planned;
            page.sends.retain(others);
        }
        let waits = !page.asked.is_empty() && page.is_running() && !ends_it;
        if waits {
            let what = match is_asked {
                true => What::Answered(Arc::clone(by)),
                false => again,
            };
            self.note(now, page.key, what);
            return Answer::Counted;
        }
        let acknowledgement = self.acknowledgement(now, page, by);
        page.finish(End::Acknowledged);
        page.acknowledgement = Some(acknowledgement);
        self.note(now, page.key, What::Ended(End::Acknowledged));
        Answer::Done
    }

    fn acknowledgement(&self, now: Timestamp, page: &Page, by: &Arc<str>) -> Acknowledgement {
        let times = self
            .policy_of(page)
            .map_or((Policy::ACKNOWLEDGED_FOR, Policy::REMIND_AFTER), |it| {
                (it.acknowledged_for, it.remind_after)
            });
        let ends = times.0 > Duration::ZERO;
        Acknowledgement {
            by: Arc::clone(by),
            at: now,
            remind_at: ends.then(|| now + times.1),
            ends_at: ends.then(|| now + times.0),
        }
    }

    /// Nobody is told until then; the page begins anew after it.
    ///
    /// # Errors
    /// When there is no such page, or the moment is over or too far.
    pub fn snooze(
        &mut self,
        now: Timestamp,
        key: PageKey,
        (by, until): (&Arc<str>, Timestamp),
        oncall: &Oncall,
        out: &mut Vec<Effect>,
    ) -> Result<Answer, Refusal> {
        if until <= now || until - now > SNOOZE_MAX {
            return Err(Refusal::Snooze);
        }
        let mut page = self.take(key)?;
        let is_there = page.wait == Some(Wait::Snooze) && page.next_at == Some(until);
        let answer = match page.is_open() {
            false => Answer::Over,
            true if is_there => Answer::Already,
            true => {
                page.finish(End::Cancelled);
                page.phase = Phase::Waiting;
                page.wait = Some(Wait::Snooze);
                page.next_at = Some(until);
                self.note(now, key, What::Snoozed(Arc::clone(by), until));
                Answer::Done
            }
        };
        self.pages.insert(key, page);
        self.settle(now, &BTreeSet::from([key]), oncall, out);
        Ok(answer)
    }

    /// Goes on with another policy, from its beginning; or with a person (`ana`, or `person:ana` where
    /// a policy is called the same), and with its own policy from the beginning when they do not
    /// answer within [`Policy::REPEAT_AFTER`].
    ///
    /// # Errors
    /// When there is no such page, neither policy nor person, or they cannot be told.
    pub fn hand_over(
        &mut self,
        now: Timestamp,
        key: PageKey,
        (by, to): (&Arc<str>, &Arc<str>),
        oncall: &Oncall,
        out: &mut Vec<Effect>,
    ) -> Result<Answer, Refusal> {
        let is_policy = self.has_policy(to);
        let to = match is_policy {
            true => Arc::clone(to),
            false => policy_of_person(to, oncall)?,
        };
        let mut page = self.take(key)?;
        let mut answer = Answer::Over;
        if page.is_open() {
            if is_policy {
                page.first_policy = Arc::clone(&to);
            }
            page.finish(End::HandedOff);
            self.note(now, key, What::Passed(Arc::clone(by), Arc::clone(&to)));
            self.begin_by(now, &mut page, to);
            answer = Answer::Done;
        }
        self.pages.insert(key, page);
        self.settle(now, &BTreeSet::from([key]), oncall, out);
        Ok(answer)
    }

    /// It is over: resolved, or called off.
    ///
    /// # Errors
    /// When there is no such page.
    pub fn close(
        &mut self,
        now: Timestamp,
        key: PageKey,
        is_resolved: bool,
    ) -> Result<Answer, Refusal> {
        let mut page = self.take(key)?;
        let mut answer = Answer::Over;
        if page.is_open() {
            let end = match is_resolved {
                true => End::Resolved,
                false => End::Cancelled,
            };
            page.finish(end);
            self.note(now, key, What::Ended(end));
            answer = Answer::Done;
        }
        self.pages.insert(key, page);
        self.queue(key);
        self.forget_oldest();
        Ok(answer)
    }

    /// How bad it is from now on. What gets worse begins anew, whoever acknowledged or snoozed it.
    ///
    /// # Errors
    /// When there is no such page.
    pub fn set_severity(
        &mut self,
        now: Timestamp,
        key: PageKey,
        severity: Severity,
        oncall: &Oncall,
        out: &mut Vec<Effect>,
    ) -> Result<Answer, Refusal> {
        let budget = self.pages.get(&key).and_then(|it| it.budget);
        self.set_state(now, key, (severity, budget), oncall, out)
    }

    /// How bad it is, and what is left of the error budget, from now on: nobody is told meanwhile, so
    /// that what is due this moment is told of what it has become.
    ///
    /// # Errors
    /// When there is no such page.
    pub fn set_state(
        &mut self,
        now: Timestamp,
        key: PageKey,
        (severity, budget): (Severity, Option<BudgetLeft>),
        oncall: &Oncall,
        out: &mut Vec<Effect>,
    ) -> Result<Answer, Refusal> {
        let mut page = self.take(key)?;
        let answer = match page.is_open() {
            false => Answer::Over,
            true if (page.severity, page.budget) == (severity, budget) => Answer::Already,
            true => {
                page.budget = budget;
                self.turn(now, &mut page, severity, oncall);
                Answer::Done
            }
        };
        self.pages.insert(key, page);
        self.settle(now, &BTreeSet::from([key]), oncall, out);
        Ok(answer)
    }

    fn turn(&mut self, now: Timestamp, page: &mut Page, severity: Severity, oncall: &Oncall) {
        let before = std::mem::replace(&mut page.severity, severity);
        if severity != before {
            self.note(now, page.key, What::Severity(severity));
            if severity.is_at_least(before) {
                return self.begin(now, page);
            }
        }
        // A deferral may no longer hold.
        self.reconsider(now, page);
        if before.is_urgent() && !severity.is_urgent() {
            self.calm(now, page, oncall);
        }
    }

    /// It is not urgent any more: nobody is told as if it were. Whoever was told need not be told
    /// again; of others, what they want of what is not urgent comes instead.
    fn calm(&self, now: Timestamp, page: &mut Page, oncall: &Oncall) {
        let planned = page.planned().map(|it| (Arc::clone(&it.person), it.level));
        let planned: BTreeMap<Arc<str>, usize> = planned.collect();
        page.sends.retain(|it| it.state != SendState::Planned);
        for (name, level) in planned {
            let is_told = |it: &Send| {
                it.person == name && matches!(it.state, SendState::Sent(_) | SendState::Delivered)
            };
            let known = oncall.directory.find_person(&name);
            let Some(id) = known.filter(|_| !page.sends.iter().any(is_told)) else {
                continue;
            };
            let plan = self
                .rules_of(&name)
                .plan(oncall.directory.person(id), false, now);
            page.plan(&name, level, plan);
        }
    }

    /// What is left of the error budget from now on: a deferral that no longer holds ends.
    ///
    /// # Errors
    /// When there is no such page.
    pub fn set_budget(
        &mut self,
        now: Timestamp,
        key: PageKey,
        budget: Option<BudgetLeft>,
        oncall: &Oncall,
        out: &mut Vec<Effect>,
    ) -> Result<Answer, Refusal> {
        let page = self.pages.get(&key).ok_or(Refusal::Unknown(key))?;
        let severity = page.severity;
        self.set_state(now, key, (severity, budget), oncall, out)
    }

    fn take(&mut self, key: PageKey) -> Result<Page, Refusal> {
        self.pages.remove(&key).ok_or(Refusal::Unknown(key))
    }

    fn has_policy(&self, name: &str) -> bool {
        let newest = self.versions.last_key_value();
        newest.is_some_and(|(_, all)| all.iter().any(|it| *it.name == *name))
    }

    fn forget_oldest(&mut self) {
        let over = self.pages.values().filter(|it| !it.is_open());
        let n_over = over.clone().count().saturating_sub(OVER_KEPT_MAX);
        let oldest: Vec<PageKey> = over.take(n_over).map(|it| it.key).collect();
        for key in oldest {
            self.pages.remove(&key);
            self.changes.pages.remove(&key);
            self.changes.forgotten.insert(key);
        }
    }
}

/// What a page that is handed to a person climbs by.
fn policy_of_person(to: &Arc<str>, oncall: &Oncall) -> Result<Arc<str>, Refusal> {
    let name = Policy::person_in(to).unwrap_or(to);
    let id = oncall.directory.find_person(name);
    let id = id.ok_or_else(|| Refusal::UnknownTarget(Arc::clone(to)))?;
    match oncall.directory.person(id).contacts.is_empty() {
        true => Err(Refusal::Unreachable(name.into())),
        false => Ok(Target::Person(name.into()).to_string().into()),
    }
}
