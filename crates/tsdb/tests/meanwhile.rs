//! What is appended while upkeep writes a chunk file is not lost with the pages that it took.

mod common;

use std::sync::{Arc, OnceLock, Weak};

use common::{ALL_TIME, dump, labels, sample};
use firebell_disk::{Disk, DiskError, MemoryDisk};
use firebell_model::{Duration, Histogram, HistogramSample, Matcher, Sample, Source, Timestamp};
use firebell_tsdb::{AppendReport, Batch, Options, Store};

/// Appends when a chunk file is about to be finished.
#[derive(Default)]
struct Meddler {
    files: MemoryDisk,
    /// To what it appends, and what.
    work: OnceLock<(Weak<Store>, Batch)>,
    report: OnceLock<AppendReport>,
}

impl Disk for Meddler {
    fn append(&self, path: &str, bytes: &[u8]) -> Result<(), DiskError> {
        self.files.append(path, bytes)
    }

    fn sync(&self, path: &str) -> Result<(), DiskError> {
        self.files.sync(path)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, DiskError> {
        self.files.read(path)
    }

    fn replace(&self, path: &str, bytes: &[u8]) -> Result<(), DiskError> {
        if path.starts_with("chunks/")
            && let Some((store, batch)) = self.work.get()
            && let Some(store) = store.upgrade()
        {
            self.report.get_or_init(|| store.append(batch).unwrap());
        }
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

fn batch(minutes: std::ops::RangeInclusive<i64>) -> Batch {
    let mut batch = Batch::default();
    let samples: Vec<Sample> = minutes
        .clone()
        .map(|n| sample(n * 60_000, n as f64))
        .collect();
    batch.add(labels("job=floats"), &samples);
    let histograms = minutes.map(|n| histogram(n * 60_000, n as f64));
    batch.add_histograms(labels("job=histograms"), histograms);
    batch
}

fn histogram(at: i64, count: f64) -> HistogramSample {
    let histogram = Histogram {
        count,
        ..Histogram::default()
    };
    HistogramSample {
        at: Timestamp(at),
        histogram: histogram.into(),
    }
}

fn check(store: &Store) {
    let view = store.view();
    let floats = dump(&view).remove(&labels("job=floats").to_string());
    let counts: Vec<f64> = floats
        .into_iter()
        .flatten()
        .map(|(_, bits)| f64::from_bits(bits))
        .collect();
    let expected: Vec<f64> = (1..=125).map(f64::from).collect();
    assert_eq!(counts, expected);
    let found = view
        .select(&[Matcher::equal("job", "histograms")], ALL_TIME)
        .unwrap();
    let mut histograms = Vec::new();
    found[0].histograms(ALL_TIME, &mut histograms).unwrap();
    let counts: Vec<f64> = histograms.iter().map(|it| it.histogram.count).collect();
    assert_eq!(counts, expected);
}

#[test]
fn a_page_that_is_filled_up_while_it_is_filed_keeps_what_came() {
    for wakes_by_flush in [true, false] {
        let disk = Arc::new(Meddler::default());
        let (store, _) =
            Store::open(Arc::clone(&disk) as Arc<dyn Disk>, Options::default()).unwrap();
        let store = Arc::new(store);
        store.append(&batch(1..=40)).unwrap();
        disk.work
            .set((Arc::downgrade(&store), batch(41..=125)))
            .unwrap();
        if wakes_by_flush {
            store.flush().unwrap();
        } else {
            // Quiet for long: the series is dormant, and its last page is filed.
            store.maintain(Timestamp(24 * 3_600_000)).unwrap();
        }
        assert!(disk.report.get().is_some());
        check(&store);
        store.sync().unwrap();
        store.flush().unwrap();
        check(&store);
        drop(store);
        let files = Arc::new(disk.files.clone());
        let (store, report) = Store::open(files, Options::default()).unwrap();
        assert_eq!(report.damage, Vec::<String>::new());
        check(&store);
    }
}

#[test]
fn a_late_sample_that_comes_while_its_place_is_filed_is_not_taken_and_lost() {
    let options = Options {
        out_of_order_window: Duration::from_hours(1),
        ..Options::default()
    };
    let disk = Arc::new(Meddler::default());
    let (store, _) = Store::open(Arc::clone(&disk) as Arc<dyn Disk>, options.clone()).unwrap();
    let store = Arc::new(store);
    store.append(&batch(1..=40)).unwrap();
    let mut late = Batch::default();
    late.add(labels("job=floats"), &[sample(1_230_000, 7.0)]);
    late.add_histograms(labels("job=histograms"), [histogram(1_230_000, 7.0)]);
    disk.work
        .set((Arc::downgrade(&store), late.clone()))
        .unwrap();
    store.flush().unwrap();
    let report = disk.report.get().unwrap();
    assert_eq!((report.appended, report.histograms_appended), (0, 0));
    assert_eq!(report.too_old, 2);
    store.append(&batch(41..=125)).unwrap();
    check(&store);
    // What is not filed has its place again.
    let mut late = Batch::default();
    late.add(labels("job=floats"), &[sample(6_030_000, 7.0)]);
    assert_eq!(store.append(&late).unwrap().appended, 1);
    let seen = dump(&store.view());
    store.flush().unwrap();
    assert_eq!(dump(&store.view()), seen);
    drop(store);
    let (store, report) = Store::open(Arc::new(disk.files.clone()), options).unwrap();
    assert_eq!(report.damage, Vec::<String>::new());
    assert_eq!(dump(&store.view()), seen);
}
