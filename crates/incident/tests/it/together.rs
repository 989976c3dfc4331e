//! Which alerts belong together, and the complaints about systems that get that wrong.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use firebell_incident::{AlertEvent, Incidents, Opening, Person, Severity};
use firebell_model::Timestamp;
use proptest::prelude::*;

use crate::world::{check, labels, play, policy};

#[test]
fn an_alert_of_the_same_service_joins_and_one_of_another_does_not() {
    check(
        "0s fires Down service=cart severity=critical · 1m fires Slow service=cart severity=warning
         2m fires Down service=api severity=critical · 3m fires Slow service=web severity=warning
         4m show 1 · 4m show 2",
        &expect![[r#"
            0s      INC-1 firebell: opened it
            0s      INC-1 firebell: joined Down{service="cart", severity="critical"}
            1m      INC-1 firebell: joined Slow{service="cart", severity="warning"}
            2m      INC-2 firebell: opened it
            2m      INC-2 firebell: joined Down{service="api", severity="critical"}
            4m      INC-1 "Down (cart)" sev1 triage, 2 of 2 alerts fire
            4m      INC-2 "Down (api)" sev1 triage, 1 of 1 alerts fire
        "#]],
    );
}

#[test]
fn one_of_another_cluster_stays_apart() {
    check(
        "0s fires Down service=cart cluster=eu severity=page
         1m fires Down service=cart cluster=us severity=page · 2m show 1 · 2m show 2",
        &expect![[r#"
            0s      INC-1 firebell: opened it
            0s      INC-1 firebell: joined Down{cluster="eu", service="cart", severity="page"}
            1m      INC-2 firebell: opened it
            1m      INC-2 firebell: joined Down{cluster="us", service="cart", severity="page"}
            2m      INC-1 "Down (cart)" sev2 triage, 1 of 1 alerts fire
            2m      INC-2 "Down (cart)" sev2 triage, 1 of 1 alerts fire
        "#]],
    );
}

#[test]
fn without_a_service_alerts_of_one_name_belong_together() {
    check(
        "0s fires DiskFull instance=a severity=page · 1m fires DiskFull instance=b severity=page
         2m fires Hot instance=a severity=page · 3m show 1 · 3m show 2",
        &expect![[r#"
            0s      INC-1 firebell: opened it
            0s      INC-1 firebell: joined DiskFull{instance="a", severity="page"}
            1m      INC-1 firebell: joined DiskFull{instance="b", severity="page"}
            2m      INC-2 firebell: opened it
            2m      INC-2 firebell: joined Hot{instance="a", severity="page"}
            3m      INC-1 "DiskFull" sev2 triage, 2 of 2 alerts fire
            3m      INC-2 "Hot" sev2 triage, 1 of 1 alerts fire
        "#]],
    );
}

#[test]
fn what_comes_after_the_window_is_another_incident() {
    check(
        "0s fires Down service=cart severity=page · 10m ends Down service=cart severity=page
         46m fires Slow service=cart severity=page · 47m show 1 · 47m show 2",
        &expect![[r#"
            0s      INC-1 firebell: opened it
            0s      INC-1 firebell: joined Down{service="cart", severity="page"}
            10m     INC-1 firebell: Down{service="cart", severity="page"} has ended
            15m     INC-1 firebell: moved it from triage to resolved
            46m     INC-2 firebell: opened it
            46m     INC-2 firebell: joined Slow{service="cart", severity="page"}
            47m     INC-1 "Down (cart)" sev2 resolved, 0 of 1 alerts fire
            47m     INC-2 "Slow (cart)" sev2 triage, 1 of 1 alerts fire
        "#]],
    );
}

#[test]
fn a_returning_alert_reopens_within_the_window() {
    check(
        "0s fires Down service=cart severity=page · 10m ends Down service=cart severity=page
         44m fires Down service=cart severity=page · 45m show 1",
        &expect![[r#"
            0s      INC-1 firebell: opened it
            0s      INC-1 firebell: joined Down{service="cart", severity="page"}
            10m     INC-1 firebell: Down{service="cart", severity="page"} has ended
            15m     INC-1 firebell: moved it from triage to resolved
            44m     INC-1 firebell: Down{service="cart", severity="page"} fires again
            44m     INC-1 firebell: moved it from resolved to triage
            45m     INC-1 "Down (cart)" sev2 triage, 1 of 1 alerts fire
        "#]],
    );
}

#[test]
fn a_related_alert_reopens_too() {
    check(
        "0s fires Down service=cart severity=page · 1m ana 1: state resolved
         20m fires Slow service=cart severity=warning · 21m show 1",
        &expect![[r#"
            0s      INC-1 firebell: opened it
            0s      INC-1 firebell: joined Down{service="cart", severity="page"}
            1m      INC-1 ana: moved it from triage to resolved
            20m     INC-1 firebell: joined Slow{service="cart", severity="warning"}
            20m     INC-1 firebell: moved it from resolved to active
            21m     INC-1 "Down (cart)" sev2 active, 2 of 2 alerts fire
        "#]],
    );
}

#[test]
fn an_alert_that_returns_after_it_was_closed_is_a_new_incident_that_names_the_old_one() {
    check(
        "0s fires Down service=cart severity=page · 10m ends Down service=cart severity=page
         11m ana 1: state resolved · 12m ana 1: state closed verdict acted
         20m fires Down service=cart severity=page · 21m show 2",
        &expect![[r#"
            0s      INC-1 firebell: opened it
            0s      INC-1 firebell: joined Down{service="cart", severity="page"}
            10m     INC-1 firebell: Down{service="cart", severity="page"} has ended
            11m     INC-1 ana: moved it from triage to resolved
            12m     INC-1 ana: gave the verdict: acted
            12m     INC-1 ana: moved it from resolved to closed
            12m     history Down judged acted by ana
            20m     INC-2 firebell: opened it
            20m     INC-2 firebell: opened it after INC-1, which was closed when it came back
            20m     INC-2 firebell: joined Down{service="cart", severity="page"}
            21m     INC-2 "Down (cart)" sev2 triage, 1 of 1 alerts fire
        "#]],
    );
}

#[test]
fn what_was_declined_does_not_come_back_within_the_window() {
    check(
        "0s fires Down service=cart severity=page · 1m ana 1: state declined
         2m ends Down service=cart severity=page · 3m fires Down service=cart severity=page
         4m ends Down service=cart severity=page · 40m fires Down service=cart severity=page",
        &expect![[r#"
            0s      INC-1 firebell: opened it
            0s      INC-1 firebell: joined Down{service="cart", severity="page"}
            1m      INC-1 firebell: guessed the verdict: false
            1m      INC-1 ana: moved it from triage to declined
            1m      history Down judged false by firebell
            2m      INC-1 firebell: Down{service="cart", severity="page"} has ended
            3m      INC-1 firebell: Down{service="cart", severity="page"} fires again
            4m      INC-1 firebell: Down{service="cart", severity="page"} has ended
            40m     INC-2 firebell: opened it
            40m     INC-2 firebell: joined Down{service="cart", severity="page"}
        "#]],
    );
}

#[test]
fn what_is_muted_opens_nothing_but_joins() {
    check(
        "0s muted Down service=cart severity=critical · 1m fires Down service=api severity=critical
         2m muted Slow service=api severity=critical · 3m fires Down service=cart severity=critical",
        &expect![[r#"
            1m      INC-1 firebell: opened it
            1m      INC-1 firebell: joined Down{service="api", severity="critical"}
            2m      INC-1 firebell: joined Slow{service="api", severity="critical"}
            3m      INC-2 firebell: opened it
            3m      INC-2 firebell: joined Down{service="cart", severity="critical"}
        "#]],
    );
}

#[test]
fn a_worse_alert_makes_it_worse_and_whoever_acknowledged_has_to_look_again() {
    check(
        "0s fires Slow service=cart severity=page · 1m ana 1: ack
         2m fires Slower service=cart severity=warning · 3m fires Down service=cart severity=critical
         4m show 1 · 5m ben 1: ack",
        &expect![[r#"
            0s      INC-1 firebell: opened it
            0s      INC-1 firebell: joined Slow{service="cart", severity="page"}
            1m      INC-1 ana: acknowledged it
            1m      history Slow acknowledged by ana
            2m      INC-1 firebell: joined Slower{service="cart", severity="warning"}
            3m      INC-1 firebell: joined Down{service="cart", severity="critical"}
            3m      INC-1 firebell: changed its severity from sev2 to sev1
            3m      INC-1 firebell: ended the acknowledgement: somebody has to look again
            4m      INC-1 "Slow (cart)" sev1 triage, 3 of 3 alerts fire
            5m      INC-1 ben: acknowledged it
            5m      history Down acknowledged by ben
            5m      history Slower acknowledged by ben
            5m      history Slow acknowledged by ben
        "#]],
    );
}

#[test]
fn a_severity_that_a_person_set_stays() {
    check(
        "0s fires Slow service=cart severity=page · 1m ana 1: severity sev3
         2m fires Down service=cart severity=critical · 3m show 1",
        &expect![[r#"
            0s      INC-1 firebell: opened it
            0s      INC-1 firebell: joined Slow{service="cart", severity="page"}
            1m      INC-1 ana: changed its severity from sev2 to sev3
            2m      INC-1 firebell: joined Down{service="cart", severity="critical"}
            2m      INC-1 firebell: kept the severity that a person set, though an alert is sev1
            3m      INC-1 "Slow (cart)" sev3 triage, 2 of 2 alerts fire
        "#]],
    );
}

#[test]
fn what_a_button_opened_takes_the_alerts_of_its_service() {
    check(
        "0s ana opens sev2 cart: Customers call · 1m fires Slow service=cart severity=warning
         2m ends Slow service=cart severity=warning · 9d show 1 · 9d ana opens sev2: ",
        &expect![[r#"
            0s      INC-1 ana: opened it
            1m      INC-1 firebell: joined Slow{service="cart", severity="warning"}
            2m      INC-1 firebell: Slow{service="cart", severity="warning"} has ended
            9d      INC-1 "Customers call" sev2 triage, 0 of 1 alerts fire
            9d      refused: the title is empty
        "#]],
    );
}

#[test]
fn merged_alerts_go_on_elsewhere_and_merging_twice_is_once() {
    check(
        "0s fires Down service=db severity=page · 1m fires Down service=cart severity=critical
         2m ana 2: merge 1 · 3m ana 2: merge 1 · 4m ana 2: ack · 5m ana 1: merge 2
         6m ends Down service=cart severity=critical · 7m fires Down service=cart severity=critical
         8m show 1 · 8m show 2 · 9m ana 1: merge 1",
        &expect![[r#"
            0s      INC-1 firebell: opened it
            0s      INC-1 firebell: joined Down{service="db", severity="page"}
            1m      INC-2 firebell: opened it
            1m      INC-2 firebell: joined Down{service="cart", severity="critical"}
            2m      INC-1 ana: merged INC-2 into it
            2m      INC-1 firebell: changed its severity from sev2 to sev1
            2m      INC-2 ana: merged it into INC-1
            3m      already so
            4m      refused: INC-2 was merged into INC-1 at 1970-01-01T00:02:00Z: it goes on there
            5m      refused: INC-2 was merged into INC-1 at 1970-01-01T00:02:00Z: it goes on there
            6m      INC-1 firebell: Down{service="cart", severity="critical"} has ended
            7m      INC-1 firebell: Down{service="cart", severity="critical"} fires again
            8m      INC-1 "Down (db)" sev1 triage, 2 of 2 alerts fire
            8m      INC-2 "Down (cart)" sev1 merged, 0 of 0 alerts fire, duplicate (guessed)
            9m      refused: INC-1 cannot be merged into itself
        "#]],
    );
}

#[test]
fn nothing_is_merged_into_what_is_over() {
    check(
        "0s fires Down service=db severity=page · 1m fires Down service=cart severity=page
         2m ana 1: state resolved · 3m ben 2: merge 1 · 4m ben 2: merge 9",
        &expect![[r#"
            0s      INC-1 firebell: opened it
            0s      INC-1 firebell: joined Down{service="db", severity="page"}
            1m      INC-2 firebell: opened it
            1m      INC-2 firebell: joined Down{service="cart", severity="page"}
            2m      INC-1 ana: moved it from triage to resolved
            3m      refused: INC-1 is resolved: only an open incident can take another one in
            4m      refused: there is no incident INC-9
        "#]],
    );
}

#[test]
fn an_alert_that_people_took_out_does_not_come_back() {
    let alert = labels("Slow service=cart severity=warning").fingerprint();
    check(
        &format!(
            "0s fires Down service=cart severity=page · 1m fires Slow service=cart severity=warning
             2m ana 1: detach {alert} · 3m ana 1: detach {alert}
             4m ends Slow service=cart severity=warning · 5m fires Slow service=cart severity=warning
             6m show 1"
        ),
        &expect![[r#"
            0s      INC-1 firebell: opened it
            0s      INC-1 firebell: joined Down{service="cart", severity="page"}
            1m      INC-1 firebell: joined Slow{service="cart", severity="warning"}
            2m      INC-1 ana: took Slow{service="cart", severity="warning"} out
            3m      already so
            6m      INC-1 "Down (cart)" sev2 triage, 1 of 1 alerts fire
        "#]],
    );
}

/// An alert that was in one incident and now fires in another belongs to the latter, whatever
/// people do with the former.
#[test]
fn the_past_of_an_alert_takes_nothing_from_its_present() {
    let alert = labels("Down service=cart severity=page").fingerprint();
    let first = "0s fires Down service=cart severity=page
                 1m ends Down service=cart severity=page
                 2h fires Down service=cart severity=page";
    check(
        &format!(
            "{first}
             2h1m ana 1: detach {alert} · 2h2m show 2 · 2h3m ends Down service=cart severity=page
             2h4m show 2"
        ),
        &expect![[r#"
            0s      INC-1 firebell: opened it
            0s      INC-1 firebell: joined Down{service="cart", severity="page"}
            1m      INC-1 firebell: Down{service="cart", severity="page"} has ended
            6m      INC-1 firebell: moved it from triage to resolved
            2h      INC-2 firebell: opened it
            2h      INC-2 firebell: joined Down{service="cart", severity="page"}
            2h1m    INC-1 ana: took Down{service="cart", severity="page"} out
            2h2m    INC-2 "Down (cart)" sev2 triage, 1 of 1 alerts fire
            2h3m    INC-2 firebell: Down{service="cart", severity="page"} has ended
            2h4m    INC-2 "Down (cart)" sev2 triage, 0 of 1 alerts fire
        "#]],
    );
    check(
        &format!(
            "{first}
             2h1m ana 1: merge 2 · 2h2m show 2 · 2h30m restart · 3h show 2
             3h1m ends Down service=cart severity=page · 4h show 2"
        ),
        &expect![[r#"
            0s      INC-1 firebell: opened it
            0s      INC-1 firebell: joined Down{service="cart", severity="page"}
            1m      INC-1 firebell: Down{service="cart", severity="page"} has ended
            6m      INC-1 firebell: moved it from triage to resolved
            2h      INC-2 firebell: opened it
            2h      INC-2 firebell: joined Down{service="cart", severity="page"}
            2h1m    INC-1 ana: merged it into INC-2
            2h1m    INC-2 ana: merged INC-1 into it
            2h2m    INC-2 "Down (cart)" sev2 triage, 1 of 1 alerts fire
            3h      INC-2 "Down (cart)" sev2 triage, 1 of 1 alerts fire
            3h1m    INC-2 firebell: Down{service="cart", severity="page"} has ended
            4h      INC-2 "Down (cart)" sev2 triage, 0 of 1 alerts fire
        "#]],
    );
}

/// What two people press in turn, or an alert that flaps for a month, fills no memory.
#[test]
fn a_timeline_has_an_end() {
    let mut timeline = String::from("0s fires Down service=cart severity=page\n");
    for n in 1..100 {
        let person = ["ana", "ben"][n % 2];
        writeln!(timeline, "{n}s {person} 1: state active").unwrap();
    }
    let told = |timeline: &str| {
        let transcript = play(timeline);
        let told = transcript.lines().filter(|it| !it.ends_with("already so"));
        told.count().to_string()
    };
    expect!["4"].assert_eq(&told(&timeline));
    let mut timeline = String::new();
    for n in 0..4_000 {
        let (begins, ends) = (n * 12, n * 12 + 1);
        writeln!(timeline, "{begins}m fires Down service=cart severity=page").unwrap();
        writeln!(timeline, "{ends}m ends Down service=cart severity=page").unwrap();
    }
    expect!["5000"].assert_eq(&told(&timeline));
}

/// keep#5212, #5249, #5450: correlation that drops alerts or renames incidents.
#[test]
fn correlation_neither_drops_nor_renames() {
    let mut timeline = String::from("0s fires Down service=cart severity=page\n");
    for n in 0..40 {
        writeln!(timeline, "{n}s fires Pod{n} service=cart severity=critical").unwrap();
    }
    let transcript = play(&format!("{timeline}1m show 1"));
    let last = transcript.lines().last();
    let expected = "1m      INC-1 \"Down (cart)\" sev1 triage, 41 of 41 alerts fire";
    assert_eq!(last, Some(expected));
    assert_eq!(transcript.matches("opened it").count(), 1);
}

/// sentry#5375, #63200: overlapping rules page twice for one fault.
#[test]
fn overlapping_rules_are_one_incident() {
    check(
        "0s fires ErrorsHigh service=pay severity=page · 0s fires ErrorsVeryHigh service=pay severity=critical
         1s show 1",
        &expect![[r#"
            0s      INC-1 firebell: opened it
            0s      INC-1 firebell: joined ErrorsHigh{service="pay", severity="page"}
            0s      INC-1 firebell: joined ErrorsVeryHigh{service="pay", severity="critical"}
            0s      INC-1 firebell: changed its severity from sev2 to sev1
            1s      INC-1 "ErrorsHigh (pay)" sev1 triage, 2 of 2 alerts fire
        "#]],
    );
}

fn storm(incidents: &mut Incidents, n_alerts: usize, is_firing: bool) {
    for n in 0..n_alerts {
        let event = AlertEvent {
            labels: labels(&format!("Pod instance=i{n} service=cart severity=page")),
            is_firing,
            is_muted: false,
        };
        incidents.handle_alert(Timestamp(0), &event);
    }
}

/// keep#6300: 10 to 13 seconds to change one of 10,000 alerts. Here a storm has a limit with a name,
/// and a wish writes what it changed: its record and an entry, not the stock.
#[test]
fn a_storm_of_ten_thousand_alerts_is_one_incident_and_acting_on_it_writes_two_records() {
    let mut incidents = Incidents::new(policy());
    storm(&mut incidents, 10_000, true);
    let [incident] = incidents.iter().collect::<Vec<_>>()[..] else {
        panic!("more than one incident");
    };
    assert_eq!((incident.alerts.len(), incident.n_left_out), (1_000, 9_000));
    let id = incident.id;
    incidents.take_changes();
    let by = Person::new("ana").unwrap();
    incidents
        .act(Timestamp(1), id, by, "ack".parse().unwrap())
        .unwrap();
    assert_eq!(incidents.take_changes().len(), 2);
    storm(&mut incidents, 10_000, false);
    assert!(!incidents.get(id).unwrap().is_firing());
}

fn open_many(n: usize, expected: &Expect) {
    let mut incidents = Incidents::new(policy());
    let mut last = String::new();
    for n in 0..n {
        let opening = Opening {
            title: format!("number {n}"),
            severity: Severity::Sev3,
            service: None,
            alerts: Vec::new(),
        };
        let by = Person::new("ana").unwrap();
        if let Err(refusal) = incidents.open(Timestamp(n as i64), by, &opening) {
            last = refusal.to_string();
        }
    }
    let event = AlertEvent {
        labels: labels("Down service=cart severity=page"),
        is_firing: true,
        is_muted: false,
    };
    incidents.handle_alert(Timestamp(0), &event);
    let counted = incidents.n_not_opened();
    expected.assert_eq(&format!(
        "{}, {counted} not opened: {last}",
        incidents.iter().count()
    ));
}

#[test]
fn too_many_open_incidents_are_refused_in_words() {
    open_many(
        501,
        &expect!["500, 1 not opened: 500 incidents are open: resolve, merge or decline some first"],
    );
}

/// One event of a run made up by chance.
fn event() -> impl Strategy<Value = String> {
    let alert = (
        "[A-C]",
        "[xy]",
        prop::sample::select(vec!["page", "critical", "warning"]),
    );
    let alert = alert.prop_map(|(name, service, severity)| {
        format!("{name} service={service} severity={severity}")
    });
    let verb = prop::sample::select(vec!["fires", "ends", "muted", "unmuted", "told pager"]);
    let of_alert = (verb, alert).prop_map(|(verb, alert)| format!("{verb} {alert}"));
    let wish = prop::sample::select(vec![
        "ack",
        "state active",
        "state triage",
        "state mitigated",
        "state resolved",
        "state review",
        "state closed verdict acted",
        "state declined",
        "severity sev1",
        "role commander ben",
        "task look",
        "done 1",
        "note hm",
        "picture 1 hm",
        "take_back 1",
        "verdict false",
        "merge 1",
        "merge 2",
    ]);
    let who = prop::sample::select(vec!["ana", "ben"]);
    let of_person = (who, 1..4, wish).prop_map(|(who, id, wish)| format!("{who} {id}: {wish}"));
    prop_oneof![3 => of_alert, 2 => of_person, 1 => Just("passes".to_owned())]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// `restart` itself compares what was written down with the whole state.
    #[test]
    fn restarts_at_any_moment_change_nothing(
        events in prop::collection::vec((event(), 0_u32..40, any::<bool>()), 1..40)
    ) {
        let (mut plain, mut stopped, mut minutes) = (String::new(), String::new(), 0);
        for (event, wait, restarts) in events {
            minutes += wait;
            writeln!(plain, "{minutes}m {event}").unwrap();
            writeln!(stopped, "{minutes}m {event}").unwrap();
            if restarts {
                writeln!(stopped, "{minutes}m restart").unwrap();
            }
        }
        for timeline in [&mut plain, &mut stopped] {
            writeln!(timeline, "100d passes\n100d restart").unwrap();
        }
        prop_assert_eq!(play(&plain), play(&stopped));
    }
}
