//! The store's own files, some bytes of which are wrong although checksums hold: chunks, native
//! histograms, tombstones, metadata, the logs. Whatever is in them, the store opens or says why not,
//! reads what is left, and takes more.
#![no_main]

mod changes;

use std::sync::{Arc, LazyLock};

use firebell_disk::{Disk, MemoryDisk};
use firebell_model::{
    Histogram, HistogramSample, Labels, Matcher, Metadata, Sample, Source, TimeRange, Timestamp,
};
use firebell_tsdb::{Batch, Options, Store};

const FOLDERS: [&str; 5] = ["chunks", "histograms", "pages", "wal", ""];

fn batch(from: i64, n: i64) -> Batch {
    let mut batch = Batch::default();
    for series in ["a", "b", "c"] {
        let labels = Labels::from_pairs([("__name__", "x"), ("i", series)]);
        let sample = |idx: i64| Sample {
            at: Timestamp((from + idx) * 15_000),
            value: (idx % 40 * idx) as f64 / if series == "a" { 1.0 } else { 7.0 },
        };
        batch.add(labels, &(0..n).map(sample).collect::<Vec<_>>());
    }
    let histogram = |idx: i64| HistogramSample {
        at: Timestamp((from + idx) * 15_000),
        histogram: Arc::new(Histogram {
            schema: 2,
            count: idx as f64 * 3.0,
            sum: idx as f64,
            positive: (0..3).map(|bucket| (bucket * 2, idx as f64)).collect(),
            ..Histogram::default()
        }),
    };
    let labels = Labels::from_pairs([("__name__", "h")]);
    batch.add_histograms(labels, (0..n).map(histogram));
    batch.set_metadata("x", Metadata { help: "some".into(), ..Metadata::default() });
    batch
}

/// The files of a small store that has filed, deleted and logged.
static FILES: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| {
    let disk = MemoryDisk::default();
    let options = Options { log_bytes_max: 0, ..Options::default() };
    let (store, _) = Store::open(Arc::new(disk.clone()), options).expect("it opens");
    store.append(&batch(0, 300)).expect("it is taken");
    store.maintain(Timestamp(20_000 * 15_000)).expect("memory takes it");
    store.append(&batch(300, 500)).expect("it is taken");
    store.shorten_log().expect("memory takes it");
    store.append(&batch(800, 20)).expect("it is taken");
    let name = Matcher::equal("i", "b");
    store.delete(&[vec![name]], (Timestamp(0), Timestamp(90_000))).expect("memory takes it");
    store.sync().expect("memory takes it");
    drop(store);
    let mut files = Vec::new();
    for folder in FOLDERS {
        for name in disk.list(folder).unwrap_or_default() {
            let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            if let Ok(content) = disk.read(&path) {
                files.push((path, content));
            }
        }
    }
    assert!(!files.is_empty());
    files
});

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((chosen, content)) = changes::changed(&FILES, input) else {
        return;
    };
    let disk = MemoryDisk::default();
    for (idx, (path, whole)) in FILES.iter().enumerate() {
        let content = if idx == chosen { &content } else { whole };
        disk.replace(path, content).expect("memory takes it");
    }
    let Ok((store, _)) = Store::open(Arc::new(disk), Options::default()) else {
        return;
    };
    let all = TimeRange { after: Timestamp::MIN, until: Timestamp::MAX };
    let view = store.view();
    for series in view.select(&[], all).unwrap_or_default() {
        let (mut samples, mut histograms) = (Vec::new(), Vec::new());
        let _ = series.samples(all, &mut samples);
        let _ = series.histograms(all, &mut histograms);
        let _ = series.summary(all);
    }
    let _: Result<(), ()> = store.salvage(|_| Ok(()));
    let _ = store.append(&batch(1200, 2));
});
