//! When groups are evaluated, and what happens to answers that come late.

use firebell_model::{Duration, Labels, SampleValue, Timestamp};
use firebell_rules::{
    Arrived, Evaluation, EvaluationRequest, Found, Options, QuietRules, RuleEffect, RuleEvaluation,
    RuleSample, Rules,
};

use crate::world::rules;

const GROUP: &str = "
    group g every 10s
    alert First | up == 0
    alert Second | ALERTS{alertname='First'} == 1";

struct Clocked {
    rules: Rules,
    start: Timestamp,
}

impl Clocked {
    fn new(group: &str) -> Self {
        let mut rules = Rules::new(rules(group), Options::default());
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
            | RuleEffect::Watch(_)
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
        let rules = request.rules.iter().map(|run| {
            let sample = RuleSample {
                labels: Labels::from_pairs([("alertname", run.rule.name.as_str())]),
                annotations: Labels::empty(),
                value: SampleValue::Float(0.0),
            };
            RuleEvaluation {
                rule_idx: run.rule_idx,
                took: std::time::Duration::from_millis(3),
                outcome: Ok(Found {
                    samples: vec![sample],
                    ..Found::default()
                }),
            }
        });
        self.hear(secs, evaluation_of(request, rules.collect()))
    }

    fn hear(&mut self, secs: i64, evaluation: Evaluation) -> Vec<EvaluationRequest> {
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
fn item_20_a_group_waits_for_its_next_slot_and_runs_rules_in_turn_that_read_each_other() {
    let mut world = Clocked::new(GROUP);
    let first = world.tick(0);
    assert_eq!(first.len(), 1);
    assert_eq!(world.tick(5), []);
    let second = world.answer(6, &first[0]);
    assert_eq!((second.len(), second[0].rules[0].rule_idx), (1, 1));
    assert_eq!(second[0].id.at, first[0].id.at);
    assert_eq!(world.answer(7, &second[0]), []);
    assert_eq!(
        world.rules.poll_deadline(),
        Some(world.start + Duration::from_secs(10))
    );
}

#[test]
fn a_slow_group_runs_late_once_and_misses_the_slots_before() {
    let mut world = Clocked::new(GROUP);
    let first = world.tick(0);
    assert_eq!(world.rules.poll_deadline(), None);
    let second = world.answer(33, &first[0]);
    assert_eq!(world.answer(38, &second[0]), []);
    let late = world.tick(38);
    assert_eq!(late[0].id.at, world.start + Duration::from_secs(30));
    assert_eq!(world.n_missed(), 2);
}

#[test]
fn an_answer_is_taken_once_and_not_after_a_reload() {
    let mut world = Clocked::new(GROUP);
    let first = world.tick(0);
    let second = world.answer(1, &first[0]);
    assert_eq!(world.n_alerts(), 1);
    assert_eq!(world.answer(2, &first[0]), []);
    let now = world.start + Duration::from_secs(3);
    world.rules.configure(now, rules(GROUP), &mut Vec::new());
    assert_eq!(world.answer(4, &second[0]), []);
    assert_eq!((world.n_alerts(), world.n_missed()), (1, 1));
    assert_eq!(world.tick(10)[0].rules[0].rule_idx, 0);
}

fn evaluation_of(request: &EvaluationRequest, rules: Vec<RuleEvaluation>) -> Evaluation {
    Evaluation {
        id: request.id,
        rules,
        quiet: QuietRules::default(),
        rested: std::time::Duration::ZERO,
    }
}

/// All rules of a request, which were found in one go to find nothing.
fn quiet(request: &EvaluationRequest) -> Evaluation {
    Evaluation {
        quiet: QuietRules {
            rules: request.rules.iter().map(|run| run.rule_idx).collect(),
            took: std::time::Duration::from_millis(3),
        },
        ..evaluation_of(request, Vec::new())
    }
}

/// Whether a result of these that finds nothing may rest.
fn may_rest(request: &EvaluationRequest) -> bool {
    let nothing = request.rules.iter().map(|run| RuleEvaluation {
        rule_idx: run.rule_idx,
        took: std::time::Duration::ZERO,
        outcome: Ok(Found::default()),
    });
    let mut result = evaluation_of(request, nothing.collect());
    let may_rest = request.may_rest(&result);
    let mut quiet = quiet(request);
    assert_eq!(request.may_rest(&quiet), may_rest);
    // Of a part of the rules, and of one that failed, the driver hears at once.
    quiet.quiet.rules.pop();
    assert!(!request.may_rest(&quiet));
    let failed = Err("failed".to_owned());
    let last = std::mem::replace(&mut result.rules[0].outcome, failed);
    assert!(!request.may_rest(&result));
    assert_eq!(last, Ok(Found::default()));
    result.rules.remove(0);
    assert!(!request.may_rest(&result));
    may_rest
}

#[test]
fn a_result_rests_only_where_nothing_is_and_nothing_waits_for_it() {
    let quiet = "group g every 10s\n alert A | up == 0\n alert B | up == 1";
    let mut world = Clocked::new(quiet);
    let requests = world.tick(0);
    assert!(may_rest(&requests[0]));
    // An alert would be resolved by a result without it.
    world.answer(1, &requests[0]);
    assert!(!may_rest(&world.tick(10)[0]));
    // The second run waits for the first one, and nobody for the second.
    let mut world = Clocked::new(GROUP);
    let first = world.tick(0);
    assert!(!may_rest(&first[0]));
    // The next slot must not come too late.
    let mut world = Clocked::new("group g every 2s\n alert A | up == 0");
    assert!(!may_rest(&world.tick(0)[0]));
}

#[test]
fn a_round_took_no_longer_because_its_result_rested() {
    let mut world = Clocked::new("group g every 10s\n alert A | up == 0");
    let request = world.tick(0).remove(0);
    let evaluation = Evaluation {
        rested: std::time::Duration::from_millis(900),
        ..quiet(&request)
    };
    world.hear(1, evaluation);
    let group = world.rules.groups().next().expect("a group");
    assert_eq!(group.took(), std::time::Duration::from_millis(100));
}

/// The runs of a group, each rule by its name.
fn runs(group: &str) -> String {
    let mut world = Clocked::new(&format!("group g every 10s\n{group}"));
    let mut waiting = world.tick(0);
    let mut runs = Vec::new();
    while let Some(request) = waiting.pop() {
        let names = request.rules.iter().map(|run| run.rule.name.as_str());
        runs.push(names.collect::<Vec<_>>().join(" "));
        waiting.extend(world.answer(0, &request));
    }
    runs.join(", ")
}

#[test]
fn rules_that_do_not_read_one_another_run_together() {
    for (group, expected) in [
        ("record a | x\n record b | y\n alert C | z", "a b C"),
        ("record a | x\n record b | a\n record c | a", "a, b c"),
        ("record a | x\n record b | a\n record c | b", "a, b, c"),
        // What comes later is not read.
        ("record a | b\n record b | a\n record c | y", "a, b c"),
        ("record a | a\n record b | b", "a b"),
        // A name is a matcher among others.
        ("record a | x\n alert B | {__name__=~'[az]'}", "a, B"),
        ("record a | x\n alert B | {__name__=~'b.*'}", "a B"),
        (
            "record a | x\n alert B | {__name__=~'.+', __name__!='a'}",
            "a B",
        ),
        ("record a | x\n alert B | {job='p'}", "a, B"),
        ("record a | x | label job: q\n alert B | {job='p'}", "a B"),
        ("record a | x | label job: q\n alert B | a{job='p'}", "a B"),
        ("record a | x | label job: q\n alert B | a{dc='p'}", "a, B"),
        (
            "record a | x\n alert B | rate(a[5m:1m]) > rate(x[5m])",
            "a, B",
        ),
        ("record a | x\n alert B | max_over_time(a[5m])", "a, B"),
        // What alerts write.
        ("alert A | x\n alert B | ALERTS", "A, B"),
        ("alert A | x\n alert B | ALERTS_FOR_STATE > 1", "A, B"),
        ("alert A | x\n alert B | ALERTS{alertname='C'}", "A B"),
        ("alert A | x\n alert B | ALERTS{alertname=~'[AC]'}", "A, B"),
        (
            "alert A | x | label to: me\n alert B | ALERTS{to='you'}",
            "A B",
        ),
        (
            "alert A | x | label to: {{$value}}\n alert B | ALERTS{to='you'}",
            "A, B",
        ),
        // What templates query is not known before.
        (
            "record a | x\n alert B | y | note n: {{ len (query \"z\") }}",
            "a, B",
        ),
        (
            "record target_info | x\n record b | info(y)",
            "target_info, b",
        ),
        ("record a | x\n record b | info(y)", "a b"),
    ] {
        assert_eq!(runs(group), expected, "{group}");
    }
}

#[test]
fn a_run_may_be_answered_in_parts_and_goes_on_after_the_last() {
    let mut world =
        Clocked::new("group g every 10s\n alert A | x\n alert B | y\n record c | ALERTS");
    let run = world.tick(0).remove(0);
    let part = |idx: usize| {
        let mut part = run.clone();
        part.rules = std::sync::Arc::new([run.rules[idx].clone()]);
        part
    };
    assert_eq!(world.answer(1, &part(1)), []);
    assert_eq!(world.answer(2, &part(1)), []);
    assert_eq!(world.n_alerts(), 1);
    let rest = world.answer(3, &part(0));
    assert_eq!(world.n_alerts(), 2);
    assert_eq!(rest[0].rules[0].rule_idx, 2);
    assert_eq!(world.answer(4, &run), []);
    assert_eq!(world.answer(4, &rest[0]), []);
    assert_eq!(
        world.rules.poll_deadline(),
        Some(world.start + Duration::from_secs(10))
    );
}

/// The names of the rules that are evaluated at once at a moment, in seconds.
fn evaluated(world: &mut Clocked, secs: i64) -> String {
    let mut names = Vec::new();
    let mut waiting = world.tick(secs);
    while let Some(request) = waiting.pop() {
        names.extend(request.rules.iter().map(|run| run.rule.name.clone()));
        waiting.extend(world.answer(secs, &request));
    }
    names.join(" ")
}

#[test]
fn a_rule_with_an_interval_of_its_own_is_evaluated_on_its_own_grid() {
    let mut world = Clocked::new(
        "group g every 10s\n record a | x\n record slow | x | every 30s\n record quick | x | every 5s",
    );
    let start = world.start;
    let mut runs = std::collections::BTreeMap::<String, Vec<i64>>::new();
    for _ in 0..24 {
        let at = world.rules.poll_deadline().expect("a slot");
        let secs = (at - start).0 / 1000;
        for name in evaluated(&mut world, secs).split_whitespace() {
            runs.entry(name.to_owned()).or_default().push(secs);
        }
    }
    let steps = |name: &str| -> Vec<i64> {
        let at = &runs[name];
        at.windows(2).map(|pair| pair[1] - pair[0]).collect()
    };
    for (name, step, n_min) in [("a", 10, 10), ("slow", 30, 2), ("quick", 5, 20)] {
        assert!(steps(name).len() >= n_min, "{runs:?}");
        assert!(steps(name).iter().all(|it| *it == step), "{runs:?}");
    }
    // The grid of the slow rule is a part of the group's.
    assert!(
        runs["slow"].iter().all(|at| runs["a"].contains(at)),
        "{runs:?}"
    );
    assert_eq!(world.n_missed(), 0);
}

#[test]
fn a_slot_of_an_own_interval_that_was_missed_is_made_up_for_at_the_next_of_the_group() {
    let mut world = Clocked::new("group g every 10s\n record a | x\n record slow | x | every 30s");
    let mut at = 0;
    while !evaluated(&mut world, at).contains("slow") {
        at += 10;
    }
    // The group is held up over the next slot of the slow rule.
    let held = world.tick(at + 20).remove(0);
    assert_eq!(world.tick(at + 31), []);
    world.answer(at + 42, &held);
    assert_eq!(evaluated(&mut world, at + 42), "a slow");
}

fn arrive(world: &mut Clocked, secs: i64, rules: &[u32]) {
    let arrived = Arrived {
        generation: 1,
        rules: rules.to_vec(),
    };
    let now = world.start + Duration::from_secs(secs);
    world.rules.handle_arrived(now, &arrived);
}

#[test]
fn a_rule_is_evaluated_on_arrival_at_once_and_then_not_too_often() {
    let group = "group g every 60s\n alert A | x | evaluate on_arrival\n alert B | y\n \
                 record c | {job='p'} | evaluate on_arrival\n record d | d + x | evaluate on_arrival";
    let mut rules = Rules::new(rules(group), Options::default());
    let mut effects = Vec::new();
    rules.handle_deadline(Timestamp(1_700_000_000_000), &mut effects);
    let start = rules.poll_deadline().expect("a slot");
    let RuleEffect::Watch(list) = effects.remove(0) else {
        panic!("no list");
    };
    let text = |selectors: &Vec<Vec<firebell_model::Matcher>>| -> Vec<String> {
        let text = |matchers: &Vec<firebell_model::Matcher>| {
            let all: Vec<String> = matchers.iter().map(ToString::to_string).collect();
            all.join(",")
        };
        selectors.iter().map(text).collect()
    };
    let watched: Vec<_> = list.selectors.iter().map(text).collect();
    assert_eq!(
        watched,
        [
            vec![r#"__name__="x""#],
            vec![r#"job="p",__name__!="c""#],
            vec![r#"__name__="x""#],
        ]
    );
    let mut world = Clocked { rules, start };
    assert_eq!(evaluated(&mut world, 0), "A B c d");
    arrive(&mut world, 7, &[0]);
    arrive(&mut world, 7, &[0, 2]);
    assert_eq!(evaluated(&mut world, 7), "A d");
    assert_eq!(evaluated(&mut world, 8), "");
    // Within half a second of the last evaluation: then, but not before.
    arrive(&mut world, 20, &[1]);
    assert_eq!(evaluated(&mut world, 20), "c");
    arrive(&mut world, 20, &[1]);
    assert_eq!(evaluated(&mut world, 20), "");
    let half = world.start + Duration(20_500);
    assert_eq!(world.rules.poll_deadline(), Some(half));
    assert_eq!(evaluated(&mut world, 21), "c");
    // The slots go on.
    assert_eq!(
        world.rules.poll_deadline(),
        Some(world.start + Duration::from_secs(60))
    );
    let group = world.rules.groups().next().expect("the group");
    assert_eq!((group.n_iterations(), group.n_missed()), (1, 0));
    // After a reload the list is another.
    let stale = Arrived {
        generation: 0,
        rules: vec![0],
    };
    world
        .rules
        .handle_arrived(world.start + Duration::from_secs(30), &stale);
    assert_eq!(evaluated(&mut world, 30), "");
}

#[test]
fn what_arrives_while_the_group_is_evaluated_is_looked_at_afterwards() {
    let mut world =
        Clocked::new("group g every 60s\n alert A | x | evaluate on_arrival\n alert B | y");
    let slot = world.tick(0).remove(0);
    arrive(&mut world, 1, &[0]);
    assert_eq!(world.tick(1), []);
    world.answer(2, &slot);
    let late = world.tick(2);
    assert_eq!(late[0].rules.len(), 1);
    assert_eq!(late[0].id.at, world.start + Duration::from_secs(2));
}

#[test]
fn rules_that_are_quiet_at_once_are_as_rules_that_find_nothing_one_by_one() {
    let group = "group g every 10s\n alert A | up == 0\n alert B for 20s | up == 1";
    let mut worlds = [Clocked::new(group), Clocked::new(group)];
    // Nothing, then alerts, then an end of them, a failure, and nothing again.
    for (round, kind) in ["none", "none", "found", "none", "failed", "none", "none"]
        .iter()
        .enumerate()
    {
        let secs = 10 * round as i64;
        let [one, other] = &mut worlds;
        let request = one.tick(secs).remove(0);
        assert_eq!(other.tick(secs), std::slice::from_ref(&request));
        let one_by_one = |outcome: Result<Found, String>| {
            let rules = request.rules.iter().map(|run| RuleEvaluation {
                rule_idx: run.rule_idx,
                took: std::time::Duration::from_millis(3),
                outcome: outcome.clone(),
            });
            evaluation_of(&request, rules.collect())
        };
        match *kind {
            "none" => {
                one.hear(secs, quiet(&request));
                other.hear(secs, one_by_one(Ok(Found::default())));
            }
            "found" => {
                one.answer(secs, &request);
                other.answer(secs, &request);
            }
            _ => {
                one.hear(secs, one_by_one(Err("failed".to_owned())));
                other.hear(secs, one_by_one(Err("failed".to_owned())));
            }
        }
        let view = |world: &Clocked| {
            let rules = world.rules.groups().flat_map(|group| group.rules());
            let rules = rules.map(|rule| {
                let counts = (rule.n_evaluations(), rule.n_failures(), rule.took());
                let last = (rule.health(), rule.last_error(), rule.last_evaluation());
                format!("{counts:?} {last:?} {:?}", rule.alerts())
            });
            rules.collect::<Vec<_>>()
        };
        assert_eq!(view(one), view(other), "{round}");
        assert_eq!(one.rules.records(), other.rules.records(), "{round}");
    }
    let rules = worlds[0].rules.groups().flat_map(|group| group.rules());
    let counts: Vec<_> = rules
        .map(|it| (it.n_evaluations(), it.n_failures()))
        .collect();
    assert_eq!(counts, [(7, 1), (7, 1)]);
}
