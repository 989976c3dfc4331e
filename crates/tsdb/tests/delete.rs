//! Deletes hide at once and for good; a snapshot is a store of its own.

mod common;

use std::sync::Arc;

use common::{ALL_TIME, batch, check_summary, dump, labels, open, range, sample};
use firebell_disk::{Disk, MemoryDisk};
use firebell_model::{
    Column, Duration, Histogram, HistogramSample, Matcher, SampleRows, Source, Summary, Timestamp,
};
use firebell_tsdb::{Batch, Options, Store, View};

fn times(view: &View, job: &str) -> Vec<i64> {
    let found = view
        .select(&[Matcher::equal("job", job)], ALL_TIME)
        .unwrap();
    let mut times = Vec::new();
    for series in found {
        let (mut samples, mut histograms) = (Vec::new(), Vec::new());
        series.samples(ALL_TIME, &mut samples).unwrap();
        series.histograms(ALL_TIME, &mut histograms).unwrap();
        times.extend(samples.iter().map(|it| it.at.0));
        times.extend(histograms.iter().map(|it| it.at.0));
    }
    times
}

fn delete(store: &Store, job: &str, from: i64, until: i64) -> u64 {
    let selectors = [vec![Matcher::equal("job", job)]];
    store
        .delete(&selectors, (Timestamp(from), Timestamp(until)))
        .unwrap()
}

/// 300 floats of `a` and `b`, 100 histograms of `h`; a part in files.
fn filled(disk: &MemoryDisk) -> Store {
    let store = open(
        disk,
        &Options {
            head_span: Duration::from_mins(20),
            ..Options::default()
        },
    );
    for n in 1..=300 {
        store
            .append(&batch(&[
                ("job=a", n * 15_000, n as f64),
                ("job=b", n * 15_000, 1.0),
            ]))
            .unwrap();
        if n == 200 {
            store.maintain(Timestamp(n * 15_000)).unwrap();
        }
    }
    let mut batch = Batch::default();
    let histograms = (1..=100).map(|n| HistogramSample {
        at: Timestamp(n * 15_000),
        histogram: Arc::new(Histogram {
            count: n as f64,
            ..Histogram::default()
        }),
    });
    batch.add_histograms(labels("job=h"), histograms);
    store.append(&batch).unwrap();
    store
}

#[test]
fn a_delete_hides_at_once_also_after_a_restart_and_not_from_views_before_it() {
    let disk = MemoryDisk::default();
    let store = filled(&disk);
    let before = store.view();
    assert_eq!(delete(&store, "a", 30_000, 1_500_000), 1);
    assert_eq!(delete(&store, "a", 4_400_000, i64::MAX), 1);
    assert_eq!(delete(&store, "h", i64::MIN, 600_000), 1);
    assert_eq!(delete(&store, "nobody", 0, 1), 0);
    let check = |store: &Store| {
        let view = store.view();
        let left: Vec<i64> = (1..=300)
            .map(|n| n * 15_000)
            .filter(|at| !(30_000..=1_500_000).contains(at) && *at < 4_400_000)
            .collect();
        assert_eq!(times(&view, "a"), left);
        assert_eq!(times(&view, "b").len(), 300);
        assert_eq!(
            times(&view, "h"),
            (41..=100).map(|n| n * 15_000).collect::<Vec<_>>()
        );
        for series in view.select(&[], ALL_TIME).unwrap() {
            check_summary(&*series, range(15_000, 3_000_000));
            check_summary(&*series, range(4_000_000, 5_000_000));
        }
        let ids: Vec<_> = view
            .select(&[], ALL_TIME)
            .unwrap()
            .iter()
            .map(|it| it.id())
            .collect();
        let mut sums: Column<Option<Summary>> = Column::default();
        view.summaries(&ids, ALL_TIME, &mut sums).unwrap();
        assert_eq!(sums.values[0].unwrap().count, left.len() as u64);
        let mut rows = SampleRows::default();
        view.windows(&ids, ALL_TIME, &mut rows).unwrap();
        assert_eq!((rows.row(0).len(), rows.row(1).len()), (left.len(), 300));
        let mut latest = Column::default();
        view.latest(&ids, ALL_TIME, &mut latest).unwrap();
        assert_eq!(latest.values[0].unwrap().at.0, *left.last().unwrap());
    };
    check(&store);
    assert_eq!(times(&before, "a").len(), 300);
    drop((store, before));
    let store = open(&disk, &Options::default());
    check(&store);
    // What comes later is seen, and what is deleted whole is no series any more.
    store.append(&batch(&[("job=a", 9_000_000, 1.0)])).unwrap();
    assert_eq!(times(&store.view(), "a").last(), Some(&9_000_000));
    assert_eq!(delete(&store, "b", 0, i64::MAX), 1);
    assert_eq!(
        store
            .view()
            .select(&[Matcher::equal("job", "b")], ALL_TIME)
            .unwrap()
            .len(),
        0
    );
    store.append(&batch(&[("job=b", 9_000_000, 1.0)])).unwrap();
    assert_eq!(times(&store.view(), "b"), [9_000_000]);
}

/// What was selected before holds within a generation: whatever comes back has to end it.
#[test]
fn a_series_that_was_deleted_whole_comes_back_with_its_next_sample() {
    let late = Options {
        out_of_order_window: Duration::from_hours(1),
        ..Options::default()
    };
    let next = |at| batch(&[("job=a", at, 1.0)]);
    let mut histogram = Batch::default();
    let (at, it) = (Timestamp(9_000), Arc::new(Histogram::default()));
    let it = HistogramSample { at, histogram: it };
    histogram.add_histograms(labels("job=a"), [it]);
    for (what, is_cleaned, is_seen, comer) in [
        ("a newer one", false, true, next(30_000)),
        ("a newer one, cleaned", true, true, next(30_000)),
        ("an older one", false, true, next(9_000)),
        ("an older histogram", false, true, histogram),
        ("an older one that is deleted", false, false, next(11_000)),
    ] {
        let store = open(&MemoryDisk::default(), &late);
        store.append(&next(10_000)).unwrap();
        store.append(&next(20_000)).unwrap();
        assert_eq!(delete(&store, "a", 0, i64::MAX), 1);
        let select = |view: &View| view.select(&[], ALL_TIME).unwrap().len();
        let before = store.view();
        assert_eq!(select(&before), 0, "{what}");
        let generation = before.generation();
        drop(before);
        if is_cleaned {
            store.clean_tombstones().unwrap();
        }
        store.append(&comer).unwrap();
        let view = store.view();
        assert_eq!(view.generation() > generation, is_seen, "{what}");
        assert_eq!(select(&view), usize::from(is_seen), "{what}");
        assert_eq!(times(&view, "a").len(), usize::from(is_seen), "{what}");
    }
}

#[test]
fn a_delete_hides_what_came_late_as_well() {
    let late = Options {
        out_of_order_window: Duration::from_hours(1),
        ..Options::default()
    };
    let store = open(&MemoryDisk::default(), &late);
    for at in [20_000, 10_000] {
        store.append(&batch(&[("job=a", at, 1.0)])).unwrap();
    }
    assert_eq!(delete(&store, "a", 0, i64::MAX), 1);
    store.append(&batch(&[("job=a", 30_000, 1.0)])).unwrap();
    assert_eq!(times(&store.view(), "a"), [30_000]);
}

#[test]
fn late_samples_find_their_place_after_a_snapshot_and_after_a_clean() {
    let late = Options {
        out_of_order_window: Duration::from_hours(1),
        ..Options::default()
    };
    let disk = MemoryDisk::default();
    let store = open(&disk, &late);
    let append = |store: &Store, job: &str, at: i64| {
        let report = store.append(&batch(&[(job, at, 1.0)])).unwrap();
        assert_eq!(report.appended, 1, "{job} {at}");
    };
    append(&store, "job=a", 100_000);
    append(&store, "job=b", 100_000);
    append(&store, "job=a", 10_000);
    store.snapshot("snapshots/one", false).unwrap();
    append(&store, "job=a", 20_000);
    delete(&store, "b", 0, i64::MAX);
    store.clean_tombstones().unwrap();
    append(&store, "job=a", 30_000);
    append(&store, "job=b", 30_000);
    drop(store);
    let store = open(&disk, &late);
    append(&store, "job=a", 40_000);
    let expected = [10_000, 20_000, 30_000, 40_000, 100_000];
    assert_eq!(times(&store.view(), "a"), expected);
    assert_eq!(times(&store.view(), "b"), [30_000]);
}

#[test]
fn damaged_tombstones_are_named() {
    let disk = MemoryDisk::default();
    let store = filled(&disk);
    delete(&store, "a", 0, i64::MAX);
    drop(store);
    let mut content = disk.read("tombstones").unwrap();
    content[13] ^= 1;
    disk.replace("tombstones", &content).unwrap();
    let (_, report) = Store::open(Arc::new(disk), Options::default()).unwrap();
    assert_eq!(
        report.damage,
        ["`tombstones` is damaged: what was deleted may be seen again"]
    );
}

#[test]
fn a_snapshot_is_the_store_of_its_moment() {
    let disk = MemoryDisk::default();
    let store = filled(&disk);
    delete(&store, "a", 30_000, 1_500_000);
    store.snapshot("snapshots/one", false).unwrap();
    let expected = dump(&store.view());
    store.append(&batch(&[("job=a", 9_000_000, 1.0)])).unwrap();
    let copy = MemoryDisk::default();
    for folder in ["chunks", "histograms", "pages", "wal", ""] {
        let from = format!("snapshots/one/{folder}");
        for name in disk.list(from.trim_end_matches('/')).unwrap() {
            let path = format!("{folder}/{name}");
            let content = disk.read(&format!("snapshots/one/{}", path.trim_start_matches('/')));
            copy.replace(path.trim_start_matches('/'), &content.unwrap())
                .unwrap();
        }
    }
    let copied = open(&copy, &Options::default());
    assert_eq!(dump(&copied.view()), expected);
    assert_eq!(times(&copied.view(), "h").len(), 100);
    assert_eq!(sample(1, 1.0).at, Timestamp(1));
}
