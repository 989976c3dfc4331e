//! That an acknowledgement costs the same whatever else is open, in work and not in time.

use std::fmt::Write as _;

use firebell_dispatch::{PostedAlert, PostedAlerts};
use firebell_engine::{PageAct, Step};
use firebell_escalation::PageKey;
use firebell_incident::{Act, INCIDENTS_OPEN_MAX, IncidentId, Person};
use firebell_model::{Labels, Timestamp};

use super::{Document, Options, play};
use crate::simulator::{Happening, Scene, Sim, Watch};

struct Blind;

impl Watch for Blind {
    fn see(&mut self, _: &Scene<'_>, _: &Happening<'_>) {}
}

const CONFIG: &str = "```firebell
incidents: {escalation: all, open_when: ['severity=\"page\"']}
oncall:
  people: {ana: {ntfy: ana}, ben: {ntfy: ben}}
escalation:
  all:
    - {notify: person:ana}
    - {after: 15m, notify: person:ben}
```

```timeline
end 1s
```
";

/// So many incidents, each of `ALERTS` alerts and paged.
fn open(n_incidents: usize) -> Sim<Blind> {
    let document = Document::read("open", CONFIG).unwrap_or_else(|it| panic!("{it}"));
    let mut sim = play(&document, Options::default(), |_| Blind);
    let now = sim.now();
    let posted = (0..n_incidents * ALERTS).map(|idx| {
        let (name, service) = (
            format!("Down{}", idx % ALERTS),
            format!("s{}", idx / ALERTS),
        );
        let labels = [
            ("alertname", &*name),
            ("service", &*service),
            ("severity", "page"),
        ];
        PostedAlert {
            labels: Labels::from_pairs(labels),
            annotations: Labels::empty(),
            starts_at: Some(now),
            ends_at: Some(Timestamp::MAX),
            generator_url: String::new(),
        }
    });
    let posted = PostedAlerts::from_iter(posted);
    sim.command(|engine, now, step| engine.post_alerts(now, &posted, step));
    let engine = sim.engine().unwrap();
    let n_open = engine.incidents().iter().filter(|it| it.state.is_open());
    assert_eq!(n_open.count(), n_incidents);
    let n_paged = engine.escalation().pages().filter(|it| it.is_open());
    assert_eq!(n_paged.count(), n_incidents);
    sim
}

/// What acknowledging the first one by its incident, and the second one by its page, has to be
/// written down, done and kept: every record, in words, without the names that differ.
fn acknowledged(sim: &mut Sim<Blind>) -> String {
    let mut text = String::new();
    let ana = Person::new("ana").unwrap();
    for number in [1, 2] {
        let by = ana.clone();
        let told = sim.command(|engine, now, _| {
            let mut step = Step::default();
            if number == 1 {
                let done = engine.act_on_incident(now, IncidentId(1), by, Act::Ack, &mut step);
                done.unwrap();
            } else {
                let (key, act) = (PageKey(number), PageAct::Acknowledge);
                engine.answer_page(now, key, by, act, &mut step).unwrap();
            }
            let Step {
                records,
                effects,
                history,
            } = step;
            format!(
                "INC-{number}: {} records, {} effects, {} of the history",
                records.len(),
                effects.len(),
                history.len()
            )
        });
        writeln!(text, "{}", told.unwrap()).unwrap();
    }
    text
}

#[test]
fn an_acknowledgement_is_the_same_work_among_ten_thousand_alerts_as_among_forty() {
    let few = acknowledged(&mut open(2));
    let many = acknowledged(&mut open(INCIDENTS_OPEN_MAX));
    assert_eq!(few, many);
    expect_test::expect![[r#"
        INC-1: 3 records, 0 effects, 20 of the history
        INC-2: 3 records, 0 effects, 20 of the history
    "#]]
    .assert_eq(&many);
}

/// 10,000 of all.
const ALERTS: usize = 10_000 / INCIDENTS_OPEN_MAX;
