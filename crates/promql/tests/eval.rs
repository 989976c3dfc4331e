//! Evaluation: what holds whatever the data, and what a prepared plan has to notice.

use std::sync::Arc;

use firebell_model::{
    CUSTOM_BUCKETS_SCHEMA, Duration, Histogram, HistogramSample, Labels, STALE_NAN, Sample,
    SampleValue, Timestamp,
};
use firebell_promql::{EvalError, MemorySource, Options, Plan, Prepared, Value, threshold};
use proptest::prelude::*;

fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::from_pairs(pairs.iter().copied())
}

fn samples(values: &[f64]) -> Vec<Sample> {
    let sample = |(idx, &value): (usize, &f64)| Sample {
        at: Timestamp(idx as i64 * 15_000),
        value,
    };
    values.iter().enumerate().map(sample).collect()
}

fn prepare(text: &str) -> Prepared {
    Prepared::new(Plan::new(text).unwrap())
}

/// A result as text; NaN equals NaN there.
fn show(result: Result<Value, EvalError>) -> String {
    match result {
        Err(error) => error.to_string(),
        Ok(Value::Vector(samples)) => samples
            .iter()
            .map(|it| format!("{} {}\n", it.labels, it.value.float_or_zero()))
            .collect(),
        Ok(other) => format!("{other:?}"),
    }
}

/// Values as scrapes give them: counters with resets, gaps, stale markers, a NaN now and then.
fn values() -> impl Strategy<Value = Vec<f64>> {
    let value = prop_oneof![
        8 => (0..100_i32).prop_map(f64::from),
        1 => Just(STALE_NAN),
        1 => Just(f64::NAN),
        1 => -1e3..1e9_f64,
    ];
    prop::collection::vec(value, 0..400)
}

const RANGES: [&str; 3] = ["5m", "61m", "95m"];

/// Window functions from their definitions, without streaming, compensation or summaries.
fn reference(function: &str, values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let pairs = || values.windows(2).map(|pair| (pair[0], pair[1]));
    let differs = |(a, b): &(f64, f64)| a != b && !(a.is_nan() && b.is_nan());
    match function {
        "sum_over_time" => values.iter().sum(),
        "avg_over_time" => mean,
        "count_over_time" => n,
        "min_over_time" => values.iter().copied().fold(f64::NAN, f64::min),
        "max_over_time" => values.iter().copied().fold(f64::NAN, f64::max),
        "last_over_time" => values[values.len() - 1],
        "stdvar_over_time" => values.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / n,
        "changes" => pairs().filter(differs).count() as f64,
        _ => pairs().filter(|(a, b)| b < a).count() as f64,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: std::env::var("PROPTEST_CASES").ok().and_then(|it| it.parse().ok()).unwrap_or(96), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn windows_of_any_length_give_what_their_definition_says(values in values()) {
        let mut source = MemorySource::new();
        source.append(&labels(&[("__name__", "x")]), samples(&values));
        let at = Timestamp(90 * 60_000);
        for function in [
            "sum_over_time", "avg_over_time", "count_over_time", "min_over_time",
            "max_over_time", "last_over_time", "stdvar_over_time", "changes", "resets",
        ] {
            for range in RANGES {
                let length: Duration = range.parse().unwrap();
                let inside: Vec<f64> = samples(&values)
                    .into_iter()
                    .filter(|it| it.at > at - length && it.at <= at)
                    .map(|it| it.value)
                    .filter(|value| value.to_bits() != STALE_NAN.to_bits())
                    .collect();
                let text = format!("{function}(x[{range}])");
                let result = prepare(&text).instant(&source, at, &Options::default());
                let Ok(Value::Vector(result)) = result else { panic!("{text}") };
                prop_assert_eq!(result.len(), usize::from(!inside.is_empty()), "{}", text);
                if let Some(ours) = result.first() {
                    let wanted = reference(function, &inside);
                    let ours = ours.value.float_or_zero();
                    let is_near = (ours - wanted).abs() <= wanted.abs() * 1e-9 + 1e-9
                        || ours.is_nan() && wanted.is_nan();
                    prop_assert!(is_near, "{}: {} is not {}", text, ours, wanted);
                }
            }
        }
    }

    #[test]
    fn a_range_query_gives_at_each_step_what_an_instant_query_gives(
        a in values(),
        b in values(),
        expr in prop::sample::select(EXPRESSIONS),
    ) {
        let mut source = MemorySource::new();
        source.append(&labels(&[("__name__", "x"), ("l", "a")]), samples(&a));
        source.append(&labels(&[("__name__", "x"), ("l", "b")]), samples(&b));
        source.append(&labels(&[("__name__", "y"), ("l", "b")]), samples(&a));
        let options = Options::default();
        let (start, end) = (Timestamp(60_000), Timestamp(95 * 60_000));
        let step = Duration::from_secs(7 * 60);
        check_steps(&source, expr, start, end, step, &options)?;
    }

    #[test]
    fn made_up_expressions_neither_panic_nor_differ_between_instant_and_range(
        a in values(),
        b in values(),
        expr in vectors(),
    ) {
        let mut source = MemorySource::new();
        source.append(&labels(&[("__name__", "x"), ("l", "a")]), samples(&a));
        source.append(&labels(&[("__name__", "x"), ("l", "b"), ("le", "1")]), samples(&b));
        source.append(&labels(&[("__name__", "y"), ("l", "b"), ("le", "+Inf")]), samples(&a));
        // The second one turns from floats to histograms and back, and changes its buckets.
        let all = histograms(&a);
        source.append_histograms(&labels(&[("__name__", "h"), ("l", "a")]), all.clone());
        let mixed = labels(&[("__name__", "h"), ("l", "b")]);
        let some = all.iter().filter(|it| it.at.0 / 60_000 % 3 == 1).cloned();
        source.append_histograms(&mixed, some);
        let floats = samples(&b).into_iter().filter(|it| it.at.0 / 60_000 % 3 != 1);
        source.append(&mixed, floats);
        for delays_name_removal in [false, true] {
            let options = Options { delays_name_removal, ..Options::default() };
            let (start, end) = (Timestamp(0), Timestamp(20 * 60_000));
            let step = Duration::from_secs(3 * 60);
            check_steps(&source, &expr, start, end, step, &options)?;
        }
    }
}

/// Histograms that grow, shrink and change their schema with some values.
fn histograms(values: &[f64]) -> Vec<HistogramSample> {
    let all = samples(values).into_iter().map(|sample| {
        let count = sample.value.abs().min(1e6).floor();
        let at = sample.at;
        if sample.value.to_bits() == STALE_NAN.to_bits() {
            let histogram = Arc::new(Histogram::stale());
            return HistogramSample { at, histogram };
        }
        let is_custom = at.0 / 60_000 % 20 > 16;
        let counts = [(0, count), (2, 1.0), (5, (count / 7.0).floor())];
        let histogram = Arc::new(Histogram {
            schema: if is_custom {
                CUSTOM_BUCKETS_SCHEMA
            } else {
                (at.0 / 120_000 % 3) as i8
            },
            count: count + 1.0 + (count / 7.0).floor(),
            sum: sample.value,
            positive: counts[..if is_custom { 2 } else { 3 }]
                .iter()
                .copied()
                .collect(),
            custom_bounds: if is_custom {
                [1.0, 2.0, 3.0 + (count % 2.0)].into()
            } else {
                [].into()
            },
            ..Histogram::default()
        });
        HistogramSample { at, histogram }
    });
    all.collect()
}

/// All numbers of a histogram that differ when it does.
fn numbers(histogram: &Histogram) -> Vec<f64> {
    let mut compact = histogram.clone();
    compact.compact();
    let sides = compact.positive.iter().chain(compact.negative.iter());
    let buckets = sides.flat_map(|(idx, count)| [f64::from(idx), count]);
    let totals = [
        f64::from(histogram.schema),
        histogram.count,
        histogram.sum,
        histogram.zero_count,
    ];
    totals.into_iter().chain(buckets).collect()
}

/// Compares a range query with the instant queries of its steps; a range query may fail only when
/// one of those does.
fn check_steps(
    source: &MemorySource,
    expr: &str,
    start: Timestamp,
    end: Timestamp,
    step: Duration,
    options: &Options<'_>,
) -> Result<(), TestCaseError> {
    // `@ end()` is another moment in each instant query.
    let is_comparable = !expr.contains("end()");
    // Some combinations are no expressions, such as `x and 2`.
    if Plan::new(expr).is_err() {
        return Ok(());
    }
    let mut prepared = prepare(expr);
    let range = prepared.range(source, start, end, step, options);
    let mut has_failed = None;
    let series = match range {
        Ok(Value::Matrix(series)) => series,
        other => {
            has_failed = Some(show(other));
            Vec::new()
        }
    };
    let mut fails_somewhere = false;
    let mut at = start;
    while at <= end {
        let mut ours: Vec<(String, Vec<f64>)> = series
            .iter()
            .filter_map(|it| {
                let float = it.samples.iter().find(|sample| sample.at == at);
                let histogram = it.histograms.iter().find(|sample| sample.at == at);
                let numbers = match (float, histogram) {
                    (Some(sample), None) => vec![sample.value],
                    (None, Some(sample)) => numbers(&sample.histogram),
                    _ => return None,
                };
                Some((it.labels.to_string(), numbers))
            })
            .collect();
        ours.sort_by(|a, b| a.0.cmp(&b.0));
        let instant = prepared.instant(source, at, options);
        fails_somewhere |= instant.is_err();
        let mut wanted: Vec<(String, Vec<f64>)> = match instant {
            Ok(Value::Scalar(value)) => vec![("{}".to_owned(), vec![value])],
            Ok(Value::Vector(samples)) => {
                let pairs = samples.iter().map(|it| {
                    let numbers = match &it.value {
                        SampleValue::Float(value) => vec![*value],
                        SampleValue::Histogram(histogram) => numbers(histogram),
                    };
                    (it.labels.to_string(), numbers)
                });
                pairs.collect()
            }
            _ => Vec::new(),
        };
        wanted.sort_by(|a, b| a.0.cmp(&b.0));
        if has_failed.is_none() && is_comparable {
            let is_near = |a: f64, b: f64| {
                a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= a.abs() * 1e-9
            };
            let are_same = ours.len() == wanted.len()
                && ours.iter().zip(&wanted).all(|(a, b)| {
                    let mut pairs = a.1.iter().zip(&b.1);
                    a.0 == b.0 && a.1.len() == b.1.len() && pairs.all(|(a, b)| is_near(*a, *b))
                });
            prop_assert!(are_same, "{} at {}: {:?} {:?}", expr, at, ours, wanted);
        }
        at += step;
    }
    if let Some(message) = has_failed {
        prop_assert!(fails_somewhere || !is_comparable, "{}: {}", expr, message);
    }
    Ok(())
}

/// Vectors made of vectors, some levels deep.
fn vectors() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(LEAVES).prop_map(str::to_owned);
    leaf.prop_recursive(4, 24, 2, |inner| {
        let unary = prop::sample::select(UNARY);
        let op = prop::sample::select(OPERATORS);
        prop_oneof![
            (unary, inner.clone()).prop_map(|(function, inner)| match function {
                "label_replace(" =>
                    format!("label_replace({inner}, \"m\", \"$1\", \"l\", \"(.*)\")"),
                "label_join(" => format!("label_join({inner}, \"l\", \"-\", \"l\", \"m\")"),
                "vector(scalar(" => format!("vector(scalar({inner}))"),
                // The last bits may differ, and would become labels.
                "count_values(" => format!("count_values by (l) (\"v\", round({inner}, 1e-6))"),
                _ if function.ends_with("subquery") => {
                    format!(
                        "{}({inner})[4m:50s])",
                        function.trim_end_matches("subquery")
                    )
                }
                _ if function.ends_with(", ") => format!("{function}{inner})"),
                _ => format!("{function}({inner})"),
            }),
            (inner.clone(), op.clone(), inner.clone())
                .prop_map(|(a, op, b)| format!("({a}) {op} ({b})")),
            (inner, op).prop_map(|(a, op)| match op.split_once(' ') {
                None => format!("({a}) {op} 2"),
                Some(_) => a,
            }),
        ]
    })
}

#[rustfmt::skip]
const LEAVES: &[&str] = &[
    "x", "y", "x offset 2m", "x @ 600", "y @ end()", "vector(1)", "x{l=\"a\"}", "nothing",
    "rate(x[3m])", "last_over_time(x[2m])", "time() - x", "{l=~\".+\"}", "timestamp(y)",
    "minute()", "h", "h", "rate(h[3m])", "increase(h[4m])", "sum_over_time(h[3m])",
    "avg_over_time(h[3m])", "resets(h[5m])", "changes(h[5m])", "irate(h[3m])", "delta(h[2m])",
    "max_over_time(h[3m])",
];

#[rustfmt::skip]
const UNARY: &[&str] = &[
    "-", "abs", "sum", "sum by (l) ", "avg without (l) ", "min", "max", "count", "group",
    "stddev", "topk by (l) (1, ", "bottomk(2, ", "quantile(0.5, ", "count_values(",
    "limitk(1, ", "absent", "sort_desc", "vector(scalar(", "label_replace(", "rate(subquery",
    "sum_over_time(subquery", "absent_over_time(subquery", "histogram_quantile(0.5, ",
    "label_join(", "sgn", "day_of_week", "histogram_count", "histogram_sum", "histogram_avg",
    "histogram_stddev", "histogram_fraction(0, 2, ", "increase(subquery", "avg_over_time(subquery",
    "last_over_time(subquery", "avg",
];

#[rustfmt::skip]
const OPERATORS: &[&str] = &[
    "+", "/", "% on (l)", "* ignoring (l) group_left ()", "> bool", "==", "and", "or",
    "unless on (l)", "- on (l) group_right (m)", "and on ()", "^", "atan2", "+ on (l) fill(1)",
    ">= on (l) group_left ()", "</", ">/", "!=", "*", "-",
];

const EXPRESSIONS: &[&str] = &[
    "x",
    "x offset 3m",
    "x offset -3m",
    "x @ 1000",
    "rate(x[10m])",
    "rate(x[70m])",
    "increase(x[10m] @ 2000 offset 1m)",
    "irate(x[2m])",
    "sum by (l) (x)",
    "sum without (l) (rate(x[5m]))",
    "avg(x) + 1",
    "topk(1, x)",
    "quantile(0.3, x)",
    "count_values(\"v\", x)",
    "x > 50",
    "x > bool 50",
    "x * on (l) y",
    "x / on (l) group_left () y",
    "x and on (l) y",
    "x or y",
    "x unless on (l) y",
    "-x",
    "abs(x) ^ 2 % 7",
    "absent(x{l=\"a\"})",
    "absent_over_time(x{l=\"a\"}[3m])",
    "scalar(y)",
    "vector(time())",
    "timestamp(x)",
    "timestamp(x offset 1m)",
    "hour(x)",
    "minute()",
    "max_over_time(rate(x[5m])[20m:2m])",
    "sum_over_time((x > 30)[30m:])",
    "sum_over_time(x[30m:7m] @ 3000)",
    "predict_linear(x[10m] @ 1200, 60)",
    "deriv(x[10m])",
    "quantile_over_time(0.5, x[10m])",
    "label_replace(x, \"m\", \"$1\", \"l\", \"(.*)\")",
    "clamp(x, 10, 20)",
    "round(x / 3, 0.1)",
];

#[test]
fn a_prepared_plan_notices_series_that_come_and_go() {
    let mut source = MemorySource::new();
    let text = "sum by (l) (x) / on (l) y > 0";
    let (mut prepared, at) = (prepare(text), Timestamp(15_000));
    let mut check = |source: &MemorySource| {
        let kept = show(prepared.instant(source, at, &Options::default()));
        let fresh = show(prepare(text).instant(source, at, &Options::default()));
        assert_eq!(kept, fresh);
        kept
    };
    assert_eq!(check(&source), "");
    let x = |l: &str, i: &str| labels(&[("__name__", "x"), ("l", l), ("i", i)]);
    source.append(&x("a", "1"), samples(&[1.0, 2.0]));
    source.append(
        &labels(&[("__name__", "y"), ("l", "a")]),
        samples(&[2.0, 2.0]),
    );
    assert_eq!(check(&source), "{l=\"a\"} 1\n");
    source.append(&x("a", "2"), samples(&[1.0, 4.0]));
    assert_eq!(check(&source), "{l=\"a\"} 3\n");
    source.append(&x("b", "2"), samples(&[1.0, 4.0]));
    source.append(
        &labels(&[("__name__", "y"), ("l", "b")]),
        samples(&[2.0, 1.0]),
    );
    assert_eq!(check(&source), "{l=\"a\"} 3\n{l=\"b\"} 4\n");
    source.remove(&x("a", "1"));
    assert_eq!(check(&source), "{l=\"a\"} 2\n{l=\"b\"} 4\n");
    // New samples of known series need no new binding.
    source.append(&x("b", "2"), [Sample { at, value: 9.0 }]);
    assert_eq!(check(&source), "{l=\"a\"} 2\n{l=\"b\"} 9\n");
}

#[test]
fn what_asks_for_too_much_is_refused() {
    let mut source = MemorySource::new();
    for i in 0..100 {
        source.append(
            &labels(&[("__name__", "x"), ("i", &i.to_string())]),
            samples(&[1.0; 50]),
        );
    }
    let options = Options {
        samples_max: 1000,
        steps_max: 50,
        ..Options::default()
    };
    let check = |text: &str, n_steps: i64, expected: &str| {
        let step = Duration::from_secs(15);
        let end = Timestamp(0) + step * (n_steps - 1);
        let result = prepare(text).range(&source, Timestamp(0), end, step, &options);
        match (result, expected) {
            (Ok(_), "") => {}
            (result, expected) => assert_eq!(show(result), expected, "{text}"),
        }
    };
    let too_many = EvalError::TooManySamples.to_string();
    check("x", 9, "");
    check("-(-(-(-x)))", 9, "");
    check("x", 50, &too_many);
    check("sum_over_time(x[1d:1s])", 1, &too_many);
    check("vector(1)", 51, "");
    check(
        "sum(x)",
        52,
        "exceeded maximum resolution of 50 points per timeseries. Try decreasing the query resolution (?step=XX)",
    );
    let is_cancelled = || true;
    let options = Options {
        is_cancelled: Some(&is_cancelled),
        ..Options::default()
    };
    let result = prepare("x").instant(&source, Timestamp(0), &options);
    assert_eq!(result, Err(EvalError::Cancelled));
}

#[test]
fn the_metric_name_goes_early_or_late_as_the_options_say() {
    let mut source = MemorySource::new();
    source.append(
        &labels(&[("__name__", "x_total")]),
        samples(&[1.0, 2.0, 3.0]),
    );
    let text = "label_replace(rate(x_total[1m]), \"n\", \"$1\", \"__name__\", \"(.+)\")";
    let mut prepared = prepare(text);
    for (delays_name_removal, expected) in [(false, "{} "), (true, "{n=\"x_total\"} ")] {
        let options = Options {
            delays_name_removal,
            ..Options::default()
        };
        let shown = show(prepared.instant(&source, Timestamp(30_000), &options));
        assert!(shown.starts_with(expected), "{shown}");
    }
}

#[test]
fn a_threshold_is_a_comparison_with_a_number_on_either_side() {
    let check = |text: &str, expected: Option<(&str, &str, f64)>| {
        let plan = Plan::new(text).unwrap();
        let found = threshold(plan.expr());
        let found = found.map(|it| (it.left.to_string(), it.op.text(), it.value));
        let expected = expected.map(|(left, op, value)| (left.to_owned(), op, value));
        assert_eq!(found, expected, "{text}");
    };
    check("rate(x[5m]) > 0.5", Some(("rate(x[5m])", ">", 0.5)));
    check("(x >= 5 * 60)", Some(("x", ">=", 300.0)));
    check("10 > x", Some(("x", "<", 10.0)));
    check("x == -1", Some(("x", "==", -1.0)));
    check("x > 5m", Some(("x", ">", 300.0)));
    check("x > y", None);
    check("x", None);
    check("x > 1 and y > 2", None);
}

#[test]
fn the_deepest_nests_fit_a_threads_stack() {
    let mut source = MemorySource::new();
    source.append(&labels(&[("__name__", "a")]), samples(&[1.0; 10]));
    for (open, close, n) in [
        ("(", ")", 198),
        ("-", "", 198),
        ("sum(", ")", 198),
        ("1 + ", "", 100_000),
        ("1 ^ ", "", 198),
        ("avg_over_time(", "[1m:15s])", 98),
        ("label_replace(", ", \"b\", \"c\", \"\", \"\")", 198),
    ] {
        let text = format!("{}a{}", open.repeat(n), close.repeat(n));
        let result = prepare(&text).instant(&source, Timestamp(90_000), &Options::default());
        assert!(
            matches!(&result, Ok(Value::Vector(one)) if one.len() == 1),
            "{open} {result:?}"
        );
    }
}

#[test]
fn prepared_plans_move_between_threads() {
    fn is_send<T: Send>() {}
    is_send::<Prepared>();
    is_send::<Plan>();
}

#[test]
fn each_step_counts_what_it_would_count_alone() {
    let mut source = MemorySource::new();
    for i in ["1", "2"] {
        // Every 15 s from 0 to 10 minutes, without the last minute of one of them.
        let n = if i == "1" { 41 } else { 37 };
        source.append(
            &labels(&[("__name__", "m"), ("i", i)]),
            samples(&vec![1.0; n]),
        );
    }
    let (start, end, step) = (Timestamp(0), Timestamp(900_000), Duration::from_mins(5));
    for (text, expected, read) in [
        ("1 + 1", [0, 0, 0, 0], None),
        ("m", [2, 2, 2, 0], None),
        ("m + m", [4, 4, 4, 0], None),
        ("timestamp(m)", [2, 2, 2, 0], None),
        // 255 s, 270 s, 285 s and 300 s of each.
        ("rate(m[1m])", [2, 8, 4, 0], None),
        ("sum(rate(m[1m] offset 1m))", [0, 8, 8, 0], None),
        (
            "sum(m) / count_over_time(m{i='1'}[30s])",
            [3, 4, 4, 0],
            None,
        ),
        // What the step before has read is not read again.
        ("rate(m[10m])", [2, 42, 76, 36], Some([2, 40, 36, 0])),
        ("m @ 300", [2, 2, 2, 2], Some([2, 0, 0, 0])),
        ("rate(m[1m] @ 300)", [8, 8, 8, 8], Some([8, 0, 0, 0])),
        // The windows count what the subquery gives; what falls between them is read for nobody.
        ("max_over_time(m[2m:1m])", [2, 4, 4, 1], None),
        (
            "max_over_time(m[10m:1m])",
            [2, 12, 20, 17],
            Some([2, 10, 10, 7]),
        ),
        (
            "max_over_time(rate(m[2m])[2m:1m])",
            [0, 4, 4, 0],
            Some([2, 16, 12, 0]),
        ),
        ("rate(m[1m] anchored)", [2, 8, 4, 0], None),
    ] {
        let prepared = prepare(text);
        let counted = prepared.sample_counts(&source, (start, end), step, &Options::default());
        let counted = counted.unwrap();
        assert_eq!(counted.total, expected, "{text}");
        assert_eq!(counted.read, read.unwrap_or(expected), "{text}");
        for (idx, n) in expected.into_iter().enumerate() {
            let at = start + step * idx as i64;
            if text.contains("@") {
                continue;
            }
            let options = Options::default();
            let alone = prepared.sample_counts(&source, (at, at), Duration::ZERO, &options);
            assert_eq!(alone.unwrap().total, [n], "{text}");
        }
    }
    let mut prepared = prepare("sum(rate(m[1m]))");
    prepared
        .range(&source, start, end, step, &Options::default())
        .unwrap();
    assert!(prepared.n_samples() >= 5, "{}", prepared.n_samples());
}

#[test]
fn a_zero_that_did_not_grow_keeps_its_sign() {
    let mut source = MemorySource::new();
    source.append(&labels(&[("__name__", "m")]), samples(&[0.0, -0.0]));
    for text in ["1 / increase(m[1m])", "1 / delta(m[1m])"] {
        let result = prepare(text).instant(&source, Timestamp(15_000), &Options::default());
        assert_eq!(show(result), "{} -inf\n", "{text}");
    }
}
