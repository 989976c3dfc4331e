//! What the tests of the store share: a disk that fails, short forms, and the slow truth.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use firebell_disk::{Disk, DiskError, MemoryDisk};
use firebell_model::{Labels, Sample, Series, Source, Summary, TimeRange, Timestamp, is_stale};
use firebell_tsdb::{Batch, Options, Store};

pub(crate) const ALL_TIME: TimeRange = TimeRange {
    after: Timestamp::MIN,
    until: Timestamp::MAX,
};

pub(crate) fn range(after: i64, until: i64) -> TimeRange {
    TimeRange {
        after: Timestamp(after),
        until: Timestamp(until),
    }
}

pub(crate) fn labels(text: &str) -> Labels {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    Labels::from_pairs(pairs)
}

pub(crate) fn sample(at: i64, value: f64) -> Sample {
    let at = Timestamp(at);
    Sample { at, value }
}

pub(crate) fn batch(samples: &[(&str, i64, f64)]) -> Batch {
    let mut batch = Batch::default();
    for &(text, at, value) in samples {
        batch.add(labels(text), &[sample(at, value)]);
    }
    batch
}

pub(crate) fn open(disk: &MemoryDisk, options: &Options) -> Store {
    let (store, report) = Store::open(Arc::new(disk.clone()), options.clone()).unwrap();
    assert_eq!(report.damage, Vec::<String>::new());
    store
}

/// Times and bits of each series.
pub(crate) type Dump = BTreeMap<String, Vec<(i64, u64)>>;

pub(crate) fn bits(samples: &[Sample]) -> Vec<(i64, u64)> {
    samples
        .iter()
        .map(|it| (it.at.0, it.value.to_bits()))
        .collect()
}

/// All that a view sees.
pub(crate) fn dump(view: &dyn Source) -> Dump {
    let mut dump = Dump::new();
    for series in view.select(&[], ALL_TIME).unwrap() {
        let mut samples = Vec::new();
        series.samples(ALL_TIME, &mut samples).unwrap();
        dump.insert(series.labels().to_string(), bits(&samples));
    }
    dump
}

/// Asserts that the quick summary is what the samples add up to one by one.
pub(crate) fn check_summary(series: &dyn Series, range: TimeRange) {
    check_summary_is(series, range, series.summary(range).unwrap());
}

/// That this is the summary of its samples in the range.
pub(crate) fn check_summary_is(series: &dyn Series, range: TimeRange, quick: Option<Summary>) {
    let mut samples = Vec::new();
    series.samples(range, &mut samples).unwrap();
    let last = series.last_sample(range).unwrap();
    assert_eq!(
        last.map(|it| bits(&[it])),
        samples.last().map(|&it| bits(&[it]))
    );
    let live = samples.iter().filter(|it| !is_stale(it.value));
    let slow = live
        .clone()
        .map(|&it| Summary::of(it))
        .reduce(|sum, next| sum.then(&next));
    let (Some(slow), Some(quick)) = (slow, quick) else {
        assert_eq!(quick, slow, "{range:?}");
        return;
    };
    let exact = |it: &Summary| {
        let ends = (bits(&[it.first]), bits(&[it.last]));
        (it.count, ends, it.resets, it.changes)
    };
    assert_eq!(exact(&quick), exact(&slow), "{range:?}");
    let size: f64 = live.map(|it| it.value.abs()).sum();
    let is_near = |a: f64, b: f64, size: f64| {
        a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-12 * size.max(b.abs())
    };
    assert!(is_near(quick.min, slow.min, 0.0) && is_near(quick.max, slow.max, 0.0));
    assert!(
        is_near(quick.resets_lost, slow.resets_lost, 0.0),
        "{quick:?} {slow:?}"
    );
    assert!(
        is_near(quick.total(), slow.total(), size * 1e-3),
        "{quick:?} {slow:?}"
    );
    if slow.mean.is_finite() && slow.squares.is_finite() {
        assert!(
            is_near(quick.mean, slow.mean, size / slow.count as f64),
            "{quick:?} {slow:?}"
        );
        assert!(
            is_near(quick.squares, slow.squares, size * size),
            "{quick:?} {slow:?}"
        );
    }
}

/// A disk in memory that is full, or whose machine stops, after so many more bytes. What was not
/// synced can be lost.
#[derive(Clone)]
pub(crate) struct FrailDisk {
    pub(crate) files: MemoryDisk,
    state: Arc<Mutex<Frail>>,
}

struct Frail {
    bytes_left: u64,
    is_full: bool,
    /// The synced content of files written since.
    durable: BTreeMap<String, Vec<u8>>,
}

impl FrailDisk {
    pub(crate) fn new(bytes_left: u64) -> Self {
        let state = Frail {
            bytes_left,
            is_full: true,
            durable: BTreeMap::new(),
        };
        Self {
            files: MemoryDisk::default(),
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Writes fail after so many bytes, with "no space" or as if the machine had stopped.
    pub(crate) fn set_bytes_left(&self, bytes_left: u64, is_full: bool) {
        let mut state = self.state.lock().unwrap();
        state.bytes_left = bytes_left;
        state.is_full = is_full;
    }

    /// What is there after a loss of power: of bytes that were not synced, every other file keeps
    /// some.
    pub(crate) fn after_power_loss(&self) -> MemoryDisk {
        let mut state = self.state.lock().unwrap();
        for (path, durable) in std::mem::take(&mut state.durable) {
            let Ok(content) = self.files.read(&path) else {
                continue;
            };
            let unsynced = content.len().saturating_sub(durable.len());
            self.files
                .truncate(&path, (durable.len() + unsynced / 2) as u64)
                .unwrap();
        }
        self.files.clone()
    }

    fn spend(
        &self,
        action: &'static str,
        path: &str,
        len: usize,
    ) -> Result<(), (usize, DiskError)> {
        let mut state = self.state.lock().unwrap();
        let spent = state.bytes_left.min(len as u64);
        if spent == len as u64 {
            state.bytes_left -= spent;
            return Ok(());
        }
        if !state.is_full {
            state.bytes_left = 0;
        }
        let error = DiskError {
            action,
            path: path.to_owned(),
            why: "no space left on device".to_owned(),
            is_not_found: false,
            is_full: state.is_full,
        };
        Err((spent as usize, error))
    }

    /// Changes that cost no bytes, but that a stopped machine does not make.
    fn spend_nothing(&self, action: &'static str, path: &str) -> Result<(), DiskError> {
        let is_stopped = {
            let state = self.state.lock().unwrap();
            !state.is_full && state.bytes_left == 0
        };
        if is_stopped {
            return self.spend(action, path, 1).map_err(|(_, error)| error);
        }
        Ok(())
    }
}

/// Chunk files and files of histograms without an index, or with one that says that they go.
pub(crate) fn unfinished(disk: &MemoryDisk) -> Vec<String> {
    let of = |folder: &str| {
        let mut names = disk.list(folder).unwrap();
        names.retain(|name| {
            let index = disk.read(&format!("{folder}/{}.idx", &name[..8]));
            index.map_or(true, |index| index.len() <= 4)
        });
        names
    };
    [of("chunks"), of("histograms")].concat()
}

impl Disk for FrailDisk {
    fn append(&self, path: &str, bytes: &[u8]) -> Result<(), DiskError> {
        {
            let before = self.files.read(path).unwrap_or_default();
            let mut state = self.state.lock().unwrap();
            state.durable.entry(path.to_owned()).or_insert(before);
        }
        let spent = self.spend("append to", path, bytes.len());
        match spent {
            Ok(()) => self.files.append(path, bytes),
            Err((n, error)) => {
                self.files.append(path, &bytes[..n])?;
                Err(error)
            }
        }
    }

    fn sync(&self, path: &str) -> Result<(), DiskError> {
        self.spend_nothing("sync", path)?;
        self.state.lock().unwrap().durable.remove(path);
        Ok(())
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, DiskError> {
        self.files.read(path)
    }

    fn read_at(&self, path: &str, offset: u64, len: usize) -> Result<Vec<u8>, DiskError> {
        self.files.read_at(path, offset, len)
    }

    fn replace(&self, path: &str, bytes: &[u8]) -> Result<(), DiskError> {
        self.spend("replace", path, bytes.len())
            .map_err(|(_, error)| error)?;
        self.files.replace(path, bytes)
    }

    fn truncate(&self, path: &str, len: u64) -> Result<(), DiskError> {
        self.spend_nothing("truncate", path)?;
        self.files.truncate(path, len)
    }

    fn remove(&self, path: &str) -> Result<(), DiskError> {
        self.spend_nothing("remove", path)?;
        self.state.lock().unwrap().durable.remove(path);
        self.files.remove(path)
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, DiskError> {
        self.files.list(folder)
    }
}
