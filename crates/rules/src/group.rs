//! One group's state: when it is evaluated next, and how its rounds go.
//!
//! *Invariants*: the moments of its rounds only grow, and so do those of each rule.

use std::collections::BTreeMap;
use std::sync::Arc;

use firebell_model::{Duration, Timestamp};

use crate::alerting::Step;
use crate::apply::apply;
use crate::definition::{Rule, RuleGroup};
use crate::evaluate::{Evaluation, Found, RESULT_RESTS_MAX, RuleEvaluation, RuleHandle, RunRule};
use crate::record::RuleRecord;
use crate::round::Round;
use crate::runs::Dependencies;
use crate::schedule::{SLOT_RECORD_EVERY, Slots};
use crate::state::{Outcome, RuleState};
use crate::status::Status;
use crate::tally::Tally;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct GroupState {
    slots: Slots,
    next_slot: Timestamp,
    /// The rules that samples have arrived for, and when they are to be evaluated at the earliest.
    arrivals: BTreeMap<usize, Timestamp>,
    pub(crate) dependencies: Dependencies,
    /// The rules that are being evaluated.
    pub(crate) round: Option<Round>,
    pub(crate) last_slot: Option<Timestamp>,
    recorded_slot: Option<Timestamp>,
    pub(crate) n_iterations: u64,
    pub(crate) n_missed: u64,
    /// Of all its rules.
    pub(crate) tally: Tally,
    /// Evaluations of its rules, and how many of them failed.
    pub(crate) n_evaluations: u64,
    pub(crate) n_failures: u64,
    pub(crate) last_round: LastRound,
    /// What all its slots took.
    pub(crate) took: std::time::Duration,
    pub(crate) rules: Vec<RuleState>,
    /// Of each rule.
    pub(crate) statuses: Vec<Status>,
    n_at_rest: usize,
    /// What is asked for when all rules are evaluated and all are at rest: always the same.
    all_at_rest: Option<Arc<[RunRule]>>,
}

/// How the last slot went; for people.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LastRound {
    /// From its begin to its end.
    pub(crate) took: std::time::Duration,
    /// All its rules, one after the other.
    pub(crate) rules_took: std::time::Duration,
    /// How many samples its rules wrote.
    pub(crate) n_samples: u64,
}

impl GroupState {
    pub(crate) fn new(
        group: &RuleGroup,
        last_slot: Option<Timestamp>,
        now: Timestamp,
        dependencies: Dependencies,
    ) -> Self {
        let slots = Slots::new(group);
        Self {
            next_slot: match last_slot {
                Some(last_slot) => slots.resume(last_slot, now),
                None => slots.after(now),
            },
            slots,
            arrivals: BTreeMap::new(),
            dependencies,
            round: None,
            last_slot,
            recorded_slot: last_slot,
            n_iterations: 0,
            n_missed: 0,
            tally: Tally::default(),
            n_evaluations: 0,
            n_failures: 0,
            last_round: LastRound::default(),
            took: std::time::Duration::ZERO,
            rules: Vec::new(),
            statuses: Vec::new(),
            n_at_rest: 0,
            all_at_rest: None,
        }
    }

    /// The state after a reload, without rules. A group whose slots stay keeps its next one.
    pub(crate) fn reconfigured(
        mut self,
        group: &RuleGroup,
        now: Timestamp,
        dependencies: Dependencies,
    ) -> Self {
        let slots = Slots::new(group);
        if slots != self.slots {
            self.next_slot = slots.after(now);
            self.slots = slots;
        }
        let is_slot = self.round.take().is_some_and(|round| round.is_slot);
        self.n_missed += u64::from(is_slot);
        self.arrivals.clear();
        self.dependencies = dependencies;
        self
    }

    /// When there is something to begin, unless a round is under way.
    pub(crate) fn wake_at(&self) -> Timestamp {
        let arrived = self.arrivals.values().min();
        arrived.map_or(self.next_slot, |at| self.next_slot.min(*at))
    }

    /// Samples have arrived for a rule, which is to be evaluated at `at` or later. Returns when the
    /// group has to be looked at, if that is news.
    pub(crate) fn arrive(&mut self, rule_idx: usize, at: Timestamp) -> Option<Timestamp> {
        if self.arrivals.contains_key(&rule_idx) {
            return None;
        }
        self.arrivals
            .insert(rule_idx, at.max(self.rested_at(rule_idx)));
        self.round.is_none().then(|| self.wake_at())
    }

    /// When a rule may be evaluated on arrival again.
    fn rested_at(&self, rule_idx: usize) -> Timestamp {
        let rule = self.statuses.get(rule_idx);
        let last = rule.and_then(|rule| rule.last_evaluation);
        last.map_or(Timestamp::MIN, |last| last + ARRIVAL_GAP)
    }

    /// Begins a round, if one is due: the latest slot, or else rules that samples have arrived for.
    pub(crate) fn begin(&mut self, now: Timestamp) -> bool {
        if self.round.is_some() {
            return false;
        }
        if self.next_slot <= now {
            let (at, rules) = self.begin_slot(now);
            self.round = Some(Round::new(at, now, true, rules));
            return true;
        }
        let rested = self.arrivals.iter();
        let rested = rested.map(|(rule, at)| (*rule, (*at).max(self.rested_at(*rule))));
        let (due, later): (Vec<_>, Vec<_>) = rested.partition(|it| it.1 <= now);
        let is_changed = self.arrivals.values().any(|at| *at <= now);
        self.arrivals = later.into_iter().collect();
        if is_changed {
            // Without rules the round ends at once, and the group waits anew.
            let rules = due.into_iter().map(|it| it.0).collect();
            self.round = Some(Round::new(now, now, false, rules));
        }
        is_changed
    }

    /// Begins the latest slot that is due, and returns its rules; those before it are missed.
    fn begin_slot(&mut self, now: Timestamp) -> (Timestamp, Vec<usize>) {
        let slot = self.slots.at_or_before(now).max(self.next_slot);
        self.n_missed += self.slots.missed(self.next_slot, slot);
        self.n_iterations += 1;
        let rules = self.slots.due(self.last_slot, slot, self.rules.len());
        self.next_slot = self.slots.after(slot);
        self.last_slot = Some(slot);
        (slot, rules)
    }

    pub(crate) fn end_round(&mut self, now: Timestamp) {
        let Some(round) = self.round.take().filter(|round| round.is_slot) else {
            return;
        };
        let passed = (now - round.began_at).to_std();
        let passed = passed.saturating_sub(round.rested);
        self.last_round = LastRound {
            // A clock of milliseconds says nothing of quick rules.
            took: passed.max(round.took),
            rules_took: round.took,
            n_samples: round.n_samples,
        };
        self.took += self.last_round.took;
    }

    /// What to record of a slot that has begun, if the recorded one is old.
    pub(crate) fn slot_change(&mut self, group: &RuleGroup) -> Option<RuleRecord> {
        let slot = self.last_slot?;
        let is_recent = |recorded| slot - recorded < SLOT_RECORD_EVERY;
        if self.recorded_slot.is_some_and(is_recent) {
            return None;
        }
        self.recorded_slot = Some(slot);
        Some(slot_record(group, slot))
    }

    /// Counts anew, after its rules were replaced.
    pub(crate) fn count(&mut self, group: &RuleGroup) {
        (self.tally, self.n_at_rest, self.all_at_rest) = (Tally::default(), 0, None);
        let states = self.rules.iter().zip(&mut self.statuses);
        for (rule, (state, status)) in group.rules.iter().zip(states) {
            status.look_at(state);
            self.n_at_rest += usize::from(status.is_at_rest);
            let now = state.tally(rule, status);
            self.tally.exchange(Tally::default(), now);
        }
    }

    /// Takes results; true when the run that they are of is over. None are waited for that are of
    /// another moment, or come a second time.
    pub(crate) fn handle_evaluated(
        &mut self,
        rules: &[Arc<Rule>],
        evaluation: Evaluation,
        step: &Step<'_>,
        out: &mut Outcome,
    ) -> bool {
        let is_awaited = |round: &Round| round.at == evaluation.id.at;
        let Some(mut round) = self.round.take_if(|round| is_awaited(round)) else {
            return false;
        };
        let quiet = evaluation.quiet.into_results();
        for result in quiet.chain(evaluation.rules) {
            if round.answer(result.rule_idx) {
                round.took += result.took;
                self.n_evaluations += 1;
                let is_well = self.take(rules, result, step, out);
                self.n_failures += u64::from(!is_well);
            }
        }
        round.n_samples += out.n_samples();
        round.rested = evaluation.rested;
        let is_run_over = round.is_run_over();
        self.round = Some(round);
        is_run_over
    }

    /// Takes the result of one rule; false when it is a failure.
    fn take(
        &mut self,
        rules: &[Arc<Rule>],
        evaluation: RuleEvaluation,
        step: &Step<'_>,
        out: &mut Outcome,
    ) -> bool {
        let RuleEvaluation {
            rule_idx,
            took,
            outcome,
        } = evaluation;
        let status = &mut self.statuses[rule_idx];
        // Nothing was found, and nothing is there: most rules most of the time. Not even the rule
        // has to be looked at, which lies elsewhere in memory.
        if status.is_at_rest && outcome.as_ref().is_ok_and(Found::is_nothing) {
            status.note(step.at, took, Ok(()));
            return true;
        }
        let (rule, state) = (&rules[rule_idx], &mut self.rules[rule_idx]);
        let interval = rule.cadence.interval.unwrap_or(step.interval);
        let before = state.tally(rule, status);
        let result = apply(state, rule, outcome, &Step { interval, ..*step }, out);
        let is_well = result.is_ok();
        status.note(step.at, took, result);
        self.n_at_rest -= usize::from(status.is_at_rest);
        status.look_at(state);
        self.n_at_rest += usize::from(status.is_at_rest);
        self.tally.exchange(before, state.tally(rule, status));
        is_well
    }

    /// The rules of the round's next run; empty when there is none left.
    pub(crate) fn next_run(&mut self, rules: &Arc<[Arc<Rule>]>) -> Option<Arc<[RunRule]>> {
        let run = self.round.as_mut()?.next_run(&self.dependencies);
        let is_of_all = run.len() == rules.len() && self.n_at_rest == rules.len();
        if let (true, Some(known)) = (is_of_all, &self.all_at_rest) {
            return Some(Arc::clone(known));
        }
        let asked = run.iter().map(|&(idx, _)| RunRule {
            rule_idx: idx,
            rule: RuleHandle::new(rules, idx),
            asks: self.rules[idx].asks(&rules[idx]),
        });
        let asked: Arc<[RunRule]> = asked.collect();
        if is_of_all {
            self.all_at_rest = Some(Arc::clone(&asked));
        }
        Some(asked)
    }

    /// Whether nobody waits for the result of a run that finds nothing: all its rules are at rest, no
    /// run comes after it, and the next slot is far.
    pub(crate) fn may_rest(&self, run: &[RunRule], now: Timestamp) -> bool {
        let is_last = self.round.as_ref().is_some_and(Round::is_last_run);
        let is_far = self.wake_at() - now > RESULT_RESTS_MAX + RESULT_RESTS_MAX;
        let is_at_rest = |it: &RunRule| self.statuses[it.rule_idx].is_at_rest;
        is_last && is_far && run.iter().all(is_at_rest)
    }
}

pub(crate) fn slot_record(group: &RuleGroup, at: Timestamp) -> RuleRecord {
    RuleRecord::Slot {
        file: group.file.clone(),
        group: group.name.clone(),
        at,
    }
}

/// A rule is evaluated on arrival at most once in this time, so that many small writes cost no more
/// than a few large ones.
const ARRIVAL_GAP: Duration = Duration(500);
