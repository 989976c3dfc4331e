//! What the history is told of: changes only, in order.

use expect_test::{Expect, expect};
use firebell_dispatch::{HistoryEntry, HistoryEvent, Mutes, NotifiedStatus};

use crate::harness::{duration_text, run};

/// Runs a timeline, and prints what has happened.
fn check(routing: &str, timeline: &str, expected: Expect) {
    let mut world = run(routing, timeline);
    let mut entries = Vec::new();
    world.dispatch.take_happened(&mut entries);
    let lines = entries.iter().map(|it| line(it) + "\n");
    expected.assert_eq(&lines.collect::<String>());
}

fn line(entry: &HistoryEntry) -> String {
    let name = entry.labels.get("alertname").unwrap_or("-");
    let what = match &entry.event {
        HistoryEvent::Suppressed { receiver, by } => format!("{receiver} {}", mute(by)),
        HistoryEvent::Unsuppressed { receiver } => receiver.to_string(),
        HistoryEvent::Notification(it) => {
            let to = it.integration.clone().unwrap_or_default();
            let status = match it.status {
                NotifiedStatus::Sent => "sent",
                NotifiedStatus::Failed => "failed",
                NotifiedStatus::Muted => "muted",
            };
            let by: Vec<&str> = it.by.iter().map(mute).collect();
            let (receiver, n, attempts) = (&it.receiver, it.n_alerts, it.attempts);
            let error = it.error.as_deref().unwrap_or_default();
            let by = by.join("+");
            format!("{status} {receiver} {to} alerts={n} attempts={attempts} {by}{error}")
        }
        _ => String::new(),
    };
    let text = format!(
        "{} {} {name} {what}",
        duration_text(entry.at),
        entry.event.kind()
    );
    text.trim_end().to_owned()
}

fn mute(mute: &Mutes) -> &'static str {
    match mute {
        Mutes::Inhibition(_) => "inhibition",
        Mutes::Interval(_) => "interval",
        Mutes::Silence(_) => "silence",
    }
}

const ROUTES: &str = "receiver a: webhook\ninterval night 00:00-00:06\n\
                      route a by=service wait=30s interval=5m repeat=1h\n  \
                      {service=\"nightly\"} a mute=night\n\
                      inhibit {alertname=\"root\"} > {alertname=\"leaf\"} on service";

#[test]
fn states_are_noted_when_they_change_and_not_when_they_are_posted_again() {
    check(
        ROUTES,
        "0s fire db/x · 10s fire db/x · 20s fire db/x · 1m resolve db/x · 2m resolve db/x · 6m end",
        expect![[r#"
            0m0s firing x
            0m30s notification x sent a webhook[0] alerts=1 attempts=1
            1m0s resolved x
            5m30s notification x sent a webhook[0] alerts=1 attempts=1
        "#]],
    );
    // It runs out between two decisions, and comes anew.
    check(
        ROUTES,
        "0s post db/x ends=1m · 50s post db/x ends=2m · 6m end · 20m post db/x ends=21m
         30m end",
        expect![[r#"
            0m0s firing x
            0m30s notification x sent a webhook[0] alerts=1 attempts=1
            2m0s resolved x
            5m30s notification x sent a webhook[0] alerts=1 attempts=1
            20m0s firing x
            20m30s notification x sent a webhook[0] alerts=1 attempts=1
            21m0s resolved x
            25m30s notification x sent a webhook[0] alerts=1 attempts=1
        "#]],
    );
    check(
        ROUTES,
        "0s post db/x ends=10s · 20s post db/x starts=20s ends=40s · 25s end",
        expect![[r#"
            0m0s firing x
            0m10s resolved x
            0m20s firing x
        "#]],
    );
}

#[test]
fn what_is_muted_is_noted_once_with_what_mutes_it_and_when_that_ends() {
    check(
        ROUTES,
        "0s fire db/x · 1s silence s {service=\"db\"} until 7m · 22m end",
        expect![[r#"
            0m0s firing x
            0m30s suppressed x a silence
            0m30s notification x muted a  alerts=1 attempts=0 silence
            10m30s unsuppressed x a
            10m30s notification x sent a webhook[0] alerts=1 attempts=1
        "#]],
    );
    check(
        ROUTES,
        "0s fire db/root · 0s fire db/leaf · 6m resolve db/root · 12m end",
        expect![[r#"
            0m0s firing root
            0m0s firing leaf
            0m30s suppressed leaf a inhibition
            0m30s notification leaf muted a  alerts=1 attempts=0 inhibition
            0m30s notification root sent a webhook[0] alerts=1 attempts=1
            6m0s resolved root
            10m30s unsuppressed leaf a
            10m30s notification - sent a webhook[0] alerts=2 attempts=1
        "#]],
    );
    check(
        ROUTES,
        "0s fire db/x · 0s fire db/y · 1s silence s {alertname=\"x\"} until 1h · 6m resolve db/x · 17m end",
        expect![[r#"
            0m0s firing x
            0m0s firing y
            0m30s suppressed x a silence
            0m30s notification x muted a  alerts=1 attempts=0 silence
            0m30s notification y sent a webhook[0] alerts=1 attempts=1
            6m0s resolved x
        "#]],
    );
    check(
        ROUTES,
        "0s fire nightly/x · 12m end",
        expect![[r#"
        0m0s firing x
        0m30s suppressed x a interval
        0m30s notification x muted a  alerts=1 attempts=0 interval
        10m30s unsuppressed x a
        10m30s notification x sent a webhook[0] alerts=1 attempts=1
    "#]],
    );
}

#[test]
fn deliveries_that_fail_are_noted_when_they_are_given_up() {
    check(
        ROUTES,
        "0s answer a/webhook[0] refuses · 0s fire db/x · 40s end",
        expect![[r#"
            0m0s firing x
            0m30s notification x failed a webhook[0] alerts=1 attempts=1 503
        "#]],
    );
}

#[test]
fn a_restart_and_a_reload_repeat_no_state() {
    check(
        ROUTES,
        "0s fire db/x · 40s reload · 50s end",
        expect![[r#"
        0m0s firing x
        0m30s notification x sent a webhook[0] alerts=1 attempts=1
    "#]],
    );
    // The entries before went with the process.
    check(ROUTES, "0s fire db/x · 40s restart · 50s end", expect![""]);
    check(
        ROUTES,
        "0s post db/x ends=40s · 35s restart · 6m end",
        expect![[r#"
            0m40s resolved x
            5m30s notification x sent a webhook[0] alerts=1 attempts=1
        "#]],
    );
}
