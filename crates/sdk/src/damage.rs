//! What is read from outside, files that dead processes left and answers of servers, with damage of
//! every kind: nobody panics, nothing goes on for ever.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::cells::{Kind, Point, collect_of_dead, totals_of};
use crate::definition::Definition;
use crate::http::{Stream, read_answer};
use crate::metric::Metrics;
use crate::ring::{Field, Lane, Reader, Ring};
use crate::settings::attributes_of;
use crate::sums::Folded;

const CASES: u64 = 3_000;

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 11
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    /// What breaks things: ends of ranges, neighbours of what was there, anything.
    fn word(&mut self, was: u64) -> u64 {
        match self.below(7) {
            0 => 0,
            1 => u64::MAX,
            2 => was.wrapping_add(1),
            3 => was.wrapping_sub(1),
            4 => was ^ 1 << self.below(64),
            5 => 1 << self.below(64),
            _ => self.next() << self.below(12),
        }
    }
}

/// Words of a process that recorded something of each kind, and where what is not zero stands.
fn words() -> (&'static [AtomicU64], Vec<usize>) {
    let words: &'static [AtomicU64] = Vec::leak((0..300_000).map(|_| AtomicU64::new(0)).collect());
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
    let used = (0..words.len())
        .filter(|idx| words[*idx].load(Ordering::Relaxed) != 0)
        .collect();
    (words, used)
}

/// All that is read of a file; how many records and series were found.
fn read(words: &[AtomicU64]) -> (usize, usize) {
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

#[test]
fn a_damaged_ring_is_read_as_far_as_it_goes() {
    let (words, used) = words();
    let sound: Vec<(usize, u64)> = used
        .iter()
        .map(|idx| (*idx, words[*idx].load(Ordering::Relaxed)))
        .collect();
    let restore = || {
        words.iter().for_each(|it| it.store(0, Ordering::Relaxed));
        sound
            .iter()
            .for_each(|(idx, value)| words[*idx].store(*value, Ordering::Relaxed));
    };
    assert_eq!(read(words), (12, 3));
    let mut dice = Dice(1);
    let (mut n_whole, mut n_none) = (0, 0);
    for _ in 0..CASES / 10 {
        restore();
        for _ in 0..=dice.below(3) {
            let at = used[dice.below(used.len())];
            let was = words[at].load(Ordering::Relaxed);
            words[at].store(dice.word(was), Ordering::Relaxed);
        }
        let until = if dice.below(10) == 0 {
            dice.below(words.len())
        } else {
            words.len()
        };
        match read(words.get(..until).unwrap()) {
            (12, 3) => n_whole += 1,
            (0, 0) => n_none += 1,
            _ => {}
        }
    }
    // The damage is neither always fatal nor never seen.
    assert!(n_whole > 10 && n_none > 10, "{n_whole} {n_none}");
}

#[test]
fn damaged_totals_of_dead_processes_are_none_or_some() {
    let kinds = [Kind::Counter, Kind::Histogram];
    let mut folded = Folded::default();
    folded.instances.insert("one".into());
    for kind in kinds {
        let mut sum = crate::sums::Sum::default();
        sum.total.buckets = BTreeMap::from([(511, 2), (600, 3)]);
        folded.series.insert((kind, vec![1, 2, 3]), sum);
    }
    let bytes = folded.encode();
    let mut dice = Dice(2);
    for _ in 0..CASES {
        let mut damaged = bytes.clone();
        let at = dice.below(damaged.len() - 8);
        damaged[at] = dice.next() as u8;
        damaged.truncate(8 + dice.below(damaged.len()));
        // With the right checksum hardly anything would be read at all.
        let end = damaged.len() - 8;
        let crc = u64::from(crc32fast::hash(&damaged[..end]));
        damaged[end..].copy_from_slice(&crc.to_le_bytes());
        let _ = Folded::decode(&damaged);
    }
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

#[test]
fn answers_of_every_kind_are_read_or_refused() {
    let answers: [&[u8]; 4] = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"HTTP/1.1 204 Nothing\r\nConnection: close\r\n\r\n",
    ];
    let deadline = Instant::now() + Duration::from_secs(3600);
    let read = |bytes: &[u8], step: usize| read_answer(&mut Said(bytes, step), deadline);
    for (answer, status) in answers.iter().zip([200, 429, 503, 204]) {
        assert_eq!(read(answer, 3).unwrap().0.status, status);
    }
    let mut dice = Dice(3);
    let mut n_read = 0;
    for _ in 0..CASES {
        let mut bytes = answers[dice.below(answers.len())].to_vec();
        for _ in 0..=dice.below(4) {
            let at = dice.below(bytes.len());
            match dice.below(3) {
                0 => bytes[at] = dice.next() as u8,
                1 => bytes.truncate(at.max(1)),
                _ => bytes
                    .splice(at..at, *b"99999999999999999999")
                    .for_each(drop),
            }
        }
        n_read += u64::from(read(&bytes, 1 + dice.below(64)).is_ok());
    }
    assert!(n_read > CASES / 20 && n_read < CASES, "{n_read}");
    let endless = vec![b'x'; 1 << 20];
    assert!(read(&endless, 4096).is_err());
}
