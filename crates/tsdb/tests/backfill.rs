//! Older samples find their place among those that are there, and stay there.

mod common;

use std::collections::BTreeMap;

use common::{ALL_TIME, batch, check_summary, dump, labels, open, range, sample};
use firebell_disk::{Disk, MemoryDisk};
use firebell_model::{Duration, Sample, Source, Timestamp};
use firebell_tsdb::{Backfilled, Options, Store};
use proptest::prelude::*;

fn options() -> Options {
    Options {
        head_span: Duration::from_mins(10),
        ..Options::default()
    }
}

fn samples(times: impl IntoIterator<Item = i64>, value: f64) -> Vec<Sample> {
    times.into_iter().map(|at| sample(at, value)).collect()
}

fn backfill(store: &Store, text: &str, samples: &[Sample]) -> Backfilled {
    let mut backfill = store.backfill().unwrap();
    let report = backfill.push(&labels(text), samples).unwrap();
    backfill.finish().unwrap();
    report
}

fn times(store: &Store) -> Vec<i64> {
    let dump = dump(&store.view());
    dump["{job=\"a\"}"].iter().map(|it| it.0).collect()
}

#[test]
fn older_samples_come_before_newer_ones_and_newer_ones_go_on() {
    let disk = MemoryDisk::default();
    let store = open(&disk, &options());
    store.append(&batch(&[("job=a", 100_000, 1.0)])).unwrap();
    let report = backfill(&store, "job=a", &samples((0..50).map(|n| n * 1000), 2.0));
    assert_eq!((report.added, report.known, report.too_new), (50, 0, 0));
    let expected: Vec<i64> = (0..50).map(|n| n * 1000).chain([100_000]).collect();
    assert_eq!(times(&store), expected);
    let report = store.append(&batch(&[("job=a", 99_000, 1.0), ("job=a", 101_000, 1.0)]));
    let report = report.unwrap();
    assert_eq!((report.appended, report.out_of_order), (1, 1));
    drop(store);
    let store = open(&disk, &options());
    assert_eq!(times(&store).len(), 52);
}

#[test]
fn a_second_time_changes_nothing() {
    let disk = MemoryDisk::default();
    let store = open(&disk, &options());
    let all = samples((0..3000).map(|n| n * 1000), 2.0);
    backfill(&store, "job=a", &all);
    let n_files = disk.list("chunks").unwrap().len();
    let report = backfill(&store, "job=a", &samples((0..3000).map(|n| n * 1000), 9.0));
    assert_eq!((report.added, report.known), (0, 3000));
    assert_eq!(disk.list("chunks").unwrap().len(), n_files);
    assert!(
        dump(&store.view())["{job=\"a\"}"]
            .iter()
            .all(|it| it.1 == 2_f64.to_bits())
    );
}

#[test]
fn what_was_not_finished_was_never_there() {
    let disk = MemoryDisk::default();
    let store = open(&disk, &options());
    store.append(&batch(&[("job=a", 100_000, 1.0)])).unwrap();
    let mut dropped = store.backfill().unwrap();
    dropped
        .push(&labels("job=a"), &samples([1, 2], 2.0))
        .unwrap();
    drop(dropped);
    assert_eq!(times(&store), [100_000]);
    backfill(&store, "job=a", &samples([1, 200_000], 2.0));
    drop(store);
    // Killed before the index was written.
    let index = disk
        .list("chunks")
        .unwrap()
        .into_iter()
        .rfind(|name| name.ends_with(".idx"));
    disk.remove(&format!("chunks/{}", index.unwrap())).unwrap();
    let store = open(&disk, &options());
    assert_eq!(times(&store), [100_000]);
    assert!(
        !disk
            .list("chunks")
            .unwrap()
            .iter()
            .any(|name| name.ends_with(".over"))
    );
}

#[test]
fn old_files_go_with_retention_although_they_came_late() {
    let disk = MemoryDisk::default();
    let options = Options {
        retention: Duration::from_mins(10),
        ..options()
    };
    let store = open(&disk, &options);
    store.append(&batch(&[("job=a", 6_000_000, 1.0)])).unwrap();
    backfill(&store, "job=a", &samples([1_000, 5_000_000], 2.0));
    backfill(&store, "job=b", &samples([2_000, 3_000], 2.0));
    assert_eq!(disk.list("chunks").unwrap().len(), 8);
    store.maintain(Timestamp(6_000_000)).unwrap();
    assert_eq!(times(&store), [6_000_000]);
    assert_eq!(disk.list("chunks").unwrap().len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn any_order_of_appends_and_backfills_gives_what_came_first(
        steps in prop::collection::vec((0..3_u8, 0..400_i64, 1..250_i64, 1..9_i64), 1..10),
    ) {
        let disk = MemoryDisk::default();
        let mut store = open(&disk, &options());
        let mut truth: BTreeMap<i64, f64> = BTreeMap::new();
        for (idx, &(kind, start, n, step)) in steps.iter().enumerate() {
            let at = |n: i64| (start + n * step) * 60_000;
            let value = idx as f64;
            match kind {
                0 => {
                    let newest = truth.last_key_value().map_or(i64::MIN, |it| *it.0);
                    for at in (0..n).map(at).filter(|&at| at > newest) {
                        store.append(&batch(&[("job=a", at, value)])).unwrap();
                        truth.insert(at, value);
                    }
                }
                1 => {
                    let report = backfill(&store, "job=a", &samples((0..n).map(at), value));
                    let n_before = truth.len() as u64;
                    for at in (0..n).map(at) {
                        truth.entry(at).or_insert(value);
                    }
                    prop_assert_eq!(report.added, truth.len() as u64 - n_before);
                }
                _ => {
                    drop(store);
                    store = open(&disk, &options());
                }
            }
        }
        let expected: Vec<(i64, u64)> = truth.iter().map(|(&at, value)| (at, value.to_bits())).collect();
        for _ in 0..2 {
            let dump = dump(&store.view());
            prop_assert_eq!(dump.get("{job=\"a\"}").cloned().unwrap_or_default(), expected.clone());
            for series in store.view().select(&[], ALL_TIME).unwrap() {
                for (after, until) in [(0, 20_000_000), (3_000_000, 60_000_000), (-1, 1_000_000)] {
                    check_summary(&*series, range(after, until));
                }
            }
            drop(store);
            store = open(&disk, &options());
        }
    }
}

#[test]
fn history_older_than_the_retention_of_before_is_there_and_stays_as_long_as_that_of_now() {
    let disk = MemoryDisk::default();
    let now = 100 * 86_400_000_i64;
    let days = |n: i64| Options {
        retention: Duration::from_hours(24 * n),
        ..options()
    };
    let store = open(&disk, &days(15));
    store.append(&batch(&[("job=a", now, 1.0)])).unwrap();
    store.maintain(Timestamp(now)).unwrap();
    drop(store);
    let store = open(&disk, &Options::default());
    let old = [now - 40 * 86_400_000, now - 20 * 86_400_000];
    backfill(&store, "job=a", &samples(old, 2.0));
    drop(store);
    for (n_days, expected) in [(90, &[old[0], old[1], now][..]), (30, &[old[1], now])] {
        let store = open(&disk, &days(n_days));
        store.maintain(Timestamp(now)).unwrap();
        assert_eq!(times(&store), expected, "{n_days}");
    }
}

#[test]
fn files_from_the_future_keep_nothing_out_that_comes_now() {
    let disk = MemoryDisk::default();
    let now = 100 * 86_400_000_i64;
    let options = Options {
        retention_bytes: Some(1),
        ..options()
    };
    let store = open(&disk, &options);
    backfill(&store, "job=a", &samples([now * 500], 2.0));
    store.maintain(Timestamp(now)).unwrap();
    let report = store.append(&batch(&[("job=b", now + 1, 1.0)])).unwrap();
    assert_eq!(report.appended, 1);
}

#[test]
fn bytes_do_not_ask_all_others_to_go_for_a_file_that_cannot() {
    let disk = MemoryDisk::default();
    let now = 100 * 86_400_000_i64;
    let store = open(&disk, &options());
    backfill(&store, "job=a", &samples([now - 2_000, now - 1_000], 2.0));
    backfill(&store, "job=b", &samples([now * 500], 2.0));
    drop(store);
    let retention_bytes = Some(disk.read("chunks/00000000").unwrap().len() as u64 + 10_000);
    let limited = Options {
        retention_bytes,
        ..options()
    };
    let store = open(&disk, &limited);
    store.maintain(Timestamp(now)).unwrap();
    assert_eq!(times(&store), [now - 2_000, now - 1_000]);
}
