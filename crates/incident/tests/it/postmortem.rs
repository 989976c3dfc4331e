//! Postmortems: what is frozen, written and proven.

use expect_test::{expect, expect_file};
use firebell_incident::{
    AlertEvent, Graph, GraphSeries, IncidentId, Incidents, Outcome, Person, Refusal,
};
use firebell_model::{Duration, Labels, Timestamp};

use crate::world::{labels, policy};

const ID: IncidentId = IncidentId(1);

fn at(secs: i64) -> Timestamp {
    Timestamp(secs * 1_000)
}

fn ana() -> Person {
    Person::new("ana").unwrap()
}

fn act(incidents: &mut Incidents, secs: i64, wish: &str) -> Result<Outcome, Refusal> {
    incidents.act(at(secs), ID, ana(), wish.parse().unwrap())
}

fn graph(values: Vec<Option<f64>>) -> Graph {
    Graph {
        name: "Down".to_owned(),
        expr: "errors > `0.1`".to_owned(),
        from: at(-120),
        step: Duration::from_secs(30),
        series: vec![GraphSeries {
            labels: Labels::from_pairs([("service", "cart")]),
            values,
        }],
        n_left_out: 0,
        error: None,
    }
}

/// An incident of an alert at 60 s whose expression holds since 0 s; acknowledged, resolved.
fn over() -> Incidents {
    let mut incidents = Incidents::new(policy());
    let event = |is_firing| AlertEvent {
        labels: labels("Down service=cart severity=critical"),
        is_firing,
        is_muted: false,
    };
    incidents.handle_alert(at(60), &event(true));
    act(&mut incidents, 90, "ack").unwrap();
    act(&mut incidents, 100, "note a <b>table</b> | of things").unwrap();
    incidents.handle_alert(at(300), &event(false));
    act(&mut incidents, 600, "state resolved").unwrap();
    incidents
}

#[test]
fn a_draft_tells_how_it_was_noticed_and_asks_for_the_rest() {
    let mut incidents = over();
    let none = [None, None, Some(9.0), None];
    let bad = [Some(0.2), Some(0.3), Some(0.6), Some(0.2), None];
    let values = none.into_iter().chain(bad).collect();
    incidents
        .draft(at(700), ID, ana(), vec![graph(values)])
        .unwrap();
    act(&mut incidents, 710, "part cause Ana should have looked.").unwrap();
    act(&mut incidents, 720, "follow_up 1970-02-01 ben alert on lag").unwrap();
    act(&mut incidents, 730, "follow_up 1970-02-02 ana a drill").unwrap();
    act(&mut incidents, 740, "proven 2 drill of 1970-01-31").unwrap();
    act(&mut incidents, 750, "picture 1 latency: a | b [c]").unwrap();
    act(&mut incidents, 760, "picture 2").unwrap();
    act(&mut incidents, 770, "picture 3 a password").unwrap();
    act(&mut incidents, 780, "take_back 3").unwrap();
    let markdown = incidents.get(ID).unwrap();
    let markdown = markdown.postmortem_markdown("https://bell.example/pictures");
    expect_file!["postmortem.md"].assert_eq(&markdown);
    let open = incidents.get(ID).unwrap().postmortem.as_ref().unwrap();
    let open: Vec<usize> = open.open_follow_ups().map(|(n, _)| n).collect();
    assert_eq!(open, [1]);
}

#[test]
fn what_is_written_twice_is_written_once_and_what_is_wrong_is_refused_in_words() {
    let mut incidents = over();
    let mut done = |wish: &str| match act(&mut incidents, 700, wish) {
        Ok(outcome) => format!("{outcome:?}"),
        Err(why) => why.to_string(),
    };
    for (wish, expected) in [
        ("part gaps no metric of the queue", "Changed"),
        ("part gaps no metric of the queue", "Already"),
        ("part gaps none", "Changed"),
        ("part gaps", "the part is empty"),
        ("follow_up 2026-12-01 ben a drill", "Changed"),
        ("follow_up 2026-12-01 ben a drill", "Already"),
        (
            "follow_up 2026-02-30 ben a drill",
            "`2026-02-30` is no day: write it as 2026-12-01",
        ),
        (
            "follow_up soon ben a drill",
            "`soon` is no day: write it as 2026-12-01",
        ),
        ("follow_up 2026-12-01 ben", "the follow-up is empty"),
        (
            "proven 2 done",
            "INC-1 has no follow-up 2: they count from 1",
        ),
        (
            "proven 0 done",
            "INC-1 has no follow-up 0: they count from 1",
        ),
        ("proven 1 https://drills.example/7", "Changed"),
        ("proven 1 again", "Already"),
    ] {
        assert_eq!(done(wish), expected, "{wish}");
    }
    let unknown = "part blame me"
        .parse::<firebell_incident::Act>()
        .unwrap_err();
    expect![
        "`blame` is no part of a postmortem, only summary, cause, went_well, went_badly or gaps"
    ]
    .assert_eq(&unknown.to_string());
}

#[test]
fn a_restart_forgets_nothing_of_it_and_a_merged_one_has_none() {
    let mut incidents = over();
    let graphs = vec![graph(vec![Some(0.5), None, Some(f64::MAX)])];
    let drafted = incidents.draft(at(700), ID, ana(), graphs.clone());
    assert_eq!(drafted, Ok(Outcome::Changed));
    assert_eq!(
        incidents.draft(at(701), ID, ana(), graphs.clone()),
        Ok(Outcome::Already)
    );
    act(&mut incidents, 710, "part summary it burnt").unwrap();
    // Once from what was written as it went, once from a snapshot; a change of the head keeps graphs.
    let written = incidents.take_changes();
    let mut replayed = Incidents::new(policy());
    written.into_iter().for_each(|it| replayed.restore(it));
    let mut restored = Incidents::new(policy());
    incidents.records().for_each(|it| restored.restore(it));
    for mut other in [replayed, restored] {
        other.resume();
        assert_eq!(other.get(ID), incidents.get(ID));
        act(&mut other, 720, "part cause a cable").unwrap();
        let head = other.take_changes();
        head.into_iter().for_each(|it| other.restore(it));
        assert_eq!(other.get(ID).unwrap().graphs, graphs);
    }
    let opening = firebell_incident::Opening {
        title: "the same".to_owned(),
        severity: firebell_incident::Severity::Sev2,
        service: None,
        alerts: Vec::new(),
    };
    let (into, _) = incidents.open(at(730), ana(), &opening).unwrap();
    let opening = firebell_incident::Opening {
        title: "once more".to_owned(),
        ..opening
    };
    let (other, _) = incidents.open(at(731), ana(), &opening).unwrap();
    let merge = format!("merge {into}").parse().unwrap();
    incidents.act(at(732), other, ana(), merge).unwrap();
    let why = incidents.draft(at(733), other, ana(), graphs).unwrap_err();
    assert!(why.to_string().contains("it goes on there"), "{why}");
}
