//! One rule without a schedule: whoever has the samples moves it on, from moment to moment.
//!
//! Unit tests of rules live on this: they know when a rule is evaluated, and what it sees then.
//!
//! *Invariants*: the same state machine as live, [`crate::Rules`]; only slots, the journal and the
//! way to dispatch are left out.

use std::sync::Arc;

use firebell_model::{Duration, HistogramSample, Labels, Sample, Timestamp};

use crate::alert::AlertInstance;
use crate::alerting::Step;
use crate::apply::apply;
use crate::definition::{Context, Rule, RuleGroup};
use crate::evaluate::{EvaluationRequest, Found, RunId, RunRule, SharedComparisons};
use crate::record::RuleKey;
use crate::state::{Outcome, RuleState};

/// A rule and its alerts or series.
#[derive(Debug)]
pub struct LoneRule {
    rule: Arc<Rule>,
    context: Arc<Context>,
    comparisons: SharedComparisons,
    state: RuleState,
    limit: Option<usize>,
    interval: Duration,
    query_offset: Duration,
}

/// What a step has written, in order; stale markers are among the samples.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Written {
    /// Floats.
    pub samples: Vec<(Labels, Sample)>,
    /// Native histograms.
    pub histograms: Vec<(Labels, HistogramSample)>,
}

impl LoneRule {
    /// The rules of a group, in order, before their first evaluation.
    #[must_use]
    pub fn of_group(group: &RuleGroup, context: &Arc<Context>) -> Vec<Self> {
        let keys = RuleKey::of_group(group).into_iter();
        keys.zip(&group.rules)
            .map(|(key, rule)| Self {
                rule: Arc::clone(rule),
                context: Arc::clone(context),
                comparisons: SharedComparisons::default(),
                state: RuleState::new(key),
                limit: group.limit,
                interval: group.interval,
                query_offset: group.query_offset,
            })
            .collect()
    }

    /// The rule.
    #[must_use]
    pub fn rule(&self) -> &Arc<Rule> {
        &self.rule
    }

    /// What [`crate::evaluate_rule_by`] wants to know to evaluate it at a moment; `rule` is
    /// [`LoneRule::rule`], or the same with other texts.
    #[must_use]
    pub fn request(&self, at: Timestamp, rule: &Arc<Rule>) -> EvaluationRequest {
        EvaluationRequest {
            id: RunId {
                generation: 0,
                group_idx: 0,
                at,
            },
            query_at: at - self.query_offset,
            rules: Arc::new([RunRule {
                rule_idx: 0,
                rule: Arc::clone(rule).into(),
                asks: self.state.asks(&self.rule),
            }]),
            context: Arc::clone(&self.context),
            comparisons: self.comparisons.clone(),
            is_at_rest: false,
        }
    }

    /// Moves the rule on by what its evaluation at a moment found. Moments have to ascend.
    ///
    /// # Errors
    /// What was wrong with the evaluation, or that the group's limit is exceeded; what was written
    /// all the same is in `out`.
    pub fn apply(
        &mut self,
        at: Timestamp,
        found: Result<Found, String>,
        out: &mut Written,
    ) -> Result<(), String> {
        let step = Step {
            now: at,
            at,
            written_at: at - self.query_offset,
            limit: self.limit,
            interval: self.interval,
            resend_delay: Duration::from_mins(1),
            context: &self.context,
        };
        let mut outcome = Outcome::default();
        let result = apply(&mut self.state, &self.rule, found, &step, &mut outcome);
        out.samples.append(&mut outcome.writes);
        out.histograms.append(&mut outcome.histograms);
        result
    }

    /// Its alerts in order of labels: pending, firing, and resolved ones of the last 15 minutes.
    #[must_use]
    pub fn alerts(&self) -> &[AlertInstance] {
        &self.state.alerts
    }

    /// Whether a step without samples would change nothing: it has neither alerts nor series.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.state.is_blank()
    }
}
