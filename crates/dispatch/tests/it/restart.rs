//! A restart changes nothing; random inputs; comparison with brute force.

use std::fmt::Write as _;

use firebell_dispatch::{AlertState, Dispatch, DispatchRecord, Options};
use firebell_model::{Alert, Fingerprint, Labels, Timestamp};
use proptest::prelude::*;

use crate::harness::{World, moment, run};
use crate::routings::parse_routing;

const ROUTING: &str = "\
receiver a: webhook, slack-
receiver b: webhook
route a by=service wait=10s interval=20s repeat=50s
  {service=\"db\"} b by=alertname continue
  {service=~\"db|web\"} a by=...
inhibit {alertname=\"a0\"} > {alertname=~\"a[123]\"} on service
inhibit {alertname=~\"a[12]\"} > {alertname=~\"a[23]\"} on k";

/// The same with every own key.
const OWN_KEYS: &str = "\
receiver a limit=3/60s: webhook, slack-
receiver b limit=1/90s: webhook
route a by=service wait=10s interval=20s repeat=50s through backoff=2/3m flap=2/80s
  {service=\"db\"} b by=alertname continue
  {service=~\"db|web\"} a by=...
inhibit {alertname=\"a0\"} > {alertname=~\"a[123]\"} on service
inhibit {alertname=~\"a[12]\"} > {alertname=~\"a[23]\"} on k
warn 30s";

const OTHER_ROUTING: &str = "\
receiver a: slack-, webhook
receiver b: mail
route a by=service wait=10s interval=20s repeat=50s
  {service=~\"db|web\"} a by=... interval=5s
inhibit {alertname=\"a0\"} > {alertname=~\"a[123]\"} on k";

#[derive(Clone, Debug)]
struct Step {
    pause_s: u64,
    event: String,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let alert = (0..3_usize, 0..4_usize, 0..3_usize).prop_map(|(service, name, k)| {
        let k = ["", " k=1", " k=2"][k];
        format!("{}/a{name}{k}", ["db", "web", "api"][service])
    });
    let to = prop::sample::select(vec!["a/webhook[0]", "a/slack[0]", "b/webhook[0]"]);
    let how = prop::sample::select(vec!["accepts", "fails", "refuses", "hangs", "after 7s"]);
    let matcher = prop::sample::select(vec![
        "{service=\"db\"}",
        "{alertname=~\"a[01]\"}",
        "{k!=\"1\"}",
        "{k=\"1\",service=\"web\"}",
    ]);
    let matcher2 = matcher.clone();
    let event = prop_oneof![
        6 => alert.clone().prop_map(|alert| format!("fire {alert}")),
        3 => alert.clone().prop_map(|alert| format!("resolve {alert}")),
        2 => alert.prop_map(|alert| format!("post {alert}")),
        3 => (to, how).prop_map(|(to, how)| format!("answer {to} {how}")),
        1 => (0..3, matcher, 1..200).prop_map(|(n, matchers, s)| format!("silence s{n} {matchers} for {s}")),
        1 => (0..3, matcher2, 1..200)
            .prop_map(|(n, matchers, s)| format!("silence r{n} {matchers} for {s} resolved 20s")),
        1 => Just("show alerts".to_owned()),
        1 => Just("reload".to_owned()),
        1 => prop::sample::select(vec![ROUTING, OTHER_ROUTING, OWN_KEYS])
            .prop_map(|routing| format!("reload {}", routing.replace('\n', ";"))),
    ];
    let step = (0..30_u64, event).prop_map(|(pause_s, event)| Step { pause_s, event });
    prop::collection::vec(step, 1..40)
}

fn play(routing: &str, steps: &[Step], restart_before: &[usize]) -> String {
    let mut world = World::new(routing);
    let mut at_s = 0;
    for (idx, step) in steps.iter().enumerate() {
        at_s += step.pause_s;
        world.advance_to(moment(&format!("{at_s}s")));
        if restart_before.contains(&idx) {
            world.check_journal();
            world.restart();
        }
        match step.event.split_once(" for ") {
            Some((event, secs)) => {
                let (secs, terms) = secs.split_once(' ').unwrap_or((secs, ""));
                let until = at_s + secs.parse::<u64>().expect("a number");
                world.act(format!("{event} until {until}s from {at_s}s {terms}").trim());
            }
            None => world.act(&step.event),
        }
        world.settle();
    }
    world.advance_to(moment(&format!("{}s", at_s + 300)));
    world.act("show groups");
    world.act("show alerts");
    world.check_journal();
    world.transcript
}

/// Otherwise a restart would take the flush for a success, and drop what resolved in it untold.
#[test]
fn a_refusal_is_recorded_while_another_delivery_of_its_flush_is_under_way() {
    let mut world = World::new(ROUTING);
    for event in [
        "answer a/webhook[0] fails",
        "answer a/slack[0] fails",
        "fire api/a0",
    ] {
        world.act(event);
        world.settle();
    }
    world.advance_to(moment("12s"));
    world.act("answer a/webhook[0] refuses");
    world.advance_to(moment("20s"));
    world.check_journal();
}

/// The same for a reload that takes an integration away.
#[test]
fn a_delivery_that_a_reload_ends_is_recorded_as_a_failure_of_its_flush() {
    let mut world = World::new(ROUTING);
    for event in [
        "answer a/webhook[0] hangs",
        "answer a/slack[0] hangs",
        "fire api/a0",
    ] {
        world.act(event);
        world.settle();
    }
    world.advance_to(moment("12s"));
    let without_slack = ROUTING.replace(", slack-", "").replace('\n', ";");
    world.act(&format!("reload {without_slack}"));
    world.check_journal();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_restart_at_any_point_changes_nothing(steps in steps(), at in 0..40_usize, again in 0..40_usize) {
        prop_assert_eq!(play(ROUTING, &steps, &[]), play(ROUTING, &steps, &[at, again]));
    }

    #[test]
    fn with_own_keys_neither(steps in steps(), at in 0..40_usize, again in 0..40_usize) {
        prop_assert_eq!(play(OWN_KEYS, &steps, &[]), play(OWN_KEYS, &steps, &[at, again]));
    }

    #[test]
    fn inhibition_is_what_trying_every_source_gives(
        alerts in prop::collection::vec((0..5_usize, 0..3_usize, 0..3_usize, 0..100_i64), 0..60),
        now in 0..100_i64,
    ) {
        let routing = "receiver a: webhook\nroute a\n\
            inhibit {n=\"0\"} > {n=~\"1|2\"} on k\n\
            inhibit {n=~\"1|2|3\"} > {n=~\"2|3|4\"} on k,m\n\
            inhibit {n!=\"4\"} > {m=\"\"}";
        let routing = parse_routing(routing);
        let mut dispatch = Dispatch::new(routing.clone(), Options::default());
        for (n, k, m, ends_at) in alerts {
            let number = |n: usize| ["", "1", "2"][n];
            let labels = Labels::from_pairs([("n", n.to_string().as_str()), ("k", number(k)), ("m", number(m))]);
            let alert = Alert {
                labels,
                annotations: Labels::empty(),
                starts_at: Timestamp(0),
                ends_at: Some(Timestamp(ends_at)),
                generator_url: String::new(),
                updated_at: Timestamp(0),
                is_timeout: false,
            };
            dispatch.handle_own_alerts(Timestamp(0), &[alert], &mut Vec::new());
        }
        let now = Timestamp(now);
        let all: Vec<(Fingerprint, Alert)> = dispatch
            .alerts(Timestamp(0))
            .map(|view| (view.fingerprint, view.alert.clone()))
            .collect();
        for (fingerprint, target) in &all {
            let tried = routing.inhibit_rules().iter().any(|rule| {
                let is_source = |labels| rule.source.iter().all(|matcher| matcher.matches(labels));
                let is_target = |labels| rule.target.iter().all(|matcher| matcher.matches(labels));
                let is_equal = |labels: &Labels| {
                    rule.equal.iter().all(|name| labels.value(name) == target.labels.value(name))
                };
                is_target(&target.labels)
                    && all.iter().any(|(_, source)| {
                        source.ends_at.is_none_or(|ends_at| ends_at > now)
                            && is_source(&source.labels)
                            && is_equal(&source.labels)
                            && !(is_source(&target.labels) && is_target(&source.labels))
                    })
            });
            let view = dispatch.alert(now, *fingerprint).expect("an alert that is there");
            prop_assert_eq!(view.state == AlertState::Suppressed, tried, "{}", target.labels);
        }
    }
}

#[test]
fn records_are_plain_json_that_ignores_what_it_does_not_know() {
    let mut world = run(
        ROUTING,
        "0s answer a/webhook[0] fails · 0s fire db/a0 · 0s silence s {service=\"x\"} until 1h · 12s end",
    );
    let mut text = String::new();
    for record in world.dispatch.records() {
        let json = serde_json::to_string(&record).expect("JSON");
        let _ = writeln!(text, "{json}");
        let with_more = json.replacen("\":{", "\":{\"from_the_future\":[1],", 1);
        let read: firebell_dispatch::DispatchRecord =
            serde_json::from_str(&with_more).expect("unknown keys are ignored");
        assert_eq!(read, record);
    }
    expect_test::expect_file!["records.jsonl"].assert_eq(&text);
    world.restart();
    world.check_journal();
}

#[test]
fn what_was_under_way_is_sent_again_and_what_waited_for_its_retry_is_not() {
    let world = run(
        "receiver a: webhook, slack\nroute a by=service",
        "0s answer a/webhook[0] hangs · 0s answer a/slack[0] fails after 1m · 0s fire db/disk · 31s end",
    );
    let mut fresh = Dispatch::new(
        parse_routing("receiver a: webhook, slack\nroute a by=service"),
        Options::default(),
    );
    for record in world.dispatch.records() {
        fresh.restore(record);
    }
    let mut out = Vec::new();
    fresh.resume(world.now, &mut out);
    let again: Vec<String> = out
        .iter()
        .map(|effect| match effect {
            firebell_dispatch::DispatchEffect::Notify(it) => {
                format!("{} {}", it.integration, it.attempt)
            }
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(again, ["webhook[0] 1"]);
}

#[test]
fn state_of_a_route_that_is_gone_is_left_behind_without_harm() {
    let world = run(
        ROUTING,
        "0s answer b/webhook[0] hangs · 0s fire db/a0 · 0s fire web/a1 · 12s end",
    );
    let mut fresh = Dispatch::new(
        parse_routing("receiver c: mail\nroute c"),
        Options::default(),
    );
    for record in world.dispatch.records() {
        fresh.restore(record);
    }
    let mut out = Vec::new();
    fresh.resume(world.now, &mut out);
    assert_eq!(
        (
            fresh.stats().n_groups,
            fresh.stats().n_under_way,
            fresh.stats().n_alerts
        ),
        (1, 0, 2)
    );
}

/// Each group that begins to wait is recorded by itself: in a storm thousands do, one after another.
#[test]
fn what_a_storm_writes_grows_with_the_number_of_groups_that_wait() {
    let bytes = |n_groups: usize| {
        let mut world = World::new(
            "receiver a limit=1/10m: webhook\nroute a by=service wait=0s interval=1h repeat=9h",
        );
        for n in 0..n_groups {
            world.act(&format!("fire s{n:04}/down"));
            world.settle();
        }
        world.advance_to(moment("11m"));
        world.check_journal();
        assert!(
            world
                .transcript
                .contains(&format!("({} notifications held", n_groups - 1))
        );
        world.journal_bytes()
    };
    let (few, many) = (bytes(100), bytes(400));
    assert!(
        many < few * 9 / 2,
        "{few} bytes of 100 groups, {many} of 400"
    );
}

#[test]
fn what_waits_for_a_summary_is_taken_over_from_records_of_the_first_versions() {
    let routing = "receiver a limit=1/10m: webhook\nroute a by=service wait=0s interval=1m";
    let mut world = run(
        routing,
        "0s fire db/disk · 1m fire web/slow · 2m fire api/down · 3m end",
    );
    let window = r#"{"window":{"receiver":"a","value":{"since":0,"n_told":1,
        "held":[["{}",{"service":"api"}],["{}",{"service":"web"}]]}}}"#;
    let mut old = vec![serde_json::from_str(window).expect("a record of an old version")];
    let is_new = |it: &DispatchRecord| {
        matches!(
            it,
            DispatchRecord::Period { .. } | DispatchRecord::Held { .. }
        )
    };
    old.extend(world.dispatch.records().filter(|it| !is_new(it)));
    let mut fresh = Dispatch::new(parse_routing(routing), Options::default());
    old.into_iter().for_each(|record| fresh.restore(record));
    fresh.resume(world.now, &mut Vec::new());
    world.dispatch = fresh;
    world.advance_to(moment("11m"));
    let last = world.transcript.lines().last();
    let expected = "10m0s notify a/webhook[0]: (2 notifications held back) new alerts [down, slow]";
    assert_eq!(last, Some(expected));
}
