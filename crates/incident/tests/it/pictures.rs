//! Pictures in timelines: who shows which, how much room they have, and when nobody names one.

use expect_test::expect;
use firebell_incident::{
    Act, Audience, INCIDENTS_KEPT_MAX, IncidentId, IncidentRecord, Incidents, Opening, Outcome,
    PICTURE_BYTES_MAX, PICTURES_BYTES_ALL_MAX, PICTURES_BYTES_MAX, PICTURES_MAX, Person, Picture,
    PictureId, PictureKind, Refusal, Severity,
};
use firebell_model::Timestamp;

use crate::world::{check, policy};

fn ana() -> Person {
    Person::new("ana").unwrap()
}

fn open(incidents: &mut Incidents, title: &str) -> IncidentId {
    let opening = Opening {
        title: title.to_owned(),
        severity: Severity::Sev3,
        service: None,
        alerts: Vec::new(),
    };
    incidents.open(Timestamp(0), ana(), &opening).unwrap().0
}

fn id(nth: usize) -> PictureId {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&(nth as u64).to_be_bytes());
    PictureId(id)
}

/// Shows picture `nth` of so many bytes.
fn show(
    incidents: &mut Incidents,
    of: IncidentId,
    nth: usize,
    n_bytes: usize,
) -> Result<Outcome, Refusal> {
    let picture = Picture {
        id: id(nth),
        kind: PictureKind::Jpeg,
        n_bytes,
        width: 5,
        height: 3,
    };
    let act = Act::Picture {
        picture,
        text: String::new(),
        audience: Audience::Team,
    };
    let checked = incidents.check_picture(of, &act);
    let shown = incidents.act(Timestamp(1), of, ana(), act);
    // Whoever asks before is told what becomes of it.
    assert_eq!(checked.err(), shown.clone().err());
    shown
}

#[test]
fn pictures_stand_in_the_timeline_with_what_they_show() {
    check(
        "0s fires Down service=cart severity=critical
         1m ana 1: picture 1 latency: doubled · 1m ana 1: picture 1 latency: doubled
         1m ben 1: picture 1 latency: doubled · 2m ana 1: picture 2
         4m ana 1: picture 1 latency: doubled · 4m ana 1: picture 1 errors
         5m restart · 5m ana 1: picture x · 5m ana 1: state declined · 6m ana 1: picture 3 after
         7m ana opens sev3: Other · 8m ana 1: merge INC-2 · 9m ana 1: picture 4",
        &expect![[r#"
            0s      INC-1 firebell: opened it
            0s      INC-1 firebell: joined Down{service="cart", severity="critical"}
            1m      INC-1 ana: showed a picture: latency: doubled
            1m      already so
            1m      INC-1 ben: showed a picture: latency: doubled
            2m      INC-1 ana: showed a picture
            4m      INC-1 ana: showed a picture: latency: doubled
            4m      INC-1 ana: showed a picture: errors
            5m      unread: `x` is no number
            5m      INC-1 firebell: guessed the verdict: false
            5m      INC-1 ana: moved it from triage to declined
            5m      history Down judged false by firebell
            6m      INC-1 ana: showed a picture: after
            7m      INC-2 ana: opened it
            8m      INC-1 ana: merged it into INC-2
            8m      INC-2 ana: merged INC-1 into it
            8m      INC-2 firebell: kept the severity that a person set, though an alert is sev1
            9m      refused: INC-1 was merged into INC-2 at 1970-01-01T00:08:00Z: it goes on there
        "#]],
    );
}

#[test]
fn a_picture_alone_is_no_work() {
    let mut incidents = Incidents::new(policy());
    let event = firebell_incident::AlertEvent {
        labels: crate::world::labels("Down severity=critical"),
        is_firing: true,
        is_muted: false,
    };
    incidents.handle_alert(Timestamp(0), &event);
    show(&mut incidents, IncidentId(1), 1, 100).unwrap();
    assert!(!incidents.get(IncidentId(1)).unwrap().is_attended);
}

#[test]
fn nobody_says_in_json_that_there_is_a_picture() {
    let sha = id(1);
    let said = format!(
        r#"{{"do":"picture","text":"","audience":"team","picture":
           {{"id":"{sha}","kind":"png","n_bytes":1,"width":1,"height":1}}}}"#
    );
    let why = serde_json::from_str::<Act>(&said).unwrap_err().to_string();
    assert!(why.starts_with("unknown variant `picture`"), "{why}");
}

#[test]
fn pictures_of_an_incident_have_room_and_an_end() {
    let mut incidents = Incidents::new(policy());
    let first = open(&mut incidents, "first");
    let largest = PICTURES_BYTES_MAX / PICTURE_BYTES_MAX;
    for nth in 0..largest {
        show(&mut incidents, first, nth, PICTURE_BYTES_MAX).unwrap();
    }
    let why = show(&mut incidents, first, largest, 1).unwrap_err();
    expect!["the pictures of INC-1 would take more than 50 MiB: make it smaller, or link to it"]
        .assert_eq(&why.to_string());
    // One that is there takes no more room; said a moment ago, it is there already.
    let again = show(&mut incidents, first, 0, PICTURE_BYTES_MAX);
    assert_eq!(again, Ok(Outcome::Already));

    let second = open(&mut incidents, "second");
    for nth in 0..PICTURES_MAX {
        show(&mut incidents, second, nth, 1).unwrap();
    }
    let why = show(&mut incidents, second, PICTURES_MAX, 1).unwrap_err();
    expect!["INC-2 has 200 pictures, and takes no more: link to it instead"]
        .assert_eq(&why.to_string());
    let long = Act::Picture {
        picture: incidents
            .get(first)
            .unwrap()
            .pictures()
            .next()
            .unwrap()
            .clone(),
        text: "x".repeat(1_001),
        audience: Audience::Team,
    };
    let why = incidents.act(Timestamp(2), first, ana(), long).unwrap_err();
    expect!["the text of the picture has 1001 characters, and may have 1000"]
        .assert_eq(&why.to_string());
}

#[test]
fn pictures_of_all_incidents_have_an_end_and_the_same_one_counts_once() {
    let mut incidents = Incidents::new(policy());
    let mut nth = 0;
    let mut last = None;
    while incidents.picture_bytes() + PICTURE_BYTES_MAX <= PICTURES_BYTES_ALL_MAX {
        if nth % (PICTURES_BYTES_MAX / PICTURE_BYTES_MAX) == 0 {
            last = Some(open(&mut incidents, &format!("incident {nth}")));
        }
        show(&mut incidents, last.unwrap(), nth, PICTURE_BYTES_MAX).unwrap();
        nth += 1;
    }
    let other = open(&mut incidents, "other");
    let why = show(&mut incidents, other, nth, PICTURE_BYTES_MAX).unwrap_err();
    expect!["the pictures of all incidents would take more than 1024 MiB: link to it instead; there is room when the oldest incidents are forgotten"].assert_eq(&why.to_string());
    show(&mut incidents, other, 0, PICTURE_BYTES_MAX).unwrap();
    assert_eq!(incidents.picture_bytes(), nth * PICTURE_BYTES_MAX);
}

#[test]
fn nobody_names_the_pictures_of_what_is_forgotten_but_those_that_others_have_too() {
    let mut incidents = Incidents::new(policy());
    let first = open(&mut incidents, "first");
    show(&mut incidents, first, 1, 100).unwrap();
    show(&mut incidents, first, 2, 200).unwrap();
    let second = open(&mut incidents, "second");
    show(&mut incidents, second, 2, 200).unwrap();
    let decline = |incidents: &mut Incidents, id| {
        let act = "state declined".parse().unwrap();
        incidents.act(Timestamp(2), id, ana(), act).unwrap();
    };
    decline(&mut incidents, first);
    for nth in 2..=INCIDENTS_KEPT_MAX {
        assert!(incidents.has_picture(id(1)));
        let next = open(&mut incidents, &format!("number {nth}"));
        decline(&mut incidents, next);
    }
    assert!(incidents.get(first).is_none());
    assert_eq!(incidents.pictures().collect::<Vec<_>>(), [id(2)]);
    assert_eq!(incidents.picture_bytes(), 200);

    // What was written down says the same, as it went and as a snapshot.
    let mut restored = Incidents::new(policy());
    incidents.records().for_each(|it| restored.restore(it));
    restored.resume();
    let mut replayed = Incidents::new(policy());
    let written = incidents.take_changes().into_iter();
    written.for_each(|it| replayed.restore(it));
    replayed.resume();
    for other in [restored, replayed] {
        assert_eq!(other.pictures().collect::<Vec<_>>(), [id(2)]);
        assert_eq!(other.picture_bytes(), 200);
    }
}

#[test]
fn a_picture_is_taken_back_wherever_it_stands_and_may_be_shown_again() {
    check(
        "0s ana opens sev3: Slow
         1m ana 1: picture 1 latency · 2m ben 1: picture 1 · 3m ana 1: picture 2
         4m ana 1: take_back 9 · 4m cleo 1: take_back 1 · 4m ana 1: take_back 1 · 4m ana 1: take_back x
         5m restart · 5m ana 1: picture 1 again · 6m ana 1: state declined · 6m ana 1: take_back 1
         7m ana opens sev3: Other · 8m ana 1: merge INC-2 · 9m ana 1: take_back 2 · 9m ana 7: take_back 2",
        &expect![[r#"
            0s      INC-1 ana: opened it
            1m      INC-1 ana: showed a picture: latency
            2m      INC-1 ben: showed a picture
            3m      INC-1 ana: showed a picture
            4m      refused: INC-1 has no picture 0000000000000000000000000000000000000000000000000000000000000009
            4m      INC-1 cleo: took a picture back
            4m      already so
            4m      unread: `x` is no number
            5m      INC-1 ana: showed a picture: again
            6m      INC-1 firebell: guessed the verdict: false
            6m      INC-1 ana: moved it from triage to declined
            6m      INC-1 ana: took a picture back
            7m      INC-2 ana: opened it
            8m      INC-1 ana: merged it into INC-2
            8m      INC-2 ana: merged INC-1 into it
            9m      INC-1 ana: took a picture back
            9m      refused: there is no incident INC-7
        "#]],
    );
}

#[test]
fn what_is_taken_back_takes_no_room_and_is_named_by_others_only() {
    let mut incidents = Incidents::new(policy());
    let (first, other) = (open(&mut incidents, "first"), open(&mut incidents, "other"));
    for nth in 0..PICTURES_MAX {
        show(&mut incidents, first, nth, 100).unwrap();
    }
    show(&mut incidents, other, 0, 100).unwrap();
    assert!(show(&mut incidents, first, 1_000, 100).is_err());
    let take_back = |incidents: &mut Incidents, of, nth| {
        let act = Act::TakeBack { picture: id(nth) };
        incidents.act(Timestamp(2), of, ana(), act)
    };
    for nth in [0, 1] {
        assert_eq!(take_back(&mut incidents, first, nth), Ok(Outcome::Changed));
        assert_eq!(take_back(&mut incidents, first, nth), Ok(Outcome::Already));
        assert_eq!(incidents.get(first).unwrap().picture(id(nth)), None);
    }
    assert!(incidents.has_picture(id(0)) && !incidents.has_picture(id(1)));
    assert_eq!(incidents.picture_bytes(), 100 * (PICTURES_MAX - 1));
    show(&mut incidents, first, 1_000, 100).unwrap();
    let none = Err(Refusal::NoPicture(other, id(1)));
    assert_eq!(take_back(&mut incidents, other, 1), none);
    assert_eq!(take_back(&mut incidents, other, 0), Ok(Outcome::Changed));
    assert!(!incidents.has_picture(id(0)));

    let mut replayed = Incidents::new(policy());
    let written = incidents.take_changes().into_iter();
    written.for_each(|it| replayed.restore(it));
    replayed.resume();
    assert_eq!(replayed.picture_bytes(), incidents.picture_bytes());
    assert_eq!(replayed.get(first), incidents.get(first));
}

#[test]
fn nobody_says_in_json_that_a_picture_is_taken_back() {
    let said = format!(r#"{{"do":"take_back","picture":"{}"}}"#, id(1));
    let why = serde_json::from_str::<Act>(&said).unwrap_err().to_string();
    assert!(why.starts_with("unknown variant `take_back`"), "{why}");
}

/// Journals that were written before there were pictures are read, and those with pictures later.
#[test]
fn entries_are_read_as_they_were_written() {
    let sha = "07".repeat(32);
    for what in [
        r#"{"note":["restarted it","team"]}"#.to_owned(),
        r#"{"linked":{"url":"https://graphs.example/1","title":""}}"#.to_owned(),
        r#"{"picture_gone":["latency","stakeholders"]}"#.to_owned(),
        format!(r#"{{"took_back":"{sha}"}}"#),
        format!(
            r#"{{"pictured":[{{"id":"{sha}","kind":"webp","n_bytes":30,"width":5,"height":3}},"latency","team"]}}"#
        ),
    ] {
        let entry = format!(
            r#"{{"entry":{{"id":1,"n":0,"value":{{"at":0,"by":{{"person":"ana"}},"what":{what}}}}}}}"#
        );
        let record: IncidentRecord = serde_json::from_str(&entry).unwrap();
        assert_eq!(serde_json::to_string(&record).unwrap(), entry);
    }
}
