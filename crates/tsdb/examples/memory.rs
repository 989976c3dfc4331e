//! Prints what the store holds on the heap, by size of allocation:
//! `cargo run --release -p firebell-tsdb --example memory [SERIES] [HOURS]`.
//!
//! Counters as the load generator sends them, every 15 s, in runs of forty samples. First with all
//! samples in memory, then after upkeep has filed the closed pages. Live bytes are what was asked
//! for; in classes, what an allocator with four sizes between powers of two gives for it.

#![expect(unsafe_code, reason = "an allocator that counts is unsafe to declare")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use firebell_disk::{Disk, DiskError};
use firebell_model::{Labels, Sample, SeriesId, Timestamp};
use firebell_tsdb::{Batch, Options, Store};

/// Counts what it passes on.
struct Counting;

/// By class: how many allocations live, and their bytes.
static LIVE: [(AtomicI64, AtomicI64); CLASSES] =
    [const { (AtomicI64::new(0), AtomicI64::new(0)) }; CLASSES];

// SAFETY: every call goes to the system's allocator as it came; counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size(), 1);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        note(layout.size(), -1);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn note(size: usize, n: i64) {
    let (count, bytes) = &LIVE[class_of(size)];
    count.fetch_add(n, Relaxed);
    bytes.fetch_add(n * size as i64, Relaxed);
}

/// Words up to eight, then four classes for each doubling.
fn class_of(size: usize) -> usize {
    let words = size.div_ceil(8).max(1);
    if words <= 8 {
        return words;
    }
    let top = (words - 1).ilog2() as usize;
    (8 + (top - 3) * 4 + ((words - 1) >> (top - 2)) - 3).min(CLASSES - 1)
}

fn class_bytes(class: usize) -> usize {
    if class <= 8 {
        return class * 8;
    }
    let (doubling, quarter) = ((class - 9) / 4, (class - 9) % 4);
    (40 + 8 * quarter) << (doubling + 1)
}

/// Takes everything and keeps nothing: what is measured is memory.
struct NoDisk;

impl Disk for NoDisk {
    fn append(&self, _path: &str, _bytes: &[u8]) -> Result<(), DiskError> {
        Ok(())
    }
    fn sync(&self, _path: &str) -> Result<(), DiskError> {
        Ok(())
    }
    fn read(&self, _path: &str) -> Result<Vec<u8>, DiskError> {
        Ok(Vec::new())
    }
    fn read_at(&self, _path: &str, _offset: u64, _len: usize) -> Result<Vec<u8>, DiskError> {
        Ok(Vec::new())
    }
    fn replace(&self, _path: &str, _bytes: &[u8]) -> Result<(), DiskError> {
        Ok(())
    }
    fn truncate(&self, _path: &str, _len: u64) -> Result<(), DiskError> {
        Ok(())
    }
    fn remove(&self, _path: &str) -> Result<(), DiskError> {
        Ok(())
    }
    fn list(&self, _folder: &str) -> Result<Vec<String>, DiskError> {
        Ok(Vec::new())
    }
}

fn main() {
    let arg = |idx: usize, default: usize| {
        let text = std::env::args().nth(idx);
        text.and_then(|it| it.parse().ok()).unwrap_or(default)
    };
    let (n_series, hours) = (arg(1, 100_000), arg(2, 2));
    let disk: Arc<dyn Disk> = Arc::new(NoDisk);
    let (store, _) = Store::open(disk, Options::default()).expect("an empty folder opens");
    let ids: Vec<_> = (0..n_series).map(|n| series(&store, n)).collect();
    print(&format!("{n_series} series without samples"), n_series);
    let mut counts = vec![0.0; n_series];
    let mut now = START;
    for _ in 0..hours * 240 / RUN {
        for (first, ids) in (0..).step_by(BATCH).zip(ids.chunks(BATCH)) {
            let mut batch = Batch::default();
            for (idx, id) in (first..).zip(ids) {
                batch.add(*id, &run_of(idx, now, &mut counts[idx]));
            }
            store.append(&batch).expect("the disk takes everything");
        }
        now += RUN as i64 * 15_000;
    }
    print(&format!("with {hours} h of samples"), n_series);
    let due = Timestamp(now + 3_600_000 * hours as i64 / 2);
    store.maintain(due).expect("the disk takes everything");
    print("after upkeep", n_series);
}

fn series(store: &Store, n: usize) -> SeriesId {
    let labels = Labels::from_pairs([
        ("__name__", "http_requests_total".to_owned()),
        ("job", "api".to_owned()),
        ("service", format!("svc-{:04}", n / 50)),
        ("instance", format!("10.0.0.{}:8080", n / 5 % 10)),
        (
            "code",
            ["200", "201", "404", "500", "503"][n % 5].to_owned(),
        ),
    ]);
    store.resolve(&labels).expect("there is no limit")
}

/// Some count slowly, some quickly.
fn run_of(series: usize, since: i64, count: &mut f64) -> Vec<Sample> {
    let sample = |n: usize| {
        let at = since + n as i64 * 15_000;
        let noise = (at as u64 ^ (series as u64) << 20).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        let noise = noise as f64 / f64::from(1 << 24);
        let mean = [750.0, 120.0, 15.0, 0.15, 0.08][series % 5];
        let grown: f64 = mean * (0.7 + 0.6 * noise);
        *count += grown.floor() + f64::from(noise < grown.fract());
        let (at, value) = (Timestamp(at), *count);
        Sample { at, value }
    };
    (0..RUN).map(sample).collect()
}

fn print(what: &str, n_series: usize) {
    println!("{what}: bytes a series in allocations of at most so many bytes");
    let (mut all, mut all_given) = (0.0, 0.0);
    for (class, (count, bytes)) in LIVE.iter().enumerate() {
        let per_series = |n: i64| n as f64 / n_series as f64;
        let (count, bytes) = (
            per_series(count.load(Relaxed)),
            per_series(bytes.load(Relaxed)),
        );
        // Above a few kilobytes, allocators give whole pages of the system.
        let given = (count * class_bytes(class) as f64)
            .min(bytes * 1.1 + 1.0)
            .max(bytes);
        (all, all_given) = (all + bytes, all_given + given);
        if bytes >= 1.0 {
            println!(
                "  {:>10}: {count:6.2} of them, {bytes:7.1} bytes",
                class_bytes(class)
            );
        }
    }
    println!(
        "  {:>10}: {all:7.1} bytes, {all_given:.1} in classes",
        "all"
    );
}

const CLASSES: usize = 140;
const START: i64 = 1_700_000_000_000;
/// Samples of one series in a batch.
const RUN: usize = 40;
/// Series in a batch.
const BATCH: usize = 1000;
