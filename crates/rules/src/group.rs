//! One group's state: when it is evaluated next, and how its rounds go.
//!
//! *Invariants*: the moments of its rounds only grow, and so do those of each rule.

use std::collections::BTreeMap;

use firebell_model::{Duration, Timestamp};

use crate::definition::RuleGroup;
use crate::record::RuleRecord;
use crate::round::Round;
use crate::runs::Dependencies;
use crate::schedule::{SLOT_RECORD_EVERY, Slots};
use crate::state::RuleState;
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
        let rule = self.rules.get(rule_idx);
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
        let rules = group.rules.iter().zip(&self.rules);
        self.tally = rules.map(|(rule, state)| state.tally(rule)).sum();
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
