//! When and why a group is told of: timers, the notification log, retries. The numbers are the
//! items of the reference's section 5.

use expect_test::expect;

use crate::harness::{SIMPLE, check, check_with, run};

#[test]
fn item_34_an_alert_that_joins_late_waits_for_the_group_interval() {
    check(
        "0s fire db/disk · 2m fire db/cpu · 10m end",
        expect![[r#"
        0m30s notify db/webhook[0]: first [disk]
        5m30s notify db/webhook[0]: new alerts [cpu, disk]
    "#]],
    );
}

#[test]
fn item_34_a_group_made_by_an_old_alert_flushes_at_once_and_one_that_is_joined_by_it_does_not() {
    check(
        "0s post db/disk starts=-31s · 1s fire web/disk · 2s post web/old starts=-10m · 1m end",
        expect![[r#"
            0m0s notify db/webhook[0]: first [disk]
            0m31s notify db/webhook[0]: first [disk, old]
        "#]],
    );
    check(
        "0s post db/just starts=-30s · 1m end",
        expect![[r#"
        0m30s notify db/webhook[0]: first [just]
    "#]],
    );
}

#[test]
fn item_34_adding_alerts_never_arms_the_timer_again() {
    check(
        "0s fire db/a · 10s fire db/b · 20s fire db/c · 29s fire db/d · 1m end",
        expect![[r#"
        0m30s notify db/webhook[0]: first [a, b, c, d]
    "#]],
    );
}

#[test]
fn item_35_an_alert_that_resolves_before_the_first_flush_is_never_told_of() {
    check(
        "0s fire db/disk · 10s resolve db/disk · 40s show groups · 10m end",
        expect![[r#"
        0m40s show
    "#]],
    );
}

#[test]
fn item_36_alerts_stand_by_job_then_instance_then_labels_and_an_absent_job_is_last() {
    check(
        "0s fire db/z · 0s fire db/c job=b instance=1 · 0s fire db/b job=a instance=2
         0s fire db/a job=a instance=1 · 0s fire db/d job=b · 0s fire db/y extra=1
         1m end",
        expect![[r#"
            0m30s notify db/webhook[0]: first [a@1, b@2, c@1, d, z, y]
        "#]],
    );
}

#[test]
fn item_36_a_firing_alert_has_no_end_in_the_message() {
    // `post` without an end resolves by itself later: were the end kept, it would show `-late`
    // where the delivery is slow.
    check(
        "0s post db/late ends=35s · 0s answer db/webhook[0] after 10s · 10m end",
        expect![[r#"
            0m30s notify db/webhook[0]: first [late] (slow)
            5m30s notify db/webhook[0]: all resolved [-late] (slow)
        "#]],
    );
}

#[test]
fn item_37_a_group_that_is_told_of_its_end_is_gone_and_the_next_alert_waits_again() {
    check(
        "0s fire db/disk · 1m resolve db/disk · 6m fire db/disk · 20m end",
        expect![[r#"
            0m30s notify db/webhook[0]: first [disk]
            5m30s notify db/webhook[0]: all resolved [-disk]
            6m30s notify db/webhook[0]: first [disk]
        "#]],
    );
}

#[test]
fn item_37_an_alert_that_fires_again_during_the_flush_stays() {
    check(
        "0s fire db/disk · 1m resolve db/disk · 2m answer db/webhook[0] after 20s
         5m40s fire db/disk · 5m45s show groups · 20m end",
        expect![[r#"
            0m30s notify db/webhook[0]: first [disk]
            5m30s notify db/webhook[0]: all resolved [-disk] (slow)
            5m45s show | db {}:{service="db"} [disk] next 10m30s
            10m30s notify db/webhook[0]: first [disk] (slow)
        "#]],
    );
}

#[test]
fn item_37_resolved_alerts_stay_until_every_integration_was_told() {
    check_with(
        "receiver db: webhook, slack\nroute db by=service interval=1m",
        "0s fire db/disk · 40s resolve db/disk · 45s answer db/slack[0] refuses
         4m answer db/slack[0] accepts · 8m end",
        expect![[r#"
            0m30s notify db/webhook[0]: first [disk]
            0m30s notify db/slack[0]: first [disk]
            1m30s notify db/webhook[0]: all resolved [-disk]
            1m30s notify db/slack[0]: all resolved [-disk] (refused)
            2m30s notify db/slack[0]: all resolved [-disk] (refused)
            3m30s notify db/slack[0]: all resolved [-disk] (refused)
            4m30s notify db/slack[0]: all resolved [-disk]
        "#]],
    );
}

#[test]
fn item_38_a_reload_keeps_the_timers_of_groups_that_stay_and_tells_nothing_twice() {
    // Deviation: upstream starts all timers anew.
    check_with(
        "receiver db: webhook\nroute db by=service",
        "0s fire db/disk · 10s reload · 2m fire db/cpu · 2m10s reload · 12m end",
        expect![[r#"
            0m30s notify db/webhook[0]: first [disk]
            5m30s notify db/webhook[0]: new alerts [cpu, disk]
        "#]],
    );
    // Another `group_by` makes other groups, and another route does too.
    check_with(
        "receiver db: webhook\nroute db by=service",
        "0s fire db/disk · 2m reload receiver db: webhook;route db by=service,alertname · 2m1s show groups
         4m reload receiver db: webhook;route db by=service,alertname;  {service=\"db\"} db · 12m end",
        expect![[r#"
            0m30s notify db/webhook[0]: first [disk]
            2m0s notify db/webhook[0]: first [disk]
            2m1s show | db {}:{alertname="disk", service="db"} [disk] next 7m0s
            4m0s notify db/webhook[0]: first [disk]
        "#]],
    );
}

#[test]
fn item_38_a_reload_that_takes_the_integration_away_cancels_its_deliveries() {
    check_with(
        "receiver db: webhook\nroute db by=service",
        "0s fire db/disk · 1s answer db/webhook[0] hangs · 1m reload receiver db: slack;route db by=service
         12m end",
        expect![[r#"
            0m30s notify db/webhook[0]: first [disk] (hangs)
            1m0s cancel 1
            5m30s notify db/slack[0]: first [disk]
        "#]],
    );
}

#[test]
fn item_38_a_reload_that_groups_otherwise_cancels_the_deliveries_of_groups_that_end() {
    // Found by the simulation: the group went, and its delivery stayed under way for ever.
    check_with(
        "receiver db: webhook\nroute db by=service",
        "0s fire db/disk · 1s answer db/webhook[0] hangs
         1m reload receiver db: webhook;route db by=service,alertname · 3m end",
        expect![[r#"
            0m30s notify db/webhook[0]: first [disk] (hangs)
            1m0s cancel 1
            1m0s notify db/webhook[0]: first [disk] (hangs)
        "#]],
    );
}

#[test]
fn item_39_silencing_a_whole_group_sends_no_resolved_and_leaves_the_log_as_it_was() {
    check(
        "0s fire db/disk · 1m silence s {service=\"db\"} until 30m · 2m resolve db/disk
         31m fire db/disk · 40m show groups · 60m end",
        expect![[r#"
            0m30s notify db/webhook[0]: first [disk]
            40m0s show | db {}:{service="db"} [disk] next 41m30s
        "#]],
    );
}

#[test]
fn item_39_an_alert_is_told_of_after_its_silence_only_if_the_log_no_longer_lists_it() {
    check(
        "0s fire db/disk · 0s fire db/cpu · 1m silence s {alertname=\"disk\"} until 12m
         6m fire db/net · 20m end",
        expect![[r#"
            0m30s notify db/webhook[0]: first [cpu, disk]
            10m30s notify db/webhook[0]: new alerts [cpu, net]
            15m30s notify db/webhook[0]: new alerts [cpu, disk, net]
        "#]],
    );
    check(
        "0s fire db/disk · 0s fire db/cpu · 1m silence s {alertname=\"disk\"} until 12m · 20m end",
        expect![[r#"
            0m30s notify db/webhook[0]: first [cpu, disk]
        "#]],
    );
}

#[test]
fn item_40_the_reasons_come_in_upstreams_order() {
    check_with(
        "receiver db: webhook\nroute db by=service interval=1m repeat=5m",
        "0s fire db/a · 0s fire db/b
         1m fire db/c · 1m resolve db/a
         2m resolve db/b
         10m resolve db/c
         12m fire db/a
         15m end",
        expect![[r#"
            0m30s notify db/webhook[0]: first [a, b]
            1m30s notify db/webhook[0]: new alerts [-a, b, c]
            2m30s notify db/webhook[0]: some resolved [-b, c]
            8m30s notify db/webhook[0]: repeat [c]
            10m30s notify db/webhook[0]: all resolved [-c]
            12m30s notify db/webhook[0]: first [a]
        "#]],
    );
}

#[test]
fn item_41_an_integration_without_resolved_alerts_notes_them_and_starts_over() {
    check_with(
        "receiver db: webhook-\nroute db by=service interval=1m",
        "0s fire db/a · 0s fire db/b · 1m resolve db/a · 2m fire db/c · 3m resolve db/b
         3m resolve db/c · 6m fire db/a · 10m end",
        expect![[r#"
            0m30s notify db/webhook[0]: first [a, b]
            2m30s notify db/webhook[0]: new alerts [b, c]
            6m30s notify db/webhook[0]: first [a]
        "#]],
    );
}

#[test]
fn item_42_a_repeat_interval_of_two_group_intervals_is_three() {
    check_with(
        "receiver db: webhook\nroute db by=service wait=1s interval=2s repeat=4s",
        "0s fire db/disk · 20s end",
        expect![[r#"
            0m1s notify db/webhook[0]: first [disk]
            0m7s notify db/webhook[0]: repeat [disk]
            0m13s notify db/webhook[0]: repeat [disk]
            0m19s notify db/webhook[0]: repeat [disk]
        "#]],
    );
    // The time counts from when the last message arrived.
    check_with(
        "receiver db: webhook\nroute db by=service wait=1s interval=2s repeat=3s",
        "0s answer db/webhook[0] after 1500ms · 0s fire db/disk · 20s end",
        expect![[r#"
            0m1s notify db/webhook[0]: first [disk] (slow)
            0m7s notify db/webhook[0]: repeat [disk] (slow)
            0m13s notify db/webhook[0]: repeat [disk] (slow)
            0m19s notify db/webhook[0]: repeat [disk] (slow)
        "#]],
    );
}

#[test]
fn item_42_an_entry_of_the_log_lives_for_two_repeat_intervals_and_at_most_120_hours() {
    // Muted for longer than that, the alert is told of as if for the first time.
    check_with(
        "receiver db: webhook\nroute db by=service repeat=1h",
        "0s fire db/disk · 1m silence s {service=\"db\"} until 2h40m · 3h end",
        expect![[r#"
            0m30s notify db/webhook[0]: first [disk]
            2h40m30s notify db/webhook[0]: first [disk]
        "#]],
    );
    check_with(
        "receiver db: webhook\nroute db by=service repeat=1h",
        "0s fire db/disk · 1m silence s {service=\"db\"} until 1h40m · 2h end",
        expect![[r#"
            0m30s notify db/webhook[0]: first [disk]
            1h40m30s notify db/webhook[0]: repeat [disk]
        "#]],
    );
}

#[test]
fn item_43_integrations_fail_and_are_told_independently() {
    check_with(
        "receiver db: webhook, webhook, slack\nroute db by=service interval=1m",
        "0s fire db/disk · 1s answer db/webhook[1] refuses · 2m answer db/webhook[1] accepts
         5m end",
        expect![[r#"
            0m30s notify db/webhook[0]: first [disk]
            0m30s notify db/webhook[1]: first [disk] (refused)
            0m30s notify db/slack[0]: first [disk]
            1m30s notify db/webhook[1]: first [disk] (refused)
            2m30s notify db/webhook[1]: first [disk]
        "#]],
    );
}

#[test]
fn item_44_failures_are_retried_with_growing_pauses_until_the_next_flush() {
    check_with(
        "receiver db: webhook\nroute db by=service interval=15s",
        "0s fire db/disk · 1s answer db/webhook[0] fails · 50s answer db/webhook[0] accepts · 70s end",
        expect![[r#"
            0m30s notify db/webhook[0]: first [disk] (fails)
            0m30.471s notify db/webhook[0] attempt 2: first [disk] (fails)
            0m31.565s notify db/webhook[0] attempt 3: first [disk] (fails)
            0m32.36s notify db/webhook[0] attempt 4: first [disk] (fails)
            0m34.196s notify db/webhook[0] attempt 5: first [disk] (fails)
            0m35.725s notify db/webhook[0] attempt 6: first [disk] (fails)
            0m39.431s notify db/webhook[0] attempt 7: first [disk] (fails)
            0m45s notify db/webhook[0]: first [disk] (fails)
            0m45.344s notify db/webhook[0] attempt 2: first [disk] (fails)
            0m46.265s notify db/webhook[0] attempt 3: first [disk] (fails)
            0m47.208s notify db/webhook[0] attempt 4: first [disk] (fails)
            0m48.605s notify db/webhook[0] attempt 5: first [disk] (fails)
            0m52.374s notify db/webhook[0] attempt 6: first [disk]
        "#]],
    );
}

#[test]
fn item_44_a_refusal_is_not_retried_before_the_next_flush() {
    check(
        "0s fire db/disk · 1s answer db/webhook[0] refuses · 6m answer db/webhook[0] accepts · 12m end",
        expect![[r#"
            0m30s notify db/webhook[0]: first [disk] (refused)
            5m30s notify db/webhook[0]: first [disk] (refused)
            10m30s notify db/webhook[0]: first [disk]
        "#]],
    );
}

#[test]
fn item_44_a_receiver_that_asks_for_time_gets_it() {
    check(
        "0s fire db/disk · 1s answer db/webhook[0] fails after 2m · 1m answer db/webhook[0] accepts · 4m end",
        expect![[r#"
            0m30s notify db/webhook[0]: first [disk] (fails)
            2m30s notify db/webhook[0] attempt 2: first [disk]
        "#]],
    );
}

#[test]
fn item_44_a_flush_has_at_least_ten_seconds_and_the_next_one_follows_at_once() {
    check_with(
        "receiver db: webhook, slack\nroute db by=service wait=1s interval=2s",
        "0s answer db/webhook[0] hangs · 0s fire db/disk · 2s fire db/cpu
         12s answer db/webhook[0] accepts · 20s end",
        expect![[r#"
            0m1s notify db/webhook[0]: first [disk] (hangs)
            0m1s notify db/slack[0]: first [disk]
            0m11s cancel 1
            0m11s notify db/webhook[0]: first [cpu, disk] (hangs)
            0m11s notify db/slack[0]: new alerts [cpu, disk]
        "#]],
    );
}

#[test]
fn an_outcome_that_comes_too_late_is_ignored() {
    check_with(
        "receiver db: webhook\nroute db by=service interval=20s",
        "0s answer db/webhook[0] after 25s · 0s fire db/disk · 51s answer db/webhook[0] accepts · 2m end",
        expect![[r#"
            0m30s notify db/webhook[0]: first [disk] (slow)
            0m50s cancel 1
            0m50s notify db/webhook[0]: first [disk] (slow)
            1m10s cancel 2
            1m10s notify db/webhook[0]: first [disk]
        "#]],
    );
    let mut world = run(SIMPLE, "0s fire db/disk · 1m end");
    let failure = firebell_dispatch::Failure {
        why: String::new(),
        is_retryable: true,
        after: None,
        cause: Default::default(),
    };
    let (unknown, mut out) = (firebell_dispatch::DeliveryId(99), Vec::new());
    world
        .dispatch
        .handle_delivered(world.now, unknown, None, &mut out);
    world
        .dispatch
        .handle_failed(world.now, unknown, failure, &mut out);
    assert!(out.is_empty());
}

#[test]
fn a_receiver_without_integrations_is_told_nothing_and_its_resolved_alerts_leave() {
    check_with(
        "receiver none:\nroute none by=service",
        "0s fire db/disk · 1m resolve db/disk · 2m show groups · 6m show groups · 6m end",
        expect![[r#"
            2m0s show
            6m0s show
        "#]],
    );
}

#[test]
fn what_an_integration_keeps_it_is_told_again_until_its_group_begins_anew() {
    check(
        "0s answer db/webhook[0] keeps 17 · 0s fire db/disk · 2m answer db/webhook[0] accepts · 2m fire db/cpu · \
         6m restart · 7m fire db/mem · 12m resolve db/disk · 12m resolve db/cpu · 12m resolve db/mem · 17m fire db/disk · 25m end",
        expect![[r#"
            0m30s notify db/webhook[0]: first [disk]
            5m30s notify db/webhook[0]: new alerts [cpu, disk] (knows 17)
            10m30s notify db/webhook[0]: new alerts [cpu, disk, mem] (knows 17)
            15m30s notify db/webhook[0]: all resolved [-cpu, -disk, -mem] (knows 17)
            17m30s notify db/webhook[0]: first [disk]
        "#]],
    );
}
