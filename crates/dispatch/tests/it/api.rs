//! What the API shows.

use expect_test::expect;

use firebell_dispatch::GroupCursor;

use crate::harness::{SIMPLE, World, check_with, labels, run};

#[test]
fn item_58_alerts_stand_by_fingerprint_with_their_receivers_and_what_mutes_them() {
    check_with(
        "receiver a: webhook\nreceiver b: webhook\nroute a by=service\n  {service=\"db\"} b continue\n  {alertname=\"up\"} a\n\
         inhibit {alertname=\"up\"} > {alertname=\"slow\"} on service",
        "0s fire db/up · 0s fire db/slow · 0s fire web/slow · 1s silence s {service=\"web\"} until 1h
         1s silence t {service=\"web\"} until 1h from 30m · 2s show alerts",
        expect![[r#"
            0m2s show | slow suppressed silenced by s > a | slow suppressed inhibited by up > b | up active > b+a
        "#]],
    );
    let world = run(
        SIMPLE,
        "0s fire db/a · 0s fire db/b · 0s fire db/c · 0s fire db/d",
    );
    let shown: Vec<_> = world
        .dispatch
        .alerts(world.now)
        .map(|it| it.fingerprint)
        .collect();
    assert!(shown.is_sorted() && shown.len() == 4);
}

#[test]
fn item_59_groups_stand_by_labels_then_receiver_and_an_alert_once_per_route() {
    check_with(
        "receiver b: webhook\nreceiver a: webhook\nroute a by=service\n  {service=\"db\"} b continue\n  {service=\"db\"} a\n  {service=\"cache\"} a by=service,alertname",
        "0s fire web/x · 0s fire db/y · 0s fire db/z · 0s fire cache/u · 0s post web/gone ends=0s · 2s show groups
         31s show groups",
        expect![[r#"
            0m2s show | a {}/{service="db"}:{service="db"} [y, z] next 0m30s | b {}/{service="db"}:{service="db"} [y, z] next 0m30s | a {}:{service="web"} [x] next 0m30s | a {}/{service="cache"}:{alertname="u", service="cache"} [u] next 0m30s
            0m30s notify a/webhook[0]: first [-gone, x]
            0m30s notify b/webhook[0]: first [y, z]
            0m30s notify a/webhook[0]: first [y, z]
            0m30s notify a/webhook[0]: first [u]
            0m31s show | a {}/{service="db"}:{service="db"} [y, z] next 5m30s | b {}/{service="db"}:{service="db"} [y, z] next 5m30s | a {}:{service="web"} [x] next 5m30s | a {}/{service="cache"}:{alertname="u", service="cache"} [u] next 5m30s
        "#]],
    );
}

#[test]
fn a_group_says_what_it_told_and_what_is_under_way() {
    let world = run(
        "receiver a: webhook, slack, mail\nroute a by=service",
        "0s answer a/slack[0] fails after 1m · 0s answer a/mail[0] refuses · 0s fire db/disk · 31s end",
    );
    let groups = world
        .dispatch
        .groups_of(world.now, labels("db/disk").fingerprint());
    let mut text = String::new();
    for group in groups {
        let (notified, under_way) = (&group.notified, &group.under_way);
        text += &format!("{notified:?}\n{under_way:?}\n{:?}\n", group.last_failure);
    }
    expect![[r#"
        [NotifiedView { integration: Integration { kind: "webhook", idx: 0 }, at: Timestamp(30000), reason: First }]
        [UnderWayView { id: DeliveryId(2), integration: Integration { kind: "slack", idx: 0 }, attempt: 1, retry_at: Some(Timestamp(90000)), last_error: Some("503") }]
        Some(LastFailure { at: Timestamp(30000), integration: Integration { kind: "mail", idx: 0 }, attempt: 1, why: "503" })
    "#]].assert_eq(&text);
}

#[test]
fn a_place_among_groups_ends_with_its_configuration() {
    let mut world = run(SIMPLE, "0s fire a/x · 0s fire b/x · 0s fire c/x");
    let names = |world: &World, after: Option<GroupCursor>| {
        let groups = world.dispatch.groups_after(world.now, after)?;
        Some(
            groups
                .map(|it| it.labels.value("service").to_owned())
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(names(&world, None).unwrap(), ["a", "b", "c"]);
    let cursor = {
        let mut groups = world.dispatch.groups_after(world.now, None).unwrap();
        let first = groups.next().unwrap();
        world.dispatch.behind(&first)
    };
    assert_eq!(names(&world, Some(cursor.clone())).unwrap(), ["b", "c"]);
    // A route more puts `b` before `a`: behind `a` there would be nothing but `c`.
    world.act("reload receiver db: webhook\nroute db by=service\n  {service=\"b\"} db by=service");
    world.settle();
    assert_eq!(names(&world, Some(cursor)), None);
    assert_eq!(names(&world, None).unwrap().len(), 3);
}
