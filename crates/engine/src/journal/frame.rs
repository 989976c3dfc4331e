//! Frames of the journal as bytes, of both versions. The format stands in the parent's documentation.
//!
//! *Invariants*: whatever a payload holds, reading it gives records or says what is wrong. A record
//! that cannot be read costs only itself.

use firebell_dispatch::{DispatchRecord, Packer, Unpacker};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::Record;

const STEP: u8 = 1;
const SNAPSHOT_START: u8 = 2;
const SNAPSHOT_PART: u8 = 3;
const SNAPSHOT_END: u8 = 4;
/// A record in JSON; packed ones begin with other bytes.
const JSON: u8 = 0;

/// What a frame is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Head {
    Step,
    SnapshotStart,
    /// With so many records.
    SnapshotPart(usize),
    /// Of so many records in all.
    SnapshotEnd(usize),
}

/// A frame of version 1; `T` is a record.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum JsonFrame<T> {
    Step(Vec<T>),
    SnapshotStart,
    SnapshotPart(Vec<T>),
    SnapshotEnd(usize),
}

/// Collects the records of a frame. Its buffers are used again.
#[derive(Default)]
pub(super) struct Writer {
    packer: Packer,
    n_records: usize,
    payload: Vec<u8>,
}

impl Writer {
    /// Adds a record.
    pub(super) fn add(&mut self, record: &Record) {
        self.n_records += 1;
        self.packer.measured(|packer| {
            let is_packed = match record {
                Record::Dispatch(record) => record.pack(packer),
                Record::Rule(_)
                | Record::Inbox(_)
                | Record::Failing(_)
                | Record::Incident(_)
                | Record::Page(_)
                | Record::Heartbeat(_) => false,
            };
            if !is_packed {
                packer.byte(JSON);
                // Records are plain data with string keys: they always have a JSON form.
                packer.bytes(&serde_json::to_vec(record).unwrap_or_default());
            }
        });
    }

    /// How many records there are.
    pub(super) fn n_records(&self) -> usize {
        self.n_records
    }

    /// How many bytes they take.
    pub(super) fn n_bytes(&self) -> usize {
        self.packer.len()
    }

    /// The payload of a step.
    pub(super) fn step(&mut self) -> &[u8] {
        self.finish(STEP)
    }

    /// The payload of a part of a snapshot.
    pub(super) fn snapshot_part(&mut self) -> &[u8] {
        self.finish(SNAPSHOT_PART)
    }

    fn finish(&mut self, kind: u8) -> &[u8] {
        self.payload.clear();
        self.payload.push(kind);
        self.payload
            .extend_from_slice(&(self.n_records as u64).to_le_bytes());
        self.packer.finish(&mut self.payload);
        self.n_records = 0;
        &self.payload
    }
}

/// The payload that begins a snapshot.
pub(super) fn snapshot_start() -> Vec<u8> {
    vec![SNAPSHOT_START]
}

/// The payload that ends a snapshot of so many records.
pub(super) fn snapshot_end(n_records: usize) -> Vec<u8> {
    let mut payload = vec![SNAPSHOT_END];
    payload.extend_from_slice(&(n_records as u64).to_le_bytes());
    payload
}

/// What a payload is.
///
/// # Errors
/// In words, when it is no frame of a known version.
pub(super) fn head(payload: &[u8]) -> Result<Head, String> {
    if is_older(payload) {
        let frame: JsonFrame<IgnoredAny> = read_json(payload)?;
        return Ok(match frame {
            JsonFrame::Step(_) => Head::Step,
            JsonFrame::SnapshotStart => Head::SnapshotStart,
            JsonFrame::SnapshotPart(records) => Head::SnapshotPart(records.len()),
            JsonFrame::SnapshotEnd(n_records) => Head::SnapshotEnd(n_records),
        });
    }
    match split(payload)? {
        (STEP, _, _) => Ok(Head::Step),
        (SNAPSHOT_START, _, _) => Ok(Head::SnapshotStart),
        (SNAPSHOT_PART, n_records, _) => Ok(Head::SnapshotPart(n_records)),
        (SNAPSHOT_END, n_records, _) => Ok(Head::SnapshotEnd(n_records)),
        (kind, _, _) => Err(format!("it is of the unknown kind {kind}")),
    }
}

/// Visits the records of a step or of a part of a snapshot, in order; those that cannot be read with
/// what is wrong.
///
/// # Errors
/// In words, when nothing of it can be read.
pub(super) fn visit(
    payload: &[u8],
    visit: &mut dyn FnMut(Result<Record, String>),
) -> Result<(), String> {
    if is_older(payload) {
        let frame: JsonFrame<serde_json::Value> = read_json(payload)?;
        if let JsonFrame::Step(records) | JsonFrame::SnapshotPart(records) = frame {
            let records = records.into_iter().map(serde_json::from_value);
            records.for_each(|it| visit(it.map_err(|error| error.to_string())));
        }
        return Ok(());
    }
    let (_, n_records, pack) = split(payload)?;
    let broken = || "it ends too early".to_owned();
    let mut records = Unpacker::new(pack).ok_or_else(broken)?;
    for _ in 0..n_records {
        let record = records.measured().ok_or_else(broken)?;
        visit(read(record));
    }
    Ok(())
}

fn read(mut record: Unpacker<'_>) -> Result<Record, String> {
    if record.rest().first() == Some(&JSON) {
        let _ = record.byte();
        return read_json(record.rest());
    }
    let kind = record.rest().first().copied();
    let unknown = || format!("its kind is {kind:?}, or it is damaged");
    let record = DispatchRecord::unpack(record).ok_or_else(unknown)?;
    Ok(Record::Dispatch(record))
}

/// Whether a payload is of version 1.
pub(super) fn is_older(payload: &[u8]) -> bool {
    matches!(payload.first(), Some(b'{' | b'"'))
}

fn read_json<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(json).map_err(|error| error.to_string())
}

// Kind, number of records, and what is behind.
fn split(payload: &[u8]) -> Result<(u8, usize, &[u8]), String> {
    let (kind, rest) = payload.split_first().ok_or("it is empty")?;
    if *kind == SNAPSHOT_START {
        return Ok((*kind, 0, rest));
    }
    let (n_records, pack) = rest.split_first_chunk().ok_or("it ends too early")?;
    let n_records = usize::try_from(u64::from_le_bytes(*n_records));
    Ok((*kind, n_records.map_err(|error| error.to_string())?, pack))
}
