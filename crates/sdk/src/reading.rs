//! What is read from outside, for those who damage it: files that dead processes left, and answers of
//! servers. Whatever they hold, nobody panics, and nothing goes on for ever.

use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::cells::{Kind, Point, collect_of_dead, totals_of};
use crate::definition::Definition;
use crate::http::{Stream, read_answer};
use crate::metric::Metrics;
use crate::proto;
use crate::ring::{Field, Lane, Reader, Ring};
use crate::settings::attributes_of;
use crate::sums::{Folded, Sum};

/// A ring file of a process that recorded something of each kind, as its words that are not zero.
pub struct RingFile {
    words: &'static [AtomicU64],
    /// Where they stand, and what each is.
    pub used: Vec<(usize, u64)>,
}

impl RingFile {
    /// Never given back: metrics live as long as their process.
    #[must_use]
    pub fn new() -> Self {
        let words: &'static [AtomicU64] =
            Vec::leak((0..N_WORDS).map(|_| AtomicU64::new(0)).collect());
        record_some(words);
        let all = words.iter().map(|it| it.load(Ordering::Relaxed));
        let used = all.enumerate().filter(|(_, word)| *word != 0).collect();
        Self { words, used }
    }

    /// Reads the file with other words in those places, up to its first `n_words`; how many records
    /// and series are found.
    pub fn read(&self, changed: &[(usize, u64)], n_words: usize) -> (usize, usize) {
        self.words
            .iter()
            .for_each(|it| it.store(0, Ordering::Relaxed));
        for (at, word) in changed {
            self.words[*at].store(*word, Ordering::Relaxed);
        }
        read_words(&self.words[..n_words.min(N_WORDS)])
    }
}

impl Default for RingFile {
    fn default() -> Self {
        Self::new()
    }
}

fn record_some(words: &'static [AtomicU64]) {
    let (arena, used) = Ring::arena_of(words);
    let metrics: &'static Metrics = Box::leak(Box::new(Metrics::new(arena, used)));
    let ring = Ring::create(words, 64 << 10);
    ring.set_identity("service.name\u{1f}shop\u{1e}service.instance.id\u{1f}one");
    ring.leave_crumb(1, "{\"message\":\"paid\"}");
    for (kind, name) in [
        (Kind::Counter, "shop.orders"),
        (Kind::Gauge, "shop.held"),
        (Kind::Histogram, "shop.wait"),
    ] {
        let metric = metrics.metric(kind, name, "Said of it.", "s").unwrap();
        let series = metric.series(b"key", vec![("channel".into(), "web".into())]);
        series.add(3.0);
        series.observe(0.25);
        series.observe(7.0);
        series.set_exemplar(7.0, 1, 2, 3);
    }
    for lane in Lane::ALL {
        for record in [&b"first"[..], b"", &[7; 300]] {
            ring.push(lane, record).unwrap();
        }
    }
}

fn read_words(words: &[AtomicU64]) -> (usize, usize) {
    let Some(ring) = Ring::open(words) else {
        return (0, 0);
    };
    assert!(Ring::of_head(words).is_some());
    attributes_of(&ring.identity());
    ring.crumbs();
    let mut n_records = 0;
    for lane in Lane::ALL {
        // No more turns than there are words.
        for _ in 0..words.len() {
            let taken = ring.peek(Reader::Server, lane, 1 << 20);
            n_records += taken.records.len();
            ring.commit(Reader::Server, lane, taken.until);
            if ring.is_empty(lane) {
                break;
            }
        }
        assert!(ring.is_empty(lane), "a lane is read to its end");
    }
    let used = usize::try_from(ring.field(Field::ArenaUsed)).unwrap_or(usize::MAX);
    let totals = totals_of(ring.arena());
    for (kind, definition) in totals.keys() {
        let _ = Definition::parse(*kind, definition);
    }
    let point = Point { since: 1, until: 2 };
    let n_series = collect_of_dead(ring.arena(), used, point).len();
    (n_records, n_series.max(totals.len()))
}

/// A file with what dead processes of a service came to.
#[must_use]
pub fn sums_file() -> Vec<u8> {
    let mut folded = Folded::default();
    folded.instances.insert("one".into());
    for kind in [Kind::Counter, Kind::Histogram] {
        let mut sum = Sum::default();
        sum.total.buckets = [(511, 2), (600, 3)].into();
        folded.series.insert((kind, vec![1, 2, 3]), sum);
    }
    folded.encode()
}

/// Reads such a file, whatever its checksum says: with a wrong one hardly anything would be read.
/// Whether there is something in it.
pub fn read_sums(mut file: Vec<u8>) -> bool {
    if let Some((body, _)) = file.split_last_chunk::<8>() {
        let crc = u64::from(crc32fast::hash(body)).to_le_bytes();
        let end = body.len();
        file[end..].copy_from_slice(&crc);
    }
    let Some(read) = Folded::decode(&file) else {
        return false;
    };
    assert_eq!(
        Folded::decode(&read.encode()).map(|it| it.instances),
        Some(read.instances)
    );
    true
}

/// Reads an answer that comes in pieces of so many bytes; its status, if it is one.
pub fn read_http(answer: &[u8], n_bytes: usize) -> Option<u16> {
    let deadline = Instant::now() + Duration::from_secs(3600);
    let read = read_answer(&mut Said(answer, n_bytes.max(1)), deadline);
    read.ok().map(|(answer, _)| answer.status)
}

/// Reads what an answer to an export says of records that were refused: how many.
pub fn read_refused(answer: &[u8]) -> Option<u64> {
    proto::refused(answer).map(|(n_refused, _)| n_refused)
}

/// A connection on which somebody has said all that there is to hear, a few bytes at a time.
struct Said<'a>(&'a [u8], usize);

impl Read for Said<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.1.min(self.0.len()).min(buffer.len());
        let (now, rest) = self.0.split_at(n);
        buffer[..n].copy_from_slice(now);
        self.0 = rest;
        Ok(n)
    }
}

impl Write for Said<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Said<'_> {
    fn set_deadline(&self, _deadline: Instant) -> io::Result<()> {
        Ok(())
    }
}

/// Head and arena, and room for lanes.
const N_WORDS: usize = 300_000;
