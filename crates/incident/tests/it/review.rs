//! The review, as people read it.

use std::collections::BTreeMap;

use expect_test::expect;
use firebell_incident::{
    Act, Episodes, Figures, Incidents, Opening, Person, Review, ReviewedIncident, Severity, Verdict,
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
    let reviewed: Vec<_> = incidents
        .iter()
        .map(|it| ReviewedIncident::of(min(100), it))
        .collect();
    let review = Review {
        month: "2026-11",
        total: &total,
        rules: &rules,
        runbooks: &BTreeMap::from([("Disk|Full".to_owned(), "https://runbooks/disk".to_owned())]),
        incidents: &reviewed,
        is_cut: false,
    };
    expect![[r#"
        # Review of 2026-11

        24 alerts fired; 23 were told of, 1 looked at; 2 of 24 actionable (8 %). Verdicts that were guessed: 1.

        ## What fired

        | rule | fired | told of | actionable | verdicts | looked at after | over after | advice |
        |---|--:|--:|---|---|---|---|---|
        | CheckoutCPUHigh | 23 | 23 | 4 % | the threshold is wrong 22, acted 1 | – | half within 3m, nine of ten within 3m | delete |
        | Disk\|Full | 1 | 0 | 100 % | acted 1 | half within 2m, nine of ten within 2m | half within 45m, nine of ten within 45m | keep |

        ## To delete: under 50 % actionable

        | rule | why | by replay | decided |
        |---|---|---|---|
        | CheckoutCPUHigh | 1 of 23 actionable (4 %): the threshold is wrong 22, acted 1 | – |  |

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

        | what | who | when |
        |---|---|---|
        |  |  |  |
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
