//! What came of a test, compared with what was expected, in upstream's words.

mod difference;

use std::collections::BTreeSet;

use firebell_config::{AlertTest, ExpectedAlert, ExpectedState, ExprTest, UnitTest, UnitTests};
use firebell_model::{Duration, Labels, Quoted, SampleValue};
use firebell_promql::description::{self, Described};
use firebell_rules::{AlertInstance, Context};

use super::play::{Played, prepare, query_options, vector};
use super::text::{self, indented};
use super::{Options, start_of};

/// An alert as it is compared and shown.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
struct Shown {
    labels: Labels,
    annotations: Labels,
    /// Only where a test says states: `pending`, and since when.
    state: Option<(&'static str, Option<Duration>)>,
}

/// The alerts that differ, by time and then in the order of the file.
pub(super) fn alerts(test: &UnitTest, played: &Played, is_diff: bool) -> Vec<String> {
    let times: BTreeSet<Duration> = test
        .alert_rule_tests
        .iter()
        .map(|it| it.eval_time)
        .collect();
    let mut errors = Vec::new();
    for time in times {
        let tick = usize::try_from(time.0 / played.interval.0).unwrap_or(usize::MAX);
        if tick >= played.n_ticks {
            break;
        }
        for case in test
            .alert_rule_tests
            .iter()
            .filter(|it| it.eval_time == time)
        {
            errors.extend(alert_test(test, case, tick, played, is_diff));
        }
    }
    errors
}

fn alert_test(
    test: &UnitTest,
    case: &AlertTest,
    tick: usize,
    played: &Played,
    is_diff: bool,
) -> Option<String> {
    let has_states = case
        .exp_alerts
        .iter()
        .any(|it| it.state.is_some() || it.since.is_some());
    let seen = played.alerts.get(&tick).into_iter().flatten();
    let seen = seen.filter(|it| it.rule == case.alertname);
    let seen = seen.filter(|it| {
        case.group_name
            .as_ref()
            .is_none_or(|name| *name == it.group)
    });
    let alerts = seen.flat_map(|it| &it.alerts);
    let mut got: Vec<Shown> = alerts
        .filter_map(|it| shown(it, has_states, played))
        .collect();
    let expected = case.exp_alerts.iter();
    let mut expected: Vec<Shown> = expected
        .map(|it| expected_alert(it, &case.alertname, has_states, &got))
        .collect();
    got.sort();
    expected.sort();
    if got == expected {
        return None;
    }
    let name = match &*test.name {
        "" => String::new(),
        name => format!("    name: {name},\n"),
    };
    let head = format!(
        "{name}    alertname: {}, time: {}, \n",
        case.alertname, case.eval_time
    );
    if is_diff {
        let pairs = |alerts: &[Shown]| -> Vec<_> {
            alerts
                .iter()
                .map(|it| (it.labels.clone(), it.annotations.clone()))
                .collect()
        };
        let difference = difference::show(&pairs(&expected), &pairs(&got))?;
        return Some(format!(
            "{head}        diff: {}",
            indented(&difference, INDENT)
        ));
    }
    let [expected, got] = [list(&expected), list(&got)].map(|it| indented(&it, INDENT));
    Some(format!("{head}        exp:{expected}, \n        got:{got}"))
}

fn shown(alert: &AlertInstance, has_states: bool, played: &Played) -> Option<Shown> {
    let firing_since = alert.firing_since();
    let is_counted = firing_since.is_some() || (has_states && alert.is_active());
    let state = match firing_since {
        Some(at) => ("firing", Some(at - played.start)),
        None => ("pending", Some(alert.active_at - played.start)),
    };
    is_counted.then(|| Shown {
        labels: alert.labels.clone(),
        annotations: alert.annotations.clone(),
        state: has_states.then_some(state),
    })
}

fn expected_alert(expected: &ExpectedAlert, name: &str, has_states: bool, got: &[Shown]) -> Shown {
    let pairs = |texts: &std::collections::BTreeMap<String, String>| {
        Labels::from_pairs(texts.iter().map(|(name, value)| (&**name, &**value)))
    };
    let mut labels = pairs(&expected.labels).to_builder();
    labels.set(firebell_model::ALERT_NAME, name);
    let labels = labels.build();
    let state = match expected.state {
        Some(ExpectedState::Pending) => "pending",
        Some(ExpectedState::Firing) | None => "firing",
    };
    // Where nothing was said of the moment, any will do.
    let twin = got.iter().find(|it| it.labels == labels);
    let any = twin.and_then(|it| it.state).and_then(|(_, since)| since);
    Shown {
        labels,
        annotations: pairs(&expected.annotations),
        state: has_states.then_some((state, expected.since.or(any))),
    }
}

fn list(alerts: &[Shown]) -> String {
    if alerts.is_empty() {
        return "[]".to_owned();
    }
    let items = alerts.iter().enumerate().map(|(idx, alert)| {
        let (labels, annotations) = (
            text::labels(&alert.labels),
            text::labels(&alert.annotations),
        );
        let state = match alert.state {
            Some((state, Some(since))) => format!("\nState:{state} since {since}"),
            Some((state, None)) => format!("\nState:{state}"),
            None => String::new(),
        };
        let lines = format!("\nLabels:{labels}\nAnnotations:{annotations}{state}");
        format!("\n{idx}:{}", indented(&lines, "  "))
    });
    format!("[{}\n]", items.collect::<Vec<_>>().join(","))
}

/// The expressions that differ, in the order of the file.
pub(super) fn expressions(
    test: &UnitTest,
    tests: &UnitTests,
    played: &Played,
    options: &Options<'_>,
) -> Vec<String> {
    let cases = test.promql_expr_tests.iter();
    let errors = cases.filter_map(|case| {
        let head = format!(
            "    expr: {}, time: {},",
            Quoted(&case.expr),
            case.eval_time
        );
        match expression(test, case, tests, played, options) {
            Ok(None) => None,
            Ok(Some(difference)) => Some(format!("{head}\n{difference}")),
            Err(error) => Some(format!("{head} err: {error}")),
        }
    });
    errors.collect()
}

/// A sample as it is compared and shown.
struct Point {
    labels: Labels,
    value: f64,
    /// Empty for a float.
    histogram: String,
}

fn expression(
    test: &UnitTest,
    case: &ExprTest,
    tests: &UnitTests,
    played: &Played,
    options: &Options<'_>,
) -> Result<Option<String>, String> {
    let mut prepared = prepare(&case.expr, options)?;
    let context = Context {
        subquery_step: tests.evaluation_interval,
        ..Context::default()
    };
    let query = query_options(&context, options.delays_name_removal);
    let at = start_of(test) + case.eval_time;
    let samples = vector(&mut prepared, &played.memory, at, &query)?;
    let mut got: Vec<Point> = samples
        .into_iter()
        .map(|sample| Point {
            labels: sample.labels,
            value: sample.value.float_or_zero(),
            histogram: match sample.value {
                SampleValue::Float(_) => String::new(),
                SampleValue::Histogram(histogram) => text::histogram(&histogram),
            },
        })
        .collect();
    let mut expected = expected_points(case)?;
    got.sort_by(|a, b| a.labels.cmp(&b.labels));
    expected.sort_by(|a, b| a.labels.cmp(&b.labels));
    let are_equal = |a: f64, b: f64| {
        a == b || (tests.fuzzy_compare && (a.next_up() == b || a.next_down() == b))
    };
    let is_met = got.len() == expected.len()
        && got.iter().zip(&expected).all(|(got, expected)| {
            got.labels == expected.labels
                && got.histogram == expected.histogram
                && are_equal(got.value, expected.value)
        });
    let show = |points: &[Point]| match points {
        [] => "nil".to_owned(),
        points => points
            .iter()
            .map(Point::text)
            .collect::<Vec<_>>()
            .join(", "),
    };
    Ok((!is_met).then(|| {
        format!(
            "        exp: {}\n        got: {}",
            show(&expected),
            show(&got)
        )
    }))
}

fn expected_points(case: &ExprTest) -> Result<Vec<Point>, String> {
    let samples = case.exp_samples.iter();
    let points = samples.map(|sample| {
        let failed = |error: String| format!("labels {}: {error}", Quoted(&sample.labels));
        let labels = description::labels(&sample.labels).map_err(failed)?;
        let histogram = match &*sample.histogram {
            "" => String::new(),
            text => histogram(text).map_err(failed)?,
        };
        Ok(Point {
            labels,
            value: sample.value,
            histogram,
        })
    });
    points.collect()
}

fn histogram(text: &str) -> Result<String, String> {
    let values = description::values(text)?;
    match &*values {
        [Described::Histogram { histogram, .. }] => Ok(text::histogram(histogram)),
        [Described::Value(value)] => {
            let value = firebell_model::format_float(*value);
            Err(format!("expected histogram, got {value}"))
        }
        [Described::Nothing] => Err("expected histogram, got _".to_owned()),
        values => Err(format!("expected 1 value, got {}", values.len())),
    }
}

impl Point {
    fn text(&self) -> String {
        let labels = text::labels(&self.labels);
        match &*self.histogram {
            "" => format!("{labels} {}", text::float(self.value)),
            histogram => format!("{labels} {histogram}"),
        }
    }
}

const INDENT: &str = "            ";
