//! The journal: every record of every step, durable before the step's effects are performed.
//!
//! A log (`firebell-disk`) of JSON frames in the folder `journal`, version 1:
//! `{"step":[record, …]}` for each step; a snapshot is `"snapshot_start"`, a run of
//! `{"snapshot_part":[record, …]}`, and `{"snapshot_end":n}` with the number of records. Reading
//! takes the last snapshot that is whole and the steps behind it; records are applied in order, the
//! last of a key wins.
//!
//! *Invariants*: a crash at any byte loses at most the frame that was being written. A snapshot
//! counts only when its end is there, and only then are older segments removed.

use std::sync::Arc;

use firebell_disk::{Disk, DiskError, Frames, Log, LogError, LogOptions};
use serde::{Deserialize, Serialize};

use crate::Record;

/// The writing end.
pub struct Journal {
    log: Log,
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
    /// The records to restore, in order.
    pub records: Vec<Record>,
    /// Steps behind the last snapshot.
    pub n_steps: usize,
    /// What could not be read, in words for the operator.
    pub damage: Vec<String>,
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

/// One frame, to write.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum FrameRef<'a> {
    Step(&'a [Record]),
    SnapshotStart,
    SnapshotPart(&'a [Record]),
    SnapshotEnd(usize),
}

/// One frame, as read. Records stay raw until it is known that they count, so that one which
/// cannot be read costs only itself.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Frame {
    Step(Vec<serde_json::Value>),
    SnapshotStart,
    SnapshotPart(Vec<serde_json::Value>),
    SnapshotEnd(usize),
}

impl Journal {
    /// Opens the journal and reads what it holds.
    ///
    /// # Errors
    /// When the disk fails, or the folder holds another version's journal.
    pub fn open(disk: Arc<dyn Disk>) -> Result<(Self, Replayed), JournalError> {
        let (log, frames) = Log::open(disk, OPTIONS)?;
        let bytes = frames
            .frames
            .iter()
            .map(|(_, payload)| payload.len() as u64)
            .sum();
        let journal = Self {
            log,
            bytes_since_snapshot: bytes,
            snapshot_bytes: 0,
            is_behind: false,
        };
        Ok((journal, replay(frames)))
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
        let result = self.write(&FrameRef::Step(records));
        self.is_behind = result.is_err();
        result
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
    pub fn snapshot(&mut self, state: &[Record]) -> Result<(), JournalError> {
        let segment = self.log.start_segment()?;
        self.bytes_since_snapshot = 0;
        self.write(&FrameRef::SnapshotStart)?;
        for part in state.chunks(PART_RECORDS) {
            self.write(&FrameRef::SnapshotPart(part))?;
        }
        self.write(&FrameRef::SnapshotEnd(state.len()))?;
        self.log.sync()?;
        self.snapshot_bytes = self.bytes_since_snapshot;
        self.bytes_since_snapshot = 0;
        self.is_behind = false;
        Ok(self.log.remove_before(segment)?)
    }

    fn write(&mut self, frame: &FrameRef<'_>) -> Result<(), JournalError> {
        // Records are plain data with string keys: they always have a JSON form.
        let payload = serde_json::to_vec(frame).unwrap_or_default();
        self.log.append(&payload)?;
        self.bytes_since_snapshot += payload.len() as u64;
        Ok(())
    }
}

fn replay(frames: Frames) -> Replayed {
    let mut replayed = Replayed {
        damage: frames.damage,
        ..Replayed::default()
    };
    let (mut state, mut snapshot) = (Vec::new(), Vec::new());
    for (segment, payload) in frames.frames {
        match serde_json::from_slice(&payload) {
            Ok(Frame::Step(records)) => {
                state.extend(records);
                replayed.n_steps += 1;
            }
            Ok(Frame::SnapshotStart) => snapshot.clear(),
            Ok(Frame::SnapshotPart(records)) => snapshot.extend(records),
            Ok(Frame::SnapshotEnd(n)) => {
                if snapshot.len() == n {
                    state = std::mem::take(&mut snapshot);
                    replayed.n_steps = 0;
                }
            }
            Err(error) => replayed.damage.push(format!(
                "segment {segment} of the journal has a frame that this version cannot read: {error}"
            )),
        }
    }
    for value in state {
        match serde_json::from_value(value) {
            Ok(record) => replayed.records.push(record),
            Err(error) => replayed.damage.push(format!(
                "the journal has a record that this version cannot read: {error}"
            )),
        }
    }
    replayed
}

const OPTIONS: LogOptions = LogOptions {
    folder: "journal",
    magic: *b"FBJRNL 1",
    magics_read: &[],
    segment_bytes_max: 64 << 20,
};
/// A journal shorter than this is not worth a snapshot.
const SNAPSHOT_BYTES_MIN: u64 = 4 << 20;
/// Records in one part of a snapshot.
const PART_RECORDS: usize = 1000;

#[cfg(test)]
mod tests {
    use firebell_disk::MemoryDisk;
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
        };
        Record::Inbox(InboxEntry {
            id,
            at: Timestamp(0),
            notification: Arc::new(notification),
        })
    }

    fn ids(replayed: &Replayed) -> Vec<u64> {
        let id = |record: &Record| match record {
            Record::Inbox(entry) => entry.id,
            Record::Rule(_) | Record::Dispatch(_) => 0,
        };
        replayed.records.iter().map(id).collect()
    }

    fn open(disk: &MemoryDisk) -> (Journal, Replayed) {
        Journal::open(Arc::new(disk.clone())).unwrap()
    }

    #[test]
    fn steps_and_snapshots_come_back_in_order() {
        let disk = MemoryDisk::default();
        let (mut journal, _) = open(&disk);
        journal.record(&[record(1), record(2)]).unwrap();
        journal.record(&[record(3)]).unwrap();
        journal.sync().unwrap();
        assert_eq!(ids(&open(&disk).1), [1, 2, 3]);
        journal.snapshot(&[record(3)]).unwrap();
        journal.record(&[record(4)]).unwrap();
        let replayed = open(&disk).1;
        assert_eq!(ids(&replayed), [3, 4]);
        assert_eq!(replayed.n_steps, 1);
        assert_eq!(disk.list("journal").unwrap().len(), 1);
    }

    #[test]
    fn a_cut_at_any_byte_of_a_snapshot_keeps_the_state_before_it() {
        let before = MemoryDisk::default();
        let (mut journal, _) = open(&before);
        journal.record(&[record(1)]).unwrap();
        journal.record(&[record(2)]).unwrap();
        let old_segment = before.read("journal/00000000").unwrap();
        journal.snapshot(&[record(9)]).unwrap();
        let new_segment = before.read("journal/00000001").unwrap();
        for cut in 0..new_segment.len() {
            let disk = MemoryDisk::default();
            disk.replace("journal/00000000", &old_segment).unwrap();
            disk.replace("journal/00000001", &new_segment[..cut])
                .unwrap();
            let (mut journal, replayed) = open(&disk);
            assert_eq!(ids(&replayed), [1, 2], "cut at {cut}");
            // What is written behind half a snapshot counts, and so does the next whole one.
            journal.record(&[record(3)]).unwrap();
            assert_eq!(ids(&open(&disk).1), [1, 2, 3], "cut at {cut}");
            journal.snapshot(&[record(7)]).unwrap();
            assert_eq!(ids(&open(&disk).1), [7], "cut at {cut}");
        }
    }

    #[test]
    fn the_first_version_of_the_format_stays_readable() {
        // Written by hand from the module's description, apart from the code that writes it.
        let payload = concat!(
            r#"{"step":[{"inbox":{"id":5,"at":1000,"notification":{"at":1000,"receiver":"r","#,
            r#""group_key":"{}:{}","group_labels":{},"reason":"first","alerts":[]}}},"#,
            r#"{"of_a_later_version":{}}]}"#,
        );
        let disk = MemoryDisk::default();
        let (mut log, _) = Log::open(Arc::new(disk.clone()), OPTIONS).unwrap();
        log.append(payload.as_bytes()).unwrap();
        let replayed = open(&disk).1;
        assert_eq!(ids(&replayed), [5]);
        // What a later version wrote costs only itself, and is named.
        assert_eq!(replayed.damage.len(), 1, "{:?}", replayed.damage);
    }
}
