//! Unit tests of rules, from files in memory.

mod own;
mod pages;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use expect_test::{Expect, expect};
use firebell_config::{Files, OsFiles, load_rule_files, parse_unit_tests};
use firebell_promql::Features;
use firebell_rules::AlertInstance;

use super::play::{Played, Scene};
use super::{FileReport, Options, columns, in_order, input, judge_together, run_file, ticks};

struct Memory(BTreeMap<PathBuf, String>);

impl Files for Memory {
    fn read(&self, path: &Path) -> io::Result<String> {
        let text = self.0.get(path).cloned();
        text.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn glob(&self, pattern: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(self
            .0
            .keys()
            .filter(|path| *path == pattern)
            .cloned()
            .collect())
    }
}

fn options() -> Options<'static> {
    Options {
        features: Features::default(),
        delays_name_removal: false,
        run: Vec::new(),
        is_debug: false,
        is_diff: false,
        ignores_unknown: false,
        is_strict: false,
        elapsed: &|| std::time::Duration::ZERO,
    }
}

fn files(rules: &str, test: &str) -> Memory {
    let rules = format!("groups:\n{rules}");
    let test = format!("rule_files: [r.yml]\n{test}");
    Memory(BTreeMap::from([
        ("r.yml".into(), rules),
        ("t.yml".into(), test),
    ]))
}

/// Rules, a test, and what is printed of it.
fn check_with(rules: &str, test: &str, options: &Options<'_>, expected: Expect) {
    let report = run_file(Path::new("t.yml"), &files(rules, test), options);
    let lines = [report.notes, report.errors].concat();
    // A first line without indent keeps the indents of the others.
    expected.assert_eq(&format!("said:\n{}\n", lines.join("\n")));
}

fn check(rules: &str, test: &str, expected: Expect) {
    check_with(rules, test, &options(), expected);
}

const DOWN: &str = r#"
- name: g
  rules:
  - alert: Down
    expr: up == 0
    for: 2m
    labels: {severity: page}
    annotations: {summary: '{{ $labels.job }} at {{ $value }}'}
"#;

#[test]
fn only_what_fires_at_the_tick_is_compared() {
    let test = "
tests:
- name: down
  input_series: [{series: 'up{job=\"a\"}', values: 0x10}]
  alert_rule_test:
  - {eval_time: 1m59s, alertname: Down}
  - {eval_time: 2m59s, alertname: Down}
  - eval_time: 3m
    alertname: Down
    exp_alerts:
    - exp_labels: {severity: page, job: a}
      exp_annotations: {summary: a at 0}
";
    check(
        DOWN,
        test,
        expect![[r#"
            said:
                name: down,
                alertname: Down, time: 2m59s, 
                    exp:[], 
                    got:[
                        0:
                          Labels:{alertname="Down", job="a", severity="page"}
                          Annotations:{summary="a at 0"}
                        ]
        "#]],
    );
}

#[test]
fn states_and_their_beginnings_are_compared_where_a_test_says_them() {
    let test = "
tests:
- input_series: [{series: 'up{job=\"a\"}', values: 1 0x10}]
  alert_rule_test:
  - eval_time: 2m
    alertname: Down
    groupname: g
    exp_alerts:
    - exp_labels: {severity: page, job: a}
      exp_annotations: {summary: a at 0}
      exp_state: pending
      exp_since: 1m
  - eval_time: 3m
    alertname: Down
    exp_alerts:
    - exp_labels: {severity: page, job: a}
      exp_annotations: {summary: a at 0}
      exp_since: 2m
";
    check(
        DOWN,
        test,
        expect![[r#"
            said:
                alertname: Down, time: 3m, 
                    exp:[
                        0:
                          Labels:{alertname="Down", job="a", severity="page"}
                          Annotations:{summary="a at 0"}
                          State:firing since 2m
                        ], 
                    got:[
                        0:
                          Labels:{alertname="Down", job="a", severity="page"}
                          Annotations:{summary="a at 0"}
                          State:firing since 3m
                        ]
        "#]],
    );
}

#[test]
fn a_rule_that_fails_ends_the_test_though_nobody_reads_it() {
    let rules = "
- name: g
  rules:
  - record: a
    expr: up * on (job) up
  - record: b
    expr: up
  - record: b
    expr: up + 1
";
    let test = "
tests:
- input_series:
  - {series: 'up{job=\"a\", i=\"1\"}', values: _ 1}
  - {series: 'up{job=\"a\", i=\"2\"}', values: _ 1}
  promql_expr_test: [{expr: up, eval_time: 5m}]
";
    check(
        rules,
        test,
        expect![[r#"
            said:
                rule: a, time: 1m0s, err: found duplicate series for the match group {job="a"} on the right hand-side of the operation: [{__name__="up", i="1", job="a"}, {__name__="up", i="2", job="a"}];many-to-many matching not allowed: matching labels must be unique on one side
                rule: b, time: 1m0s, err: duplicate sample for timestamp 60000; overrides not allowed: existing 1, new value 2
        "#]],
    );
}

#[test]
fn what_passes_without_testing_anything_fails_when_asked() {
    let test = "
rule_files: [r.yml, nothing.yml]
tests:
- name: empty
- name: other
  input_series:
  - series: other
    values: |
      1 1

  - {series: lost, values: 1}
  alert_rule_test:
  - {eval_time: 1m, alertname: Gone}
  - {eval_time: 1m, alertname: Down}
  - {eval_time: 1m, alertname: Down, exp_alerts: []}
";
    let test = test.replace("rule_files: [r.yml, nothing.yml]\n", "");
    let strict = Options {
        is_strict: true,
        ..options()
    };
    check_with(
        DOWN,
        &test,
        &strict,
        expect![[r#"
            said:
                strict: name: empty, nothing is expected
                strict: name: other, no rule defines the alert `Gone` that is tested at 1m
                strict: name: other, exp_alerts of `Down` at 1m is missing: write [] if none is meant
                strict: name: other, `Down` cannot fire: it reads series that the test does not give
                strict: name: other, the last 1 of input_series are lost after an empty line in values
                strict: name: other, nothing reads the input series other
        "#]],
    );
    check(DOWN, &test, expect![["said:\n\n"]]);
}

#[test]
fn who_is_told_of_what_is_compared_with_routes_of_an_alertmanager() {
    let routes = "
route: {receiver: pager, group_by: [alertname], group_wait: 30s}
receivers: [{name: pager, webhook_configs: [{url: http://127.0.0.1:1/}]}]
";
    let test = "
tests:
- input_series: [{series: 'up{job=\"a\"}', values: 0x10}]
  notification_test:
    config: am.yml
    until: 8m
    exp_notifications: ['2m30s notify pager/webhook: first [firing Down b]']
";
    let mut files = files(DOWN, test);
    files.0.insert("am.yml".into(), routes.to_owned());
    let report = run_file(Path::new("t.yml"), &files, &options());
    expect![[r#"
        said:
            notifications until: 8m,
                exp:
                    2m30s notify pager/webhook: first [firing Down b]
                got:
                    2m30s notify pager/webhook: first [firing Down{job="a", severity="page"}]
    "#]]
    .assert_eq(&format!("said:\n{}\n", report.errors.join("\n")));
}

/// Plays the first test of a file both ways.
fn both_ways(rules: &str, test: &str) -> (Option<Played>, Played) {
    let files = files(rules, test);
    let tests = parse_unit_tests(Path::new("t.yml"), &files.0[Path::new("t.yml")]).unwrap();
    let groups = load_rule_files(&["r.yml".into()], &files, Features::ALL, false).unwrap();
    let groups = in_order(groups, &tests.group_eval_order);
    let test = &tests.tests[0];
    let inputs = input::read(test).unwrap();
    let scene = Scene::new(test, &tests, &groups, &inputs, &options());
    let scene = scene.unwrap_or_else(|error| panic!("{error}"));
    let columns = scene
        .needs
        .are_columns_enough
        .then(|| columns::play(&scene));
    (columns.flatten(), ticks::play(&scene))
}

#[test]
fn columns_give_what_ticks_give() {
    let rules = r#"
- name: g
  rules:
  - record: ratio
    expr: sum by (job) (rate(bad[2m])) / sum by (job) (rate(all[2m]))
  - record: ratio:max
    expr: max_over_time(ratio[10m])
    labels: {kind: max}
  - alert: High
    expr: ratio:max > 0.1
    for: 3m
    keep_firing_for: 2m
    annotations: {v: '{{ $value }}'}
  - record: n_alerts
    expr: count by (alertstate) (ALERTS{alertname="High"})
- name: unread
  rules:
  - alert: Unread
    expr: all > 3
"#;
    let test = "
tests:
- interval: 30s
  input_series:
  - {series: 'all{job=\"a\"}', values: 0+10x80}
  - {series: 'all{job=\"b\"}', values: 0+10x20 _x10 0+5x50}
  - {series: 'bad{job=\"a\"}', values: 0+0x10 1+3x20 61+0x50}
  - {series: 'bad{job=\"b\"}', values: 0+2x20 stale _x9 0+1x50}
  alert_rule_test:
  - {eval_time: 9m, alertname: High}
  - {eval_time: 25m, alertname: High}
  promql_expr_test:
  - {expr: n_alerts, eval_time: 30m}
";
    let (columns, ticks) = both_ways(rules, test);
    let columns = columns.unwrap();
    assert_eq!(
        format!("{:?}", columns.alerts),
        format!("{:?}", ticks.alerts)
    );
    assert!(format!("{:?}", ticks.alerts).contains("Firing"));
    for name in [
        "ratio",
        "ratio:max",
        "n_alerts",
        "ALERTS",
        "ALERTS_FOR_STATE",
        "all",
    ] {
        let dump = |played: &Played| {
            let plan = firebell_promql::Plan::new(&format!("{name}[1h]")).unwrap();
            let mut prepared = firebell_promql::Prepared::new(plan);
            let (at, options) = (firebell_model::Timestamp(1_800_000), Default::default());
            format!("{:?}", prepared.instant(&played.memory, at, &options))
        };
        assert_eq!(dump(&columns), dump(&ticks), "{name}");
        assert!(dump(&ticks).contains("at:"), "{name}");
    }
}

#[test]
fn alerts_that_nobody_reads_stand_at_each_moment_as_if_all_ticks_were_played() {
    for hold_for in ["0s", "90s", "3m", "1h"] {
        let rules = format!(
            "- name: g\n  rules:\n  - {{alert: High, expr: '{{__name__=~\"a|b\"}} > 1', for: {hold_for}}}\n"
        );
        for minute in 0..40 {
            let test = format!(
                "
tests:
- input_series:
  - {{series: 'a{{i=\"0\"}}', values: 5x3 stale _x7 4x1 0 4+1x20}}
  - {{series: 'b{{i=\"0\"}}', values: _x3 0 2x2 stale 3 stale 2x1 stale}}
  - {{series: 'b{{i=\"1\"}}', values: 0 2 0 2 2 0 2 2 2 0 2 2 2 2 0 2x4 0x20}}
  alert_rule_test: [{{eval_time: {minute}m, alertname: High}}]
"
            );
            let (columns, ticks) = both_ways(&rules, &test);
            let active = |played: Played| -> Vec<_> {
                let alerts = played.alerts.into_values().flatten();
                let active = alerts.flat_map(|it| it.alerts).filter(|it| it.is_active());
                let shown = |it: AlertInstance| (it.labels, it.value, it.active_at, it.phase);
                active.map(shown).collect()
            };
            let columns = columns.map(active);
            assert_eq!(columns, Some(active(ticks)), "{hold_for} at {minute}m");
        }
    }
}

#[test]
fn rules_that_read_later_ones_or_the_future_are_left_to_the_ticks() {
    let test = "
tests:
- input_series: [{series: up, values: 0+1x10}]
  promql_expr_test: [{expr: a, eval_time: 5m}]
";
    for (expr, expected) in [
        ("up", true),
        ("b", false),
        ("a or up", false),
        ("up offset -1m", false),
        ("up @ 60", false),
        ("up * start()", false),
        ("sum_over_time(up[3m:1m] offset 1m)", true),
    ] {
        let rules = format!(
            "- name: g\n  rules:\n  - {{record: a, expr: '{expr}'}}\n  - {{record: b, expr: up}}\n"
        );
        assert_eq!(both_ways(&rules, test).0.is_some(), expected, "{expr}");
    }
}

#[test]
fn the_corpus_passes() {
    let corpus = std::env::var("FIREBELL_CORPUS");
    let corpus = corpus.unwrap_or_else(|_| "../../../shared/corpus".to_owned());
    let folder = Path::new(&corpus).join("promtool");
    if !folder.is_dir() {
        eprintln!("no corpus at {}: nothing is tested", folder.display());
        return;
    }
    for (name, n_errors) in [
        ("unittest.yml", 0),
        ("long-period.yml", 0),
        ("rules_run.yml", 1),
    ] {
        let report = run_file(&folder.join(name), &OsFiles, &options());
        assert_eq!(report.errors.len(), n_errors, "{name}: {:?}", report.errors);
    }
}
