//! Watches that are killed and come back: what is known, what is odd, what it costs.

use firebell_model::Fingerprint;
use proptest::prelude::*;
use serde_json::{from_value, json};

use super::*;
use crate::anomaly::DetectorKind;
use crate::definition::Context;

struct World {
    watch: Watch,
    journal: Vec<RuleRecord>,
    rule: Arc<RuleKey>,
    options: AnomalyOptions,
    at: Timestamp,
}

fn series(idx: usize) -> Labels {
    Labels::from_pairs([("i", &*idx.to_string())])
}

impl World {
    fn new(options: AnomalyOptions) -> Self {
        let rule = Arc::new(RuleKey {
            file: "rules.yml".to_owned(),
            group: "shop".to_owned(),
            rule: "SlowerThanUsual".to_owned(),
            is_recording: false,
            labels: Fingerprint(0x0123_4567_89ab_cdef),
            nth: 0,
        });
        let mut world = Self {
            watch: Watch::default(),
            journal: Vec::new(),
            rule,
            options,
            at: Timestamp(0),
        };
        world.configure();
        world
    }

    fn configure(&mut self) {
        let mut out = Outcome::default();
        self.watch.configure(self.options, (&self.rule, &mut out));
        self.journal.extend(out.records);
    }

    /// An evaluation, a minute after the last.
    fn evaluate(&mut self, values: impl IntoIterator<Item = (usize, f64)>) {
        self.at += Duration::from_mins(1);
        let context = Context::default();
        let step = Step {
            now: self.at,
            at: self.at,
            written_at: self.at,
            limit: None,
            interval: Duration::from_mins(1),
            resend_delay: Duration::from_mins(1),
            context: &context,
        };
        let observed: Vec<Observed> = values
            .into_iter()
            .map(|(idx, value)| Observed {
                series: series(idx),
                value,
                is_odd: self.is_odd(idx, value),
            })
            .collect();
        let mut out = Outcome::default();
        self.watch.observe(&observed, &step, (&self.rule, &mut out));
        self.journal.extend(out.records);
    }

    fn is_odd(&self, idx: usize, value: f64) -> bool {
        let verdict = self.watch.judge(&series(idx), value);
        verdict.is_some_and(|it| it.is_odd)
    }

    /// What is there after a kill.
    fn killed(&self) -> Self {
        let mut world = Self::new(self.options);
        (world.at, world.watch) = (self.at, Watch::default());
        for record in &self.journal {
            world.journal.push(record.clone());
            match record.clone() {
                RuleRecord::Watched { watched, .. } => world.watch.restore(watched),
                RuleRecord::Unwatched { number, .. } => world.watch.restore_gone(number),
                RuleRecord::Learned {
                    at, series, is_all, ..
                } => world.watch.restore_learned(at, &series, is_all),
                _ => {}
            }
        }
        world.configure();
        world
    }
}

fn options(detector: DetectorKind, window: usize) -> AnomalyOptions {
    AnomalyOptions {
        detector,
        window,
        warm_up: window / 2,
        min_deviation_ratio: 0.0,
        ..AnomalyOptions::default()
    }
}

/// As noise, and the same in every run.
fn noise(idx: usize, nth: usize) -> f64 {
    let mut state = (idx as u64) << 32 | nth as u64;
    state = (state ^ (state >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    state = (state ^ (state >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (state >> 11) as f64 / (1_u64 << 53) as f64
}

#[test]
fn a_learned_value_takes_a_few_bytes_of_journal() {
    const N_SERIES: usize = 1000;
    let mut world = World::new(options(DetectorKind::Robust, 120));
    let rounds = |world: &mut World, nths: std::ops::Range<usize>| {
        for nth in nths {
            world.evaluate((0..N_SERIES).map(|idx| (idx, 0.2 + noise(idx, nth) / 50.0)));
        }
    };
    rounds(&mut world, 0..200);
    world.journal.clear();
    rounds(&mut world, 200..320);
    let bytes: usize = world
        .journal
        .iter()
        .map(|record| serde_json::to_vec(record).unwrap().len())
        .sum();
    let each = bytes as f64 / (120 * N_SERIES) as f64;
    assert!((4.0..5.5).contains(&each), "{each} bytes");
}

#[test]
fn after_a_kill_at_most_five_minutes_are_unlearned() {
    let mut world = World::new(options(DetectorKind::ZScore, 120));
    for nth in 0..300 {
        world.evaluate([(0, noise(0, nth))]);
        let killed = world.killed();
        let known = killed.watch.series[0].as_ref().unwrap();
        let lived = world.watch.series[0].as_ref().unwrap();
        assert!(lived.at - known.at < SAVED_EVERY, "{nth}");
        let n_lost = lived.n_unsaved;
        assert!(n_lost < 5, "{nth}");
        let lived = lived.past.range(..lived.past.len() - n_lost);
        for (known, lived) in known.past.iter().rev().zip(lived.rev()) {
            assert!((known - lived).abs() < 1e-3, "{nth}: {known} {lived}");
        }
    }
}

#[test]
fn what_was_learned_of_a_new_level_is_not_forgotten_by_a_kill() {
    let mut world = World::new(options(DetectorKind::Robust, 20));
    for nth in 0..40 {
        world.evaluate([(0, 10.0 + noise(0, nth))]);
    }
    let mut nth = 40;
    while nth < 50 || world.is_odd(0, 100.5) {
        world.evaluate([(0, 100.0 + noise(0, nth))]);
        nth += 1;
    }
    assert!(nth > 55, "{nth}");
    assert!(!world.killed().is_odd(0, 100.5));
}

proptest! {
    // What a snapshot and a kill can do to each other is rare.
    #![proptest_config(ProptestConfig::with_cases(4000))]
    #[test]
    fn nothing_is_odd_only_because_of_a_kill(
        walk in prop::collection::vec((-3_i32..=3, -20_i32..20), 1..120),
        probes in prop::collection::vec(-400_i32..400, 20),
        window in 8_usize..40,
        detector in prop_oneof![Just(DetectorKind::Robust), Just(DetectorKind::ZScore)],
        snapshot_after in 0_usize..120,
    ) {
        let mut world = World::new(options(detector, window));
        let mut level = 0;
        for (nth, (drift, value)) in walk.into_iter().enumerate() {
            level += drift;
            world.evaluate([(0, f64::from(level) + f64::from(value) / 8.0)]);
            if nth == snapshot_after {
                world.journal = world.watch.records(&world.rule, false);
            }
        }
        let killed = world.killed();
        for probe in probes {
            let probe = f64::from(probe) / 4.0;
            prop_assert!(!killed.is_odd(0, probe) || world.is_odd(0, probe), "{probe}");
        }
    }

    #[test]
    fn what_is_settled_comes_back_whole(
        values in prop::collection::vec((0_usize..4, -20_i32..20), 1..60),
        window in 8_usize..40,
        snapshot_after in 0_usize..60,
    ) {
        let mut world = World::new(options(DetectorKind::Robust, window));
        for (nth, (idx, value)) in values.into_iter().enumerate() {
            world.evaluate([(idx, f64::from(value))]);
            if nth == snapshot_after {
                world.journal = world.watch.records(&world.rule, false);
            }
        }
        let last = world.watch.settle(&world.rule);
        world.journal.extend(last);
        let rule = world.rule.clone();
        let killed = world.killed();
        prop_assert!(!killed.watch.is_behind);
        prop_assert_eq!(killed.watch.records(&rule, false), world.watch.records(&rule, false));
    }
}

#[test]
fn records_of_version_1_are_read_and_what_was_learned_last_is_forgotten() {
    let old = json!({
        "version": 1, "number": 0, "series": {"i": "a"}, "at": 60_000, "n_odd": 0,
        "past": "1 2.5 -3"
    });
    let mut world = World::new(AnomalyOptions::default());
    world.watch.restore(from_value(old).unwrap());
    let known = world.watch.series[0].as_ref().unwrap();
    assert_eq!(known.past, [1.0, 2.5, -3.0]);
    let old = json!({
        "record": "learned", "rule": serde_json::to_value(&world.rule).unwrap(),
        "at": 120_000, "numbers": [0], "values": "4", "odd": [0]
    });
    let RuleRecord::Learned {
        at, series, is_all, ..
    } = from_value(old).unwrap()
    else {
        panic!("it is of another kind");
    };
    world.watch.restore_learned(at, &series, is_all);
    assert!(world.watch.is_behind);
    assert_eq!(world.watch.series[0].as_ref().unwrap().past.len(), 3);
}
