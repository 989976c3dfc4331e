//! Sloth's complaint: under uneven traffic the average of averages is wrong several times over.
//!
//! *Sources*: slok/sloth#241, #618: its 30-day figure is `sum_over_time` of a recorded ratio over
//! `count_over_time` of it.

mod common;

use firebell_model::{Duration, Labels, Sample, SampleValue, Timestamp};
use firebell_promql::{MemorySource, Options, Plan, Prepared};
use firebell_rules::{Querier, StoreQuerier};
use firebell_slo::{history, ledger};

use crate::common::objective;

/// A day of a shop: one request a minute at night, 1,000 in each minute of the two busy hours, when
/// a tenth of them fails.
fn day() -> MemorySource {
    let mut source = MemorySource::default();
    let labels = |code| Labels::from_pairs([("__name__", "requests_total"), ("code", code)]);
    let (mut good, mut bad) = (0.0, 0.0);
    let (mut all_good, mut all_bad) = (Vec::new(), Vec::new());
    for minute in 0..=1440 {
        let at = Timestamp(minute * 60_000);
        all_good.push(Sample { at, value: good });
        all_bad.push(Sample { at, value: bad });
        let is_busy = (1080..1200).contains(&minute);
        good += if is_busy { 900.0 } else { 1.0 };
        bad += if is_busy { 100.0 } else { 0.0 };
    }
    source.append(&labels("200"), all_good);
    source.append(&labels("500"), all_bad);
    source
}

/// The number that an expression gives.
fn number(source: &MemorySource, expr: &str, at: Timestamp) -> f64 {
    let querier = StoreQuerier {
        source,
        options: Options::default(),
    };
    let mut prepared = Prepared::new(Plan::new(expr).unwrap());
    let samples = querier.vector(&mut prepared, at).unwrap();
    match samples[..] {
        [ref sample] => match sample.value {
            SampleValue::Float(value) => value,
            _ => panic!("a histogram"),
        },
        _ => panic!("{} samples", samples.len()),
    }
}

#[test]
fn the_ratio_is_the_true_one_where_the_average_of_averages_is_far_off() {
    let (source, objective) = (day(), objective());
    let at = Timestamp(1440 * 60_000);
    // 12,000 of 121,320 requests.
    let is_true = 120.0 * 100.0 / (120.0 * 1000.0 + 1320.0);
    let ratio = "sum(rate(requests_total{code=\"500\"}[5m])) / sum(rate(requests_total[5m]))";
    let sloth = format!("sum_over_time(({ratio})[1d:1m]) / count_over_time(({ratio})[1d:1m])");
    let of_averages = number(&source, &sloth, at);
    let ours = number(&source, &objective.ratio(Duration::from_hours(24)), at);
    assert!(
        (ours / is_true - 1.0).abs() < 0.001,
        "{ours}, not {is_true}"
    );
    assert!(
        is_true / of_averages > 8.0,
        "{is_true} against {of_averages}"
    );

    let querier = StoreQuerier {
        source: &source,
        options: Options::default(),
    };
    let books = ledger(&objective, at, &querier).unwrap();
    let budget = &books.budgets[0];
    // Ten times the budget of 1 % is gone; the average says 0.8 of it, and all is well.
    assert!(
        (budget.spent.share - is_true / 0.01).abs() < 0.1,
        "{:?}",
        budget.spent
    );
    assert!(of_averages / 0.01 < 1.2);
    assert_eq!(budget.exhausted_in, None);
}

#[test]
fn a_new_objective_has_the_history_of_its_metrics() {
    let (source, objective) = (day(), objective());
    let querier = StoreQuerier {
        source: &source,
        options: Options::default(),
    };
    let at = Timestamp(1440 * 60_000);
    let points = history(&objective, at, 24, &querier).unwrap();
    let points = &points[&Labels::empty()];
    assert_eq!(points.len(), 24);
    assert_eq!(
        points[16],
        (Timestamp(17 * 3_600_000), 1.0),
        "before the busy hours"
    );
    assert!(
        points[17].1 > 0.99 && points[18].1 < -7.0,
        "{:?}",
        &points[17..19]
    );
}

#[test]
fn an_objective_that_selects_nothing_has_no_budget_rather_than_a_full_one() {
    let source = MemorySource::default();
    let querier = StoreQuerier {
        source: &source,
        options: Options::default(),
    };
    let books = ledger(&objective(), Timestamp(86_400_000), &querier).unwrap();
    assert_eq!(books.budgets, []);
}

#[test]
fn few_errors_of_few_requests_are_held_back_with_the_reason() {
    let mut source = MemorySource::default();
    let labels = |code| Labels::from_pairs([("__name__", "requests_total"), ("code", code)]);
    let minutes = |value: fn(i64) -> f64| {
        let samples = (0..=1440).map(move |minute| Sample {
            at: Timestamp(minute * 60_000),
            value: value(minute),
        });
        samples.collect::<Vec<_>>()
    };
    // One request in ten minutes, of which one fails just before the end.
    source.append(&labels("200"), minutes(|minute| (minute / 10) as f64));
    source.append(
        &labels("500"),
        minutes(|minute| f64::from(u8::from(minute >= 1439))),
    );
    let querier = StoreQuerier {
        source: &source,
        options: Options::default(),
    };
    let books = ledger(&objective(), Timestamp(1440 * 60_000), &querier).unwrap();
    let tiers = &books.budgets[0].tiers;
    assert!(tiers.iter().all(|tier| !tier.is_firing));
    let held = tiers
        .iter()
        .find_map(|tier| tier.held.as_ref())
        .map(ToString::to_string);
    let expected = "only 1 bad events, at least 3 are wanted";
    assert_eq!(held.as_deref(), Some(expected));
}
