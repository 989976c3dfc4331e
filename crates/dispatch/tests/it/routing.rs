//! Which routes take an alert, and what its groups are called.

use expect_test::{Expect, expect};
use firebell_dispatch::{Receiver, Receivers, RouteSpec, Routing, RoutingProblemKind};
use firebell_model::{Duration, Labels, Matcher};

use crate::harness::{check_with, labels, run};
use crate::routings::parse_routing;

fn check_routes(routing: &str, alerts: &[&str], expected: Expect) {
    let routing = parse_routing(routing);
    let shown: Vec<String> = alerts
        .iter()
        .map(|text| {
            let found = routing.matches(&labels(text));
            let ids: Vec<&str> = found
                .iter()
                .map(|idx| &*routing.routes()[idx.position()].id)
                .collect();
            format!("{text} > {}\n", ids.join(" + "))
        })
        .collect();
    expected.assert_eq(&shown.concat());
}

const TREE: &str = "\
receiver a: webhook
receiver b: webhook
route a
  {service=\"db\"} b
    {severity=\"page\"} a continue
    {severity=~\"page|mail\"} b
  {service=\"web\"} b continue
    {alertname=\"x\"} b
  {service=\"web\"} a
  {team=\"\"} a continue
  {owner!~\".+\",service=\"api\"} b";

#[test]
fn item_29_children_come_before_their_parent_and_siblings_after_a_match_only_on_continue() {
    check_routes(
        TREE,
        &[
            "db/x severity=page",
            "db/x severity=mail",
            "db/x severity=other",
            "web/x",
            "web/y",
            "other/x team=t",
        ],
        expect![[r#"
            db/x severity=page > {}/{service="db"}/{severity="page"} + {}/{service="db"}/{severity=~"page|mail"}
            db/x severity=mail > {}/{service="db"}/{severity=~"page|mail"}
            db/x severity=other > {}/{service="db"}
            web/x > {}/{service="web"}/{alertname="x"} + {}/{service="web"}#1
            web/y > {}/{service="web"} + {}/{service="web"}#1
            other/x team=t > {}
        "#]],
    );
}

#[test]
fn item_30_a_missing_label_is_the_empty_string_and_expressions_are_anchored() {
    check_routes(
        TREE,
        &[
            "api/x",
            "api/x owner=me",
            "api/x team=t",
            "db/x severity=pages",
            "/x team=t",
        ],
        expect![[r#"
            api/x > {}/{team=""} + {}/{owner!~".+",service="api"}
            api/x owner=me > {}/{team=""}
            api/x team=t > {}/{owner!~".+",service="api"}
            db/x severity=pages > {}/{service="db"}
            /x team=t > {}
        "#]],
    );
}

#[test]
fn item_31_a_label_that_the_alert_lacks_is_absent_from_its_group() {
    check_with(
        "receiver a: webhook\nroute a by=service,cluster wait=1s",
        "0s fire db/x · 0s fire db/y cluster=c · 0s fire /z · 2s show groups",
        expect![[r#"
            0m1s notify a/webhook[0]: first [z]
            0m1s notify a/webhook[0]: first [y]
            0m1s notify a/webhook[0]: first [x]
            0m2s show | a {}:{} [z] next 5m1s | a {}:{service="db"} [x] next 5m1s | a {}:{cluster="c", service="db"} [y] next 5m1s
        "#]],
    );
}

#[test]
fn item_31_grouping_by_everything_makes_each_alert_its_own_group() {
    check_with(
        "receiver a: webhook\nroute a by=... wait=1s",
        "0s fire db/x · 0s fire db/x k=v · 2s show groups",
        expect![[r#"
            0m1s notify a/webhook[0]: first [x]
            0m1s notify a/webhook[0]: first [x]
            0m2s show | a {}:{alertname="x", service="db"} [x] next 5m1s | a {}:{alertname="x", k="v", service="db"} [x] next 5m1s
        "#]],
    );
}

#[test]
fn item_32_the_group_key_is_the_path_of_matchers_and_the_group_labels() {
    check_with(
        "receiver a: webhook\nroute a by=alertname,cluster\n  {zeta=\"1\",Σ=\"x\",alpha=~\"a|b\"} a\n    {service=\"db\"}",
        "0s fire db/A2 cluster=x alpha=a zeta=1 Σ=x · 0s fire db/A3 · 1s show groups",
        expect![[r#"
            0m1s show | a {}:{alertname="A3"} [A3] next 0m30s | a {}/{alpha=~"a|b",zeta="1",Σ="x"}/{service="db"}:{alertname="A2", cluster="x"} [A2] next 0m30s
        "#]],
    );
}

#[test]
fn item_32_siblings_with_equal_matchers_share_the_key_but_not_the_state() {
    let routing = "receiver a: webhook\nreceiver b: webhook\nroute a by=service\n  {x=\"\"} a continue\n  {x=\"\"} b wait=10s";
    check_routes(
        routing,
        &["db/disk"],
        expect![[r#"
        db/disk > {}/{x=""} + {}/{x=""}#1
    "#]],
    );
    check_with(
        routing,
        "0s fire db/disk · 1s show groups · 1m end",
        expect![[r#"
        0m1s show | a {}/{x=""}:{service="db"} [disk] next 0m30s | b {}/{x=""}:{service="db"} [disk] next 0m10s
        0m10s notify b/webhook[0]: first [disk]
        0m30s notify a/webhook[0]: first [disk]
    "#]],
    );
}

#[test]
fn item_33_the_log_counts_integrations_within_their_kind() {
    // Another kind before it changes nothing; swapping two of one kind does.
    check_with(
        "receiver a: webhook\nroute a by=service",
        "0s fire db/disk · 1m reload receiver a: slack, webhook;route a by=service · 6m end",
        expect![[r#"
            0m30s notify a/webhook[0]: first [disk]
            5m30s notify a/slack[0]: first [disk]
        "#]],
    );
    let world = run(
        "receiver a: webhook\nroute a by=service",
        "0s fire db/disk · 1m end",
    );
    let records = format!("{:?}", world.dispatch.records().collect::<Vec<_>>());
    assert!(
        records.contains(r#"{}:{service=\"db\"}:a/webhook/0"#),
        "{records}"
    );
}

#[test]
fn children_inherit_all_options_but_matchers_and_continue() {
    let routing = parse_routing(
        "receiver a: webhook\nroute a by=x wait=1s interval=2s repeat=3s\n  {a=\"b\"} continue\n    {c=\"d\"} wait=5s by=",
    );
    let route = &routing.routes()[2];
    assert_eq!(
        (route.group_wait, route.group_interval),
        (Duration(5000), Duration(2000))
    );
    assert_eq!(
        (route.repeat_interval, route.does_continue),
        (Duration(3000), false)
    );
    assert_eq!(&*route.id, r#"{}/{a="b"}/{c="d"}"#);
    assert_eq!(
        route.group_by.group_labels(&labels("db/x")),
        Labels::empty()
    );
    let default = &parse_routing("receiver a: webhook\nroute a").routes()[0]
        .group_interval
        .to_string();
    assert_eq!(default, "5m");
}

#[test]
fn every_problem_of_a_route_tree_is_told_with_its_place() {
    let receivers = || Receivers::new(vec![Receiver::new("a", [("webhook", true)])]).unwrap();
    let child = RouteSpec {
        group_interval: Some(Duration::ZERO),
        ..RouteSpec::default()
    };
    let root = RouteSpec {
        matchers: vec![Matcher::equal("a", "b")],
        does_continue: true,
        routes: vec![RouteSpec::default(), child],
        repeat_interval: Some(Duration::ZERO),
        ..RouteSpec::default()
    };
    let problems = Routing::new(receivers(), root, Vec::new(), Duration::ZERO).unwrap_err();
    let found: Vec<_> = problems
        .iter()
        .map(|it| (it.path.as_slice(), it.what))
        .collect();
    assert_eq!(
        found,
        [
            (&[][..], RoutingProblemKind::RootWithoutReceiver),
            (&[], RoutingProblemKind::RootWithMatchers),
            (&[], RoutingProblemKind::RootContinues),
            (&[], RoutingProblemKind::ZeroRepeatInterval),
            (&[1], RoutingProblemKind::ZeroGroupInterval),
        ]
    );
    let twice = || Receiver::new("a", [("webhook", true)]);
    let error = Receivers::new(vec![twice(), twice()]).unwrap_err();
    assert_eq!(error[0].to_string(), "the receiver name `a` is not unique");
}
