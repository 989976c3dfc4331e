//! What a store takes and refuses, what views see, and what upkeep drops.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{ALL_TIME, batch, bits, dump, labels, open, range, sample};
use firebell_disk::MemoryDisk;
use firebell_model::{
    Duration, HistogramSample, MatchOp, Matcher, STALE_NAN, SeriesId, Source, Timestamp,
};
use firebell_tsdb::{AHEAD_MAX, AppendReport, Batch, Options, Store};

fn fresh(options: Options) -> (MemoryDisk, Store) {
    let disk = MemoryDisk::default();
    let store = open(&disk, &options);
    (disk, store)
}

/// appended, out of order, duplicate, too old
fn counts(report: AppendReport) -> [u64; 4] {
    let AppendReport {
        appended,
        out_of_order,
        duplicate_different_value,
        too_old,
        ..
    } = report;
    assert_eq!(report.unknown_series + report.over_limit, 0);
    [appended, out_of_order, duplicate_different_value, too_old]
}

#[test]
fn samples_are_taken_or_refused_as_in_prometheus() {
    let hour = 3_600_000;
    let in_order: &[(i64, f64, [u64; 4])] = &[
        (50 * hour, 1.0, [1, 0, 0, 0]),
        (50 * hour, 1.0, [0, 0, 0, 0]),
        (50 * hour, 2.0, [0, 0, 1, 0]),
        (50 * hour + 5, STALE_NAN, [1, 0, 0, 0]),
        (50 * hour + 5, STALE_NAN, [0, 0, 0, 0]),
        (50 * hour + 5, f64::NAN, [0, 0, 1, 0]),
        (50 * hour, 1.0, [0, 1, 0, 0]),
        (hour, 1.0, [0, 0, 0, 1]),
        (50 * hour + 9, -0.0, [1, 0, 0, 0]),
        (50 * hour + 9, 0.0, [0, 0, 1, 0]),
    ];
    let with_window: &[(i64, f64, [u64; 4])] = &[
        (50 * hour, 1.0, [1, 0, 0, 0]),
        (50 * hour - 1000, 2.0, [1, 0, 0, 0]),
        (50 * hour - 1000, 2.0, [0, 0, 0, 0]),
        (50 * hour - 1000, 3.0, [0, 0, 1, 0]),
        (50 * hour - 2000, 3.0, [1, 0, 0, 0]),
        (50 * hour, 4.0, [0, 0, 1, 0]),
        (48 * hour, 4.0, [0, 0, 0, 1]),
        (hour, 1.0, [0, 0, 0, 1]),
    ];
    for (window, cases) in [
        (Duration::ZERO, in_order),
        (Duration::from_hours(1), with_window),
    ] {
        let options = Options {
            retention: Duration::from_hours(40),
            out_of_order_window: window,
            ..Options::default()
        };
        let (disk, mut store) = fresh(options.clone());
        // Once from memory, once after a restart before each sample.
        for restarts in [false, true] {
            let name = format!("restarts={restarts}");
            store.maintain(Timestamp(50 * hour)).unwrap();
            for &(at, value, expected) in cases {
                let report = store.append(&batch(&[(&name, at, value)])).unwrap();
                assert_eq!(counts(report), expected, "{window:?} {at} {value}");
                if restarts {
                    store = open(&disk, &options);
                    store.maintain(Timestamp(50 * hour)).unwrap();
                }
            }
        }
    }
}

#[test]
fn one_batch_is_judged_sample_by_sample() {
    let (_, store) = fresh(Options::default());
    let report = store.append(&batch(&[
        ("a=1", 10, 1.0),
        ("a=1", 20, 2.0),
        ("a=1", 15, 2.0),
        ("a=1", 20, 9.0),
    ]));
    assert_eq!(counts(report.unwrap()), [2, 1, 1, 0]);
}

#[test]
fn a_batch_that_is_longer_than_a_frame_of_the_log_is_taken_whole() {
    let (disk, store) = fresh(Options::default());
    let long = "x".repeat(1000);
    let series = |idx: usize| labels(&format!("__name__=up,idx={idx},long={long}"));
    let at = sample(1000, 1.0);
    let mut batch = Batch::default();
    (0..40_000).for_each(|idx| batch.add(series(idx), &[at]));
    (40_000..80_000).for_each(|idx| batch.add(store.resolve(&series(idx)).unwrap(), &[at]));
    assert_eq!(counts(store.append(&batch).unwrap()), [80_000, 0, 0, 0]);
    drop(store);
    assert_eq!(open(&disk, &Options::default()).stats().series, 80_000);
}

#[test]
fn more_series_than_allowed_are_refused_and_the_label_to_blame_is_named() {
    let options = Options {
        series_max: 3,
        ..Options::default()
    };
    let (_, store) = fresh(options);
    let mut report = AppendReport::default();
    for n in 0..5 {
        let (path, at) = (format!("__name__=x,job=a,path=/{n}"), 1000 + n);
        let samples = [(&*path, at, 1.0), ("__name__=x,job=a,path=/0", at, 1.0)];
        report = store.append(&batch(&samples)).unwrap();
    }
    assert_eq!((report.appended, report.over_limit), (1, 1));
    let error = store.resolve(&labels("job=b")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the store has 3 series, and more are not allowed: label `path` has 3 values"
    );
    assert_eq!(store.too_many_series(), error);
}

#[test]
fn an_id_that_is_gone_is_named_and_can_be_resolved_anew() {
    let options = Options {
        retention: Duration::from_mins(1),
        head_span: Duration::from_mins(1),
        ..Options::default()
    };
    let (_, store) = fresh(options);
    let id = store.resolve(&labels("a=1")).unwrap();
    assert_eq!(store.resolve(&labels("a=1")), Ok(id));
    let by_id = |id: SeriesId, at: i64| {
        let mut batch = Batch::default();
        batch.add(id, &[sample(at, 1.0)]);
        batch
    };
    store.append(&by_id(id, 1000)).unwrap();
    let view = store.view();
    for minute in 1..4 {
        store.maintain(Timestamp(minute * 100_000)).unwrap();
    }
    assert_eq!(dump(&view).len(), 1, "a view keeps what it sees");
    assert_eq!(view.series(id).map(|series| series.id()), Some(id));
    drop(view);
    store.maintain(Timestamp(400_000)).unwrap();
    let report = store.append(&by_id(id, 400_000)).unwrap();
    assert_eq!((report.appended, report.unknown_series), (0, 1));
    assert_ne!(store.resolve(&labels("a=1")), Ok(id));
    assert!(store.view().series(id).is_none());
}

#[test]
fn the_generation_changes_when_series_come_and_go_and_only_then() {
    let options = Options {
        retention: Duration::from_hours(10),
        ..Options::default()
    };
    let (_, store) = fresh(options);
    let hour = 3_600_000;
    let mut seen = vec![store.generation()];
    let mut step = |expected: bool, what: &str, store: &Store| {
        let generation = store.generation();
        assert_eq!(store.view().generation(), generation);
        assert_eq!(!seen.contains(&generation), expected, "{what}");
        seen.push(generation);
    };
    store.resolve(&labels("a=1")).unwrap();
    step(false, "only resolved", &store);
    store
        .append(&batch(&[("a=1", 1000, 1.0), ("b=1", 1000, 1.0)]))
        .unwrap();
    step(true, "first samples", &store);
    store.append(&batch(&[("a=1", 2000, 1.0)])).unwrap();
    store.maintain(Timestamp(2000)).unwrap();
    step(false, "more samples", &store);
    store.append(&batch(&[("a=1", 5 * hour, 1.0)])).unwrap();
    store.maintain(Timestamp(5 * hour)).unwrap();
    step(true, "a series went quiet", &store);
    let recent = common::range(4 * hour, 6 * hour);
    let view = store.view();
    assert_eq!(view.select(&[], recent).unwrap().len(), 1);
    assert_eq!(
        view.select(&[], common::range(0, 6 * hour)).unwrap().len(),
        2
    );
    store.append(&batch(&[("b=1", 5 * hour, 1.0)])).unwrap();
    step(true, "it is back", &store);
    assert_eq!(store.view().select(&[], recent).unwrap().len(), 2);
}

#[test]
fn names_and_values_are_those_of_series_that_the_view_sees() {
    let (_, store) = fresh(Options::default());
    store
        .append(&batch(&[
            ("__name__=up,job=b", 1, 1.0),
            ("__name__=up,job=a,env=x", 1, 1.0),
        ]))
        .unwrap();
    let view = store.view();
    store
        .append(&batch(&[("__name__=up,job=c,late=1", 2, 1.0)]))
        .unwrap();
    store.resolve(&labels("job=never")).unwrap();
    let all = common::ALL_TIME;
    assert_eq!(
        view.label_names(&[], all).unwrap(),
        ["__name__", "env", "job"]
    );
    assert_eq!(view.label_values("job", &[], all).unwrap(), ["a", "b"]);
    let no_env = Matcher::new("env", MatchOp::Equal, "").unwrap();
    assert_eq!(view.label_values("job", &[no_env], all).unwrap(), ["b"]);
    let order: Vec<_> = store
        .view()
        .select(&[], all)
        .unwrap()
        .iter()
        .map(|it| it.labels().to_string())
        .collect();
    assert_eq!(
        order,
        [
            r#"up{env="x", job="a"}"#,
            r#"up{job="b"}"#,
            r#"up{job="c", late="1"}"#
        ]
    );
}

#[test]
fn a_series_says_whether_it_reaches_into_a_range() {
    let hour = 3_600_000;
    let (_disk, store) = fresh(Options::default());
    store.append(&batch(&[("s=x", 20 * hour, 1.0)])).unwrap();
    store.append(&batch(&[("s=x", 22 * hour, 1.0)])).unwrap();
    let has = |after: i64, until: i64| {
        let series = store.view().select(&[], ALL_TIME).unwrap();
        series[0].may_have(range(after, until))
    };
    assert!(has(0, 20 * hour) && has(20 * hour, 21 * hour) && has(21 * hour, 23 * hour));
    assert!(!has(0, 20 * hour - 1) && !has(22 * hour, 23 * hour));
    let (_disk, store) = fresh(Options {
        out_of_order_window: Duration(hour),
        ..Options::default()
    });
    store.append(&batch(&[("s=x", 20 * hour, 1.0)])).unwrap();
    store
        .append(&batch(&[("s=x", 20 * hour - 9, 1.0)]))
        .unwrap();
    let series = store.view().select(&[], ALL_TIME).unwrap();
    assert!(series[0].may_have(range(0, 20 * hour - 9)));
}

#[test]
fn retention_drops_the_oldest_by_time_and_by_bytes() {
    let hour = 3_600_000;
    let fill = |options: Options| {
        let (disk, store) = fresh(options);
        for n in 0..20_000_i64 {
            let at = n * 15_000;
            store
                .append(&batch(&[
                    ("a=1", at, (n as f64).sqrt()),
                    ("a=2", at, (n as f64).sin()),
                ]))
                .unwrap();
            if n % 40 == 0 {
                store.maintain(Timestamp(at)).unwrap();
            }
        }
        (disk, store.stats())
    };
    let all = Options {
        log_bytes_max: 10_000,
        retention: Duration::from_hours(1000),
        ..Options::default()
    };
    let (_, whole) = fill(all.clone());
    assert_eq!(
        (whole.series, whole.samples, whole.oldest),
        (2, 40_000, Some(Timestamp(0)))
    );
    let (disk, by_time) = fill(Options {
        retention: Duration::from_hours(20),
        ..all.clone()
    });
    let age = by_time.newest.unwrap() - by_time.oldest.unwrap();
    assert!(age.0 >= 20 * hour && age.0 < 24 * hour, "{age:?}");
    assert!(by_time.disk_bytes < whole.disk_bytes / 3);
    let (_, by_bytes) = fill(Options {
        retention_bytes: Some(120_000),
        ..all.clone()
    });
    assert!(
        by_bytes.disk_bytes < 140_000 && by_bytes.samples > 5_000,
        "{by_bytes:?}"
    );
    assert!(whole.disk_bytes > 2 * by_bytes.disk_bytes);
    assert_eq!(open(&disk, &all).stats().samples, by_time.samples);
}

#[test]
fn a_view_is_one_moment_while_others_append() {
    let (_, store) = fresh(Options {
        head_span: Duration::from_mins(5),
        log_bytes_max: 50_000,
        ..Options::default()
    });
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..4000_i64 {
                let at = n * 1000;
                // Both series get the same, always in one batch.
                store
                    .append(&batch(&[("a=1", at, n as f64), ("a=2", at, n as f64)]))
                    .unwrap();
                if n % 100 == 0 {
                    store.sync().unwrap();
                }
            }
            is_done.store(true, Ordering::Release);
        });
        scope.spawn(|| {
            while !is_done.load(Ordering::Acquire) {
                let now = store.stats().newest.unwrap_or_default();
                store.maintain(now).unwrap();
            }
        });
        for _ in 0..2 {
            scope.spawn(|| {
                while !is_done.load(Ordering::Acquire) {
                    let view = store.view();
                    let series = view.select(&[], common::ALL_TIME).unwrap();
                    let read = |idx: usize| {
                        let mut samples = Vec::new();
                        let series: &Arc<_> = series.get(idx)?;
                        series.samples(common::ALL_TIME, &mut samples).unwrap();
                        Some(bits(&samples))
                    };
                    let (first, second) = (read(0), read(1));
                    assert_eq!(first, second);
                    assert_eq!(read(0), first);
                    series
                        .iter()
                        .for_each(|it| common::check_summary(&**it, common::ALL_TIME));
                }
            });
        }
    });
}

#[test]
fn figures_follow_appends_without_a_walk() {
    let (_, store) = fresh(Options::default());
    let figures = || {
        let stats = store.stats();
        let at = |at: Option<Timestamp>| at.map(|at| at.0);
        (
            stats.series,
            stats.samples,
            at(stats.oldest),
            at(stats.newest),
        )
    };
    assert_eq!(figures(), (0, 0, None, None));
    for n in 0..40_i64 {
        let at = 100_000 + n * 1000;
        store.append(&batch(&[("a=1", at, 1.0)])).unwrap();
        assert_eq!(figures(), (1, n as u64 + 1, Some(100_000), Some(at)));
    }
    // Refused, as too old for its series; and a new series that begins before all others.
    store.append(&batch(&[("a=1", 5, 1.0)])).unwrap();
    store.append(&batch(&[("a=2", 7, 1.0)])).unwrap();
    assert_eq!(figures(), (2, 41, Some(7), Some(139_000)));
    store.maintain(Timestamp(139_000)).unwrap();
    assert_eq!(figures(), (2, 41, Some(7), Some(139_000)));
    let late = 139_000 + Options::default().retention.0 + 3_600_000;
    store.append(&batch(&[("a=3", late, 1.0)])).unwrap();
    // What was raw is sealed first.
    store.maintain(Timestamp(late)).unwrap();
    store.maintain(Timestamp(late)).unwrap();
    assert_eq!(figures(), (1, 1, Some(late), Some(late)));
}

#[test]
fn whoever_watches_series_hears_of_their_samples_once_until_it_asks() {
    let (_, store) = fresh(Options::default());
    let n_calls = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let calls = Arc::clone(&n_calls);
    store.notify_arrivals(move || {
        calls.fetch_add(1, Ordering::Relaxed);
    });
    let mut at = 0;
    let mut come = |series: &[&str]| {
        at += 1000;
        let samples: Vec<_> = series.iter().map(|it| (*it, at, 1.0)).collect();
        store.append(&batch(&samples)).unwrap();
    };
    come(&["a=1"]);
    assert_eq!(store.take_arrived(), None);
    let any_b = Matcher::new("b", MatchOp::Regex, ".+").unwrap();
    store.watch(
        7,
        vec![vec![vec![Matcher::equal("a", "1")]], vec![vec![any_b]]],
    );
    come(&["a=2"]);
    assert_eq!(store.take_arrived(), None);
    come(&["a=1", "a=2"]);
    come(&["a=1"]);
    come(&["b=x"]);
    assert_eq!(n_calls.load(Ordering::Relaxed), 1);
    assert_eq!(store.take_arrived(), Some((7, vec![0, 1])));
    assert_eq!(store.take_arrived(), None);
    come(&["b=x"]);
    assert_eq!(store.take_arrived(), Some((7, vec![1])));
    assert_eq!(n_calls.load(Ordering::Relaxed), 2);
    store.watch(8, Vec::new());
    come(&["a=1"]);
    assert_eq!(store.take_arrived(), None);
}

#[test]
fn samples_of_the_future_are_refused_of_others_and_do_not_end_the_window() {
    let now = Timestamp(50 * 3_600_000);
    let ahead = AHEAD_MAX.0;
    let options = Options {
        out_of_order_window: Duration::from_hours(1),
        ..Options::default()
    };
    let (disk, store) = fresh(options.clone());
    let arrive = |store: &Store, job: &str, at: &[i64]| {
        let mut batch = Batch::default();
        let at = at.iter().map(|at| now.0.saturating_add(*at));
        let samples: Vec<_> = at.map(|at| sample(at, 1.0)).collect();
        batch.add(labels(job), &samples);
        batch.arrive(now);
        let report = store.append(&batch).unwrap();
        (report.too_far_ahead, counts(report))
    };
    let taken = (0, [1, 0, 0, 0]);
    assert_eq!(arrive(&store, "job=a", &[0]), taken);
    for at in [ahead + 1, i64::MAX] {
        assert_eq!(arrive(&store, "job=a", &[at]), (1, [0; 4]));
        assert_eq!(arrive(&store, "job=new", &[at]), (1, [0; 4]));
    }
    let some = arrive(&store, "job=a", &[1, ahead, ahead + 1, 2 * ahead]);
    assert_eq!(some, (2, [2, 0, 0, 0]));
    let mut one = Batch::default();
    let (at, histogram) = (now + AHEAD_MAX + AHEAD_MAX, Arc::default());
    one.add_histograms(labels("job=h"), [HistogramSample { at, histogram }]);
    one.arrive(now);
    let report = store.append(&one).unwrap();
    assert_eq!((report.too_far_ahead, report.histograms_refused), (1, 1));
    // The user's own rules, and an earlier version, may have put one there.
    let ours = batch(&[("job=b", i64::MAX, 1.0)]);
    assert_eq!(store.append(&ours).unwrap().appended, 1);
    assert_eq!(arrive(&store, "job=a", &[-60_000]), taken);
    drop(store);
    let store = open(&disk, &options);
    assert_eq!(arrive(&store, "job=a", &[-120_000]), taken);
    assert_eq!(arrive(&store, "job=b", &[-120_000]), taken);
    let too_old = arrive(&store, "job=a", &[-3_600_001]);
    assert_eq!(too_old, (0, [0, 0, 0, 1]));
}

/// As a reload of the configuration does it.
#[test]
fn options_may_change_while_the_store_is_open() {
    let store = open(&MemoryDisk::default(), &Options::default());
    let append = |job: &str, at: i64| store.append(&batch(&[(job, at, 1.0)])).unwrap();
    append("job=a", 100_000);
    assert_eq!(append("job=a", 50_000).out_of_order, 1);
    store.set_options(Options {
        out_of_order_window: Duration::from_hours(1),
        series_max: 1,
        ..Options::default()
    });
    assert_eq!(append("job=a", 50_000).appended, 1);
    assert_eq!(append("job=b", 50_000).over_limit, 1);
    store.set_options(Options::default());
    assert_eq!(append("job=a", 60_000).out_of_order, 1);
    assert_eq!(append("job=b", 60_000).appended, 1);
}

/// What was taken is known after a kill, also where the configuration has turned late samples off.
#[test]
fn late_samples_come_back_into_a_store_that_takes_no_more_of_them() {
    let disk = MemoryDisk::default();
    let late = Options {
        out_of_order_window: Duration::from_hours(1),
        ..Options::default()
    };
    let store = open(&disk, &late);
    for at in [100_000, 50_000] {
        let report = store.append(&batch(&[("job=a", at, 1.0)])).unwrap();
        assert_eq!(report.appended, 1);
    }
    let expected = dump(&store.view());
    drop(store);
    for _ in 0..2 {
        let store = open(&disk, &Options::default());
        assert_eq!(dump(&store.view()), expected);
        let report = store.append(&batch(&[("job=a", 60_000, 1.0)])).unwrap();
        assert_eq!(report.out_of_order, 1);
    }
}
