//! A restart changes nothing. This replaces item 14 of the list, upstream's restoring of `for`.

use std::collections::VecDeque;

use expect_test::expect;
use firebell_model::{Duration, Labels};
use proptest::prelude::*;

use crate::world::{Show, World, rules, run};

const BEFORE: &str = "
    external dc=north
    group g every 20s
    alert Slow | cpu > 1 | for 70s | keep 45s | note v: {{ $value }}
    alert Now | cpu > 2 | label severity: page
    record cpu:copy | cpu
    alert Odd | cpu * 10 | anomaly robust both 1 | keep 20s | note v: {{ $value }} {{ $score }} {{ $lower }}
    alert Flaps | cpu > 1 | flap 2 within 3m | clear cpu < 1 | no_data alert 20s
    alert Kept | cpu > 1 | no_data keep | on_error alert 20s
    failing 30s
    group h every 1m offset 10s limit 2
    alert Copied | cpu:copy > 1 | for 1m
    record cpu:other | cpu:copy";

// `Slow` waits longer, `Now` has moved, `cpu:other` is gone.
const AFTER: &str = "
    external dc=north
    group g every 20s
    alert Slow | cpu > 1 | for 2m | keep 45s | note v: {{ $value }}
    record cpu:copy | cpu
    alert Odd | cpu * 10 | anomaly zscore up
    alert Flaps | cpu > 1 | flap 1 within 5m
    group h every 1m offset 10s limit 2
    alert Kept | cpu > 1 | no_data keep
    alert Now | cpu > 2 | label severity: page
    alert Copied | cpu:copy > 1 | for 1m";

#[derive(Clone, Debug)]
struct Step {
    after_secs: i64,
    what: String,
    is_restart: bool,
    is_compaction: bool,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let what = prop_oneof![
        8 => (0..3_usize, 0..4_i32)
            .prop_map(|(idx, value)| format!("cpu{{{}}}={value}", ["a", "b", "c"][idx])),
        4 => (0..3_usize).prop_map(|idx| format!("cpu{{{}}}=gone", ["a", "b", "c"][idx])),
        1 => Just("broken".to_owned()),
        2 => Just("mended".to_owned()),
        1 => Just("reload".to_owned()),
    ];
    let step = (1..120_i64, what, any::<bool>(), prop::bool::weighted(0.2)).prop_map(
        |(after_secs, what, is_restart, is_compaction)| Step {
            after_secs,
            what,
            is_restart,
            is_compaction,
        },
    );
    prop::collection::vec(step, 1..60)
}

fn transcript(steps: &[Step], with_restarts: bool) -> String {
    let show = Show {
        writes: true,
        told: true,
        errors: false,
    };
    let mut world = World::new(rules(BEFORE), show);
    let mut reloads: VecDeque<_> = [AFTER, BEFORE]
        .map(rules)
        .into_iter()
        .cycle()
        .take(60)
        .collect();
    let mut at = Duration::ZERO;
    for step in steps {
        at = at + Duration::from_secs(step.after_secs);
        world.run_until(at);
        if with_restarts && step.is_compaction {
            world.compact();
        }
        if with_restarts && step.is_restart {
            world.restart();
        }
        world.happen(&step.what, &mut reloads);
    }
    world.run_until(at + Duration::from_mins(20));
    // What a detector learnt in the last minutes is not written down yet: what a restart may cost
    // there, the property test of `anomaly::watch` says.
    let lines = world.transcript.lines();
    let lines = lines.filter(|line| !line.contains("alertname=\"Odd\""));
    lines.fold(String::new(), |all, line| all + line + "\n")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    #[test]
    fn item_14_a_restart_at_any_moment_changes_nothing(steps in steps()) {
        prop_assert_eq!(transcript(&steps, true), transcript(&steps, false));
    }
}

fn check(texts: &[&str], timeline: &str, expected: expect_test::Expect) {
    let show = Show {
        told: true,
        writes: false,
        errors: true,
    };
    let mut world = World::new(rules(texts[0]), show);
    let reloads = texts[1..].iter().map(|text| rules(text)).collect();
    run(&mut world, timeline, reloads);
    expected.assert_eq(&world.transcript);
}

#[test]
fn a_for_timer_of_any_length_goes_on_after_a_restart() {
    check(
        &["group g every 1m
           alert Slow | cpu > 0 | for 2m"],
        "0s cpu{a}=1 · 90s restart · 4m end",
        expect![[r#"
            0s {alertname="Slow", instance="a"} pending
            2m {alertname="Slow", instance="a"} firing
            2m tell {alertname="Slow", instance="a"} fires since 2m
        "#]],
    );
}

#[test]
fn after_a_downtime_a_group_waits_for_new_samples_before_it_judges() {
    check(
        &["group g every 15s
           alert Down | cpu > 0"],
        "0s cpu{a}=1 · 10s sleep10m restart cpu{a}=gone · 11m cpu{a}=1 · 12m cpu{a}=gone · 13m end",
        expect![[r#"
            0s {alertname="Down", instance="a"} firing
            0s tell {alertname="Down", instance="a"} fires since 0s
            12m {alertname="Down", instance="a"} inactive
            12m tell {alertname="Down", instance="a"} fired 0s to 12m
        "#]],
    );
}

#[test]
fn what_a_rule_left_that_is_gone_after_the_restart_ends() {
    check(
        &[
            "group g every 1m
             alert Down | cpu > 0",
            "group g every 1m
             alert Up | cpu > 5",
        ],
        "0s cpu{a}=1 · 30s restart-with · 1m end",
        expect![[r#"
            0s {alertname="Down", instance="a"} firing
            0s tell {alertname="Down", instance="a"} fires since 0s
            30s {alertname="Down", instance="a"} gone
            30s tell {alertname="Down", instance="a"} fired 0s to 30s
        "#]],
    );
}

#[test]
fn a_rule_that_moves_to_another_group_takes_its_alerts_along() {
    check(
        &[
            "group g every 1m
             alert Down | cpu > 0 | for 1m",
            "group h every 1m
             alert Down | cpu > 0 | for 1m",
        ],
        "0s cpu{a}=1 · 90s reload · 150s restart cpu{a}=gone · 4m end",
        expect![[r#"
            0s {alertname="Down", instance="a"} pending
            1m {alertname="Down", instance="a"} firing
            1m tell {alertname="Down", instance="a"} fires since 1m
            2m39s {alertname="Down", instance="a"} inactive
            2m39s tell {alertname="Down", instance="a"} fired 1m to 2m39s
        "#]],
    );
}

#[test]
fn records_of_later_versions_do_no_harm() {
    for line in [
        r#"{"record":"from_the_future","x":[1]}"#,
        r#"{"record":"slot","file":"f","group":"g","at":5,"more":true}"#,
        r#"{"record":"alert","rule":{"file":"f","group":"g","rule":"r","labels":7,"extra":0},
            "alert":{"labels":{"a":"b"},"annotations":{},"value":"NaN","active_at":1,
            "state":"firing","fired_at":1,"hue":"red"}}"#,
    ] {
        let record: firebell_rules::RuleRecord = serde_json::from_str(line).unwrap();
        World::new(rules("group g every 1m"), Show::default()).restore(record);
    }
}

#[test]
fn item_14_the_first_start_takes_for_over_from_an_imported_prometheus() {
    let show = Show {
        told: true,
        writes: true,
        errors: true,
    };
    let text = "group g every 1m
                alert Slow | cpu > 0 | for 30m";
    let mut world = World::new(rules(text), show);
    let start = world.start_secs();
    let mut remember = |alert: &str, instance: &str, mins: i64, value: f64| {
        let labels = Labels::from_pairs([
            ("__name__", "ALERTS_FOR_STATE"),
            ("alertname", alert),
            ("instance", instance),
        ]);
        world.remember(&labels, Duration::from_mins(mins), value);
    };
    // Burnt for 35 minutes when Prometheus was last seen, 8 minutes ago.
    remember("Slow", "a", 8, start - 43.0 * 60.0);
    // Had waited for 10 of 30 minutes.
    remember("Slow", "b", 8, start - 18.0 * 60.0);
    // Had ended; was never there.
    remember("Slow", "c", 8, firebell_model::STALE_NAN);
    let timeline = "0s cpu{a}=1 cpu{b}=1 cpu{c}=1 cpu{d}=1 · 130s restart · 3m end";
    run(&mut world, timeline, VecDeque::new());
    expect![[r#"
        0s {alertname="Slow", instance="a"} pending
        0s {alertname="Slow", instance="b"} pending
        0s {alertname="Slow", instance="c"} pending
        0s {alertname="Slow", instance="d"} pending
        2m {alertname="Slow", instance="a"} firing
        2m ALERTS{alertname="Slow", alertstate="firing", instance="a"} 1 @2m
        2m ALERTS_FOR_STATE{alertname="Slow", instance="a"} 1699997424 @2m
        2m ALERTS{alertname="Slow", alertstate="pending", instance="b"} 1 @2m
        2m ALERTS_FOR_STATE{alertname="Slow", instance="b"} 1699999464 @2m
        2m ALERTS{alertname="Slow", alertstate="pending", instance="c"} 1 @2m
        2m ALERTS_FOR_STATE{alertname="Slow", instance="c"} 1700000004 @2m
        2m ALERTS{alertname="Slow", alertstate="pending", instance="d"} 1 @2m
        2m ALERTS_FOR_STATE{alertname="Slow", instance="d"} 1700000004 @2m
        2m tell {alertname="Slow", instance="a"} fires since 2m
        3m ALERTS{alertname="Slow", alertstate="firing", instance="a"} 1 @3m
        3m ALERTS_FOR_STATE{alertname="Slow", instance="a"} 1699997424 @3m
        3m ALERTS{alertname="Slow", alertstate="pending", instance="b"} 1 @3m
        3m ALERTS_FOR_STATE{alertname="Slow", instance="b"} 1699999464 @3m
        3m ALERTS{alertname="Slow", alertstate="pending", instance="c"} 1 @3m
        3m ALERTS_FOR_STATE{alertname="Slow", instance="c"} 1700000004 @3m
        3m ALERTS{alertname="Slow", alertstate="pending", instance="d"} 1 @3m
        3m ALERTS_FOR_STATE{alertname="Slow", instance="d"} 1700000004 @3m
    "#]]
    .assert_eq(&world.transcript);
}
