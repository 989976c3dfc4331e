//! Runs of policies; among them the known failures of other systems.

use std::sync::Arc;

use expect_test::{Expect, expect};
use firebell_escalation::{
    AckMode, Act, Answer, BudgetLeft, Condition, Level, PageKey, Policy, Refusal, Severity, Step,
    Who, Window,
};
use firebell_oncall::{Change, Override, PersonId, Span};

use crate::world::{START, World, level, mins, notify, ordinary, step};

fn check(world: World, expected: Expect) {
    expected.assert_eq(&world.transcript);
}

fn business_hours() -> Window {
    Window::new("mon-fri 09:00-17:00", "UTC").unwrap()
}

fn unless_urgent(step: Step) -> Step {
    let condition = Condition {
        severity: Severity::new(2),
        ..Condition::default()
    };
    Step {
        unless: Some(condition),
        ..step
    }
}

#[test]
fn a_page_that_nobody_answers_climbs_and_nobody_left_is_an_alert() {
    let mut world = World::new(vec![ordinary()]);
    world.open(1, 1);
    world.until(120);
    check(
        world,
        expect![[r#"
        0m open 1: Ok(Done)
        0m   1: Began("ordinary")
        0m   1: Told(["ana"])
        0m   => ana by ntfy: [1]
        2m   => ana by phone: [1]
        15m   1: Told(["cara"])
        15m   => cara by ntfy: [1]
        17m   => cara by phone: [1]
        60m   1: Told(["eva"])
        60m   => eva by ntfy: [1]
        62m   => eva by phone: [1]
        75m   1: Ended(Exhausted)
        75m   => nobody left: 1 Exhausted
    "#]],
    );
}

/// The time of a first step is one as well: in every round, and where a policy is handed over to.
#[test]
fn what_comes_first_may_come_later() {
    let mut patient = Policy::new("patient", vec![notify(5, &["person:eva"])]);
    patient.repeat = 1;
    let steps = vec![step(3, Act::HandOver("patient".into()))];
    let mut world = World::new(vec![Policy::new("passes", steps), patient]);
    world.open(1, 1);
    world.until(60);
    let told = world.transcript.lines().filter(|it| it.contains("Told"));
    let told: Vec<&str> = told.map(str::trim).collect();
    assert_eq!(
        told,
        ["8m   1: Told([\"eva\"])", "28m   1: Told([\"eva\"])"]
    );
}

#[test]
fn nobody_is_paged_after_an_acknowledgement_until_it_ends() {
    let mut world = World::new(vec![ordinary()]);
    world.open(1, 1);
    world.until(1);
    world.ack(1, "ana");
    world.until(32);
    check(
        world,
        expect![[r#"
        0m open 1: Ok(Done)
        0m   1: Began("ordinary")
        0m   1: Told(["ana"])
        0m   => ana by ntfy: [1]
        1m ana acknowledges 1: Ok(Done)
        1m   1: Ended(Acknowledged)
        21m   1: Reminded("ana")
        21m   => ask ana: still 1?
        31m   1: AcknowledgementEnded
        31m   1: Began("ordinary")
        31m   1: Told(["ana"])
        31m   => ana by ntfy: [1]
    "#]],
    );
}

#[test]
fn two_people_at_once_a_second_time_and_after_the_end_are_noted_and_change_nothing() {
    let mut world = World::new(vec![ordinary()]);
    world.open(1, 1);
    world.until(1);
    world.ack(1, "ana");
    world.ack(1, "cara");
    world.ack(1, "ana");
    world.until(22);
    world.ack(1, "ana");
    world.until(23);
    world.close(1);
    world.close(1);
    world.ack(1, "ana");
    world.ack(2, "ana");
    check(
        world,
        expect![[r#"
        0m open 1: Ok(Done)
        0m   1: Began("ordinary")
        0m   1: Told(["ana"])
        0m   => ana by ntfy: [1]
        1m ana acknowledges 1: Ok(Done)
        1m   1: Ended(Acknowledged)
        1m cara acknowledges 1: Ok(Already)
        1m   1: AnsweredAgain("cara")
        1m ana acknowledges 1: Ok(Already)
        1m   1: AnsweredAgain("ana")
        21m   1: Reminded("ana")
        21m   => ask ana: still 1?
        22m ana acknowledges 1: Ok(Done)
        22m   1: Renewed("ana")
        23m 1 is resolved: Ok(Done)
        23m   1: Ended(Resolved)
        23m 1 is resolved: Ok(Over)
        23m ana acknowledges 1: Ok(Over)
        23m   1: AnsweredAgain("ana")
        23m ana acknowledges 2: Err(Unknown(PageKey(2)))
    "#]],
    );
}

#[test]
fn severity_that_rises_reopens_what_was_acknowledged_or_snoozed() {
    let mut world = World::new(vec![ordinary()]);
    world.open(1, 3);
    world.until(1);
    world.ack(1, "ana");
    world.until(5);
    world.severity(1, 4);
    world.severity(1, 1);
    world.until(6);
    world.severity(1, 2);
    world.snooze(1, 60);
    world.severity(1, 1);
    world.until(6);
    world.snooze(1, 30);
    world.until(70);
    world.close(1);
    check(
        world,
        expect![[r#"
            0m open 1: Ok(Done)
            0m   1: Began("ordinary")
            0m   1: Told(["ana"])
            0m   => ana by ntfy: [1]
            1m ana acknowledges 1: Ok(Done)
            1m   1: Ended(Acknowledged)
            5m 1 is sev4: Ok(Done)
            5m   1: Severity(Severity(4))
            5m 1 is sev1: Ok(Done)
            5m   1: Severity(Severity(1))
            5m   1: Began("ordinary")
            5m   1: Told(["ana"])
            5m   => ana by ntfy: [1]
            6m 1 is sev2: Ok(Done)
            6m   1: Severity(Severity(2))
            6m ana snoozes 1: Ok(Done)
            6m   1: Snoozed("ana", Timestamp(1767575160000))
            6m 1 is sev1: Ok(Done)
            6m   1: Severity(Severity(1))
            6m   1: Began("ordinary")
            6m   1: Told(["ana"])
            6m   => ana by ntfy: [1]
            6m ana snoozes 1: Ok(Done)
            6m   1: Snoozed("ana", Timestamp(1767573360000))
            36m   1: Began("ordinary")
            36m   1: Told(["ana"])
            36m   => ana by ntfy: [1]
            38m   => ana by phone: [1]
            51m   1: Told(["cara"])
            51m   => cara by ntfy: [1]
            53m   => cara by phone: [1]
            70m 1 is resolved: Ok(Done)
            70m   1: Ended(Resolved)
        "#]],
    );
}

#[test]
fn who_is_on_call_counts_at_the_moment_of_the_message() {
    let mut world = World::new(vec![ordinary()]);
    // Ana's turn is over at midnight, a minute before the telephone would ring.
    world.until(24 * 60 - 1);
    world.open(1, 1);
    world.until(24 * 60 + 5);
    world.close(1);
    check(
        world,
        expect![[r#"
        1439m open 1: Ok(Done)
        1439m   1: Began("ordinary")
        1439m   1: Told(["ana"])
        1439m   => ana by ntfy: [1]
        1441m   1: NoLongerMeant("ana")
        1441m   1: Told(["ben"])
        1441m   => ben by ntfy: [1]
        1443m   => ben by phone: [1]
        1445m 1 is resolved: Ok(Done)
        1445m   1: Ended(Resolved)
    "#]],
    );
}

#[test]
fn a_pause_until_business_hours_goes_on_also_after_a_restart() {
    // oncall#1206: it never did.
    let steps = vec![
        unless_urgent(step(0, Act::Defer(business_hours()))),
        notify(0, &["schedule:primary"]),
        notify(5, &["schedule:backup"]),
    ];
    let mut world = World::new(vec![Policy::new("office", steps)]);
    world.open(1, 3);
    world.until(60);
    world.restart();
    world.until(60 * 9 + 6);
    world.close(1);
    world.open(2, 3);
    world.open(3, 1);
    world.close(2);
    world.close(3);
    check(
        world,
        expect![[r#"
        0m open 1: Ok(Done)
        0m   1: Began("office")
        0m   1: Deferred(Timestamp(1767603600000))
        60m restart
        540m   1: Told(["ana"])
        540m   => ana by ntfy: [1]
        545m   1: Told(["cara"])
        545m   => cara by ntfy: [1]
        546m 1 is resolved: Ok(Done)
        546m   1: Ended(Resolved)
        546m open 2: Ok(Done)
        546m   2: Began("office")
        546m   2: Told(["ana"])
        546m   => ana by ntfy: [2]
        546m open 3: Ok(Done)
        546m   3: Began("office")
        546m   3: Told(["ana"])
        546m 2 is resolved: Ok(Done)
        546m   2: Ended(Resolved)
        546m 3 is resolved: Ok(Done)
        546m   3: Ended(Resolved)
    "#]],
    );
}

#[test]
fn a_budget_that_runs_out_ends_a_deferral() {
    let low = Condition {
        budget_below: Some(BudgetLeft(1_000)),
        ..Condition::default()
    };
    let defer = Step {
        unless: Some(low),
        ..step(0, Act::Defer(business_hours()))
    };
    let steps = vec![defer, notify(0, &["schedule:primary"])];
    let mut world = World::new(vec![Policy::new("budget", steps)]);
    world.open(1, 3);
    world.until(10);
    for left in [5_000, 999] {
        let (key, left, mut out) = (PageKey(1), Some(BudgetLeft(left)), Vec::new());
        let set = world
            .core
            .set_budget(world.now, key, left, &world.oncall, &mut out);
        assert_eq!(set, Ok(Answer::Done));
        world.say(&format!("{left:?}: {} effects", out.len()));
    }
    check(
        world,
        expect![[r#"
        0m open 1: Ok(Done)
        0m   1: Began("budget")
        0m   1: Deferred(Timestamp(1767603600000))
        10m Some(BudgetLeft(5000)): 0 effects
        10m Some(BudgetLeft(999)): 1 effects
    "#]],
    );
}

#[test]
fn nobody_on_call_is_passed_over_at_once_and_nobody_at_all_is_an_alert() {
    let gap = vec![
        notify(0, &["schedule:office"]),
        notify(15, &["schedule:backup"]),
    ];
    let none = vec![notify(0, &["schedule:office", "person:dan"])];
    let gap = Policy::new("gap", gap);
    let mut world = World::new(vec![gap]);
    world.open(1, 1);
    world.close(1);
    world.reload(vec![Policy::new("none", none)]);
    world.open(2, 1);
    check(
        world,
        expect![[r#"
        0m open 1: Ok(Done)
        0m   1: Began("gap")
        0m   1: NobodyThere
        0m   1: Told(["cara"])
        0m   => cara by ntfy: [1]
        0m 1 is resolved: Ok(Done)
        0m   1: Ended(Resolved)
        0m open 2: Ok(Done)
        0m   2: Began("none")
        0m   2: NobodyThere
        0m   2: Ended(Failed)
        0m   => nobody left: 2 Failed
    "#]],
    );
}

#[test]
fn a_provider_that_fails_is_not_waited_for() {
    let mut world = World::new(vec![ordinary()]);
    world.deaf.extend(["ana", "cara", "eva"].map(Arc::from));
    world.open(1, 1);
    world.until(120);
    check(
        world,
        expect![[r#"
            0m open 1: Ok(Done)
            0m   1: Began("ordinary")
            0m   1: Told(["ana"])
            0m   => ana by ntfy: [1]
            0m   1: NotDelivered("ana")
            0m   => ana by phone: [1]
            0m   1: NotDelivered("ana")
            0m   1: Told(["cara"])
            0m   => cara by ntfy: [1]
            0m   1: NotDelivered("cara")
            0m   => cara by phone: [1]
            0m   1: NotDelivered("cara")
            0m   1: Told(["eva"])
            0m   => eva by ntfy: [1]
            0m   1: NotDelivered("eva")
            0m   => eva by phone: [1]
            0m   1: NotDelivered("eva")
            0m   1: Ended(Failed)
            0m   => nobody left: 1 Failed
        "#]],
    );
}

#[test]
fn a_message_of_which_nothing_is_heard_has_failed() {
    let mut world = World::new(vec![ordinary()]);
    world.is_slow = true;
    world.open(1, 1);
    world.until(9);
    world.close(1);
    check(
        world,
        expect![[r#"
        0m open 1: Ok(Done)
        0m   1: Began("ordinary")
        0m   1: Told(["ana"])
        0m   => ana by ntfy: [1]
        2m   => ana by phone: [1]
        5m   1: NotDelivered("ana")
        7m   1: NotDelivered("ana")
        7m   1: Told(["cara"])
        7m   => cara by ntfy: [1]
        9m   => cara by phone: [1]
        9m 1 is resolved: Ok(Done)
        9m   1: Ended(Resolved)
    "#]],
    );
}

#[test]
fn everybody_on_the_step_has_to_acknowledge() {
    // goalert#4545 asked for it.
    let all = Level {
        acknowledge: AckMode::All,
        ..level(&["schedule:primary", "schedule:backup"])
    };
    let steps = vec![step(0, Act::Notify(all)), notify(10, &["person:eva"])];
    let mut world = World::new(vec![Policy::new("all", steps)]);
    world.open(1, 1);
    world.until(1);
    world.ack(1, "eva");
    world.ack(1, "ana");
    world.ack(1, "ana");
    world.until(11);
    world.ack(1, "cara");
    check(
        world,
        expect![[r#"
            0m open 1: Ok(Done)
            0m   1: Began("all")
            0m   1: Told(["ana", "cara"])
            0m   => ana by ntfy: [1]
            0m   => cara by ntfy: [1]
            1m eva acknowledges 1: Ok(Counted)
            1m   1: AnsweredAgain("eva")
            1m ana acknowledges 1: Ok(Counted)
            1m   1: Answered("ana")
            1m ana acknowledges 1: Ok(Counted)
            1m   1: AnsweredAgain("ana")
            2m   => cara by phone: [1]
            10m   1: Told(["eva"])
            10m   => eva by ntfy: [1]
            11m cara acknowledges 1: Ok(Done)
            11m   1: Ended(Acknowledged)
        "#]],
    );
}

#[test]
fn turns_go_round_over_pages_and_restarts_and_rounds_repeat() {
    let turns = Level {
        who: Who::RoundRobin,
        ..level(&["team:all"])
    };
    let mut policy = Policy::new("turns", vec![step(0, Act::Notify(turns))]);
    policy.repeat = 1;
    let mut world = World::new(vec![policy]);
    world.open(1, 3);
    world.restart();
    world.until(1);
    world.open(2, 3);
    world.until(16);
    check(
        world,
        expect![[r#"
        0m open 1: Ok(Done)
        0m   1: Began("turns")
        0m   1: Told(["ana"])
        0m   => ana by ntfy: [1]
        0m restart
        1m open 2: Ok(Done)
        1m   2: Began("turns")
        1m   2: Told(["ben"])
        1m   => ben by ntfy: [2]
        15m   1: Repeated
        15m   1: Told(["cara"])
        15m   => cara by ntfy: [1]
        16m   2: Repeated
        16m   2: Told(["eva"])
        16m   => eva by ntfy: [2]
    "#]],
    );
}

#[test]
fn a_policy_hands_over_to_another_and_people_do() {
    let steps = vec![
        notify(0, &["schedule:primary", "receiver:ops"]),
        step(5, Act::HandOver("ordinary".into())),
    ];
    let mut world = World::new(vec![Policy::new("first", steps), ordinary()]);
    world.open(1, 3);
    world.until(6);
    world.hand_over(1, "first");
    world.hand_over(1, "none");
    world.close(1);
    world.hand_over(1, "first");
    check(
        world,
        expect![[r#"
            0m open 1: Ok(Done)
            0m   1: Began("first")
            0m   1: Told(["ana", "receiver:ops"])
            0m   => ops: 1
            0m   => ana by ntfy: [1]
            5m   1: Ended(HandedOff)
            5m   1: HandedOver("ordinary")
            5m   1: Told(["ana"])
            5m   => ana by ntfy: [1]
            6m 1 goes to first: Ok(Done)
            6m   1: Passed("eva", "first")
            6m   1: Began("first")
            6m   1: Told(["ana", "receiver:ops"])
            6m   => ops: 1
            6m   => ana by ntfy: [1]
            6m 1 goes to none: Err(UnknownTarget("none"))
            6m 1 is resolved: Ok(Done)
            6m   1: Ended(Resolved)
            6m 1 goes to first: Ok(Over)
        "#]],
    );
}

#[test]
fn a_policy_that_changes_or_goes_reaches_the_next_run_only() {
    let mut world = World::new(vec![ordinary()]);
    world.open(1, 3);
    let other = Policy::new("ordinary", vec![notify(0, &["person:eva"])]);
    world.reload(vec![other]);
    world.until(15);
    world.ack(1, "cara");
    world.reload(vec![Policy::new("else", vec![notify(0, &["person:eva"])])]);
    world.until(45);
    world.close(1);
    check(
        world,
        expect![[r#"
        0m open 1: Ok(Done)
        0m   1: Began("ordinary")
        0m   1: Told(["ana"])
        0m   => ana by ntfy: [1]
        15m   1: Told(["cara"])
        15m   => cara by ntfy: [1]
        15m cara acknowledges 1: Ok(Done)
        15m   1: Ended(Acknowledged)
        35m   1: Reminded("cara")
        35m   => ask cara: still 1?
        45m   1: AcknowledgementEnded
        45m   1: Began("ordinary")
        45m   1: Told(["ana"])
        45m   => ana by ntfy: [1]
        45m 1 is resolved: Ok(Done)
        45m   1: Ended(Resolved)
    "#]],
    );
}

#[test]
fn a_swap_between_two_messages_moves_the_second_one() {
    let mut world = World::new(vec![ordinary()]);
    world.open(1, 1);
    world.until(1);
    let change = Change::Replace {
        who: PersonId(0),
        by: PersonId(3),
    };
    world.oncall.schedules[0].overrides.push(Override {
        span: Span::new(START, START + mins(600)),
        change,
        reason: "swap".into(),
    });
    world.until(3);
    world.close(1);
    check(
        world,
        expect![[r#"
        0m open 1: Ok(Done)
        0m   1: Began("ordinary")
        0m   1: Told(["ana"])
        0m   => ana by ntfy: [1]
        2m   1: NoLongerMeant("ana")
        2m   1: Told(["eva"])
        2m   => eva by ntfy: [1]
        3m 1 is resolved: Ok(Done)
        3m   1: Ended(Resolved)
    "#]],
    );
}

#[test]
fn what_is_late_after_a_restart_leaves_everybody_their_time() {
    let mut world = World::new(vec![ordinary()]);
    world.open(1, 3);
    world.now = START + mins(200);
    world.restart();
    world.until(300);
    check(
        world,
        expect![[r#"
        0m open 1: Ok(Done)
        0m   1: Began("ordinary")
        0m   1: Told(["ana"])
        0m   => ana by ntfy: [1]
        200m restart
        200m   1: Told(["cara"])
        200m   => cara by ntfy: [1]
        245m   1: Told(["eva"])
        245m   => eva by ntfy: [1]
        260m   1: Ended(Exhausted)
        260m   => nobody left: 1 Exhausted
    "#]],
    );
}

#[test]
fn too_many_pages_and_wrong_snoozes_are_refused() {
    let mut world = World::new(vec![ordinary()]);
    world.open(1, 3);
    world.snooze(1, 0);
    world.snooze(1, 60 * 24 * 8);
    assert!(world.transcript.contains("Err(Snooze)"));
    let unknown = Refusal::Unknown(PageKey(7)).to_string();
    assert_eq!(unknown, "nobody is paged for INC-7");
    let snooze = Refusal::Snooze.to_string();
    assert_eq!(snooze, "a snooze ends within the next 1w");
}
