//! An export is the store again: floats, native histograms, stale markers, exemplars, metadata.

use std::sync::Arc;

use firebell_disk::{Disk, MemoryDisk};
use firebell_import::{Importer, Journal, Report};
use firebell_model::{
    BucketSpan, Buckets, CUSTOM_BUCKETS_SCHEMA, Exemplar, Histogram, HistogramSample, Labels,
    Metadata, MetricKind, ResetHint, STALE_NAN, Sample, TimeRange, Timestamp,
};
use firebell_tsdb::{Batch, Options, Salvaged, Store};
use firebell_wire::export::{ExportWriter, HEAD_BYTES, MAGIC};
use firebell_wire::row::Row;

/// 2027: behind all that is imported here.
const NOW: Timestamp = Timestamp(1_800_000_000_000);

const ALL_TIME: TimeRange = TimeRange {
    after: Timestamp::MIN,
    until: Timestamp::MAX,
};

fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::from_pairs(pairs.iter().copied())
}

fn open(disk: &MemoryDisk) -> Store {
    let (store, report) = Store::open(Arc::new(disk.clone()), Options::default()).unwrap();
    assert_eq!(report.damage, Vec::<String>::new());
    store
}

fn histogram(n: i64) -> HistogramSample {
    let buckets = |counts: &[f64]| Buckets {
        spans: vec![BucketSpan {
            offset: 1,
            length: counts.len() as u32,
        }],
        counts: counts.to_vec(),
    };
    let plain = Histogram {
        schema: 2,
        zero_threshold: 1e-9,
        zero_count: 0.5,
        count: 3.5 + n as f64,
        sum: n as f64 / 3.0,
        positive: buckets(&[1.0, n as f64]),
        negative: buckets(&[2.0]),
        ..Histogram::default()
    };
    let histogram = match n % 5 {
        0 => plain,
        1 => Histogram {
            reset_hint: ResetHint::Gauge,
            ..plain
        },
        2 => Histogram {
            reset_hint: ResetHint::NotReset,
            ..plain
        },
        3 => Histogram {
            schema: CUSTOM_BUCKETS_SCHEMA,
            count: 3.0,
            positive: buckets(&[1.0, 2.0]),
            custom_bounds: [0.1, 0.2].into(),
            ..Histogram::default()
        },
        _ => Histogram::stale(),
    };
    HistogramSample {
        at: Timestamp(n * 1000),
        histogram: histogram.into(),
    }
}

fn filled() -> Store {
    let store = open(&MemoryDisk::default());
    let mut batch = Batch::default();
    let sample = |n: i64| Sample {
        at: Timestamp(n * 1000 + 7),
        value: if n % 50 == 49 {
            STALE_NAN
        } else {
            n as f64 / 3.0
        },
    };
    let floats: Vec<Sample> = (0..500).map(sample).collect();
    let plain = labels(&[("__name__", "plain"), ("text", "a\"b\\c\nd ü")]);
    batch.add(&plain, &floats);
    batch.add(labels(&[("no", "name")]), &floats);
    batch.add_histograms(labels(&[("__name__", "native.h")]), (0..500).map(histogram));
    for n in 0..9 {
        let exemplar = Exemplar {
            labels: labels(&[("trace_id", "abc")]),
            value: 0.25,
            at: Timestamp(n),
        };
        batch.add_exemplar(&plain, exemplar.clone());
        batch.add_exemplar(labels(&[("__name__", "gone")]), exemplar);
    }
    let metadata = Metadata {
        kind: MetricKind::GaugeHistogram,
        help: "What \n it is".into(),
        unit: "seconds".into(),
    };
    batch.set_metadata("native.h", metadata);
    store.append(&batch).unwrap();
    store
}

fn all(store: &Store) -> Vec<Salvaged> {
    let mut all = Vec::new();
    let done: Result<(), ()> = store.salvage(|it| {
        all.push(it);
        Ok(())
    });
    done.unwrap();
    all
}

/// The export of a store, a frame for each series so that there are several.
fn exported(store: &Store) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    let mut writer = ExportWriter::default();
    for (metric, metadata) in store.all_metadata() {
        writer.metadata(&metric, &metadata);
    }
    for (labels, exemplars) in store.exemplars(&[Vec::new()], ALL_TIME) {
        let exemplars = &exemplars;
        let row = Row::of(&labels);
        writer.series(&Row { exemplars, ..row }, &mut out).unwrap();
    }
    for series in all(store) {
        let row = Row {
            samples: &series.samples,
            histograms: &series.histograms,
            ..Row::of(&series.labels)
        };
        writer.series(&row, &mut out).unwrap();
        let mut frame = Vec::new();
        std::mem::take(&mut writer).finish(&mut frame).unwrap();
        out.extend_from_slice(&frame[..frame.len() - HEAD_BYTES]);
    }
    writer.finish(&mut out).unwrap();
    out
}

fn import(store: &Store, content: &[u8]) -> Report {
    let disk = MemoryDisk::default();
    disk.append("file", content).unwrap();
    let journal = Journal::open(Arc::new(MemoryDisk::default())).unwrap();
    let mut tell = |_: &firebell_import::Progress<'_>| {};
    let mut importer = Importer::new(store, journal, NOW, &mut tell);
    let len = content.len() as u64;
    importer.export(&disk, ("file", len), "file").unwrap();
    importer.report().clone()
}

#[test]
fn an_export_loses_nothing() {
    let old = filled();
    let content = exported(&old);
    let disk = MemoryDisk::default();
    let new = open(&disk);
    let report = import(&new, &content);
    assert_eq!(report.problems, Vec::<String>::new());
    assert_eq!((report.added, report.sources), (1500, 1));
    // Twice is once, and a restart changes nothing.
    assert_eq!(import(&new, &content).known, 1500);
    drop(new);
    let new = open(&disk);
    // As text, for which NaN is NaN.
    assert_eq!(format!("{:?}", all(&new)), format!("{:?}", all(&old)));
    let exemplars = |store: &Store| store.exemplars(&[Vec::new()], ALL_TIME);
    assert_eq!(exemplars(&new), exemplars(&old));
    assert_eq!(new.all_metadata(), old.all_metadata());
}

#[test]
fn a_damaged_frame_costs_itself_and_an_end_that_is_missing_is_named() {
    let content = exported(&filled());
    let check = |content: &[u8], added: u64, expected: &str| {
        let report = import(&open(&MemoryDisk::default()), content);
        assert_eq!(report.problems, [expected], "{} bytes", content.len());
        assert_eq!(report.added, added);
    };
    let mut flipped = content.clone();
    flipped[MAGIC.len() + HEAD_BYTES + 30] ^= 1;
    check(
        &flipped,
        1000,
        "file: the frame at byte 8 is damaged and left out",
    );
    let cut_off = "file: the file does not end with its mark: it has been cut off";
    check(&content[..content.len() - 1], 1500, cut_off);
    check(&content[..content.len() - HEAD_BYTES - 1], 1000, cut_off);
    check(b"FBEXPT 9 and more", 0, "file: it is no export of Firebell");
}
