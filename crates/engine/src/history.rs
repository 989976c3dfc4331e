//! The history: what happened to alerts and notifications, kept for long within a byte budget.
//!
//! A log (`firebell-disk`) in the folder `history`, version 1. A frame is the first and the last
//! moment of its entries (milliseconds, `i64`), their number (`u32`), all little-endian, and a JSON
//! array of them. Entries stand in the order in which they were decided; a segment is dropped as a
//! whole, the oldest first.
//!
//! *Invariants*: nothing here decides anything: a history that is lost changes no notification. A
//! torn end is cut off and named, the rest is used. One segment at a time is held in memory.

use std::collections::VecDeque;
use std::sync::Arc;

use firebell_disk::{Disk, DiskError, Log, LogError, LogOptions, read_segment};
use firebell_dispatch::{HistoryEntry, HistoryEvent};
use firebell_model::{Duration, Matcher, Timestamp};
use serde::Serialize;

/// The writing end.
pub struct History {
    log: Log,
    segments: VecDeque<Segment>,
}

/// How much is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HistoryLimits {
    /// Entries older than this go, a segment at a time.
    pub retention: Duration,
    /// The oldest segments go when all take more.
    pub bytes_max: u64,
}

/// A part of the history.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment {
    /// Counts up.
    pub number: u64,
    /// The earliest moment in it.
    pub first_at: Timestamp,
    /// The latest.
    pub last_at: Timestamp,
    /// Its size on disk.
    pub bytes: u64,
    /// How many entries it has.
    pub n_entries: u64,
}

/// What somebody looks for; all conditions hold together.
#[derive(Clone, Debug)]
pub struct HistoryQuery {
    /// Not before.
    pub from: Timestamp,
    /// Not after.
    pub to: Timestamp,
    /// All match the labels of an entry.
    pub matchers: Vec<Matcher>,
    /// The receiver that an entry is about.
    pub receiver: Option<String>,
    /// Any of these kinds; none means all.
    pub kinds: Vec<String>,
    /// Whether the newest come first.
    pub is_newest_first: bool,
    /// At most so many.
    pub limit: usize,
    /// Only what comes behind this entry, in the order that is wanted.
    pub behind: Option<Cursor>,
}

/// The place of an entry; it stays as long as the entry is kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Cursor {
    /// Number of the segment.
    pub segment: u64,
    /// Counts the segment's entries from 0.
    pub nth: u64,
}

/// Some of what was looked for.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct HistoryPage {
    /// In the order that is wanted.
    pub entries: Vec<HistoryEntry>,
    /// Where to go on; `None` when there is nothing more.
    pub next: Option<Cursor>,
}

impl History {
    /// Opens the history and looks at what it holds; says what could not be read.
    ///
    /// # Errors
    /// When the disk fails, or another version wrote the folder.
    pub fn open(
        disk: Arc<dyn Disk>,
        limits: &HistoryLimits,
    ) -> Result<(Self, Vec<String>), LogError> {
        let mut segments: VecDeque<Segment> = VecDeque::new();
        let (mut log, found) = Log::open_with(disk, options(limits), &mut |number, payload| {
            if let Some(head) = Head::read(payload) {
                note(&mut segments, number, &head, payload.len());
            }
        })?;
        log.doubt();
        let mut damage = found.damage;
        if found.torn_bytes > 0 {
            damage.push(format!(
                "the last entries of the history were torn: {} bytes are cut off",
                found.torn_bytes
            ));
        }
        Ok((Self { log, segments }, damage))
    }

    /// Appends entries; they survive the end of the process at once, and the loss of power after
    /// [`History::sync`].
    ///
    /// # Errors
    /// When the disk is full or fails: these entries are then lost.
    pub fn append(&mut self, entries: &[HistoryEntry]) -> Result<(), LogError> {
        for part in entries.chunks(FRAME_ENTRIES_MAX) {
            let payload = frame(part);
            self.log.append(&payload)?;
            if let Some(head) = Head::read(&payload) {
                note(&mut self.segments, self.log.segment(), &head, payload.len());
            }
        }
        Ok(())
    }

    /// Makes all entries durable.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn sync(&mut self) -> Result<(), LogError> {
        self.log.sync()
    }

    /// Drops what is older than is kept, and the oldest of what is more than is kept; returns how many
    /// entries of the latter had not had their time.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn forget(&mut self, now: Timestamp, limits: &HistoryLimits) -> Result<u64, LogError> {
        let mut bytes: u64 = self.segments.iter().map(|it| it.bytes).sum();
        let (mut n_dropped, mut n_before_time) = (0, 0);
        for segment in &self.segments {
            let is_old = segment.last_at < now - limits.retention;
            let is_written_to = segment.number == self.log.segment();
            if is_written_to || !(is_old || bytes > limits.bytes_max) {
                break;
            }
            bytes -= segment.bytes;
            n_dropped += 1;
            n_before_time += if is_old { 0 } else { segment.n_entries };
        }
        if n_dropped == 0 {
            return Ok(0);
        }
        let first_kept = self.segments.get(n_dropped).map(|it| it.number);
        let result = self
            .log
            .remove_before(first_kept.unwrap_or(self.log.segment()));
        self.segments.drain(..n_dropped);
        result.map(|()| n_before_time)
    }

    /// The parts that are there, the oldest first: for [`read_history`].
    #[must_use]
    pub fn segments(&self) -> Vec<Segment> {
        self.segments.iter().copied().collect()
    }
}

/// Finds entries, while others may be written.
///
/// It reads some dozens of segments at most: then the page ends early, and says where to go
/// on.
///
/// # Errors
/// When the disk fails, or another version wrote a segment. A segment that is gone meanwhile is
/// passed over.
pub fn read_history(
    disk: &dyn Disk,
    segments: &[Segment],
    query: &HistoryQuery,
) -> Result<HistoryPage, LogError> {
    let mut page = HistoryPage::default();
    let is_in_time = |it: &&Segment| it.first_at <= query.to && it.last_at >= query.from;
    let is_behind = |it: &&Segment| match query.behind {
        None => true,
        Some(cursor) if query.is_newest_first => it.number <= cursor.segment,
        Some(cursor) => it.number >= cursor.segment,
    };
    let mut wanted: Vec<&Segment> = segments
        .iter()
        .filter(is_in_time)
        .filter(is_behind)
        .collect();
    if query.is_newest_first {
        wanted.reverse();
    }
    let n_wanted = wanted.len();
    for (idx, segment) in wanted.into_iter().enumerate() {
        let mut found = read_part(disk, segment.number, query)?;
        if query.is_newest_first {
            found.reverse();
        }
        for (cursor, entry) in found {
            if page.entries.len() == query.limit {
                return Ok(page);
            }
            page.entries.push(entry);
            page.next = Some(cursor);
        }
        if idx + 1 == SEGMENTS_READ_MAX && idx + 1 < n_wanted {
            let nth = if query.is_newest_first { 0 } else { u64::MAX };
            page.next = Some(Cursor {
                segment: segment.number,
                nth,
            });
            return Ok(page);
        }
    }
    page.next = None;
    Ok(page)
}

// The entries of a segment that are wanted, the oldest first.
fn read_part(
    disk: &dyn Disk,
    segment: u64,
    query: &HistoryQuery,
) -> Result<Vec<(Cursor, HistoryEntry)>, LogError> {
    let mut found = Vec::new();
    let mut n_before = 0;
    let result = read_segment(disk, &OPTIONS, segment, &mut |payload| {
        let Some(head) = Head::read(payload) else {
            return;
        };
        let first = n_before;
        n_before += u64::from(head.n_entries);
        if head.first_at > query.to || head.last_at < query.from {
            return;
        }
        let entries: Vec<serde_json::Value> =
            serde_json::from_slice(&payload[HEAD_BYTES..]).unwrap_or_default();
        for (idx, value) in entries.into_iter().enumerate() {
            // What a later version wrote costs only itself.
            let Ok(entry) = serde_json::from_value::<HistoryEntry>(value) else {
                continue;
            };
            let nth = first + idx as u64;
            let cursor = Cursor { segment, nth };
            if query.wants(cursor, &entry) {
                found.push((cursor, entry));
            }
        }
    });
    match result {
        Ok(()) => Ok(found),
        Err(LogError::Disk(DiskError {
            is_not_found: true, ..
        })) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

impl HistoryQuery {
    fn wants(&self, cursor: Cursor, entry: &HistoryEntry) -> bool {
        let is_behind = match self.behind {
            None => true,
            Some(behind) if self.is_newest_first => cursor < behind,
            Some(behind) => cursor > behind,
        };
        let receiver = self.receiver.as_deref();
        is_behind
            && (self.from..=self.to).contains(&entry.at)
            && receiver.is_none_or(|it| entry.event.receiver() == Some(it))
            && (self.kinds.is_empty() || self.kinds.iter().any(|it| it == entry.event.kind()))
            && self.matchers.iter().all(|it| it.matches(&entry.labels))
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.segment, self.nth)
    }
}

impl std::str::FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (segment, nth) = text.split_once('.').ok_or(())?;
        let number = |text: &str| text.parse::<u64>().map_err(|_| ());
        Ok(Self {
            segment: number(segment)?,
            nth: number(nth)?,
        })
    }
}

// What stands at the begin of a frame.
struct Head {
    first_at: Timestamp,
    last_at: Timestamp,
    n_entries: u32,
}

impl Head {
    fn read(payload: &[u8]) -> Option<Self> {
        let (first, rest) = payload.split_first_chunk::<8>()?;
        let (last, rest) = rest.split_first_chunk::<8>()?;
        let (n_entries, _) = rest.split_first_chunk::<4>()?;
        Some(Self {
            first_at: Timestamp(i64::from_le_bytes(*first)),
            last_at: Timestamp(i64::from_le_bytes(*last)),
            n_entries: u32::from_le_bytes(*n_entries),
        })
    }
}

fn frame(entries: &[HistoryEntry]) -> Vec<u8> {
    let times = || entries.iter().map(|it| it.at);
    let first_at = times().min().unwrap_or(Timestamp::MIN);
    let last_at = times().max().unwrap_or(Timestamp::MIN);
    let mut payload = Vec::with_capacity(HEAD_BYTES + 256 * entries.len());
    payload.extend_from_slice(&first_at.0.to_le_bytes());
    payload.extend_from_slice(&last_at.0.to_le_bytes());
    payload.extend_from_slice(&(entries.len() as u32).to_le_bytes());
    payload.push(b'[');
    for (idx, entry) in entries.iter().enumerate() {
        if idx > 0 {
            payload.push(b',');
        }
        put_entry(&mut payload, entry);
    }
    payload.push(b']');
    payload
}

// As JSON; what there are most of without the detours that are needed for any shape.
fn put_entry(out: &mut Vec<u8>, entry: &HistoryEntry) {
    let kind = entry.event.kind();
    if !matches!(
        entry.event,
        HistoryEvent::Pending | HistoryEvent::Firing | HistoryEvent::Resolved
    ) {
        return put_json(out, entry);
    }
    out.extend_from_slice(br#"{"at":"#);
    put_json(out, &entry.at);
    out.extend_from_slice(br#","labels":{"#);
    for (idx, label) in entry.labels.iter().enumerate() {
        if idx > 0 {
            out.push(b',');
        }
        put_text(out, &label.name);
        out.push(b':');
        put_text(out, &label.value);
    }
    out.extend_from_slice(br#"},"kind":"#);
    put_text(out, kind);
    out.push(b'}');
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    // All of it, so that many bytes are looked at together.
    if text.bytes().fold(true, |all, byte| all & is_plain(byte)) {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        put_json(out, text);
    }
}

// Entries are plain data with string keys: they always have a JSON form.
fn put_json(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    let _ = serde_json::to_writer(out, value);
}

fn note(segments: &mut VecDeque<Segment>, number: u64, head: &Head, payload_bytes: usize) {
    let bytes = (payload_bytes + FRAME_OVERHEAD) as u64;
    match segments.back_mut().filter(|it| it.number == number) {
        Some(last) => {
            last.first_at = last.first_at.min(head.first_at);
            last.last_at = last.last_at.max(head.last_at);
            last.bytes += bytes;
            last.n_entries += u64::from(head.n_entries);
        }
        None => segments.push_back(Segment {
            number,
            first_at: head.first_at,
            last_at: head.last_at,
            bytes,
            n_entries: u64::from(head.n_entries),
        }),
    }
}

// A small budget has small segments, so that dropping one does not drop all.
fn options(limits: &HistoryLimits) -> LogOptions {
    let segment_bytes_max = limits.bytes_max / SEGMENTS_WANTED;
    LogOptions {
        segment_bytes_max: segment_bytes_max.clamp(SEGMENT_BYTES_MIN, OPTIONS.segment_bytes_max),
        ..OPTIONS
    }
}

const OPTIONS: LogOptions = LogOptions {
    folder: "history",
    magic: *b"FBHIST 1",
    magics_read: &[],
    segment_bytes_max: 4 << 20,
};
/// Segments that one page reads: each is read as a whole.
const SEGMENTS_READ_MAX: usize = 32;
const SEGMENTS_WANTED: u64 = 16;
const SEGMENT_BYTES_MIN: u64 = 4 << 10;
const FRAME_ENTRIES_MAX: usize = 1_000;
const HEAD_BYTES: usize = 20;
/// What the log adds to a payload.
const FRAME_OVERHEAD: usize = 8;

#[cfg(test)]
mod tests {
    use firebell_disk::MemoryDisk;
    use firebell_model::{Labels, parse_matchers};

    use super::*;

    const LIMITS: HistoryLimits = HistoryLimits {
        retention: Duration::from_hours(24),
        bytes_max: 64 << 10,
    };

    fn entry(secs: i64, name: &str, event: HistoryEvent) -> HistoryEntry {
        HistoryEntry {
            at: Timestamp(secs * 1000),
            labels: Labels::from_pairs([("alertname", name), ("team", "db")]),
            event,
        }
    }

    #[test]
    fn entries_are_written_as_the_json_that_they_are() {
        let values = ["a", "ü \u{7f}/<&>", "\"", "\\", "\n", "\0\u{1f}", " !#[]~"];
        let events = [
            HistoryEvent::Pending,
            HistoryEvent::Firing,
            HistoryEvent::Resolved,
            HistoryEvent::Unsuppressed {
                receiver: "\"".into(),
            },
        ];
        for event in events {
            let mut entries = vec![entry(-1, "x", event.clone())];
            entries[0].labels = Labels::empty();
            entries.extend(values.map(|it| entry(5, it, event.clone())));
            entries.extend(values.map(|it| HistoryEntry {
                labels: Labels::from_pairs([(it, "1"), ("b", it)]),
                ..entry(i64::from(u32::MAX), it, event.clone())
            }));
            let expected = serde_json::to_string(&entries).unwrap();
            let written = frame(&entries).split_off(HEAD_BYTES);
            assert_eq!(String::from_utf8(written).unwrap(), expected);
        }
        assert_eq!(frame(&[]).split_off(HEAD_BYTES), b"[]");
    }

    fn query() -> HistoryQuery {
        HistoryQuery {
            from: Timestamp::MIN,
            to: Timestamp::MAX,
            matchers: Vec::new(),
            receiver: None,
            kinds: Vec::new(),
            is_newest_first: false,
            limit: 1000,
            behind: None,
        }
    }

    /// Seconds of what is found.
    fn found(disk: &MemoryDisk, history: &History, query: &HistoryQuery) -> Vec<i64> {
        let page = read_history(disk, &history.segments(), query).unwrap();
        page.entries.iter().map(|it| it.at.0 / 1000).collect()
    }

    fn open(disk: &MemoryDisk) -> (History, Vec<String>) {
        History::open(Arc::new(disk.clone()), &LIMITS).unwrap()
    }

    #[test]
    fn entries_are_found_by_time_labels_kind_and_receiver_over_restarts() {
        let disk = MemoryDisk::default();
        let (mut history, _) = open(&disk);
        let receiver: Arc<str> = "pager".into();
        history
            .append(&[
                entry(1, "Down", HistoryEvent::Pending),
                entry(2, "Down", HistoryEvent::Firing),
            ])
            .unwrap();
        history
            .append(&[
                entry(3, "Full", HistoryEvent::Firing),
                entry(4, "Down", HistoryEvent::Unsuppressed { receiver }),
            ])
            .unwrap();
        let (history, damage) = open(&disk);
        assert_eq!(damage, [""; 0]);
        let matchers = parse_matchers("{alertname=\"Down\"}").unwrap();
        let at = |secs: i64| Timestamp(secs * 1000);
        let queries = [
            (query(), vec![1, 2, 3, 4]),
            (
                HistoryQuery {
                    is_newest_first: true,
                    ..query()
                },
                vec![4, 3, 2, 1],
            ),
            (
                HistoryQuery {
                    from: at(2),
                    to: at(3),
                    ..query()
                },
                vec![2, 3],
            ),
            (
                HistoryQuery {
                    matchers,
                    ..query()
                },
                vec![1, 2, 4],
            ),
            (
                HistoryQuery {
                    kinds: vec!["firing".into()],
                    ..query()
                },
                vec![2, 3],
            ),
            (
                HistoryQuery {
                    receiver: Some("pager".into()),
                    ..query()
                },
                vec![4],
            ),
            (
                HistoryQuery {
                    limit: 2,
                    ..query()
                },
                vec![1, 2],
            ),
        ];
        for (query, expected) in queries {
            assert_eq!(found(&disk, &history, &query), expected, "{query:?}");
        }
    }

    #[test]
    fn pages_give_each_entry_once_in_both_orders() {
        let disk = MemoryDisk::default();
        let (mut history, _) = open(&disk);
        for secs in 0..500 {
            history
                .append(&[entry(secs, "Down", HistoryEvent::Firing)])
                .unwrap();
            history.sync().unwrap();
        }
        assert!(history.segments().len() > 5);
        for is_newest_first in [false, true] {
            let mut query = HistoryQuery {
                is_newest_first,
                limit: 37,
                ..query()
            };
            let mut all = Vec::new();
            loop {
                let page = read_history(&disk, &history.segments(), &query).unwrap();
                all.extend(page.entries.iter().map(|it| it.at.0 / 1000));
                match page.next {
                    Some(next) => query.behind = Some(next.to_string().parse().unwrap()),
                    None => break,
                }
            }
            let mut expected: Vec<i64> = (0..500).collect();
            if is_newest_first {
                expected.reverse();
            }
            assert_eq!(all, expected);
        }
    }

    #[test]
    fn the_oldest_go_by_age_and_by_size() {
        let disk = MemoryDisk::default();
        let (mut history, _) = open(&disk);
        for secs in 0..2000 {
            history
                .append(&[entry(secs, "Down", HistoryEvent::Firing)])
                .unwrap();
            history.sync().unwrap();
        }
        let bytes = |history: &History| history.segments().iter().map(|it| it.bytes).sum::<u64>();
        assert!(bytes(&history) > LIMITS.bytes_max);
        let n_before_time = history.forget(Timestamp(2_000_000), &LIMITS).unwrap();
        assert!(bytes(&history) <= LIMITS.bytes_max);
        let kept = found(
            &disk,
            &history,
            &HistoryQuery {
                limit: 5000,
                ..query()
            },
        );
        assert_eq!(kept.last(), Some(&1999));
        assert!(kept.len() > 500);
        assert_eq!(kept.len() as u64 + n_before_time, 2000);
        // A day later only the segment that is written to stays.
        let later = Timestamp(2_000_000) + LIMITS.retention;
        assert_eq!(history.forget(later, &LIMITS).unwrap(), 0);
        assert_eq!(history.segments().len(), 1);
        assert_eq!(open(&disk).0.segments(), history.segments());
    }

    #[test]
    fn a_cut_at_any_byte_loses_only_what_it_tears_and_says_so() {
        let whole = MemoryDisk::default();
        let (mut history, _) = open(&whole);
        for secs in [10, 20, 30] {
            history
                .append(&[entry(secs, "Down", HistoryEvent::Firing)])
                .unwrap();
        }
        let bytes = whole.read("history/00000000").unwrap();
        let frame = (bytes.len() - 8) / 3;
        for cut in 8..bytes.len() {
            let disk = MemoryDisk::default();
            disk.replace("history/00000000", &bytes[..cut]).unwrap();
            let (mut history, damage) = open(&disk);
            let n_whole = (cut - 8) / frame;
            let is_torn = (cut - 8) % frame != 0;
            assert_eq!(damage.len(), usize::from(is_torn), "{cut}: {damage:?}");
            history
                .append(&[entry(9, "Down", HistoryEvent::Firing)])
                .unwrap();
            let mut expected = [10, 20, 30][..n_whole].to_vec();
            expected.push(9);
            assert_eq!(found(&disk, &history, &query()), expected, "{cut}");
        }
    }
}
