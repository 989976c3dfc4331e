//! Blocks of a real Prometheus, every sample of them, and what becomes of damaged ones.
//!
//! `make_blocks.py` made `blocks/`: each has a `dump.txt`, which is what promtool reads there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use firebell_disk::{Disk, MemoryDisk};
use firebell_import::block::{Block, BlockSeries};
use firebell_import::{Importer, Journal, Report, TextFormat};
use firebell_model::{
    Histogram, HistogramSample, Labels, Matcher, Sample, Source, TimeRange, Timestamp,
};
use firebell_tsdb::{Options, Store};
use proptest::prelude::*;

/// 2027: behind all that is imported here.
const NOW: Timestamp = Timestamp(1_800_000_000_000);

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/blocks")
        .join(name)
}

/// A block in memory.
fn block_disk(name: &str) -> MemoryDisk {
    let disk = MemoryDisk::default();
    for file in ["meta.json", "index", "tombstones", "chunks/000001"] {
        let content = std::fs::read(folder(name).join(file)).unwrap();
        disk.replace(file, &content).unwrap();
    }
    disk
}

/// What is at one moment: a float, or count, sum and the buckets that are not empty, as numbers.
type Value = Vec<f64>;
type Dump = BTreeMap<String, BTreeMap<i64, Value>>;

fn expected(name: &str) -> Dump {
    let text = std::fs::read_to_string(folder(name).join("dump.txt")).unwrap();
    let mut dump = Dump::new();
    for line in text.lines() {
        let (rest, at) = line.rsplit_once(' ').unwrap();
        let (labels, value) = rest.split_once("} ").unwrap();
        let value = match value.strip_prefix('{') {
            None => vec![value.parse().unwrap()],
            Some(histogram) => numbers(histogram.trim_end_matches('}')),
        };
        let series = dump.entry(format!("{labels}}}")).or_default();
        series.insert(at.parse().unwrap(), value);
    }
    dump
}

/// The numbers of a histogram as upstream prints it: `count:1, sum:2, [lower,upper]:count, …`.
fn numbers(text: &str) -> Value {
    let is_number = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+');
    let words = text.split(|c| !is_number(c));
    words.filter_map(|word| word.parse().ok()).collect()
}

fn value_of(histogram: &Histogram) -> Value {
    if histogram.is_stale() {
        return vec![0.0, histogram.sum];
    }
    let mut value = vec![histogram.count, histogram.sum];
    for bucket in histogram
        .all_buckets()
        .into_iter()
        .filter(|it| it.count != 0.0)
    {
        value.extend([bucket.lower, bucket.upper, bucket.count]);
    }
    value
}

fn put(dump: &mut Dump, labels: &Labels, samples: &[Sample], histograms: &[HistogramSample]) {
    // Upstream writes the name as a label like any other.
    let pairs: Vec<String> = labels
        .iter()
        .map(|it| format!("{}={:?}", it.name, it.value))
        .collect();
    let series = dump.entry(format!("{{{}}}", pairs.join(", "))).or_default();
    series.extend(samples.iter().map(|it| (it.at.0, vec![it.value])));
    series.extend(
        histograms
            .iter()
            .map(|it| (it.at.0, value_of(&it.histogram))),
    );
}

fn read(disk: MemoryDisk) -> (Dump, Vec<String>) {
    let mut block = Block::open(Arc::new(disk)).unwrap();
    let mut series = BlockSeries::default();
    let (mut dump, mut problems) = (Dump::new(), Vec::new());
    while block.next_series(&mut series) {
        put(
            &mut dump,
            &series.labels,
            &series.samples,
            &series.histograms,
        );
        problems.append(&mut series.problems);
    }
    (dump, problems)
}

fn store() -> Store {
    Store::open(Arc::new(MemoryDisk::default()), Options::default())
        .unwrap()
        .0
}

fn dump(store: &Store) -> Dump {
    let all = TimeRange {
        after: Timestamp::MIN,
        until: Timestamp::MAX,
    };
    let mut dump = Dump::new();
    for series in store.view().select(&[], all).unwrap() {
        let (mut samples, mut histograms) = (Vec::new(), Vec::new());
        series.samples(all, &mut samples).unwrap();
        series.histograms(all, &mut histograms).unwrap();
        put(&mut dump, series.labels(), &samples, &histograms);
    }
    dump
}

fn import(store: &Store, act: impl FnOnce(&mut Importer<'_>)) -> Report {
    let journal = Journal::open(Arc::new(MemoryDisk::default())).unwrap();
    let mut tell = |_: &firebell_import::Progress<'_>| {};
    let mut importer = Importer::new(store, journal, NOW, &mut tell);
    act(&mut importer);
    importer.report().clone()
}

fn check(found: &Dump, expected: &Dump) {
    assert_eq!(
        found.keys().collect::<Vec<_>>(),
        expected.keys().collect::<Vec<_>>()
    );
    for (labels, series) in expected {
        let times = |series: &BTreeMap<i64, Value>| series.keys().copied().collect::<Vec<_>>();
        assert_eq!(times(&found[labels]), times(series), "{labels}");
        for (at, value) in series {
            let found = &found[labels][at];
            let is_same = found.len() == value.len()
                && found.iter().zip(value).all(|(a, b)| {
                    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-14 * b.abs()
                });
            assert!(is_same, "{labels} at {at}: {found:?}, not {value:?}");
        }
    }
}

/// What promtool has too: its loop over kinds of samples passes over the beginning of a series of
/// histograms, and over all behind the place where whole counts turn to floats.
fn seen_by_promtool(mut found: Dump, expected: &Dump) -> Dump {
    for (labels, series) in &mut found {
        let is_missed =
            |at: &i64, value: &Value| value.len() > 1 && !expected[labels].contains_key(at);
        series.retain(|at, value| !is_missed(at, value));
    }
    found
}

#[test]
fn every_sample_of_a_block_is_what_promtool_says() {
    for name in ["scraped", "deleted"] {
        let (found, problems) = read(block_disk(name));
        assert_eq!(problems, Vec::<String>::new());
        let expected = expected(name);
        check(&seen_by_promtool(found, &expected), &expected);
    }
    let block = Block::open(Arc::new(block_disk("scraped"))).unwrap();
    let (found, _) = read(block_disk("scraped"));
    assert_eq!(
        found.values().map(BTreeMap::len).sum::<usize>() as u64,
        block.meta().stats.num_samples
    );
}

#[test]
fn text_and_the_block_that_promtool_makes_of_it_are_the_same() {
    let disk = MemoryDisk::default();
    let text = std::fs::read(folder("work.txt")).unwrap();
    disk.replace("work.txt", &text).unwrap();
    let store = store();
    let report = import(&store, |it| {
        let what = (text.len() as u64, TextFormat::Guess);
        it.text(&disk, "work.txt", what, "work.txt").unwrap();
    });
    assert_eq!((report.sources, report.problems), (1, Vec::new()));
    // The block lacks what was deleted of it, so that it adds nothing.
    let report = import(&store, |it| {
        it.block(Arc::new(block_disk("deleted")), "deleted")
            .unwrap();
    });
    assert_eq!((report.added, report.problems), (0, Vec::new()));
    let all = dump(&store);
    let expected = expected("deleted");
    assert!(report.known > 1000 && all.len() == 6);
    for (labels, series) in &all {
        let left: BTreeMap<_, _> = series
            .iter()
            .filter(|it| expected[labels].contains_key(it.0))
            .map(|it| (*it.0, it.1.clone()))
            .collect();
        check(
            &[(labels.clone(), left)].into(),
            &[(labels.clone(), expected[labels].clone())].into(),
        );
    }
}

#[test]
fn a_block_of_native_histograms_is_in_the_store_afterwards() {
    let store = store();
    let report = import(&store, |it| {
        it.block(Arc::new(block_disk("scraped")), "scraped")
            .unwrap();
    });
    assert_eq!(report.problems, Vec::<String>::new());
    let (expected, _) = read(block_disk("scraped"));
    assert_eq!(
        report.added,
        expected.values().map(BTreeMap::len).sum::<usize>() as u64
    );
    check(&dump(&store), &expected);
}

#[test]
fn a_damaged_chunk_is_named_and_the_rest_is_read() {
    let disk = block_disk("scraped");
    let mut chunks = disk.read("chunks/000001").unwrap();
    chunks[20_000] ^= 1;
    disk.replace("chunks/000001", &chunks).unwrap();
    let (found, problems) = read(disk);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(
        problems[0].starts_with("`chunks/000001`: the chunk at byte "),
        "{problems:?}"
    );
    let n = |dump: &Dump| dump.values().map(BTreeMap::len).sum::<usize>();
    let all = n(&read(block_disk("scraped")).0);
    assert!(n(&found) < all && n(&found) > all - 300, "{}", n(&found));
}

#[test]
fn a_chunk_file_that_is_missing_is_named_and_no_other_takes_its_place() {
    let disk = block_disk("deleted");
    let chunks = disk.read("chunks/000001").unwrap();
    disk.remove("chunks/000001").unwrap();
    disk.replace("chunks/000002", &chunks).unwrap();
    let (found, problems) = read(disk);
    assert_eq!(found.values().map(BTreeMap::len).sum::<usize>(), 0);
    // Each of the six series says so once.
    assert_eq!(problems.len(), 6, "{problems:?}");
    for problem in problems {
        let beginning = "`chunks/000001` is not there: what it has of ";
        assert!(problem.starts_with(beginning), "{problem}");
    }
}

/// CRC-32 with Castagnoli's polynomial, bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg());
    let byte = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), step);
    !bytes.iter().fold(u32::MAX, byte)
}

#[test]
fn a_chunk_of_other_times_than_the_index_says_is_named_and_left_out() {
    let disk = block_disk("deleted");
    let mut chunks = disk.read("chunks/000001").unwrap();
    // Behind the head of the file, the first chunk: its length in one or two bytes, its encoding
    // (1: floats), the number of samples, the time of the first one, and so on.
    let head = 8;
    let (len, from) = match (chunks[head], chunks[head + 1]) {
        (low @ 0x80.., high) => (usize::from(low & 0x7f) | usize::from(high) << 7, head + 2),
        (len, _) => (usize::from(len), head + 1),
    };
    let until = from + 1 + len;
    assert_eq!(chunks[from], 1);
    let right = crc32c(&chunks[from..until]).to_be_bytes();
    assert_eq!(chunks[until..until + 4], right);
    chunks[from + 3 + 4] ^= 1;
    let crc = crc32c(&chunks[from..until]).to_be_bytes();
    chunks[until..until + 4].copy_from_slice(&crc);
    disk.replace("chunks/000001", &chunks).unwrap();
    let (_, problems) = read(disk);
    let expected = "`chunks/000001`: the chunk at byte 8 is of other times than the index says";
    assert_eq!(problems, [expected]);
}

#[test]
fn a_block_that_cannot_be_read_is_named_and_nothing_comes_of_it() {
    for (file, damage, expected) in [
        (
            "meta.json",
            &b"{"[..],
            "bad: `meta.json`: EOF while parsing an object at line 1 column 1",
        ),
        ("index", b"nothing", "bad: `index`: this is no index"),
        (
            "index",
            b"\xba\xaa\xd7\x00\x09",
            "bad: `index`: index version 9 is not known",
        ),
        (
            "tombstones",
            b"x",
            "bad: `tombstones`: it is damaged: what was deleted would come back",
        ),
    ] {
        let disk = block_disk("deleted");
        disk.replace(file, damage).unwrap();
        let store = store();
        let report = import(&store, |it| it.block(Arc::new(disk), "bad").unwrap());
        assert_eq!(report.problems, [expected]);
        assert_eq!((report.sources_bad, dump(&store).len()), (1, 0));
    }
}

#[test]
fn what_was_imported_is_not_read_again_unless_it_is_asked_for() {
    let (store, journal_disk) = (store(), MemoryDisk::default());
    let mut tell = |_: &firebell_import::Progress<'_>| {};
    for (is_again, expected) in [(false, (1, 0)), (false, (0, 1)), (true, (1, 0))] {
        let mut journal = Journal::open(Arc::new(journal_disk.clone())).unwrap();
        if is_again {
            journal.forget();
        }
        let mut importer = Importer::new(&store, journal, NOW, &mut tell);
        importer
            .block(Arc::new(block_disk("deleted")), "deleted")
            .unwrap();
        let report = importer.report();
        assert_eq!((report.sources, report.sources_known), expected);
    }
    check(&dump(&store), &expected("deleted"));
}

fn text(content: &str, format: TextFormat) -> (Store, Report) {
    let disk = MemoryDisk::default();
    disk.replace("x", content.as_bytes()).unwrap();
    let store = store();
    let what = (content.len() as u64, format);
    let report = import(&store, |it| it.text(&disk, "x", what, "x").unwrap());
    (store, report)
}

#[test]
fn bad_lines_are_named_with_their_numbers_and_the_others_are_taken() {
    let content = "# TYPE a histogram\n\
                   a_bucket{le=\"1\"} 2 1\n\
                   a_bucket{le=\"1\" 3 2\n\
                   a_bucket{le=\"1\"} 4 3\n\
                   b 7\n\
                   b{x=\"1\",x=\"2\"} 7 1\n\
                   b 8 4\n\
                   # EOF\n";
    let (store, report) = text(content, TextFormat::Guess);
    assert_eq!(
        report.problems,
        [
            "x: line 3, column 16: expected `,` or `}`, found ` 3 2`",
            "x: line 5, column 1: expected timestamp for series b, got none",
            "x: line 6, column 1: label `x` occurs twice",
        ]
    );
    let times: Vec<(String, Vec<i64>)> = dump(&store)
        .into_iter()
        .map(|(labels, series)| (labels, series.into_keys().collect()))
        .collect();
    let expected = [
        (
            "{__name__=\"a_bucket\", le=\"1.0\"}".to_owned(),
            vec![1000, 3000],
        ),
        ("{__name__=\"b\"}".to_owned(), vec![4000]),
    ];
    assert_eq!(times, expected);
}

#[test]
fn good_lines_are_taken_however_many_bad_ones_there_are() {
    let good = |n: usize| format!("good{{n=\"{n}\"}} 1 {n}\n");
    let n_lines = 100_000;
    let lines = (0..n_lines).map(|n| match n % 2 {
        0 => "bad\n".to_owned(),
        _ => good(n),
    });
    // More than one piece, and the bad lines among them, at the end and at the beginning.
    let content = "bad\n".repeat(1500) + &lines.collect::<String>() + "worse\n# EOF\n";
    assert!(content.len() > 1 << 20);
    let (store, report) = text(&content, TextFormat::Guess);
    assert_eq!(report.added, n_lines as u64 / 2);
    assert_eq!(dump(&store).len(), n_lines / 2);
    assert_eq!(report.n_problems, 1500 + n_lines as u64 / 2 + 1);
    assert_eq!(report.problems.len(), 1000);
    assert_eq!(
        report.problems[999],
        "x: line 1000, column 4: expected a space and a value after the series, found the end of \
         the line"
    );
}

#[test]
fn lines_that_are_not_utf8_and_quotes_that_swallow_lines_are_named() {
    let disk = MemoryDisk::default();
    let content = b"a 1 400000000000\nb\xff 1 400000000000\n# TYPE c counter\nc 1 400000000000\n\
                    d{x=\"1} 1 400000000000\ne{x=\"1\"} 1 400000000000\nf 1 400000000000\n";
    disk.replace("x", content).unwrap();
    let store = store();
    let what = (content.len() as u64, TextFormat::Guess);
    let report = import(&store, |it| it.text(&disk, "x", what, "x").unwrap());
    assert_eq!(
        report.problems,
        [
            "x: line 2, column 2: it is not valid UTF-8",
            "x: lines 5 to 6, column 6: expected a label name or `}`, found `1\"} 1 400000000000`",
        ]
    );
    assert_eq!(report.added, 3);
}

#[test]
fn a_file_without_an_end_is_text_or_was_cut_off() {
    let (store, report) = text("a 1 1600000001500\nb 2 1600000002500", TextFormat::Guess);
    assert_eq!((report.added, report.n_problems), (2, 0));
    assert_eq!(
        dump(&store)["{__name__=\"b\"}"]
            .keys()
            .copied()
            .collect::<Vec<_>>(),
        [1_600_000_002_500]
    );
    let (_, report) = text("a 1 1.5\nb 2 2.5\n", TextFormat::OpenMetrics);
    let expected = "x: the data does not end with `# EOF`: it may have been cut off";
    assert_eq!(
        (report.added, report.problems),
        (2, vec![expected.to_owned()])
    );
}

#[test]
fn samples_of_the_future_are_named_and_left_out() {
    let content = "a 1 1799999999\na 2 1800000600\na 3 1800000600.1\na 4 1799999999000\n\
                   b 5 1e300\n# EOF\n";
    let (store, report) = text(content, TextFormat::Guess);
    assert_eq!(
        report.problems,
        [
            "x: line 3, column 1: as seconds, the time would be 2027-01-15T08:10:00.1Z, more than \
             10m ahead of now: is it in milliseconds?",
            "x: line 4, column 1: as seconds, the time would be the year 59009, more than 10m ahead \
             of now: is it in milliseconds?",
            "x: line 5, column 1: as seconds, the time would be the year 292278994, more than 10m \
             ahead of now: is it in milliseconds?",
        ]
    );
    assert_eq!((report.added, report.refused), (2, 3));
    assert_eq!(dump(&store).len(), 1);
    let (_, report) = text("a 1 1799999999000000", TextFormat::Guess);
    assert!(report.problems[0].ends_with("is it in microseconds?"));
}

#[test]
fn samples_of_a_block_that_are_ahead_of_the_clock_are_named_and_left_out() {
    let store = store();
    let journal = Journal::open(Arc::new(MemoryDisk::default())).unwrap();
    let (all, _) = read(block_disk("scraped"));
    let times: BTreeSet<i64> = all.values().flat_map(|it| it.keys().copied()).collect();
    let middle = *times.iter().nth(times.len() / 2).unwrap();
    let mut tell = |_: &firebell_import::Progress<'_>| {};
    let now = Timestamp(middle) - firebell_tsdb::AHEAD_MAX;
    let mut importer = Importer::new(&store, journal, now, &mut tell);
    importer
        .block(Arc::new(block_disk("scraped")), "x")
        .unwrap();
    let report = importer.report().clone();
    let n = |dump: &Dump| dump.values().map(BTreeMap::len).sum::<usize>() as u64;
    let left = dump(&store);
    assert!(
        left.values()
            .flat_map(BTreeMap::keys)
            .all(|&at| at <= middle)
    );
    assert_eq!(report.added, n(&left));
    assert!(report.added > 0 && report.refused > 0);
    assert_eq!(report.added + report.refused, n(&all));
    let expected = "are left out: they are more than 10m ahead of now, up to 20";
    assert!(report.problems.iter().all(|it| it.contains(expected)));
}

#[test]
fn text_that_looks_like_openmetrics_that_was_cut_off_is_not_read_in_milliseconds() {
    let content = "# TYPE a gauge\n".to_owned() + &"a 1 1700000000\n".repeat(90_000);
    let (store, report) = text(&content, TextFormat::Guess);
    assert_eq!((report.added, report.refused), (0, 90_000));
    assert_eq!(dump(&store).len(), 0);
    assert_eq!(
        report.problems,
        [
            "x: 90000 samples, the first in line 2, are left out: as milliseconds, their times would \
             be before 1980 (1970-01-20T16:13:20Z). Are they in seconds? Then it is OpenMetrics: let \
             it end with `# EOF`, or read it with `firebell import openmetrics`"
        ]
    );
}

#[test]
fn lines_may_end_as_on_windows_and_control_characters_are_shown() {
    let content = "# TYPE a gauge\r\na 1 1\r\na 2 2\r3\r\nb{x=\"\t\"} 1\r\na 3 3\r\n# EOF\r\n";
    for format in [TextFormat::Guess, TextFormat::OpenMetrics] {
        let (_, report) = text(content, format);
        assert_eq!(report.added, 2);
        assert_eq!(
            report.problems,
            [
                "x: line 3, column 5: expected a timestamp in seconds, found `2\\r3`",
                "x: line 4, column 1: expected timestamp for series b{x=\"\\t\"}, got none",
            ]
        );
    }
}

#[test]
fn a_store_with_newer_samples_takes_older_ones() {
    let store = store();
    let mut batch = firebell_tsdb::Batch::default();
    let labels = Labels::from_pairs([
        ("__name__", "work_total"),
        ("job", "j0"),
        ("path", "ä \"b\""),
    ]);
    let at = Timestamp(1_900_000_000_000);
    batch.add(&labels, &[Sample { at, value: 1.0 }]);
    store.append(&batch).unwrap();
    let report = import(&store, |it| {
        it.block(Arc::new(block_disk("deleted")), "deleted")
            .unwrap();
    });
    assert!(report.added > 1000);
    let all = TimeRange {
        after: Timestamp::MIN,
        until: Timestamp::MAX,
    };
    let found = store
        .view()
        .select(&[Matcher::equal("job", "j0")], all)
        .unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].last_sample(all).unwrap().unwrap().at, at);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_block_with_any_damage_is_read_without_panic(
        file in prop::sample::select(vec!["index", "tombstones", "chunks/000001"]),
        place in any::<prop::sample::Index>(),
        bytes in prop::collection::vec(any::<u8>(), 1..20),
        is_cut in any::<bool>(),
    ) {
        let disk = block_disk("scraped");
        let mut content = disk.read(file).unwrap();
        let at = place.index(content.len());
        let end = (at + bytes.len()).min(content.len());
        content.splice(at..end, bytes);
        if is_cut {
            content.truncate(at);
        }
        disk.replace(file, &content).unwrap();
        if let Ok(mut block) = Block::open(Arc::new(disk)) {
            let mut series = BlockSeries::default();
            while block.next_series(&mut series) {}
        }
    }

    #[test]
    fn any_text_is_read_without_panic(content in "[ab{}=\"# TYPEOF0-9.\n\\\\]{0,200}") {
        text(&content, TextFormat::Guess);
        text(&content, TextFormat::OpenMetrics);
    }
}
