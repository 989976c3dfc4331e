//! What opens an incident later than at once, and what is asked for twice.

use expect_test::expect;
use firebell_incident::{
    Act, AlertEvent, INCIDENTS_OPEN_MAX, IncidentId, Incidents, Opening, Outcome, Person, Refusal,
    ReviewedIncident, Severity,
};
use firebell_model::{Duration, Labels, Timestamp};

use crate::world::{check, labels, policy};

const START: Timestamp = Timestamp(0);

fn ana() -> Person {
    Person::new("ana").unwrap()
}

fn act(incidents: &mut Incidents, id: u64, wish: &str) -> Result<Outcome, Refusal> {
    incidents.act(START, IncidentId(id), ana(), wish.parse().unwrap())
}

fn event(text: &str, is_firing: bool) -> AlertEvent {
    AlertEvent {
        labels: labels(text),
        is_firing,
        is_muted: false,
    }
}

fn opening(title: &str, severity: Severity, alerts: Vec<Labels>) -> Opening {
    Opening {
        title: title.to_owned(),
        severity,
        service: None,
        alerts,
    }
}

#[test]
fn an_alert_whose_mute_ends_before_anybody_heard_of_it_opens_an_incident_after_all() {
    check(
        "0s muted Down service=cart severity=critical · 5s restart
         10s unmuted Down service=cart severity=critical
         20s unmuted Down service=cart severity=critical
         30s muted Gone service=api severity=critical · 40s ends Gone service=api severity=critical
         50s unmuted Gone service=api severity=critical
         55s unmuted Slow service=api severity=warning",
        &expect![[r#"
            10s     INC-1 firebell: opened it
            10s     INC-1 firebell: joined Down{service="cart", severity="critical"}
        "#]],
    );
}

#[test]
fn what_found_no_room_opens_its_incident_when_there_is_some_in_turn() {
    let mut incidents = Incidents::new(policy());
    for nth in 0..INCIDENTS_OPEN_MAX {
        let title = format!("number {nth}");
        let all = opening(&title, Severity::Sev3, Vec::new());
        incidents.open(START, ana(), &all).unwrap();
    }
    let names = ["Muted", "Ended", "Second", "First"];
    let alert = |name: &str| format!("{name} service={name} severity=page");
    // By time, and not by fingerprint.
    for (name, at) in names.iter().zip([0, 0, 2, 1]) {
        incidents.handle_alert(Timestamp(at), &event(&alert(name), true));
    }
    assert_eq!(incidents.n_not_opened(), 4);
    assert_eq!(incidents.waiting().count(), 4);
    incidents.handle_alert(START, &event(&alert("Ended"), false));
    incidents.handle_muted(labels(&alert("Muted")).fingerprint());
    let opened = |incidents: &Incidents, alert: &str| {
        let of = incidents.of_alert(labels(alert).fingerprint());
        of.is_some_and(|it| it.state.is_open())
    };
    act(&mut incidents, 1, "state resolved").unwrap();
    assert!(opened(&incidents, &alert("First")));
    assert!(!opened(&incidents, &alert("Second")));
    act(&mut incidents, 2, "merge 3").unwrap();
    assert!(opened(&incidents, &alert("Second")));
    act(&mut incidents, 3, "state declined").unwrap();
    assert!(!opened(&incidents, &alert("Muted")) && !opened(&incidents, &alert("Ended")));
    incidents.handle_unmuted(START, labels(&alert("Muted")).fingerprint());
    assert!(opened(&incidents, &alert("Muted")));
    assert_eq!(incidents.waiting().count(), 0);
}

#[test]
fn what_is_declared_again_with_more_is_that_and_more() {
    let mut incidents = Incidents::new(policy());
    let (down, slow) = (labels("Down service=cart"), labels("Slow service=cart"));
    let mut open = |severity, alerts| {
        let opening = opening("cart is down", severity, alerts);
        let (id, outcome) = incidents.open(START, ana(), &opening).unwrap();
        let it = incidents.get(id).unwrap();
        (id.0, outcome, it.severity, it.alerts.len())
    };
    let first = open(Severity::Sev3, vec![down.clone()]);
    assert_eq!(first, (1, Outcome::Changed, Severity::Sev3, 1));
    let same = open(Severity::Sev3, vec![down.clone()]);
    assert_eq!(same, (1, Outcome::Already, Severity::Sev3, 1));
    let worse = open(Severity::Sev1, vec![down.clone()]);
    assert_eq!(worse, (1, Outcome::Changed, Severity::Sev1, 1));
    let more = open(Severity::Sev1, vec![down, slow]);
    assert_eq!(more, (1, Outcome::Changed, Severity::Sev1, 2));
    // What another person has said meanwhile is not undone by a request that is sent again.
    let ben = Person::new("ben").unwrap();
    let severity: Act = "severity sev2".parse().unwrap();
    incidents.act(START, IncidentId(1), ben, severity).unwrap();
    let again = opening("cart is down", Severity::Sev1, Vec::new());
    let (id, outcome) = incidents.open(START, ana(), &again).unwrap();
    assert_eq!(outcome, Outcome::Already);
    assert_eq!(incidents.get(id).unwrap().severity, Severity::Sev2);
}

#[test]
fn what_was_merged_in_brings_its_alerts_along_or_none() {
    let mut incidents = Incidents::new(policy());
    let reviewed = |incidents: &Incidents, id| {
        let it = incidents.get(IncidentId(id)).unwrap();
        ReviewedIncident::of(START, it).had_no_alert
    };
    for title in ["a customer called", "another one called"] {
        let opening = opening(title, Severity::Sev2, Vec::new());
        incidents.open(START, ana(), &opening).unwrap();
    }
    act(&mut incidents, 2, "merge 1").unwrap();
    assert!(reviewed(&incidents, 1), "neither had one");
    incidents.handle_alert(START, &event("Down service=cart severity=page", true));
    act(&mut incidents, 3, "merge 1").unwrap();
    assert!(!reviewed(&incidents, 1), "the third had one");
    let alert = labels("Down service=cart severity=page").fingerprint();
    act(&mut incidents, 1, &format!("detach {alert}")).unwrap();
    assert!(reviewed(&incidents, 1), "it belongs elsewhere");
}

#[test]
fn the_texts_of_a_timeline_have_an_end_in_bytes() {
    let mut incidents = Incidents::new(policy());
    let long = |nth: usize| format!("note {nth} {}", "\u{1F525}".repeat(9_990));
    let opening = opening("it burns", Severity::Sev1, Vec::new());
    let (id, _) = incidents.open(START, ana(), &opening).unwrap();
    let mut n_notes = 0;
    let refusal = loop {
        match act(&mut incidents, id.0, &long(n_notes)) {
            Ok(_) => n_notes += 1,
            Err(refusal) => break refusal.to_string(),
        }
    };
    assert_eq!(n_notes, 26);
    expect!["the texts of INC-1 take 1014 KiB, and may take 1024: link to what is longer"]
        .assert_eq(&refusal);
    act(&mut incidents, id.0, "note short").unwrap();
    act(&mut incidents, id.0, "state resolved").unwrap();
}

#[test]
fn what_is_over_goes_when_texts_take_too_much_and_the_newest_stays() {
    let mut incidents = Incidents::new(policy());
    let text = format!("note {}", "\u{1F525}".repeat(10_000));
    let mut now = START;
    for nth in 0..70 {
        let title = format!("number {nth}");
        let opening = opening(&title, Severity::Sev1, Vec::new());
        let (id, _) = incidents.open(now, ana(), &opening).unwrap();
        for _ in 0..26 {
            // Not within a minute: that would be the same note.
            now += Duration::from_mins(2);
            let act: Act = text.parse().unwrap();
            incidents.act(now, id, ana(), act).unwrap();
        }
        let resolved = "state resolved".parse().unwrap();
        incidents.act(now, id, ana(), resolved).unwrap();
    }
    let first = incidents.iter().next().map(|it| it.id.0);
    assert_eq!((incidents.iter().count(), first), (64, Some(7)));
}
