//! What is refused when policies are loaded.

use firebell_escalation::{
    AckMode, Act, Condition, Level, Policy, Severity, Step, Who, Window, check,
};

use crate::world::{level, notify, ordinary, step, team};

fn faults(policies: &[Policy]) -> String {
    let faults = check(policies, &team(), &|name| name == "ops");
    let lines = faults.iter().map(|it| {
        let step = it.step.map_or(String::new(), |idx| format!(" step {idx}"));
        format!("{}{step}: {}\n", policies[it.policy].name, it.kind)
    });
    lines.collect()
}

fn when(step: Step, severity: u8, hours: Option<&str>) -> Step {
    let condition = Condition {
        severity: Severity::new(severity),
        hours: hours.map(|it| Window::new(it, "UTC").unwrap()),
        budget_below: None,
    };
    Step {
        when: Some(condition),
        ..step
    }
}

#[test]
fn what_is_ordinary_is_right() {
    assert_eq!(faults(&[ordinary()]), "");
}

#[test]
fn both_sides_of_a_branch_are_no_dead_end() {
    let inside = when(notify(0, &["schedule:primary"]), 4, Some("mon-fri"));
    let outside = Step {
        unless: inside.when.clone(),
        ..notify(0, &["person:eva"])
    };
    assert_eq!(
        faults(&[Policy::new("both", vec![inside.clone(), outside])]),
        ""
    );
    let alone = faults(&[Policy::new("one", vec![inside])]);
    assert_eq!(alone.lines().count(), 4, "{alone}");
}

#[test]
fn unreachable_steps_because_the_chain_moved_on_are_named() {
    // oncall#934: they were kept without a word.
    let steps = vec![
        notify(0, &["schedule:primary"]),
        step(5, Act::HandOver("ordinary".into())),
        notify(10, &["person:eva"]),
    ];
    let policies = [Policy::new("moves-on", steps), ordinary()];
    assert_eq!(
        faults(&policies),
        "moves-on step 2: this step is never taken\n"
    );
}

#[test]
fn a_circle_of_hand_overs_is_named_by_everybody_on_it() {
    let to = |name: &str, next: &str| {
        let steps = vec![
            notify(0, &["person:eva"]),
            step(5, Act::HandOver(next.into())),
        ];
        Policy::new(name, steps)
    };
    let found = faults(&[to("a", "b"), to("b", "c"), to("c", "a")]);
    expect_test::expect![[r#"
        a: this hands over in a circle: a to b to c to a
        b: this hands over in a circle: b to c to a to b
        c: this hands over in a circle: c to a to b to c
    "#]]
    .assert_eq(&found);
}

#[test]
fn people_who_left_and_people_without_contact_are_named() {
    let turns = Level {
        who: Who::RoundRobin,
        acknowledge: AckMode::All,
        ..level(&["receiver:ops"])
    };
    let steps = vec![
        notify(0, &["person:zoe", "schedule:primary"]),
        notify(5, &["person:dan", "team:none", "receiver:opps", "team:all"]),
        notify(4, &[]),
        step(9, Act::Notify(turns)),
    ];
    expect_test::expect![[r#"
        names step 0: there is nobody called `zoe`
        names step 1: `person:dan` is nobody who can be reached
        names step 1: there is no team `none`
        names step 1: there is no receiver `opps`
        names step 2: this tells nobody
        names step 2: this comes earlier than the step before it
        names step 3: channels take no turns and do not acknowledge
    "#]]
    .assert_eq(&faults(&[Policy::new("names", steps)]));
}
