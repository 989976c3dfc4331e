//! A day of a shop with 100 requests a minute, of which 1 % may fail: 1,440 bad events are the
//! budget. From 06:00 a tenth fails for half an hour, from 12:00 a fiftieth for an hour.

mod common;

use firebell_model::{Deploy, IncidentSpan, Labels, Sample, Timestamp};
use firebell_promql::{MemorySource, Options};
use firebell_rules::StoreQuerier;
use firebell_slo::{Objective, Spending, Stretch, spending};

use crate::common::objective;

const NIGHT: Timestamp = Timestamp(1_440 * 60_000);

fn day() -> MemorySource {
    let mut source = MemorySource::default();
    let (mut good, mut bad) = (0.0, 0.0);
    let (mut all_good, mut all_bad) = (Vec::new(), Vec::new());
    for minute in 0..=1440 {
        let at = Timestamp(minute * 60_000);
        all_good.push(Sample { at, value: good });
        all_bad.push(Sample { at, value: bad });
        let fails = match minute {
            360..390 => 10.0,
            720..780 => 2.0,
            _ => 0.0,
        };
        bad += fails;
        good += 100.0 - fails;
    }
    for (code, samples) in [("200", all_good), ("500", all_bad)] {
        let labels = Labels::from_pairs([("__name__", "requests_total"), ("code", code)]);
        source.append(&labels, samples);
    }
    source
}

fn minute(text: &str) -> Timestamp {
    let (hours, minutes) = text.split_once(':').unwrap();
    let minutes = hours.parse::<i64>().unwrap() * 60 + minutes.parse::<i64>().unwrap();
    Timestamp(minutes * 60_000)
}

fn deploy(service: &str, version: &str, at: Timestamp) -> Deploy {
    Deploy {
        service: service.to_owned(),
        namespace: String::new(),
        version: version.to_owned(),
        at,
        url: String::new(),
        environment: String::new(),
    }
}

fn spent(objective: &Objective, deploys: &[Deploy], at: Timestamp) -> Spending {
    spent_on(objective, deploys, &[], at)
}

fn spent_on(
    objective: &Objective,
    deploys: &[Deploy],
    incidents: &[IncidentSpan],
    at: Timestamp,
) -> Spending {
    let source = day();
    let querier = StoreQuerier {
        source: &source,
        options: Options::default(),
    };
    spending(objective, deploys, incidents, at, &querier).unwrap()
}

/// A figure is what was computed by hand, but for what `increase` adds at the edges: 2 %.
fn close(found: f64, expected: f64) -> bool {
    (found - expected).abs() <= 0.02 * expected
}

fn check(found: &Stretch, (from, until): (&str, &str), bad: f64, total: f64) {
    assert_eq!((found.from, found.until), (minute(from), minute(until)));
    let figures = [
        (found.bad.unwrap(), bad),
        (found.total.unwrap(), total),
        (found.share, bad / 1440.0),
        (found.rate.unwrap(), bad / total / 0.01),
    ];
    for (figure, expected) in figures {
        assert!(
            close(figure, expected),
            "{figure}, not {expected}: {found:?}"
        );
    }
}

#[test]
fn episodes_are_told_with_what_they_took_and_who_was_told() {
    let deploys = [deploy("shop", "v2", minute("5:30"))];
    let found = spent(&objective(), &deploys, NIGHT);
    let [budget] = &found.budgets[..] else {
        panic!("{found:?}")
    };
    let [slow, fast] = &budget.episodes[..] else {
        panic!("{budget:?}")
    };
    // The ticket of rate 1 looks at twelve minutes, in which 12 of 1,200 requests may fail. Of its
    // samples from 06:28 to 06:39 `increase` makes 22, of those a minute later 11; steps are of two
    // minutes.
    check(&fast.stretch, ("6:00", "6:38"), 300.0, 3_800.0);
    assert_eq!(fast.alerts, ["page-slow", "ticket-fast", "ticket-slow"]);
    assert!(!fast.is_open);
    assert_eq!(fast.deploy.as_ref(), Some(&deploys[0]));
    // Twice what the budget allows, but 120 in 144 minutes are no alert.
    check(&slow.stretch, ("12:00", "13:00"), 120.0, 6_000.0);
    assert_eq!(slow.alerts, [""; 0]);
    assert_eq!(budget.n_more, 0);
}

#[test]
fn an_episode_that_goes_on_is_open() {
    let found = spent(&objective(), &[], minute("6:20"));
    let [episode] = &found.budgets[0].episodes[..] else {
        panic!("{found:?}")
    };
    assert!(episode.is_open);
    assert_eq!(episode.stretch.from, minute("6:00"));
    // 200 of 38,000 requests so far, of which 380 may fail: the window goes back to the day before.
    assert!(close(episode.stretch.share, 200.0 / 380.0), "{episode:?}");
    assert_eq!(episode.deploy, None);
}

#[test]
fn a_deploy_answers_for_what_was_spent_until_the_next_one() {
    let mut staged = deploy("shop", "staged", minute("8:00"));
    staged.environment = "staging".to_owned();
    let mut objective = objective();
    objective.labels = Labels::from_pairs([("environment", "production")]);
    let deploys = [
        deploy("shop", "v3", minute("12:00")),
        deploy("shop", "v2", minute("5:30")),
        deploy("cart", "v9", minute("6:15")),
        staged,
        deploy("shop", "v4", NIGHT + firebell_model::Duration(1)),
    ];
    let found = spent(&objective, &deploys, NIGHT);
    let [v3, v2, earlier] = &found.budgets[0].deploys[..] else {
        panic!("{found:?}")
    };
    check(&v3.stretch, ("12:00", "24:00"), 120.0, 72_000.0);
    check(&v2.stretch, ("5:30", "12:00"), 300.0, 39_000.0);
    check(&earlier.stretch, ("0:00", "5:30"), 0.0, 33_000.0);
    let versions: Vec<_> = [v3, v2, earlier]
        .map(|it| it.deploy.as_ref().map(|it| &*it.version))
        .into();
    assert_eq!(versions, [Some("v3"), Some("v2"), None]);
    // In the hour from 05:30 300 of 6,000 fail, in that from 12:00 120 of 6,000.
    for (found, before, after) in [(v3, 0.0, 2.0), (v2, 0.0, 5.0)] {
        assert!(close(found.before.unwrap(), before), "{found:?}");
        assert!(close(found.after.unwrap(), after), "{found:?}");
    }
    // One that was live when the window began answers from there.
    let found = spent(&objective, &[deploy("shop", "v1", Timestamp(-1))], NIGHT);
    let [v1] = &found.budgets[0].deploys[..] else {
        panic!("{found:?}")
    };
    check(&v1.stretch, ("0:00", "24:00"), 420.0, 144_000.0);
}

/// An incident of an alert with these labels.
fn incident(name: &str, from: &str, until: Option<&str>, alert: &[(&str, &str)]) -> IncidentSpan {
    IncidentSpan {
        name: name.to_owned(),
        title: String::new(),
        from: minute(from),
        until: until.map(minute),
        is_declined: false,
        key: Labels::empty(),
        alerts: vec![Labels::from_pairs(alert.iter().copied())],
    }
}

const OWN: &[(&str, &str)] = &[("slo", "works"), ("service", "shop")];
const OF_SERVICE: &[(&str, &str)] = &[("service", "shop")];

/// What each incident took at the end of the day, in bad events.
fn by_incident(incidents: &[IncidentSpan]) -> Vec<String> {
    let found = spent_on(&objective(), &[], incidents, NIGHT);
    let [budget] = &found.budgets[..] else {
        panic!("{found:?}")
    };
    let of_episodes: f64 = budget.episodes.iter().map(|it| it.stretch.share).sum();
    let of_incidents: f64 = budget.incidents.iter().map(|it| it.stretch.share).sum();
    assert!(close(of_incidents, of_episodes), "{budget:?}");
    let told = budget.incidents.iter().map(|it| {
        let name = it.incident.as_ref().map_or("none", |it| &it.name);
        let tens = it.stretch.bad.unwrap() / 10.0;
        format!("{name} {:.0}", tens.round() * 10.0)
    });
    told.collect()
}

#[test]
fn an_incident_takes_the_episodes_in_which_it_was_open() {
    assert_eq!(by_incident(&[]), ["none 420"]);
    let first = incident("INC-1", "6:04", Some("6:50"), OWN);
    assert_eq!(
        by_incident(std::slice::from_ref(&first)),
        ["INC-1 300", "none 120"]
    );
    // A person came some minutes after it was over.
    let late = incident("INC-2", "13:01", None, OF_SERVICE);
    let both = [late.clone(), first.clone()];
    assert_eq!(by_incident(&both), ["INC-2 120", "INC-1 300"]);
    // What is of another service took nothing, whatever it fires.
    let other = incident(
        "INC-3",
        "6:00",
        None,
        &[("slo", "works"), ("service", "cart")],
    );
    assert_eq!(by_incident(&[other]), ["none 420"]);
    // One that was over before, and one that came long after.
    let early = incident("INC-4", "5:00", Some("6:00"), OWN);
    let after = incident("INC-5", "15:00", None, OWN);
    assert_eq!(by_incident(&[early, after]), ["none 420"]);
}

#[test]
fn incidents_that_were_merged_are_one() {
    let first = incident("INC-1", "6:04", Some("6:50"), OWN);
    let merged = incident("INC-1", "12:10", Some("12:20"), OWN);
    assert_eq!(by_incident(&[first, merged]), ["INC-1 420"]);
}

#[test]
fn an_alert_of_the_budget_goes_before_the_service_and_that_before_what_was_declined() {
    let own = incident("INC-1", "6:20", Some("6:50"), OWN);
    let of_service = incident("INC-2", "5:00", None, OF_SERVICE);
    let both = [own.clone(), of_service.clone()];
    assert_eq!(by_incident(&both), ["INC-2 120", "INC-1 300"]);
    let mut declined = own;
    declined.is_declined = true;
    let both = [declined.clone(), of_service];
    assert_eq!(by_incident(&both), ["INC-2 420"]);
    assert_eq!(by_incident(&[declined]), ["INC-1 300", "none 120"]);
}

#[test]
fn an_episode_of_two_incidents_is_divided_where_the_second_was_opened() {
    let first = incident("INC-1", "6:04", Some("6:08"), OWN);
    let second = incident("INC-2", "6:20", None, OWN);
    assert_eq!(by_incident(&[first, second]), ["INC-2 220", "INC-1 200"]);
}
