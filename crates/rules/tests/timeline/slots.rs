//! When groups are evaluated, and what happens to answers that come late.

use firebell_model::{Duration, Labels, SampleValue, Timestamp};
use firebell_rules::{Evaluation, EvaluationRequest, Options, RuleEffect, RuleSample, Rules};

use crate::world::rules;

const GROUP: &str = "
    group g every 10s
    alert First | up == 0
    alert Second | up == 0";

struct Clocked {
    rules: Rules,
    start: Timestamp,
}

impl Clocked {
    fn new() -> Self {
        let mut rules = Rules::new(rules(GROUP), Options::default());
        assert_eq!(rules.poll_deadline(), Some(Timestamp::MIN));
        rules.handle_deadline(Timestamp(1_700_000_000_000), &mut Vec::new());
        let start = rules.poll_deadline().expect("a slot");
        Self { rules, start }
    }

    fn requests(&self, effects: Vec<RuleEffect>) -> Vec<EvaluationRequest> {
        let requests = effects.into_iter().filter_map(|effect| match effect {
            RuleEffect::Evaluate(request) => Some(request),
            RuleEffect::Write(_)
            | RuleEffect::WriteHistograms(_)
            | RuleEffect::Alerts(_)
            | RuleEffect::Send(_) => None,
        });
        requests.collect()
    }

    /// What is asked for at a moment, in seconds from the first slot.
    fn tick(&mut self, secs: i64) -> Vec<EvaluationRequest> {
        let mut effects = Vec::new();
        let now = self.start + Duration::from_secs(secs);
        self.rules.handle_deadline(now, &mut effects);
        self.requests(effects)
    }

    fn answer(&mut self, secs: i64, request: &EvaluationRequest) -> Vec<EvaluationRequest> {
        let sample = RuleSample {
            labels: Labels::from_pairs([("alertname", request.rule.name.as_str())]),
            annotations: Labels::empty(),
            value: SampleValue::Float(0.0),
        };
        let evaluation = Evaluation {
            id: request.id,
            at: request.at,
            took: std::time::Duration::from_millis(3),
            outcome: Ok(vec![sample]),
            answers: firebell_rules::Answers::default(),
        };
        let mut effects = Vec::new();
        let now = self.start + Duration::from_secs(secs);
        self.rules.handle_evaluated(now, evaluation, &mut effects);
        self.requests(effects)
    }

    fn n_alerts(&self) -> usize {
        let rules = self.rules.groups().flat_map(|group| group.rules());
        rules.map(|rule| rule.alerts().len()).sum()
    }

    fn n_missed(&self) -> u64 {
        self.rules.groups().map(|group| group.n_missed()).sum()
    }
}

#[test]
fn item_20_a_group_waits_for_its_next_slot_and_runs_its_rules_in_turn_at_it() {
    let mut world = Clocked::new();
    let first = world.tick(0);
    assert_eq!(first.len(), 1);
    assert_eq!(world.tick(5), []);
    let second = world.answer(6, &first[0]);
    assert_eq!((second.len(), second[0].id.rule_idx), (1, 1));
    assert_eq!(second[0].at, first[0].at);
    assert_eq!(world.answer(7, &second[0]), []);
    assert_eq!(
        world.rules.poll_deadline(),
        Some(world.start + Duration::from_secs(10))
    );
}

#[test]
fn a_slow_group_runs_late_once_and_misses_the_slots_before() {
    let mut world = Clocked::new();
    let first = world.tick(0);
    assert_eq!(world.rules.poll_deadline(), None);
    let second = world.answer(33, &first[0]);
    assert_eq!(world.answer(38, &second[0]), []);
    let late = world.tick(38);
    assert_eq!(late[0].at, world.start + Duration::from_secs(30));
    assert_eq!(world.n_missed(), 2);
}

#[test]
fn an_answer_is_taken_once_and_not_after_a_reload() {
    let mut world = Clocked::new();
    let first = world.tick(0);
    let second = world.answer(1, &first[0]);
    assert_eq!(world.n_alerts(), 1);
    assert_eq!(world.answer(2, &first[0]), []);
    let now = world.start + Duration::from_secs(3);
    world.rules.configure(now, rules(GROUP), &mut Vec::new());
    assert_eq!(world.answer(4, &second[0]), []);
    assert_eq!((world.n_alerts(), world.n_missed()), (1, 1));
    assert_eq!(world.tick(10)[0].id.rule_idx, 0);
}
