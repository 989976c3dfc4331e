//! Firebell's own keys of a rule: what happens without data, on errors, between two thresholds,
//! to alerts that flap, and in the shadow.

use expect_test::{Expect, expect};

use crate::world::{Show, World, rules, run};

fn check(text: &str, timeline: &str, expected: Expect) {
    check_reloads(&[text], timeline, expected);
}

fn check_reloads(texts: &[&str], timeline: &str, expected: Expect) {
    let told = Show {
        told: true,
        errors: true,
        ..Show::default()
    };
    check_shown(told, texts, timeline, expected);
}

fn check_shown(show: Show, texts: &[&str], timeline: &str, expected: Expect) {
    let mut world = World::new(rules(texts[0]), show);
    let reloads = texts[1..].iter().map(|text| rules(text)).collect();
    run(&mut world, timeline, reloads);
    expected.assert_eq(&world.transcript);
}

#[test]
fn without_data_an_alert_ends_as_upstream() {
    check(
        "group g every 1m
         alert High | cpu > 5",
        "0s cpu{a}=9 · 30s cpu{a}=gone · 1m end",
        expect![[r#"
            0s {alertname="High", instance="a"} firing
            0s tell {alertname="High", instance="a"} fires since 0s
            1m {alertname="High", instance="a"} inactive
            1m tell {alertname="High", instance="a"} fired 0s to 1m
        "#]],
    );
}

#[test]
fn without_data_alerts_may_stay_as_they_are() {
    check(
        "group g every 1m
         alert High | cpu > 5 | no_data keep | keep 1m
         alert Slow | cpu > 5 | no_data keep | for 5m",
        "0s cpu{a}=9 · 90s cpu{a}=gone · 210s cpu{a}=9 · 270s cpu{a}=1 · 8m end",
        expect![[r#"
            0s {alertname="High", instance="a"} firing
            0s {alertname="Slow", instance="a"} pending
            0s tell {alertname="High", instance="a"} fires since 0s
            2m {alertname="High", instance="a"} firing, held: NoData
            4m {alertname="High", instance="a"} firing
            5m {alertname="High", instance="a"} firing, kept since 5m
            5m {alertname="Slow", instance="a"} gone
            6m {alertname="High", instance="a"} inactive
            6m tell {alertname="High", instance="a"} fired 0s to 6m
        "#]],
    );
}

#[test]
fn missing_data_can_be_an_alert_of_its_own_as_in_grafana() {
    check(
        "group g every 1m
         alert High | sum by (instance) (rate(cpu[2m])) > 5 or disk > 5 | for 1m | no_data alert 2m | label severity: page | label of: {{ $labels.instance }} | note v: {{ $value }}",
        "0s cpu{a}=1 · 90s cpu{a}=gone · 330s disk{a}=1 · 6m end",
        expect![[r#"
            2m {alertname="DatasourceNoData", rule_group="g", rulename="High", severity="page"} pending
            4m {alertname="DatasourceNoData", rule_group="g", rulename="High", severity="page"} firing
            4m tell {alertname="DatasourceNoData", rule_group="g", rulename="High", severity="page"} fires since 4m {reason="no series that the expression asks for has a sample", state_reason="NoData", v="NaN"}
            6m {alertname="DatasourceNoData", rule_group="g", rulename="High", severity="page"} inactive
            6m tell {alertname="DatasourceNoData", rule_group="g", rulename="High", severity="page"} fired 4m to 6m {reason="no series that the expression asks for has a sample", state_reason="NoData", v="NaN"}
        "#]],
    );
    // What says that something is missing has a result exactly then.
    check(
        "group g every 1m
         alert Gone | absent(cpu) | no_data alert",
        "0s cpu{a}=1 · 90s cpu{a}=gone · 2m end",
        expect![[r#"
            2m {alertname="Gone"} firing
            2m tell {alertname="Gone"} fires since 2m
        "#]],
    );
}

#[test]
fn a_rule_that_fails_can_end_its_alerts_or_say_so_in_its_own_name() {
    check(
        "group g every 1m
         alert Ends | cpu > 5 | on_error ok
         alert Says | cpu > 5 | on_error alert 1m | label severity: page",
        "0s cpu{a}=9 · 30s broken · 150s mended · 3m end",
        expect![[r#"
            0s {alertname="Ends", instance="a"} firing
            0s {alertname="Says", instance="a", severity="page"} firing
            0s tell {alertname="Ends", instance="a"} fires since 0s
            0s tell {alertname="Says", instance="a", severity="page"} fires since 0s
            1m {alertname="DatasourceError", rule_group="g", rulename="Says", severity="page"} pending
            1m {alertname="Ends", instance="a"} inactive
            1m Ends fails: failed to read series: the disk is gone
            1m Says fails: failed to read series: the disk is gone
            1m tell {alertname="Ends", instance="a"} fired 0s to 1m
            2m {alertname="DatasourceError", rule_group="g", rulename="Says", severity="page"} firing
            2m tell {alertname="DatasourceError", rule_group="g", rulename="Says", severity="page"} fires since 2m {reason="failed to read series: the disk is gone", state_reason="Error"}
            3m {alertname="DatasourceError", rule_group="g", rulename="Says", severity="page"} inactive
            3m {alertname="Ends", instance="a"} firing
            3m tell {alertname="Ends", instance="a"} fires since 3m
            3m tell {alertname="DatasourceError", rule_group="g", rulename="Says", severity="page"} fired 2m to 3m {reason="failed to read series: the disk is gone", state_reason="Error"}
        "#]],
    );
}

#[test]
fn a_rule_that_fails_is_told_by_firebell_itself() {
    check(
        "failing 2m
         group g every 1m limit 1
         alert High | cpu > 5 | label severity: warn
         alert High | cpu > 5 | label severity: page
         record total | cpu
         alert Well | up == 0 | mode shadow",
        "0s cpu{a}=9 up{a}=0 · 30s cpu{b}=9 · 210s restart · 270s cpu{b}=gone · 5m end",
        expect![[r#"
            0s {alertname="High", instance="a", severity="page"} firing
            0s {alertname="High", instance="a", severity="warn"} firing
            0s {alertname="Well", instance="a"} firing
            0s tell {alertname="High", instance="a", severity="warn"} fires since 0s
            0s tell {alertname="High", instance="a", severity="page"} fires since 0s
            1m {alertname="FirebellRuleFailing", rule="High", rule_file="rules.yml", rule_group="g", rule_nth="2", severity="warning"} pending
            1m {alertname="FirebellRuleFailing", rule="High", rule_file="rules.yml", rule_group="g", severity="warning"} pending
            1m {alertname="FirebellRuleFailing", rule="total", rule_file="rules.yml", rule_group="g", severity="warning"} pending
            1m {alertname="High", instance="a", severity="page"} gone
            1m {alertname="High", instance="a", severity="warn"} gone
            1m High fails: exceeded limit of 1 with 2 alerts
            1m total fails: exceeded limit of 1 with 2 series
            1m tell {alertname="High", instance="a", severity="warn"} fired 0s to 5m
            1m tell {alertname="High", instance="a", severity="page"} fired 0s to 5m
            3m {alertname="FirebellRuleFailing", rule="High", rule_file="rules.yml", rule_group="g", rule_nth="2", severity="warning"} firing
            3m {alertname="FirebellRuleFailing", rule="High", rule_file="rules.yml", rule_group="g", severity="warning"} firing
            3m {alertname="FirebellRuleFailing", rule="total", rule_file="rules.yml", rule_group="g", severity="warning"} firing
            3m tell {alertname="FirebellRuleFailing", rule="High", rule_file="rules.yml", rule_group="g", severity="warning"} fires since 3m {description="exceeded limit of 1 with 2 alerts", summary="Rule High of group g fails: what it watches is not seen."}
            3m tell {alertname="FirebellRuleFailing", rule="High", rule_file="rules.yml", rule_group="g", rule_nth="2", severity="warning"} fires since 3m {description="exceeded limit of 1 with 2 alerts", summary="Rule High of group g fails: what it watches is not seen."}
            3m tell {alertname="FirebellRuleFailing", rule="total", rule_file="rules.yml", rule_group="g", severity="warning"} fires since 3m {description="exceeded limit of 1 with 2 series", summary="Rule total of group g fails: what it watches is not seen."}
            4m High fails: exceeded limit of 1 with 2 alerts
            4m total fails: exceeded limit of 1 with 2 series
            5m {alertname="FirebellRuleFailing", rule="High", rule_file="rules.yml", rule_group="g", rule_nth="2", severity="warning"} inactive
            5m {alertname="FirebellRuleFailing", rule="High", rule_file="rules.yml", rule_group="g", severity="warning"} inactive
            5m {alertname="FirebellRuleFailing", rule="total", rule_file="rules.yml", rule_group="g", severity="warning"} inactive
            5m {alertname="High", instance="a", severity="page"} firing
            5m {alertname="High", instance="a", severity="warn"} firing
            5m tell {alertname="High", instance="a", severity="warn"} fires since 5m
            5m tell {alertname="FirebellRuleFailing", rule="High", rule_file="rules.yml", rule_group="g", severity="warning"} fired 3m to 5m {description="exceeded limit of 1 with 2 alerts", summary="Rule High of group g fails: what it watches is not seen."}
            5m tell {alertname="High", instance="a", severity="page"} fires since 5m
            5m tell {alertname="FirebellRuleFailing", rule="High", rule_file="rules.yml", rule_group="g", rule_nth="2", severity="warning"} fired 3m to 5m {description="exceeded limit of 1 with 2 alerts", summary="Rule High of group g fails: what it watches is not seen."}
            5m tell {alertname="FirebellRuleFailing", rule="total", rule_file="rules.yml", rule_group="g", severity="warning"} fired 3m to 5m {description="exceeded limit of 1 with 2 series", summary="Rule total of group g fails: what it watches is not seen."}
        "#]],
    );
}

#[test]
fn between_two_thresholds_a_firing_alert_stays() {
    check(
        "group g every 1m
         alert High | cpu > 90 | clear cpu < 80 | for 1m | label severity: page | keep 1m",
        "0s cpu{a}=85 cpu{b}=95 · 90s cpu{b}=85 · 150s restart cpu{b}=95 · 210s cpu{b}=85 · 270s cpu{b}=79 · 330s cpu{b}=85 · 7m end",
        expect![[r#"
            0s {alertname="High", instance="b", severity="page"} pending
            1m {alertname="High", instance="b", severity="page"} firing
            1m tell {alertname="High", instance="b", severity="page"} fires since 1m
            2m {alertname="High", instance="b", severity="page"} firing, held: Clear
            3m {alertname="High", instance="b", severity="page"} firing
            4m {alertname="High", instance="b", severity="page"} firing, held: Clear
            5m {alertname="High", instance="b", severity="page"} firing, kept since 5m
            6m {alertname="High", instance="b", severity="page"} inactive
            6m tell {alertname="High", instance="b", severity="page"} fired 1m to 6m
        "#]],
    );
}

#[test]
fn a_clear_condition_without_labels_clears_all_and_a_series_that_is_gone_is_clear() {
    check(
        "group g every 1m
         alert High | cpu > 90 | clear vector(1) and on () (calm > 0)",
        "0s cpu{a}=95 cpu{b}=95 calm{x}=0 · 30s cpu{a}=50 cpu{b}=50 · 90s cpu{a}=gone · 150s calm{x}=1 · 3m end",
        expect![[r#"
            0s {alertname="High", instance="a"} firing
            0s {alertname="High", instance="b"} firing
            0s tell {alertname="High", instance="a"} fires since 0s
            0s tell {alertname="High", instance="b"} fires since 0s
            1m {alertname="High", instance="a"} firing, held: Clear
            1m {alertname="High", instance="b"} firing, held: Clear
            2m {alertname="High", instance="a"} inactive
            2m tell {alertname="High", instance="a"} fired 0s to 2m
            3m {alertname="High", instance="b"} inactive
            3m tell {alertname="High", instance="b"} fired 0s to 3m
        "#]],
    );
    // While nothing at all is there, `no_data: keep` goes before.
    check(
        "group g every 1m
         alert High | cpu > 90 | clear cpu < 80 | no_data keep",
        "0s cpu{a}=95 · 30s cpu{a}=gone · 90s cpu{a}=85 · 150s cpu{a}=79 · 3m end",
        expect![[r#"
            0s {alertname="High", instance="a"} firing
            0s tell {alertname="High", instance="a"} fires since 0s
            1m {alertname="High", instance="a"} firing, held: NoData
            2m {alertname="High", instance="a"} firing, held: Clear
            3m {alertname="High", instance="a"} inactive
            3m tell {alertname="High", instance="a"} fired 0s to 3m
        "#]],
    );
}

#[test]
fn an_alert_that_changes_too_often_is_held_firing_until_it_is_calm() {
    check(
        "group g every 1m
         alert High | cpu > 5 | flap 3 within 6m",
        "0s cpu{a}=9 · 30s cpu{a}=1 · 90s cpu{a}=9 · 150s cpu{a}=1 restart · 210s cpu{a}=9 · 270s cpu{a}=1 · 15m end",
        expect![[r#"
            0s {alertname="High", instance="a"} firing
            0s tell {alertname="High", instance="a"} fires since 0s
            1m {alertname="High", instance="a"} inactive
            1m tell {alertname="High", instance="a"} fired 0s to 1m
            2m {alertname="High", instance="a"} firing
            2m tell {alertname="High", instance="a"} fires since 2m
            3m {alertname="High", instance="a"} firing, held: Flapping, flapping
            4m {alertname="High", instance="a"} firing, flapping
            5m {alertname="High", instance="a"} firing, held: Flapping, flapping
            8m {alertname="High", instance="a"} inactive
            8m tell {alertname="High", instance="a"} fired 2m to 8m
        "#]],
    );
}

#[test]
fn without_the_limit_what_was_held_ends() {
    check_reloads(
        &[
            "group g every 1m
             alert High | cpu > 5 | flap 1 within 10m",
            "group g every 1m
             alert High | cpu > 5",
        ],
        "0s cpu{a}=9 · 30s cpu{a}=1 · 150s reload · 4m end",
        expect![[r#"
            0s {alertname="High", instance="a"} firing
            0s tell {alertname="High", instance="a"} fires since 0s
            1m {alertname="High", instance="a"} firing, held: Flapping, flapping
            3m {alertname="High", instance="a"} inactive
            3m tell {alertname="High", instance="a"} fired 0s to 3m
        "#]],
    );
}

#[test]
fn a_shadow_rule_tells_nobody_until_it_is_live_not_by_series_either() {
    let all = Show {
        writes: true,
        told: true,
        errors: true,
    };
    check_shown(
        all,
        &[
            "group g every 1m
             alert High | cpu > 5 | mode shadow",
            "group g every 1m
             alert High | cpu > 5",
            "group g every 1m
             alert High | cpu > 5 | mode shadow",
        ],
        "0s cpu{a}=9 · 30s reload · 90s reload · 150s restart · 3m end",
        expect![[r#"
            0s {alertname="High", instance="a"} firing
            30s tell {alertname="High", instance="a"} fires since 0s
            1m ALERTS{alertname="High", alertstate="firing", instance="a"} 1 @1m
            1m ALERTS_FOR_STATE{alertname="High", instance="a"} 1700000004 @1m
            1m30s tell {alertname="High", instance="a"} fired 0s to 1m30s
            2m ALERTS{alertname="High", alertstate="firing", instance="a"} ends @2m
            2m ALERTS_FOR_STATE{alertname="High", instance="a"} ends @2m
        "#]],
    );
}

#[test]
fn a_value_that_its_past_does_not_lead_to_expect_is_an_alert_until_it_lasts() {
    let mut timeline = String::from("0s cpu{a}=10 cpu{new}=1");
    // Seven values around 10, then a step to 20 that stays.
    for (minute, value) in [11, 10, 9, 10, 11, 10, 20, 20, 20, 20, 20, 20]
        .iter()
        .enumerate()
    {
        let secs = 60 * minute + 30;
        timeline.push_str(&format!(" · {secs}s cpu{{a}}={value}"));
    }
    timeline.push_str(" · 450s restart · 14m end");
    check(
        "group g every 1m
         alert Odd | cpu | anomaly robust up | note v: {{ $value }} of {{ $expected }}, {{ $score }} off, {{ $lower }} to {{ $upper }}
         alert Score | cpu | anomaly zscore both
         alert Low | cpu | anomaly robust down
         alert Large | cpu | anomaly robust both 15",
        &timeline,
        expect![[r#"
            7m {alertname="Odd", instance="a"} firing
            7m {alertname="Score", instance="a"} firing
            7m tell {alertname="Odd", instance="a"} fires since 7m {v="20 of 10, 18.61730845848154 off, 8.388596285714286 to 11.611403714285714"}
            7m tell {alertname="Score", instance="a"} fires since 7m
            12m {alertname="Score", instance="a"} inactive
            12m tell {alertname="Odd", instance="a"} fires since 7m {v="20 of 10, 13.489815189531905 off, 7.7761 to 12.2239"}
            12m tell {alertname="Score", instance="a"} fired 7m to 12m
            13m tell {alertname="Odd", instance="a"} fires since 7m {v="20 of 10.5, 12.815324430055309 off, 8.2761 to 12.7239"}
            14m tell {alertname="Odd", instance="a"} fires since 7m {v="20 of 10.5, 6.4076622150276545 off, 6.0522 to 14.9478"}
        "#]],
    );
}

#[test]
fn what_is_no_number_is_not_learned_and_infinity_is_odd() {
    let steady: String = (1..6)
        .map(|it| format!(" · {it}m cpu{{a}}={}", 10 + it % 2))
        .collect();
    check(
        "group g every 1m
         alert Odd | cpu | anomaly robust up 1",
        &format!(
            "0s cpu{{a}}=10{steady} · 390s cpu{{a}}=NaN · 450s cpu{{a}}=+Inf · 510s cpu{{a}}=-Inf · 570s cpu{{a}}=gone · 690s cpu{{a}}=99 · 13m end"
        ),
        expect![[r#"
            8m {alertname="Odd", instance="a"} firing
            8m tell {alertname="Odd", instance="a"} fires since 8m
            9m {alertname="Odd", instance="a"} inactive
            9m tell {alertname="Odd", instance="a"} fired 8m to 9m
            12m {alertname="Odd", instance="a"} firing
            12m tell {alertname="Odd", instance="a"} fires since 12m
        "#]],
    );
}

#[test]
fn a_series_that_is_away_for_a_whole_window_is_new() {
    let steady: String = (1..6)
        .map(|it| format!(" · {it}m cpu{{a}}={}", 10 + it % 2))
        .collect();
    check(
        "group g every 1m
         alert Odd | cpu | anomaly zscore up 1",
        &format!("0s cpu{{a}}=10{steady} · 390s cpu{{a}}=gone · 930s cpu{{a}}=99 · 17m end"),
        expect![[""]],
    );
}
