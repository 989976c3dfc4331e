//! What APIs and pages may know of the rules.

use std::sync::Arc;

use firebell_model::Timestamp;

use crate::alert::{AlertInstance, AlertPhase, Cause};
use crate::definition::{Rule, RuleGroup};
use crate::group::GroupState;
use crate::state::{Health, RuleState};
use crate::status::Status;
use crate::tally::Tally;

/// A group and how it fares.
#[derive(Clone, Copy, Debug)]
pub struct GroupView<'a> {
    /// The group as configured.
    pub group: &'a RuleGroup,
    pub(crate) state: &'a GroupState,
}

/// A rule and how it fares.
#[derive(Clone, Copy, Debug)]
pub struct RuleView<'a> {
    /// The rule as configured.
    pub rule: &'a Arc<Rule>,
    pub(crate) state: &'a RuleState,
    pub(crate) status: &'a Status,
}

impl<'a> GroupView<'a> {
    /// The slot of the last evaluation; after a restart it may be older by less than a minute.
    #[must_use]
    pub fn last_evaluation(&self) -> Option<Timestamp> {
        self.state.last_slot
    }

    /// How long its last evaluation took, from begin to end.
    #[must_use]
    pub fn took(&self) -> std::time::Duration {
        self.state.last_round.took
    }

    /// How long the rules of its last evaluation took, in sum.
    #[must_use]
    pub fn rules_took(&self) -> std::time::Duration {
        self.state.last_round.rules_took
    }

    /// How long all its evaluations since the start took, in sum.
    #[must_use]
    pub fn took_in_all(&self) -> std::time::Duration {
        self.state.took
    }

    /// How often one of its rules was evaluated since the start.
    #[must_use]
    pub fn n_evaluations(&self) -> u64 {
        self.state.n_evaluations
    }

    /// How often that failed.
    #[must_use]
    pub fn n_failures(&self) -> u64 {
        self.state.n_failures
    }

    /// What its rules come to; counted as they change, so that asking costs next to nothing.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.state.tally
    }

    /// How many samples its last evaluation wrote.
    #[must_use]
    pub fn n_last_samples(&self) -> u64 {
        self.state.last_round.n_samples
    }

    /// How many evaluations were begun since the start.
    #[must_use]
    pub fn n_iterations(&self) -> u64 {
        self.state.n_iterations
    }

    /// How many slots passed since the start without an evaluation, because one took too long.
    #[must_use]
    pub fn n_missed(&self) -> u64 {
        self.state.n_missed
    }

    /// Its rules, in order.
    pub fn rules(&self) -> impl Iterator<Item = RuleView<'a>> + use<'a> {
        let states = self.state.rules.iter().zip(&self.state.statuses);
        let rules = self.group.rules.iter().zip(states);
        rules.map(|(rule, (state, status))| RuleView {
            rule,
            state,
            status,
        })
    }
}

impl<'a> RuleView<'a> {
    /// How the last evaluation went.
    #[must_use]
    pub fn health(&self) -> Health {
        self.status.health
    }

    /// Why the last evaluation failed, if it did.
    #[must_use]
    pub fn last_error(&self) -> Option<&'a str> {
        self.status.last_error.as_deref()
    }

    /// The slot of the last evaluation since the start.
    #[must_use]
    pub fn last_evaluation(&self) -> Option<Timestamp> {
        self.status.last_evaluation
    }

    /// How long the last evaluation took.
    #[must_use]
    pub fn took(&self) -> std::time::Duration {
        self.status.took
    }

    /// How often it was evaluated since the start.
    #[must_use]
    pub fn n_evaluations(&self) -> u64 {
        self.status.n_evaluations
    }

    /// How often that failed.
    #[must_use]
    pub fn n_failures(&self) -> u64 {
        self.status.n_failures
    }

    /// Its alerts in order of labels: pending, firing, and resolved ones of the last 15 minutes.
    #[must_use]
    pub fn alerts(&self) -> &'a [AlertInstance] {
        &self.state.alerts
    }

    /// Alerts about the rule rather than by it: that it fails, or has no data.
    #[must_use]
    pub fn reports(&self) -> &'a [AlertInstance] {
        &self.state.reports
    }

    /// How often one of its alerts began to fire since the start.
    #[must_use]
    pub fn n_fired(&self) -> u64 {
        self.state.n_fired
    }

    /// `firing`, `pending`, `inactive`, or `unknown` before the first evaluation: upstream's state
    /// of an alerting rule. An alert that stands in for its own ones counts.
    #[must_use]
    pub fn state_name(&self) -> &'static str {
        let mut is_pending = false;
        let stands_in = self.reports().iter();
        let stands_in = stands_in.filter(|alert| alert.cause != Cause::Failing);
        for alert in self.alerts().iter().chain(stands_in) {
            match alert.phase {
                AlertPhase::Firing { .. } => return "firing",
                AlertPhase::Pending => is_pending = true,
                AlertPhase::Resolved { .. } => {}
            }
        }
        match (is_pending, self.health()) {
            (true, _) => "pending",
            (false, Health::Unknown) => "unknown",
            (false, Health::Ok | Health::Err) => "inactive",
        }
    }
}

impl Health {
    /// Its name in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Ok => "ok",
            Self::Err => "err",
        }
    }
}
