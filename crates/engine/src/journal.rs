//! The journal: every record of every step, durable before the step's effects are performed.
//!
//! A log (`firebell-disk`) in the folder `journal`, version 6. A frame begins with its kind: 1 is a
//! step, 2 the start of a snapshot, 3 a part of one, 4 its end, with the number of records in it.
//! Behind 1 and 3 come the number of records, a table of pairs of labels ([`Packer`]) and the
//! records, each with its length in bytes: its packed form, or 0 and its JSON. Versions 2 to 5 differ in
//! records only: version 5 has no pictures of incidents, version 4 none of heartbeats, version 3 none of
//! pages, and version 2 none of its own of groups that wait for a summary. Version 1 had frames
//! of JSON, which are still read: `{"step":[record, …]}`, `"snapshot_start"`,
//! `{"snapshot_part":[record, …]}`, `{"snapshot_end":n}`. Reading takes the last snapshot that is
//! whole and the steps behind it; records are applied in order, the last of a key wins. Of a damaged
//! snapshot that nothing comes before, what is left is taken.
//!
//! *Invariants*: a crash at any byte loses at most the frame that was being written. A snapshot
//! counts only when its end is there, and only then are older segments removed.

mod frame;

use std::sync::Arc;

use firebell_disk::{Disk, DiskError, Log, LogError, LogOptions, read_log};

use self::frame::{Head, Writer};
use crate::Record;

/// The writing end.
pub struct Journal {
    log: Log,
    writer: Writer,
    /// Bytes written since the last snapshot.
    bytes_since_snapshot: u64,
    /// Bytes of the last snapshot.
    snapshot_bytes: u64,
    /// Set when a write failed: what is on disk lacks a step, so the next write is a snapshot.
    is_behind: bool,
}

/// What a journal held when it was opened.
#[derive(Debug, Default)]
pub struct Replayed {
    /// How many records there were to restore.
    pub n_records: usize,
    /// Steps behind the last snapshot.
    pub n_steps: usize,
    /// What could not be read, in words for the operator.
    pub damage: Vec<String>,
    /// Bytes of a last step that was not whole, and was cut off: a crash leaves one, and so does damage.
    pub torn_bytes: u64,
}

/// A journal that cannot be opened or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The log under it failed.
    #[error("the journal failed: {0}")]
    Log(#[from] LogError),
}

impl JournalError {
    /// Whether the disk is full.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(
            self,
            Self::Log(LogError::Disk(DiskError { is_full: true, .. }))
        )
    }
}

impl Journal {
    /// Where it is in a data folder.
    pub const FOLDER: &'static str = OPTIONS.folder;

    /// Opens the journal and hands on the records that it holds, in order.
    ///
    /// # Errors
    /// When the disk fails, or the folder holds another version's journal.
    pub fn open(
        disk: Arc<dyn Disk>,
        restore: &mut dyn FnMut(Record),
    ) -> Result<(Self, Replayed), JournalError> {
        let (mut log, found) = Log::open(disk, OPTIONS)?;
        log.doubt();
        let mut replay = Replay::of(&found.frames);
        let mut journal = Self {
            log,
            writer: Writer::default(),
            bytes_since_snapshot: replay.bytes_behind,
            snapshot_bytes: replay.snapshot_bytes,
            is_behind: false,
        };
        // What an older version wrote is replaced by a snapshot with the first step.
        if replay.is_older {
            journal.bytes_since_snapshot = u64::MAX;
        }
        replay.replayed.damage.splice(0..0, found.damage);
        replay.replayed.torn_bytes = found.torn_bytes;
        Ok((journal, replay.run(found.frames, restore)))
    }

    /// Hands on the records that a journal holds, in order, and changes nothing: somebody may be
    /// writing to it.
    ///
    /// # Errors
    /// When the disk fails, or the folder holds another version's journal.
    pub fn look(
        disk: &dyn Disk,
        restore: &mut dyn FnMut(Record),
    ) -> Result<Replayed, JournalError> {
        let found = read_log(disk, &OPTIONS)?;
        let mut replay = Replay::of(&found.frames);
        replay.replayed.damage.splice(0..0, found.damage);
        replay.replayed.torn_bytes = found.torn_bytes;
        Ok(replay.run(found.frames, restore))
    }

    /// Writes a step down; it survives the end of the process at once, and the loss of power after
    /// [`Journal::sync`]. A step without records costs nothing.
    ///
    /// # Errors
    /// When the disk is full or fails. [`Journal::is_behind`] then holds until a snapshot succeeds.
    pub fn record(&mut self, records: &[Record]) -> Result<(), JournalError> {
        if records.is_empty() || self.is_behind {
            return Ok(());
        }
        records.iter().for_each(|record| self.writer.add(record));
        let payload = self.writer.step();
        let bytes = self.bytes_since_snapshot;
        self.bytes_since_snapshot = bytes.saturating_add(payload.len() as u64);
        let result = self.log.append(payload);
        self.is_behind = result.is_err();
        Ok(result?)
    }

    /// Makes all steps durable.
    ///
    /// # Errors
    /// When the disk fails. [`Journal::is_behind`] then holds until a snapshot succeeds.
    pub fn sync(&mut self) -> Result<(), JournalError> {
        let result = self.log.sync();
        self.is_behind |= result.is_err();
        Ok(result?)
    }

    /// Whether a write failed, so that what is on disk lacks a step: only a snapshot mends it.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// Whether a snapshot would now make the journal much shorter.
    #[must_use]
    pub fn wants_snapshot(&self) -> bool {
        self.bytes_since_snapshot > SNAPSHOT_BYTES_MIN.max(4 * self.snapshot_bytes)
    }

    /// Writes the whole state, and removes what came before.
    ///
    /// # Errors
    /// When the disk is full or fails; what was there before still counts.
    pub fn snapshot(&mut self, state: impl Iterator<Item = Record>) -> Result<(), JournalError> {
        let segment = self.log.start_segment()?;
        self.bytes_since_snapshot = 0;
        self.writer = Writer::default();
        self.log.append(&frame::snapshot_start())?;
        let (mut n_records, mut n_bytes) = (0, 0);
        for record in state {
            n_records += 1;
            self.writer.add(&record);
            if self.writer.n_records() >= PART_RECORDS || self.writer.n_bytes() >= PART_BYTES {
                n_bytes += self.write_part()?;
            }
        }
        n_bytes += self.write_part()?;
        self.log.append(&frame::snapshot_end(n_records))?;
        self.log.sync()?;
        self.snapshot_bytes = n_bytes;
        self.is_behind = false;
        Ok(self.log.remove_before(segment)?)
    }

    // Returns its bytes.
    fn write_part(&mut self) -> Result<u64, JournalError> {
        let payload = self.writer.snapshot_part();
        self.log.append(payload)?;
        Ok(payload.len() as u64)
    }
}

/// Which frames of a journal count.
#[derive(Default)]
struct Replay {
    /// The places of the parts of the last whole snapshot.
    parts: Vec<usize>,
    /// Where the steps behind it begin.
    steps_from: usize,
    snapshot_bytes: u64,
    bytes_behind: u64,
    /// An older version wrote a frame.
    is_older: bool,
    replayed: Replayed,
}

impl Replay {
    fn of(frames: &[(u64, Vec<u8>)]) -> Self {
        let mut replay = Self::default();
        let (mut parts, mut n_records) = (Vec::new(), 0_usize);
        for (idx, (segment, payload)) in frames.iter().enumerate() {
            replay.is_older |= frame::is_older(payload);
            match frame::head(payload) {
                Ok(Head::Step) => {
                    replay.make_do_with(&mut parts, idx);
                    replay.replayed.n_steps += 1;
                }
                Ok(Head::SnapshotStart) => (parts, n_records) = (Vec::new(), 0),
                Ok(Head::SnapshotPart(n)) => {
                    parts.push(idx);
                    n_records = n_records.saturating_add(n);
                }
                Ok(Head::SnapshotEnd(n)) if n == n_records => {
                    replay.parts = std::mem::take(&mut parts);
                    replay.steps_from = idx + 1;
                    replay.replayed.n_steps = 0;
                }
                Ok(Head::SnapshotEnd(_)) => replay.make_do_with(&mut parts, idx + 1),
                Err(error) => replay.unreadable(*segment, &error),
            }
        }
        replay.make_do_with(&mut parts, frames.len());
        let bytes = |frames: &mut dyn Iterator<Item = &(u64, Vec<u8>)>| {
            frames.map(|(_, payload)| payload.len() as u64).sum()
        };
        replay.snapshot_bytes = bytes(&mut replay.parts.iter().map(|idx| &frames[*idx]));
        replay.bytes_behind = bytes(&mut frames[replay.steps_from..].iter());
        replay
    }

    /// Takes what there is of a snapshot that is not whole, where there is nothing else: what came before
    /// it is gone, since it was whole once.
    fn make_do_with(&mut self, parts: &mut Vec<usize>, end: usize) {
        let parts = std::mem::take(parts);
        if parts.is_empty() || !self.parts.is_empty() || self.replayed.n_steps > 0 {
            return;
        }
        self.parts = parts;
        self.steps_from = end;
        self.replayed.damage.push(
            "the journal's snapshot is not whole, and nothing comes before it: what there is of it is \
             used"
                .to_owned(),
        );
    }

    fn run(mut self, frames: Vec<(u64, Vec<u8>)>, restore: &mut dyn FnMut(Record)) -> Replayed {
        let is_step = |payload: &[u8]| frame::head(payload) == Ok(Head::Step);
        for (idx, (segment, payload)) in frames.into_iter().enumerate() {
            let is_part = self.parts.binary_search(&idx).is_ok();
            if !is_part && (idx < self.steps_from || !is_step(&payload)) {
                continue;
            }
            let Replayed {
                n_records, damage, ..
            } = &mut self.replayed;
            let read = frame::visit(&payload, &mut |record| match record {
                Ok(record) => {
                    *n_records += 1;
                    restore(record);
                }
                Err(error) => damage.push(format!(
                    "the journal has a record that this version cannot read: {error}"
                )),
            });
            if let Err(error) = read {
                self.unreadable(segment, &error);
            }
        }
        self.replayed
    }

    fn unreadable(&mut self, segment: u64, why: &str) {
        self.replayed.damage.push(format!(
            "segment {segment} of the journal has a frame that this version cannot read: {why}"
        ));
    }
}

const OPTIONS: LogOptions = LogOptions {
    folder: "journal",
    magic: *b"FBJRNL 6",
    magics_read: &[
        *b"FBJRNL 1",
        *b"FBJRNL 2",
        *b"FBJRNL 3",
        *b"FBJRNL 4",
        *b"FBJRNL 5",
    ],
    segment_bytes_max: 64 << 20,
};
/// A journal shorter than this is not worth a snapshot.
const SNAPSHOT_BYTES_MIN: u64 = 4 << 20;
/// Records in one part of a snapshot, at most.
const PART_RECORDS: usize = 1000;
/// A part of so many bytes takes no more records.
const PART_BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use firebell_disk::MemoryDisk;
    use firebell_escalation::EscalationRecord;
    use firebell_model::{Labels, Notification, NotificationReason, Timestamp};

    use super::*;
    use crate::InboxEntry;

    fn record(id: u64) -> Record {
        let notification = Notification {
            at: Timestamp(0),
            receiver: "inbox".to_owned(),
            group_key: "{}:{}".to_owned(),
            group_labels: Labels::empty(),
            route_labels: Labels::empty(),
            reason: NotificationReason::First,
            alerts: Vec::new(),
            measured: Default::default(),
        };
        Record::Inbox(InboxEntry {
            id,
            at: Timestamp(0),
            notification: Arc::new(notification),
        })
    }

    fn open(disk: &MemoryDisk) -> (Journal, Vec<u64>, Replayed) {
        let mut ids = Vec::new();
        let mut note = |record: Record| match record {
            Record::Inbox(entry) => ids.push(entry.id),
            Record::Rule(_)
            | Record::Dispatch(_)
            | Record::Failing(_)
            | Record::Incident(_)
            | Record::Page(_)
            | Record::Heartbeat(_) => ids.push(0),
        };
        let (journal, replayed) = Journal::open(Arc::new(disk.clone()), &mut note).unwrap();
        (journal, ids, replayed)
    }

    fn ids(disk: &MemoryDisk) -> Vec<u64> {
        open(disk).1
    }

    #[test]
    fn steps_and_snapshots_come_back_in_order() {
        let disk = MemoryDisk::default();
        let (mut journal, ..) = open(&disk);
        journal.record(&[record(1), record(2)]).unwrap();
        journal.record(&[record(3)]).unwrap();
        journal.sync().unwrap();
        assert_eq!(ids(&disk), [1, 2, 3]);
        journal.snapshot([record(3)].into_iter()).unwrap();
        journal.record(&[record(4)]).unwrap();
        let (_, found, replayed) = open(&disk);
        assert_eq!((found, replayed.n_steps), (vec![3, 4], 1));
        assert_eq!(disk.list("journal").unwrap().len(), 1);
        let many = (1..=2 * PART_RECORDS as u64 + 1).map(record);
        journal.snapshot(many.clone()).unwrap();
        assert_eq!(ids(&disk).len(), many.count());
    }

    #[test]
    fn a_cut_at_any_byte_of_a_snapshot_keeps_the_state_before_it() {
        let before = MemoryDisk::default();
        let (mut journal, ..) = open(&before);
        journal.record(&[record(1)]).unwrap();
        journal.record(&[record(2)]).unwrap();
        let old_segment = before.read("journal/00000000").unwrap();
        journal.snapshot([record(9)].into_iter()).unwrap();
        let new_segment = before.read("journal/00000001").unwrap();
        for cut in 0..new_segment.len() {
            let disk = MemoryDisk::default();
            disk.replace("journal/00000000", &old_segment).unwrap();
            disk.replace("journal/00000001", &new_segment[..cut])
                .unwrap();
            let (mut journal, found, _) = open(&disk);
            assert_eq!(found, [1, 2], "cut at {cut}");
            // What is written behind half a snapshot counts, and so does the next whole one.
            journal.record(&[record(3)]).unwrap();
            assert_eq!(ids(&disk), [1, 2, 3], "cut at {cut}");
            journal.snapshot([record(7)].into_iter()).unwrap();
            assert_eq!(ids(&disk), [7], "cut at {cut}");
        }
    }

    #[test]
    fn a_damaged_snapshot_that_nothing_comes_before_is_used_as_far_as_it_goes() {
        let whole = MemoryDisk::default();
        let (mut journal, ..) = open(&whole);
        journal.record(&[record(1)]).unwrap();
        let many: Vec<u64> = (1..=PART_RECORDS as u64 + 10).collect();
        journal.snapshot(many.iter().copied().map(record)).unwrap();
        journal.record(&[record(7000)]).unwrap();
        let content = whole.read("journal/00000001").unwrap();
        let frame_len = |at: usize| {
            let len: [u8; 4] = content[at..at + 4].try_into().unwrap();
            8 + u32::from_le_bytes(len) as usize
        };
        let mut at = 8;
        let frames = [
            ("start", 0),
            ("part", PART_RECORDS),
            ("part", 10),
            ("end", 0),
        ];
        for (damaged, n_records) in frames {
            let disk = MemoryDisk::default();
            let mut flipped = content.clone();
            flipped[at + frame_len(at) - 1] ^= 1;
            at += frame_len(at);
            disk.replace("journal/00000001", &flipped).unwrap();
            let (mut journal, found, replayed) = open(&disk);
            let (steps, parts) = found.split_last().unwrap();
            assert_eq!((*steps, replayed.n_steps), (7000, 1), "{damaged}");
            assert_eq!(many.len() - parts.len(), n_records, "{damaged}");
            // Nothing is missing where the start is.
            let n_named = if damaged == "start" { 1 } else { 2 };
            assert_eq!(replayed.damage.len(), n_named, "{:?}", replayed.damage);
            journal.snapshot([record(9)].into_iter()).unwrap();
            let (_, found, replayed) = open(&disk);
            assert_eq!((found, replayed.damage), (vec![9], Vec::new()));
        }
    }

    fn of_version(magic: &[u8; 8], frames: impl Iterator<Item = Vec<u8>>) -> MemoryDisk {
        let disk = MemoryDisk::default();
        let options = LogOptions {
            magic: *magic,
            ..OPTIONS
        };
        let (mut log, _) = Log::open(Arc::new(disk.clone()), options).unwrap();
        frames.for_each(|frame| log.append(&frame).unwrap());
        disk
    }

    // Written by hand from the description of version 1, apart from any code that wrote it.
    fn of_version_1(frames: &[String]) -> MemoryDisk {
        let bytes = frames.iter().map(|frame| frame.as_bytes().to_vec());
        of_version(b"FBJRNL 1", bytes)
    }

    // One step of one record in JSON, behind an empty table.
    fn of_record(magic: &[u8; 8], json: &str) -> MemoryDisk {
        let json = [&[0], json.as_bytes()].concat();
        let head = [1, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        let length = (json.len() as u32).to_le_bytes();
        let frame = [head.as_slice(), &length, &json].concat();
        of_version(magic, [frame].into_iter())
    }

    #[test]
    fn the_second_version_of_the_format_is_read_and_gone_on_with() {
        let window = r#"{"dispatch":{"window":{"receiver":"pager","value":{"since":1000,"n_told":2,
            "held":[["{}",{"service":"web"}]],"summary":{"deadline":9000,"groups":[{"route":"{}",
            "labels":{"service":"db"},"flush":{"deadline":9000,"batch":{"firing":[7],"resolved":[]},
            "leaving":[],"has_failed":false}}]}}}}}"#;
        let disk = of_record(b"FBJRNL 2", window);
        let (mut journal, found, replayed) = open(&disk);
        assert_eq!((found, replayed.damage), (vec![0], Vec::new()));
        journal.record(&[record(9)]).unwrap();
        assert_eq!(ids(&disk), [0, 9]);
    }

    // They differ in nothing but their names, and in what they have no records of.
    #[test]
    fn later_versions_of_the_format_are_read_and_gone_on_with() {
        let sent = Record::Page(EscalationRecord::Sent(7));
        let heartbeat = r#"{"heartbeat":{"key":{"service":"","name":"nightly"},"is":null}}"#;
        let heartbeat: Record = serde_json::from_str(heartbeat).unwrap();
        let picture = r#"{"id":"5d1b3f4dc5a1c6ffe4b1e7a1a0b7d2a9f1c3b5a7988f6e5d4c3b2a1908f7e6d5",
            "kind":"png","n_bytes":9,"width":1,"height":1}"#;
        let pictured = format!(
            r#"{{"incident":{{"entry":{{"id":1,"n":0,"value":{{"at":0,"by":{{"person":"ana"}},
            "what":{{"pictured":[{picture},"latency","team"]}}}}}}}}}}"#
        );
        let pictured: Record = serde_json::from_str(&pictured).unwrap();
        for (magic, new) in [
            (b"FBJRNL 3", sent),
            (b"FBJRNL 4", heartbeat),
            (b"FBJRNL 5", pictured),
        ] {
            let disk = of_record(magic, &json_record(5));
            let (mut journal, found, replayed) = open(&disk);
            assert_eq!((found, replayed.damage), (vec![5], Vec::new()));
            journal
                .snapshot([record(5), new.clone()].into_iter())
                .unwrap();
            journal.record(&[new]).unwrap();
            assert_eq!(ids(&disk), [5, 0, 0]);
        }
    }

    fn json_record(id: u64) -> String {
        format!(
            r#"{{"inbox":{{"id":{id},"at":1000,"notification":{{"at":1000,"receiver":"r",
            "group_key":"{{}}:{{}}","group_labels":{{}},"reason":"first","alerts":[]}}}}}}"#
        )
    }

    #[test]
    fn the_first_version_of_the_format_is_read_and_gone_on_with() {
        let step = |records: &str| format!(r#"{{"step":[{records}]}}"#);
        let later = r#"{"of_a_later_version":{}}"#;
        let disk = of_version_1(&[
            step(&json_record(1)),
            r#""snapshot_start""#.to_owned(),
            format!(r#"{{"snapshot_part":[{}]}}"#, json_record(5)),
            format!(r#"{{"snapshot_part":[{}]}}"#, json_record(6)),
            r#"{"snapshot_end":2}"#.to_owned(),
            step(&format!("{},{later}", json_record(7))),
            r#""snapshot_start""#.to_owned(),
            format!(r#"{{"snapshot_part":[{}]}}"#, json_record(8)),
        ]);
        let (mut journal, found, replayed) = open(&disk);
        assert_eq!((found, replayed.n_steps), (vec![5, 6, 7], 1));
        // What a later version wrote costs only itself, and is named.
        assert_eq!(replayed.damage.len(), 1, "{:?}", replayed.damage);
        journal.record(&[record(9)]).unwrap();
        assert_eq!(ids(&disk), [5, 6, 7, 9]);
        assert!(journal.wants_snapshot());
        journal.snapshot([record(10)].into_iter()).unwrap();
        assert_eq!(ids(&disk), [10]);
        assert_eq!(disk.list("journal").unwrap().len(), 1);
        assert!(!open(&disk).0.wants_snapshot());
    }

    #[test]
    fn alerts_of_the_first_version_are_restored_and_renewed() {
        let alert = r#"{"dispatch":{"alert":{"fingerprint":11,"value":{"alert":{"labels":{"a":"b"},
            "annotations":{"c":"d"},"starts_at":0,"ends_at":9000,"generator_url":"u",
            "updated_at":1,"is_timeout":true}}}}}"#;
        let disk = of_version_1(&[format!(r#"{{"step":[{alert}]}}"#)]);
        let mut records = Vec::new();
        let keep = &mut |record| records.push(record);
        let (mut journal, _) = Journal::open(Arc::new(disk.clone()), keep).unwrap();
        journal.snapshot(records.clone().into_iter()).unwrap();
        let mut again = Vec::new();
        Journal::open(Arc::new(disk), &mut |record| again.push(record)).unwrap();
        assert_eq!((again.len(), &again), (1, &records));
    }

    #[test]
    fn a_record_or_a_frame_that_cannot_be_read_costs_only_itself() {
        let disk = MemoryDisk::default();
        let (mut journal, ..) = open(&disk);
        journal.record(&[record(1)]).unwrap();
        // Two records behind an empty table: of an unknown kind, and one that is too long.
        let head = [1, 2, 0, 0, 0, 0, 0, 0, 0, 0];
        let of_unknown_kind = [1, 0, 0, 0, 99];
        let frames = [
            [head.as_slice(), &of_unknown_kind, &[9, 0, 0, 0, 99]].concat(),
            head.to_vec(),
            vec![77],
            Vec::new(),
        ];
        for frame in &frames {
            journal.log.append(frame).unwrap();
        }
        journal.record(&[record(2)]).unwrap();
        let (_, found, replayed) = open(&disk);
        assert_eq!(found, [1, 2]);
        assert_eq!(replayed.damage.len(), 5, "{:#?}", replayed.damage);
    }
}
