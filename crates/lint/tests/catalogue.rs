//! The examples of the catalogue, read as files: each lint finds something in the bad one, and
//! nothing in the good one. A `server.txt` is what a server knows, here evaluated by our own engine.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use firebell_config::{CheckReport, CheckRequest, ExternalUrl, Files, OnlineRequest, check};
use firebell_lint::{
    CATALOGUE, Lint, Question, Refused, Reply, Server, ServerRule, Silence, Track, Vector,
};
use firebell_model::{
    Duration, Labels, Matcher, Sample, SampleValue, Source as _, TimeRange, Timestamp,
};
use firebell_promql::{MemorySource, Options, Plan, Prepared, Value, parse_selector};

/// Files of a test.
struct Texts(BTreeMap<PathBuf, String>);

impl Files for Texts {
    fn read(&self, path: &Path) -> io::Result<String> {
        let text = self.0.get(path);
        text.cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn glob(&self, pattern: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(self.0.keys().filter(|it| *it == pattern).cloned().collect())
    }
}

/// What a server knows, and what it says of costs.
#[derive(Default)]
struct Known {
    series: MemorySource,
    silences: Vec<Silence>,
    config: String,
    rules: Vec<ServerRule>,
    unconfirmed: Vec<(String, String)>,
    costs: Vec<(String, u64)>,
    is_down: bool,
}

const NOW: Timestamp = Timestamp(1_800_000_000_000);

impl Known {
    fn read(text: &str) -> Self {
        let mut known = Self::default();
        for line in text.lines() {
            match line.split_once(' ') {
                Some(("is", "down")) => known.is_down = true,
                Some(("costs", rest)) => {
                    let (expr, n) = rest.split_once(' ').unwrap();
                    known.costs.push((expr.to_owned(), n.parse().unwrap()));
                }
                Some(("config", yaml)) => known.config = yaml.to_owned(),
                Some(("rule", rest)) => {
                    let (group, rest) = rest.split_once(' ').unwrap();
                    let (name, query) = rest.split_once(' ').unwrap();
                    known.rules.push(ServerRule {
                        group: group.to_owned(),
                        name: name.to_owned(),
                        is_alerting: false,
                        query: query.to_owned(),
                        labels: Vec::new(),
                    });
                }
                Some(("unconfirmed", rest)) => {
                    let (name, kind) = rest.split_once(' ').unwrap();
                    known.unconfirmed.push((name.to_owned(), kind.to_owned()));
                }
                Some(("silence", rest)) => {
                    let (name, value) = rest.split_once('=').unwrap();
                    known.silences.push(Silence {
                        id: "1".to_owned(),
                        created_by: "me".to_owned(),
                        matchers: vec![Matcher::equal(name, value)],
                    });
                }
                Some((name, values)) => known.add(name, values),
                None => panic!("{line}"),
            }
        }
        known
    }

    /// `a{id="1..3"} 1x9 _x9 2x9`
    fn add(&mut self, name: &str, values: &str) {
        let values: Vec<Option<f64>> = values
            .split(' ')
            .flat_map(|it| {
                let (value, n) = it.split_once('x').unwrap();
                vec![value.parse().ok(); n.parse::<usize>().unwrap() + 1]
            })
            .collect();
        let labels = |name: &str| {
            let selector = parse_selector(name).unwrap();
            let pairs = selector.matchers.iter();
            Labels::from_pairs(pairs.map(|it| (it.name(), it.value())))
        };
        let names: Vec<String> = match name.split_once("1..") {
            None => vec![name.to_owned()],
            Some((before, after)) => {
                let (n, after) = after.split_once('"').unwrap();
                let ids = 1..=n.parse::<u32>().unwrap();
                ids.map(|id| format!("{before}{id}\"{after}")).collect()
            }
        };
        for name in names {
            let samples = values.iter().rev().enumerate();
            let samples = samples.filter_map(|(n, value)| {
                let at = NOW - Duration::from_mins(n as i64);
                value.map(|value| Sample { at, value })
            });
            let mut samples: Vec<Sample> = samples.collect();
            samples.reverse();
            self.series.append(&labels(&name), samples);
        }
    }

    fn evaluate(
        &self,
        expr: &str,
        run: impl FnOnce(&mut Prepared, &Options<'_>) -> Result<Value, firebell_promql::EvalError>,
    ) -> Result<Value, Refused> {
        let fails = |why: String| Refused::Fails(why);
        let plan = Plan::new(expr).map_err(|it| fails(it.to_string()))?;
        let mut prepared = Prepared::new(plan);
        run(&mut prepared, &Options::default()).map_err(|it| fails(it.to_string()))
    }

    fn all(&self, of: Option<&str>) -> Vec<Labels> {
        let range = TimeRange {
            after: Timestamp::MIN,
            until: Timestamp::MAX,
        };
        let matchers = of.map_or(Vec::new(), |it| parse_selector(it).unwrap().matchers);
        let series = self.series.select(&matchers, range).unwrap();
        series.iter().map(|it| it.labels().clone()).collect()
    }
}

impl Server for Known {
    fn ask(&self, question: &Question) -> Result<Arc<Reply>, Refused> {
        if self.is_down {
            return Err(Refused::Down("nobody is there".to_owned()));
        }
        let number = |value: SampleValue| match value {
            SampleValue::Float(value) => value,
            SampleValue::Histogram(_) => f64::NAN,
        };
        let words = |words: Vec<String>| Reply::Words(words);
        let reply = match question {
            Question::Instant(expr) => {
                let value =
                    self.evaluate(expr, |it, options| it.instant(&self.series, NOW, options));
                let series = match value? {
                    Value::Vector(samples) => samples
                        .into_iter()
                        .map(|it| (it.labels, number(it.value)))
                        .collect(),
                    _ => Vec::new(),
                };
                let cost = self.costs.iter().find(|(of, _)| expr.contains(of));
                Reply::Vector(Vector {
                    series,
                    samples: Some(cost.map_or(1, |(_, n)| *n)),
                    seconds: 0.001,
                })
            }
            Question::Range {
                expr,
                start,
                end,
                step,
            } => {
                let value = self.evaluate(expr, |it, options| {
                    it.range(&self.series, *start, *end, *step, options)
                });
                let Value::Matrix(series) = value? else {
                    panic!("{expr}");
                };
                let tracks = series.into_iter().map(|it| Track {
                    labels: it.labels,
                    samples: it.samples.iter().map(|it| (it.at, it.value)).collect(),
                });
                Reply::Matrix(tracks.collect())
            }
            Question::Values { label, of, .. } => {
                let all = self.all(of.as_deref());
                let values = all.iter().filter_map(|it| it.get(label));
                words(values.map(str::to_owned).collect())
            }
            Question::Names { of, .. } => {
                let all = self.all(Some(of));
                let names = all.iter().flat_map(Labels::iter);
                words(names.map(|it| it.name.to_string()).collect())
            }
            Question::Config => words(vec![self.config.clone(), String::new()]),
            Question::Rules => Reply::Rules(self.rules.clone()),
            Question::Silences => Reply::Silences(self.silences.clone()),
            Question::Unconfirmed => Reply::Contacts(self.unconfirmed.clone()),
        };
        Ok(Arc::new(reply))
    }
}

fn report(example: &'static str) -> CheckReport {
    let files: Vec<_> = Lint::example_files(example).collect();
    let server = files.iter().find(|(name, _)| *name == "server.txt");
    let server = server.map(|(_, text)| Known::read(text));
    let files = files.into_iter().filter(|(name, _)| *name != "server.txt");
    let files: BTreeMap<PathBuf, String> = files
        .map(|(name, text)| (name.into(), text.to_owned()))
        .collect();
    let source = Texts(files);
    check(&CheckRequest {
        files: source.0.keys().cloned().collect(),
        source: &source,
        external_url: ExternalUrl::default(),
        readers: &[],
        now: NOW,
        online: server.as_ref().map(|server| OnlineRequest {
            name: "http://server".to_owned(),
            server,
            window: Duration::from_hours(72),
            n_at_once: 2,
            progress: &|_| {},
        }),
    })
}

/// The findings of some lint areas, one a line, for a rule file and a server.
fn found(rules: &str, server: &str) -> String {
    let example = format!("{rules}#= server.txt\n{server}").leak();
    let areas = [
        "promql/series",
        "promql/vector_matching",
        "query/",
        "alerts/template",
        "server/",
        "silences/",
        "rule/duplicate",
    ];
    let report = report(example);
    let findings = report
        .findings
        .iter()
        .filter(|found| areas.iter().any(|area| found.lint.id.starts_with(area)));
    let lines = findings.map(|found| {
        let (problem, lint) = (&found.problem, found.lint.id);
        let column = problem.at.map_or(0, |it| it.column);
        let hint = problem.hint.as_deref().unwrap_or("");
        format!(
            "{column} {} {lint}: {} [{hint}]\n",
            found.severity, problem.message
        )
    });
    lines.collect()
}

#[test]
fn every_lint_finds_what_its_bad_example_shows_and_nothing_in_the_good_one() {
    let mut wrong = Vec::new();
    for lint in CATALOGUE.iter().copied().flatten() {
        let has = |report: &CheckReport| report.findings.iter().any(|it| it.lint.id == lint.id);
        let (bad, good) = (report(lint.bad), report(lint.good));
        if !has(&bad) {
            wrong.push(format!("{}: nothing in the bad example", lint.id));
        }
        if has(&good) {
            wrong.push(format!("{}: found in the good example", lint.id));
        }
        for (which, report) in [("bad", &bad), ("good", &good)] {
            let broken = report
                .findings
                .iter()
                .filter(|it| it.lint.id == "file/invalid");
            for found in broken.filter(|it| it.lint.id != lint.id) {
                wrong.push(format!("{}: {which} example: {}", lint.id, found.problem));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_page_that_nobody_hears_of_is_told_by_the_clock_of_its_schedule() {
    let check = |schedule: &str, expected: &str| {
        let example = format!(
            "#= firebell.yml\noncall:\n  people: {{ana: {{ntfy: ana}}}}\n  schedules: \
             {{day: {{people: ana, hours: '09:00-17:00', gaps: allowed{schedule}}}}}\n\
             escalation:\n  all: [{{notify: schedule:day}}]\n"
        );
        let report = report(example.leak());
        let mut found = report.findings.iter();
        let found = found.find(|it| it.lint.id == "oncall/nobody-told").unwrap();
        assert_eq!(
            found.problem.message,
            format!(
                "a page of sev1 by `all` reaches nobody when it opens at {expected}, as nobody is on \
                 call then"
            )
        );
    };
    check(", zone: Europe/Madrid", "2027-01-15 17:00 (Europe/Madrid)");
    // It is eight there, and nobody is on call yet.
    check("", "2027-01-15 08:00 (UTC)");
}

fn check_found(exprs: &[(&str, expect_test::Expect)]) {
    for (expr, expected) in exprs {
        let rules = format!(
            "groups:\n  - name: g\n    rules:\n      - record: a:b\n        expr: '{expr}'\n"
        );
        expected.assert_eq(&found(&rules, SERVER));
    }
}

const SERVER: &str = "up{job=\"a\",instance=\"x\"} 1x600\nup{job=\"b\",instance=\"y\"} 1x600\n\
                      gone 1x300 _x300\nhttp_requests_total{code=\"200\"} 1x600\n\
                      seldom 1x9 _x300 1x9 _x300\nlately 1x600 _x60";

#[test]
fn series_that_are_not_there_are_named_with_what_is() {
    use expect_test::expect;
    check_found(&[
        ("sum(up)", expect![[""]]),
        ("sum(up{job=\"a\"} offset 1h)", expect![[""]]),
        (
            "sum(http_request_total)",
            expect![[r#"
                20 warning promql/series: there is no series `http_request_total`, and was none for 1w [did you mean `http_requests_total`?]
            "#]],
        ),
        (
            "sum(something_else)",
            expect![[r#"
                20 warning promql/series: there is no series `something_else`, and was none for 1w [mend the name, or what should export it]
            "#]],
        ),
        (
            "sum(up{job=\"aa\"})",
            expect![[r#"
                20 warning promql/series: no series of `up` has `job="aa"` [did you mean `a`?]
            "#]],
        ),
        (
            "sum(up{jobs=\"a\"})",
            expect![[r#"
                20 warning promql/series: `up` has no label `jobs` [did you mean `job`?]
            "#]],
        ),
        (
            "sum(up{job=\"a\",instance=\"y\"})",
            expect![[r#"
                20 warning promql/series: no series of `up` is all that `up{instance="y",job="a"}` asks for [leave one of the conditions out]
            "#]],
        ),
        (
            "sum(up{job=~\"c|d\"})",
            expect![[r#"
                20 warning promql/series: no series of `up` has `job=~"c|d"` [`job` is `a` and `b`]
            "#]],
        ),
    ]);
}

#[test]
fn series_that_were_there_are_named_with_when() {
    use expect_test::expect;
    check_found(&[
        (
            "sum(gone)",
            expect![[r#"
                20 warning promql/series: `gone` is there no more since 2027-01-15T03:00:00Z (5h ago) [mend what exported it, or the rule]
            "#]],
        ),
        ("sum(lately)", expect![[""]]),
        (
            "sum(seldom)",
            expect![[r#"
                20 info promql/series: `seldom` comes and goes: it was there in 0.3% of the last 1w, and last 5h ago [say what holds without it: `or vector(0)`, or `unless`]
            "#]],
        ),
        ("absent(nothing)", expect![[""]]),
        (
            "sum(http_requests_total{code=\"500\"}) or vector(0)",
            expect![[""]],
        ),
        ("sum(ALERTS{alertname=\"Nope\"})", expect![[""]]),
        (
            "sum(up{job=\"aa\"}) # pint disable promql/series(up)",
            expect![[""]],
        ),
    ]);
}

#[test]
fn joins_without_a_partner_are_named() {
    use expect_test::expect;
    check_found(&[
        (
            "sum by (job) (up) / sum by (instance) (up)",
            expect![[r#"
                34 warning promql/vector_matching: nothing matches, unless the series lack the label: the left side has `job`, the right side cannot have it [say `on (…)` with the labels that both sides share]
            "#]],
        ),
        (
            "sum by (job) (up{job=\"a\"}) / sum by (job) (up{job=\"b\"})",
            expect![[r#"
                    43 warning promql/vector_matching: no series of the left side finds a partner: it has `job`, the right side `job` [the names are the same, so the values differ: see what both sides say]
                "#]],
        ),
        ("up / up", expect![[""]]),
        ("up * on (job) group_left () (up > 5)", expect![[""]]),
    ]);
}

#[test]
fn a_server_that_is_down_is_said_once_and_the_rest_goes_on() {
    let rules = "groups:\n  - name: g\n    rules:\n      - record: a:b\n        expr: 'sum(up'\n";
    let report = report(format!("{rules}#= server.txt\nis down\n").leak());
    let ids: Vec<&str> = report.findings.iter().map(|it| it.lint.id).collect();
    assert_eq!(ids, ["server/unreachable", "promql/syntax"]);
    let server = report
        .files
        .iter()
        .find(|it| it.name == "http://server")
        .unwrap();
    assert_eq!(server.unreadable.as_deref(), Some("nobody is there"));
}

#[test]
fn a_silence_weighs_by_whether_a_rule_can_make_what_it_matches() {
    let rules = "groups:\n  - name: g\n    rules:\n      - {alert: A, expr: up == 0, for: 5m}\n";
    for (silence, expected) in [
        ("silence alertname=B", Some("warning")),
        ("silence alertname=A", Some("info")),
        ("silence job=x", Some("info")),
        ("ALERTS{alertname=\"A\",job=\"x\"} 1x9\nsilence job=x", None),
    ] {
        let report = report(format!("{rules}#= server.txt\nup 1x600\n{silence}\n").leak());
        let found = report.findings.iter();
        let mut found = found.filter(|it| it.lint.id == "silences/unmatched");
        let severity = found.next().map(|it| it.severity.name());
        assert_eq!(severity, expected, "{silence}");
    }
}

#[test]
fn a_rule_that_the_server_has_in_another_group_is_a_duplicate() {
    use expect_test::expect;
    let rules = "groups:\n  - name: g\n    rules:\n      - record: a:b\n        expr: 'sum(up)'\n";
    for (server, expected) in [
        // As it is loaded: it will be replaced.
        ("up 1x600\nrule g a:b sum(up)", expect![[""]]),
        ("up 1x600\nrule h a:c sum(up)", expect![[""]]),
        (
            "up 1x600\nrule h a:b sum(up)",
            expect![[r#"
            17 warning rule/duplicate: a rule of group `h` in the server records the same series [delete one, or tell them apart by a label]
        "#]],
        ),
    ] {
        expected.assert_eq(&found(rules, server));
    }
}

#[test]
fn silences_may_name_external_labels() {
    use expect_test::expect;
    let rules = "groups:\n  - name: g\n    rules:\n      - record: a:b\n        expr: 'sum(up)'\n";
    let server = "up 1x600\nALERTS{alertname=\"A\",alertstate=\"firing\"} 1x120\n\
                  config global: {external_labels: {dc: north}}\n";
    for (silence, expected) in [
        ("silence dc=north", expect![[""]]),
        (
            "silence dc=south",
            expect![[r#"
            0 info silences/unmatched: the silence of me for {dc="south"} matched no alert of the last 3d [silence 1; expire it, or mend its matchers]
        "#]],
        ),
    ] {
        expected.assert_eq(&found(rules, &format!("{server}{silence}")));
    }
}
