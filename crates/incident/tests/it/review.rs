//! The review, as people read it.

use std::collections::BTreeMap;

use expect_test::expect;
use firebell_incident::{
    Act, BusinessMonth, DECISIONS_MAX, Decision, Episodes, Figures, Incidents, Opening, Outcome,
    Person, Review, ReviewedIncident, Severity, Verdict,
};
use firebell_model::Timestamp;

use crate::world::{labels, policy};

fn min(n: i64) -> Timestamp {
    Timestamp(n * 60_000)
}

fn figures_of(episodes: &Episodes) -> (Figures, BTreeMap<String, Figures>) {
    let all = || episodes.within(Timestamp::MIN, Timestamp::MAX);
    let name = |labels: &firebell_model::Labels| labels.value("alertname").to_owned();
    (Figures::of(all()), Figures::by(all(), name))
}

/// What was decided about a rule, and thought better of.
fn decided() -> Vec<Decision> {
    let mut incidents = Incidents::new(policy());
    let (ana, ben) = (Person::new("ana").unwrap(), Person::new("ben").unwrap());
    for (at, by, what) in [
        (1, &ana, "keep it"),
        (2, &ben, "delete it"),
        (3, &ben, "delete it"),
    ] {
        let about = ("CheckoutCPUHigh", what);
        incidents
            .decide(min(at), by.clone(), "1970-01", about)
            .unwrap();
    }
    incidents
        .decide(min(4), ana, "1970-02", ("x", "y"))
        .unwrap();
    incidents.decisions("1970-01").cloned().collect()
}

/// A figure of two days, one that gave nothing, and one that is wrong.
fn business() -> Vec<BusinessMonth> {
    let days = vec![(min(0), 120.0), (min(1_440), 80.0)];
    let figure = |name: &str| BusinessMonth {
        name: name.to_owned(),
        ..BusinessMonth::default()
    };
    vec![
        BusinessMonth {
            days,
            ..figure("orders|day")
        },
        figure("users"),
        BusinessMonth {
            error: Some("it gives 2 series".to_owned()),
            ..figure("revenue")
        },
    ]
}

/// An incident that no alert saw.
fn customers_called() -> Vec<ReviewedIncident> {
    let mut incidents = Incidents::new(policy());
    let ada = || Person::new("ada").unwrap();
    let opening = Opening {
        title: "Customers <call> us".to_owned(),
        severity: Severity::Sev1,
        service: None,
        alerts: Vec::new(),
    };
    let (id, _) = incidents.open(min(5), ada(), &opening).unwrap();
    let resolved: Act = "state resolved".parse().unwrap();
    incidents.act(min(65), id, ada(), resolved).unwrap();
    let all = incidents.iter();
    all.map(|it| ReviewedIncident::of(min(100), it)).collect()
}

#[test]
fn decisions_outlive_a_restart_have_an_end_and_are_refused_in_words() {
    let mut incidents = Incidents::new(policy());
    let ana = Person::new("ana").unwrap();
    let mut decide = |month: &str, about: &str, what: &str| {
        let done = incidents.decide(min(0), ana.clone(), month, (about, what));
        done.map_err(|why| why.to_string())
    };
    for nth in 0..DECISIONS_MAX + 3 {
        decide("2026-11", "A", &format!("number {nth}")).unwrap();
    }
    assert_eq!(decide("2026-11", "A", "number 5002"), Ok(Outcome::Already));
    for (wrong, why) in [
        (
            ("2026-13", "A", "x"),
            "`2026-13` is no month: write it as 2026-11",
        ),
        (
            ("November", "A", "x"),
            "`November` is no month: write it as 2026-11",
        ),
        (("2026-11", " ", "x"), "what it is about is empty"),
        (
            ("2026-11", "A", "x\ny"),
            "the decision has more than one line",
        ),
    ] {
        assert_eq!(decide(wrong.0, wrong.1, wrong.2).unwrap_err(), why);
    }
    let written = incidents.take_changes();
    let mut restored = Incidents::new(policy());
    incidents.records().for_each(|it| restored.restore(it));
    let mut replayed = Incidents::new(policy());
    written.into_iter().for_each(|it| replayed.restore(it));
    let all: Vec<_> = incidents.decisions("2026-11").collect();
    assert_eq!((all.len(), &*all[0].decision), (DECISIONS_MAX, "number 3"));
    assert_eq!(restored.decisions("2026-11").collect::<Vec<_>>(), all);
    assert_eq!(replayed.decisions("2026-11").collect::<Vec<_>>(), all);
}

#[test]
fn a_review_says_what_to_delete_which_runbooks_failed_and_what_had_no_alert() {
    let mut episodes = Episodes::default();
    // The reference's third idea: 23 pages, one of them acted on.
    let noise = labels("CheckoutCPUHigh");
    for nth in 0..23 {
        episodes.fired(min(nth * 120), &noise);
        episodes.notified(noise.fingerprint());
        episodes.resolved(min(nth * 120 + 3), &noise);
    }
    episodes.judged(&noise, min(0), Verdict::Threshold, false);
    episodes.judged(&noise, min(22 * 120), Verdict::Acted, false);
    let slow = labels("Disk|Full");
    episodes.fired(min(10), &slow);
    episodes.acknowledged(min(12), &slow);
    episodes.resolved(min(55), &slow);
    let (total, rules) = figures_of(&episodes);
    let decisions = decided();
    let reviewed = customers_called();
    let review = Review {
        month: "2026-11",
        total: &total,
        rules: &rules,
        runbooks: &BTreeMap::from([("Disk|Full".to_owned(), "https://runbooks/disk".to_owned())]),
        incidents: &reviewed,
        decisions: &decisions,
        business: &business(),
        is_cut: false,
    };
    expect![[r#"
        # Review of 2026-11

        24 alerts fired; 23 were told of, 1 looked at; 2 of 24 actionable (8 %). Verdicts that were guessed: 1.

        ## What the business did

        | figure | mean of a day | lowest | highest |
        |---|--:|---|---|
        | orders\|day | 100 | 80.00 (1970-01-02) | 120 (1970-01-01) |
        | users | – |  |  |
        | revenue | it gives 2 series |  |  |

        ## What fired

        | rule | fired | told of | actionable | verdicts | looked at after | over after | advice |
        |---|--:|--:|---|---|---|---|---|
        | CheckoutCPUHigh | 23 | 23 | 4 % | the threshold is wrong 22, acted 1 | – | half within 3m, nine of ten within 3m | delete |
        | Disk\|Full | 1 | 0 | 100 % | acted 1 | half within 2m, nine of ten within 2m | half within 45m, nine of ten within 45m | keep |

        ## To delete: under 50 % actionable

        | rule | why | by replay | decided |
        |---|---|---|---|
        | CheckoutCPUHigh | 1 of 23 actionable (4 %): the threshold is wrong 22, acted 1 | – | delete it (ben) |

        ## To tune: under 80 % actionable, or flapping

        Nothing.

        ## Runbooks: over after more than 30m

        - [ ] Disk\|Full: half within 45m, nine of ten within 45m; https://runbooks/disk

        ## Incidents

        | incident | severity | opened | by | lasted | alerts | verdict |
        |---|---|---|---|---|--:|---|
        | INC-1: Customers \<call> us | sev1 | 1970-01-01T00:05:00Z | ada | 1h | 0 | – |

        ## Incidents that had no alert

        - [ ] INC-1: Customers \<call> us, found by ada

        ## Decisions

        | about | what | who | when |
        |---|---|---|---|
        | CheckoutCPUHigh | keep it | ana | 1970-01-01T00:01:00Z |
        | CheckoutCPUHigh | delete it | ben | 1970-01-01T00:02:00Z |
    "#]].assert_eq(&review.markdown());
}

#[test]
fn a_month_without_anything_is_a_review_too() {
    let review = Review {
        month: "2026-10",
        total: &Figures::default(),
        rules: &BTreeMap::new(),
        runbooks: &BTreeMap::new(),
        incidents: &[],
        decisions: &[],
        business: &[],
        is_cut: true,
    };
    let text = review.markdown();
    assert!(
        text.contains("0 alerts fired; 0 were told of, 0 looked at; no verdict yet."),
        "{text}"
    );
    assert!(text.contains("More fired than is counted here."), "{text}");
}

#[test]
fn a_verdict_holds_for_an_alert_that_fired_before_it_belonged_to_the_incident() {
    let mut episodes = Episodes::default();
    let slow = labels("Slow");
    for (from, to) in [(0, 3), (10, 30), (40, 41)] {
        episodes.fired(min(from), &slow);
        episodes.resolved(min(to), &slow);
    }
    episodes.judged(&slow, min(15), Verdict::Acted, false);
    let all = episodes.within(Timestamp::MIN, Timestamp::MAX);
    let verdicts: Vec<_> = all.map(|it| it.verdict).collect();
    let acted = Some((Verdict::Acted, false));
    assert_eq!(verdicts, [None, acted, acted]);
}
