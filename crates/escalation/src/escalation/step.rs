//! The run of a page: its steps, rounds and waits.
//!
//! A step that is taken late moves those after it: whoever is told gets the time that the policy
//! gives them, also after a restart.

use std::sync::Arc;

use firebell_model::{Duration, Timestamp};
use firebell_oncall::Oncall;

use super::{Effect, Escalation};
use crate::check::HAND_OVERS_MAX;
use crate::happened::What;
use crate::page::{End, OUTCOME_MAX, Page, Phase, Send, SendState, Wait};
use crate::policy::{AckMode, Act, Condition, Level, Policy, Step, Target, Who};
use crate::targets::{people_at, receivers};
use crate::window::Window;

impl Escalation {
    /// A new run, from the first step of the page's policy as it is now.
    pub(super) fn begin(&mut self, now: Timestamp, page: &mut Page) {
        let policy = Arc::clone(&page.first_policy);
        self.begin_by(now, page, policy);
    }

    /// A new run by this policy; further ones are by the page's own.
    pub(super) fn begin_by(&mut self, now: Timestamp, page: &mut Page, policy: Arc<str>) {
        let newest = self.newest();
        let before = std::mem::replace(&mut page.version, newest);
        page.policy = Arc::clone(&page.first_policy);
        // A policy that is no longer there goes on as it was.
        if self.policy_of(page).is_none() {
            page.version = before;
        }
        page.policy = policy;
        page.run = page.run.saturating_add(1);
        page.phase = Phase::Waiting;
        page.acknowledgement = None;
        page.answered.clear();
        (page.round, page.n_handed, page.is_delivered) = (0, 0, false);
        begin_round(now, page);
        self.schedule_first(page);
        self.note(now, page.key, What::Began(Arc::clone(&page.policy)));
    }

    /// Takes what is due.
    pub(super) fn look(
        &mut self,
        now: Timestamp,
        page: &mut Page,
        oncall: &Oncall,
        out: &mut Vec<Effect>,
    ) {
        self.look_at_answer(now, page, out);
        let is_lost =
            |it: &Send| matches!(it.state, SendState::Sent(_)) && it.at + OUTCOME_MAX <= now;
        for idx in 0..page.sends.len() {
            if page.sends.get(idx).is_some_and(is_lost) {
                self.failed(now, page, idx);
            }
        }
        self.drop_unmeant(now, page, oncall, out);
        for _ in 0..ADVANCE_MAX {
            if !page.is_running() || page.next_at.is_none_or(|at| at > now) {
                return;
            }
            self.advance(now, page, oncall, out);
        }
    }

    fn look_at_answer(&mut self, now: Timestamp, page: &mut Page, out: &mut Vec<Effect>) {
        let key = page.key;
        let Some(known) = &mut page.acknowledgement else {
            return;
        };
        if known.ends_at.is_some_and(|at| at <= now) {
            self.note(now, key, What::AcknowledgementEnded);
            return self.begin(now, page);
        }
        if known.remind_at.is_some_and(|at| at <= now) {
            known.remind_at = None;
            let person = Arc::clone(&known.by);
            self.note(now, key, What::Reminded(Arc::clone(&person)));
            out.push(Effect::Remind { person, page: key });
        }
    }

    fn advance(&mut self, now: Timestamp, page: &mut Page, oncall: &Oncall, out: &mut Vec<Effect>) {
        let Some(policy) = self.policy_of(page) else {
            return self.end_round(now, page, None, out);
        };
        match page.wait.take() {
            Some(Wait::Snooze) => return self.begin(now, page),
            Some(Wait::Deferral) => {
                page.base = now;
                page.step += 1;
                return schedule(page, &policy);
            }
            None => {}
        }
        let late = now - page.next_at.unwrap_or(now);
        page.base += late;
        let Some(step) = policy.steps.get(page.step) else {
            return self.end_round(now, page, Some(&policy), out);
        };
        if let Act::Defer(_) = &step.act {
            page.base = now;
        }
        if !holds(step, page, now) {
            page.step += 1;
            return schedule(page, &policy);
        }
        match &step.act {
            Act::Notify(level) => {
                page.step += 1;
                schedule(page, &policy);
                page.levels.push(level.clone());
                let idx = page.levels.len() - 1;
                let is_told = self.tell(now, page, (idx, true), oncall, out);
                if !is_told {
                    pull_forward(now, page, &policy);
                }
            }
            Act::Defer(window) => self.defer(now, page, window, &policy),
            Act::HandOver(name) => {
                let is_known = self
                    .versions
                    .get(&page.version)
                    .is_some_and(|all| all.iter().any(|it| it.name == *name));
                if !is_known || page.n_handed >= HAND_OVERS_MAX {
                    return self.end_round(now, page, None, out);
                }
                page.policy = Arc::clone(name);
                page.n_handed += 1;
                page.run = page.run.saturating_add(1);
                (page.step, page.round) = (0, 0);
                (page.base, page.next_at) = (now, Some(now));
                self.schedule_first(page);
                self.note(now, page.key, What::Ended(End::HandedOff));
                self.note(now, page.key, What::HandedOver(Arc::clone(name)));
            }
        }
    }

    /// A round begins with the time of its first step. Where the policy is gone, it is over at once.
    fn schedule_first(&self, page: &mut Page) {
        if let Some(policy) = self.policy_of(page) {
            schedule(page, &policy);
        }
    }

    fn defer(&mut self, now: Timestamp, page: &mut Page, window: &Window, policy: &Policy) {
        match window.next_in(now) {
            Some(at) if at > now => {
                page.wait = Some(Wait::Deferral);
                page.next_at = Some(at);
                self.note(now, page.key, What::Deferred(at));
            }
            _ => {
                page.step += 1;
                schedule(page, policy);
            }
        }
    }

    /// A deferral whose conditions no longer hold is over.
    pub(super) fn reconsider(&mut self, now: Timestamp, page: &mut Page) {
        if page.wait != Some(Wait::Deferral) {
            return;
        }
        let policy = self.policy_of(page);
        let step = policy.as_ref().and_then(|it| it.steps.get(page.step));
        if !step.is_some_and(|it| holds(it, page, now)) {
            page.wait = None;
            page.next_at = Some(now);
        }
    }

    fn end_round(
        &mut self,
        now: Timestamp,
        page: &mut Page,
        policy: Option<&Policy>,
        out: &mut Vec<Effect>,
    ) {
        let repeat = policy.map_or(0, |it| it.repeat);
        if page.round < repeat && page.is_told {
            page.round += 1;
            begin_round(now, page);
            self.schedule_first(page);
            return self.note(now, page.key, What::Repeated);
        }
        // Quiet hours, limits and late ways delay, and drop nothing: the run ends when they had
        // their time.
        let after = policy.map_or(OUTCOME_MAX, |it| it.repeat_after);
        if let Some(last) = page.planned().map(|it| it.at).max() {
            page.next_at = Some(last + after.max(OUTCOME_MAX));
            return;
        }
        let is_under_way = |it: &Send| matches!(it.state, SendState::Sent(_));
        let end = match page.is_delivered || page.sends.iter().any(is_under_way) {
            true => End::Exhausted,
            false => End::Failed,
        };
        page.finish(end);
        self.note(now, page.key, What::Ended(end));
        out.push(Effect::NobodyLeft {
            page: page.key,
            end,
        });
    }

    /// Tells whoever a level means now; whether there is anybody.
    fn tell(
        &mut self,
        now: Timestamp,
        page: &mut Page,
        (idx, tells_channels): (usize, bool),
        oncall: &Oncall,
        out: &mut Vec<Effect>,
    ) -> bool {
        let Some(level) = page.levels.get(idx).cloned() else {
            return false;
        };
        let mut people = people_at(&level.targets, oncall, now);
        people.retain(|it| !page.answered.contains(it));
        if level.who == Who::RoundRobin {
            people = self.next_of(page, &level, people);
        }
        if level.acknowledge == AckMode::All {
            page.asked.extend(people.iter().cloned());
        }
        for name in &people {
            let is_planned = page.planned().any(|it| it.person == *name);
            let person = oncall.directory.find_person(name);
            let Some(id) = person.filter(|_| !is_planned) else {
                continue;
            };
            let person = oncall.directory.person(id);
            let urgent = page.severity.is_urgent();
            let plan = self.rules_of(name).plan(person, urgent, now);
            page.plan(name, idx, plan);
        }
        let mut told = people;
        if tells_channels {
            for receiver in receivers(&level.targets) {
                out.push(Effect::Tell {
                    receiver: Arc::clone(receiver),
                    page: page.key,
                });
                told.push(Target::Receiver(Arc::clone(receiver)).to_string().into());
            }
        }
        let is_told = !told.is_empty();
        page.is_told |= is_told;
        let what = match is_told {
            true => What::Told(told),
            false => What::NobodyThere,
        };
        self.note(now, page.key, what);
        is_told
    }

    /// The next of several, by turns.
    fn next_of(&mut self, page: &Page, level: &Level, people: Vec<Arc<str>>) -> Vec<Arc<str>> {
        let targets = level.targets.iter().map(ToString::to_string);
        let targets = targets.collect::<Vec<_>>().join(", ");
        let turn = format!("{}: {targets}", page.policy);
        let last = self.turns.get(&turn);
        let idx = last.and_then(|last| people.iter().position(|it| it == last));
        let next = idx.map_or(0, |idx| (idx + 1) % people.len().max(1));
        let Some(next) = people.get(next).cloned() else {
            return people;
        };
        if self.turns.len() >= TURNS_MAX && !self.turns.contains_key(&turn) {
            self.changes
                .turns
                .extend(self.turns.pop_first().map(|(it, _)| it));
        }
        self.turns.insert(turn.clone(), Arc::clone(&next));
        self.changes.turns.insert(turn);
        vec![next]
    }

    /// Messages that are due to people who are not meant any more go to those who are.
    fn drop_unmeant(
        &mut self,
        now: Timestamp,
        page: &mut Page,
        oncall: &Oncall,
        out: &mut Vec<Effect>,
    ) {
        let due = page.planned().filter(|it| it.at <= now);
        let mut due: Vec<(usize, Arc<str>)> =
            due.map(|it| (it.level, Arc::clone(&it.person))).collect();
        due.dedup();
        for (idx, person) in due {
            let targets = page.levels.get(idx).map_or(&[][..], |it| &it.targets);
            let meant = people_at(targets, oncall, now);
            if meant.contains(&person) {
                continue;
            }
            // Another level may mean them as well.
            let means = |it: &Level| {
                it.who == Who::All && people_at(&it.targets, oncall, now).contains(&person)
            };
            if let Some(other) = page.levels.iter().position(means) {
                let of_person = page.sends.iter_mut();
                let planned =
                    |it: &&mut Send| it.person == person && it.state == SendState::Planned;
                of_person.filter(planned).for_each(|it| it.level = other);
                continue;
            }
            page.sends
                .retain(|it| it.person != person || it.state != SendState::Planned);
            page.asked.remove(&person);
            self.note(now, page.key, What::NoLongerMeant(person));
            let mut of_level = page.sends.iter().filter(|it| it.level == idx);
            if of_level.any(|it| meant.contains(&it.person)) {
                continue;
            }
            let is_told = self.tell(now, page, (idx, false), oncall, out);
            if let (false, Some(policy)) = (is_told, self.policy_of(page)) {
                pull_forward(now, page, &policy);
            }
        }
    }

    /// A message did not arrive: the person's next comes now, and when nothing of the newest
    /// level did, the next step.
    pub(super) fn failed(&mut self, now: Timestamp, page: &mut Page, idx: usize) {
        let Some(send) = page.sends.get_mut(idx) else {
            return;
        };
        if let SendState::Sent(id) = send.state {
            self.under_way.remove(&id);
        }
        send.state = SendState::Failed;
        let (person, level) = (Arc::clone(&send.person), send.level);
        self.note(now, page.key, What::NotDelivered(Arc::clone(&person)));
        let of_person = page.sends.iter_mut();
        let planned = of_person.filter(|it| it.person == person && it.state == SendState::Planned);
        if let Some(next) = planned.min_by_key(|it| it.at) {
            next.at = next.at.min(now);
            return;
        }
        let of_level = |it: &&Send| it.level == level;
        let is_newest = level + 1 == page.levels.len();
        let all_failed = is_newest
            && page
                .sends
                .iter()
                .filter(of_level)
                .all(|it| it.state == SendState::Failed);
        if let (true, Some(policy)) = (all_failed, self.policy_of(page))
            && page.is_running()
        {
            pull_forward(now, page, &policy);
        }
    }
}

fn begin_round(now: Timestamp, page: &mut Page) {
    page.step = 0;
    page.base = now;
    page.next_at = Some(now);
    page.wait = None;
    page.is_told = false;
    page.levels.clear();
    page.asked.clear();
    page.sends
        .retain(|it| matches!(it.state, SendState::Sent(_)));
}

/// When the next step comes after the beginning of the round; or the round's end.
fn offset(page: &Page, policy: &Policy) -> Duration {
    let next = policy.steps.get(page.step).map(|it| it.after);
    next.unwrap_or_else(|| {
        // A deferral begins the count anew.
        let last = policy.steps.last().map(|it| match it.act {
            Act::Defer(_) => Duration::ZERO,
            Act::Notify(_) | Act::HandOver(_) => it.after,
        });
        last.unwrap_or(Duration::ZERO) + policy.repeat_after
    })
}

fn schedule(page: &mut Page, policy: &Policy) {
    page.next_at = Some(page.base + offset(page, policy));
}

/// Does not wait where there is nobody to wait for. Rounds stay apart, unless nobody was there; when
/// nothing arrived, the last one ends at once.
fn pull_forward(now: Timestamp, page: &mut Page, policy: &Policy) {
    let waits_for_time = page.wait.is_none();
    let has_failed = |it: &Send| it.state == SendState::Failed;
    let is_in_vain =
        page.round >= policy.repeat && !page.is_delivered && page.sends.iter().all(has_failed);
    if waits_for_time && (page.step < policy.steps.len() || !page.is_told || is_in_vain) {
        page.base = now - offset(page, policy);
        page.next_at = Some(now);
    }
}

/// Whether a step is taken at a moment.
pub(super) fn holds(step: &Step, page: &Page, now: Timestamp) -> bool {
    let is_so = |it: &Condition| {
        it.severity.is_none_or(|it| page.severity.is_at_least(it))
            && it.hours.as_ref().is_none_or(|it| it.covers(now))
            && it
                .budget_below
                .is_none_or(|it| page.budget.is_some_and(|left| left < it))
    };
    step.when.as_ref().is_none_or(is_so) && !step.unless.as_ref().is_some_and(is_so)
}

/// The most steps at one look: those of a round, and hand-overs.
const ADVANCE_MAX: usize = 1_000;
/// The most steps with turns that are remembered.
const TURNS_MAX: usize = 10_000;
