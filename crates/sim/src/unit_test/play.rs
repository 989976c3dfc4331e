//! A test that is being played: what its rules are evaluated with, and what came of it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use firebell_config::{UnitTest, UnitTests};
use firebell_model::{Duration, Labels, SampleValue, Source, Timestamp};
use firebell_promql::{MemorySource, Options as QueryOptions, Plan, Prepared, Value, VectorSample};
use firebell_rules::{
    AlertInstance, AlertingRule, Context, EvaluationRequest, LoneRule, NO_VECTOR, Querier, Rule,
    RuleGroup, RuleKind, Written, evaluate_rule_by,
};

use super::input::Input;
use super::needed::{Need, Needs};
use super::{Options, alert_times, columns, last_eval_time, start_of, ticks};

/// All that playing needs.
pub(super) struct Scene<'a> {
    pub(super) inputs: &'a [Input],
    groups: &'a [RuleGroup],
    context: Arc<Context>,
    pub(super) needs: Needs,
    pub(super) start: Timestamp,
    pub(super) interval: Duration,
    pub(super) n_ticks: usize,
    /// The ticks at which alerts are compared.
    pub(super) compared: BTreeSet<usize>,
    pub(super) query: QueryOptions<'static>,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Played {
    /// Everything that was put in or written.
    pub(super) memory: MemorySource,
    /// Evaluations that failed, all at one tick, which was the last.
    pub(super) errors: Vec<String>,
    /// How many ticks went well.
    pub(super) n_ticks: usize,
    /// The alerts of compared rules, by tick, in the order of evaluation.
    pub(super) alerts: BTreeMap<usize, Vec<Seen>>,
    pub(super) start: Timestamp,
    pub(super) interval: Duration,
}

/// The alerts of a rule at a tick, those included that are not firing.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) group: String,
    pub(super) rule: String,
    /// Which rule of the group it is.
    pub(super) nth: usize,
    pub(super) alerts: Vec<AlertInstance>,
}

/// A rule while it is played.
pub(super) struct Player {
    pub(super) run: LoneRule,
    group: String,
    nth: usize,
    pub(super) need: Need,
    pub(super) prepared: RefCell<Prepared>,
    /// The rule without texts for people, which cost more than all the rest.
    textless: Option<Arc<Rule>>,
}

/// Plays a test.
pub(super) fn play(scene: &Scene<'_>) -> Played {
    let at_once = scene.needs.are_columns_enough.then(|| columns::play(scene));
    at_once.flatten().unwrap_or_else(|| ticks::play(scene))
}

impl<'a> Scene<'a> {
    /// # Errors
    /// When there are too many ticks.
    pub(super) fn new(
        test: &UnitTest,
        tests: &UnitTests,
        groups: &'a [RuleGroup],
        inputs: &'a [Input],
        options: &Options<'_>,
    ) -> Result<Self, String> {
        let interval = tests.evaluation_interval;
        let tick = |after: Duration| usize::try_from(after.0 / interval.0).unwrap_or(usize::MAX);
        let last = tick(last_eval_time(test));
        if last >= TICKS_MAX {
            return Err(format!(
                "more than {TICKS_MAX} evaluations are needed until {}: is evaluation_interval too short?",
                last_eval_time(test)
            ));
        }
        let context = Context {
            external_labels: test.external_labels.clone(),
            external_url: test.external_url.clone(),
            subquery_step: interval,
            ..Context::default()
        };
        let needs = Needs::of(test, groups, inputs, options.features, options.is_debug);
        Ok(Self {
            inputs,
            groups,
            needs,
            start: start_of(test),
            interval,
            n_ticks: last + 1,
            compared: alert_times(test).map(tick).collect(),
            query: query_options(&context, options.delays_name_removal),
            context: Arc::new(context),
        })
    }

    pub(super) fn at(&self, tick: usize) -> Timestamp {
        self.start + self.interval * tick as i64
    }

    /// The rules that are evaluated, in order, as if nothing had happened.
    pub(super) fn players(&self) -> Vec<Player> {
        let mut needs = self.needs.rules.iter();
        let mut players = Vec::new();
        for group in self.groups {
            let rules = group.rules.iter().enumerate();
            let needed: Vec<((usize, &Arc<Rule>), &Need)> = rules
                .zip(&mut needs)
                .filter(|(_, need)| need.is_evaluated)
                .collect();
            // What a rule has bound holds for one store, and each test has its own.
            let rules = needed
                .iter()
                .map(|((_, rule), _)| Arc::new(unbound(rule, false)));
            let group = RuleGroup {
                rules: rules.collect(),
                ..group.clone()
            };
            let runs = LoneRule::of_group(&group, &self.context).into_iter();
            for (run, ((nth, _), need)) in runs.zip(needed) {
                players.push(Player::new(run, (&group.name, nth), *need));
            }
        }
        players
    }

    pub(super) fn played(&self) -> Played {
        Played {
            start: self.start,
            interval: self.interval,
            ..Played::default()
        }
    }
}

/// How expressions of a test are evaluated.
pub(crate) fn query_options(context: &Context, delays_name_removal: bool) -> QueryOptions<'static> {
    QueryOptions {
        lookback: context.lookback,
        subquery_step: context.subquery_step,
        steps_max: usize::MAX,
        delays_name_removal,
        ..QueryOptions::default()
    }
}

impl Player {
    fn new(run: LoneRule, (group, nth): (&str, usize), need: Need) -> Self {
        let rule = run.rule();
        // Texts stay as they were while an alert is kept firing.
        let is_kept = rule
            .as_alerting()
            .is_some_and(|it| it.keep_firing_for.0 > 0);
        let textless =
            (!rule.annotation_texts.is_empty() && !is_kept).then(|| Arc::new(unbound(rule, true)));
        Self {
            prepared: RefCell::new(Prepared::new(rule.expr.clone())),
            group: group.to_owned(),
            nth,
            need,
            textless,
            run,
        }
    }

    /// Whether only the ticks matter at which its alerts are compared.
    pub(super) fn is_momentary(&self) -> bool {
        self.need.is_momentary && !self.need.is_written
    }

    /// Evaluates the rule at a tick, its vector being known already or not: what it writes, and why
    /// it failed if it did.
    pub(super) fn evaluate(
        &mut self,
        scene: &Scene<'_>,
        tick: usize,
        known: Option<Vec<VectorSample>>,
        memory: &MemorySource,
    ) -> (Written, Result<(), String>) {
        let at = scene.at(tick);
        let request = self.request(at, scene.compared.contains(&tick));
        let asker = Asker {
            memory,
            query: &scene.query,
            own: &self.prepared,
            known: known.into(),
        };
        let found = evaluate_rule_by(&request, &request.rules[0], &asker);
        let mut written = Written::default();
        let result = self.run.apply(at, found, &mut written);
        (written, result)
    }

    /// The request for a tick; texts for people are expanded only where they are compared.
    fn request(&self, at: Timestamp, is_compared: bool) -> EvaluationRequest {
        let are_texts_seen = is_compared && self.need.is_compared;
        let textless = self.textless.as_ref().filter(|_| !are_texts_seen);
        self.run.request(at, textless.unwrap_or(self.run.rule()))
    }

    /// Notes the alerts as they stand after a tick, if they are compared.
    pub(super) fn show(&self, tick: usize, compared: &BTreeSet<usize>, played: &mut Played) {
        if self.need.is_compared && compared.contains(&tick) {
            played.alerts.entry(tick).or_default().push(Seen {
                group: self.group.clone(),
                rule: self.run.rule().name.clone(),
                nth: self.nth,
                alerts: self.run.alerts().to_vec(),
            });
        }
    }
}

/// The same rule with nothing bound; `is_textless` leaves annotations out.
fn unbound(rule: &Rule, is_textless: bool) -> Rule {
    let (name, expr) = (rule.name.clone(), rule.expr.clone());
    match &rule.kind {
        RuleKind::Alerting(alerting) => {
            let mut alerting: AlertingRule = alerting.clone();
            if is_textless {
                alerting.annotations.clear();
            }
            Rule::alerting(name, expr, alerting, rule.place)
        }
        RuleKind::Recording => Rule::recording(name, expr, rule.label_texts.clone(), rule.place),
    }
}

/// Evaluates expressions over the series of a test.
struct Asker<'a> {
    memory: &'a MemorySource,
    query: &'a QueryOptions<'static>,
    /// The rule's own expression, with what it has bound in this test.
    own: &'a RefCell<Prepared>,
    /// What that gives, where it is known already.
    known: RefCell<Option<Vec<VectorSample>>>,
}

impl Querier for Asker<'_> {
    fn vector(&self, expr: &mut Prepared, at: Timestamp) -> Result<Vec<VectorSample>, String> {
        let mut own = self.own.borrow_mut();
        // Plans that are clones of one another share their text.
        if !std::ptr::eq(own.plan().text(), expr.plan().text()) {
            return vector(expr, self.memory, at, self.query);
        }
        match self.known.borrow_mut().take() {
            Some(known) => Ok(known),
            None => vector(&mut own, self.memory, at, self.query),
        }
    }
}

/// The samples of an expression at a moment, as upstream's rules and tests take them.
pub(crate) fn vector(
    expr: &mut Prepared,
    source: &dyn Source,
    at: Timestamp,
    query: &QueryOptions<'_>,
) -> Result<Vec<VectorSample>, String> {
    match expr.instant(source, at, query) {
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

/// An expression of a test, read.
pub(super) fn prepare(expr: &str, options: &Options<'_>) -> Result<Prepared, String> {
    let plan = Plan::with_features(expr, options.features);
    plan.map(Prepared::new).map_err(|error| error.to_string())
}

/// More are taken for a mistake: a hundred days of seconds.
const TICKS_MAX: usize = 10_000_000;
