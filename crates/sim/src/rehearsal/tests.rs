//! What rehearsals of rules tell.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use expect_test::{Expect, expect};
use firebell_config::{Files, load_rule_files};
use firebell_promql::Features;

use super::*;

struct Text(&'static str);

impl Files for Text {
    fn read(&self, _path: &Path) -> io::Result<String> {
        Ok(self.0.to_owned())
    }

    fn glob(&self, pattern: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(vec![pattern.to_owned()])
    }
}

const RULES: &str = r#"
groups:
- name: http
  rules:
  - record: route:errors:ratio
    expr: |
      sum by (route) (rate(http_requests_total{status=~"5.."}[1m]))
        / sum by (route) (rate(http_requests_total[1m]))
  - alert: HighErrorRate
    expr: route:errors:ratio > 0.02
    for: 30s
    labels: {severity: critical}
    annotations: {summary: "{{ $value | humanizePercentage }} of requests to {{ $labels.route }} fail"}
  - alert: Slow
    expr: histogram_quantile(0.5, sum by (le) (rate(http_server_request_duration_seconds_bucket[1m]))) > 0.4
  - alert: Broken
    expr: vector(1) == on() group_left() (up or vector(2))
"#;

fn rehearsal(seed: u64) -> Rehearsal {
    let path = [PathBuf::from("rules.yml")];
    let groups = load_rule_files(&path, &Text(RULES), Features::default(), false).unwrap();
    Rehearsal::new(&groups, Duration::from_secs(5), seed)
}

fn traffic(error_rate: f64, latency_ms: i64) -> Traffic {
    Traffic {
        route: "/".to_owned(),
        rps: 50.0,
        error_rate,
        latency: Duration(latency_ms),
    }
}

fn phase(rehearsal: &mut Rehearsal, traffic: Traffic, mins: i64) {
    rehearsal.set_traffic(traffic);
    rehearsal.advance(Duration::from_mins(mins));
}

fn story(rehearsal: &Rehearsal, expected: Expect) {
    let line = |it: &AlertChange| {
        let summary = it.annotations.value("summary");
        format!("{} {} {} {summary}", it.at, it.rule, it.state)
    };
    let changes = rehearsal.changes().iter().map(line);
    let errors = rehearsal
        .errors()
        .map(|(error, at)| format!("{at} {error}"));
    let lines: Vec<String> = changes.chain(errors).collect();
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn a_fault_fires_and_is_over() {
    let mut rehearsal = rehearsal(7);
    phase(&mut rehearsal, traffic(0.001, 20), 10);
    phase(&mut rehearsal, traffic(0.05, 20), 2);
    phase(&mut rehearsal, traffic(0.001, 600), 10);
    story(
        &rehearsal,
        expect![[r#"
        10m20s HighErrorRate pending 2.228% of requests to / fail
        10m50s HighErrorRate firing 5.275% of requests to / fail
        12m35s HighErrorRate inactive 2.143% of requests to / fail
        12m45s Slow firing 
        5s Broken: found duplicate series for the match group {} on the right hand-side of the operation: [{}, {__name__="up", instance="app:8000", job="app"}];many-to-many matching not allowed: matching labels must be unique on one side"#]],
    );
}

#[test]
fn who_waits_for_an_alert_in_vain_is_told_how_near_it_came() {
    let mut rehearsal = rehearsal(7);
    phase(&mut rehearsal, traffic(0.01, 20), 10);
    let closest = rehearsal.closest("HighErrorRate").unwrap();
    assert_eq!(closest.bound, "> 0.02");
    assert!((0.01..0.02).contains(&closest.value), "{closest:?}");
    assert_eq!(rehearsal.closest("Missing"), None);
}

#[test]
fn the_same_seed_gives_the_same_numbers_and_another_one_others() {
    let of = |seed| {
        let mut rehearsal = rehearsal(seed);
        phase(&mut rehearsal, traffic(0.05, 20), 10);
        let found = rehearsal.query("sum by (status) (http_requests_total)");
        let found = found.unwrap().into_iter();
        let counts = found.map(|it| (it.labels.to_string(), it.value.float_or_zero()));
        counts.collect::<BTreeMap<_, _>>()
    };
    let counts = of(1);
    assert_eq!(counts, of(1));
    assert_ne!(counts, of(2));
    let n = |status| counts[&format!("{{status=\"{status}\"}}")];
    assert!((28_000.0..30_000.0).contains(&n(200)), "{counts:?}");
    assert!((1_300.0..1_700.0).contains(&n(500)), "{counts:?}");
}

#[test]
fn latencies_are_as_they_are_told() {
    let mut rehearsal = rehearsal(7);
    phase(&mut rehearsal, traffic(0.0, 100), 10);
    let value = |expr: &str| rehearsal.query(expr).unwrap()[0].value.float_or_zero();
    let quantile = |q: &str| {
        value(&format!(
            "histogram_quantile({q}, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))"
        ))
    };
    assert!((quantile("0.5") - 0.1).abs() < 0.005);
    assert!((quantile("0.9") - 0.2).abs() < 0.05);
    let mean = value(
        "sum(rate(http_request_duration_seconds_sum[5m])) / sum(rate(http_request_duration_seconds_count[5m]))",
    );
    assert!((mean - 0.1 * 1.075).abs() < 1e-9);
}

#[test]
fn series_are_written_as_promtool_has_them() {
    let mut rehearsal = rehearsal(7);
    rehearsal
        .add_series(r#"queue{name="mail"} 1+1x10"#)
        .unwrap();
    rehearsal.advance(Duration::from_secs(12));
    let found = rehearsal.query("queue").unwrap();
    assert_eq!(found[0].value.float_or_zero(), 2.0);
    assert_eq!(rehearsal.now(), Duration::from_secs(12));
    assert!(rehearsal.add_series("queue{ 1").is_err());
    assert!(rehearsal.query("sum(").is_err());
}
