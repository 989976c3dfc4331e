//! What a process keeps where it outlives a kill: records that are not sent yet, what metrics
//! counted since they were sent, the last breadcrumbs, and who it was.
//!
//! It is laid out in words of 64 bits (of this machine; nobody else reads it): a head, an arena
//! that only grows, and a lane of records for each place where records are sent.
//!
//! *Invariants*: a record is counted in before it can be seen and carries its CRC, so whoever reads
//! after a kill sees whole records only. When a lane is full the oldest make room and are counted.

use std::sync::atomic::{AtomicU64, Ordering};

/// Where records go, one lane for each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lane {
    /// Alerts, as JSON objects of Alertmanager's API.
    Alerts,
    /// Metrics: encoded `Metric`s.
    Metrics,
    /// Log records and events: encoded `LogRecord`s.
    Logs,
    /// Spans: encoded `Span`s.
    Traces,
}

impl Lane {
    /// All, the most important first.
    pub const ALL: [Self; 4] = [Self::Alerts, Self::Metrics, Self::Logs, Self::Traces];

    /// What is gained of each eighth of the buffer.
    fn eighths(self) -> usize {
        match self {
            Self::Alerts | Self::Metrics => 1,
            Self::Logs | Self::Traces => 3,
        }
    }

    fn idx(self) -> usize {
        self as usize
    }
}

/// The layout over some words: those of this process, or those of one that died.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ring<'a> {
    words: &'a [AtomicU64],
}

/// What a lane gave: its records, and where it goes on after them.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) records: Vec<Vec<u8>>,
    pub(crate) until: u64,
    /// Records whose CRC is wrong.
    pub(crate) n_bad: u64,
}

/// Who takes records, each at its own pace; what one has not taken stays for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reader {
    /// A Firebell.
    Server,
    /// A collector of OpenTelemetry; there need not be one.
    Collector,
}

/// A record that cannot be kept: longer than half of its lane.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TooLarge;

impl<'a> Ring<'a> {
    /// Lays a new ring out over words of zeros; `buffer_bytes` are for records.
    pub(crate) fn create(words: &'a [AtomicU64], buffer_bytes: usize) -> Self {
        let ring = Self { words };
        let n_words = (buffer_bytes / 8).min(words.len().saturating_sub(LANES_AT));
        let mut at = LANES_AT;
        for lane in Lane::ALL {
            let cap = n_words / 8 * lane.eighths();
            ring.set(lane_field(lane, START), at as u64);
            ring.set(lane_field(lane, CAP), cap as u64);
            at += cap;
        }
        ring.set(FILE_WORDS, at as u64);
        ring.set(VERSION, LAYOUT_VERSION);
        ring.set(MAGIC, MAGIC_WORD);
        ring
    }

    /// Reads what a dead process left. `None`: it is no ring, or of another version.
    pub(crate) fn open(words: &'a [AtomicU64]) -> Option<Self> {
        let ring = Self { words };
        let is_ring = words.len() > LANES_AT
            && ring.get(MAGIC) == MAGIC_WORD
            && ring.get(VERSION) == LAYOUT_VERSION
            && Lane::ALL.into_iter().all(|lane| ring.is_sound(lane));
        is_ring.then_some(ring)
    }

    /// Words before the arena: who it was.
    pub(crate) const HEAD_WORDS: usize = ARENA_AT;
    /// Words of the arena, at most.
    pub(crate) const ARENA_WORDS: usize = ARENA_WORDS;

    /// Reads no more than the head: fields and identity.
    pub(crate) fn of_head(words: &'a [AtomicU64]) -> Option<Self> {
        let ring = Self { words };
        let is_ring = ring.get(MAGIC) == MAGIC_WORD && ring.get(VERSION) == LAYOUT_VERSION;
        is_ring.then_some(ring)
    }

    fn is_sound(self, lane: Lane) -> bool {
        let [start, cap, head, tail] =
            [START, CAP, HEAD, TAIL].map(|it| self.get(lane_field(lane, it)));
        let end = start.checked_add(cap);
        start >= LANES_AT as u64
            && end.is_some_and(|end| end <= self.words.len() as u64)
            && head.checked_sub(tail).is_some_and(|used| used <= cap)
    }

    fn get(self, at: usize) -> u64 {
        self.words
            .get(at)
            .map_or(0, |it| it.load(Ordering::Acquire))
    }

    fn set(self, at: usize, value: u64) {
        if let Some(word) = self.words.get(at) {
            word.store(value, Ordering::Release);
        }
    }

    /// How many bytes of a file it needs.
    pub(crate) fn len_bytes(self) -> usize {
        (self.get(FILE_WORDS) as usize * 8).next_multiple_of(crate::sys::PAGE_BYTES)
    }

    /// A field of the head.
    pub(crate) fn field(self, field: Field) -> u64 {
        self.get(field as usize)
    }

    pub(crate) fn set_field(self, field: Field, value: u64) {
        self.set(field as usize, value);
    }

    // --- records ---

    /// Adds a record; says how many of the oldest made room for it.
    pub(crate) fn push(self, lane: Lane, record: &[u8]) -> Result<u64, TooLarge> {
        let cap = self.get(lane_field(lane, CAP));
        let need = 1 + record.len().div_ceil(8) as u64;
        if need > cap / 2 {
            return Err(TooLarge);
        }
        let head = self.get(lane_field(lane, HEAD));
        let mut tail = self.oldest(lane).min(head);
        let mut n_dropped = 0;
        while head + need - tail > cap {
            tail += self.words_of_record(lane, tail).min(head - tail);
            n_dropped += 1;
        }
        if n_dropped > 0 {
            self.commit(Reader::Server, lane, tail);
            self.commit(Reader::Collector, lane, tail);
        }
        self.write_record(lane, head, cap, record);
        self.set(lane_field(lane, HEAD), head + need);
        Ok(n_dropped)
    }

    fn write_record(self, lane: Lane, head: u64, cap: u64, record: &[u8]) {
        let start = self.get(lane_field(lane, START)) as usize;
        let places = self.words.get(start..start + cap as usize);
        let places = places.unwrap_or_default();
        // One division for all words: a record is written for every span and every line.
        let from = head.checked_rem(cap).unwrap_or(0) as usize;
        let (behind, before) = places.split_at(from.min(places.len()));
        let mut words = before.iter().chain(behind);
        let mut put = |value| {
            if let Some(word) = words.next() {
                word.store(value, Ordering::Relaxed);
            }
        };
        put(u64::from(crc32fast::hash(record)) << 32 | record.len() as u64);
        let (whole, rest) = record.as_chunks::<8>();
        for chunk in whole {
            put(u64::from_le_bytes(*chunk));
        }
        if !rest.is_empty() {
            let mut last = [0; 8];
            for (to, from) in last.iter_mut().zip(rest) {
                *to = *from;
            }
            put(u64::from_le_bytes(last));
        }
    }

    /// From here on records stay until this reader has taken them too.
    pub(crate) fn begin_reading(self, reader: Reader) {
        for lane in Lane::ALL {
            let tail = self.get(lane_field(lane, TAIL));
            self.set(tail_at(reader, lane), tail);
        }
        if reader == Reader::Collector {
            self.set(HAS_COLLECTOR, 1);
        }
    }

    /// Where the record is that somebody has not taken yet.
    fn oldest(self, lane: Lane) -> u64 {
        let tail = self.get(lane_field(lane, TAIL));
        match self.get(HAS_COLLECTOR) {
            1 => tail.min(self.get(tail_at(Reader::Collector, lane))),
            _ => tail,
        }
    }

    /// Nothing of a lane is wanted by this reader.
    pub(crate) fn skip(self, reader: Reader, lane: Lane) {
        self.commit(reader, lane, self.get(lane_field(lane, HEAD)));
    }

    /// The oldest records that a reader has not taken, up to `bytes_max` together, at least one if
    /// there is one. They stay.
    pub(crate) fn peek(self, reader: Reader, lane: Lane, bytes_max: usize) -> Taken {
        let head = self.get(lane_field(lane, HEAD));
        let mut taken = Taken {
            until: self.get(tail_at(reader, lane)),
            ..Taken::default()
        };
        let mut n_bytes = 0;
        while taken.until < head {
            let first = self.at(lane, taken.until);
            let len = (first & 0xffff_ffff) as usize;
            let n_words = 1 + len.div_ceil(8) as u64;
            if n_words > head - taken.until {
                // Damaged: nothing after it can be found.
                taken.n_bad += 1;
                taken.until = head;
                break;
            }
            if n_bytes > 0 && n_bytes + len > bytes_max {
                break;
            }
            let mut record = Vec::with_capacity(len + 8);
            for idx in 1..n_words {
                record.extend_from_slice(&self.at(lane, taken.until + idx).to_le_bytes());
            }
            record.truncate(len);
            if u64::from(crc32fast::hash(&record)) == first >> 32 {
                n_bytes += len.max(1);
                taken.records.push(record);
            } else {
                taken.n_bad += 1;
            }
            taken.until += n_words;
        }
        taken
    }

    /// What a reader took until there is done with.
    pub(crate) fn commit(self, reader: Reader, lane: Lane, until: u64) {
        if until > self.get(tail_at(reader, lane)) {
            self.set(tail_at(reader, lane), until);
        }
    }

    pub(crate) fn is_empty(self, lane: Lane) -> bool {
        self.get(lane_field(lane, HEAD)) == self.get(lane_field(lane, TAIL))
    }

    fn words_of_record(self, lane: Lane, at: u64) -> u64 {
        1 + (self.at(lane, at) & 0xffff_ffff).div_ceil(8)
    }

    fn word(self, lane: Lane, at: u64) -> Option<&'a AtomicU64> {
        let cap = self.get(lane_field(lane, CAP));
        let start = self.get(lane_field(lane, START));
        self.words.get((start + at.checked_rem(cap)?) as usize)
    }

    fn at(self, lane: Lane, at: u64) -> u64 {
        self.word(lane, at)
            .map_or(0, |it| it.load(Ordering::Relaxed))
    }

    #[cfg(test)]
    fn put(self, lane: Lane, at: u64, value: u64) {
        if let Some(word) = self.word(lane, at) {
            word.store(value, Ordering::Relaxed);
        }
    }

    // --- texts: who it was, and its breadcrumbs ---

    /// Writes down who this process is.
    pub(crate) fn set_identity(self, identity: &str) {
        self.write_text(IDENTITY_AT, IDENTITY_WORDS, identity);
    }

    pub(crate) fn identity(self) -> String {
        self.read_text(IDENTITY_AT, IDENTITY_WORDS)
            .unwrap_or_default()
    }

    /// Leaves a breadcrumb over the oldest one; `number` counts them from 1. A text that is too long
    /// is not kept.
    pub(crate) fn leave_crumb(self, number: u64, crumb: &str) {
        let at = crumb_at(number);
        self.set(at, 0);
        if self.write_text(at + 1, CRUMB_WORDS - 1, crumb) {
            self.set(at, number);
        }
    }

    /// The breadcrumbs that are left, oldest first.
    pub(crate) fn crumbs(self) -> Vec<String> {
        let mut crumbs: Vec<(u64, String)> = (0..CRUMBS_MAX)
            .map(crumb_at)
            .filter(|at| self.get(*at) > 0)
            .filter_map(|at| Some((self.get(at), self.read_text(at + 1, CRUMB_WORDS - 1)?)))
            .collect();
        crumbs.sort();
        crumbs.into_iter().map(|(_, text)| text).collect()
    }

    fn write_text(self, at: usize, n_words: usize, text: &str) -> bool {
        let bytes = text.as_bytes();
        if bytes.len() > (n_words - 1) * 8 {
            return false;
        }
        write_bytes(self.words, at + 1, bytes);
        self.set(
            at,
            u64::from(crc32fast::hash(bytes)) << 32 | bytes.len() as u64,
        );
        true
    }

    fn read_text(self, at: usize, n_words: usize) -> Option<String> {
        let first = self.get(at);
        let len = (first & 0xffff_ffff) as usize;
        if len > (n_words - 1) * 8 {
            return None;
        }
        let bytes = read_bytes(self.words, at + 1, len);
        (u64::from(crc32fast::hash(&bytes)) == first >> 32).then_some(())?;
        String::from_utf8(bytes).ok()
    }

    /// The arena: words that belong to whoever asked for them, for ever; and the word that says how
    /// many of them are given away.
    pub(crate) fn arena_of(
        words: &'static [AtomicU64],
    ) -> (&'static [AtomicU64], &'static AtomicU64) {
        static NONE: AtomicU64 = AtomicU64::new(0);
        let arena = words.get(ARENA_AT..LANES_AT).unwrap_or_default();
        (arena, words.get(Field::ArenaUsed as usize).unwrap_or(&NONE))
    }

    pub(crate) fn arena(self) -> &'a [AtomicU64] {
        self.words.get(ARENA_AT..LANES_AT).unwrap_or_default()
    }

    /// Which words are in use, but for those between the ends of the arena and of the lanes.
    pub(crate) fn used(words: &'a [AtomicU64], arena_used: usize) -> impl Iterator<Item = usize> {
        let ring = Self { words };
        let lanes_end = (ring.get(FILE_WORDS) as usize).min(words.len());
        let is_idle = Lane::ALL
            .into_iter()
            .all(|lane| ring.get(lane_field(lane, HEAD)) == 0);
        let lanes_end = if is_idle { LANES_AT } else { lanes_end };
        (0..ARENA_AT + arena_used).chain(LANES_AT..lanes_end)
    }

    /// Where in the words the end of what the server took stands.
    pub(crate) fn tail_at(lane: Lane) -> usize {
        lane_field(lane, TAIL)
    }

    /// Forgets all but the arena.
    pub(crate) fn clear(words: &'a [AtomicU64]) {
        for word in words.iter().take(ARENA_AT) {
            word.store(0, Ordering::Relaxed);
        }
    }
}

/// Writes bytes into words from `at` on; what does not fit is left out.
pub(crate) fn write_bytes(words: &[AtomicU64], at: usize, bytes: &[u8]) {
    let places = words.get(at..).unwrap_or_default();
    for (word, chunk) in places.iter().zip(bytes.chunks(8)) {
        let mut eight = [0; 8];
        for (to, from) in eight.iter_mut().zip(chunk) {
            *to = *from;
        }
        word.store(u64::from_le_bytes(eight), Ordering::Relaxed);
    }
}

/// Reads `len` bytes from words, fewer where there are no more.
pub(crate) fn read_bytes(words: &[AtomicU64], at: usize, len: usize) -> Vec<u8> {
    let places = words.get(at..).unwrap_or_default();
    let mut bytes: Vec<u8> = places
        .iter()
        .take(len.div_ceil(8))
        .flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes())
        .collect();
    bytes.truncate(len);
    bytes
}

/// Single words of the head.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Field {
    /// 1 when the process ended as it wished to.
    IsClean = 4,
    Pid = 5,
    /// Nanoseconds since 1970.
    StartedNanos = 6,
    /// When it was last seen alive, in nanoseconds since 1970.
    ActiveNanos = 7,
    /// How much of the arena is given away, in words.
    ArenaUsed = 8,
    /// Since when metrics have counted, in nanoseconds since 1970.
    CountedSinceNanos = 9,
    /// 1 when somebody scrapes: what it counted is wanted when it is no more.
    KeepsTotals = 10,
}

fn lane_field(lane: Lane, field: usize) -> usize {
    LANE_FIELDS_AT + lane.idx() * 4 + field
}

fn tail_at(reader: Reader, lane: Lane) -> usize {
    match reader {
        Reader::Server => lane_field(lane, TAIL),
        Reader::Collector => COLLECTOR_TAILS_AT + lane.idx(),
    }
}

fn crumb_at(number: u64) -> usize {
    CRUMBS_AT + (number % CRUMBS_MAX) as usize * CRUMB_WORDS
}

const MAGIC: usize = 0;
const VERSION: usize = 1;
const FILE_WORDS: usize = 2;
const LANE_FIELDS_AT: usize = 16;
const HEAD: usize = 0;
const TAIL: usize = 1;
const START: usize = 2;
const CAP: usize = 3;
const HAS_COLLECTOR: usize = 40;
const COLLECTOR_TAILS_AT: usize = 41;
const IDENTITY_AT: usize = 64;
const IDENTITY_WORDS: usize = 2048;
const CRUMBS_AT: usize = 4096;
const CRUMBS_MAX: u64 = 64;
const CRUMB_WORDS: usize = 64;
const ARENA_AT: usize = 8192;
/// 2 MiB: some ten thousand counters, or a thousand histograms. What does not fit is kept in memory.
const ARENA_WORDS: usize = 262_144;
const LANES_AT: usize = ARENA_AT + ARENA_WORDS;
/// Head and arena with the largest buffer.
pub(crate) const WORDS_MAX: usize = LANES_AT + BUFFER_BYTES_MAX / 8;
/// No buffer is larger, in bytes.
pub const BUFFER_BYTES_MAX: usize = 64 << 20;
/// No buffer is smaller, in bytes.
pub const BUFFER_BYTES_MIN: usize = 64 << 10;

const MAGIC_WORD: u64 = u64::from_le_bytes(*b"FBELRING");
const LAYOUT_VERSION: u64 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn words(n: usize) -> Vec<AtomicU64> {
        (0..n).map(|_| AtomicU64::new(0)).collect()
    }

    #[test]
    fn records_come_out_as_they_went_in_and_stay_until_committed() {
        let words = words(LANES_AT + 4096);
        let ring = Ring::create(&words, 32_768);
        for text in ["", "a", "eight888", "nine99999"] {
            assert_eq!(ring.push(Lane::Logs, text.as_bytes()), Ok(0));
        }
        let seen = Ring::open(&words).unwrap();
        let taken = seen.peek(Reader::Server, Lane::Logs, 1 << 20);
        assert_eq!(taken.records, [&b""[..], b"a", b"eight888", b"nine99999"]);
        assert_eq!(seen.peek(Reader::Server, Lane::Logs, 5).records.len(), 2);
        assert!(!seen.is_empty(Lane::Logs) && seen.is_empty(Lane::Traces));
        seen.commit(Reader::Server, Lane::Logs, taken.until);
        assert!(seen.is_empty(Lane::Logs));
    }

    #[test]
    fn the_oldest_make_room_and_are_counted() {
        let words = words(LANES_AT + 4096);
        let ring = Ring::create(&words, 32_768);
        let record = |n: u32| format!("{n:0100}").into_bytes();
        let n_dropped: u64 = (0..1000)
            .map(|n| ring.push(Lane::Alerts, &record(n)).unwrap())
            .sum();
        let kept = ring.peek(Reader::Server, Lane::Alerts, usize::MAX).records;
        assert_eq!(kept.len() as u64 + n_dropped, 1000);
        assert_eq!(
            kept.first(),
            Some(&record(u32::try_from(n_dropped).unwrap()))
        );
        assert_eq!(kept.last(), Some(&record(999)));
        assert_eq!(ring.push(Lane::Alerts, &[0; 40_000]), Err(TooLarge));
    }

    #[test]
    fn two_readers_take_all_each_at_its_own_pace() {
        let words = words(LANES_AT + 4096);
        let ring = Ring::create(&words, 32_768);
        ring.push(Lane::Logs, b"before").unwrap();
        ring.begin_reading(Reader::Collector);
        ring.push(Lane::Logs, b"after").unwrap();
        let take = |reader| {
            let taken = ring.peek(reader, Lane::Logs, 1 << 20);
            ring.commit(reader, Lane::Logs, taken.until);
            taken.records.len()
        };
        assert_eq!(take(Reader::Server), 2);
        ring.push(Lane::Logs, b"later").unwrap();
        assert_eq!(take(Reader::Server), 1);
        assert_eq!(take(Reader::Collector), 3);
        assert_eq!((take(Reader::Server), take(Reader::Collector)), (0, 0));
        ring.push(Lane::Logs, b"last").unwrap();
        ring.skip(Reader::Collector, Lane::Logs);
        assert_eq!((take(Reader::Server), take(Reader::Collector)), (1, 0));
    }

    #[test]
    fn damage_is_counted_and_hides_nothing_else() {
        let words = words(LANES_AT + 4096);
        let ring = Ring::create(&words, 32_768);
        for text in ["first", "second", "third"] {
            ring.push(Lane::Traces, text.as_bytes()).unwrap();
        }
        ring.put(Lane::Traces, 3, 7);
        let taken = ring.peek(Reader::Server, Lane::Traces, 1000);
        assert_eq!((taken.records.len(), taken.n_bad), (2, 1));
        ring.put(Lane::Traces, 0, u64::MAX);
        assert!(ring.peek(Reader::Server, Lane::Traces, 1000).n_bad == 1);
        ring.set(lane_field(Lane::Traces, CAP), u64::MAX);
        assert!(Ring::open(&words).is_none());
        assert!(Ring::open(words.get(..100).unwrap()).is_none());
    }

    #[test]
    fn the_last_breadcrumbs_and_the_identity_are_read_again() {
        let words = words(LANES_AT + 4096);
        let ring = Ring::create(&words, 32_768);
        ring.set_identity("service.name=shop");
        for number in 1..=100 {
            ring.leave_crumb(number, &format!("crumb {number}"));
        }
        ring.leave_crumb(101, &"x".repeat(1000));
        let crumbs = ring.crumbs();
        assert_eq!(crumbs.len(), 63, "a long one leaves its place empty");
        assert_eq!(crumbs.first().map(String::as_str), Some("crumb 38"));
        assert_eq!(crumbs.last().map(String::as_str), Some("crumb 100"));
        assert_eq!(ring.identity(), "service.name=shop");
    }
}
