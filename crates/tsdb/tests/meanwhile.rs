//! What is appended while upkeep writes a chunk file is not lost with the pages that it took.

mod common;

use std::sync::{Arc, OnceLock, Weak};

use common::{ALL_TIME, dump, labels, sample};
use firebell_disk::{Disk, DiskError, MemoryDisk};
use firebell_model::{Histogram, HistogramSample, Matcher, Sample, Source, Timestamp};
use firebell_tsdb::{Batch, Options, Store};

/// Appends when a chunk file is about to be finished.
#[derive(Default)]
struct Meddler {
    files: MemoryDisk,
    store: OnceLock<Weak<Store>>,
    has_meddled: OnceLock<()>,
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
            && let Some(store) = self.store.get().and_then(Weak::upgrade)
            && self.has_meddled.set(()).is_ok()
        {
            store.append(&batch(41..=125)).unwrap();
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
    let histogram = |n: i64| HistogramSample {
        at: Timestamp(n * 60_000),
        histogram: Arc::new(Histogram {
            count: n as f64,
            ..Histogram::default()
        }),
    };
    batch.add_histograms(labels("job=histograms"), minutes.map(histogram));
    batch
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
        disk.store.set(Arc::downgrade(&store)).unwrap();
        if wakes_by_flush {
            store.flush().unwrap();
        } else {
            // Quiet for long: the series is dormant, and its last page is filed.
            store.maintain(Timestamp(24 * 3_600_000)).unwrap();
        }
        assert!(disk.has_meddled.get().is_some());
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
