//! People's own rules: what a page becomes for a person.

use std::collections::BTreeMap;

use expect_test::expect;
use firebell_escalation::{HandOffNotices, Limit, PagingRules, PersonRules, Policy, Way, Window};
use firebell_oncall::ContactKind;

use crate::world::{START, World, mins, notify, person, team};

fn rules() -> PersonRules {
    let way = |after, kind| Way {
        after: mins(after),
        kind,
    };
    PersonRules {
        urgent: vec![way(0, ContactKind::Ntfy), way(3, ContactKind::Phone)],
        others: vec![way(0, ContactKind::Ntfy)],
        quiet: Some(Window::new("22:00-07:00", "UTC").unwrap()),
        limits: vec![Limit {
            kind: ContactKind::Ntfy,
            n: 2,
            within: mins(30),
        }],
        bundle: mins(1),
        hand_offs: HandOffNotices::Open,
    }
}

fn world() -> World {
    let rules: PagingRules = BTreeMap::from([("eva".into(), rules())]);
    let mut policy = Policy::new("eva", vec![notify(0, &["person:eva"])]);
    policy.repeat_after = mins(60 * 24);
    World::with(team(), vec![policy], rules)
}

#[test]
fn a_page_becomes_moments_and_methods() {
    let eva = person(
        "eva",
        &[
            (ContactKind::Phone, "1"),
            (ContactKind::Ntfy, "a"),
            (ContactKind::Ntfy, "b"),
        ],
    );
    let mut text = String::new();
    for (name, rules) in [("own", rules()), ("default", PersonRules::default())] {
        for is_urgent in [true, false] {
            for (at, method) in rules.plan(&eva, is_urgent, START) {
                let (minute, kind) = ((at - START).0 / 60_000, method.kind.name());
                text += &format!("{name} {is_urgent} {minute}m {kind} {}\n", method.nth);
            }
        }
    }
    expect![[r#"
        own true 0m ntfy 0
        own true 0m ntfy 1
        own true 3m phone 0
        own false 420m ntfy 0
        own false 420m ntfy 1
        default true 0m phone 0
        default true 2m ntfy 0
        default true 4m ntfy 1
        default false 0m phone 0
    "#]]
    .assert_eq(&text);
}

#[test]
fn whoever_sleeps_is_woken_by_what_is_urgent_only() {
    let mut world = world();
    world.open(1, 3);
    world.until(60);
    world.open(2, 1);
    world.until(64);
    world.ack(2, "eva");
    world.until(60 * 7 + 1);
    world.close(1);
    expect![[r#"
        0m open 1: Ok(Done)
        0m   1: Began("eva")
        0m   1: Told(["eva"])
        60m open 2: Ok(Done)
        60m   2: Began("eva")
        60m   2: Told(["eva"])
        60m   => eva by ntfy: [2]
        63m   => eva by phone: [2]
        64m eva acknowledges 2: Ok(Done)
        64m   2: Ended(Acknowledged)
        84m   2: Reminded("eva")
        84m   => ask eva: still 2?
        94m   2: AcknowledgementEnded
        94m   2: Began("eva")
        94m   2: Told(["eva"])
        94m   => eva by ntfy: [2]
        97m   => eva by phone: [2]
        420m   => eva by ntfy: [1]
        421m 1 is resolved: Ok(Done)
        421m   1: Ended(Resolved)
    "#]]
    .assert_eq(&world.transcript);
}

#[test]
fn a_storm_is_a_few_messages_with_everything_in_them() {
    let mut world = world();
    world.until(60 * 10);
    for key in 1..=40 {
        world.open(key, 3);
        world.until(60 * 10 + key as i64 / 4);
    }
    world.until(60 * 11);
    assert_eq!(world.n_messages, 3);
    let messages = world.transcript.lines().filter(|it| it.contains("=>"));
    let messages: String = messages.map(|it| format!("{it}\n")).collect();
    expect![[r#"
        600m   => eva by ntfy: [1]
        601m   => eva by ntfy: [2, 3, 4]
        630m   => eva by ntfy: [5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40]
    "#]].assert_eq(&messages);
}

#[test]
fn ten_thousand_open_pages_and_one_answer_is_quick() {
    let mut world = World::new(vec![Policy::new("eva", vec![notify(0, &["person:eva"])])]);
    let mut out = Vec::new();
    for key in 0..10_001 {
        let opening = firebell_escalation::Opening {
            key: firebell_escalation::PageKey(key),
            policy: "eva".into(),
            severity: firebell_escalation::Severity::WORST,
            budget: None,
        };
        let opened = world.core.open(START, &opening, &world.oncall, &mut out);
        assert_eq!(opened.is_ok(), key < 10_000);
    }
    world.core.take_changes();
    let key = firebell_escalation::PageKey(77);
    let answer = world
        .core
        .acknowledge(START, key, &"eva".into(), &world.oncall, &mut out);
    assert_eq!(answer, Ok(firebell_escalation::Answer::Done));
    // What it costs follows the change, not the stock: one page is written down.
    assert_eq!(world.core.take_changes().len(), 1);
    assert_eq!(world.core.faults(), []);
}
