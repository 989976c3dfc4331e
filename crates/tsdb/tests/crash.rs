//! A machine that stops at any byte, a disk that fills up, files that are damaged.

mod common;

use std::sync::Arc;

use common::{Dump, FrailDisk, batch, dump, open, unfinished};
use firebell_disk::{Disk, MemoryDisk};
use firebell_model::{Duration, Source, Timestamp};
use firebell_tsdb::{Options, Store, StoreError};

fn options() -> Options {
    Options {
        head_span: Duration::from_mins(10),
        log_bytes_max: 600,
        ..Options::default()
    }
}

/// What a run has got to.
#[derive(Default)]
struct Progress {
    appended: Dump,
    synced: Dump,
}

/// Scrapes three series, syncs now and then, and does upkeep; up to the first error.
fn run(store: &Store, progress: &mut Progress) -> Result<(), StoreError> {
    for n in 0..310_i64 {
        let at = n * 15_000;
        let samples = [
            ("__name__=up,job=a", at, 1.0),
            ("__name__=up,job=b", at + 1, n as f64 * 2.5),
            ("__name__=sum,job=b", at + 2, (n as f64).sqrt()),
        ];
        let n_series = if n == 0 { 2 } else { 3 };
        let report = store.append(&batch(&samples[..n_series]))?;
        if report.unlogged_bytes > 0 {
            store.sync()?;
        }
        for (text, at, value) in &samples[..n_series] {
            let name = common::labels(text).to_string();
            progress
                .appended
                .entry(name)
                .or_default()
                .push((*at, value.to_bits()));
        }
        if n % 4 == 0 {
            store.sync()?;
            progress.synced = progress.appended.clone();
        }
        if n % 20 == 19 {
            store.maintain(Timestamp(at))?;
        }
    }
    Ok(())
}

/// Whether every series of `part` begins one of `whole`.
fn is_prefix(part: &Dump, whole: &Dump) -> bool {
    part.iter().all(|(series, samples)| {
        whole
            .get(series)
            .is_some_and(|all| all.starts_with(samples))
    })
}

#[test]
fn a_machine_that_stops_at_any_byte_keeps_what_was_synced() {
    let mut bytes_left = 0;
    loop {
        let disk = FrailDisk::new(u64::MAX);
        disk.set_bytes_left(bytes_left, false);
        let mut progress = Progress::default();
        let opened = Store::open(Arc::new(disk.clone()), options());
        let done = opened.and_then(|(store, _)| run(&store, &mut progress));
        // The end of the process alone loses nothing of what was appended.
        let survivors = [
            (disk.files.copy(), progress.appended.clone()),
            (disk.after_power_loss(), progress.synced.clone()),
        ];
        for (files, kept) in survivors {
            let store = open(&files, &options());
            let found = dump(&store.view());
            assert!(is_prefix(&kept, &found), "stopped after {bytes_left} bytes");
            let mut one_more = progress.appended.clone();
            if done.is_err() {
                // The frame that failed may have been written whole.
                one_more = found.clone();
                for (series, samples) in &progress.appended {
                    let of_found = found.get(series).map_or(0, Vec::len);
                    assert!(of_found <= samples.len() + 1);
                }
            }
            assert!(
                is_prefix(&found, &one_more),
                "stopped after {bytes_left} bytes"
            );
            store
                .append(&batch(&[("__name__=up,job=a", 100_000_000, 5.0)]))
                .unwrap();
            store.maintain(Timestamp(100_000_000)).unwrap();
            let before = dump(&store.view());
            assert_eq!(dump(&open(&files, &options()).view()), before);
        }
        if done.is_ok() {
            break;
        }
        bytes_left += 41;
    }
    assert!(bytes_left > 10_000, "{bytes_left}");
}

#[test]
fn a_full_disk_keeps_appends_in_memory_until_there_is_room() {
    let disk = FrailDisk::new(u64::MAX);
    let (store, _) = Store::open(Arc::new(disk.clone()), options()).unwrap();
    store.append(&batch(&[("__name__=up", 1000, 1.0)])).unwrap();
    let logged = dump(&store.view());
    for (n, bytes_left) in [0, 1, 20].into_iter().enumerate() {
        disk.set_bytes_left(bytes_left, true);
        let at = 2000 + n as i64;
        let samples = [("__name__=up", at, 2.0), ("__name__=new", at, 2.0)];
        let report = store.append(&batch(&samples)).unwrap();
        assert_eq!(report.appended, 2);
        assert!(report.unlogged_bytes > 0);
        let n_samples: usize = dump(&store.view()).values().map(Vec::len).sum();
        assert_eq!(n_samples, 1 + 2 * (n + 1));
        let error = store.trouble().unwrap();
        assert!(error.is_full(), "{error}");
        assert!(error.to_string().contains("no space left"), "{error}");
        assert_eq!(store.sync().unwrap_err(), error);
        // A restart would know the samples that the log took, and only those.
        let files = disk.files.copy();
        assert_eq!(dump(&open(&files, &options()).view()), logged);
    }
    disk.set_bytes_left(u64::MAX, true);
    let report = store.append(&batch(&[("__name__=new", 3000, 3.0)]));
    assert_eq!(report.unwrap().unlogged_bytes, 0);
    assert_eq!(store.trouble(), None);
    assert_eq!(
        dump(&open(&disk.files, &options()).view()),
        dump(&store.view())
    );
}

#[test]
fn what_the_log_lacks_is_written_by_the_next_sync_also_after_upkeep() {
    let disk = FrailDisk::new(u64::MAX);
    let (store, _) = Store::open(Arc::new(disk.clone()), options()).unwrap();
    for n in 0..400_i64 {
        let is_full = (100..350).contains(&n);
        disk.set_bytes_left(if is_full { 0 } else { u64::MAX }, true);
        let samples = [("__name__=up", n * 15_000, n as f64)];
        let report = store.append(&batch(&samples)).unwrap();
        assert_eq!(report.unlogged_bytes > 0, is_full);
        if n % 20 == 0 {
            assert_eq!(store.sync().is_err(), is_full);
            let _ = store.maintain(Timestamp(n * 15_000));
            assert_eq!(store.trouble().is_some(), is_full);
        }
    }
    store.sync().unwrap();
    let found = dump(&open(&disk.files, &options()).view());
    assert_eq!(found, dump(&store.view()));
}

#[test]
fn when_the_log_lacks_too_much_appends_are_refused_and_leave_no_trace() {
    let options = Options {
        unlogged_bytes_max: 40,
        ..options()
    };
    let disk = FrailDisk::new(u64::MAX);
    let (store, _) = Store::open(Arc::new(disk.clone()), options.clone()).unwrap();
    disk.set_bytes_left(0, true);
    let n_taken = (0..100)
        .take_while(|n| store.append(&batch(&[("__name__=up", *n, 1.0)])).is_ok())
        .count();
    assert!((1..20).contains(&n_taken), "{n_taken}");
    let (before, generation) = (dump(&store.view()), store.generation());
    let refused = [("__name__=up", 2000, 2.0), ("__name__=new", 2000, 2.0)];
    let error = store.append(&batch(&refused)).unwrap_err();
    assert!(error.is_full(), "{error}");
    assert_eq!(dump(&store.view()), before);
    assert_eq!(store.generation(), generation);
    disk.set_bytes_left(u64::MAX, true);
    // The same time with another value: the refused sample has left no trace.
    let report = store.append(&batch(&[
        ("__name__=up", 2000, 3.0),
        ("__name__=new", 2000, 2.0),
    ]));
    assert_eq!(report.unwrap().appended, 2);
    assert_eq!(
        dump(&open(&disk.files, &options).view()),
        dump(&store.view())
    );
}

#[test]
fn a_full_disk_stops_upkeep_until_there_is_room() {
    let disk = FrailDisk::new(u64::MAX);
    let (store, _) = Store::open(Arc::new(disk.clone()), options()).unwrap();
    for n in 0..400_i64 {
        store
            .append(&batch(&[("__name__=up", n * 15_000, n as f64)]))
            .unwrap();
    }
    let before = dump(&store.view());
    let mut bytes_left = 0;
    loop {
        disk.set_bytes_left(bytes_left, true);
        let done = store.maintain(Timestamp(400 * 15_000));
        assert_eq!(dump(&store.view()), before);
        assert_eq!(dump(&open(&disk.files.copy(), &options()).view()), before);
        match done {
            Ok(()) => break,
            Err(error) => assert!(error.is_full(), "{error}"),
        }
        // What failed does not take the room that is left.
        assert_eq!(unfinished(&disk.files), [""; 0], "{bytes_left}");
        bytes_left += 50;
    }
    assert!(store.stats().chunks > 0);
}

fn filed() -> MemoryDisk {
    let disk = MemoryDisk::default();
    run(&open(&disk, &options()), &mut Progress::default()).unwrap();
    disk
}

#[test]
fn damage_is_named_and_the_rest_is_used() {
    let names = filed().list("chunks").unwrap();
    assert!(names.contains(&"00000000.idx".to_owned()), "{names:?}");
    // An index: its chunks are gone, the rest is there.
    let disk = filed();
    flip(&disk, "chunks/00000000.idx", 40);
    let (store, report) = Store::open(Arc::new(disk), options()).unwrap();
    assert!(
        report.damage[0].contains("chunks/00000000.idx"),
        "{report:?}"
    );
    assert!(!dump(&store.view()).is_empty());
    // A chunk: who reads it is told where; who does not is not disturbed.
    let disk = filed();
    flip(&disk, "chunks/00000000", 15);
    let store = open(&disk, &options());
    let view = store.view();
    let series = view.select(&[], common::ALL_TIME).unwrap();
    let errors: Vec<String> = series
        .iter()
        .filter_map(|it| it.samples(common::ALL_TIME, &mut Vec::new()).err())
        .map(|error| error.to_string())
        .collect();
    assert_eq!(errors.len(), 1);
    assert!(
        errors[0].contains("`chunks/00000000` is damaged at byte 8"),
        "{errors:?}"
    );
    let recent = common::range(4_500_000, 4_600_000);
    assert!(series.iter().all(|it| it.summary(recent).is_ok()));
}

/// What one file lacks is named at every start, nothing is removed for it, and all else is there.
#[test]
fn whatever_a_chunk_file_or_its_index_lacks_is_named_and_nothing_is_removed() {
    let whole = filed();
    let store = open(&whole, &options());
    for n in 310..700_i64 {
        let sample = ("__name__=up,job=a", n * 15_000, 1.0);
        store.append(&batch(&[sample])).unwrap();
    }
    store.maintain(Timestamp(700 * 15_000)).unwrap();
    let expected = dump(&store.view());
    drop(store);
    let check = |disk: &MemoryDisk, what: &str| {
        let files = disk.list("chunks").unwrap();
        let mut damage = None;
        for _ in 0..2 {
            let opened = Store::open(Arc::new(disk.clone()), options());
            let (store, report) = opened.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert!(!report.damage.is_empty(), "{what}");
            store.maintain(Timestamp(700 * 15_000)).unwrap();
            let view = store.view();
            assert!(is_part(&dump(&view), &expected), "{what}");
            assert!(!dump(&view).is_empty(), "{what}");
            let left = disk.list("chunks").unwrap();
            assert!(files.iter().all(|it| left.contains(it)), "{what}: {left:?}");
            let before = damage.replace(report.damage.clone());
            assert!(before.is_none_or(|it| it == report.damage), "{what}");
        }
    };
    let lengths = |path: &str| (0..whole.read(path).unwrap().len()).step_by(5);
    let (data, index) = ("chunks/00000000", "chunks/00000000.idx");
    for path in [data, index] {
        // An index of four bytes is that of a file on its way out.
        for len in lengths(path).filter(|len| *len != 4) {
            let disk = whole.copy();
            disk.truncate(path, len as u64).unwrap();
            check(&disk, &format!("{path} has {len} bytes"));
        }
        let disk = whole.copy();
        disk.remove(path).unwrap();
        check(&disk, &format!("{path} is gone"));
    }
    for at in lengths(index) {
        let disk = whole.copy();
        flip(&disk, index, at);
        check(&disk, &format!("{index} differs at {at}"));
    }
}

/// Whether all samples of one are in the other.
fn is_part(part: &Dump, whole: &Dump) -> bool {
    part.iter().all(|(series, samples)| {
        let all = whole.get(series);
        samples
            .iter()
            .all(|it| all.is_some_and(|all| all.contains(it)))
    })
}

#[test]
fn files_of_other_versions_are_refused_and_left_alone() {
    for (path, content) in [
        ("chunks/00000000.idx", "FBCIDX 9..."),
        ("wal/00000000", "FBWAL  9..."),
        ("pages/00000000", "FBPAGE 9..."),
    ] {
        let disk = MemoryDisk::default();
        disk.replace(path, content.as_bytes()).unwrap();
        let error = Store::open(Arc::new(disk.clone()), options())
            .err()
            .unwrap();
        assert!(error.to_string().contains(path), "{error}");
        assert_eq!(disk.read(path).unwrap(), content.as_bytes());
    }
}

fn flip(disk: &MemoryDisk, path: &str, at: usize) {
    let mut content = disk.read(path).unwrap();
    content[at] ^= 0x10;
    disk.replace(path, &content).unwrap();
}

/// Of the last segments too, behind whose ends nothing comes.
#[test]
fn a_changed_byte_of_a_log_is_named_and_costs_little() {
    let whole = MemoryDisk::default();
    let large = Options {
        log_bytes_max: 1 << 20,
        head_span: Duration::from_hours(10),
        ..Options::default()
    };
    let store = open(&whole, &large);
    for n in 0..700_i64 {
        let at = n * 15_000;
        let samples = [
            ("__name__=a", at, n as f64),
            ("__name__=b", at, (n as f64).sqrt()),
        ];
        store.append(&batch(&samples)).unwrap();
        if n == 400 || n == 600 {
            store.shorten_log().unwrap();
        }
    }
    let expected = dump(&store.view());
    let count = |dump: &Dump| dump.values().map(Vec::len).sum::<usize>();
    drop(store);
    let path = format!("wal/{}", whole.list("wal").unwrap().last().unwrap());
    let mut n_left = Vec::new();
    for at in (0..whole.read(&path).unwrap().len()).step_by(3) {
        let disk = whole.copy();
        flip(&disk, &path, at);
        let opened = Store::open(Arc::new(disk), large.clone());
        let (store, report) = opened.unwrap_or_else(|error| panic!("{at}: {error}"));
        let found = dump(&store.view());
        assert!(is_part(&found, &expected), "{at}");
        let is_named = !report.damage.is_empty() || report.torn_bytes > 0;
        assert!(found == expected || is_named, "{at}: {report:?}");
        n_left.push(count(&found));
    }
    // Most frames have samples of one moment.
    n_left.sort_unstable();
    let middle = n_left[n_left.len() / 2];
    assert_eq!(middle, count(&expected) - 2);
}
