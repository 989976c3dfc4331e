//! How posted alerts are completed, checked and merged.

use expect_test::{Expect, expect};
use firebell_dispatch::{Dispatch, DispatchRecord, Options, PostedAlert, PostedAlerts, PostedBody};
use firebell_model::{Alert, Labels, Timestamp};
use proptest::prelude::*;

use crate::harness::{SIMPLE, World, check, duration_text, moment, run};
use crate::routings::parse_routing;

// Shows times, annotation and timeout flag of every alert that is kept.
fn check_alerts(timeline: &str, expected: Expect) {
    let world = run(SIMPLE, timeline);
    expected.assert_eq(&(world.transcript.clone() + &kept(&world)));
}

fn kept(world: &World) -> String {
    let mut text = String::new();
    for view in world.dispatch.alerts(Timestamp(-1_000_000_000)) {
        let alert = view.alert;
        let ends_at = alert.ends_at.map_or("never".to_owned(), duration_text);
        let timeout = if alert.is_timeout { " timeout" } else { "" };
        let (name, starts_at) = (
            alert.labels.value("alertname"),
            duration_text(alert.starts_at),
        );
        let posted = alert.annotations.value("posted");
        text += &format!("{name}: {starts_at} to {ends_at}{timeout}, posted {posted}\n");
    }
    text
}

#[test]
fn item_23_missing_times_are_filled_in() {
    check_alerts(
        "1m post db/none · 1m post db/start starts=10s · 1m post db/end ends=50s · 1m post db/both starts=1s ends=2m",
        expect![[r#"
            end: 0m50s to 0m50s, posted 1m0s
            none: 1m0s to 6m0s timeout, posted 1m0s
            start: 0m10s to 6m0s timeout, posted 1m0s
            both: 0m1s to 2m0s, posted 1m0s
        "#]],
    );
}

#[test]
fn item_24_the_good_alerts_of_a_bad_batch_are_kept() {
    let mut dispatch = Dispatch::new(parse_routing(SIMPLE), Options::default());
    let posted = |pairs: &[(&str, &str)], starts: i64, ends: i64| PostedAlert {
        labels: Labels::from_pairs(pairs.iter().copied()),
        annotations: Labels::empty(),
        starts_at: Some(Timestamp(starts)),
        ends_at: Some(Timestamp(ends)),
        generator_url: String::new(),
    };
    let batch = PostedAlerts::from_iter([
        posted(&[("a", "")], 0, 1),
        posted(&[("a", "b"), ("c", "")], 0, 1),
        posted(&[("", "b")], 0, 1),
        posted(&[("a", "b")], 2, 1),
    ]);
    let errors = dispatch.handle_posted(Timestamp(0), &batch, &mut Vec::new());
    let alerts: Vec<String> = dispatch
        .alerts(Timestamp(0))
        .map(|it| it.alert.labels.to_string())
        .collect();
    assert_eq!(alerts, [r#"{a="b"}"#]);
    expect![[r#"
        at least one label pair required
        invalid label set: invalid name ""
        start time must be before end time"#]]
    .assert_eq(&errors.join("\n"));
}

#[test]
fn item_26_overlapping_states_are_merged_and_others_replaced() {
    // Earlier start is kept, newer annotations win.
    check_alerts(
        "0s post db/a starts=-2m · 1m post db/a starts=-1m",
        expect![[r#"
        0m0s notify db/webhook[0]: first [a]
        a: -2m0s to 6m0s timeout, posted 1m0s
    "#]],
    );
    // The same start with a later end is a plain replacement, and so is an earlier start.
    check_alerts(
        "0s post db/a starts=-2m ends=5m · 1m post db/a starts=-2m ends=4m",
        expect![[r#"
        0m0s notify db/webhook[0]: first [a]
        a: -2m0s to 5m0s, posted 1m0s
    "#]],
    );
    check_alerts(
        "0s post db/a starts=-2m ends=5m · 1m post db/a starts=-2m ends=6m",
        expect![[r#"
        0m0s notify db/webhook[0]: first [a]
        a: -2m0s to 6m0s, posted 1m0s
    "#]],
    );
    check_alerts(
        "0s post db/a starts=-2m ends=5m · 1m post db/a starts=-3m ends=6m",
        expect![[r#"
        0m0s notify db/webhook[0]: first [a]
        a: -3m0s to 6m0s, posted 1m0s
    "#]],
    );
    // The later end of the older one wins unless it is only a timeout.
    check_alerts(
        "0s post db/a starts=-2m ends=9m · 1m post db/a starts=-1m ends=6m",
        expect![[r#"
        0m0s notify db/webhook[0]: first [a]
        a: -2m0s to 9m0s, posted 1m0s
    "#]],
    );
    check_alerts(
        "0s post db/a starts=-2m · 1m post db/a starts=-1m ends=2m",
        expect![[r#"
        0m0s notify db/webhook[0]: first [a]
        a: -2m0s to 2m0s, posted 1m0s
    "#]],
    );
    // Resolving: the newer end wins; of two resolved states the later end.
    check_alerts(
        "0s post db/a starts=-2m ends=9m · 1m post db/a starts=-1m ends=30s",
        expect![[r#"
        0m0s notify db/webhook[0]: first [a]
        a: -2m0s to 0m30s, posted 1m0s
    "#]],
    );
    check_alerts(
        "2m post db/a starts=1s ends=1m · 3m post db/a starts=2s ends=50s",
        expect![[r#"
        a: 0m1s to 1m0s, posted 3m0s
    "#]],
    );
    // After the end of the old one, a new occurrence.
    check_alerts(
        "0s post db/a starts=-2m ends=1m · 2m post db/a starts=90s",
        expect![[r#"
        0m0s notify db/webhook[0]: first [a]
        a: 1m30s to 7m0s timeout, posted 2m0s
    "#]],
    );
}

#[test]
fn item_27_an_alert_resolves_with_nobody_saying_so() {
    check(
        "0s post db/disk · 5m1s show alerts · 12m end",
        expect![[r#"
        0m30s notify db/webhook[0]: first [disk]
        5m1s show
        5m30s notify db/webhook[0]: all resolved [-disk]
    "#]],
    );
    check(
        "0s post db/disk ends=20s · 12m show groups",
        expect![[r#"
        12m0s show
    "#]],
    );
}

#[test]
fn item_28_a_limit_per_name_refuses_new_alerts_only() {
    let options = Options {
        alerts_per_name_max: Some(1),
        ..Options::default()
    };
    let mut dispatch = Dispatch::new(parse_routing(SIMPLE), options);
    let mut fire = |text: &str, at: &str| {
        let alert = PostedAlert {
            labels: crate::harness::labels(text),
            annotations: Labels::empty(),
            starts_at: None,
            ends_at: None,
            generator_url: String::new(),
        };
        let alerts = PostedAlerts::from_iter([alert]);
        dispatch.handle_posted(moment(at), &alerts, &mut Vec::new());
        (dispatch.stats().n_alerts, dispatch.stats().n_refused)
    };
    assert_eq!(fire("db/a", "0s"), (1, 0));
    assert_eq!(fire("web/a", "0s"), (1, 1));
    assert_eq!(fire("db/a", "1s"), (1, 1));
    assert_eq!(fire("web/b", "1s"), (2, 1));
}

#[test]
fn resolved_alerts_that_no_group_waits_for_are_forgotten() {
    let world = run(SIMPLE, "0s fire db/disk · 1m resolve db/disk · 30m59s end");
    assert_eq!(world.dispatch.stats().n_alerts, 1);
    let world = run(SIMPLE, "0s fire db/disk · 1m resolve db/disk · 31m end");
    assert_eq!(world.dispatch.stats().n_alerts, 0);
    assert_eq!(world.dispatch.stats().n_groups, 0);
}

// A text as a part of a body, if it is to be and is there, or else apart from it.
fn placed<'b>(body: &'b str, text: &str, is_in_body: bool) -> &'b str {
    match body.find(text).filter(|_| is_in_body) {
        Some(at) => &body[at..at + text.len()],
        None => text.to_owned().leak(),
    }
}

fn any_posted() -> impl Strategy<Value = PostedAlert> {
    let pairs = |names: &'static [&'static str]| {
        let value = prop::sample::select(vec!["", "x", "y", "zoë"]);
        let pair = (prop::sample::select(names), value);
        prop::collection::vec(pair, 0..4).prop_map(Labels::from_pairs)
    };
    let time = prop::option::of((0_i64..4).prop_map(|secs| Timestamp(secs * 1_000)));
    let url = prop::sample::select(vec!["", "http://x", "http://y"]);
    let texts = (pairs(&["a", "b", "", "a\""]), pairs(&["n", "o"]), url);
    (texts, time.clone(), time).prop_map(|((labels, annotations, url), starts_at, ends_at)| {
        let generator_url = url.to_owned();
        PostedAlert {
            labels,
            annotations,
            starts_at,
            ends_at,
            generator_url,
        }
    })
}

proptest! {
    /// It makes no difference whether texts are a part of the body, nor where in it.
    #[test]
    fn alerts_of_a_body_are_those_that_are_given_one_by_one(
        posts in prop::collection::vec(prop::collection::vec(any_posted(), 0..5), 1..6),
        in_body in prop::collection::vec(any::<bool>(), 7),
    ) {
        let new = || Dispatch::new(parse_routing(SIMPLE), Options::default());
        let (mut one, mut other) = (new(), new());
        let body = " http://x zoë,y:x n o a\"b http://y";
        let mut is_in_body = in_body.iter().cycle().copied();
        for (nth, post) in (0_i64..).zip(posts) {
            let now = Timestamp(nth * 700);
            let read = |body: &str, of_body: &mut PostedBody<'_>| {
                let mut text = |text: &str| placed(body, text, is_in_body.next() == Some(true));
                for alert in &post {
                    let mut texts = |labels: &Labels| -> Vec<(&str, &str)> {
                        let pairs = labels.iter();
                        pairs.map(|it| (text(&it.name), text(&it.value))).collect()
                    };
                    let (labels, annotations) = (texts(&alert.labels), texts(&alert.annotations));
                    let times = (alert.starts_at, alert.ends_at);
                    let (labels, annotations) = (labels.into_iter(), annotations.into_iter());
                    of_body.push(labels, annotations, times, text(&alert.generator_url));
                }
                Ok::<(), ()>(())
            };
            let (of_body, ()) = PostedAlerts::of_body(body.to_owned(), read).unwrap();
            let given = PostedAlerts::from_iter(post);
            let step = |dispatch: &mut Dispatch, posted: &PostedAlerts| {
                let errors = dispatch.handle_posted(now, posted, &mut Vec::new());
                let mut changes: Vec<DispatchRecord> = Vec::new();
                dispatch.take_changes(&mut changes);
                (errors, changes)
            };
            prop_assert_eq!(step(&mut one, &given), step(&mut other, &of_body));
        }
        prop_assert!(one.records().eq(other.records()));
    }
}

/// What senders say again anyway is told from news: the ledger waits for the disk only for these.
#[test]
fn only_what_goes_on_as_it_was_is_noted_as_renewed() {
    let mut dispatch = Dispatch::new(parse_routing(SIMPLE), Options::default());
    for (now, ends_at, summary, is_renewed) in [
        (0, Some(300), "a", false),
        // It goes on; that it is to end sooner does not hold; it says something else.
        (60, Some(360), "a", true),
        (65, Some(360), "a", true),
        (70, Some(300), "a", true),
        (80, Some(380), "b", false),
        // It ends, which is told again and again, and begins anew.
        (100, Some(100), "b", false),
        (110, Some(100), "b", true),
        (200, Some(500), "b", false),
        // It ran out. Its end is ours, then the sender's.
        (600, None, "b", false),
        (610, None, "b", true),
        (620, Some(630), "b", false),
        // It goes on for as long as its sender says each time, then for longer: who says so may say
        // it once.
        (640, Some(900), "b", false),
        (650, Some(910), "b", true),
        (660, Some(970), "b", true),
        (670, Some(1_050), "b", false),
        (680, Some(1_060), "b", true),
    ] {
        let at = |secs: i64| Timestamp(secs * 1000);
        let alert = PostedAlert {
            labels: Labels::from_pairs([("alertname", "Down")]),
            annotations: Labels::from_pairs([("summary", summary)]),
            starts_at: Some(at(ends_at.map_or(now, |end| now.min(end)))),
            ends_at: ends_at.map(at),
            generator_url: String::new(),
        };
        let posted = PostedAlerts::from_iter([alert]);
        dispatch.handle_posted(at(now), &posted, &mut Vec::new());
        let mut changes: Vec<DispatchRecord> = Vec::new();
        dispatch.take_changes(&mut changes);
        let found = matches!(changes[..], [DispatchRecord::Renewed(_)]);
        assert_eq!(found, is_renewed, "at {now}: {changes:?}");
    }
}

/// What an alert says is what was last said of it, however little of it has changed.
#[test]
fn every_change_of_what_an_alert_says_is_taken() {
    let mut dispatch = Dispatch::new(parse_routing(SIMPLE), Options::default());
    let own = [("summary", "of a rule")];
    for (secs, (annotations, url)) in (0_i64..).zip(
        [
            (&[("summary", "a")][..], "http://x"),
            (&[("summary", "b")], "http://x"),
            (&[("title", "b")], "http://x"),
            (&[("title", "b")], "http://y"),
            (&[("title", "b"), ("u", "http://y")], ""),
            (&[("title", "b"), ("u", "")], "http://y"),
            (&own, "http://rule"),
            (&[("title", "b")], "http://y"),
            (&[], "http://y"),
            (&[], ""),
        ]
        .iter()
        .flat_map(|it| [it, it]),
    ) {
        let labels = Labels::from_pairs([("alertname", "Down")]);
        let annotations = Labels::from_pairs(annotations.iter().copied());
        let (now, ends_at) = (Timestamp(secs * 1000), Timestamp(secs * 1000 + 60_000));
        let (starts_at, generator_url) = (Timestamp(0), (*url).to_owned());
        if *url == "http://rule" {
            let alert = Alert {
                labels,
                annotations: annotations.clone(),
                starts_at,
                ends_at: Some(ends_at),
                generator_url,
                updated_at: now,
                is_timeout: false,
            };
            dispatch.handle_own_alerts(now, &[alert], &mut Vec::new());
        } else {
            let alert = PostedAlert {
                labels,
                annotations: annotations.clone(),
                starts_at: Some(starts_at),
                ends_at: Some(ends_at),
                generator_url,
            };
            dispatch.handle_posted(now, &PostedAlerts::from_iter([alert]), &mut Vec::new());
        }
        let known: Vec<_> = dispatch
            .alerts(now)
            .map(|view| view.alert.clone())
            .collect();
        assert_eq!(known.len(), 1);
        assert_eq!(
            (&known[0].annotations, &*known[0].generator_url),
            (&annotations, *url),
            "{secs}"
        );
    }
}
