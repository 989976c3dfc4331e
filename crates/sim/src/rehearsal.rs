//! Rules on simulated time, with traffic that is made up: what tests of applications play.
//!
//! Time goes on in steps. At each, what was observed is scraped, then all rules are evaluated, as
//! promtool does it: intervals of rule groups have no meaning here.
//!
//! *Invariants*: the same calls with the same seed give the same changes.

mod traffic;

use std::collections::BTreeMap;
use std::sync::Arc;

use firebell_model::{Duration, Labels, Sample, Timestamp};
use firebell_promql::description::{self, Described};
use firebell_promql::{
    BinaryOp, MemorySource, Options as QueryOptions, Plan, Prepared, VectorSample, threshold,
};
use firebell_rules::{
    AlertInstance, AlertPhase, Context, LoneRule, Querier, RuleGroup, Written, evaluate_rule_by,
};

use self::traffic::Crowd;
pub use self::traffic::Traffic;
use crate::chance::Chance;
use crate::unit_test::{query_options, vector, write};

/// Rules that are being played.
pub struct Rehearsal {
    rules: Vec<LoneRule>,
    memory: MemorySource,
    query: QueryOptions<'static>,
    step: Duration,
    n_steps: i64,
    now: Timestamp,
    crowds: BTreeMap<String, Crowd>,
    chance: Chance,
    changes: Vec<AlertChange>,
    /// What is not told again at each step.
    errors: BTreeMap<String, Timestamp>,
}

/// An alert that became pending or firing, or was resolved.
#[derive(Clone, PartialEq, Debug)]
pub struct AlertChange {
    /// When, after the beginning.
    pub at: Duration,
    /// The rule.
    pub rule: String,
    /// What it has become: `pending`, `firing`, `inactive`; a pending alert that ends as well.
    pub state: &'static str,
    /// Its labels.
    pub labels: Labels,
    /// Its texts.
    pub annotations: Labels,
    /// Its value when its condition last held.
    pub value: f64,
}

/// How near the condition of an alert came to holding.
#[derive(Clone, PartialEq, Debug)]
pub struct Closest {
    /// The value that is held against a number, where it was nearest.
    pub value: f64,
    /// When, after the beginning.
    pub at: Duration,
    /// What would have held, such as `> 0.05`.
    pub bound: String,
}

impl Rehearsal {
    /// The rules of groups, before anything has happened; a step takes at least a millisecond.
    #[must_use]
    pub fn new(groups: &[RuleGroup], step: Duration, seed: u64) -> Self {
        let step = step.max(Duration(1));
        let context = Arc::new(Context {
            subquery_step: step,
            ..Context::default()
        });
        let rules = groups
            .iter()
            .flat_map(|group| LoneRule::of_group(group, &context));
        Self {
            rules: rules.collect(),
            memory: MemorySource::new(),
            query: query_options(&context, false),
            step,
            n_steps: 0,
            now: Timestamp(0),
            crowds: BTreeMap::new(),
            chance: Chance::new(seed),
            changes: Vec::new(),
            errors: BTreeMap::new(),
        }
    }

    /// How long it has been going on.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.now - Timestamp(0)
    }

    /// The time between two evaluations.
    #[must_use]
    pub fn step(&self) -> Duration {
        self.step
    }

    /// From now on requests come in like this; to a route to which there are others already, instead
    /// of them.
    pub fn set_traffic(&mut self, traffic: Traffic) {
        let now = self.now;
        match self.crowds.get_mut(&traffic.route) {
            Some(crowd) => crowd.change(now, traffic, &mut self.chance),
            None => {
                let route = traffic.route.clone();
                self.crowds.insert(route, Crowd::new(now, traffic));
            }
        }
    }

    /// Adds a series such as `queue_depth{queue="mail"} 0+10x60`: a value for each step, the first
    /// for the next one.
    ///
    /// # Errors
    /// What is wrong with the notation.
    pub fn add_series(&mut self, line: &str) -> Result<(), String> {
        let (labels, values) = description::series_description(line)?;
        for (value, nth) in values.into_iter().zip(1..) {
            let at = Timestamp(0) + self.step * (self.n_steps + nth);
            match value {
                Described::Value(value) => self.memory.append(&labels, [Sample { at, value }]),
                Described::Histogram { histogram, .. } => {
                    let sample = firebell_model::HistogramSample { at, histogram };
                    self.memory.append_histograms(&labels, [sample]);
                }
                Described::Nothing => {}
            }
        }
        Ok(())
    }

    /// Lets time pass; at most [`STEPS_MAX`] steps.
    pub fn advance(&mut self, by: Duration) {
        let until = self.now + by.max(Duration::ZERO);
        for _ in 0..STEPS_MAX {
            let at = Timestamp(0) + self.step * (self.n_steps + 1);
            if at > until {
                break;
            }
            self.n_steps += 1;
            self.now = at;
            self.step_to(at);
        }
        self.now = until;
    }

    /// What has changed so far, in order.
    #[must_use]
    pub fn changes(&self) -> &[AlertChange] {
        &self.changes
    }

    /// Which rules failed, why, and when first.
    pub fn errors(&self) -> impl Iterator<Item = (&str, Duration)> {
        let errors = self.errors.iter();
        errors.map(|(error, at)| (&**error, *at - Timestamp(0)))
    }

    /// The names of all rules that alert, in order.
    #[must_use]
    pub fn alert_names(&self) -> Vec<&str> {
        let rules = self.rules.iter().map(LoneRule::rule);
        let alerting = rules.filter(|it| it.as_alerting().is_some());
        alerting.map(|it| &*it.name).collect()
    }

    /// Evaluates an expression now.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn query(&self, expr: &str) -> Result<Vec<VectorSample>, String> {
        let plan = Plan::new(expr).map_err(|error| error.to_string())?;
        let last = Timestamp(0) + self.step * self.n_steps;
        vector(&mut Prepared::new(plan), &self.memory, last, &self.query)
    }

    /// How near an alert's condition came, where it is a comparison with a number. Looks at every
    /// step anew: for whom an expectation has failed.
    #[must_use]
    pub fn closest(&self, alert: &str) -> Option<Closest> {
        let mut rules = self.rules.iter().map(LoneRule::rule);
        let rule = rules.find(|it| it.name == alert && it.as_alerting().is_some())?;
        let threshold = threshold(rule.expr.expr())?;
        let is_nearer = |new: f64, old: f64| match threshold.op {
            BinaryOp::Greater | BinaryOp::GreaterOrEqual => new > old,
            BinaryOp::Less | BinaryOp::LessOrEqual => new < old,
            _ => (new - threshold.value).abs() < (old - threshold.value).abs(),
        };
        let mut left = Prepared::new(Plan::new(&threshold.left.to_string()).ok()?);
        let mut closest: Option<(f64, Timestamp)> = None;
        for nth in 1..=self.n_steps {
            let at = Timestamp(0) + self.step * nth;
            let found = vector(&mut left, &self.memory, at, &self.query).ok()?;
            for value in found.iter().map(|it| it.value.float_or_zero()) {
                if !value.is_nan() && closest.is_none_or(|(old, _)| is_nearer(value, old)) {
                    closest = Some((value, at));
                }
            }
        }
        let (value, at) = closest?;
        Some(Closest {
            value,
            at: at - Timestamp(0),
            bound: format!("{} {}", threshold.op.text(), threshold.value),
        })
    }

    fn step_to(&mut self, at: Timestamp) {
        for crowd in self.crowds.values_mut() {
            crowd.scrape(at, &mut self.chance, &mut self.memory);
        }
        for rule in &mut self.rules {
            let before: Vec<AlertInstance> = rule.alerts().to_vec();
            let request = rule.request(at, rule.rule());
            let asker = Asker {
                memory: &self.memory,
                query: &self.query,
            };
            let Some(run) = request.rules.first() else {
                continue;
            };
            let found = evaluate_rule_by(&request, run, &asker);
            let mut written = Written::default();
            let applied = rule.apply(at, found, &mut written);
            if let Err(error) = applied.and(write(&mut self.memory, written)) {
                let error = format!("{}: {error}", rule.rule().name);
                self.errors.entry(error).or_insert(at);
            }
            note(
                at,
                &rule.rule().name,
                (&before, rule.alerts()),
                &mut self.changes,
            );
        }
    }
}

/// Notes what became of the alerts of a rule; both lists are in order of labels.
fn note(
    at: Timestamp,
    rule: &str,
    (before, after): (&[AlertInstance], &[AlertInstance]),
    out: &mut Vec<AlertChange>,
) {
    let find = |list: &[AlertInstance], labels: &Labels| {
        let found = list.binary_search_by(|it| it.labels.cmp(labels));
        found.ok().and_then(|idx| list.get(idx).cloned())
    };
    let mut change = |alert: &AlertInstance, state| {
        out.push(AlertChange {
            at: at - Timestamp(0),
            rule: rule.to_owned(),
            state,
            labels: alert.labels.clone(),
            annotations: alert.annotations.clone(),
            value: alert.value,
        });
    };
    let over = AlertPhase::Resolved {
        fired_at: at,
        resolved_at: at,
    };
    for alert in after {
        let known = find(before, &alert.labels);
        let was = known.map_or(over.name(), |it| it.phase.name());
        if was != alert.phase.name() {
            change(alert, alert.phase.name());
        }
    }
    for gone in before.iter().filter(|it| it.is_active()) {
        if find(after, &gone.labels).is_none() {
            change(gone, over.name());
        }
    }
}

struct Asker<'a> {
    memory: &'a MemorySource,
    query: &'a QueryOptions<'static>,
}

impl Querier for Asker<'_> {
    fn vector(&self, expr: &mut Prepared, at: Timestamp) -> Result<Vec<VectorSample>, String> {
        vector(expr, self.memory, at, self.query)
    }
}

/// The most steps of one call: a hundred days of seconds.
pub const STEPS_MAX: usize = 10_000_000;

#[cfg(test)]
mod tests;
