//! What dispatch is made of, as upstream has it: identities, matchers, what alerts share.

use firebell_model::{Labels, Matcher, Notification, NotificationReason, Timestamp};

use crate::harness::{SIMPLE, labels, run};

#[test]
fn item_25_the_fingerprint_is_fnv_over_sorted_pairs() {
    // Computed apart from this code; empty values count as absent.
    let set = Labels::from_pairs([("severity", "page"), ("alertname", "Down"), ("x", "")]);
    assert_eq!(set.fingerprint().to_string(), "b8f0273cee3e6d28");
}

#[test]
fn item_47_what_alerts_share_counts_resolved_ones_too() {
    let world = run(
        SIMPLE,
        "0s fire db/disk node=a · 0s fire db/cpu node=a zone=x · 1s end",
    );
    let alerts = world.dispatch.alerts(world.now);
    let mut alerts: Vec<_> = alerts.map(|view| view.alert.clone()).collect();
    alerts[1].ends_at = Some(world.now);
    let of = |alerts| Notification {
        at: Timestamp(2000),
        receiver: String::new(),
        group_key: String::new(),
        group_labels: Labels::empty(),
        route_labels: Labels::empty(),
        reason: NotificationReason::First,
        alerts,
        measured: Default::default(),
    };
    let both = of(alerts.clone());
    let shared = Labels::from_pairs([("node", "a"), ("service", "db")]);
    assert_eq!(both.common_labels(), shared);
    let one = of(vec![alerts[0].clone()]);
    assert_eq!(one.common_labels(), alerts[0].labels);
}

#[test]
fn item_56_where_both_readings_of_a_matcher_disagree_the_classic_one_wins() {
    for (text, matching) in [
        ("service=db", "db/x"),
        ("\"service\"=\"db\"", "db/x"),
        ("service=db x", "db/x service=db\u{20}x"),
        ("service=", "/x"),
        ("service==db", "=db/x"),
        ("service='db'", "'db'/x"),
        ("service=db,", "db,/x"),
        ("service=db,a=b", "db,a=b/x"),
        ("Σ=x", "db/x Σ=x"),
    ] {
        let matcher = Matcher::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let set = match matching.split_once(" service=") {
            Some((_, value)) => Labels::from_pairs([("service", value)]),
            None => labels(matching),
        };
        assert!(matcher.matches(&set), "{text} on {set}");
    }
    for (text, expected) in [
        ("{foo=bar}", "unexpected open or close brace: {foo=bar}"),
        ("foo", "bad matcher format: foo"),
        ("", "bad matcher format: "),
        (
            "foo=a\"b",
            "matcher value contains unescaped double quote: a\"b",
        ),
        (
            "foo=~(",
            "error parsing regexp: missing closing ): `^(?:()$`",
        ),
    ] {
        let error = Matcher::parse(text).map_err(|error| error.to_string());
        assert_eq!(error.err().as_deref(), Some(expected));
    }
}

#[test]
fn item_57_classic_escapes_are_three() {
    let matcher = Matcher::parse(r#"foo="a\"b\\c\nd\e""#).expect("a matcher");
    assert_eq!(matcher.value(), "a\"b\\c\nd\\e");
}
