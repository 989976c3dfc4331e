//! What upstream does not know, each key on its timeline.

use expect_test::{Expect, expect};

use crate::harness::check_with;

#[test]
fn an_end_is_told_through_a_silence_when_the_beginning_was() {
    check_with(
        "receiver a: webhook, slack-\nroute a by=service wait=10s interval=1m through",
        "0s fire db/disk · 0s fire db/cpu
         1m silence s {service=\"db\"} until 1h
         2m resolve db/disk · 2m fire db/net · 5m resolve db/net · 8m resolve db/cpu
         20m end",
        expect![[r#"
            0m10s notify a/webhook[0]: first [cpu, disk]
            0m10s notify a/slack[0]: first [cpu, disk]
            2m10s notify a/webhook[0]: some resolved [-disk]
            8m10s notify a/webhook[0]: all resolved [-cpu]
        "#]],
    );
}

#[test]
fn without_the_key_an_end_under_a_silence_is_not_told() {
    check_with(
        "receiver a: webhook\nroute a by=service wait=10s interval=1m",
        "0s fire db/disk · 1m silence s {service=\"db\"} until 1h · 2m resolve db/disk · 20m end",
        expect![[r#"
            0m10s notify a/webhook[0]: first [disk]
        "#]],
    );
}

#[test]
fn an_end_gets_through_inhibition_and_time_intervals_too() {
    check_with(
        "receiver a: webhook\n\
         route a by=service wait=10s interval=1m\n\
         \x20 {service=~\".+\"} a through mute=night\n\
         interval night 00:05-00:10\n\
         inhibit {alertname=\"down\"} > {alertname=\"slow\"} on service",
        "0s fire db/slow · 0s fire web/slow · 1m fire db/down · 2m resolve db/slow
         6m resolve web/slow · 7m restart · 20m end",
        expect![[r#"
            0m10s notify a/webhook[0]: first [slow]
            0m10s notify a/webhook[0]: first [slow]
            1m10s notify a/webhook[0]: new alerts [down]
            2m10s notify a/webhook[0]: some resolved [down, -slow]
            6m10s notify a/webhook[0]: all resolved [-slow]
        "#]],
    );
}

#[test]
fn what_still_fires_under_the_silence_is_no_news_afterwards() {
    check_with(
        "receiver a: webhook\nroute a by=service wait=10s interval=1m repeat=2m through",
        "0s fire db/disk · 0s fire db/cpu · 1m silence s {service=\"db\"} until 9m
         2m resolve db/disk · 12m end",
        expect![[r#"
            0m10s notify a/webhook[0]: first [cpu, disk]
            2m10s notify a/webhook[0]: some resolved [-disk]
            9m10s notify a/webhook[0]: repeat [cpu]
        "#]],
    );
}

#[test]
fn repetitions_become_rarer_until_something_changes() {
    check_with(
        "receiver a: webhook\nroute a by=service wait=0s interval=1m repeat=10m backoff=2/45m",
        "0s fire db/disk · 75m restart · 170m fire db/cpu · 200m end",
        expect![[r#"
            0m0s notify a/webhook[0]: first [disk]
            11m0s notify a/webhook[0]: repeat [disk]
            32m0s notify a/webhook[0]: repeat [disk]
            1h13m0s notify a/webhook[0]: repeat [disk]
            1h59m0s notify a/webhook[0]: repeat [disk]
            2h45m0s notify a/webhook[0]: repeat [disk]
            2h50m0s notify a/webhook[0]: new alerts [cpu, disk]
            3h1m0s notify a/webhook[0]: repeat [cpu, disk]
        "#]],
    );
}

#[test]
fn a_pause_longer_than_what_is_remembered_is_a_repetition_all_the_same() {
    check_with(
        "receiver a: webhook\nroute a by=service wait=0s interval=1h repeat=100h backoff=4/400h",
        "0s fire db/disk · 950h end",
        expect![[r#"
            0m0s notify a/webhook[0]: first [disk]
            101h0m0s notify a/webhook[0]: repeat [disk]
            502h0m0s notify a/webhook[0]: repeat [disk]
            903h0m0s notify a/webhook[0]: repeat [disk]
        "#]],
    );
}

#[test]
fn what_exceeds_a_limit_is_told_in_one_summary_when_the_period_is_over() {
    check_with(
        "receiver a limit=2/10m: webhook, slack-\nroute a by=service wait=0s interval=1m",
        "0s fire db/disk · 1m fire web/slow · 2m fire api/down · 3m fire api/cpu
         3m fire shop/down · 4m resolve shop/down · 5m resolve db/disk · 7m restart
         20m resolve api/cpu · 40m end",
        expect![[r#"
            0m0s notify a/webhook[0]: first [disk]
            0m0s notify a/slack[0]: first [disk]
            1m0s notify a/webhook[0]: first [slow]
            1m0s notify a/slack[0]: first [slow]
            10m0s notify a/webhook[0]: (3 notifications held back) new alerts [cpu, -disk, down, -down]
            10m0s notify a/slack[0]: (2 notifications held back) new alerts [cpu, down, -down]
            20m0s notify a/webhook[0]: some resolved [-cpu, down]
        "#]],
    );
}

#[test]
fn without_a_limit_in_reach_nothing_is_held_back() {
    check_with(
        "receiver a limit=2/10m: webhook\nroute a by=service wait=0s interval=1m",
        "0s fire db/disk · 5m fire web/slow · 11m fire api/down · 12m fire db/cpu · 60m end",
        expect![[r#"
            0m0s notify a/webhook[0]: first [disk]
            5m0s notify a/webhook[0]: first [slow]
            11m0s notify a/webhook[0]: first [down]
            12m0s notify a/webhook[0]: new alerts [cpu, disk]
        "#]],
    );
}

#[test]
fn a_summary_that_does_not_arrive_is_told_with_the_next_one() {
    check_with(
        "receiver a limit=1/10m: webhook, slack\nroute a by=service wait=0s interval=1m",
        "0s fire db/disk · 1m fire web/slow · 9m answer a/webhook[0] refuses
         12m fire api/down · 13m answer a/webhook[0] accepts · 40m end",
        expect![[r#"
            0m0s notify a/webhook[0]: first [disk]
            0m0s notify a/slack[0]: first [disk]
            10m0s notify a/webhook[0]: (1 notification held back) new alerts [slow] (refused)
            10m0s notify a/slack[0]: (1 notification held back) new alerts [slow]
            20m0s notify a/webhook[0]: (2 notifications held back) new alerts [down, slow]
            20m0s notify a/slack[0]: (1 notification held back) new alerts [down]
        "#]],
    );
}

#[test]
fn what_is_silenced_while_it_is_held_back_is_not_in_the_summary() {
    check_with(
        "receiver a limit=1/10m: webhook\nroute a by=service wait=0s interval=1m",
        "0s fire db/disk · 1m fire web/slow · 2m fire api/down
         5m silence s {service=\"web\"} until 30m · 45m end",
        expect![[r#"
            0m0s notify a/webhook[0]: first [disk]
            10m0s notify a/webhook[0]: (1 notification held back) new alerts [down]
            31m0s notify a/webhook[0]: first [slow]
        "#]],
    );
}

#[test]
fn what_does_not_arrive_and_what_stays_in_the_inbox_uses_up_nothing() {
    check_with(
        "receiver a limit=1/10m: webhook, inbox\nroute a by=service wait=0s interval=1m\n\
         \x20 {service=\"quiet\"} b\n\
         receiver b limit=1/10m: inbox",
        "0s answer a/webhook[0] refuses · 0s fire db/disk · 30s answer a/webhook[0] accepts
         40s fire web/slow · 50s fire quiet/one · 50s restart
         55s resolve quiet/one · 3m resolve db/disk · 12m end",
        expect![[r#"
            0m0s notify a/webhook[0]: first [disk] (refused)
            0m0s notify a/inbox[0]: first [disk]
            0m40s notify a/webhook[0]: first [slow]
            0m40s notify a/inbox[0]: first [slow]
            0m50s notify b/inbox[0]: first [one]
            1m50s notify b/inbox[0]: all resolved [-one]
            10m40s notify a/webhook[0]: (1 notification held back) all resolved [-disk]
            10m40s notify a/inbox[0]: (1 notification held back) all resolved [-disk]
        "#]],
    );
}

#[test]
fn a_summary_that_does_not_arrive_uses_up_nothing_either() {
    check_with(
        "receiver a limit=1/10m: webhook\nroute a by=service wait=0s interval=1m",
        "0s fire db/disk · 1m fire web/slow · 9m answer a/webhook[0] refuses
         11m answer a/webhook[0] accepts · 12m fire api/down · 13m fire shop/down · 40m end",
        expect![[r#"
            0m0s notify a/webhook[0]: first [disk]
            10m0s notify a/webhook[0]: (1 notification held back) new alerts [slow] (refused)
            11m0s notify a/webhook[0]: first [slow]
            21m0s notify a/webhook[0]: (2 notifications held back) new alerts [down, down]
        "#]],
    );
}

#[test]
fn what_waits_goes_on_when_what_counted_did_not_arrive() {
    check_with(
        "receiver a limit=1/30m: webhook\nroute a by=service wait=0s interval=1m",
        "0s answer a/webhook[0] hangs · 0s fire db/disk · 30s fire web/slow · 40s fire api/down
         50s resolve db/disk · 65s answer a/webhook[0] accepts · 70s restart · 45m end",
        expect![[r#"
            0m0s notify a/webhook[0]: first [disk] (hangs)
            1m0s cancel 1
            1m30s notify a/webhook[0]: first [slow]
            30m0s notify a/webhook[0]: (1 notification held back) new alerts [down]
        "#]],
    );
}

#[test]
fn who_wants_no_ends_hears_that_an_alert_flaps_anew() {
    check_with(
        "receiver a: webhook, slack-\nroute a by=service wait=0s interval=1m flap=1/10m",
        "0s fire db/disk · 0s fire db/cpu · 90s resolve db/disk · 150s fire db/disk
         200s resolve db/disk · 30m fire db/disk · 31m resolve db/disk · 33m fire db/disk · 40m end",
        expect![[r#"
            0m0s notify a/webhook[0]: first [disk]
            0m0s notify a/slack[0]: first [disk]
            1m0s notify a/webhook[0]: new alerts [cpu, disk]
            1m0s notify a/slack[0]: new alerts [cpu, disk]
            2m0s notify a/webhook[0]: some resolved [cpu, -disk]
            3m0s notify a/webhook[0]: new alerts [cpu, disk (fires again and again)]
            3m0s notify a/slack[0]: new alerts [cpu, disk (fires again and again)]
            13m0s notify a/webhook[0]: some resolved [cpu, -disk (calm again)]
            30m0s notify a/webhook[0]: new alerts [cpu, disk]
            31m0s notify a/webhook[0]: some resolved [cpu, -disk]
            33m0s notify a/webhook[0]: new alerts [cpu, disk (fires again and again)]
            33m0s notify a/slack[0]: new alerts [cpu, disk (fires again and again)]
        "#]],
    );
}

#[test]
fn a_reload_that_takes_the_limit_away_tells_what_was_held_back() {
    check_with(
        "receiver a limit=1/10m: webhook\nroute a by=service wait=0s interval=1m",
        "0s fire db/disk · 1m fire web/slow · 2m resolve web/slow
         5m reload receiver a: webhook; route a by=service wait=0s interval=1m · 10m end",
        expect![[r#"
            0m0s notify a/webhook[0]: first [disk]
            5m0s notify a/webhook[0]: (1 notification held back) all resolved [-slow]
        "#]],
    );
}

#[test]
fn an_alert_that_flaps_is_told_when_that_begins_and_when_it_is_over() {
    check_with(
        "receiver a: webhook\nroute a by=service wait=0s interval=1m flap=2/10m",
        "0s fire db/disk · 0s fire db/cpu · 2m resolve db/disk · 4m fire db/disk · 5m resolve db/disk
         6m fire db/disk · 7m resolve db/disk · 7m restart · 8m fire db/disk · 9m resolve db/disk
         12m resolve db/cpu · 14m fire db/disk · 50m resolve db/disk · 60m end",
        expect![[r#"
            0m0s notify a/webhook[0]: first [disk]
            1m0s notify a/webhook[0]: new alerts [cpu, disk]
            2m0s notify a/webhook[0]: some resolved [cpu, -disk]
            4m0s notify a/webhook[0]: new alerts [cpu, disk]
            5m0s notify a/webhook[0]: some resolved [cpu, -disk]
            6m0s notify a/webhook[0]: new alerts [cpu, disk (fires again and again)]
            12m0s notify a/webhook[0]: some resolved [-cpu]
            24m0s notify a/webhook[0]: new alerts [disk (calm again)]
            50m0s notify a/webhook[0]: all resolved [-disk]
        "#]],
    );
}

#[test]
fn each_integration_hears_once_that_an_alert_flaps_also_while_another_one_fails() {
    check_with(
        "receiver a: webhook, slack\nroute a by=service wait=0s interval=1m flap=1/10m",
        "0s fire db/disk · 0s fire db/cpu · 90s resolve db/disk · 150s fire db/disk
         160s answer a/slack[0] refuses · 330s answer a/slack[0] accepts · 20m end",
        expect![[r#"
            0m0s notify a/webhook[0]: first [disk]
            0m0s notify a/slack[0]: first [disk]
            1m0s notify a/webhook[0]: new alerts [cpu, disk]
            1m0s notify a/slack[0]: new alerts [cpu, disk]
            2m0s notify a/webhook[0]: some resolved [cpu, -disk]
            2m0s notify a/slack[0]: some resolved [cpu, -disk]
            3m0s notify a/webhook[0]: new alerts [cpu, disk (fires again and again)]
            3m0s notify a/slack[0]: new alerts [cpu, disk (fires again and again)] (refused)
            4m0s notify a/slack[0]: new alerts [cpu, disk (fires again and again)] (refused)
            5m0s notify a/slack[0]: new alerts [cpu, disk (fires again and again)] (refused)
            6m0s notify a/slack[0]: new alerts [cpu, disk (fires again and again)]
            13m0s notify a/webhook[0]: new alerts [cpu, disk (calm again)]
            13m0s notify a/slack[0]: new alerts [cpu, disk (calm again)]
        "#]],
    );
}

#[test]
fn a_summary_says_that_an_alert_flaps_and_that_it_is_calm_again() {
    check_with(
        "receiver a limit=2/10m: webhook\nroute a by=service wait=0s interval=1m flap=1/15m",
        "0s fire db/disk · 61s fire web/up · 90s resolve db/disk · 150s fire db/disk
         15m fire api/a · 15m fire api2/a · 16m fire api3/a · 30m restart · 60m end",
        expect![[r#"
            0m0s notify a/webhook[0]: first [disk]
            1m1s notify a/webhook[0]: first [up]
            10m0s notify a/webhook[0]: (1 notification held back) new alerts [disk (fires again and again)]
            15m0s notify a/webhook[0]: first [a]
            20m0s notify a/webhook[0]: (3 notifications held back) new alerts [a, a, disk (calm again)]
        "#]],
    );
}

#[test]
fn an_alert_that_is_alone_in_its_group_flaps_all_the_same() {
    check_with(
        "receiver a: webhook\nroute a by=service wait=0s interval=1m flap=2/10m",
        "0s fire db/disk · 1m resolve db/disk · 3m fire db/disk · 4m resolve db/disk
         6m fire db/disk · 7m resolve db/disk · 8m fire db/disk · 9m resolve db/disk · 40m end",
        expect![[r#"
            0m0s notify a/webhook[0]: first [disk]
            1m0s notify a/webhook[0]: all resolved [-disk]
            3m0s notify a/webhook[0]: first [disk]
            4m0s notify a/webhook[0]: all resolved [-disk]
            6m0s notify a/webhook[0]: first [disk (fires again and again)]
            18m0s notify a/webhook[0]: all resolved [-disk (calm again)]
        "#]],
    );
}

#[test]
fn a_silence_until_resolved_ends_some_time_after_its_last_alert() {
    check_with(
        "receiver a: webhook\nroute a by=service wait=0s interval=1m repeat=30m",
        "0s fire db/disk · 0s fire db/cpu · 1m silence s {service=\"db\"} until 24h resolved 5m
         2m resolve db/disk · 4m restart · 10m resolve db/cpu · 12m fire db/cpu · 13m resolve db/cpu
         17m show alerts · 17m59s fire db/net · 18m30s show alerts
         19m resolve db/net · 24m1s fire db/net · 26m end",
        expect![[r#"
            0m0s notify a/webhook[0]: first [disk]
            17m0s show
            18m30s show | net suppressed silenced by s > a
            24m1s notify a/webhook[0]: new alerts [net]
        "#]],
    );
}

#[test]
fn a_silence_until_resolved_waits_for_its_first_alert() {
    check_with(
        "receiver a: webhook\nroute a by=service wait=0s interval=1m",
        "0s silence s {service=\"db\"} until 24h resolved 1m
         1h fire db/disk · 1h1m show alerts · 2h resolve db/disk · 2h2m fire db/disk · 2h5m end",
        expect![[r#"
            1h1m0s show | disk suppressed silenced by s > a
            2h2m0s notify a/webhook[0]: first [disk]
        "#]],
    );
}

#[test]
fn a_weekly_silence_mutes_in_its_hours_only() {
    // The beginning of time is a Thursday.
    check_with(
        "receiver a: webhook\nroute a by=service wait=0s interval=30m repeat=100h",
        "0s silence s {service=\"db\"} until 700h weekly thursday 02:00 04:00
         1h fire db/disk · 2h fire db/cpu · 3h restart · 3h silence s {service=\"db\"} until 800h
         5h fire db/net · 7h resolve db/disk
         170h fire web/up · 170h fire db/down · 173h end",
        expect![[r#"
            1h0m0s notify a/webhook[0]: first [disk]
            3h0m0s silence s changed in place
            4h0m0s notify a/webhook[0]: new alerts [cpu, disk]
            5h0m0s notify a/webhook[0]: new alerts [cpu, disk, net]
            7h0m0s notify a/webhook[0]: some resolved [cpu, -disk, net]
            107h30m0s notify a/webhook[0]: repeat [cpu, net]
            170h0m0s notify a/webhook[0]: first [up]
            172h0m0s notify a/webhook[0]: new alerts [cpu, down, net]
        "#]],
    );
}

#[test]
fn a_silence_is_warned_of_before_it_ends_unless_it_is_prolonged() {
    check_with(
        "receiver a: webhook\nroute a by=alertname wait=0s interval=1m\nwarn 1h",
        "0s silence s {service=\"db\"} until 4h · 0s silence short {service=\"web\"} until 30m
         3h30m restart · 3h30m silence s {service=\"db\"} until 8h · 12h end",
        expect![[r#"
            3h0m0s notify a/webhook[0]: first [FirebellSilenceExpires]
            3h30m0s silence s changed in place
            3h31m0s notify a/webhook[0]: all resolved [-FirebellSilenceExpires]
            7h0m0s notify a/webhook[0]: first [FirebellSilenceExpires]
            8h0m0s notify a/webhook[0]: all resolved [-FirebellSilenceExpires]
        "#]],
    );
}

#[test]
fn who_hears_of_no_ends_knows_after_a_summary_that_all_is_over() {
    check_with(
        "receiver a limit=2/10m: webhook, slack-\nroute a by=service wait=30s interval=1m",
        "0s fire db/disk · 0s fire db/cpu · 40s fire web/slow · 2m resolve db/disk
         3m resolve db/cpu · 12m fire db/disk · 20m end",
        expect![[r#"
            0m30s notify a/webhook[0]: first [cpu, disk]
            0m30s notify a/slack[0]: first [cpu, disk]
            1m10s notify a/webhook[0]: first [slow]
            1m10s notify a/slack[0]: first [slow]
            10m30s notify a/webhook[0]: (1 notification held back) all resolved [-cpu, -disk]
            12m30s notify a/webhook[0]: first [disk]
            12m30s notify a/slack[0]: first [disk]
        "#]],
    );
}

#[test]
fn a_period_that_ends_while_a_summary_is_under_way_is_looked_at_afterwards() {
    check_with(
        "receiver a limit=1/1h: webhook\nroute a by=service wait=0s interval=1m",
        "0s fire db/disk · 1m fire web/slow · 59m answer a/webhook[0] fails
         60m30s reload receiver a limit=1/1m: webhook; route a by=service wait=0s interval=1m
         62m answer a/webhook[0] accepts · 66m fire api/down · 90m end",
        expect![[r#"
            0m0s notify a/webhook[0]: first [disk]
            1h0m0s notify a/webhook[0]: (1 notification held back) new alerts [slow] (fails)
            1h0m0.344s notify a/webhook[0] attempt 2: (1 notification held back) new alerts [slow] (fails)
            1h0m1.265s notify a/webhook[0] attempt 3: (1 notification held back) new alerts [slow] (fails)
            1h0m2.208s notify a/webhook[0] attempt 4: (1 notification held back) new alerts [slow] (fails)
            1h0m3.605s notify a/webhook[0] attempt 5: (1 notification held back) new alerts [slow] (fails)
            1h0m7.374s notify a/webhook[0] attempt 6: (1 notification held back) new alerts [slow] (fails)
            1h0m12.223s notify a/webhook[0] attempt 7: (1 notification held back) new alerts [slow] (fails)
            1h0m18.995s notify a/webhook[0] attempt 8: (1 notification held back) new alerts [slow] (fails)
            1h0m31.562s notify a/webhook[0] attempt 9: (1 notification held back) new alerts [slow] (fails)
            1h0m45.914s notify a/webhook[0] attempt 10: (1 notification held back) new alerts [slow] (fails)
            1h1m5.328s notify a/webhook[0] attempt 11: (1 notification held back) new alerts [slow] (fails)
            1h1m35.458s notify a/webhook[0] attempt 12: (1 notification held back) new alerts [slow] (fails)
            1h2m1.753s notify a/webhook[0] attempt 13: (1 notification held back) new alerts [slow]
            1h6m0s notify a/webhook[0]: first [down]
        "#]],
    );
}

#[test]
fn a_summary_tells_nothing_of_a_route_that_has_another_receiver_by_then() {
    check_with(
        "receiver a limit=1/10m: webhook\nreceiver b: webhook\nroute a by=service wait=0s interval=6m",
        "0s fire db/disk · 1m fire web/slow
         5m reload receiver a limit=1/10m: webhook; receiver b: webhook; route b by=service wait=0s interval=6m
         9m resolve web/slow · 20m end",
        expect![[r#"
            0m0s notify a/webhook[0]: first [disk]
            6m0s notify b/webhook[0]: first [disk]
            7m0s notify b/webhook[0]: first [slow]
            13m0s notify b/webhook[0]: all resolved [-slow]
        "#]],
    );
}

#[test]
fn what_a_reload_cancels_uses_up_nothing_of_a_limit() {
    let receivers = "receiver a limit=1/10m: webhook; receiver b: webhook";
    let check = |route: &str, other: &str, expected: Expect| {
        let timeline = format!(
            "0s answer a/webhook[0] hangs · 0s fire db/disk · 30s reload {receivers}; {other}
             40s answer a/webhook[0] accepts · 2m reload {receivers}; {route}
             3m fire db/cpu · 5m end"
        );
        let routing = format!("{receivers}; {route}").replace("; ", "\n");
        check_with(&routing, &timeline, expected);
    };
    let to_b = "route b wait=0s interval=1m";
    // Another receiver for the same groups, and a route that is gone.
    check(
        "route a wait=0s interval=1m",
        to_b,
        expect![[r#"
        0m0s notify a/webhook[0]: first [disk] (hangs)
        0m30s cancel 1
        1m0s notify b/webhook[0]: first [disk]
        2m0s notify a/webhook[0]: first [disk]
    "#]],
    );
    let child = format!(r#"{to_b};   {{service="db"}} a"#);
    check(
        &child,
        to_b,
        expect![[r#"
        0m0s notify a/webhook[0]: first [disk] (hangs)
        0m30s cancel 1
        0m30s notify b/webhook[0]: first [disk]
        2m0s notify a/webhook[0]: first [disk]
    "#]],
    );
}

#[test]
fn flapping_that_nobody_heard_of_begins_when_it_can_be_told() {
    check_with(
        "receiver a: webhook\nroute a by=service wait=0s interval=1m flap=2/10m",
        "0s silence s {service=\"db\"} until 7m · 1s fire db/disk · 2m resolve db/disk
         3m fire db/disk · 4m resolve db/disk · 5m fire db/disk · 30m end",
        expect![[r#"
            8m0s notify a/webhook[0]: first [disk (fires again and again)]
            15m0s notify a/webhook[0]: new alerts [disk (calm again)]
        "#]],
    );
}
