//! The error budget: what was spent of it, what is left, how fast it burns, when it is gone.
//!
//! Everything is asked of stored samples at a moment, so an objective that was written a minute ago
//! has all the history that its metrics have.

use std::collections::{BTreeMap, BTreeSet};

use firebell_model::{Duration, Labels, Timestamp};
use firebell_promql::{Plan, Prepared};
use firebell_rules::Querier;

use crate::burn::Severity;
use crate::objective::Objective;
use crate::traffic::Held;

/// An objective's books at a moment.
#[derive(Clone, PartialEq, Debug)]
pub struct Ledger {
    /// The moment.
    pub at: Timestamp,
    /// Where the window begins.
    pub from: Timestamp,
    /// Where it ends: `at`, or later in a calendar.
    pub until: Timestamp,
    /// One for each value of [`Objective::by`]; none when there is nothing to measure by.
    pub budgets: Vec<Budget>,
}

/// One budget.
#[derive(Clone, PartialEq, Debug)]
pub struct Budget {
    /// The labels that tell it from the others of the objective.
    pub labels: Labels,
    /// What was spent in the window so far.
    pub spent: Spent,
    /// How fast it burns, over each window that alerts look at; the shortest first.
    pub burns: Vec<Burn>,
    /// What the alerts make of it.
    pub tiers: Vec<TierState>,
    /// When the rest of the budget is gone, if it burns on as over the slow page's long window;
    /// `None` when it is gone already, or will not be.
    pub exhausted_in: Option<Duration>,
}

/// What was spent of a budget.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Spent {
    /// Bad events; `None` when only the ratio is known.
    pub bad: Option<f64>,
    /// All events.
    pub total: Option<f64>,
    /// The share of bad events.
    pub ratio: f64,
    /// The share of the budget: 1 is all of it, more is a broken objective.
    pub share: f64,
}

/// How fast a budget burns.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Burn {
    /// Over which time.
    pub window: Duration,
    /// 1 spends all of it, and no more, in the objective's window. `None` without events.
    pub rate: Option<f64>,
}

/// What an alert makes of a budget, its `for` aside.
#[derive(Clone, PartialEq, Debug)]
pub struct TierState {
    /// The tier's name.
    pub name: String,
    /// Whether it fires.
    pub is_firing: bool,
    /// What holds it back although both windows burn too fast.
    pub held: Option<Held>,
}

/// Values by label set.
type Values = BTreeMap<Labels, f64>;

/// What was asked of one window.
pub(crate) struct Answers {
    bad: Values,
    total: Values,
    /// Shares of bad events: in `total` where that is known.
    pub(crate) ratio: Values,
    has_counts: bool,
}

/// The books of an objective at a moment.
///
/// # Errors
/// What the querier says is wrong.
pub fn ledger(
    objective: &Objective,
    at: Timestamp,
    querier: &dyn Querier,
) -> Result<Ledger, String> {
    let (from, until) = objective.window.around(at);
    let so_far = ask(objective, at - from, at, querier)?;
    let period = objective.window.period();
    let of_period = match objective.window.is_rolling() {
        true => so_far.total.clone(),
        // The alerts look at the last period, wherever in the calendar we are.
        false => ask(objective, period, at, querier)?.total,
    };
    let windows: BTreeSet<Duration> = objective
        .tiers
        .iter()
        .flat_map(|it| [it.short, it.long])
        .collect();
    let mut by_window = BTreeMap::new();
    for window in windows {
        by_window.insert(window, ask(objective, window, at, querier)?);
    }
    let has_evidence = has_evidence(objective, at - from, at, querier)?;
    let budgets = so_far.ratio.keys().filter(|_| has_evidence);
    let budgets = budgets.map(|labels| {
        let spent = so_far.spent(labels, objective.target.budget());
        let events = of_period.get(labels).copied();
        budget(objective, labels, spent, events, &by_window, (at, until))
    });
    Ok(Ledger {
        at,
        from,
        until,
        budgets: budgets.collect(),
    })
}

/// The share of each budget that is left at a moment, by its labels: all that [`ledger`] asks for this
/// figure alone. Nothing where there is nothing to measure by.
///
/// # Errors
/// What the querier says is wrong.
pub fn left(
    objective: &Objective,
    at: Timestamp,
    querier: &dyn Querier,
) -> Result<BTreeMap<Labels, f64>, String> {
    let (from, _) = objective.window.around(at);
    let so_far = ask(objective, at - from, at, querier)?;
    if !has_evidence(objective, at - from, at, querier)? {
        return Ok(BTreeMap::new());
    }
    let budget = objective.target.budget();
    let left = so_far.ratio.keys();
    let left = left.map(|labels| (labels.clone(), 1.0 - so_far.spent(labels, budget).share));
    Ok(left.collect())
}

/// A composite objective gives a number even where its members give nothing.
fn has_evidence(
    objective: &Objective,
    window: Duration,
    at: Timestamp,
    querier: &dyn Querier,
) -> Result<bool, String> {
    match objective.counts(window) {
        Some(_) => Ok(true),
        None => Ok(!values(&objective.evidence(window), at, querier)?.is_empty()),
    }
}

/// The share of the budget that was left at moments up to `at`, by label set: the oldest first,
/// the last at `at`. Moments before there were events are left out.
///
/// # Errors
/// What the querier says is wrong.
pub fn history(
    objective: &Objective,
    at: Timestamp,
    n_points: usize,
    querier: &dyn Querier,
) -> Result<BTreeMap<Labels, Vec<(Timestamp, f64)>>, String> {
    let n_points = n_points.clamp(1, HISTORY_POINTS_MAX) as i64;
    let (from, _) = objective.window.around(at);
    let mut points: BTreeMap<Labels, Vec<(Timestamp, f64)>> = BTreeMap::new();
    for idx in 1..=n_points {
        let then = from + Duration((at - from).0 / n_points * idx);
        let then = if idx == n_points { at } else { then };
        let (start, _) = objective.window.around(then);
        let window = Duration((then - start).0.max(1));
        let answers = ask(objective, window, then, querier)?;
        for labels in answers.ratio.keys() {
            let left = 1.0 - answers.spent(labels, objective.target.budget()).share;
            points.entry(labels.clone()).or_default().push((then, left));
        }
    }
    Ok(points)
}

/// At so many moments at most the history is asked for.
pub const HISTORY_POINTS_MAX: usize = 500;

pub(crate) fn ask(
    objective: &Objective,
    window: Duration,
    at: Timestamp,
    querier: &dyn Querier,
) -> Result<Answers, String> {
    let window = Duration(window.0.max(1));
    let Some(counts) = objective.counts(window) else {
        let mut ratio = values(&objective.ratio(window), at, querier)?;
        ratio.retain(|_, value| !value.is_nan());
        return Ok(Answers {
            bad: Values::new(),
            total: Values::new(),
            ratio,
            has_counts: false,
        });
    };
    let total = values(&counts.total, at, querier)?;
    let bad = values(&counts.bad, at, querier)?;
    // Bad events that were never seen have no series: there are none. Neither are there shares
    // where nothing happened.
    let ratio = total.iter().filter(|(_, total)| **total > 0.0);
    let ratio = ratio.map(|(labels, total)| {
        let bad = bad.get(labels).copied().unwrap_or(0.0);
        (labels.clone(), bad.max(0.0) / total)
    });
    Ok(Answers {
        ratio: ratio.collect(),
        bad,
        total,
        has_counts: true,
    })
}

fn values(expr: &str, at: Timestamp, querier: &dyn Querier) -> Result<Values, String> {
    let plan = Plan::new(expr).map_err(|error| error.to_string())?;
    let samples = querier.vector(&mut Prepared::new(plan), at)?;
    let pairs = samples.into_iter().map(|sample| {
        (
            sample.labels.without_metric_name(),
            sample.value.float_or_zero(),
        )
    });
    Ok(pairs.collect())
}

impl Answers {
    pub(crate) fn spent(&self, labels: &Labels, budget: f64) -> Spent {
        let ratio = self.ratio.get(labels).copied().unwrap_or(0.0);
        let of_events = |values: &Values| {
            let value = values.get(labels).copied().unwrap_or(0.0);
            self.has_counts.then_some(value.max(0.0))
        };
        Spent {
            bad: of_events(&self.bad),
            total: of_events(&self.total),
            ratio,
            share: ratio / budget,
        }
    }
}

fn budget(
    objective: &Objective,
    labels: &Labels,
    spent: Spent,
    of_period: Option<f64>,
    by_window: &BTreeMap<Duration, Answers>,
    (at, until): (Timestamp, Timestamp),
) -> Budget {
    let share_of_budget = objective.target.budget();
    let rate = |window: &Duration| {
        let ratio = by_window.get(window)?.ratio.get(labels)?;
        Some(ratio / share_of_budget)
    };
    let period = objective.window.period();
    let tiers = objective.tiers.iter().map(|tier| {
        let is_over = |window| rate(window).is_some_and(|rate| rate > tier.factor);
        let are_over = is_over(&tier.long) && is_over(&tier.short);
        let held = by_window
            .get(&tier.long)
            .zip(of_period)
            .filter(|(it, _)| it.has_counts);
        let held = held.filter(|_| are_over).and_then(|(answers, of_period)| {
            let within = answers.spent(labels, share_of_budget);
            let counts = (within.bad?, within.total?);
            let share = tier.share(period);
            let guards = &objective.low_traffic;
            guards.holds(tier, share_of_budget, share, counts, of_period)
        });
        TierState {
            name: tier.name.clone(),
            is_firing: are_over && held.is_none(),
            held,
        }
    });
    let burns = by_window.keys().map(|window| Burn {
        window: *window,
        rate: rate(window),
    });
    let pages = objective
        .tiers
        .iter()
        .filter(|it| it.severity == Severity::Page);
    let steady = pages.max_by_key(|it| it.long).and_then(|it| rate(&it.long));
    let end = (!objective.window.is_rolling()).then(|| until - at);
    Budget {
        labels: labels.clone(),
        burns: burns.collect(),
        tiers: tiers.collect(),
        exhausted_in: steady.and_then(|rate| exhausted_in(1.0 - spent.share, rate, period, end)),
        spent,
    }
}

/// When what is left is gone at a rate. A rolling window gives back what it forgets, so a rate of up
/// to 1 goes on for ever; a calendar gives all of it back at `end`.
fn exhausted_in(left: f64, rate: f64, period: Duration, end: Option<Duration>) -> Option<Duration> {
    if left <= 0.0 || rate <= 0.0 || (end.is_none() && rate <= 1.0) {
        return None;
    }
    let after = Duration::from_secs_f64((left * period.as_secs_f64() / rate).round());
    end.is_none_or(|end| after < end).then_some(after)
}
