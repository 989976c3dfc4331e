//! A process that ends at any byte of a checkpoint, while samples come late and pages change.

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use common::{FrailDisk, batch, dump, labels, open, range, sample};
use firebell_disk::{Disk, MemoryDisk};
use firebell_model::{Duration, Exemplar, Matcher, Timestamp};
use firebell_tsdb::{Batch, Options, Store, StoreError};

fn options() -> Options {
    Options {
        retention: Duration::from_hours(24 * 1000),
        head_span: Duration::from_mins(70),
        out_of_order_window: Duration::from_mins(60),
        log_bytes_max: 500,
        ..Options::default()
    }
}

type Samples = BTreeMap<&'static str, BTreeMap<i64, u64>>;

/// Samples in order, late ones, gaps of months, a series that comes late: with a checkpoint every few
/// of them.
fn run(store: &Store, taken: &mut Samples, synced: &mut Samples) -> Result<(), StoreError> {
    for n in 0..420_i64 {
        let at = n * 15_000 + if n > 400 { 9_000_000_000 } else { 0 };
        let mut samples = vec![
            ("a=1", at, n as f64),
            ("b=1", at + n % 3, (n as f64).sqrt()),
        ];
        if n > 200 {
            samples.push(("c=1", at, 1.0));
        }
        if n % 13 == 12 {
            samples.push(("a=1", at - 40 * (n % 50) * 1000 - 7, 0.25));
        }
        for (name, at, value) in samples {
            let report = store.append(&batch(&[(name, at, value)]))?;
            if report.unlogged_bytes > 0 {
                store.sync()?;
            }
            if report.appended == 1 {
                taken.entry(name).or_default().insert(at, value.to_bits());
            }
        }
        if n % 5 == 0 {
            store.sync()?;
            synced.clone_from(taken);
        }
        if n % 7 == 0 {
            store.shorten_log()?;
        }
        if n % 60 == 59 {
            store.maintain(Timestamp(at))?;
        }
    }
    Ok(())
}

/// What a store has, as [`run`] notes it.
fn found(store: &Store) -> Samples {
    let mut found = Samples::new();
    for (series, samples) in dump(&store.view()) {
        let names = ["a=1", "b=1", "c=1"].into_iter();
        let mut names = names.filter(|name| labels(name).to_string() == series);
        found.insert(names.next().unwrap(), samples.into_iter().collect());
    }
    found
}

/// What of `part` is not in `all`.
fn missing(all: &Samples, part: &Samples) -> Vec<(&'static str, i64)> {
    let mut missing = Vec::new();
    for (name, samples) in part {
        let known =
            |it: &(&i64, &u64)| all.get(name).is_some_and(|all| all.get(it.0) == Some(it.1));
        let lost = samples.iter().filter(|it| !known(it));
        missing.extend(lost.map(|(at, _)| (*name, *at)));
    }
    missing
}

#[test]
fn whatever_byte_is_the_last_nothing_is_lost_and_nothing_comes_from_nowhere() {
    let mut bytes_left = 0;
    loop {
        let disk = FrailDisk::new(u64::MAX);
        disk.set_bytes_left(bytes_left, false);
        let (mut taken, mut synced) = (Samples::new(), Samples::new());
        let opened = Store::open(Arc::new(disk.clone()), options());
        let done = opened.and_then(|(store, _)| run(&store, &mut taken, &mut synced));
        for (files, kept) in [
            (disk.files.copy(), &taken),
            (disk.after_power_loss(), &synced),
        ] {
            let store = open(&files, &options());
            let found_now = found(&store);
            assert_eq!(
                missing(&found_now, kept),
                [],
                "stopped after {bytes_left} bytes"
            );
            // One sample may have been written whole without being confirmed.
            let count = |all: &Samples| all.values().map(BTreeMap::len).sum::<usize>();
            assert!(count(&found_now) <= count(&taken) + 1);
            store
                .append(&batch(&[("a=1", 10_000_000_000, 5.0)]))
                .unwrap();
            store.shorten_log().unwrap();
            store.maintain(Timestamp(10_000_000_000)).unwrap();
            let before = found(&store);
            assert_eq!(found(&open(&files, &options())), before);
        }
        if done.is_ok() {
            break;
        }
        bytes_left += 151;
    }
    assert!(bytes_left > 30_000, "{bytes_left}");
}

#[test]
fn what_a_restart_reads_one_by_one_is_what_came_since_the_last_checkpoint() {
    let options = Options {
        log_bytes_max: 20_000,
        ..Options::default()
    };
    let disk = MemoryDisk::default();
    let store = open(&disk, &options);
    let folder_bytes = |folder: &str| -> usize {
        let names = disk.list(folder).unwrap();
        let len = |name: &String| disk.read(&format!("{folder}/{name}")).unwrap().len();
        names.iter().map(len).sum()
    };
    let (mut log_bytes, mut page_bytes) = (0, 0);
    for n in 0..400_i64 {
        let mut batch = Batch::default();
        for series in 0..40_i64 {
            let value = (n * (series + 1)) as f64;
            batch.add(labels(&format!("n={series}")), &[sample(n * 15_000, value)]);
        }
        store.append(&batch).unwrap();
        store.shorten_log().unwrap();
        log_bytes = log_bytes.max(folder_bytes("wal"));
        page_bytes = page_bytes.max(folder_bytes("pages"));
    }
    // Raw samples, and tails of two bytes a sample.
    assert!(log_bytes < 45_000, "{log_bytes}");
    // Each page once.
    assert!(page_bytes < 40_000, "{page_bytes}");
    assert_eq!(dump(&open(&disk, &options).view()), dump(&store.view()));
    // When all is in chunk files, neither has anything.
    store.flush().unwrap();
    assert!(folder_bytes("wal") + folder_bytes("pages") < 100);
    assert_eq!(dump(&open(&disk, &options).view()), dump(&store.view()));
}

#[test]
fn exemplars_outlive_checkpoints_and_are_in_snapshots() {
    let disk = MemoryDisk::default();
    let store = open(&disk, &options());
    for n in 0..200_i64 {
        let mut batch = batch(&[("a=1", n * 1000, n as f64)]);
        let labels_of = |n: i64| labels(&format!("trace=t{n}"));
        let (at, value) = (Timestamp(n * 1000), n as f64);
        let exemplar = Exemplar {
            labels: labels_of(n),
            at,
            value,
        };
        batch.add_exemplar(labels("a=1"), exemplar);
        store.append(&batch).unwrap();
        store.shorten_log().unwrap();
    }
    let all = |store: &Store| {
        store.exemplars(&[vec![Matcher::equal("a", "1")]], range(i64::MIN, i64::MAX))
    };
    let expected = all(&store);
    assert_eq!(expected[0].1.len(), 200);
    assert_eq!(all(&open(&disk, &options())), expected);
    for skips_head in [false, true] {
        store.snapshot("copy", skips_head).unwrap();
        let copy = MemoryDisk::default();
        for name in ["exemplars", "metadata", "tombstones"] {
            if let Ok(content) = disk.read(&format!("copy/{name}")) {
                copy.replace(name, &content).unwrap();
            }
        }
        assert_eq!(all(&open(&copy, &options())), expected);
    }
    // A damaged file is named.
    disk.replace("exemplars", b"FBEXEM 1....junk").unwrap();
    let (_, report) = Store::open(Arc::new(disk), options()).unwrap();
    assert!(report.damage[0].contains("exemplars"), "{report:?}");
}
