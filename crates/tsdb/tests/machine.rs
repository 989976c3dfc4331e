//! Random histories of a store, held against a model that is nothing but vectors.
//!
//! Each history appends, seals, files, expires, rewrites the log, restarts, stops in the middle, and
//! keeps views; after
//! every step all living views must read what they read when they were made, and the newest one
//! what the model holds. Summaries of random windows must be those of the samples.

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use common::{Dump, FrailDisk, check_summary, dump, open, range, sample};
use firebell_disk::MemoryDisk;
use firebell_model::{Duration, Labels, STALE_NAN, Sample, SeriesId, Source, Timestamp};
use firebell_tsdb::{Batch, Options, Store, View};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    /// Scrapes of a range of series: first, how many, how many times, seconds between.
    Append(usize, usize, usize, i64),
    /// A sample so many seconds before the newest one of its series.
    Late(usize, i64),
    Maintain(i64),
    Restart,
    Checkpoint,
    /// The machine stops so many bytes into some upkeep, without or with a loss of power.
    Stop(Upkeep, u64, bool),
    View,
    DropView(usize),
}

#[derive(Clone, Copy, Debug)]
enum Upkeep {
    Checkpoint,
    Flush,
    Maintain,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..N_SERIES, 1..N_SERIES, 1..90_usize, prop::sample::select(vec![15, 15, 15, 60, 1]))
            .prop_map(|(first, n, times, secs)| Step::Append(first, n, times, secs)),
        2 => (0..N_SERIES, 1..600_i64).prop_map(|(series, secs)| Step::Late(series, secs)),
        3 => (0..900_i64).prop_map(Step::Maintain),
        1 => Just(Step::Restart),
        2 => Just(Step::Checkpoint),
        2 => (
            prop::sample::select(vec![Upkeep::Checkpoint, Upkeep::Flush, Upkeep::Maintain]),
            0..6_000_u64,
            any::<bool>(),
        )
            .prop_map(|(upkeep, bytes, loses_power)| Step::Stop(upkeep, bytes, loses_power)),
        2 => Just(Step::View),
        2 => (0..8_usize).prop_map(Step::DropView),
    ]
}

/// A mix of the shapes that metrics have; small integers of a hash, so that runs can be repeated.
fn value_of(series: usize, n: u64) -> f64 {
    let noise = (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ series as u64)
        .wrapping_mul(0xd6e8_feb8_6659_fd93)
        >> 40;
    match series {
        0 => 7.0,
        1 => (n % 70) as f64 * 3.0,
        2 => n as f64 * 10.0 + (noise % 5) as f64,
        3 => (noise % 1000) as f64 / 100.0,
        4 => (noise as f64).sqrt() - 2000.0,
        5 if noise.is_multiple_of(9) => STALE_NAN,
        5 => (noise % 4) as f64,
        6 if noise.is_multiple_of(7) => f64::NAN,
        6 => -(noise as f64) * 1e90,
        _ if noise.is_multiple_of(31) => f64::INFINITY,
        _ => (noise % 3) as f64,
    }
}

struct Machine {
    disk: FrailDisk,
    options: Options,
    store: Store,
    model: Vec<BTreeMap<i64, f64>>,
    newest_of_all: i64,
    floor: i64,
    now: i64,
    maintained_at: i64,
    n: u64,
    views: Vec<(View, Dump)>,
}

impl Machine {
    fn new(options: Options) -> Self {
        let disk = FrailDisk::new(u64::MAX);
        let store = open_frail(&disk, &options);
        Self {
            disk,
            options,
            store,
            model: vec![BTreeMap::new(); N_SERIES],
            newest_of_all: i64::MIN,
            floor: i64::MIN,
            now: 1_700_000_000_000,
            maintained_at: 0,
            n: 0,
            views: Vec::new(),
        }
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Append(first, n, times, secs) => {
                for _ in 0..times {
                    self.now += secs * 1000;
                    let end = (first + n).min(N_SERIES);
                    self.append_all(first..end);
                }
            }
            Step::Late(series, secs) => self.append_late(series, secs * 1000),
            Step::Maintain(secs) => {
                self.now += secs * 1000;
                self.store.maintain(Timestamp(self.now)).unwrap();
                self.maintained_at = self.now;
                self.floor = self.now - self.options.retention.0;
            }
            Step::Restart => self.restart(),
            Step::Checkpoint => self.store.shorten_log().unwrap(),
            Step::Stop(upkeep, bytes, loses_power) => {
                self.store.sync().unwrap();
                self.disk.set_bytes_left(bytes, false);
                // It gets as far as it gets.
                let _ = match upkeep {
                    Upkeep::Checkpoint => self.store.shorten_log(),
                    Upkeep::Flush => self.store.flush(),
                    Upkeep::Maintain => self.store.maintain(Timestamp(self.maintained_at)),
                };
                if loses_power {
                    self.disk.after_power_loss();
                }
                self.disk.set_bytes_left(u64::MAX, false);
                self.restart();
            }
            Step::View => {
                let view = self.store.view();
                let seen = dump(&view);
                self.views.push((view, seen));
            }
            Step::DropView(idx) => {
                if idx < self.views.len() {
                    self.views.swap_remove(idx);
                }
            }
        }
    }

    fn restart(&mut self) {
        let before = dump(&self.store.view());
        self.views.clear();
        self.store = open_frail(&self.disk, &self.options);
        assert_eq!(dump(&self.store.view()), before);
    }

    fn append_all(&mut self, series: std::ops::Range<usize>) {
        let mut batch = Batch::default();
        for series in series {
            self.n += 1;
            let value = value_of(series, self.n);
            let at = self.now + (self.n % 3) as i64;
            self.model[series].insert(at, value);
            self.newest_of_all = self.newest_of_all.max(at);
            // Both ways in.
            if self.n.is_multiple_of(2) {
                batch.add(self.id(series), &[sample(at, value)]);
            } else {
                batch.add(labels_of(series), &[sample(at, value)]);
            }
        }
        let n = batch.len() as u64;
        assert_eq!(self.store.append(&batch).unwrap().appended, n);
    }

    fn append_late(&mut self, series: usize, before: i64) {
        let Some((&newest, _)) = self.model[series].last_key_value() else {
            return;
        };
        let at = newest - before;
        let value = 5.5;
        let mut batch = Batch::default();
        batch.add(labels_of(series), &[sample(at, value)]);
        let report = self.store.append(&batch).unwrap();
        if self.options.out_of_order_window == Duration::ZERO {
            assert_eq!(report.appended, 0);
        }
        if report.appended == 1 {
            assert!(at >= self.newest_of_all - self.options.out_of_order_window.0);
            assert_eq!(self.model[series].insert(at, value), None);
        }
    }

    fn id(&self, series: usize) -> SeriesId {
        self.store.resolve(&labels_of(series)).unwrap()
    }

    fn check(&self) {
        let view = self.store.view();
        let mut expected = Dump::new();
        for (series, samples) in self.model.iter().enumerate() {
            let samples: Vec<Sample> = samples
                .iter()
                .map(|(&at, &value)| sample(at, value))
                .collect();
            expected.insert(labels_of(series).to_string(), common::bits(&samples));
        }
        assert_eq!(dump(&view), retained(expected, self.floor));
        for (view, seen) in &self.views {
            assert_eq!(&dump(view), seen, "a view changed");
        }
    }

    fn check_summaries(&self, windows: &[(u32, u32)]) {
        let views = self.views.iter().map(|(view, _)| view.clone());
        for view in views.chain([self.store.view()]) {
            for series in view.select(&[], common::ALL_TIME).unwrap() {
                for &(back, len) in windows {
                    let until = self.now - i64::from(back);
                    check_summary(&*series, range(until - i64::from(len), until));
                }
                check_summary(&*series, common::ALL_TIME);
            }
        }
    }
}

fn open_frail(disk: &FrailDisk, options: &Options) -> Store {
    let (store, report) = Store::open(Arc::new(disk.clone()), options.clone()).unwrap();
    assert_eq!(report.damage, Vec::<String>::new());
    store
}

fn retained(mut dump: Dump, floor: i64) -> Dump {
    for samples in dump.values_mut() {
        samples.retain(|sample| sample.0 > floor);
    }
    dump.retain(|_, samples| !samples.is_empty());
    dump
}

fn labels_of(series: usize) -> Labels {
    Labels::from_pairs([("__name__", "m".to_owned()), ("series", series.to_string())])
}

fn run(steps: &[Step], windows: &[(u32, u32)], options: Options) {
    let mut machine = Machine::new(options);
    for step in steps {
        machine.take(step);
        machine.check();
    }
    machine.check_summaries(windows);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_store_holds_what_it_was_given(
        steps in prop::collection::vec(step(), 1..40),
        windows in prop::collection::vec((0..9_000_000_u32, 0..9_000_000_u32), 8),
        is_short_lived in any::<bool>(),
        has_late in any::<bool>(),
        log_bytes_max in prop::sample::select(vec![0, 1_000, 20_000]),
    ) {
        let options = Options {
            retention: if is_short_lived { Duration::from_hours(1) } else { Duration::from_hours(300) },
            out_of_order_window: if has_late { Duration::from_mins(10) } else { Duration::ZERO },
            head_span: Duration::from_mins(15),
            log_bytes_max,
            ..Options::default()
        };
        run(&steps, &windows, options);
    }
}

#[test]
fn a_month_of_one_series_adds_up() {
    let options = Options {
        retention: Duration::from_hours(24 * 60),
        ..Options::default()
    };
    let disk = MemoryDisk::default();
    let store = open(&disk, &options);
    let ids: Vec<SeriesId> = (0..N_SERIES)
        .map(|series| store.resolve(&labels_of(series)).unwrap())
        .collect();
    for n in 0..60_000_u64 {
        let at = n as i64 * 15_000;
        let mut batch = Batch::default();
        for (series, &id) in ids.iter().enumerate() {
            batch.add(id, &[sample(at, value_of(series, n))]);
        }
        store.append(&batch).unwrap();
        if n % 240 == 0 {
            store.maintain(Timestamp(at)).unwrap();
        }
    }
    assert!(store.stats().chunks > 25);
    for store in [store, open(&disk, &options)] {
        for series in store.view().select(&[], common::ALL_TIME).unwrap() {
            for (after, until) in [
                (-1, 900_000_000),
                (7, 899_999_999),
                (450_000_123, 900_000_000),
                (0, 1),
            ] {
                check_summary(&*series, range(after, until));
            }
        }
    }
}

const N_SERIES: usize = 8;
