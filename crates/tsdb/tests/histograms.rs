//! Native histograms are kept as floats are: in order and late, in memory, log and files, beside
//! floats of the same series.

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use common::{ALL_TIME, labels, open, sample};
use firebell_disk::{Disk, MemoryDisk};
use firebell_model::{
    BucketSpan, Buckets, Duration, Histogram, HistogramSample, Matcher, Sample, Source, TimeRange,
    Timestamp,
};
use firebell_tsdb::{AppendReport, Batch, Options, Store, View};
use proptest::prelude::*;

const SERIES: &str = "__name__=h,job=a";

fn options(window: Duration) -> Options {
    Options {
        out_of_order_window: window,
        head_span: Duration::from_mins(20),
        ..Options::default()
    }
}

/// A histogram of some shape, by a number.
fn histogram(n: i64) -> Histogram {
    if n % 17 == 0 {
        return Histogram::stale();
    }
    let length = 3 + (n / 40 % 3) as u32;
    let counts: Vec<f64> = (0..length).map(|it| (n * i64::from(it)) as f64).collect();
    Histogram {
        schema: (n / 60 % 4) as i8,
        zero_threshold: 0.001,
        count: counts.iter().sum(),
        sum: n as f64 * 0.3,
        positive: Buckets {
            spans: vec![
                BucketSpan {
                    offset: -2,
                    length: 2,
                },
                BucketSpan {
                    offset: 4,
                    length: length - 2,
                },
            ],
            counts,
        },
        ..Histogram::default()
    }
}

fn histogram_at(at: i64, n: i64) -> HistogramSample {
    let histogram = Arc::new(histogram(n));
    HistogramSample {
        at: Timestamp(at),
        histogram,
    }
}

fn append(store: &Store, histograms: Vec<HistogramSample>) -> AppendReport {
    let mut batch = Batch::default();
    batch.add_histograms(labels(SERIES), histograms);
    store.append(&batch).unwrap()
}

fn append_float(store: &Store, at: i64, value: f64) -> AppendReport {
    let mut batch = Batch::default();
    batch.add(labels(SERIES), &[sample(at, value)]);
    store.append(&batch).unwrap()
}

/// Floats and histograms by time, as text (for which stale is stale).
type Content = BTreeMap<i64, String>;

fn text_of(histogram: &Histogram) -> String {
    if histogram.is_stale() {
        return "stale".to_owned();
    }
    format!("{histogram:?}")
}

fn content(view: &View, range: TimeRange) -> Content {
    let mut content = Content::new();
    for series in view.select(&[Matcher::equal("job", "a")], range).unwrap() {
        let (mut samples, mut histograms): (Vec<Sample>, _) = (Vec::new(), Vec::new());
        series.samples(range, &mut samples).unwrap();
        series.histograms(range, &mut histograms).unwrap();
        assert!(histograms.is_sorted_by(|a: &HistogramSample, b| a.at < b.at));
        assert!(histograms.is_empty() || series.has_histograms());
        let n = samples.len() + histograms.len();
        content.extend(samples.iter().map(|it| (it.at.0, it.value.to_string())));
        content.extend(
            histograms
                .iter()
                .map(|it| (it.at.0, text_of(&it.histogram))),
        );
        assert_eq!(content.len(), n, "a moment has both");
    }
    content
}

#[test]
fn what_is_refused_is_counted_with_its_reason() {
    let disk = MemoryDisk::default();
    let store = open(&disk, &options(Duration::ZERO));
    let report = append(&store, vec![histogram_at(1000, 1), histogram_at(2000, 2)]);
    assert_eq!((report.appended, report.histograms_appended), (0, 2));
    // The same once more, another one for its time, an older one, one with too few counts.
    let mut bad = histogram(5);
    bad.positive.counts.pop();
    let bad = HistogramSample {
        at: Timestamp(9000),
        histogram: Arc::new(bad),
    };
    let report = append(
        &store,
        vec![
            histogram_at(2000, 2),
            histogram_at(2000, 3),
            histogram_at(1500, 3),
            bad,
        ],
    );
    assert_eq!(
        (
            report.histograms_appended,
            report.histograms_refused,
            report.out_of_order
        ),
        (0, 3, 1)
    );
    assert_eq!(report.duplicate_different_value, 1);
    // Floats and histograms share their times.
    let report = append_float(&store, 2000, 1.0);
    assert_eq!((report.appended, report.duplicate_different_value), (0, 1));
    assert_eq!(append_float(&store, 3000, 1.0).appended, 1);
    assert_eq!(
        append(&store, vec![histogram_at(3000, 1)]).duplicate_different_value,
        1
    );
    assert_eq!(append(&store, vec![histogram_at(2500, 1)]).out_of_order, 1);
    drop(store);
    let store = open(&disk, &options(Duration::ZERO));
    assert_eq!(content(&store.view(), ALL_TIME).len(), 3);
    assert_eq!(
        append(&store, vec![histogram_at(4000, 4)]).histograms_appended,
        1
    );
    drop(store);
    let store = open(&disk, &options(Duration::ZERO));
    let report = append(&store, vec![histogram_at(4000, 4)]);
    assert_eq!(
        (report.histograms_refused, report.histograms_appended),
        (0, 0)
    );
}

#[test]
fn floats_and_histograms_of_one_batch_are_taken_in_order_of_time() {
    let disk = MemoryDisk::default();
    let store = open(&disk, &options(Duration::ZERO));
    let floats = [1, 2, 5, 7, 8].map(|at| sample(at * 1000, 1.0));
    let histograms = [3, 4, 6, 8, 9].map(|at| histogram_at(at * 1000, at));
    let mut batch = Batch::default();
    batch.add_mixed(labels(SERIES), &floats, &histograms);
    batch.add_mixed(labels("job=b"), &floats, &[]);
    batch.add_mixed(labels("job=c"), &[], &histograms);
    batch.add_mixed(labels("job=d"), &[], &[]);
    let report = store.append(&batch).unwrap();
    // Of both for one time, the float is taken.
    assert_eq!((report.appended, report.histograms_appended), (10, 9));
    assert_eq!(
        (report.duplicate_different_value, report.out_of_order),
        (1, 0)
    );
    let found = content(&store.view(), ALL_TIME);
    let is_float = |it: &String| it == "1";
    let kinds: Vec<bool> = found.values().map(is_float).collect();
    let expected = [1, 1, 0, 0, 1, 0, 1, 1, 0].map(|it| it == 1);
    assert_eq!(kinds, expected);
    drop(store);
    let store = open(&disk, &options(Duration::ZERO));
    assert_eq!(content(&store.view(), ALL_TIME), found);
}

#[test]
fn many_series_say_which_of_them_have_histograms() {
    let store = open(&MemoryDisk::default(), &options(Duration::ZERO));
    let mut batch = Batch::default();
    batch.add(labels("__name__=f"), &[sample(1000, 1.0)]);
    batch.add_histograms(labels(SERIES), [histogram_at(1000, 1)]);
    store.append(&batch).unwrap();
    let view = store.view();
    let ids: Vec<_> = view
        .select(&[], ALL_TIME)
        .unwrap()
        .iter()
        .map(|it| it.id())
        .collect();
    let mut latest = firebell_model::Column::default();
    view.latest(&ids, ALL_TIME, &mut latest).unwrap();
    assert_eq!(
        (latest.values.len(), latest.with_histograms.as_slice()),
        (2, &[1][..])
    );
}

#[test]
fn large_batches_are_cut_into_frames_and_retention_takes_files() {
    let disk = MemoryDisk::default();
    let options = Options {
        retention: Duration::from_hours(3),
        ..options(Duration::ZERO)
    };
    let store = open(&disk, &options);
    let all: Vec<_> = (0..9000).map(|n| histogram_at(n * 1000, n)).collect();
    assert_eq!(append(&store, all).histograms_appended, 9000);
    store.maintain(Timestamp(9_000_000)).unwrap();
    assert!(disk.list("histograms").unwrap().len() >= 2);
    assert_eq!(content(&store.view(), ALL_TIME).len(), 9000);
    store.maintain(Timestamp(14_000_000)).unwrap();
    let left = content(&store.view(), ALL_TIME);
    assert!(left.len() < 6000 && *left.first_key_value().unwrap().0 > 3_000_000);
    store.maintain(Timestamp(30_000_000)).unwrap();
    assert_eq!(disk.list("histograms").unwrap(), Vec::<String>::new());
}

#[test]
fn a_damaged_file_is_named_and_the_rest_is_used() {
    let disk = MemoryDisk::default();
    let store = open(&disk, &options(Duration::ZERO));
    append(
        &store,
        (0..300).map(|n| histogram_at(n * 15_000, n)).collect(),
    );
    store.flush().unwrap();
    append(&store, vec![histogram_at(9_000_000, 1)]);
    drop(store);
    let path = "histograms/00000000.idx";
    let mut index = disk.read(path).unwrap();
    let last = index.len() - 1;
    index[last] ^= 1;
    disk.replace(path, &index).unwrap();
    let (store, report) = Store::open(Arc::new(disk), options(Duration::ZERO)).unwrap();
    assert_eq!(
        report.damage,
        [format!("`{path}` is damaged: its histograms are left out")]
    );
    assert_eq!(content(&store.view(), ALL_TIME).len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn any_history_of_floats_and_histograms_comes_back(
        steps in prop::collection::vec((0..8_u8, 0..400_i64, 1..80_i64), 1..25),
    ) {
        let disk = MemoryDisk::default();
        let options = options(Duration::from_hours(24 * 365));
        let mut store = open(&disk, &options);
        let mut truth = Content::new();
        let mut views: Vec<(View, Content)> = Vec::new();
        let mut filed_until = i64::MIN;
        let mut now = 0;
        for &(kind, start, n) in &steps {
            match kind {
                0..=2 => {
                    let new: Vec<_> =
                        (1..=n).map(|idx| histogram_at(now + idx * 15_000, start + idx)).collect();
                    truth.extend(new.iter().map(|it| (it.at.0, text_of(&it.histogram))));
                    now += n * 15_000;
                    prop_assert_eq!(append(&store, new).histograms_appended, n as u64);
                }
                3 => {
                    now += 15_000;
                    truth.insert(now, start.to_string());
                    prop_assert_eq!(append_float(&store, now, start as f64).appended, 1);
                }
                4 => {
                    // Late ones; what a file of histograms has gone over may be refused.
                    let at = now - start * 5_000 - 1;
                    let is_taken = append(&store, vec![histogram_at(at, start)]).histograms_appended == 1;
                    if is_taken {
                        let before = truth.insert(at, text_of(&histogram(start)));
                        prop_assert_eq!(before, None);
                    }
                    prop_assert!(is_taken || at <= filed_until || truth.contains_key(&at));
                    now = now.max(at);
                }
                5 => {
                    store.flush().unwrap();
                    filed_until = now;
                }
                6 => views.push((store.view(), truth.clone())),
                _ => {
                    store.maintain(Timestamp(now)).unwrap();
                    if start % 2 == 0 {
                        views.clear();
                        drop(store);
                        store = open(&disk, &options);
                    }
                }
            }
            prop_assert_eq!(&content(&store.view(), ALL_TIME), &truth);
        }
        for (view, then) in &views {
            prop_assert_eq!(&content(view, ALL_TIME), then);
        }
        let range = common::range(now / 3, now / 2);
        let part: Content =
            truth.iter().filter(|it| range.contains(Timestamp(*it.0))).map(|it| (*it.0, it.1.clone())).collect();
        prop_assert_eq!(content(&store.view(), range), part);
    }

    #[test]
    fn backfill_puts_histograms_among_those_that_are_there(
        steps in prop::collection::vec((0..3_u8, 0..300_i64, 1..200_i64, 1..7_i64), 1..8),
    ) {
        let disk = MemoryDisk::default();
        let mut store = open(&disk, &options(Duration::ZERO));
        let mut truth = Content::new();
        for &(kind, start, n, step) in &steps {
            let new: Vec<_> =
                (0..n).map(|idx| histogram_at((start + idx * step) * 15_000, start + idx)).collect();
            match kind {
                0 => {
                    append(&store, new.clone());
                    let newest = truth.last_key_value().map_or(i64::MIN, |it| *it.0);
                    for it in new.iter().filter(|it| it.at.0 > newest) {
                        truth.insert(it.at.0, text_of(&it.histogram));
                    }
                }
                1 => {
                    let mut backfill = store.backfill().unwrap();
                    let report = backfill.push_histograms(&labels(SERIES), &new).unwrap();
                    backfill.finish().unwrap();
                    let n_before = truth.len();
                    for it in &new {
                        truth.entry(it.at.0).or_insert_with(|| text_of(&it.histogram));
                    }
                    prop_assert_eq!(report.added, (truth.len() - n_before) as u64);
                }
                _ => {
                    drop(store);
                    store = open(&disk, &options(Duration::ZERO));
                }
            }
        }
        prop_assert_eq!(&content(&store.view(), ALL_TIME), &truth);
        drop(store);
        let store = open(&disk, &options(Duration::ZERO));
        prop_assert_eq!(&content(&store.view(), ALL_TIME), &truth);
    }
}
