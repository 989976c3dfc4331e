//! What is said of the future is what then happens.

use firebell_escalation::{
    Act, Condition, Next, NextWhat, PageKey, Policy, Severity, Step, Window,
};

use crate::world::{START, World, mins, notify, ordinary, step};

fn next(world: &World) -> Option<Next> {
    let page = world.core.page(PageKey(1)).unwrap();
    world.core.next(page, &world.oncall)
}

/// Opens a page, and asks what comes next until its run is over.
fn foretold(world: &mut World) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(it) = next(world) {
        let minute = (it.at - START).0 / 60_000;
        all.push(format!("{minute}m {:?}", it.what));
        let lines_before = world.transcript.lines().count();
        world.until(minute);
        let new = world.transcript.lines().skip(lines_before);
        let then: Vec<&str> = new
            .filter(|it| it.starts_with(&format!("{minute}m")))
            .collect();
        assert!(!then.is_empty(), "nothing happened: {all:?}");
        if let NextWhat::Tell(who) = &it.what {
            // What is foretold names channels alone, what is recorded as policies do.
            let told = format!("Told({who:?})").replace("\"ops\"", "\"receiver:ops\"");
            assert!(then.iter().any(|it| it.contains(&told)), "{told}: {then:?}");
        }
        assert!(all.len() < 50, "{all:?}");
    }
    all
}

#[test]
fn the_next_step_names_its_people_and_its_time() {
    let mut world = World::new(vec![ordinary()]);
    world.open(1, 1);
    let expected = [
        "15m Tell([\"cara\"])",
        "60m Tell([\"eva\"])",
        "75m RoundEnds",
    ];
    assert_eq!(foretold(&mut world), expected);
}

#[test]
fn steps_that_are_passed_over_are_not_foretold() {
    let urgent = |step: Step| Step {
        when: Some(Condition {
            severity: Severity::new(1),
            ..Condition::default()
        }),
        ..step
    };
    let policy = Policy {
        repeat: 1,
        ..Policy::new(
            "p",
            vec![
                notify(0, &["schedule:primary"]),
                urgent(notify(5, &["person:eva"])),
                notify(10, &["person:cara", "receiver:ops"]),
            ],
        )
    };
    let mut world = World::new(vec![policy]);
    world.open(1, 3);
    let all = foretold(&mut world);
    assert!(all.iter().all(|it| !it.contains("eva")), "{all:?}");
    assert_eq!(all[0], "10m Tell([\"cara\", \"ops\"])");
}

#[test]
fn waits_and_hand_overs_are_foretold() {
    let hours = Window::new("mon-fri 09:00-17:00", "UTC").unwrap();
    let deferred = Policy::new(
        "deferred",
        vec![
            step(0, Act::Defer(hours)),
            notify(0, &["person:eva"]),
            step(5, Act::HandOver("ordinary".into())),
        ],
    );
    let mut world = World::new(vec![deferred, ordinary()]);
    world.open(1, 3);
    let all = foretold(&mut world);
    let nine = 9 * 60;
    assert_eq!(all[0], format!("{nine}m Hours"));
    assert_eq!(all[1], format!("{}m HandOver(\"ordinary\")", nine + 5));
}

#[test]
fn after_a_snooze_it_begins_anew_and_of_what_is_over_nothing_comes() {
    let mut world = World::new(vec![ordinary()]);
    world.open(1, 1);
    world.snooze(1, 30);
    let expected = Next {
        at: START + mins(30),
        what: NextWhat::Anew,
    };
    assert_eq!(next(&world), Some(expected));
    world.ack(1, "ana");
    assert_eq!(next(&world), None);
}
