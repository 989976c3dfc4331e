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
fn more_hand_overs_than_a_page_goes_through_are_refused() {
    let name = |nth: usize| format!("p{nth:04}");
    let chain = |n_policies: usize| {
        let policies = (0..n_policies).map(|nth| {
            let mut steps = vec![notify(0, &["person:eva"])];
            if nth + 1 < n_policies {
                steps.push(step(5, Act::HandOver(name(nth + 1).as_str().into())));
            }
            Policy::new(&name(nth), steps)
        });
        policies.collect::<Vec<_>>()
    };
    assert_eq!(faults(&chain(9)), "");
    let found = faults(&chain(11));
    let expected = "hands over more than 8 times, one after the other";
    assert_eq!(
        found,
        format!("p0000: this {expected}\np0001: this {expected}\n")
    );
}

/// Nearly a thousand policies of a hundred steps that all hand over to all that follow: whoever looks at each
/// way anew is not done in a lifetime.
#[test]
fn as_many_policies_as_there_may_be_are_judged() {
    let policies = (0..999).map(|nth: usize| {
        let mut steps = vec![notify(0, &["person:eva"]); 92];
        let next = (1..=8).filter(|ahead| (nth % 9) + ahead < 9);
        steps.extend(next.map(|ahead| {
            let to = step(
                5,
                Act::HandOver(format!("p{}", nth + ahead).as_str().into()),
            );
            when(to, 1, None)
        }));
        Policy::new(&format!("p{nth}"), steps)
    });
    let policies: Vec<Policy> = policies.collect();
    let found = faults(&policies);
    // Of several hand-overs in the same case the first is taken.
    assert!(
        found.lines().all(|it| it.ends_with("is never taken")),
        "{found}"
    );
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
