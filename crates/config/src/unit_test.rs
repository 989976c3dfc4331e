//! Unit tests of rules, in promtool's format, as a checked value.
//!
//! What is wrong with the form of a file is said as upstream says it: people's scripts and eyes
//! know those lines. What is wrong with fields of our own (`own`) is said as in all files of ours.
//!
//! *Sources*: Prometheus, `cmd/promtool/unittest.go` and "Unit testing for rules"; yaml.v2 for what
//! fits into which type.

mod decode;
mod own;
mod page;
mod rules;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use firebell_model::{Duration, Labels, Timestamp};

use self::decode::{Decoder, TEST};
pub use self::own::{ExpectedNotification, NotificationParts, NotificationTest, SloTest};
pub use self::page::{ExpectedPage, PageParts, PageTest, TimelineLine};
pub use self::rules::{load_objectives, load_rule_files};
use crate::fields::Doc;
use crate::problem::{Problem, Problems};
use crate::yaml::{Node, Value, parse};

/// One file.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct UnitTests {
    /// Patterns of rule files, relative to the folder of this file.
    pub rule_files: Vec<String>,
    /// Extension: patterns of files of objectives, relative to the same folder.
    pub slo_files: Vec<String>,
    /// Time between two evaluations of every rule.
    pub evaluation_interval: Duration,
    /// Names of rule groups in the order in which they are evaluated.
    pub group_eval_order: Vec<String>,
    /// Whether neighbouring floats count as equal.
    pub fuzzy_compare: bool,
    /// What is tested.
    pub tests: Vec<UnitTest>,
}

/// Input series and what is expected of them.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct UnitTest {
    /// May be empty.
    pub name: String,
    /// Time between two samples of an input series.
    pub interval: Duration,
    /// In the order of the file.
    pub input_series: Vec<InputSeries>,
    /// Expectations of alerts.
    pub alert_rule_tests: Vec<AlertTest>,
    /// Expectations of expressions.
    pub promql_expr_tests: Vec<ExprTest>,
    /// Extension: who is told of what.
    pub notifications: Option<NotificationTest>,
    /// Extension: who is paged, and what becomes of that.
    pub pages: Option<PageTest>,
    /// Extension: expectations of error budgets.
    pub slo_tests: Vec<SloTest>,
    /// What templates see as external labels.
    pub external_labels: Labels,
    /// What templates see as external address.
    pub external_url: String,
    /// The moment of the first samples and evaluations; the epoch when absent.
    pub start: Option<Timestamp>,
}

/// A series as it is written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct InputSeries {
    /// Such as `up{job="api"}`.
    pub series: String,
    /// Such as `1 1 0x3 _ stale`.
    pub values: String,
}

/// Which alerts fire at a moment.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct AlertTest {
    /// After the start.
    pub eval_time: Duration,
    /// Extension, as vmalert-tool has it: only rules of the group of this name are meant.
    pub group_name: Option<String>,
    /// Never empty in what upstream runs; it says so when it is.
    pub alertname: String,
    /// The alerts, in any order.
    pub exp_alerts: Vec<ExpectedAlert>,
    /// Whether `exp_alerts` was written.
    pub has_exp_alerts: bool,
}

/// An alert that is expected.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ExpectedAlert {
    /// Without `alertname`.
    pub labels: BTreeMap<String, String>,
    /// The texts.
    pub annotations: BTreeMap<String, String>,
    /// Extension: `pending` or `firing`; upstream compares firing alerts only.
    pub state: Option<ExpectedState>,
    /// Extension: since when it is in that state, after the start.
    pub since: Option<Duration>,
}

/// How far an expected alert has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExpectedState {
    /// Its condition holds, but not yet for long enough.
    Pending,
    /// It burns.
    Firing,
}

/// What an expression gives at a moment.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ExprTest {
    /// The expression.
    pub expr: String,
    /// After the start.
    pub eval_time: Duration,
    /// The samples, in any order.
    pub exp_samples: Vec<ExpectedSample>,
    /// Whether `exp_samples` was written.
    pub has_exp_samples: bool,
}

/// A sample that is expected.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ExpectedSample {
    /// Such as `up{job="api"}`.
    pub labels: String,
    /// Its value, unless it is a histogram.
    pub value: f64,
    /// Such as `{{count:2 buckets:[2]}}`; empty for a float.
    pub histogram: String,
}

/// What is wrong with a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnitTestErrors {
    /// In upstream's words: one text of several lines.
    pub upstream: Option<String>,
    /// What is wrong with keys of our own.
    pub own: Option<Problems>,
}

impl fmt::Display for UnitTestErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { upstream, own } = self;
        let own = own.as_ref().map(ToString::to_string);
        let parts: Vec<&str> = upstream.iter().chain(&own).map(|it| &**it).collect();
        f.write_str(&parts.join("\n"))
    }
}

impl std::error::Error for UnitTestErrors {}

/// Reads a file; `path` is named in problems.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse_unit_tests(path: &Path, source: &str) -> Result<UnitTests, UnitTestErrors> {
    let problems: RefCell<Vec<Problem>> = RefCell::default();
    let file = read(&Doc::new(path, source, &problems));
    let own = Problems::new(problems.into_inner());
    match (file, own) {
        (Ok(file), None) => Ok(file),
        (file, own) => Err(UnitTestErrors {
            upstream: file.err(),
            own,
        }),
    }
}

fn read(doc: &Doc<'_>) -> Result<UnitTests, String> {
    let (root, mistakes) = parse(doc.source);
    if let Some(mistake) = mistakes.first() {
        return Err(format!(
            "yaml: line {}: {}",
            mistake.at.line, mistake.message
        ));
    }
    let mut file = UnitTests::default();
    let Some(root) = root.filter(|root| !matches!(root.value, Value::Null)) else {
        file.evaluation_interval = EVALUATION_INTERVAL;
        return Ok(file);
    };
    let mut decoder = Decoder::new(doc);
    decoder.fields(&root, "main.unitTestFile", |decoder, key, node| {
        match key {
            "rule_files" => file.rule_files = decoder.texts(node),
            "slo_files" => file.slo_files = decoder.texts(node),
            "evaluation_interval" => decoder.duration(node, &mut file.evaluation_interval),
            "group_eval_order" => file.group_eval_order = decoder.texts(node),
            "fuzzy_compare" => decoder.bool(node, &mut file.fuzzy_compare),
            "tests" => file.tests = decoder.list(node, "[]main.testGroup", unit_test),
            _ => return false,
        }
        true
    });
    decoder.finish()?;
    if file.evaluation_interval == Duration::ZERO {
        file.evaluation_interval = EVALUATION_INTERVAL;
    }
    for test in &mut file.tests {
        if test.interval == Duration::ZERO {
            test.interval = file.evaluation_interval;
        }
    }
    Ok(file)
}

fn unit_test(decoder: &mut Decoder<'_>, node: &Node) -> UnitTest {
    let mut test = UnitTest::default();
    decoder.fields(node, TEST, |decoder, key, node| {
        match key {
            "name" => decoder.text(node, &mut test.name),
            "interval" => decoder.duration(node, &mut test.interval),
            "input_series" => {
                test.input_series = decoder.list(node, "[]main.series", input_series);
            }
            "alert_rule_test" => {
                test.alert_rule_tests = decoder.list(node, "[]main.alertTestCase", alert_test);
            }
            "promql_expr_test" => {
                test.promql_expr_tests = decoder.list(node, "[]main.promqlTestCase", expr_test);
            }
            "external_labels" => {
                test.external_labels = Labels::from_pairs(decoder.text_map(node));
            }
            "external_url" => decoder.text(node, &mut test.external_url),
            "start_timestamp" => test.start = decoder.timestamp(node),
            "notification_test" => {
                test.notifications = Some(own::notification_test(decoder.doc, node));
            }
            "page_test" => test.pages = Some(page::page_test(decoder.doc, node)),
            "slo_test" => test.slo_tests = own::slo_tests(decoder.doc, node),
            _ => return false,
        }
        true
    });
    test
}

fn input_series(decoder: &mut Decoder<'_>, node: &Node) -> InputSeries {
    let mut series = InputSeries::default();
    decoder.fields(node, "main.series", |decoder, key, node| {
        match key {
            "series" => decoder.text(node, &mut series.series),
            "values" => decoder.text(node, &mut series.values),
            _ => return false,
        }
        true
    });
    series
}

fn alert_test(decoder: &mut Decoder<'_>, node: &Node) -> AlertTest {
    let mut test = AlertTest::default();
    decoder.fields(node, "main.alertTestCase", |decoder, key, node| {
        match key {
            "eval_time" => decoder.duration(node, &mut test.eval_time),
            "alertname" => decoder.text(node, &mut test.alertname),
            "groupname" => {
                let mut name = String::new();
                decoder.text(node, &mut name);
                test.group_name = Some(name).filter(|name| !name.is_empty());
            }
            "exp_alerts" => {
                test.has_exp_alerts = true;
                test.exp_alerts = decoder.list(node, "[]main.alert", expected_alert);
            }
            _ => return false,
        }
        true
    });
    test
}

fn expected_alert(decoder: &mut Decoder<'_>, node: &Node) -> ExpectedAlert {
    let mut alert = ExpectedAlert::default();
    decoder.fields(node, "main.alert", |decoder, key, node| {
        match key {
            "exp_labels" => alert.labels = decoder.text_map(node),
            "exp_annotations" => alert.annotations = decoder.text_map(node),
            "exp_state" => alert.state = expected_state(decoder, node),
            "exp_since" => {
                let mut since = Duration::ZERO;
                decoder.duration(node, &mut since);
                alert.since = Some(since);
            }
            _ => return false,
        }
        true
    });
    alert
}

fn expected_state(decoder: &mut Decoder<'_>, node: &Node) -> Option<ExpectedState> {
    let mut text = String::new();
    decoder.text(node, &mut text);
    match &*text {
        "pending" => Some(ExpectedState::Pending),
        "firing" => Some(ExpectedState::Firing),
        _ => {
            decoder.wrong(
                node,
                &format!("exp_state has to be `pending` or `firing`, not `{text}`"),
            );
            None
        }
    }
}

fn expr_test(decoder: &mut Decoder<'_>, node: &Node) -> ExprTest {
    let mut test = ExprTest::default();
    decoder.fields(node, "main.promqlTestCase", |decoder, key, node| {
        match key {
            "expr" => decoder.text(node, &mut test.expr),
            "eval_time" => decoder.duration(node, &mut test.eval_time),
            "exp_samples" => {
                test.has_exp_samples = true;
                test.exp_samples = decoder.list(node, "[]main.sample", expected_sample);
            }
            _ => return false,
        }
        true
    });
    test
}

fn expected_sample(decoder: &mut Decoder<'_>, node: &Node) -> ExpectedSample {
    let mut sample = ExpectedSample::default();
    decoder.fields(node, "main.sample", |decoder, key, node| {
        match key {
            "labels" => decoder.text(node, &mut sample.labels),
            "value" => decoder.float(node, &mut sample.value),
            "histogram" => decoder.text(node, &mut sample.histogram),
            _ => return false,
        }
        true
    });
    sample
}

const EVALUATION_INTERVAL: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(source: &str) -> Result<UnitTests, String> {
        parse_unit_tests(Path::new("t.yml"), source).map_err(|error| error.to_string())
    }

    #[test]
    fn what_does_not_fit_is_said_in_upstreams_words_with_its_line() {
        let source = "\
rule_files: [a.yml]
foo: 1
tests:
  - interval: 1m
    bar: 3
    input_series: {}
    promql_expr_test:
      - expr: [a]
        exp_samples:
          - value: abc
          - value: \"1\"
          - value: true
    alert_rule_test:
      - alertname: a
        exp_alerts: [{exp_labels: [1]}, {exp_state: broken}]
";
        expect_test::expect![[r"
            yaml: unmarshal errors:
              line 2: field foo not found in type main.unitTestFile
              line 5: field bar not found in type main.testGroup
              line 6: cannot unmarshal !!map into []main.series
              line 8: cannot unmarshal !!seq into string
              line 10: cannot unmarshal !!str `abc` into float64
              line 11: cannot unmarshal !!str `1` into float64
              line 12: cannot unmarshal !!bool `true` into float64
              line 15: cannot unmarshal !!seq into map[string]string
              line 15: exp_state has to be `pending` or `firing`, not `broken`"]]
        .assert_eq(&read_text(source).unwrap_err());
        for (source, expected) in [
            (
                "evaluation_interval: 5x",
                r#"not a valid duration string: "5x""#,
            ),
            ("evaluation_interval: ''", "empty duration string"),
        ] {
            assert_eq!(read_text(source).unwrap_err(), expected);
        }
    }

    #[test]
    fn values_are_read_as_yaml_of_go_reads_them() {
        let source = "\
tests:
  - start_timestamp: 2026-01-01T00:00:00Z
    external_labels: {a: 1}
    input_series: [{series: up, values: 1}]
    promql_expr_test:
      - exp_samples: [{value: 0x10}, {value: 1e3}, {value: -.inf}, {value: 010}, {value: 1_0}]
";
        let tests = read_text(source).unwrap();
        let test = &tests.tests[0];
        assert_eq!(test.interval, Duration::from_mins(1));
        assert_eq!(test.start, Some(Timestamp(1_767_225_600_000)));
        assert_eq!(test.input_series[0].values, "1");
        assert_eq!(test.external_labels.get("a"), Some("1"));
        let samples = &test.promql_expr_tests[0].exp_samples;
        let values: Vec<f64> = samples.iter().map(|sample| sample.value).collect();
        assert_eq!(values, [16.0, 1000.0, f64::NEG_INFINITY, 8.0, 10.0]);
        assert_eq!(read_text("").unwrap().tests, []);
    }
}
