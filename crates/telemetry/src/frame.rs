//! A frame of the log: records of one origin, with a head by which most are passed over unread.
//!
//! A frame is the moment at which it came, the first and the last moment of its records (each
//! nanoseconds since 1970, `u64`), the number of records, of traces and of bytes of the service's
//! name (`u32`), the short forms of the traces (`u64`), the name, and the JSON of the records with
//! their origin. All numbers are little-endian.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::record::{Origin, Record};

/// What stands at the begin of a frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Head<'a> {
    pub(crate) came_nanos: u64,
    pub(crate) first_nanos: u64,
    pub(crate) last_nanos: u64,
    pub(crate) n_records: u32,
    traces: &'a [[u8; 8]],
    pub(crate) service: &'a str,
}

#[derive(Serialize)]
struct Written<'a, R> {
    origin: &'a Origin,
    records: &'a [R],
}

/// The content of a frame.
#[derive(Deserialize)]
pub(crate) struct Content<R> {
    pub(crate) origin: Origin,
    pub(crate) records: Vec<R>,
}

/// Makes a frame.
pub(crate) fn write<R: Record>(came_nanos: u64, origin: &Origin, records: &[R]) -> Vec<u8> {
    let nanos = || records.iter().map(Record::nanos);
    let first_nanos = nanos().min().unwrap_or(0);
    let last_nanos = nanos().max().unwrap_or(0);
    let traces = records.iter().filter_map(Record::trace);
    let traces: BTreeSet<u64> = traces.map(|it| it.short()).collect();
    let mut payload = Vec::with_capacity(256 + 256 * records.len());
    for number in [came_nanos, first_nanos, last_nanos] {
        payload.extend_from_slice(&number.to_le_bytes());
    }
    for number in [records.len(), traces.len(), origin.service.len()] {
        // A request is smaller than 32 MiB.
        payload.extend_from_slice(&(number as u32).to_le_bytes());
    }
    for trace in &traces {
        payload.extend_from_slice(&trace.to_le_bytes());
    }
    payload.extend_from_slice(origin.service.as_bytes());
    // Plain data with string keys always has a JSON form.
    let _ = serde_json::to_writer(&mut payload, &Written { origin, records });
    payload
}

/// The head of a frame, and the JSON behind it; `None` when it is no frame of this kind.
pub(crate) fn read(payload: &[u8]) -> Option<(Head<'_>, &[u8])> {
    let (numbers, rest) = payload.split_at_checked(24)?;
    let (numbers, _) = numbers.as_chunks::<8>();
    let &[came, first, last] = numbers else {
        return None;
    };
    let (counts, rest) = rest.split_at_checked(12)?;
    let (counts, _) = counts.as_chunks::<4>();
    let &[n_records, n_traces, n_name] = counts else {
        return None;
    };
    let len = |number| usize::try_from(u32::from_le_bytes(number)).ok();
    let (traces, rest) = rest.split_at_checked(len(n_traces)?.checked_mul(8)?)?;
    let (name, json) = rest.split_at_checked(len(n_name)?)?;
    let head = Head {
        came_nanos: u64::from_le_bytes(came),
        first_nanos: u64::from_le_bytes(first),
        last_nanos: u64::from_le_bytes(last),
        n_records: u32::from_le_bytes(n_records),
        traces: traces.as_chunks().0,
        service: std::str::from_utf8(name).ok()?,
    };
    Some((head, json))
}

impl Head<'_> {
    /// The short forms of its traces, in order.
    pub(crate) fn traces(&self) -> impl Iterator<Item = u64> {
        self.traces.iter().map(|it| u64::from_le_bytes(*it))
    }
}
