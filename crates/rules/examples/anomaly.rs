//! What anomaly rules cost: prints CPU time per series and evaluation, beside a plain rule.
//!
//! `cargo run --release -p firebell-rules --example anomaly`

use std::sync::Arc;

use firebell_model::{Duration, Labels, Sample, Timestamp};
use firebell_promql::{MemorySource, Plan};
use firebell_rules::{
    AlertingRule, AnomalyOptions, Context, DetectorKind, Options, Place, Policy, Rule, RuleEffect,
    RuleGroup, RuleSet, Rules, evaluate,
};

fn main() {
    run("threshold", None);
    for (detector, window) in [
        (DetectorKind::ZScore, 120),
        (DetectorKind::Robust, 120),
        (DetectorKind::ZScore, 2048),
        (DetectorKind::Robust, 2048),
    ] {
        let options = AnomalyOptions {
            detector,
            window,
            ..AnomalyOptions::default()
        };
        run(&format!("{detector:?} of {window}"), Some(options));
    }
}

fn run(name: &str, anomaly: Option<AnomalyOptions>) {
    let expr = if anomaly.is_some() { "x" } else { "x > 1e9" };
    let rule = AlertingRule {
        policy: Policy {
            anomaly,
            ..Policy::default()
        },
        ..AlertingRule::default()
    };
    let expr = Plan::new(expr).expect("PromQL");
    let group = RuleGroup {
        rules: vec![Arc::new(Rule::alerting("R", expr, rule, Place::default()))],
        ..group()
    };
    let set = RuleSet::new(vec![group], Context::default()).expect("rules");
    let mut rules = Rules::new(set, Options::default());
    let series: Vec<Labels> = (0..N_SERIES)
        .map(|idx| Labels::from_pairs([("__name__", "x"), ("i", &idx.to_string())]))
        .collect();
    let n_filling = anomaly.map_or(0, |it| it.window);
    let mut source = MemorySource::new();
    rules.handle_deadline(Timestamp(0), &mut Vec::new());
    let mut secs = 0.0;
    for round in 0..n_filling + N_ROUNDS {
        let now = rules.poll_deadline().expect("a slot");
        for (idx, labels) in series.iter().enumerate() {
            // Like noise, and the same in every run.
            let value = (((idx * 7919 + round * 104_729) % 1000) as f64).sqrt();
            source.append(labels, [Sample { at: now, value }]);
        }
        let mut effects = Vec::new();
        rules.handle_deadline(now, &mut effects);
        for effect in effects {
            let RuleEffect::Evaluate(request) = effect else {
                continue;
            };
            let start = cpu_secs();
            let evaluation = evaluate(&request, &source);
            rules.handle_evaluated(now, evaluation, &mut Vec::new());
            rules.take_changes(&mut Vec::new());
            if round >= n_filling {
                secs += cpu_secs() - start;
            }
        }
    }
    let nanos = secs * 1e9 / (N_SERIES * N_ROUNDS) as f64;
    println!("{name:16} {nanos:6.0} ns");
}

fn group() -> RuleGroup {
    RuleGroup {
        file: "rules.yml".to_owned(),
        name: "g".to_owned(),
        interval: Duration::from_mins(1),
        slot_at: None,
        query_offset: Duration::ZERO,
        limit: None,
        rules: Vec::new(),
    }
}

/// CPU time of this thread.
fn cpu_secs() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|it| it.parse::<u64>().ok());
    nanos.unwrap_or(0) as f64 / 1e9
}

const N_SERIES: usize = 500;
const N_ROUNDS: usize = 20;
