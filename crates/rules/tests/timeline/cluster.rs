//! Rules whose expressions somebody else evaluates.

use firebell_model::{Duration, Labels, SampleValue, Timestamp};
use firebell_promql::{Prepared, VectorSample};
use firebell_rules::{Options, Querier, RuleEffect, Rules, evaluate_by};

use crate::world::rules;

/// Answers `up == 0`, and refuses everything else.
struct Cluster;

impl Querier for Cluster {
    fn vector(&self, expr: &mut Prepared, at: Timestamp) -> Result<Vec<VectorSample>, String> {
        match expr.plan().text() {
            "up == 0" => Ok(vec![VectorSample {
                labels: Labels::from_pairs([("job", "api")]),
                at,
                value: SampleValue::Float(0.0),
            }]),
            other => Err(format!("the cluster does not know `{other}`")),
        }
    }
}

#[test]
fn a_rule_fires_by_a_clusters_answers_and_shows_its_refusals() {
    let group = "
        group g every 10s
        alert Down | up == 0
        alert Odd | odd == 1";
    let mut core = Rules::new(rules(group), Options::default());
    core.handle_deadline(Timestamp(1_700_000_000_000), &mut Vec::new());
    let start = core.poll_deadline().expect("a slot");
    let mut told = Vec::new();
    for slot in 0..2 {
        let now = start + Duration::from_secs(10 * slot);
        let mut effects = Vec::new();
        core.handle_deadline(now, &mut effects);
        while let Some(effect) = effects.pop() {
            match effect {
                RuleEffect::Evaluate(request) => {
                    core.handle_evaluated(now, evaluate_by(&request, &Cluster), &mut effects);
                }
                RuleEffect::Alerts(alerts) => told.extend(alerts),
                RuleEffect::Write(_)
                | RuleEffect::WriteHistograms(_)
                | RuleEffect::Watch(_)
                | RuleEffect::Send(_) => {}
            }
        }
    }
    let names = told.iter().map(|alert| alert.labels.value("alertname"));
    assert_eq!(names.collect::<Vec<_>>().first(), Some(&"Down"));
    let view = core.groups().next().expect("the group");
    let errors: Vec<_> = view.rules().map(|rule| rule.last_error()).collect();
    assert_eq!(errors, [None, Some("the cluster does not know `odd == 1`")]);
}
