//! The worker's side: a run of rules, evaluated over an immutable view of the series.
//!
//! *Invariants*: nothing here changes an alert; the samples come out in order of labels, no two of
//! them with the same. What was bound in the evaluation before is used again, and may be lost.

use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use firebell_model::{
    ALERT_NAME, Duration, Labels, METRIC_NAME, Matcher, Sample, SampleValue, Source, TimeRange,
    Timestamp,
};
use firebell_promql::{Comparisons, Options, Plan, Prepared, Value, VectorSample};
use firebell_template::{AlertData, QuerySample, Template, TemplateError};

use crate::anomaly::{Observed, Verdict, WATCHED_MAX};
use crate::ask::{Answers, Asks, Probes};
use crate::definition::{AlertingRule, Context, Rule, RuleKind};
use crate::migrate;

/// The wish that a run of rules be evaluated, each over the same series: all that a worker needs
/// besides them.
#[derive(Clone, Debug)]
pub struct EvaluationRequest {
    /// To be given back with the result.
    pub id: RunId,
    /// What the expressions look at: the moment less the group's query offset.
    pub query_at: Timestamp,
    /// The rules, in order.
    pub rules: Arc<[RunRule]>,
    /// What all rules share.
    pub context: Arc<Context>,
    pub(crate) comparisons: SharedComparisons,
    /// Whether nobody waits for a result that finds nothing: none of the rules has an alert or a
    /// failure, no other run waits for this one, and the group's next slot is far.
    pub(crate) is_at_rest: bool,
}

impl EvaluationRequest {
    /// Whether a result changes nothing but when it was, and may be handed in with whatever comes
    /// next, within [`RESULT_RESTS_MAX`]. To wake somebody for each would cost more than most rules.
    #[must_use]
    pub fn may_rest(&self, evaluation: &Evaluation) -> bool {
        let Evaluation { rules, quiet, .. } = evaluation;
        let is_nothing = |it: &RuleEvaluation| it.outcome.as_ref().is_ok_and(Found::is_nothing);
        let n_rules = rules.len() + quiet.rules.len();
        self.is_at_rest && n_rules == self.rules.len() && rules.iter().all(is_nothing)
    }
}

/// The longest that a result may rest; see [`EvaluationRequest::may_rest`].
pub const RESULT_RESTS_MAX: Duration = Duration::from_secs(1);

/// One rule of a run.
#[derive(Clone, Debug)]
pub struct RunRule {
    /// Index into [`crate::RuleGroup::rules`].
    pub rule_idx: usize,
    /// The rule.
    pub rule: RuleHandle,
    /// What the rule's own keys want to know besides.
    pub asks: Asks,
}

/// A rule among those of its group.
///
/// To share the group costs less than to share each rule: a counter that is at hand, instead of one
/// that no cache remembers.
#[derive(Clone)]
pub struct RuleHandle {
    rules: Arc<[Arc<Rule>]>,
    idx: usize,
}

impl RuleHandle {
    /// `rules` has it at `idx`.
    pub(crate) fn new(rules: &Arc<[Arc<Rule>]>, idx: usize) -> Self {
        let rules = Arc::clone(rules);
        Self { rules, idx }
    }
}

impl From<Arc<Rule>> for RuleHandle {
    fn from(rule: Arc<Rule>) -> Self {
        Self {
            rules: Arc::new([rule]),
            idx: 0,
        }
    }
}

impl Deref for RuleHandle {
    type Target = Rule;

    fn deref(&self) -> &Rule {
        &self.rules[self.idx]
    }
}

impl std::fmt::Debug for RuleHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (**self).fmt(f)
    }
}

/// What the evaluations of a group's rules have noted, by index of the rule: which of them compare
/// series with a number.
#[derive(Clone, Default)]
pub(crate) struct SharedComparisons(Arc<Mutex<Comparisons>>);

impl SharedComparisons {
    fn lock(&self) -> MutexGuard<'_, Comparisons> {
        match self.0.lock() {
            Ok(known) => known,
            Err(poisoned) => {
                // A worker died half way: what it had noted may be half made.
                self.0.clear_poison();
                let mut known = PoisonError::into_inner(poisoned);
                *known = Comparisons::default();
                known
            }
        }
    }
}

impl std::fmt::Debug for SharedComparisons {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedComparisons")
    }
}

/// Which evaluation of which group.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RunId {
    /// Grows with each reload: an evaluation begun before one is not mistaken for one after it.
    pub generation: u64,
    /// Index into [`crate::RuleSet::groups`].
    pub group_idx: usize,
    /// The moment. Alerts become active at it, and templates query at it.
    pub at: Timestamp,
}

impl PartialEq for EvaluationRequest {
    fn eq(&self, other: &Self) -> bool {
        let indices =
            |it: &Self| -> Vec<usize> { it.rules.iter().map(|rule| rule.rule_idx).collect() };
        (self.id, self.query_at) == (other.id, other.query_at) && indices(self) == indices(other)
    }
}

/// Results of a request: of all its rules, or of some, when the others let wait for themselves.
/// Every rule of a request has to be answered once, or its group stands still.
#[derive(Clone, PartialEq, Debug)]
pub struct Evaluation {
    /// From the request.
    pub id: RunId,
    /// In any order.
    pub rules: Vec<RuleEvaluation>,
    /// Other rules.
    pub quiet: QuietRules,
    /// For how long it has rested since it was made, for people only.
    pub rested: std::time::Duration,
}

/// Rules that were found in one go to have [`Found::default`], which most have most of the time.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct QuietRules {
    /// [`RunRule::rule_idx`] of each.
    pub rules: Vec<usize>,
    /// How long each of them took, for people only.
    pub took: std::time::Duration,
}

impl QuietRules {
    /// The result of each rule.
    pub(crate) fn into_results(self) -> impl Iterator<Item = RuleEvaluation> {
        let took = self.took;
        self.rules.into_iter().map(move |rule_idx| RuleEvaluation {
            rule_idx,
            took,
            outcome: Ok(Found::default()),
        })
    }
}

/// The result of one rule.
#[derive(Clone, PartialEq, Debug)]
pub struct RuleEvaluation {
    /// From the request.
    pub rule_idx: usize,
    /// How long it took, for people only. Zero until the driver, who has a clock, sets it.
    pub took: std::time::Duration,
    /// What it found, or what went wrong.
    pub outcome: Result<Found, String>,
}

/// What an evaluation found.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Found {
    /// In order of labels, all different.
    pub samples: Vec<RuleSample>,
    /// What came of [`RunRule::asks`].
    pub answers: Answers,
}

impl Found {
    /// Whether it is the default.
    pub(crate) fn is_nothing(&self) -> bool {
        self.samples.is_empty() && self.answers.is_none()
    }
}

/// One alert, or one sample to record.
#[derive(Clone, PartialEq, Debug)]
pub struct RuleSample {
    /// The labels of the alert, or of the recorded series with its name.
    pub labels: Labels,
    /// None for a recording rule.
    pub annotations: Labels,
    /// The value of the expression.
    pub value: SampleValue,
}

/// What evaluating a rule leaves behind for its next evaluation.
pub(crate) struct Bound {
    prepared: Prepared,
    // The labels that the sample at the same position had, and what they became. Series come in the
    // same order as long as they stay the same, so the label sets of a quiet rule are built once.
    labels: Vec<(Labels, Labels)>,
    // Of an alerting rule with own keys.
    probes: Option<Probes>,
}

impl Bound {
    pub(crate) fn new(expr: &Plan, rule: Option<&AlertingRule>) -> Self {
        Self {
            prepared: Prepared::new(expr.clone()),
            labels: Vec::new(),
            probes: rule.and_then(|rule| Probes::new(expr, rule)),
        }
    }

    /// The labels of the sample at `idx`, made by `make` unless they were made before.
    fn labels(&mut self, idx: usize, from: &Labels, make: impl FnOnce() -> Labels) -> Labels {
        match self.labels.get_mut(idx) {
            Some((known, made)) if known == from => made.clone(),
            Some(slot) => {
                *slot = (from.clone(), make());
                slot.1.clone()
            }
            None => {
                let made = make();
                // Samples come by index from 0 on, so this is the next position.
                self.labels.push((from.clone(), made.clone()));
                made
            }
        }
    }
}

/// Evaluates all rules of a request: those that may find something one after the other; see
/// [`split_quiet`] and [`evaluate_rule`].
#[must_use]
pub fn evaluate(request: &EvaluationRequest, source: &dyn Source) -> Evaluation {
    let quiet = quiet_rules(request, source, &|| false);
    let (quiet, others) = split_quiet(request, &quiet);
    Evaluation {
        quiet,
        ..evaluate_all(request, others.into_iter(), |rule| {
            evaluate_rule(request, rule, source, &|| false)
        })
    }
}

/// Evaluates all rules of a request, one after the other; see [`evaluate_rule_by`].
#[must_use]
pub fn evaluate_by(request: &EvaluationRequest, querier: &dyn Querier) -> Evaluation {
    evaluate_all(request, request.rules.iter(), |rule| {
        evaluate_rule_by(request, rule, querier)
    })
}

fn evaluate_all<'r>(
    request: &EvaluationRequest,
    rules: impl Iterator<Item = &'r RunRule>,
    mut outcome: impl FnMut(&RunRule) -> Result<Found, String>,
) -> Evaluation {
    let rules = rules.map(|rule| RuleEvaluation {
        rule_idx: rule.rule_idx,
        took: std::time::Duration::ZERO,
        outcome: outcome(rule),
    });
    Evaluation {
        id: request.id,
        rules: rules.collect(),
        quiet: QuietRules::default(),
        rested: std::time::Duration::ZERO,
    }
}

/// The rules of a request that are quiet, as [`quiet_rules`] says, and the others, in order. Those
/// of which it says nothing are others.
#[must_use]
pub fn split_quiet<'r>(
    request: &'r EvaluationRequest,
    quiet: &[bool],
) -> (QuietRules, Vec<&'r RunRule>) {
    let (mut split, mut others) = (QuietRules::default(), Vec::new());
    for (idx, rule) in request.rules.iter().enumerate() {
        match quiet.get(idx) {
            Some(true) => split.rules.push(rule.rule_idx),
            _ => others.push(rule),
        }
    }
    (split, others)
}

/// Of each rule of a request whether it certainly finds nothing over this view, and need not be
/// evaluated by [`evaluate_rule`]: the result is [`Found::default`]. Reads the series of all these
/// rules in one go. The driver may end it by `is_cancelled`: the rules that are left are to be
/// evaluated then, each with its own time.
#[must_use]
pub fn quiet_rules(
    request: &EvaluationRequest,
    source: &dyn Source,
    is_cancelled: &(dyn Fn() -> bool + Sync),
) -> Vec<bool> {
    let options = Options {
        is_cancelled: Some(is_cancelled),
        ..options(request)
    };
    let places = request.rules.iter().map(|rule| rule.rule_idx);
    let known = request.comparisons.lock();
    known.quiet(places, source, request.query_at, &options)
}

fn options(request: &EvaluationRequest) -> Options<'_> {
    Options {
        lookback: request.context.lookback,
        subquery_step: request.context.subquery_step,
        ..Options::default()
    }
}

/// Evaluates one rule of a request. Pure: the same request over the same view gives the same
/// result. The driver may end it, as on a timeout, by `is_cancelled`, which is asked now and then.
///
/// What is wrong with a single template becomes the label or annotation itself, as upstream.
///
/// # Errors
/// What is wrong with the expression or its samples.
pub fn evaluate_rule(
    request: &EvaluationRequest,
    rule: &RunRule,
    source: &dyn Source,
    is_cancelled: &(dyn Fn() -> bool + Sync),
) -> Result<Found, String> {
    let view = StoreQuerier {
        source,
        options: Options {
            is_cancelled: Some(is_cancelled),
            ..options(request)
        },
    };
    let mut bound = rule.rule.bound();
    let found = evaluate_bound(request, rule, &view, &mut bound)?;
    if bound.probes.is_none() && rule.asks.watch.is_none() {
        let mut known = request.comparisons.lock();
        known.note(rule.rule_idx, &bound.prepared);
    }
    Ok(found)
}

/// Evaluates one rule of a request by somebody else's answers, such as a cluster's.
///
/// # Errors
/// As [`evaluate_rule`], and what `querier` says is wrong.
pub fn evaluate_rule_by(
    request: &EvaluationRequest,
    rule: &RunRule,
    querier: &dyn Querier,
) -> Result<Found, String> {
    evaluate_bound(request, rule, querier, &mut rule.rule.bound())
}

impl Rule {
    fn bound(&self) -> MutexGuard<'_, Bound> {
        match self.bound.lock() {
            Ok(bound) => bound,
            Err(poisoned) => {
                // A worker died half way: what it had bound may be half made.
                self.bound.clear_poison();
                let mut bound = PoisonError::into_inner(poisoned);
                *bound = Bound::new(&self.expr, self.as_alerting());
                bound
            }
        }
    }
}

fn evaluate_bound(
    request: &EvaluationRequest,
    rule: &RunRule,
    querier: &dyn Querier,
    bound: &mut Bound,
) -> Result<Found, String> {
    let RunRule { rule, asks, .. } = rule;
    let mut answers = Answers::default();
    let samples = samples((request, &**rule, asks), querier, bound, &mut answers)?;
    if asks.is_migration_asked {
        answers.for_states = migrate::for_states(rule, request.id.at, querier)?;
    }
    Ok(Found { samples, answers })
}

/// Who evaluates what rules and their templates ask.
pub trait Querier {
    /// The samples of an expression at a moment; a scalar is one without labels, as upstream.
    ///
    /// # Errors
    /// What is wrong, for people.
    fn vector(&self, expr: &mut Prepared, at: Timestamp) -> Result<Vec<VectorSample>, String>;

    /// The last sample of each series that satisfies the matchers, in a range, stale markers
    /// included. None from who cannot tell.
    ///
    /// # Errors
    /// What is wrong, for people.
    fn last_samples(
        &self,
        _matchers: &[Matcher],
        _range: TimeRange,
    ) -> Result<Vec<(Labels, Sample)>, String> {
        Ok(Vec::new())
    }
}

/// Evaluates here, over series.
pub struct StoreQuerier<'a> {
    /// The series.
    pub source: &'a dyn Source,
    /// Limits of an evaluation.
    pub options: Options<'a>,
}

impl Querier for StoreQuerier<'_> {
    fn vector(&self, expr: &mut Prepared, at: Timestamp) -> Result<Vec<VectorSample>, String> {
        match expr.instant(self.source, at, &self.options) {
            Ok(Value::Vector(samples)) => Ok(samples),
            Ok(Value::Scalar(value)) => Ok(vec![VectorSample {
                labels: Labels::empty(),
                at,
                value: SampleValue::Float(value),
            }]),
            Ok(Value::String(_) | Value::Matrix(_)) => Err(NO_VECTOR.to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn last_samples(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<(Labels, Sample)>, String> {
        let failed = |error: firebell_model::SourceError| error.to_string();
        let mut found = Vec::new();
        for series in self.source.select(matchers, range).map_err(failed)? {
            let last = series.last_sample(range).map_err(failed)?;
            found.extend(last.map(|last| (series.labels().clone(), last)));
        }
        Ok(found)
    }
}

/// The function `query` of templates.
fn template_query(
    querier: &dyn Querier,
    expr: &str,
    at: Timestamp,
) -> Result<Vec<QuerySample>, String> {
    let plan = Plan::new(expr).map_err(|error| error.to_string())?;
    let samples = querier.vector(&mut Prepared::new(plan), at)?;
    let sample = |sample: VectorSample| QuerySample {
        labels: sample.labels,
        value: sample.value,
    };
    Ok(samples.into_iter().map(sample).collect())
}

fn samples(
    (request, rule, asks): (&EvaluationRequest, &Rule, &Asks),
    querier: &dyn Querier,
    bound: &mut Bound,
    answers: &mut Answers,
) -> Result<Vec<RuleSample>, String> {
    let mut vector = querier.vector(&mut bound.prepared, request.query_at)?;
    if vector.len() > SAMPLES_PER_RULE_MAX {
        let n = vector.len();
        return Err(format!(
            "the expression returned {n} samples, more than the {SAMPLES_PER_RULE_MAX} that a rule may"
        ));
    }
    if let Some(probes) = &mut bound.probes {
        probes.ask((request, asks), vector.is_empty(), querier, answers)?;
    }
    let verdicts = judge(asks, &mut vector, &mut answers.observed)?;
    bound.labels.truncate(vector.len());
    if vector.is_empty() {
        return Ok(Vec::new());
    }
    let (mut samples, repeated) = match &rule.kind {
        RuleKind::Alerting(alerting) => (
            alerts(
                request,
                (rule, alerting),
                (&vector, &verdicts),
                querier,
                bound,
            ),
            "vector contains metrics with the same labelset after applying alert labels",
        ),
        RuleKind::Recording => (
            recorded(rule, &vector, bound),
            "vector contains metrics with the same labelset after applying rule labels",
        ),
    };
    samples.sort_by(|a, b| a.labels.cmp(&b.labels));
    if samples
        .windows(2)
        .any(|pair| pair[0].labels == pair[1].labels)
    {
        return Err(repeated.to_owned());
    }
    Ok(samples)
}

/// Leaves only what is odd of an anomaly rule's samples, and says why it is.
fn judge(
    asks: &Asks,
    vector: &mut Vec<VectorSample>,
    observed: &mut Vec<Observed>,
) -> Result<Vec<Verdict>, String> {
    let Some(watch) = &asks.watch else {
        return Ok(Vec::new());
    };
    if vector.len() > WATCHED_MAX {
        let n = vector.len();
        return Err(format!(
            "the expression returned {n} series, more than the {WATCHED_MAX} that an anomaly rule \
             may watch"
        ));
    }
    let watch = watch.read();
    let mut verdicts = Vec::new();
    vector.retain(|sample| {
        let value = match sample.value {
            SampleValue::Float(value) if !value.is_nan() => value,
            _ => return false,
        };
        let verdict = watch.judge(&sample.labels, value);
        let is_odd = verdict.is_some_and(|verdict| verdict.is_odd);
        if value.is_finite() {
            observed.push(Observed {
                series: sample.labels.clone(),
                value,
                is_odd,
            });
        }
        verdicts.extend(verdict.filter(|verdict| verdict.is_odd));
        is_odd
    });
    Ok(verdicts)
}

fn recorded(rule: &Rule, vector: &[VectorSample], bound: &mut Bound) -> Vec<RuleSample> {
    let none = Labels::empty();
    let name: Arc<str> = rule.name.as_str().into();
    let make = |labels: &Labels| {
        let mut made = labels.to_builder();
        made.set(METRIC_NAME, name.clone());
        for label in rule.label_texts.iter() {
            made.set(label.name.clone(), label.value.clone());
        }
        made.build()
    };
    let sample = |(idx, sample): (usize, &VectorSample)| RuleSample {
        labels: bound.labels(idx, &sample.labels, || make(&sample.labels)),
        annotations: none.clone(),
        value: sample.value.clone(),
    };
    vector.iter().enumerate().map(sample).collect()
}

fn alerts(
    request: &EvaluationRequest,
    (rule, alerting): (&Rule, &AlertingRule),
    (vector, verdicts): (&[VectorSample], &[Verdict]),
    querier: &dyn Querier,
    bound: &mut Bound,
) -> Vec<RuleSample> {
    let context = &*request.context;
    let name: Arc<str> = rule.name.as_str().into();
    let run = |expr: &str, at: Timestamp| template_query(querier, expr, at);
    let are_labels_plain = alerting.labels.iter().all(|(_, text)| text.is_plain());
    let are_annotations_plain = alerting.annotations.iter().all(|(_, text)| text.is_plain());
    let mut out = Vec::with_capacity(vector.len());
    for (idx, sample) in vector.iter().enumerate() {
        let data = AlertData {
            labels: &sample.labels,
            external_labels: &context.external_labels,
            external_url: &context.external_url,
            value: &sample.value,
            now: request.id.at,
        };
        let make = || {
            let mut labels = sample.labels.to_builder();
            labels.remove(METRIC_NAME);
            for (name, text) in &alerting.labels {
                labels.set(name.clone(), or_error(&rule.name, text.expand(&data, &run)));
            }
            labels.set(ALERT_NAME, name.clone());
            labels.build()
        };
        out.push(RuleSample {
            labels: if are_labels_plain {
                bound.labels(idx, &sample.labels, make)
            } else {
                make()
            },
            annotations: if are_annotations_plain {
                rule.annotation_texts.clone()
            } else {
                let pairs = alerting.annotations.iter();
                // Only an anomaly rule has verdicts, one for each sample.
                let more = verdicts.get(idx).map(Verdict::values);
                let more = more.as_ref().map_or(&[][..], |values| values);
                let text =
                    |text: &Template| or_error(&rule.name, text.expand_with(&data, more, &run));
                Labels::from_pairs(pairs.map(|(name, it)| (name.clone(), text(it))))
            },
            value: sample.value.clone(),
        });
    }
    out
}

/// An alert with a broken text still has to wake somebody.
pub(crate) fn or_error(rule: &str, text: Result<String, TemplateError>) -> String {
    text.unwrap_or_else(|error| format!("<error expanding template: {}>", error.of_rule(rule)))
}

/// What is neither a vector nor a scalar is no result of a rule.
pub const NO_VECTOR: &str = "rule result is not a vector or scalar";

/// More samples are an error of the rule: such an expression is a mistake, and alerts stay in
/// memory.
const SAMPLES_PER_RULE_MAX: usize = 1_000_000;
