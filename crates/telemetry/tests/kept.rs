//! What is kept, found and forgotten, over restarts.

use std::sync::Arc;

use firebell_disk::{Disk as _, MemoryDisk};
use firebell_model::{Duration, Timestamp};
use firebell_telemetry::{
    Kept, Limits, LogQuestion, LogRecord, Origin, Record, Span, SpanId, SpanKind, TraceId,
    TraceQuestion, logs, trace, traces,
};

const NOW: Timestamp = Timestamp(1_790_000_000_000);
const NANOS: u64 = 1_790_000_000_000_000_000;
const LIMITS: Limits = Limits {
    retention: Duration::from_hours(24),
    bytes_max: 1 << 20,
};

fn origin(service: &str) -> Origin {
    Origin {
        service: service.to_owned(),
        attributes: vec![("service.name".to_owned(), service.to_owned())],
    }
}

fn id(number: u8) -> TraceId {
    TraceId::of_bytes(&[number; 16]).unwrap()
}

fn span(of: u8, name: &str, start: u64, lasted: u64) -> Span {
    Span {
        trace: id(of),
        id: SpanId::of_bytes(&(start + 1).to_be_bytes()).unwrap(),
        parent: (name != "root").then(|| SpanId::of_bytes(&[1; 8]).unwrap()),
        name: name.to_owned(),
        kind: SpanKind::Server,
        start_nanos: NANOS + start,
        end_nanos: NANOS + start + lasted,
        failure: (name == "failed").then(|| "no luck".to_owned()),
        attributes: vec![("http.route".to_owned(), "/pay".to_owned())],
        events: Vec::new(),
        links: Vec::new(),
    }
}

fn line(at: u64, severity: u8, body: &str) -> LogRecord {
    LogRecord {
        nanos: NANOS + at,
        severity,
        body: body.to_owned(),
        trace: Some(id(1)),
        ..LogRecord::default()
    }
}

fn opened<R: Record>(disk: &MemoryDisk) -> Kept<R> {
    let (kept, damage) = Kept::open(Arc::new(disk.clone()), &LIMITS).unwrap();
    assert_eq!(damage, Vec::<String>::new());
    kept
}

fn found(disk: &MemoryDisk, question: TraceQuestion) -> Vec<String> {
    let kept = opened::<Span>(disk);
    let found = traces(&kept, question).read(disk).unwrap();
    assert!(found.is_whole);
    let line = |it: &firebell_telemetry::TraceFound| {
        let lasted = it.end_nanos - it.start_nanos;
        let (name, service) = (&it.name, &it.service);
        let first = &it.id.to_string()[..2];
        format!(
            "{first} {name} of {service}: {} spans, {} failed, {lasted} ns",
            it.n_spans, it.n_failed
        )
    };
    found.all.iter().map(line).collect()
}

const ALL: TraceQuestion = TraceQuestion {
    service: None,
    from_nanos: 0,
    to_nanos: u64::MAX,
    only_failed: false,
    lasted_nanos_min: 0,
    text: String::new(),
    limit: 10,
};

#[test]
fn a_trace_is_found_whole_over_services_and_a_restart() {
    let disk = MemoryDisk::default();
    let mut kept = opened::<Span>(&disk);
    let mut add = |service: &str, spans: &[Span]| {
        kept.append(NOW, &LIMITS, &origin(service), spans).unwrap();
    };
    add("shop", &[span(1, "query", 20, 5), span(1, "root", 0, 90)]);
    add("bank", &[span(1, "failed", 30, 10), span(2, "root", 50, 1)]);
    drop(kept);

    let kept = opened::<Span>(&disk);
    let of_one = trace(&kept, id(1)).read::<Span>(&disk).unwrap();
    let names: Vec<_> = of_one
        .all
        .iter()
        .map(|(from, it)| (&*from.service, &*it.name))
        .collect();
    assert_eq!(
        names,
        [("shop", "root"), ("shop", "query"), ("bank", "failed")]
    );
    assert_eq!(of_one.all[0].1, span(1, "root", 0, 90));
    assert_eq!(trace(&kept, id(9)).read::<Span>(&disk).unwrap().all, []);

    let one = "01 root of shop: 3 spans, 1 failed, 90 ns";
    let two = "02 root of bank: 1 spans, 0 failed, 1 ns";
    assert_eq!(found(&disk, ALL), [two, one]);
    let of = |service: &str| TraceQuestion {
        service: Some(service.to_owned()),
        ..ALL
    };
    assert_eq!(found(&disk, of("shop")), [one]);
    assert_eq!(found(&disk, of("bank")), [two, one]);
    assert!(found(&disk, of("mail")).is_empty());
    assert_eq!(found(&disk, TraceQuestion { limit: 1, ..ALL }), [two]);
    let failed = TraceQuestion {
        only_failed: true,
        ..ALL
    };
    assert_eq!(found(&disk, failed), [one]);
    let slow = TraceQuestion {
        lasted_nanos_min: 50,
        ..ALL
    };
    assert_eq!(found(&disk, slow), [one]);
    let says = |text: &str| TraceQuestion {
        text: text.to_owned(),
        ..ALL
    };
    assert_eq!(found(&disk, says("QUERY")), [one]);
    assert_eq!(found(&disk, says("no luck")), [one]);
    assert_eq!(found(&disk, says("/pay")), [two, one]);
    assert!(found(&disk, says("mail")).is_empty());
}

#[test]
fn log_records_are_found_by_what_they_say() {
    let disk = MemoryDisk::default();
    let mut kept = opened::<LogRecord>(&disk);
    let mut records = vec![
        line(1, 9, "begun"),
        line(3, 17, "The Bank is away"),
        line(2, 13, "slow"),
    ];
    records[2].trace = None;
    kept.append(NOW, &LIMITS, &origin("shop"), &records)
        .unwrap();
    kept.append(NOW, &LIMITS, &origin("bank"), &[line(4, 9, "closed")])
        .unwrap();
    let all = LogQuestion {
        trace: None,
        service: None,
        from_nanos: 0,
        to_nanos: u64::MAX,
        severity_min: 0,
        text: String::new(),
        limit: 10,
    };
    let check = |question: LogQuestion, expected: &[&str]| {
        let found = logs(&kept, question.clone()).read(&disk).unwrap();
        let said: Vec<&str> = found.all.iter().map(|(_, it)| &*it.body).collect();
        assert_eq!(said, expected, "{question:?}");
    };
    check(
        all.clone(),
        &["closed", "The Bank is away", "slow", "begun"],
    );
    check(
        LogQuestion {
            limit: 2,
            ..all.clone()
        },
        &["closed", "The Bank is away"],
    );
    check(
        LogQuestion {
            severity_min: 13,
            ..all.clone()
        },
        &["The Bank is away", "slow"],
    );
    check(
        LogQuestion {
            text: "bAnK".into(),
            ..all.clone()
        },
        &["The Bank is away"],
    );
    check(
        LogQuestion {
            service: Some("bank".into()),
            ..all.clone()
        },
        &["closed"],
    );
    check(
        LogQuestion {
            trace: Some(id(1)),
            to_nanos: NANOS + 3,
            ..all
        },
        &["The Bank is away", "begun"],
    );
}

#[test]
fn bytes_are_bounded_and_what_goes_is_counted() {
    let disk = MemoryDisk::default();
    let mut kept = opened::<LogRecord>(&disk);
    let text = "x".repeat(1000);
    let n_records = 4000;
    let mut n_dropped = 0;
    for at in 0..n_records {
        let record = [line(at, 9, &text)];
        let dropped = kept.append(NOW, &LIMITS, &origin("shop"), &record).unwrap();
        assert_eq!(dropped.by_age, 0);
        n_dropped += dropped.by_bytes;
        assert!(kept.bytes() <= LIMITS.bytes_max + (LIMITS.bytes_max / 16) + 2_000);
    }
    let left = trace(&kept, id(1)).read::<LogRecord>(&disk).unwrap().all;
    assert_eq!(left.len() as u64 + n_dropped, n_records);
    // The newest are there, without a gap.
    assert_eq!(left.last().unwrap().1.nanos, NANOS + n_records - 1);
    assert_eq!(left[0].1.nanos, NANOS + n_dropped);
    let on_disk: usize = disk
        .list("logs")
        .unwrap()
        .iter()
        .map(|it| disk.read(&format!("logs/{it}")).unwrap().len())
        .sum();
    assert!(
        on_disk as u64 <= kept.bytes() + 16 * 20,
        "{on_disk} {}",
        kept.bytes()
    );
}

#[test]
fn what_is_too_old_goes_also_when_nothing_comes() {
    let disk = MemoryDisk::default();
    let mut kept = opened::<Span>(&disk);
    kept.append(NOW, &LIMITS, &origin("shop"), &[span(1, "root", 0, 1)])
        .unwrap();
    let forget = |kept: &mut Kept<Span>, hours| {
        kept.forget(NOW + Duration::from_hours(hours), &LIMITS)
            .unwrap()
            .by_age
    };
    assert_eq!(forget(&mut kept, 24), 0);
    assert_eq!(forget(&mut kept, 25), 1);
    assert_eq!(kept.bytes(), 0);
    drop(kept);
    assert!(found(&disk, ALL).is_empty());
}

#[test]
fn a_cut_at_any_byte_costs_no_more_than_what_stood_there() {
    let disk = MemoryDisk::default();
    let mut kept = opened::<Span>(&disk);
    for number in 1..=3 {
        kept.append(
            NOW,
            &LIMITS,
            &origin("shop"),
            &[span(number, "root", u64::from(number), 1)],
        )
        .unwrap();
    }
    let path = "spans/00000000";
    let whole = disk.read(path).unwrap();
    let mut n_before = 0;
    for cut in 0..=whole.len() {
        let disk = MemoryDisk::default();
        disk.append(path, &whole[..cut]).unwrap();
        let n_found = found(&disk, ALL).len();
        assert!((n_before..=n_before + 1).contains(&n_found), "cut at {cut}");
        n_before = n_found;
    }
    assert_eq!(n_before, 3);
}
