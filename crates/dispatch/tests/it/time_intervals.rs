//! Time intervals: when routes are mute, and what is told afterwards.

use expect_test::expect;
use firebell_dispatch::Suppressed;

use crate::harness::{check_with, run};

const MUTE: &str = "receiver db: webhook
interval early 00:00-00:10
interval late 00:20-00:30
route db by=service
  {team=\"a\"} mute=early,late interval=5m
  {team=\"b\"} active=late,early interval=5m
  {team=\"c\"} active=early mute=early interval=5m
  {team=\"d\"} mute=early
    {x=\"y\"} interval=5m";

#[test]
fn item_48_a_muted_route_tells_when_the_interval_is_over() {
    check_with(
        MUTE,
        "0s fire db/disk team=a · 1m show groups · 6m show groups · 11m show groups",
        expect![[r#"
            1m0s show | db {}/{team="a"}:{service="db"} [disk] muted by early next 5m30s
            6m0s show | db {}/{team="a"}:{service="db"} [disk] muted by early next 10m30s
            10m30s notify db/webhook[0]: first [disk]
            11m0s show | db {}/{team="a"}:{service="db"} [disk] next 15m30s
        "#]],
    );
}

#[test]
fn item_39_time_intervals_drop_everything_also_the_end() {
    check_with(
        MUTE,
        "11m fire db/disk team=a · 17m fire db/cpu team=a · 21m resolve db/disk team=a
         22m show groups · 27m show groups · 40m end",
        expect![[r#"
            11m30s notify db/webhook[0]: first [disk]
            22m0s show | db {}/{team="a"}:{service="db"} [cpu] muted by late next 26m30s
            27m0s show | db {}/{team="a"}:{service="db"} [cpu] muted by late next 31m30s
            31m30s notify db/webhook[0]: new alerts [cpu]
        "#]],
    );
}

#[test]
fn item_48_a_route_that_is_not_active_is_muted_by_all_its_intervals() {
    check_with(
        MUTE,
        "11m fire db/disk team=b · 12m show groups · 22m show groups",
        expect![[r#"
            12m0s show | db {}/{team="b"}:{service="db"} [disk] muted by late+early next 16m30s
            21m30s notify db/webhook[0]: first [disk]
            22m0s show | db {}/{team="b"}:{service="db"} [disk] next 26m30s
        "#]],
    );
}

#[test]
fn item_48_a_route_may_have_both_and_children_inherit_neither() {
    check_with(
        MUTE,
        "1m fire db/disk team=c · 1m fire db/disk team=d x=y · 2m show groups · 12m show groups",
        expect![[r#"
            1m30s notify db/webhook[0]: first [disk]
            2m0s show | db {}/{team="c"}:{service="db"} [disk] muted by early next 6m30s | db {}/{team="d"}/{x="y"}:{service="db"} [disk] next 6m30s
            12m0s show | db {}/{team="c"}:{service="db"} [disk] muted by early next 16m30s | db {}/{team="d"}/{x="y"}:{service="db"} [disk] next 16m30s
        "#]],
    );
}

#[test]
fn item_48_what_muted_a_group_is_known_after_a_restart() {
    check_with(
        MUTE,
        "0s fire db/disk team=a · 1m restart · 2m show groups · 11m end",
        expect![[r#"
            2m0s show | db {}/{team="a"}:{service="db"} [disk] muted by early next 5m30s
            10m30s notify db/webhook[0]: first [disk]
        "#]],
    );
}

#[test]
fn what_is_left_out_is_counted_by_what_left_it_out_first() {
    let routing =
        format!("{MUTE}\ninhibit {{severity=\"high\"}} > {{severity=\"low\"}} on service");
    let world = run(
        &routing,
        "0s silence s {x=\"y\"} until 1h
         0s fire db/a team=a severity=high · 0s fire db/b team=a severity=low x=y
         0s fire db/c team=a x=y · 11m fire web/a team=b
         11m fire web/b x=y · 12m end",
    );
    assert_eq!(
        world.dispatch.stats().suppressed,
        Suppressed {
            inhibition: 3,
            active_time_interval: 1,
            mute_time_interval: 4,
            silence: 2,
        }
    );
}
