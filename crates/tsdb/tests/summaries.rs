//! Windows over summaries, pages and tails give what PromQL defines on the samples one by one.

mod common;

use common::{batch, open, sample};
use firebell_disk::MemoryDisk;
use firebell_model::{Duration, STALE_NAN, Sample, Timestamp, is_stale};
use firebell_promql::{Options as QueryOptions, Plan, Prepared, Value};
use firebell_tsdb::{Options, Store};
use proptest::prelude::*;

/// What is appended next.
#[derive(Clone, Copy, Debug)]
enum Step {
    Grow(u32),
    Reset,
    Gauge(f64),
    Same,
    Stale,
    Odd(f64),
    Gap(u32),
}

fn samples_of(steps: &[Step]) -> Vec<Sample> {
    let (mut at, mut value) = (0, 0.0);
    let mut samples = Vec::new();
    // Each step a few times, so that there are enough for many pages.
    for (idx, step) in steps.iter().enumerate() {
        let n = if matches!(step, Step::Grow(_) | Step::Gauge(_) | Step::Same) {
            40
        } else {
            1
        };
        for repeat in 0..n {
            at += 15_000;
            let mut shown = None;
            match *step {
                Step::Grow(by) => value += f64::from(by % 1000) + f64::from(repeat % 3),
                Step::Reset => value = 0.0,
                Step::Gauge(to) => value = to + f64::from(repeat * 37 % 11),
                Step::Same => {}
                Step::Stale => shown = Some(STALE_NAN),
                Step::Odd(odd) => shown = Some(odd),
                Step::Gap(secs) => at += i64::from(secs) * 1000,
            }
            at += (idx as i64 * 7 + repeat as i64) % 3;
            samples.push(sample(at, shown.unwrap_or(value)));
        }
    }
    samples
}

/// The functions as Prometheus's documentation defines them, the slow way.
fn slow(function: &str, samples: &[Sample], after: i64, until: i64) -> Option<(f64, f64)> {
    let live: Vec<Sample> = samples
        .iter()
        .filter(|it| after < it.at.0 && it.at.0 <= until && !is_stale(it.value))
        .copied()
        .collect();
    let (first, last) = (*live.first()?, *live.last()?);
    let values = || live.iter().map(|it| it.value);
    let pairs = || live.windows(2).map(|it| (it[0].value, it[1].value));
    let n = live.len() as f64;
    let size: f64 = values().map(f64::abs).sum();
    let mean = values().map(|value| value / n).sum::<f64>();
    let stdvar = || {
        values()
            .map(|it| (it - mean) * (it - mean) / n)
            .sum::<f64>()
    };
    let square_size = values().map(|it| it * it).sum::<f64>() / n;
    Some(match function {
        "sum_over_time" => (values().sum(), size),
        "avg_over_time" => (mean, size / n),
        "min_over_time" => (values().fold(f64::NAN, f64::min), 0.0),
        "max_over_time" => (values().fold(f64::NAN, f64::max), 0.0),
        "count_over_time" => (n, 0.0),
        "last_over_time" => (last.value, 0.0),
        "present_over_time" => (1.0, 0.0),
        "stdvar_over_time" => (stdvar(), square_size),
        "stddev_over_time" => (stdvar().sqrt(), square_size.sqrt() * 1e4),
        "changes" => {
            let is_change = |(a, b): &(f64, f64)| a != b && !(a.is_nan() && b.is_nan());
            (pairs().filter(is_change).count() as f64, 0.0)
        }
        "resets" => (pairs().filter(|(a, b)| b < a).count() as f64, 0.0),
        _ => {
            if live.len() < 2 {
                return None;
            }
            let is_counter = function != "delta";
            let lost: f64 = pairs()
                .filter(|(a, b)| is_counter && b < a)
                .map(|it| it.0)
                .sum();
            let change = last.value - first.value + lost;
            let secs = |ms: i64| ms as f64 / 1000.0;
            let sampled = secs(last.at.0 - first.at.0);
            let interval = sampled / (n - 1.0);
            let (mut start, mut end) = (secs(first.at.0 - after), secs(until - last.at.0));
            if start >= interval * 1.1 {
                start = interval / 2.0;
            }
            if is_counter && change > 0.0 && first.value >= 0.0 {
                start = start.min(sampled * (first.value / change));
            }
            if end >= interval * 1.1 {
                end = interval / 2.0;
            }
            let mut factor = (sampled + start + end) / sampled;
            if function == "rate" {
                factor /= secs(until - after);
            }
            (change * factor, size * factor)
        }
    })
}

fn check(store: &Store, samples: &[Sample], length: i64, step: i64, n: i64) {
    let end = samples.last().map_or(0, |it| it.at.0);
    let start = end - step * (n - 1);
    for function in FUNCTIONS {
        let text = format!("{function}(x[{length}ms])");
        let mut prepared = Prepared::new(Plan::new(&text).unwrap());
        let view = store.view();
        let options = QueryOptions::default();
        let found = if n == 1 {
            prepared.instant(&view, Timestamp(end), &options)
        } else {
            let (start, end) = (Timestamp(start), Timestamp(end));
            prepared.range(&view, start, end, Duration(step), &options)
        };
        let found: Vec<(i64, f64)> = match found.unwrap() {
            Value::Vector(vector) => vector
                .iter()
                .map(|it| (it.at.0, it.value.float().unwrap()))
                .collect(),
            Value::Matrix(matrix) => matrix
                .iter()
                .flat_map(|it| it.samples.iter().map(|it| (it.at.0, it.value)))
                .collect(),
            other => panic!("{other:?}"),
        };
        let mut found = found.into_iter();
        for idx in 0..n {
            let until = start + idx * step;
            let Some((value, size)) = slow(function, samples, until - length, until) else {
                continue;
            };
            let (at, quick) = found.next().unwrap();
            assert_eq!(at, until, "{text}");
            // With something odd in the window only the value itself counts.
            let size = if size.is_finite() { size } else { 0.0 };
            let is_near = quick == value
                || (quick.is_nan() && value.is_nan())
                || (quick - value).abs() <= 1e-12 * size + 1e-9 * value.abs();
            assert!(is_near, "{text} at {until}: {quick}, slowly {value}");
        }
        assert_eq!(found.next(), None, "{text}");
    }
}

const FUNCTIONS: [&str; 14] = [
    "rate",
    "increase",
    "delta",
    "sum_over_time",
    "avg_over_time",
    "min_over_time",
    "max_over_time",
    "count_over_time",
    "last_over_time",
    "present_over_time",
    "stdvar_over_time",
    "stddev_over_time",
    "changes",
    "resets",
];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let odd = vec![f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 0.1, -3.5];
    let step = prop_oneof![
        12 => any::<u32>().prop_map(Step::Grow),
        3 => Just(Step::Reset),
        3 => (-1000.0..1000.0).prop_map(Step::Gauge),
        2 => Just(Step::Same),
        2 => Just(Step::Stale),
        1 => prop::sample::select(odd).prop_map(Step::Odd),
        2 => (1..9000_u32).prop_map(Step::Gap),
    ];
    prop::collection::vec(step, 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 60, ..ProptestConfig::default() })]
    #[test]
    fn every_window_gives_what_its_samples_give(
        steps in steps(),
        length in 20_000..40_000_000_i64,
        step in 1_000..4_000_000_i64,
        n in 2..60_i64,
    ) {
        let disk = MemoryDisk::default();
        let options = Options { head_span: Duration::from_mins(30), ..Options::default() };
        let store = open(&disk, &options);
        let samples = samples_of(&steps);
        for (idx, it) in samples.iter().enumerate() {
            store.append(&batch(&[("__name__=x", it.at.0, it.value)])).unwrap();
            if idx % 50 == 49 {
                store.maintain(it.at).unwrap();
            }
        }
        // Twice, since the second time much is kept from the first.
        for _ in 0..2 {
            check(&store, &samples, length, step, 1);
            check(&store, &samples, length, step, n);
            check(&store, &samples, length / 50, step / 40, n);
        }
    }
}
