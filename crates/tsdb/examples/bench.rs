//! Prints what the store costs: `cargo run --release -p firebell-tsdb --example bench [SERIES] [HOURS]`;
//! with one more argument, only what history costs that comes in runs.
//!
//! The data: scrapes every 15 s of a mix of counters, gauges, constants and full-precision floats.
//! The disk counts the logs and keeps chunk files only, so that the memory is the store's.
//! Times are CPU times, from Linux's `/proc/self/schedstat`: machines are shared.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use firebell_disk::{Disk, DiskError, MemoryDisk};
use firebell_model::{
    Labels, Matcher, Sample, Series, SeriesId, Source, Summary, TimeRange, Timestamp,
};
use firebell_tsdb::{Batch, Options, Store};

/// Keeps chunk files, and only counts the log, or keeps that too.
struct BenchDisk {
    files: MemoryDisk,
    keeps_log: bool,
    n_log_bytes: AtomicU64,
}

impl Disk for BenchDisk {
    fn append(&self, path: &str, bytes: &[u8]) -> Result<(), DiskError> {
        if path.starts_with("wal/") || path.starts_with("pages/") {
            self.n_log_bytes
                .fetch_add(bytes.len() as u64, Ordering::Relaxed);
            if !self.keeps_log {
                return Ok(());
            }
        }
        self.files.append(path, bytes)
    }
    fn sync(&self, _path: &str) -> Result<(), DiskError> {
        Ok(())
    }
    fn read(&self, path: &str) -> Result<Vec<u8>, DiskError> {
        self.files.read(path)
    }
    fn read_at(&self, path: &str, offset: u64, len: usize) -> Result<Vec<u8>, DiskError> {
        self.files.read_at(path, offset, len)
    }
    fn replace(&self, path: &str, bytes: &[u8]) -> Result<(), DiskError> {
        self.files.replace(path, bytes)
    }
    fn truncate(&self, path: &str, len: u64) -> Result<(), DiskError> {
        self.files.truncate(path, len)
    }
    fn remove(&self, path: &str) -> Result<(), DiskError> {
        self.files.remove(path)
    }
    fn list(&self, folder: &str) -> Result<Vec<String>, DiskError> {
        self.files.list(folder)
    }
}

struct Bench {
    store: Store,
    disk: Arc<BenchDisk>,
    options: Options,
    ids: Vec<SeriesId>,
    now: i64,
}

impl Bench {
    fn new(n_series: usize, keeps_log: bool, options: Options) -> Self {
        let disk = Arc::new(BenchDisk {
            files: MemoryDisk::default(),
            keeps_log,
            n_log_bytes: AtomicU64::new(0),
        });
        let shared: Arc<dyn Disk> = Arc::clone(&disk) as Arc<dyn Disk>;
        let (store, _) = Store::open(shared, options.clone()).expect("an empty folder opens");
        let ids = (0..n_series)
            .map(|n| store.resolve(&labels_of(n)).expect("there is room"))
            .collect();
        Self {
            store,
            disk,
            options,
            ids,
            now: START,
        }
    }

    /// Scrapes all series for so long; returns nanoseconds per sample, upkeep included if wanted.
    fn fill(&mut self, hours: u64, with_upkeep: bool) -> f64 {
        let n_scrapes = hours * 240;
        let mut spent = 0;
        let mut batch = Batch::default();
        for _ in 0..n_scrapes {
            self.now += 15_000;
            let n = ((self.now - START) / 15_000) as u64;
            for first in (0..self.ids.len()).step_by(BATCH) {
                batch.clear();
                let end = (first + BATCH).min(self.ids.len());
                let at = Timestamp(self.now);
                for series in first..end {
                    let value = value_of(series, n);
                    batch.add(self.ids[series], &[Sample { at, value }]);
                }
                let start = cpu_ns();
                self.store.append(&batch).expect("the disk is never full");
                spent += cpu_ns() - start;
            }
            if with_upkeep && n.is_multiple_of(4) {
                let start = cpu_ns();
                self.store
                    .maintain(Timestamp(self.now))
                    .expect("the disk is never full");
                spent += cpu_ns() - start;
            }
        }
        spent as f64 / (n_scrapes * self.ids.len() as u64) as f64
    }
}

/// Runs of 40 samples of counters, a thousand series at a time, as remote write brings history;
/// then a restart without notice.
fn runs(n_series: usize, hours: u64) {
    for keeps_log in [false, true] {
        let rss_before = rss_kib();
        let mut bench = Bench::new(n_series, keeps_log, Options::default());
        let (mut spent, mut n_samples) = (0, 0_u64);
        let mut counts = vec![0.0; n_series];
        let mut batch = Batch::default();
        for _ in 0..hours * 240 / RUN {
            for first in (0..n_series).step_by(BATCH) {
                batch.clear();
                for (count, series) in counts[first..].iter_mut().zip(first..).take(BATCH) {
                    let samples = (0..RUN).map(|n| {
                        let at = bench.now + n as i64 * 15_000;
                        *count += growth_of(series, at as u64);
                        let (at, value) = (Timestamp(at), *count);
                        Sample { at, value }
                    });
                    batch.add(bench.ids[series], &samples.collect::<Vec<_>>());
                }
                let start = cpu_ns();
                bench.store.append(&batch).expect("the disk is never full");
                bench.store.shorten_log().expect("the disk is never full");
                spent += cpu_ns() - start;
                n_samples += batch.len() as u64;
            }
            bench.now += RUN as i64 * 15_000;
        }
        if !keeps_log {
            println!("{n_series} counters, {hours} h at 15 s, in runs of {RUN}");
            let ns = spent as f64 / n_samples as f64;
            println!("  append           {ns:8.1} ns per sample, log shortened");
            println!("  memory           {:8} KiB", rss_kib() - rss_before);
            continue;
        }
        let disk: Arc<dyn Disk> = Arc::clone(&bench.disk) as Arc<dyn Disk>;
        drop(bench.store);
        let start = cpu_ns();
        let opened = Store::open(disk, bench.options.clone()).expect("what was written is read");
        let ms = (cpu_ns() - start) / 1_000_000;
        println!(
            "  restart          {ms:8} ms for {} samples",
            opened.1.samples_replayed
        );
    }
}

/// Some count slowly, some quickly.
fn growth_of(series: usize, n: u64) -> f64 {
    let noise = (n ^ (series as u64) << 20).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    let mean = [750.0, 120.0, 15.0, 0.15, 0.08][series % 5];
    (mean * (0.7 + 0.6 * noise as f64 / f64::from(1 << 24))).round()
}

fn main() {
    let arg = |idx: usize, default: u64| {
        std::env::args()
            .nth(idx)
            .and_then(|it| it.parse().ok())
            .unwrap_or(default)
    };
    let (n_series, hours) = (arg(1, 100_000) as usize, arg(2, 2));
    runs(n_series, hours);
    if std::env::args().nth(3).is_some() {
        return;
    }
    ingest(n_series, hours);
    windows();
    replay();
}

fn ingest(n_series: usize, hours: u64) {
    let rss_before = rss_kib();
    let mut bench = Bench::new(n_series, false, Options::default());
    let rss_series = rss_kib();
    let ns = bench.fill(hours, false);
    let n_samples = n_series as u64 * hours * 240;
    let stats = bench.store.stats();
    println!("{n_series} series, {hours} h at 15 s");
    println!("  append           {ns:8.1} ns per sample");
    println!(
        "  log              {:8.2} bytes per sample",
        bench.disk.n_log_bytes.load(Ordering::Relaxed) as f64 / n_samples as f64
    );
    println!(
        "  head             {:8.2} bytes per sample",
        stats.memory_bytes as f64 / n_samples as f64
    );
    println!(
        "  memory           {:8} KiB, of it series and index {} KiB",
        rss_kib() - rss_before,
        rss_series - rss_before
    );
    println!(
        "  view             {:8.1} ns",
        per_call(10_000, || drop(bench.store.view()))
    );
    let matcher = [Matcher::equal("instance", "host-7:9100")];
    let view = bench.store.view();
    let n = view.select(&matcher, ALL).map_or(0, |found| found.len());
    let ns = per_call(200, || drop(view.select(&matcher, ALL)));
    println!(
        "  select           {:8.1} ns per series, {n} found",
        ns / n.max(1) as f64
    );
    drop(view);
    let start = cpu_ns();
    bench
        .store
        .maintain(Timestamp(bench.now + 60_000))
        .expect("the disk is never full");
    let stats = bench.store.stats();
    println!(
        "  upkeep           {:8} ms, {} chunks, {} KiB on disk",
        (cpu_ns() - start) / 1_000_000,
        stats.chunks,
        stats.disk_bytes / 1024
    );
}

/// Summaries of windows over 60 days of 20 series.
fn windows() {
    let options = Options {
        retention: firebell_model::Duration::from_hours(24 * 90),
        ..Options::default()
    };
    let mut bench = Bench::new(20, false, options);
    let ns = bench.fill(24 * 60, true);
    let stats = bench.store.stats();
    println!("20 series, 60 d at 15 s, with upkeep");
    println!("  append           {ns:8.1} ns per sample");
    println!(
        "  disk             {:8.2} bytes per sample, summaries included",
        stats.disk_bytes as f64 / stats.samples as f64
    );
    let view = bench.store.view();
    let series = view.select(&[], ALL).unwrap_or_default();
    for (name, minutes) in [
        ("5m", 5),
        ("1h", 60),
        ("6h", 360),
        ("1d", 1440),
        ("7d", 10_080),
        ("30d", 43_200),
    ] {
        let range = TimeRange {
            after: Timestamp(bench.now - minutes * 60_000 - 7_000),
            until: Timestamp(bench.now),
        };
        let quick = per_call(2000, || {
            series.iter().for_each(|it| drop(it.summary(range)));
        });
        let n_slow = if minutes > 2000 { 3 } else { 100 };
        let slow = per_call(n_slow, || {
            series.iter().for_each(|it| {
                std::hint::black_box(slow_summary(&**it, range));
            });
        });
        println!(
            "  summary of {name:>4}  {:8.0} ns, from samples {:.0} ns",
            quick / 20.0,
            slow / 20.0
        );
    }
}

fn replay() {
    let options = Options {
        log_bytes_max: u64::MAX / 4,
        ..Options::default()
    };
    let mut bench = Bench::new(10_000, true, options);
    bench.fill(2, false);
    let disk: Arc<dyn Disk> = Arc::clone(&bench.disk) as Arc<dyn Disk>;
    let start = cpu_ns();
    let (_, report) = Store::open(disk, bench.options.clone()).expect("what was written is read");
    let ns = (cpu_ns() - start) as f64 / report.samples_replayed as f64;
    println!("replay of 10000 series, 2 h");
    println!("  replay           {ns:8.1} ns per sample");
}

fn slow_summary(series: &dyn Series, range: TimeRange) -> Option<Summary> {
    let mut samples = Vec::new();
    series.samples(range, &mut samples).ok()?;
    samples
        .into_iter()
        .map(Summary::of)
        .reduce(|sum, next| sum.then(&next))
}

fn per_call(n: u32, mut call: impl FnMut()) -> f64 {
    let start = cpu_ns();
    (0..n).for_each(|_| call());
    (cpu_ns() - start) as f64 / f64::from(n)
}

fn labels_of(series: usize) -> Labels {
    Labels::from_pairs([
        ("__name__", format!("http_metric_{}", series % 100)),
        ("instance", format!("host-{}:9100", series / 100)),
        ("job", format!("job-{}", series / 5000)),
        ("env", "production".to_owned()),
        ("region", format!("eu-{}", series / 20_000)),
        ("code", format!("{}", 200 + series % 7)),
        ("method", ["GET", "POST", "PUT"][series % 3].to_owned()),
    ])
}

fn value_of(series: usize, n: u64) -> f64 {
    let noise = (n ^ (series as u64) << 20).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
    match series % 10 {
        0 => 1.0,
        1..=4 => (n * (series as u64 % 50) + noise % 16) as f64,
        5 => (n * 30 + noise % 100) as f64 / 100.0,
        6 => (noise % 8) as f64,
        7 => 4096.0 * (10_000 + noise % 64) as f64,
        8 => n as f64 * 0.731 + noise as f64 / 65_536.0,
        _ => 0.0,
    }
}

fn cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let field = text.split_whitespace().next();
    field.and_then(|field| field.parse().ok()).unwrap_or(0)
}

fn rss_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    let digits = line.and_then(|line| line.split_whitespace().nth(1));
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

const ALL: TimeRange = TimeRange {
    after: Timestamp::MIN,
    until: Timestamp::MAX,
};
/// Samples of one series in a batch of history.
const RUN: u64 = 40;
const START: i64 = 1_700_000_000_000;
/// Samples of one scrape.
const BATCH: usize = 1000;
