//! What is deleted leaves files and log, wherever cleaning ends; files of histograms are merged.

mod common;

use std::sync::Arc;

use common::{ALL_TIME, FrailDisk, batch, check_summary, labels, open, range, sample, unfinished};
use firebell_disk::{Disk, MemoryDisk};
use firebell_model::{
    BucketSpan, Buckets, Duration, Histogram, HistogramSample, Matcher, Source, Timestamp,
};
use firebell_tsdb::{Batch, Options, Store};

fn options() -> Options {
    Options {
        retention: Duration::from_hours(24 * 365),
        head_span: Duration::from_mins(10),
        ..Options::default()
    }
}

fn histogram(n: i64) -> HistogramSample {
    let counts = vec![n as f64, (n % 7) as f64];
    let histogram = Histogram {
        count: counts.iter().sum(),
        sum: n as f64 / 3.0,
        positive: Buckets {
            spans: vec![BucketSpan {
                offset: (n / 400) as i32,
                length: 2,
            }],
            counts,
        },
        ..Histogram::default()
    };
    HistogramSample {
        at: Timestamp(n * 60_000),
        histogram: histogram.into(),
    }
}

/// Floats of `a` and `b`, histograms of `h` and `i`, one a minute from `from` on; in files each half
/// an hour.
fn fill(store: &Store, from: i64, until: i64) {
    for n in from..until {
        let at = n * 60_000;
        let mut batch = batch(&[("job=a", at, n as f64), ("job=b", at + 1, (n % 9) as f64)]);
        batch.add_histograms(labels("job=h"), [histogram(n)]);
        batch.add_histograms(
            labels("job=i"),
            [histogram(2 * n)].into_iter().map(|mut it| {
                it.at = Timestamp(at);
                it
            }),
        );
        store.append(&batch).unwrap();
        if n % 30 == 29 {
            store.maintain(Timestamp(at)).unwrap();
        }
    }
}

/// All that a view sees, as text.
fn dump(view: &dyn Source) -> Vec<String> {
    let mut lines = Vec::new();
    for series in view.select(&[], ALL_TIME).unwrap() {
        let (mut samples, mut histograms) = (Vec::new(), Vec::new());
        series.samples(ALL_TIME, &mut samples).unwrap();
        series.histograms(ALL_TIME, &mut histograms).unwrap();
        let labels = series.labels();
        lines.extend(samples.iter().map(|it| format!("{labels} {it:?}")));
        lines.extend(histograms.iter().map(|it| format!("{labels} {it:?}")));
        for (after, until) in [(-1, i64::MAX), (3_000_000, 9_000_000)] {
            check_summary(&*series, range(after, until));
        }
    }
    lines
}

fn delete(store: &Store, job: &str, from: i64, until: i64) {
    let times = (Timestamp(from * 60_000), Timestamp(until * 60_000));
    store
        .delete(&[vec![Matcher::equal("job", job)]], times)
        .unwrap();
}

/// A part of `a` and of `h`, all of `i`, and the newest of `b`.
fn delete_some(store: &Store) {
    delete(store, "a", 20, 70);
    delete(store, "a", 90, 91);
    delete(store, "h", 10, 65);
    delete(store, "i", 0, 1 << 20);
    delete(store, "b", 95, 1 << 20);
}

/// What the files have when nobody knows any more what was deleted.
fn bare(disk: &MemoryDisk) -> Vec<String> {
    let disk = disk.copy();
    disk.remove("tombstones").unwrap();
    dump(&open(&disk, &options()).view())
}

#[test]
fn cleaning_takes_what_is_deleted_out_of_files_and_log() {
    let disk = MemoryDisk::default();
    let store = open(&disk, &options());
    fill(&store, 0, 100);
    let whole = bare(&disk);
    delete_some(&store);
    let left = dump(&store.view());
    assert!(left.len() < whole.len());
    assert_eq!(bare(&disk), whole);
    store.clean_tombstones().unwrap();
    assert_eq!(dump(&store.view()), left);
    assert_eq!(bare(&disk), left);
    // What comes later finds its place, and nothing is forgotten by a restart.
    fill(&store, 100, 130);
    let more = dump(&store.view());
    assert!(more.len() > left.len());
    assert_eq!(dump(&open(&disk, &options()).view()), more);
    let n_files = disk.list("chunks").unwrap().len();
    store.clean_tombstones().unwrap();
    assert_eq!(disk.list("chunks").unwrap().len(), n_files);
}

#[test]
fn what_is_imported_in_the_place_of_deleted_samples_is_seen() {
    let disk = MemoryDisk::default();
    let store = open(&disk, &options());
    fill(&store, 0, 100);
    delete(&store, "a", 0, 90);
    let mut backfill = store.backfill().unwrap();
    let samples: Vec<_> = (30..60).map(|n| sample(n * 60_000, -1.0)).collect();
    let report = backfill.push(&labels("job=a"), &samples).unwrap();
    backfill.finish().unwrap();
    assert_eq!((report.added, report.known), (30, 0));
    for store in [&store, &open(&disk, &options())] {
        let view = store.view();
        let series = view
            .select(&[Matcher::equal("job", "a")], ALL_TIME)
            .unwrap();
        let mut seen = Vec::new();
        series[0].samples(ALL_TIME, &mut seen).unwrap();
        assert_eq!(seen[..30], samples);
        assert_eq!(seen.len(), 39);
    }
}

#[test]
fn a_view_from_before_the_delete_goes_on_seeing_it_and_then_it_is_cleaned() {
    let disk = MemoryDisk::default();
    let store = open(&disk, &options());
    fill(&store, 0, 100);
    let view = store.view();
    let before = dump(&view);
    delete_some(&store);
    let left = dump(&store.view());
    store.clean_tombstones().unwrap();
    assert_eq!(dump(&view), before);
    assert_eq!(dump(&store.view()), left);
    drop(view);
    store.maintain(Timestamp(100 * 60_000)).unwrap();
    assert_eq!(bare(&disk), left);
}

#[test]
fn cleaning_that_ends_at_any_byte_shows_nothing_that_was_deleted() {
    let ripe = MemoryDisk::default();
    let store = open(&ripe, &options());
    fill(&store, 0, 100);
    delete_some(&store);
    drop(store);
    let expected = dump(&open(&ripe, &options()).view());
    let mut n_cleaned = 0;
    for is_full in [true, false] {
        let mut bytes_left = 0;
        loop {
            let disk = FrailDisk::new(u64::MAX);
            ripe.copy_to(&disk).unwrap();
            let (store, _) = Store::open(Arc::new(disk.clone()), options()).unwrap();
            disk.set_bytes_left(bytes_left, is_full);
            let done = store.clean_tombstones();
            assert_eq!(dump(&store.view()), expected);
            if is_full {
                assert_eq!(unfinished(&disk.files), [""; 0], "{bytes_left}");
            }
            for files in [disk.files.copy(), disk.after_power_loss()] {
                let store = open(&files, &options());
                assert_eq!(dump(&store.view()), expected, "{bytes_left}");
                store.clean_tombstones().unwrap();
                assert_eq!(dump(&store.view()), expected);
                assert_eq!(bare(&files), expected);
                n_cleaned += 1;
            }
            if done.is_ok() {
                break;
            }
            bytes_left += 197;
        }
    }
    assert!(n_cleaned > 40, "{n_cleaned}");
}

#[test]
fn a_chunk_that_cannot_be_read_keeps_what_is_deleted_hidden() {
    let disk = MemoryDisk::default();
    let store = open(&disk, &options());
    fill(&store, 0, 100);
    delete(&store, "b", 0, 1 << 20);
    store.flush().unwrap();
    let left = dump(&store.view());
    drop(store);
    let path = "chunks/00000000";
    let mut content = disk.read(path).unwrap();
    let end = content.len() - 3;
    content[end] ^= 4;
    disk.replace(path, &content).unwrap();
    let store = open(&disk, &options());
    for _ in 0..2 {
        store.clean_tombstones().unwrap();
        assert_eq!(dump(&store.view()), left);
        assert_eq!(dump(&open(&disk, &options()).view()), left);
        assert!(
            disk.list("chunks")
                .unwrap()
                .contains(&"00000000.idx".to_owned())
        );
    }
}

fn names(disk: &MemoryDisk, suffix: &str) -> Vec<String> {
    let mut names = disk.list("histograms").unwrap();
    names.retain(|name| name.ends_with(suffix));
    names
}

#[test]
fn files_of_histograms_are_merged_wherever_it_ends() {
    let disk = MemoryDisk::default();
    let store = open(&disk, &options());
    let mut until = 0;
    let ripe = loop {
        let before = disk.copy();
        fill(&store, until, until + 30);
        until += 30;
        if !names(&disk, ".over").is_empty() {
            break before;
        }
        assert!(until < 10_000, "it merges at some time");
    };
    assert!(names(&disk, ".idx").len() < 4, "what was merged is gone");
    drop(store);
    let store = open(&ripe, &options());
    let now = Timestamp((until - 1) * 60_000);
    let mut batch = Batch::default();
    batch.add_histograms(labels("job=h"), (until - 30..until).map(histogram));
    store.append(&batch).unwrap();
    let expected = dump(&store.view());
    drop(store);
    let mut n_merged = 0;
    for is_full in [true, false] {
        let mut bytes_left = 0;
        loop {
            let disk = FrailDisk::new(u64::MAX);
            ripe.copy_to(&disk).unwrap();
            let (store, _) = Store::open(Arc::new(disk.clone()), options()).unwrap();
            disk.set_bytes_left(bytes_left, is_full);
            let done = store.maintain(now);
            assert_eq!(dump(&store.view()), expected);
            for files in [disk.files.copy(), disk.after_power_loss()] {
                let store = open(&files, &options());
                assert_eq!(dump(&store.view()), expected);
                store.maintain(now).unwrap();
                assert_eq!(dump(&store.view()), expected);
                n_merged += names(&files, ".over").len();
                assert_eq!(dump(&open(&files, &options()).view()), expected);
            }
            if done.is_ok() {
                break;
            }
            bytes_left += 1531;
        }
    }
    assert!(n_merged > 20, "{n_merged}");
}

#[test]
fn nothing_is_put_beside_a_chunk_that_cannot_be_read() {
    let disk = MemoryDisk::default();
    let store = open(&disk, &options());
    fill(&store, 0, 100);
    store.flush().unwrap();
    let all = dump(&store.view());
    drop(store);
    let files: Vec<String> = ["chunks", "histograms"]
        .iter()
        .flat_map(|folder| {
            let names = disk.list(folder).unwrap().into_iter();
            names.map(move |name| format!("{folder}/{name}"))
        })
        .filter(|path| !path.contains('.'))
        .collect();
    let whole: Vec<Vec<u8>> = files.iter().map(|path| disk.read(path).unwrap()).collect();
    for (path, content) in files.iter().zip(&whole) {
        let damaged: Vec<u8> = content.iter().map(|byte| byte ^ 0x55).collect();
        disk.replace(path, &[&content[..8], &damaged[8..]].concat())
            .unwrap();
    }
    let store = open(&disk, &options());
    let floats: Vec<_> = (0..100).map(|n| sample(n * 60_000, 7.0)).collect();
    let histograms: Vec<_> = (0..100).map(histogram).collect();
    let mut backfill = store.backfill().unwrap();
    let report = backfill.push(&labels("job=h"), &floats).unwrap();
    assert_eq!((report.added, report.unplaced), (0, 100));
    let report = backfill
        .push_histograms(&labels("job=a"), &histograms)
        .unwrap();
    assert_eq!((report.added, report.unplaced), (0, 100));
    backfill.finish().unwrap();
    drop(store);
    for (path, content) in files.iter().zip(&whole) {
        disk.replace(path, content).unwrap();
    }
    assert_eq!(dump(&open(&disk, &options()).view()), all);
}

#[test]
fn files_that_were_cleaned_are_merged_as_others_are() {
    let options = Options {
        head_span: Duration::from_mins(60),
        ..options()
    };
    let disk = MemoryDisk::default();
    let store = open(&disk, &options);
    // As many files as make a day and more, each of which loses something.
    for n in 0..14 {
        fill(&store, n * 120, n * 120 + 120);
        store.flush().unwrap();
        delete(&store, "a", n * 120 + 10, n * 120 + 20);
        delete(&store, "h", n * 120 + 10, n * 120 + 20);
        store.clean_tombstones().unwrap();
    }
    let before = dump(&store.view());
    for _ in 0..3 {
        store.maintain(Timestamp(14 * 120 * 60_000)).unwrap();
    }
    for folder in ["chunks", "histograms"] {
        let mut names = disk.list(folder).unwrap();
        names.retain(|name| name.ends_with(".idx"));
        assert!(names.len() <= 4, "{folder}: {names:?}");
    }
    assert_eq!(dump(&store.view()), before);
    assert_eq!(dump(&open(&disk, &options).view()), before);
}
