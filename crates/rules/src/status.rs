//! How the evaluations of a rule went: what every one of them changes, also one that finds nothing.
//!
//! It stands apart from the rest of a rule's state, next to that of the group's other rules: to go
//! through ten thousand rules that are at rest is to go through memory in order.

use firebell_model::Timestamp;

use crate::state::{Health, RuleState};

/// Of one rule.
#[derive(Debug, Default)]
pub(crate) struct Status {
    pub(crate) health: Health,
    /// As [`RuleState::is_at_rest`] says, of a rule that did not fail.
    pub(crate) is_at_rest: bool,
    pub(crate) last_evaluation: Option<Timestamp>,
    pub(crate) took: std::time::Duration,
    pub(crate) n_evaluations: u64,
    pub(crate) n_failures: u64,
    pub(crate) last_error: Option<String>,
}

impl Status {
    /// Notes how an evaluation went.
    pub(crate) fn note(
        &mut self,
        at: Timestamp,
        took: std::time::Duration,
        result: Result<(), String>,
    ) {
        self.last_evaluation = Some(at);
        self.took = took;
        self.n_evaluations += 1;
        self.n_failures += u64::from(result.is_err());
        (self.health, self.last_error) = match result {
            Ok(()) => (Health::Ok, None),
            Err(error) => (Health::Err, Some(error)),
        };
    }

    /// Takes note of what the rule's state has become.
    pub(crate) fn look_at(&mut self, state: &RuleState) {
        self.is_at_rest = self.last_error.is_none() && state.is_at_rest();
    }
}
