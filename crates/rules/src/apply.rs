//! What an evaluation does to the state of its rule.

use crate::alert::AlertPhase;
use crate::alerting::{self, Step};
use crate::ask::{Answers, Asks};
use crate::definition::{AlertingRule, Rule, RuleKind};
use crate::evaluate::Found;
use crate::migrate;
use crate::policy::Reaction;
use crate::recording;
use crate::reports::{self, Condition};
use crate::state::{Outcome, RuleState};

/// Applies an evaluation.
///
/// # Errors
/// What is wrong with the rule, for its health.
pub(crate) fn apply(
    state: &mut RuleState,
    rule: &Rule,
    result: Result<Found, String>,
    step: &Step<'_>,
    out: &mut Outcome,
) -> Result<(), String> {
    let (result, answers) = match result {
        Ok(Found { samples, answers }) => (Ok(samples), answers),
        Err(error) => (Err(error), Answers::default()),
    };
    if let Some(watch) = &state.watch {
        let records = (&state.key, &mut *out);
        watch.write().observe(&answers.observed, step, records);
    }
    let result = match (result, &rule.kind) {
        (Ok(samples), RuleKind::Alerting(rule)) => {
            alerting::update(state, rule, (samples, &answers), step, out)
        }
        (Ok(samples), RuleKind::Recording) => recording::update(state, samples, step, out),
        (Err(error), kind) => {
            if let RuleKind::Alerting(rule) = kind {
                after_error(state, rule, step, out);
            }
            Err(error)
        }
    };
    if state.n_before_migration > 0 {
        state.n_before_migration -= 1;
        if let (0, Some(rule)) = (state.n_before_migration, rule.as_alerting()) {
            migrate::restore(state, rule, &answers.for_states, step, out);
        }
    }
    let condition = Condition {
        error: result.as_ref().err().map(String::as_str),
        is_silent: answers.is_silent,
    };
    reports::update(state, rule, condition, step, out);
    result
}

/// An error leaves everything as it is, unless the rule says that it ends the alerts.
fn after_error(state: &mut RuleState, rule: &AlertingRule, step: &Step<'_>, out: &mut Outcome) {
    if rule.policy.on_error == Reaction::End {
        // Without samples no limit can be exceeded.
        let _ = alerting::update(state, rule, (Vec::new(), &Answers::default()), step, out);
    }
}

impl RuleState {
    /// What the rule's own keys want to know of the next evaluation.
    pub(crate) fn asks(&self, rule: &Rule) -> Asks {
        let mut alerts = self.alerts.iter();
        let is_firing = alerts.any(|alert| matches!(alert.phase, AlertPhase::Firing { .. }));
        // A rule lies elsewhere in memory: nine times out of ten it need not be asked.
        let may_clear = || {
            rule.as_alerting()
                .is_some_and(|it| it.policy.clear.is_some())
        };
        Asks {
            is_clear_asked: is_firing && may_clear(),
            watch: self.watch.clone(),
            is_migration_asked: self.n_before_migration == 1,
        }
    }
}
