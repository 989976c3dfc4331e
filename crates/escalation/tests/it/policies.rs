//! What is refused when policies are loaded.

use firebell_escalation::{
    AckMode, Act, Condition, Level, Policy, Severity, Step, Unheard, Who, Window, check, unheard,
};

use firebell_model::Duration;

use crate::world::{START, level, notify, ordinary, step, team};

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

/// Reachable by day is not reachable: each way is followed at the moments at which it changes.
#[test]
fn a_dead_end_at_some_times_only_is_named_with_one_of_them() {
    let by_day = when(
        notify(0, &["schedule:primary"]),
        4,
        Some("mon-fri 09:00-17:00"),
    );
    let else_later = Step {
        unless: by_day.when.clone(),
        ..notify(20, &["person:eva"])
    };
    // Until ten to nine it is night for the first step, and day for the second.
    let found = faults(&[Policy::new("late", vec![by_day.clone(), else_later])]);
    let first = found.lines().next().unwrap_or_default();
    assert_eq!(
        first,
        "late: a page of sev1 may end here without anybody having been told, such as one that opens \
         on Monday at 08:40 (UTC)"
    );
    // The same hours in other words are the same moments.
    let eva = |hours| when(notify(0, &["person:eva"]), 4, Some(hours));
    let steps = vec![by_day, eva("sat,sun"), eva("17:00-09:00")];
    assert_eq!(faults(&[Policy::new("all", steps)]), "");
    let worst = when(notify(0, &["person:eva"]), 2, None);
    expect_test::expect![[r#"
        worst: a page of sev3 may end here without anybody having been told
        worst: a page of sev4 may end here without anybody having been told
    "#]]
    .assert_eq(&faults(&[Policy::new("worst", vec![worst])]));
}

/// Hours are right and nobody is on call in them: that depends on the weeks to come.
#[test]
fn pages_that_would_find_nobody_are_named_with_a_moment() {
    let office = notify(0, &["schedule:office"]);
    let told = |steps| unheard(&[Policy::new("office", steps)], &team(), START);
    let found = told(vec![office.clone()]);
    let at = |found: &[Unheard]| found.first().map(|it| (it.severity, it.at));
    assert_eq!(
        at(&found),
        Some((Severity::WORST, START)),
        "Monday, midnight"
    );
    // Nobody is waited for who is not there, and the next step comes at once.
    assert_eq!(told(vec![office.clone(), notify(30, &["person:eva"])]), []);
}

#[test]
fn what_waits_for_business_hours_is_a_way_to_them() {
    let by_day = when(
        notify(0, &["schedule:primary"]),
        4,
        Some("mon-fri 09:00-17:00"),
    );
    let until = |hours| step(0, Act::Defer(Window::new(hours, "UTC").unwrap()));
    let wait = until("mon-fri 09:00-17:00");
    assert_eq!(
        faults(&[Policy::new("waits", vec![wait, by_day.clone()])]),
        ""
    );
    // And a step for hours in which it never comes is one that is never taken.
    let wait = until("sat,sun");
    let always = notify(0, &["person:eva"]);
    let found = faults(&[Policy::new("never", vec![wait, by_day, always])]);
    assert_eq!(found, "never step 1: this step is never taken\n");
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

/// Where there is more than is looked at, no step is refused for what was not seen.
#[test]
fn a_step_of_a_moment_that_is_not_looked_at_is_not_refused() {
    let at = |nth: i64, hours: &str| {
        let it = when(notify(0, &["person:eva"]), 4, Some(hours));
        let after = Duration(nth * 61_007);
        Step { after, ..it }
    };
    let policy = |n_steps: i64| {
        let mut steps = vec![notify(0, &["person:eva"])];
        steps.extend((1..n_steps).map(|nth| {
            let hour = nth % 7;
            at(nth, &format!("mon-fri {hour:02}:00-{hour:02}:30"))
        }));
        steps.push(at(n_steps, "sun 23:50-23:55"));
        Policy::new("late", steps)
    };
    assert_eq!(faults(&[policy(10)]), "");
    assert_eq!(faults(&[policy(95)]), "");
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
