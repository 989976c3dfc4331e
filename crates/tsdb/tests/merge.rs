//! Many chunk files become one: nothing changes but the files, wherever it ends.

mod common;

use std::sync::Arc;

use common::{ALL_TIME, Dump, FrailDisk, batch, check_summary, dump, open, range};
use firebell_disk::{Disk, MemoryDisk};
use firebell_model::{Duration, STALE_NAN, Source, Timestamp};
use firebell_tsdb::{Options, Store};

fn options() -> Options {
    Options {
        retention: Duration::from_hours(24 * 365),
        head_span: Duration::from_mins(10),
        ..Options::default()
    }
}

fn names(disk: &MemoryDisk, suffix: &str) -> Vec<String> {
    let mut names = disk.list("chunks").unwrap();
    names.retain(|name| name.ends_with(suffix));
    names
}

/// A folder for which the next upkeep at the given moment merges.
fn ripe() -> (MemoryDisk, Timestamp) {
    let disk = MemoryDisk::default();
    let store = open(&disk, &options());
    for n in 0.. {
        let at = n * 60_000;
        let gone = if n % 700 == 699 { STALE_NAN } else { 1.0 };
        store
            .append(&batch(&[
                ("__name__=count", at, (n * 7 % 4000) as f64),
                ("__name__=root", at + n % 3, (n as f64).sqrt()),
                ("__name__=up", at, gone),
            ]))
            .unwrap();
        if n % 30 == 29 {
            let before = disk.copy();
            store.maintain(Timestamp(at)).unwrap();
            if !names(&disk, ".over").is_empty() {
                assert!(names(&disk, ".idx").len() < 3, "what was merged is gone");
                return (before, Timestamp(at));
            }
        }
    }
    unreachable!("it merges at some time")
}

fn check(store: &Store, expected: &Dump) {
    assert_eq!(&dump(&store.view()), expected);
    for series in store.view().select(&[], ALL_TIME).unwrap() {
        for (after, until) in [(-1, i64::MAX), (7_230_000, 150_030_000), (0, 60_000_000)] {
            check_summary(&*series, range(after, until));
        }
    }
}

#[test]
fn a_merge_that_ends_at_any_byte_changes_nothing() {
    let (ripe, now) = ripe();
    let expected = dump(&open(&ripe, &options()).view());
    let mut n_merged = 0;
    for is_full in [true, false] {
        let mut bytes_left = 0;
        loop {
            let disk = FrailDisk::new(u64::MAX);
            ripe.copy_to(&disk).unwrap();
            let (store, _) = Store::open(Arc::new(disk.clone()), options()).unwrap();
            disk.set_bytes_left(bytes_left, is_full);
            let done = store.maintain(now);
            check(&store, &expected);
            for files in [disk.files.copy(), disk.after_power_loss()] {
                let store = open(&files, &options());
                check(&store, &expected);
                store.maintain(now).unwrap();
                check(&store, &expected);
                n_merged += names(&files, ".over").len();
                check(&open(&files, &options()), &expected);
            }
            if done.is_ok() {
                break;
            }
            bytes_left += 331;
        }
    }
    assert!(n_merged > 50, "{n_merged}");
}

#[test]
fn what_a_view_reads_stays_until_it_is_gone() {
    let (disk, now) = ripe();
    let store = open(&disk, &options());
    let view = store.view();
    let series = view.select(&[], ALL_TIME).unwrap();
    let n_files = names(&disk, ".idx").len();
    store.maintain(now).unwrap();
    assert!(names(&disk, ".idx").len() > n_files);
    for series in &series {
        series.samples(ALL_TIME, &mut Vec::new()).unwrap();
    }
    drop((view, series));
    store.maintain(now).unwrap();
    assert!(names(&disk, ".idx").len() < 3);
}

#[test]
fn a_chunk_that_cannot_be_read_stays_where_it_is() {
    let (disk, now) = ripe();
    let first = names(&disk, "0").remove(0);
    let path = format!("chunks/{first}");
    let mut content = disk.read(&path).unwrap();
    content[40] ^= 4;
    disk.replace(&path, &content).unwrap();
    let store = open(&disk, &options());
    for _ in 0..3 {
        store.maintain(now).unwrap();
        let view = store.view();
        let series = view.select(&[], ALL_TIME).unwrap();
        let errors: Vec<String> = series
            .iter()
            .filter_map(|it| it.samples(ALL_TIME, &mut Vec::new()).err())
            .map(|error| error.to_string())
            .collect();
        assert_eq!(errors.len(), 1);
        assert!(errors[0].contains(&path), "{errors:?}");
        let late = range(30_000_000, i64::MAX);
        for series in &series {
            check_summary(&**series, late);
        }
    }
    assert!(!names(&disk, ".over").is_empty());
    assert!(names(&disk, ".idx").contains(&format!("{first}.idx")));
}
