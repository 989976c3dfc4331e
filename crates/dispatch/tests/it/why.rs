//! Why an alert is told of, or not.

use expect_test::{Expect, expect};

use crate::harness::{duration_text, labels, run};

/// Runs a timeline; then asks why about an alert. Its way through the routes is left out.
fn check(routing: &str, timeline: &str, alert: &str, expected: Expect) {
    let text = why(routing, timeline, alert);
    let is_route = |line: &str| line.starts_with(' ') && line.trim_start().starts_with('{');
    let is_way = |line: &&str| line.starts_with("routes:") || is_route(line);
    let lines = text
        .lines()
        .filter(|line| !is_way(line) && !line.contains("not tried"));
    expected.assert_eq(&lines.map(|it| format!("{it}\n")).collect::<String>());
}

/// The same, with its way.
fn check_way(routing: &str, timeline: &str, alert: &str, expected: Expect) {
    expected.assert_eq(&why(routing, timeline, alert));
}

fn why(routing: &str, timeline: &str, alert: &str) -> String {
    let world = run(routing, timeline);
    let labels = labels(alert);
    let why = world.dispatch.why(world.now, &labels);
    let text = why.text(&duration_text);
    let id = why.silences.first().map(|it| it.id.to_string());
    let text = text.replace(&id.unwrap_or("no silence".to_owned()), "ID");
    let lines = text.lines().filter(|it| !it.starts_with("fingerprint"));
    lines.map(|it| format!("{it}\n")).collect()
}

const TREE: &str = "receiver a: webhook, slack-\nreceiver b: webhook\nreceiver none:\n\
                    interval night 22:00-24:00 00:00-06:00\ninterval early 00:00-01:00\n\
                    route a by=service wait=30s interval=5m repeat=1h\n  \
                    {service=\"web\"} b\n  {service=\"db\"} b continue\n    {alertname=\"x\"} none\n  \
                    {service=~\"db|cache\"} a\n  {service=\"cache\"} b\n  \
                    {service=\"nightly\"} a mute=night\n  {service=\"early\"} a active=early\n\
                    inhibit {alertname=\"root\"} > {alertname=\"leaf\"} on service";

#[test]
fn a_new_group_waits_and_the_way_through_the_tree_is_told() {
    check_way(
        TREE,
        "0s fire db/slow · 10s end",
        "db/slow",
        expect![[r#"
            {alertname="slow", service="db"} fires since 0m0s
            routes:
              {} matches, a route below takes it
                {service="web"} -> b: no, service is "db"
                {service="db"} takes it, tells b
                  {alertname="x"} -> none: no, alertname is "slow"
                {service=~"db|cache"} takes it, tells a
                3 more: not tried, a route before them matched
            group {}/{service="db"}:{service="db"} of 1 alert, tells b
              webhook[0]: next 0m30s: first notification, by group_wait 30s
            group {}/{service=~"db|cache"}:{service="db"} of 1 alert, tells a
              webhook[0]: next 0m30s: first notification, by group_wait 30s
              slack[0]: next 0m30s: first notification, by group_wait 30s
        "#]],
    );
    check_way(
        TREE,
        "0s fire cache/x · 31s end",
        "cache/x",
        expect![[r#"
            {alertname="x", service="cache"} fires since 0m0s
            routes:
              {} matches, a route below takes it
                {service="web"} -> b: no, service is "cache"
                {service="db"} -> b: no, service is "cache"
                {service=~"db|cache"} takes it, tells a
                3 more: not tried, a route before them matched
            group {}/{service=~"db|cache"}:{service="cache"} of 1 alert, tells a
              webhook[0]: next 1h5m30s: a repetition, by repeat_interval 1h
                told 0m30s: first notification (1 attempt, 0ms)
              slack[0]: next 1h5m30s: a repetition, by repeat_interval 1h
                told 0m30s: first notification (1 attempt, 0ms)
        "#]],
    );
}

#[test]
fn what_comes_next_follows_from_what_was_told() {
    // Told, so repeated at the first decision that is more than an hour later.
    check(
        TREE,
        "0s fire web/a · 1m end",
        "web/a",
        expect![[r#"
            {alertname="a", service="web"} fires since 0m0s
            group {}/{service="web"}:{service="web"} of 1 alert, tells b
              webhook[0]: next 1h5m30s: a repetition, by repeat_interval 1h
                told 0m30s: first notification (1 attempt, 0ms)
        "#]],
    );
    // New in a group that was told before.
    check(
        TREE,
        "0s fire web/a · 1m fire web/b · 2m end",
        "web/b",
        expect![[r#"
            {alertname="b", service="web"} fires since 1m0s
            group {}/{service="web"}:{service="web"} of 2 alerts, tells b
              webhook[0]: next 5m30s: new alerts, by group_interval 5m
                told 0m30s: first notification (1 attempt, 0ms)
        "#]],
    );
}

#[test]
fn what_resolved_or_is_unknown_says_why_nothing_comes() {
    // One integration does not want to know.
    check(
        TREE,
        "0s fire x/a · 1m resolve x/a · 2m end",
        "x/a",
        expect![[r#"
            {alertname="a", service="x"} resolved 1m0s
            group {}:{service="x"} of 1 alert, tells a
              webhook[0]: next 5m30s: all resolved, by group_interval 5m
                told 0m30s: first notification (1 attempt, 0ms)
              slack[0]: nothing is sent: it resolved, and the integration wants no resolved alerts
                told 0m30s: first notification (1 attempt, 0ms)
        "#]],
    );
    check(
        TREE,
        "0s fire web/a · 1m resolve web/a · 6m end",
        "web/a",
        expect![[r#"
            {alertname="a", service="web"} resolved 1m0s
            group {}/{service="web"}:{service="web"} of 0 alerts, tells b
              webhook[0]: nothing is sent: it resolved, and that was told or never fired here
                told 5m30s: all resolved (1 attempt, 0ms)
                told 0m30s: first notification (1 attempt, 0ms)
        "#]],
    );
    check(
        TREE,
        "0s resolve web/a · 10s end",
        "web/a",
        expect![[r#"
            {alertname="a", service="web"} resolved 0m0s
            group {}/{service="web"}:{service="web"} of 1 alert, tells b
              webhook[0]: nothing is sent: it resolved, and that was told or never fired here
        "#]],
    );
    // Nobody to tell, and nobody known.
    check(
        TREE,
        "0s fire db/x · 10s end",
        "db/x",
        expect![[r#"
            {alertname="x", service="db"} fires since 0m0s
            group {}/{service="db"}/{alertname="x"}:{service="db"} of 1 alert, tells none
              the receiver has no integrations: nobody is told
            group {}/{service=~"db|cache"}:{service="db"} of 1 alert, tells a
              webhook[0]: next 0m30s: first notification, by group_wait 30s
              slack[0]: next 0m30s: first notification, by group_wait 30s
        "#]],
    );
    check(
        TREE,
        "0s end",
        "db/unknown",
        expect![[r#"
            {alertname="unknown", service="db"} is not handed over to be told of
        "#]],
    );
}

#[test]
fn what_mutes_it_is_named_with_its_end() {
    check(
        TREE,
        "0s fire web/a · 1s silence s {service=\"web\"} until 12m · 40s end",
        "web/a",
        expect![[r#"
            {alertname="a", service="web"} fires since 0m0s
            silenced by ID of me until 12m0s: test
            group {}/{service="web"}:{service="web"} of 1 alert, tells b
              webhook[0]: next 15m30s: first notification, when its silence ends
        "#]],
    );
    check(
        TREE,
        "0s fire db/root · 0s fire db/leaf · 40s end",
        "db/leaf",
        expect![[r#"
            {alertname="leaf", service="db"} fires since 0m0s
            inhibited by {alertname="root", service="db"} (4ef508765a9cd48f), rule 1 ({alertname="root"} mutes {alertname="leaf"} with equal service)
            group {}/{service="db"}:{service="db"} of 2 alerts, tells b
              webhook[0]: nothing is sent: until the alert that inhibits it ends
                told 0m30s: first notification (1 attempt, 0ms)
            group {}/{service=~"db|cache"}:{service="db"} of 2 alerts, tells a
              webhook[0]: nothing is sent: until the alert that inhibits it ends
                told 0m30s: first notification (1 attempt, 0ms)
              slack[0]: nothing is sent: until the alert that inhibits it ends
                told 0m30s: first notification (1 attempt, 0ms)
        "#]],
    );
    check(
        TREE,
        "0s fire nightly/a · 40s end",
        "nightly/a",
        expect![[r#"
            {alertname="a", service="nightly"} fires since 0m0s
            group {}/{service="nightly"}:{service="nightly"} of 1 alert, tells a
              muted by night until 6h0m0s
              webhook[0]: next 6h0m30s: first notification, when the time interval that mutes its route ends
              slack[0]: next 6h0m30s: first notification, when the time interval that mutes its route ends
        "#]],
    );
    check(
        TREE,
        "2h fire early/a · 2h1m end",
        "early/a",
        expect![[r#"
            {alertname="a", service="early"} fires since 2h0m0s
            group {}/{service="early"}:{service="early"} of 1 alert, tells a
              muted outside of early until 24h0m0s
              webhook[0]: next 24h0m30s: first notification, when the time interval that mutes its route ends
              slack[0]: next 24h0m30s: first notification, when the time interval that mutes its route ends
        "#]],
    );
}

#[test]
fn what_comes_after_a_mute_is_foreseen() {
    // The silence ends before the group decides; another alert's group has decided before.
    check(
        TREE,
        "0s fire web/a · 1s silence s {service=\"web\"} until 5m · 40s end",
        "web/a",
        expect![[r#"
            {alertname="a", service="web"} fires since 0m0s
            silenced by ID of me until 5m0s: test
            group {}/{service="web"}:{service="web"} of 1 alert, tells b
              webhook[0]: next 5m30s: first notification, when its silence ends
        "#]],
    );
    check(
        TREE,
        "0s fire web/a · 1s silence s {alertname=\"a\"} until 12m · 40s fire web/b · 41s end",
        "web/b",
        expect![[r#"
            {alertname="b", service="web"} fires since 0m40s
            group {}/{service="web"}:{service="web"} of 2 alerts, tells b
              webhook[0]: next 5m30s: first notification, by group_interval 5m
        "#]],
    );
    // Told before, and muted when a repetition is due.
    check(
        TREE,
        "0s fire web/a · 50m silence s {service=\"web\"} until 70m · 51m end",
        "web/a",
        expect![[r#"
            {alertname="a", service="web"} fires since 0m0s
            silenced by ID of me until 1h10m0s: test
            group {}/{service="web"}:{service="web"} of 1 alert, tells b
              webhook[0]: next 1h10m30s: a repetition, when its silence ends
                told 0m30s: first notification (1 attempt, 0ms)
        "#]],
    );
}

#[test]
fn deliveries_are_told_with_their_attempts_and_errors() {
    check(
        TREE,
        "0s answer b/webhook[0] fails · 0s fire web/a · 40s end",
        "web/a",
        expect![[r#"
            {alertname="a", service="web"} fires since 0m0s
            group {}/{service="web"}:{service="web"} of 1 alert, tells b
              webhook[0]: next 0m46.459s: attempt 7 failed, it is tried again
                last attempt: 503
        "#]],
    );
    check(
        TREE,
        "0s answer b/webhook[0] refuses · 0s fire web/a · 40s end",
        "web/a",
        expect![[r#"
            {alertname="a", service="web"} fires since 0m0s
            group {}/{service="web"}:{service="web"} of 1 alert, tells b
              webhook[0]: next 5m30s: first notification, by group_interval 5m
                failed 0m30s: first notification (1 attempt, 0ms): 503
        "#]],
    );
    check(
        TREE,
        "0s answer b/webhook[0] hangs · 0s fire web/a · 6m end",
        "web/a",
        expect![[r#"
            {alertname="a", service="web"} fires since 0m0s
            group {}/{service="web"}:{service="web"} of 1 alert, tells b
              webhook[0]: attempt 1 is under way
                failed 5m30s: first notification (1 attempt, 300000ms): no answer in time
        "#]],
    );
}

#[test]
fn what_is_foreseen_is_what_happens() {
    let timelines = [
        "0s fire web/a",
        "0s fire web/a · 40s fire web/b",
        "0s fire web/b · 1s silence s {service=\"web\"} until 12m",
        "0s fire web/b · 50m silence s {service=\"web\"} until 70m · 51m end",
        "0s fire web/b · 1m resolve web/b",
    ];
    for timeline in timelines {
        let mut world = run(TREE, timeline);
        for _ in 0..3 {
            let labels = labels(if timeline.contains("web/b") {
                "web/b"
            } else {
                "web/a"
            });
            let why = world.dispatch.why(world.now, &labels);
            let Some(at) = why
                .groups
                .first()
                .and_then(|it| it.integrations[0].next.at())
            else {
                break;
            };
            let n_told = |transcript: &str| transcript.matches("notify").count();
            let before = n_told(&world.transcript);
            world.advance_to(at);
            assert_eq!(n_told(&world.transcript), before, "{timeline}: early");
            world.settle();
            assert_eq!(n_told(&world.transcript), before + 1, "{timeline}: late");
        }
    }
}

#[test]
fn a_weekly_silence_mutes_until_its_part_of_the_week_is_over() {
    check(
        TREE,
        "0s silence s {service=\"web\"} until 400h weekly thursday 00:00 00:20 · 1s fire web/a · 40s end",
        "web/a",
        expect![[r#"
            {alertname="a", service="web"} fires since 0m1s
            silenced by ID of me until 400h0m0s: test
            group {}/{service="web"}:{service="web"} of 1 alert, tells b
              webhook[0]: next 20m31s: first notification, when its silence ends
        "#]],
    );
}
