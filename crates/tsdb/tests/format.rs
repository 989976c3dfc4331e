//! Every version reads what the ones before wrote: `v1.hex` is a data folder of version 1, `v2.hex`
//! one of chunk files and log of version 2, `v3.hex` one of a log of version 3 with a log of pages.
//!
//! They are what `to_text` made of a folder after `write`, and are never made again: a new version of
//! the formats gets a file of its own beside them.

mod common;

use std::fmt::Write as _;
use std::sync::Arc;

use common::{Dump, FrailDisk, batch, dump, open};
use firebell_disk::{Disk, MemoryDisk};
use firebell_model::{Duration, STALE_NAN, Timestamp};
use firebell_tsdb::{Options, Store};

fn options() -> Options {
    Options {
        out_of_order_window: Duration::from_mins(5),
        head_span: Duration::from_mins(20),
        log_bytes_max: 0,
        ..Options::default()
    }
}

/// All kinds of columns and frames: chunk files, states, samples, late ones, a series that ended.
fn write(store: &Store) -> Dump {
    let mut expected = Dump::new();
    let mut append = |samples: &[(&str, i64, f64)]| {
        let report = store.append(&batch(samples)).unwrap();
        assert_eq!(report.appended, samples.len() as u64);
        for &(text, at, value) in samples {
            let name = common::labels(text).to_string();
            expected
                .entry(name)
                .or_default()
                .push((at, value.to_bits()));
        }
    };
    append(&[
        ("__name__=ended,job=\u{e9}", 1000, 3.0),
        ("__name__=ended,job=\u{e9}", 2000, STALE_NAN),
    ]);
    for n in 0..240_i64 {
        let at = 10_000 + n * 15_000 + n % 3;
        let root = (n as f64).sqrt();
        append(&[
            ("__name__=count", at, (n * 7 % 900) as f64),
            ("__name__=root", at, root),
            ("__name__=cents", at + 1, (n * n % 77) as f64 / 100.0),
        ]);
        if n == 200 {
            store.maintain(Timestamp(at)).unwrap();
        }
        if n % 110 == 100 {
            store.shorten_log().unwrap();
        }
    }
    append(&[
        ("__name__=count", 3_590_000, -0.0),
        ("__name__=odd", 3_590_000, f64::NEG_INFINITY),
    ]);
    for samples in expected.values_mut() {
        samples.sort_unstable();
    }
    expected
}

/// What only version 3 has: sealed pages in a log of their own, open ones and a tail behind them.
fn write_pages(store: &Store, expected: &mut Dump) {
    for n in 0..500_i64 {
        let (at, value) = (3_600_000 + n * 10, (n * n % 1000) as f64);
        store
            .append(&batch(&[("__name__=quick", at, value)]))
            .unwrap();
        let name = common::labels("__name__=quick").to_string();
        expected
            .entry(name)
            .or_default()
            .push((at, value.to_bits()));
        if n % 240 == 200 {
            store.shorten_log().unwrap();
        }
    }
}

fn to_text(disk: &MemoryDisk) -> String {
    let mut text = String::new();
    for folder in ["chunks", "pages", "wal"] {
        for name in disk.list(folder).unwrap() {
            let path = format!("{folder}/{name}");
            writeln!(text, "{path}").unwrap();
            for line in disk.read(&path).unwrap().chunks(48) {
                line.iter()
                    .for_each(|byte| write!(text, "{byte:02x}").unwrap());
                text.push('\n');
            }
        }
    }
    text
}

fn from_text(text: &str) -> MemoryDisk {
    let disk = MemoryDisk::default();
    let mut path = "";
    for line in text.lines() {
        if line.contains('/') {
            path = line;
            continue;
        }
        let digits = line
            .as_bytes()
            .chunks(2)
            .map(|pair| std::str::from_utf8(pair).unwrap());
        let bytes: Vec<u8> = digits
            .map(|it| u8::from_str_radix(it, 16).unwrap())
            .collect();
        disk.append(path, &bytes).unwrap();
    }
    disk
}

#[test]
fn data_folders_of_all_versions_are_read() {
    let store = open(&MemoryDisk::default(), &options());
    let mut expected = write(&store);
    check(include_str!("v1.hex"), &expected);
    check(include_str!("v2.hex"), &expected);
    write_pages(&store, &mut expected);
    check(include_str!("v3.hex"), &expected);
}

fn check(text: &str, expected: &Dump) {
    let disk = from_text(text);
    let store = open(&disk, &options());
    assert_eq!(&dump(&store.view()), expected);
    assert!(store.stats().chunks > 0);
    // Upkeep writes all of it anew, in the formats of today.
    store.maintain(Timestamp(4_000_000)).unwrap();
    store.maintain(Timestamp(9_000_000)).unwrap();
    assert_eq!(&dump(&open(&disk, &options()).view()), expected);
}

#[test]
fn a_folder_comes_back_from_its_text() {
    let disk = MemoryDisk::default();
    let expected = write(&open(&disk, &options()));
    assert_eq!(
        dump(&open(&from_text(&to_text(&disk)), &options()).view()),
        expected
    );
}

/// The first checkpoint over a log of an older version writes pages and what is open before it
/// removes that log.
#[test]
fn a_stop_while_an_old_log_becomes_a_new_one_loses_nothing() {
    let expected = write(&open(&MemoryDisk::default(), &options()));
    for text in [include_str!("v1.hex"), include_str!("v2.hex")] {
        let mut bytes_left = 0;
        loop {
            let mut disk = FrailDisk::new(u64::MAX);
            disk.files = from_text(text);
            disk.set_bytes_left(bytes_left, false);
            let opened = Store::open(Arc::new(disk.clone()), options());
            let done = opened.and_then(|(store, _)| {
                store.shorten_log()?;
                store.maintain(Timestamp(4_000_000))
            });
            let found = dump(&open(&disk.files.copy(), &options()).view());
            assert_eq!(found, expected, "stopped after {bytes_left} bytes");
            if done.is_ok() {
                break;
            }
            bytes_left += 13;
        }
        assert!(bytes_left > 1000, "{bytes_left}");
    }
}
