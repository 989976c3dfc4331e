//! What comes beside samples: exemplars and metadata.

mod common;

use common::{ALL_TIME, labels, open, sample};
use firebell_disk::{Disk, MemoryDisk};
use firebell_model::{Exemplar, Labels, Matcher, Metadata, MetricKind, Timestamp};
use firebell_tsdb::{AHEAD_MAX, Batch, Options, Store};
use std::sync::Arc;

fn metadata(kind: MetricKind, help: &str) -> Metadata {
    let (help, unit) = (help.into(), "seconds".into());
    Metadata { kind, help, unit }
}

#[test]
fn metadata_outlives_a_restart_and_the_last_word_counts() {
    let disk = MemoryDisk::default();
    let store = open(&disk, &Options::default());
    let mut batch = Batch::default();
    batch.set_metadata("a", metadata(MetricKind::Gauge, "old"));
    batch.set_metadata("a", metadata(MetricKind::StateSet, "n\u{e9}w"));
    batch.set_metadata("b", metadata(MetricKind::Counter, ""));
    store.append(&batch).unwrap();
    let all = store.all_metadata();
    store.maintain(Timestamp(0)).unwrap();
    drop(store);
    let store = open(&disk, &Options::default());
    assert_eq!(store.all_metadata(), all);
    assert_eq!(
        store.metadata("a"),
        Some(metadata(MetricKind::StateSet, "n\u{e9}w"))
    );
    assert_eq!(store.metadata("c"), None);
    drop(store);
    let mut content = disk.read("metadata").unwrap();
    content[20] ^= 1;
    disk.replace("metadata", &content).unwrap();
    let (store, report) = Store::open(Arc::new(disk), Options::default()).unwrap();
    assert_eq!(
        report.damage,
        ["`metadata` is damaged: help and units are forgotten"]
    );
    assert_eq!(store.all_metadata(), []);
}

/// A help per name that nobody has a series of would fill memory and the file.
#[test]
fn metadata_is_bounded_and_makes_room_for_metrics_that_have_series() {
    let store = open(&MemoryDisk::default(), &Options::default());
    let help = "\u{e4}".repeat(4 << 10);
    let mut batch = Batch::default();
    batch.add(labels("__name__=here_total"), &[sample(0, 1.0)]);
    batch.set_metadata("here", metadata(MetricKind::Counter, &help));
    batch.set_metadata(&"long".repeat(1 << 10), metadata(MetricKind::Gauge, ""));
    for n in 0..10_000 {
        batch.set_metadata(&format!("m{n}"), metadata(MetricKind::Gauge, &help));
    }
    store.append(&batch).unwrap();
    assert_eq!(store.metadata("here").unwrap().help.len(), 4 << 10);
    let all = store.all_metadata();
    let bytes: usize = all.iter().map(|(_, it)| it.help.len()).sum();
    assert!((31 << 20..32 << 20).contains(&bytes), "{bytes}");
    assert!(all.iter().all(|(name, _)| !name.starts_with("long")));

    store.maintain(Timestamp(0)).unwrap();
    let names: Vec<_> = store.all_metadata().into_iter().map(|it| it.0).collect();
    assert_eq!(names, ["here".into()]);
}

#[test]
fn exemplars_are_found_by_matchers_and_time() {
    let options = Options {
        exemplars_max: 3,
        ..Options::default()
    };
    let store = open(&MemoryDisk::default(), &options);
    let series = labels("__name__=h,job=a");
    let exemplar = |at| Exemplar {
        labels: Labels::from_pairs([("trace_id", "x")]),
        value: 1.0,
        at: Timestamp(at),
    };
    let mut batch = Batch::default();
    batch.add(&series, &[sample(1000, 1.0)]);
    (1..=4).for_each(|at| batch.add_exemplar(&series, exemplar(at)));
    batch.add_exemplar(&series, exemplar(2));
    let report = store.append(&batch).unwrap();
    assert_eq!(
        (report.exemplars_appended, report.exemplars_refused),
        (4, 1)
    );
    let id = store.resolve(&series).unwrap();
    batch.clear();
    // One from the future is refused, and keeps none out that comes later.
    batch.add_exemplar(id, exemplar(6 + AHEAD_MAX.0));
    batch.arrive(Timestamp(5));
    assert_eq!(store.append(&batch).unwrap().exemplars_refused, 1);
    batch.clear();
    batch.add_exemplar(id, exemplar(5));
    batch.add_exemplar(firebell_model::SeriesId(77), exemplar(5));
    let report = store.append(&batch).unwrap();
    assert_eq!(
        (report.exemplars_appended, report.exemplars_refused),
        (1, 1)
    );
    let selectors = [
        vec![Matcher::equal("job", "b")],
        vec![Matcher::equal("job", "a")],
    ];
    let found = store.exemplars(&selectors, ALL_TIME);
    assert_eq!(found, [(series, (3..=5).map(exemplar).collect())]);
    assert_eq!(store.exemplars(&selectors[..1], ALL_TIME), []);
    assert_eq!(store.n_exemplars(), 3);
}

#[test]
fn exemplars_outlive_a_restart_also_when_the_log_was_rewritten() {
    let disk = MemoryDisk::default();
    let store = open(&disk, &Options::default());
    let selectors = [Vec::new()];
    for round in 0..3 {
        let mut batch = Batch::default();
        for (n, name) in ["a", "b", "a"].into_iter().enumerate() {
            let at = Timestamp(1000 * round + n as i64);
            let exemplar = Exemplar {
                labels: Labels::from_pairs([("trace_id", at.0.to_string())]),
                value: at.0 as f64 / 7.0,
                at,
            };
            batch.add_exemplar(labels(&format!("__name__={name}")), exemplar);
        }
        batch.add(labels("__name__=a"), &[sample(1000 * round, 1.0)]);
        store.append(&batch).unwrap();
        if round == 1 {
            store.flush().unwrap();
        }
    }
    let all = store.exemplars(&selectors, ALL_TIME);
    assert_eq!(store.n_exemplars(), 9);
    drop(store);
    let small = Options {
        exemplars_max: 4,
        ..Options::default()
    };
    assert_eq!(
        open(&disk, &Options::default()).exemplars(&selectors, ALL_TIME),
        all
    );
    let left = open(&disk, &small).exemplars(&selectors, ALL_TIME);
    let times: Vec<i64> = left.iter().flat_map(|it| &it.1).map(|it| it.at.0).collect();
    assert_eq!(times, [1002, 2000, 2002, 2001]);
}
