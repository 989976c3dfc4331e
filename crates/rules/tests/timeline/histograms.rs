//! Alerting rules whose samples are native histograms. What is expected was compared with promtool,
//! text by text.

use std::sync::Arc;

use firebell_model::{
    ALERT_NAME, BucketSpan, Buckets, Histogram, Labels, METRIC_NAME, SampleValue, Timestamp,
};
use firebell_promql::{Prepared, VectorSample};
use firebell_rules::{Options, Querier, RuleEffect, Rules, evaluate_by};

use crate::world::rules;

/// Has the delays of one service.
struct Delays;

impl Querier for Delays {
    fn vector(&self, expr: &mut Prepared, at: Timestamp) -> Result<Vec<VectorSample>, String> {
        assert_eq!(expr.plan().text(), "delays");
        let positive = Buckets {
            spans: vec![BucketSpan {
                offset: 1,
                length: 2,
            }],
            counts: vec![3.0, 4.0],
        };
        let delays = Histogram {
            count: 7.0,
            sum: 10.5,
            positive,
            ..Histogram::default()
        };
        Ok(vec![VectorSample {
            labels: Labels::from_pairs([(METRIC_NAME, "delays"), ("job", "api")]),
            at,
            value: SampleValue::Histogram(Arc::new(delays)),
        }])
    }
}

const DELAYS: &str = "{count:7, sum:10.5, (1,2]:3, (2,4]:4}";

#[test]
fn texts_and_labels_of_an_alert_show_a_histogram() {
    let group = r#"
        group g every 10s
        alert Slow | delays | label val: {{ $value }} | note all: {{ range query "delays" }}{{ .Value }};{{ end }} | note sum: {{ $value.Sum }} | note human: {{ humanize $value }}"#;
    let mut core = Rules::new(rules(group), Options::default());
    core.handle_deadline(Timestamp(1_700_000_000_000), &mut Vec::new());
    let start = core.poll_deadline().expect("a slot");
    let mut effects = Vec::new();
    core.handle_deadline(start, &mut effects);
    let (mut told, mut written) = (Vec::new(), Vec::new());
    while let Some(effect) = effects.pop() {
        match effect {
            RuleEffect::Evaluate(request) => {
                core.handle_evaluated(start, evaluate_by(&request, &Delays), &mut effects);
            }
            RuleEffect::Alerts(alerts) => told.extend(alerts),
            RuleEffect::Write(samples) => written.extend(samples),
            RuleEffect::WriteHistograms(_) | RuleEffect::Watch(_) | RuleEffect::Send(_) => {}
        }
    }
    let labels = [(ALERT_NAME, "Slow"), ("job", "api"), ("val", DELAYS)];
    let annotations = [
        ("all", &*format!("{DELAYS};")),
        (
            "human",
            "<error expanding template: error executing template __alert_Slow: \
             template: __alert_Slow:1:115: executing \"__alert_Slow\" at <humanize $value>: \
             error calling humanize: can't convert *histogram.FloatHistogram to float>",
        ),
        ("sum", "10.5"),
    ];
    let told: Vec<_> = told
        .iter()
        .map(|it| (&it.labels, &it.annotations))
        .collect();
    let (labels, annotations) = (Labels::from_pairs(labels), Labels::from_pairs(annotations));
    assert_eq!(told, [(&labels, &annotations)]);

    let mut written: Vec<_> = written.iter().map(|(series, _)| series).collect();
    written.sort();
    let names = written.iter().map(|series| series.value(METRIC_NAME));
    assert_eq!(names.collect::<Vec<_>>(), ["ALERTS", "ALERTS_FOR_STATE"]);
    assert!(written.iter().all(|series| series.value("val") == DELAYS));

    // Where only a number fits, upstream has none.
    let view = core.groups().next().expect("the group");
    let rule = view.rules().next().expect("the rule");
    let values = rule.alerts().iter().map(|alert| alert.value);
    assert_eq!(values.collect::<Vec<_>>(), [0.0]);
}
