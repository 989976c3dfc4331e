//! One round of a group: the rules that are evaluated at one moment, run by run.

use firebell_model::Timestamp;

use crate::runs::Dependencies;

/// A round that is under way.
#[derive(Debug)]
pub(crate) struct Round {
    pub(crate) at: Timestamp,
    pub(crate) began_at: Timestamp,
    /// Whether it is a slot of the group, and not of single rules for which samples have arrived.
    pub(crate) is_slot: bool,
    /// How many samples its rules wrote so far.
    pub(crate) n_samples: u64,
    /// What its rules took so far.
    pub(crate) took: std::time::Duration,
    /// How long its latest results rested before they were handed in.
    pub(crate) rested: std::time::Duration,
    /// Indices of rules, in order, and whether each was answered.
    rules: Vec<(usize, bool)>,
    /// Where in `rules` the run that is being evaluated begins, and where it ends.
    run: std::ops::Range<usize>,
    n_answered: usize,
}

impl Round {
    /// A round that has not asked for anything; `rules` are in order.
    pub(crate) fn new(
        at: Timestamp,
        began_at: Timestamp,
        is_slot: bool,
        rules: Vec<usize>,
    ) -> Self {
        Self {
            at,
            began_at,
            is_slot,
            n_samples: 0,
            took: std::time::Duration::ZERO,
            rested: std::time::Duration::ZERO,
            rules: rules.into_iter().map(|rule| (rule, false)).collect(),
            run: 0..0,
            n_answered: 0,
        }
    }

    /// The rules of the next run, none of them answered; empty when there is none left.
    pub(crate) fn next_run(&mut self, dependencies: &Dependencies) -> &[(usize, bool)] {
        let start = self.run.end;
        let rest = self.rules[start..].iter().map(|rule| rule.0);
        self.run = start..start + dependencies.run_len(rest);
        &self.rules[self.run.clone()]
    }

    /// Takes note of an answer; false when none is waited for.
    pub(crate) fn answer(&mut self, rule_idx: usize) -> bool {
        let run = &mut self.rules[self.run.clone()];
        let Ok(idx) = run.binary_search_by_key(&rule_idx, |rule| rule.0) else {
            return false;
        };
        let is_awaited = !std::mem::replace(&mut run[idx].1, true);
        self.n_answered += usize::from(is_awaited);
        is_awaited
    }

    /// Whether no run comes after this one.
    pub(crate) fn is_last_run(&self) -> bool {
        self.run.end == self.rules.len()
    }

    /// Whether all rules of the run were answered.
    pub(crate) fn is_run_over(&self) -> bool {
        self.n_answered == self.run.end
    }
}
