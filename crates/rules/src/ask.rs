//! What own keys of a rule want to know besides the samples, and the answers.

use firebell_model::Labels;
use firebell_promql::{Plan, Prepared};

use crate::anomaly::{Observed, SharedWatch};
use crate::definition::AlertingRule;
use crate::evaluate::{EvaluationRequest, Querier};
use crate::migrate::ForState;
use crate::policy::Reaction;
use crate::probe;

/// What the core wants to know of an evaluation besides its samples.
#[derive(Clone, Debug, Default)]
pub struct Asks {
    /// Whether alerts fire that `clear` may end.
    pub(crate) is_clear_asked: bool,
    /// What values of an anomaly rule are judged by.
    pub(crate) watch: Option<SharedWatch>,
    /// Whether an imported Prometheus is asked since when alerts are active.
    pub(crate) is_migration_asked: bool,
}

/// What came of [`Asks`]; the default answers none.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Answers {
    /// None of the expression's selectors found anything.
    pub(crate) is_silent: bool,
    /// For which label sets the condition `clear` holds.
    pub(crate) cleared: Vec<Labels>,
    /// Which label sets have a value, whatever the thresholds say of it.
    pub(crate) valued: Vec<Labels>,
    /// The values of an anomaly rule, as they were judged.
    pub(crate) observed: Vec<Observed>,
    /// Since when alerts are active, as an imported Prometheus has it.
    pub(crate) for_states: Vec<ForState>,
}

impl Answers {
    /// Whether it is the default.
    pub(crate) fn is_none(&self) -> bool {
        let Self {
            is_silent,
            cleared,
            valued,
            observed,
            for_states,
        } = self;
        let are_empty = cleared.is_empty() && valued.is_empty() && for_states.is_empty();
        !is_silent && are_empty && observed.is_empty()
    }
}

/// The expressions behind the own keys, prepared.
#[derive(Default)]
pub(crate) struct Probes {
    clear: Option<Prepared>,
    values: Option<Prepared>,
    any_data: Option<Prepared>,
}

impl Probes {
    /// `None` for a rule that has nothing to ask.
    pub(crate) fn new(expr: &Plan, rule: &AlertingRule) -> Option<Self> {
        let policy = &rule.policy;
        if policy.clear.is_none() && policy.no_data == Reaction::Upstream {
            return None;
        }
        let prepared = |plan: Option<Plan>| plan.map(Prepared::new);
        Some(Self {
            values: policy
                .clear
                .as_ref()
                .and_then(|_| prepared(probe::values(expr))),
            clear: prepared(policy.clear.clone()),
            any_data: (policy.no_data != Reaction::Upstream)
                .then(|| prepared(probe::any_data(expr)))
                .flatten(),
        })
    }

    /// Asks; `is_empty` says whether the expression itself has no result.
    ///
    /// # Errors
    /// What is wrong with one of the expressions, for people.
    pub(crate) fn ask(
        &mut self,
        (request, asks): (&EvaluationRequest, &Asks),
        is_empty: bool,
        querier: &dyn Querier,
        answers: &mut Answers,
    ) -> Result<(), String> {
        let at = request.query_at;
        if let (true, Some(any)) = (is_empty, &mut self.any_data) {
            answers.is_silent = querier.vector(any, at)?.is_empty();
        }
        if asks.is_clear_asked {
            answers.cleared = label_sets(&mut self.clear, request, querier)?;
            answers.valued = label_sets(&mut self.values, request, querier)?;
        }
        Ok(())
    }
}

fn label_sets(
    expr: &mut Option<Prepared>,
    request: &EvaluationRequest,
    querier: &dyn Querier,
) -> Result<Vec<Labels>, String> {
    let Some(expr) = expr else {
        return Ok(Vec::new());
    };
    let samples = querier.vector(expr, request.query_at)?;
    Ok(samples.into_iter().map(|sample| sample.labels).collect())
}
