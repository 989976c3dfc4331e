//! Windows that come again and again, whatever becomes of the samples in between: what is kept of the
//! last one never shows.

mod common;

use common::{ALL_TIME, check_summary, check_summary_is, open, range, sample};
use firebell_disk::MemoryDisk;
use firebell_model::{
    Column, Duration, Growth, Labels, Matcher, STALE_NAN, Source, TimeRange, Timestamp, is_stale,
};
use firebell_tsdb::{Batch, Options, Store, View};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    /// Scrapes, seconds apart.
    Append(usize, i64),
    /// Samples so many seconds before the newest one.
    Late(i64),
    /// From so many seconds before now, so many seconds.
    Delete(i64, i64),
    /// From so many seconds before now, so many samples, where there is room.
    Backfill(i64, i64),
    Clean,
    /// So many times, so many seconds apart.
    Maintain(usize, i64),
    Flush,
    Restart,
    View,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (1..200_usize, prop::sample::select(vec![15, 15, 15, 60, 600]))
            .prop_map(|(n, secs)| Step::Append(n, secs)),
        2 => (1..900_i64).prop_map(Step::Late),
        1 => (0..20_000_i64, 1..4000_i64).prop_map(|(back, secs)| Step::Delete(back, secs)),
        2 => (0..50_000_i64, 1..500_i64).prop_map(|(back, n)| Step::Backfill(back, n)),
        1 => Just(Step::Clean),
        4 => (1..4_usize, 0..900_i64).prop_map(|(n, secs)| Step::Maintain(n, secs)),
        1 => Just(Step::Flush),
        1 => Just(Step::Restart),
        1 => Just(Step::View),
    ]
}

struct History {
    disk: MemoryDisk,
    options: Options,
    store: Store,
    old: Option<View>,
    now: i64,
    n: i64,
}

impl History {
    fn new(options: Options) -> Self {
        let disk = MemoryDisk::default();
        let store = open(&disk, &options);
        Self {
            disk,
            options,
            store,
            old: None,
            now: 1_700_000_000_000,
            n: 0,
        }
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Append(n, secs) => {
                for _ in 0..n {
                    self.now += secs * 1000;
                    self.append(self.now);
                }
            }
            Step::Late(secs) => self.append(self.now - secs * 1000 - 7),
            Step::Delete(back, secs) => {
                let from = self.now - back * 1000;
                let selector = vec![Matcher::equal("__name__", "x")];
                let times = (Timestamp(from), Timestamp(from + secs * 1000));
                self.store.delete(&[selector], times).unwrap();
            }
            Step::Backfill(back, n) => {
                let from = self.now - back * 1000;
                let samples: Vec<_> = (0..n)
                    .map(|idx| sample(from + idx * 15_000, (n + idx) as f64))
                    .collect();
                let mut backfill = self.store.backfill().unwrap();
                for kind in 0..KINDS {
                    backfill.push(&labels_of(kind), &samples).unwrap();
                }
                backfill.finish().unwrap();
            }
            Step::Clean => {
                // Not while a view is held.
                self.old = None;
                self.store.clean_tombstones().unwrap();
            }
            Step::Maintain(n, secs) => {
                for _ in 0..n {
                    self.now += secs * 1000;
                    self.store.maintain(Timestamp(self.now)).unwrap();
                }
            }
            Step::Flush => self.store.flush().unwrap(),
            Step::Restart => {
                self.old = None;
                self.store = open(&self.disk, &self.options);
            }
            Step::View => self.old = Some(self.store.view()),
        }
    }

    fn append(&mut self, at: i64) {
        let mut batch = Batch::default();
        for kind in 0..KINDS {
            self.n += 1;
            let value = match kind {
                // A counter, one with resets, one that ends now and then, a gauge.
                0 => (self.n * 100) as f64,
                1 => (self.n % 311) as f64,
                2 if self.n % 97 == 0 => STALE_NAN,
                2 => (self.n * 3) as f64 + 0.5,
                _ => (self.n as f64 * 0.7).sin() * 50.0,
            };
            batch.add(labels_of(kind), &[sample(at, value)]);
        }
        self.store.append(&batch).unwrap();
    }

    /// Windows of each length, as they come: a little later each time.
    fn check(&self, lengths: &[i64], back: i64) {
        for view in self.old.iter().cloned().chain([self.store.view()]) {
            let series = view.select(&[], ALL_TIME).unwrap();
            let ids: Vec<_> = series.iter().map(|it| it.id()).collect();
            let (mut growths, mut summaries) = (Column::default(), Column::default());
            for (turn, &length) in (0..2).flat_map(|turn| lengths.iter().map(move |it| (turn, it)))
            {
                let until = self.now - back * 1000 + turn * 15_000;
                let range = range(until - length * 1000, until);
                view.growths(&ids, range, &mut growths).unwrap();
                view.summaries(&ids, range, &mut summaries).unwrap();
                for (idx, series) in series.iter().enumerate() {
                    check_growth(growths.values[idx], growth(&**series, range), range);
                    check_summary(&**series, range);
                    check_summary_is(&**series, range, summaries.values[idx]);
                }
            }
        }
    }
}

/// The sum of what was lost depends on the order of adding up, by as much as rounding.
fn check_growth(quick: Option<Growth>, slow: Option<Growth>, range: TimeRange) {
    let lost = |it: Option<Growth>| it.map_or(0.0, |it| it.resets_lost);
    let rest = |it: Option<Growth>| it.map(|it| (it.count, it.first, it.last));
    let is_near = (lost(quick) - lost(slow)).abs() <= 1e-9 * lost(slow).abs();
    assert!(
        rest(quick) == rest(slow) && is_near,
        "{range:?}: {quick:?}, slowly {slow:?}"
    );
}

fn growth(series: &dyn firebell_model::Series, range: TimeRange) -> Option<Growth> {
    let mut samples = Vec::new();
    series.samples(range, &mut samples).unwrap();
    let live = samples.into_iter().filter(|it| !is_stale(it.value));
    live.map(Growth::of).reduce(|sum, next| sum.then(&next))
}

fn labels_of(kind: usize) -> Labels {
    Labels::from_pairs([("__name__", "x".to_owned()), ("kind", kind.to_string())])
}

const KINDS: usize = 4;

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_kept_of_a_window_never_shows(
        steps in prop::collection::vec(step(), 1..40),
        lengths in prop::collection::vec(60..60_000_i64, 3),
        back in prop::sample::select(vec![0, 0, 0, 3000, 30_000]),
        is_short_lived in any::<bool>(),
    ) {
        let hours = if is_short_lived { 4 } else { 300 };
        let mut history = History::new(Options {
            retention: Duration::from_hours(hours),
            out_of_order_window: Duration::from_mins(10),
            head_span: Duration::from_mins(15),
            log_bytes_max: 20_000,
            ..Options::default()
        });
        for step in &steps {
            history.take(step);
            history.check(&lengths, back);
        }
    }
}
