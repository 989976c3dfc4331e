//! Upstream's semantics, one test for each; the numbers are those of the list in
//! `alert-engines.md`, section 5.

use expect_test::{Expect, expect};

use crate::world::{Show, World, rules, run};

fn check(text: &str, timeline: &str, expected: Expect) {
    check_reloads(&[text], timeline, expected);
}

fn check_reloads(texts: &[&str], timeline: &str, expected: Expect) {
    let told = Show {
        told: true,
        ..Show::default()
    };
    check_shown(told, texts, timeline, expected);
}

fn check_writes(text: &str, timeline: &str, expected: Expect) {
    let writes = Show {
        writes: true,
        ..Show::default()
    };
    check_shown(writes, &[text], timeline, expected);
}

fn check_errors(text: &str, timeline: &str, expected: Expect) {
    let shown = Show {
        writes: true,
        errors: true,
        told: true,
    };
    check_shown(shown, &[text], timeline, expected);
}

fn check_shown(show: Show, texts: &[&str], timeline: &str, expected: Expect) {
    let mut world = World::new(rules(texts[0]), show);
    let reloads = texts[1..].iter().map(|text| rules(text)).collect();
    run(&mut world, timeline, reloads);
    expected.assert_eq(&world.transcript);
}

#[test]
fn item_1_an_alert_fires_when_for_has_passed_to_the_millisecond() {
    check(
        "group g every 1m
         alert Slow | cpu > 0 | for 2m",
        "0s cpu{a}=1 · 3m end",
        expect![[r#"
            0s {alertname="Slow", instance="a"} pending
            2m {alertname="Slow", instance="a"} firing
            2m tell {alertname="Slow", instance="a"} fires since 2m
        "#]],
    );
    check(
        "group g every 1m
         alert Now | cpu > 0",
        "0s cpu{a}=1 · 2m end",
        expect![[r#"
            0s {alertname="Now", instance="a"} firing
            0s tell {alertname="Now", instance="a"} fires since 0s
        "#]],
    );
    check(
        "group g every 30s
         alert Soon | cpu > 0 | for 15s",
        "0s cpu{a}=1 · 1m end",
        expect![[r#"
            0s {alertname="Soon", instance="a"} pending
            30s {alertname="Soon", instance="a"} firing
            30s tell {alertname="Soon", instance="a"} fires since 30s
        "#]],
    );
}

#[test]
fn item_2_series_are_written_at_the_slot_less_the_offset_and_activity_begins_at_the_slot() {
    check_writes(
        "group g every 1m offset 30s
         alert Slow | cpu > 0 | for 1m
         record cpu:copy | cpu",
        "1m cpu{a}=1 · 2m end",
        expect![[r#"
            1m {alertname="Slow", instance="a"} pending
            1m ALERTS{alertname="Slow", alertstate="pending", instance="a"} 1 @30s
            1m ALERTS_FOR_STATE{alertname="Slow", instance="a"} 1700000064 @30s
            1m cpu:copy{instance="a"} 1 @30s
            2m {alertname="Slow", instance="a"} firing
            2m ALERTS{alertname="Slow", alertstate="pending", instance="a"} ends @1m30s
            2m ALERTS{alertname="Slow", alertstate="firing", instance="a"} 1 @1m30s
            2m ALERTS_FOR_STATE{alertname="Slow", instance="a"} 1700000064 @1m30s
            2m cpu:copy{instance="a"} 1 @1m30s
        "#]],
    );
}

#[test]
fn item_2_expressions_look_at_the_slot_less_the_offset_and_templates_at_the_slot() {
    let text = r#"group g every 1m offset 30s
        alert Clock | vector(time()) | note expr: {{ $value }} | note text: {{ with query "time()" }}{{ value (first .) }}{{ end }}"#;
    check(
        text,
        "0s end",
        expect![[r#"
            0s {alertname="Clock"} firing
            0s tell {alertname="Clock"} fires since 0s {expr="1.699999974e+09", text="1.700000004e+09"}
        "#]],
    );
}

#[test]
fn item_3_a_pending_alert_that_is_missing_once_starts_from_zero() {
    check(
        "group g every 1m
         alert Slow | cpu > 0 | for 2m",
        "0s cpu{a}=1 · 90s cpu{a}=gone · 150s cpu{a}=1 · 5m end",
        expect![[r#"
            0s {alertname="Slow", instance="a"} pending
            2m {alertname="Slow", instance="a"} gone
            3m {alertname="Slow", instance="a"} pending
            5m {alertname="Slow", instance="a"} firing
            5m tell {alertname="Slow", instance="a"} fires since 5m
        "#]],
    );
}

#[test]
fn item_4_keep_firing_for_is_exclusive_and_ends_when_the_condition_is_back() {
    check(
        "group g every 1m
         alert Kept | cpu > 0 | keep 2m | note v: {{ $value }}",
        "0s cpu{a}=1 · 90s cpu{a}=gone · 150s cpu{a}=3 · 210s cpu{a}=gone · 7m end",
        expect![[r#"
            0s {alertname="Kept", instance="a"} firing
            0s tell {alertname="Kept", instance="a"} fires since 0s {v="1"}
            2m {alertname="Kept", instance="a"} firing, kept since 2m
            3m {alertname="Kept", instance="a"} firing
            3m tell {alertname="Kept", instance="a"} fires since 0s {v="3"}
            4m {alertname="Kept", instance="a"} firing, kept since 4m
            6m {alertname="Kept", instance="a"} inactive
            6m tell {alertname="Kept", instance="a"} fired 0s to 6m {v="3"}
        "#]],
    );
}

#[test]
fn item_4_keep_firing_for_is_nothing_to_a_pending_alert() {
    check(
        "group g every 1m
         alert Kept | cpu > 0 | for 5m | keep 2m",
        "0s cpu{a}=1 · 90s cpu{a}=gone · 4m end",
        expect![[r#"
            0s {alertname="Kept", instance="a"} pending
            2m {alertname="Kept", instance="a"} gone
        "#]],
    );
}

#[test]
fn item_5_a_resolved_alert_is_kept_for_a_quarter_of_an_hour_and_told_once() {
    check(
        "group g every 5m
         alert Down | cpu > 0",
        "0s cpu{a}=1 · 1m cpu{a}=gone · 30m end",
        expect![[r#"
            0s {alertname="Down", instance="a"} firing
            0s tell {alertname="Down", instance="a"} fires since 0s
            5m {alertname="Down", instance="a"} inactive
            5m tell {alertname="Down", instance="a"} fired 0s to 5m
            25m {alertname="Down", instance="a"} gone
        "#]],
    );
}

#[test]
fn item_5_a_resolved_alert_that_is_back_is_a_new_one() {
    check(
        "group g every 1m
         alert Down | cpu > 0 | for 1m",
        "0s cpu{a}=1 · 90s cpu{a}=gone · 150s cpu{a}=1 · 5m end",
        expect![[r#"
            0s {alertname="Down", instance="a"} pending
            1m {alertname="Down", instance="a"} firing
            1m tell {alertname="Down", instance="a"} fires since 1m
            2m {alertname="Down", instance="a"} inactive
            2m tell {alertname="Down", instance="a"} fired 1m to 2m
            3m {alertname="Down", instance="a"} pending
            4m {alertname="Down", instance="a"} firing
            4m tell {alertname="Down", instance="a"} fires since 4m
        "#]],
    );
}

#[test]
fn item_8_external_labels_fill_gaps_only() {
    check(
        "external dc=north
         group g every 1m
         alert Down | cpu > 0
         alert Own | cpu > 0 | label dc: south",
        "0s cpu{a}=1 · 1m cpu{a}=gone end",
        expect![[r#"
            0s {alertname="Down", instance="a"} firing
            0s {alertname="Own", dc="south", instance="a"} firing
            0s tell {alertname="Down", dc="north", instance="a"} fires since 0s
            0s tell {alertname="Own", dc="south", instance="a"} fires since 0s
            1m {alertname="Down", instance="a"} inactive
            1m {alertname="Own", dc="south", instance="a"} inactive
            1m tell {alertname="Down", dc="north", instance="a"} fired 0s to 1m
            1m tell {alertname="Own", dc="south", instance="a"} fired 0s to 1m
        "#]],
    );
}

#[test]
fn item_9_rule_labels_override_the_samples_and_alertname_overrides_all() {
    check(
        "group g every 1m
         alert Down | cpu > 0 | label instance: {{ $labels.__name__ }}/{{ $labels.instance }} | label alertname: Other",
        "0s cpu{a}=1 · 0s end",
        expect![[r#"
            0s {alertname="Down", instance="cpu/a"} firing
            0s tell {alertname="Down", instance="cpu/a"} fires since 0s
        "#]],
    );
}

#[test]
fn item_10_an_empty_label_is_removed_and_equal_alerts_discard_the_evaluation() {
    check_errors(
        "group g every 1m
         alert Down | cpu > 0 | label instance: {{ $labels.nothing }}",
        "0s cpu{a}=1 · 30s cpu{b}=1 · 90s cpu{b}=gone · 2m end",
        expect![[r#"
            0s {alertname="Down"} firing
            0s ALERTS{alertname="Down", alertstate="firing"} 1 @0s
            0s ALERTS_FOR_STATE{alertname="Down"} 1700000004 @0s
            0s tell {alertname="Down"} fires since 0s
            1m Down fails: vector contains metrics with the same labelset after applying alert labels
            2m ALERTS{alertname="Down", alertstate="firing"} 1 @2m
            2m ALERTS_FOR_STATE{alertname="Down"} 1700000004 @2m
        "#]],
    );
    check_errors(
        "group g every 1m
         record total | cpu | label instance: all",
        "0s cpu{a}=1 · 30s cpu{b}=1 · 1m end",
        expect![[r#"
            0s total{instance="all"} 1 @0s
            1m total fails: vector contains metrics with the same labelset after applying rule labels
        "#]],
    );
}

#[test]
fn item_11_an_error_freezes_everything() {
    check_errors(
        "group g every 1m
         alert Down | cpu > 0 | keep 1m
         record total | cpu",
        "0s cpu{a}=1 · 30s broken cpu{a}=gone · 150s mended · 4m end",
        expect![[r#"
            0s {alertname="Down", instance="a"} firing
            0s ALERTS{alertname="Down", alertstate="firing", instance="a"} 1 @0s
            0s ALERTS_FOR_STATE{alertname="Down", instance="a"} 1700000004 @0s
            0s total{instance="a"} 1 @0s
            0s tell {alertname="Down", instance="a"} fires since 0s
            1m Down fails: failed to read series: the disk is gone
            1m total fails: failed to read series: the disk is gone
            3m {alertname="Down", instance="a"} firing, kept since 3m
            3m ALERTS{alertname="Down", alertstate="firing", instance="a"} 1 @3m
            3m ALERTS_FOR_STATE{alertname="Down", instance="a"} 1700000004 @3m
            3m total{instance="a"} ends @3m
            4m {alertname="Down", instance="a"} inactive
            4m ALERTS{alertname="Down", alertstate="firing", instance="a"} ends @4m
            4m ALERTS_FOR_STATE{alertname="Down", instance="a"} ends @4m
            4m tell {alertname="Down", instance="a"} fired 0s to 4m
        "#]],
    );
}

#[test]
fn item_12_too_many_alerts_drop_all_of_the_rules() {
    check_errors(
        "group g every 1m limit 1
         alert Down | cpu > 0
         record total | cpu",
        "0s cpu{a}=1 · 30s cpu{b}=1 · 90s cpu{a}=gone · 3m end",
        expect![[r#"
            0s {alertname="Down", instance="a"} firing
            0s ALERTS{alertname="Down", alertstate="firing", instance="a"} 1 @0s
            0s ALERTS_FOR_STATE{alertname="Down", instance="a"} 1700000004 @0s
            0s total{instance="a"} 1 @0s
            0s tell {alertname="Down", instance="a"} fires since 0s
            1m {alertname="Down", instance="a"} gone
            1m Down fails: exceeded limit of 1 with 2 alerts
            1m total fails: exceeded limit of 1 with 2 series
            1m tell {alertname="Down", instance="a"} fired 0s to 5m
            2m {alertname="Down", instance="b"} firing
            2m ALERTS{alertname="Down", alertstate="firing", instance="b"} 1 @2m
            2m ALERTS_FOR_STATE{alertname="Down", instance="b"} 1700000124 @2m
            2m ALERTS{alertname="Down", alertstate="firing", instance="a"} ends @2m
            2m ALERTS_FOR_STATE{alertname="Down", instance="a"} ends @2m
            2m total{instance="b"} 1 @2m
            2m total{instance="a"} ends @2m
            2m tell {alertname="Down", instance="b"} fires since 2m
            3m ALERTS{alertname="Down", alertstate="firing", instance="b"} 1 @3m
            3m ALERTS_FOR_STATE{alertname="Down", instance="b"} 1700000124 @3m
            3m total{instance="b"} 1 @3m
        "#]],
    );
}

#[test]
fn item_13_a_reload_keeps_the_state_of_rules_with_the_same_name_and_labels() {
    check_reloads(
        &[
            "group g every 1m
             alert Down | cpu > 0 | for 2m | note n: old
             alert Gone | cpu > 0
             alert Other | cpu > 0 | label severity: page",
            "group g every 1m
             alert Other | cpu > 0 | label severity: warn
             alert Down | cpu > -1 | for 2m | note n: new",
        ],
        "0s cpu{a}=1 · 90s reload · 3m end",
        expect![[r#"
            0s {alertname="Down", instance="a"} pending
            0s {alertname="Gone", instance="a"} firing
            0s {alertname="Other", instance="a", severity="page"} firing
            0s tell {alertname="Gone", instance="a"} fires since 0s
            0s tell {alertname="Other", instance="a", severity="page"} fires since 0s
            1m30s {alertname="Gone", instance="a"} gone
            1m30s {alertname="Other", instance="a", severity="page"} gone
            1m30s tell {alertname="Gone", instance="a"} fired 0s to 1m30s
            1m30s tell {alertname="Other", instance="a", severity="page"} fired 0s to 1m30s
            2m {alertname="Down", instance="a"} firing
            2m {alertname="Other", instance="a", severity="warn"} firing
            2m tell {alertname="Other", instance="a", severity="warn"} fires since 2m
            2m tell {alertname="Down", instance="a"} fires since 2m {n="new"}
        "#]],
    );
}

#[test]
fn item_13_a_longer_for_takes_a_firing_alert_back_to_pending() {
    check_reloads(
        &[
            "group g every 1m
             alert Down | cpu > 0 | for 1m",
            "group g every 1m
             alert Down | cpu > 0 | for 4m",
        ],
        "0s cpu{a}=1 · 90s reload · 5m end",
        expect![[r#"
            0s {alertname="Down", instance="a"} pending
            1m {alertname="Down", instance="a"} firing
            1m tell {alertname="Down", instance="a"} fires since 1m
            2m {alertname="Down", instance="a"} pending
            2m tell {alertname="Down", instance="a"} fired 1m to 6m
            4m {alertname="Down", instance="a"} firing
            4m tell {alertname="Down", instance="a"} fires since 4m
        "#]],
    );
}

#[test]
fn item_13_external_labels_that_change_at_a_reload_readdress_what_fires() {
    check_reloads(
        &[
            "external dc=north
             group g every 1m
             alert Down | cpu > 0",
            "external dc=south
             group g every 1m
             alert Down | cpu > 0",
        ],
        "0s cpu{a}=1 · 30s reload · 2m end",
        expect![[r#"
            0s {alertname="Down", instance="a"} firing
            0s tell {alertname="Down", dc="north", instance="a"} fires since 0s
            30s tell {alertname="Down", dc="north", instance="a"} fired 0s to 30s
            30s tell {alertname="Down", dc="south", instance="a"} fires since 0s
        "#]],
    );
}

#[test]
fn item_15_the_pending_series_ends_in_the_evaluation_in_which_the_alert_fires() {
    check_writes(
        "group g every 1m
         alert Down | cpu > 0 | for 1m | label severity: page",
        "0s cpu{a}=1 · 90s cpu{a}=gone · 4m end",
        expect![[r#"
            0s {alertname="Down", instance="a", severity="page"} pending
            0s ALERTS{alertname="Down", alertstate="pending", instance="a", severity="page"} 1 @0s
            0s ALERTS_FOR_STATE{alertname="Down", instance="a", severity="page"} 1700000004 @0s
            1m {alertname="Down", instance="a", severity="page"} firing
            1m ALERTS{alertname="Down", alertstate="pending", instance="a", severity="page"} ends @1m
            1m ALERTS{alertname="Down", alertstate="firing", instance="a", severity="page"} 1 @1m
            1m ALERTS_FOR_STATE{alertname="Down", instance="a", severity="page"} 1700000004 @1m
            2m {alertname="Down", instance="a", severity="page"} inactive
            2m ALERTS{alertname="Down", alertstate="firing", instance="a", severity="page"} ends @2m
            2m ALERTS_FOR_STATE{alertname="Down", instance="a", severity="page"} ends @2m
        "#]],
    );
}

#[test]
fn item_16_what_a_removed_group_wrote_ends_at_the_reload() {
    let shown = Show {
        writes: true,
        told: true,
        ..Show::default()
    };
    check_shown(
        shown,
        &[
            "group g every 1m
             record total | cpu
             alert Down | cpu > 0",
            "group h every 1m
             record other | cpu",
        ],
        "0s cpu{a}=1 · 30s reload · 30s end",
        expect![[r#"
            0s {alertname="Down", instance="a"} firing
            0s total{instance="a"} 1 @0s
            0s ALERTS{alertname="Down", alertstate="firing", instance="a"} 1 @0s
            0s ALERTS_FOR_STATE{alertname="Down", instance="a"} 1700000004 @0s
            0s tell {alertname="Down", instance="a"} fires since 0s
            30s {alertname="Down", instance="a"} gone
            30s ALERTS{alertname="Down", alertstate="firing", instance="a"} ends @30s
            30s ALERTS_FOR_STATE{alertname="Down", instance="a"} ends @30s
            30s total{instance="a"} ends @30s
            30s tell {alertname="Down", instance="a"} fired 0s to 30s
        "#]],
    );
}

#[test]
fn item_18_a_broken_annotation_becomes_its_error_and_a_missing_label_nothing() {
    let text = r#"group g every 1m
        alert Down | cpu > 0 | note bad: {{ query "up{" }} | note gap: [{{ $labels.nothing }}]"#;
    let told = Show {
        told: true,
        ..Show::default()
    };
    let mut world = World::new(rules(text), told);
    run(&mut world, "0s cpu{a}=1 · 0s end", [].into());
    let transcript = &world.transcript;
    let has = |part| assert!(transcript.contains(part), "{transcript}");
    has("fires since 0s {bad=\"<error expanding template: ");
    has("gap=\"[]\"}");
}

#[test]
fn item_19_the_state_of_a_rule_is_that_of_its_worst_alert() {
    let text = "group g every 1m
                alert Down | cpu > 0 | for 1m";
    let mut world = World::new(rules(text), Show::default());
    let state = |world: &World| {
        let rule = world
            .rules()
            .groups()
            .flat_map(|group| group.rules())
            .next();
        let rule = rule.expect("a rule");
        (rule.state_name(), rule.health().name())
    };
    assert_eq!(state(&world), ("unknown", "unknown"));
    for (timeline, expected) in [
        ("0s end", ("inactive", "ok")),
        ("30s cpu{a}=1 · 1m end", ("pending", "ok")),
        ("90s cpu{b}=1 · 2m end", ("firing", "ok")),
        ("150s cpu{a}=gone · 3m end", ("firing", "ok")),
        ("210s broken · 4m end", ("firing", "err")),
        ("270s mended cpu{b}=gone · 5m end", ("inactive", "ok")),
    ] {
        run(&mut world, timeline, [].into());
        assert_eq!(state(&world), expected, "{timeline}");
    }
}

#[test]
fn the_rules_of_a_group_see_what_earlier_ones_wrote_at_the_same_slot() {
    check(
        "group g every 1m
         alert Early | cpu:doubled > 3
         record cpu:doubled | cpu * 2
         alert Late | cpu:doubled > 3",
        "0s cpu{a}=2 · 1m end",
        expect![[r#"
            0s {alertname="Late", instance="a"} firing
            0s tell {alertname="Late", instance="a"} fires since 0s
            1m {alertname="Early", instance="a"} firing
            1m tell {alertname="Early", instance="a"} fires since 1m
        "#]],
    );
}

#[test]
fn recorded_series_end_when_the_expression_no_longer_has_them() {
    check_writes(
        "group g every 1m
         record total | cpu | label team: shop",
        "0s cpu{a}=1 cpu{b}=2 · 30s cpu{a}=gone · 1m end",
        expect![[r#"
            0s total{instance="a", team="shop"} 1 @0s
            0s total{instance="b", team="shop"} 2 @0s
            1m total{instance="b", team="shop"} 2 @1m
            1m total{instance="a", team="shop"} ends @1m
        "#]],
    );
}
