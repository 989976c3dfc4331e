//! What has to wait is neither lost nor told to somebody else, and nothing else waits for it.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use firebell_escalation::{AckMode, Act, Level, Limit, PersonRules, Policy, Way, Window};
use firebell_oncall::ContactKind;

use crate::world::{World, level, mins, notify, step, team};

fn world(who: &str, rules: PersonRules, policy: Policy) -> World {
    World::with(team(), vec![policy], BTreeMap::from([(who.into(), rules)]))
}

fn quiet() -> PersonRules {
    PersonRules {
        quiet: Some(Window::new("22:00-07:00", "UTC").unwrap()),
        ..PersonRules::default()
    }
}

fn check(world: &World, expected: &Expect) {
    expected.assert_eq(&world.transcript);
}

#[test]
fn a_run_ends_when_what_quiet_hours_hold_had_its_time() {
    let policy = Policy::new("eva", vec![notify(0, &["person:eva"])]);
    let mut world = world("eva", quiet(), policy);
    world.open(1, 3);
    world.until(60 * 8);
    check(
        &world,
        &expect![[r#"
        0m open 1: Ok(Done)
        0m   1: Began("eva")
        0m   1: Told(["eva"])
        420m   => eva by ntfy: [1]
        435m   1: Ended(Exhausted)
        435m   => nobody left: 1 Exhausted
    "#]],
    );
}

#[test]
fn a_way_that_comes_late_comes_all_the_same() {
    // oncall#934: steps behind a long wait were never taken.
    let late = PersonRules {
        urgent: vec![Way {
            after: mins(120),
            kind: ContactKind::Phone,
        }],
        ..PersonRules::default()
    };
    let policy = Policy::new("eva", vec![notify(0, &["person:eva"])]);
    let mut world = world("eva", late, policy);
    world.open(1, 1);
    world.until(60 * 3);
    check(
        &world,
        &expect![[r#"
        0m open 1: Ok(Done)
        0m   1: Began("eva")
        0m   1: Told(["eva"])
        120m   => eva by phone: [1]
        135m   1: Ended(Exhausted)
        135m   => nobody left: 1 Exhausted
    "#]],
    );
}

#[test]
fn a_shift_that_ends_during_a_pause_does_not_end_the_pause() {
    let hours = Window::new("mon-fri 09:00-17:00", "UTC").unwrap();
    let steps = vec![
        notify(0, &["schedule:office"]),
        step(1, Act::Defer(hours)),
        notify(0, &["team:all"]),
    ];
    let mut world = world("eva", quiet(), Policy::new("office", steps));
    world.until(17 * 60 - 1);
    world.open(1, 1);
    world.until(33 * 60);
    check(
        &world,
        &expect![[r#"
        1019m open 1: Ok(Done)
        1019m   1: Began("office")
        1019m   1: Told(["ana"])
        1019m   => ana by ntfy: [1]
        1020m   1: Deferred(Timestamp(1767690000000))
        1021m   1: NoLongerMeant("ana")
        1021m   1: NobodyThere
        1980m   1: Told(["ana", "ben", "cara", "eva"])
        1980m   => ana by ntfy: [1]
        1980m   => ben by ntfy: [1]
        1980m   => cara by ntfy: [1]
        1980m   => eva by ntfy: [1]
    "#]],
    );
}

#[test]
fn whoever_has_answered_is_not_told_again_after_a_restart() {
    let all = Level {
        acknowledge: AckMode::All,
        ..level(&["person:ana", "person:cara"])
    };
    let policy = Policy::new("all", vec![step(0, Act::Notify(all))]);
    let mut world = world("eva", quiet(), policy);
    world.is_slow = true;
    world.open(1, 1);
    world.ack(1, "ana");
    world.restart();
    world.until(1);
    check(
        &world,
        &expect![[r#"
            0m open 1: Ok(Done)
            0m   1: Began("all")
            0m   1: Told(["ana", "cara"])
            0m   => ana by ntfy: [1]
            0m   => cara by ntfy: [1]
            0m ana acknowledges 1: Ok(Counted)
            0m   1: Answered("ana")
            0m restart
            0m   => cara by ntfy: [1]
        "#]],
    );
}

#[test]
fn whoever_two_levels_mean_is_told_while_one_of_them_does() {
    let steps = vec![
        notify(0, &["schedule:primary"]),
        notify(15, &["person:ana"]),
    ];
    let mut policy = Policy::new("two", steps);
    policy.repeat_after = mins(60 * 24);
    let mut world = world("ana", quiet(), policy);
    // At midnight Ana's day on `primary` is over.
    world.until(23 * 60);
    world.open(1, 3);
    world.until(32 * 60);
    check(
        &world,
        &expect![[r#"
        1380m open 1: Ok(Done)
        1380m   1: Began("two")
        1380m   1: Told(["ana"])
        1395m   1: Told(["ana"])
        1860m   => ana by ntfy: [1]
    "#]],
    );
}

#[test]
fn what_a_limit_holds_does_not_ring_in_quiet_hours() {
    let limited = PersonRules {
        limits: vec![Limit {
            kind: ContactKind::Ntfy,
            n: 1,
            within: mins(30),
        }],
        ..quiet()
    };
    let policy = Policy::new("eva", vec![notify(0, &["person:eva"])]);
    let mut world = world("eva", limited, policy);
    world.until(22 * 60 - 20);
    world.open(1, 3);
    world.until(22 * 60 - 5);
    world.open(2, 3);
    world.until(22 * 60 + 30);
    world.close(1);
    world.until(31 * 60);
    check(
        &world,
        &expect![[r#"
        1300m open 1: Ok(Done)
        1300m   1: Began("eva")
        1300m   1: Told(["eva"])
        1300m   => eva by ntfy: [1]
        1315m   1: Ended(Exhausted)
        1315m   => nobody left: 1 Exhausted
        1315m open 2: Ok(Done)
        1315m   2: Began("eva")
        1315m   2: Told(["eva"])
        1350m 1 is resolved: Ok(Done)
        1350m   1: Ended(Resolved)
        1860m   => eva by ntfy: [2]
    "#]],
    );
}

#[test]
fn what_is_urgent_hardly_waits_for_company() {
    let bundled = PersonRules {
        bundle: mins(60),
        ..PersonRules::default()
    };
    let policy = Policy::new("eva", vec![notify(0, &["person:eva"])]);
    let mut world = world("eva", bundled, policy);
    world.open(1, 4);
    world.until(0);
    world.open(2, 1);
    world.until(1);
    check(
        &world,
        &expect![[r#"
        0m open 1: Ok(Done)
        0m   1: Began("eva")
        0m   1: Told(["eva"])
        0m   => eva by ntfy: [1]
        0m open 2: Ok(Done)
        0m   2: Began("eva")
        0m   2: Told(["eva"])
        1m   => eva by ntfy: [2]
    "#]],
    );
}
