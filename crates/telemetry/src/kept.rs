//! The log of a signal: appended to, forgotten from its old end, scanned from its new one.

use std::collections::{BTreeSet, VecDeque};
use std::marker::PhantomData;
use std::sync::Arc;

use firebell_disk::{Disk, DiskError, Log, LogError, read_segment};
use firebell_model::{Duration, Timestamp};

use crate::frame::{self, Content, Head};
use crate::record::{Origin, Record, TraceId};

/// How much of a signal is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// What came longer ago goes.
    pub retention: Duration,
    /// The oldest goes when all takes more on disk.
    pub bytes_max: u64,
}

impl Limits {
    /// A part of the whole, so that little more than is asked for is kept or forgotten.
    fn segment_bytes(&self) -> u64 {
        (self.bytes_max / SEGMENTS).clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX)
    }
}

/// Records that were forgotten, by why.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Dropped {
    /// They were too old.
    pub by_age: u64,
    /// There was too much.
    pub by_bytes: u64,
}

/// The writing end of a signal.
pub struct Kept<R> {
    log: Log,
    segments: VecDeque<Segment>,
    of: PhantomData<R>,
}

/// What memory knows of a segment.
#[derive(Debug)]
struct Segment {
    number: u64,
    came_nanos: u64,
    first_nanos: u64,
    last_nanos: u64,
    bytes: u64,
    n_records: u64,
    /// Short forms.
    traces: BTreeSet<u64>,
    services: BTreeSet<Box<str>>,
}

/// What of a scan is worth reading; all conditions hold together.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) from_nanos: u64,
    pub(crate) to_nanos: u64,
    pub(crate) trace: Option<TraceId>,
    pub(crate) service: Option<String>,
}

/// Where to look, the newest part first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Scanned(Vec<u64>);

impl<R: Record> Kept<R> {
    /// Opens a log and looks at what it holds; says what could not be read.
    ///
    /// # Errors
    /// When the disk fails, or another version wrote the folder.
    pub fn open(disk: Arc<dyn Disk>, limits: &Limits) -> Result<(Self, Vec<String>), LogError> {
        let mut segments = VecDeque::new();
        let options = R::options(limits.segment_bytes());
        let (log, found) = Log::open_with(disk, options, &mut |number, payload| {
            if let Some((head, _)) = frame::read(payload) {
                note(&mut segments, number, &head, payload.len());
            }
        })?;
        let kept = Self {
            log,
            segments,
            of: PhantomData,
        };
        Ok((kept, found.damage))
    }

    /// Appends records of one origin; they survive the end of the process at once. Returns what had
    /// to make room.
    ///
    /// # Errors
    /// When the disk is full or fails: then some of them may not be kept.
    pub fn append(
        &mut self,
        now: Timestamp,
        limits: &Limits,
        origin: &Origin,
        records: &[R],
    ) -> Result<Dropped, LogError> {
        let mut dropped = Dropped::default();
        for part in records.chunks(FRAME_RECORDS_MAX) {
            let is_full = |it: &Segment| it.bytes >= limits.segment_bytes();
            if self.segments.back().is_some_and(is_full) {
                self.log.start_segment()?;
                let more = self.forget(now, limits)?;
                dropped.by_age += more.by_age;
                dropped.by_bytes += more.by_bytes;
            }
            let payload = frame::write(nanos_of(now), origin, part);
            self.log.append(&payload)?;
            if let Some((head, _)) = frame::read(&payload) {
                note(&mut self.segments, self.log.segment(), &head, payload.len());
            }
        }
        Ok(dropped)
    }

    /// Makes all of it survive a loss of power, too.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn sync(&mut self) -> Result<(), LogError> {
        self.log.sync()
    }

    /// Forgets what is too old, and the oldest of what is too much; never the segment that is
    /// written to, unless all of it is too old.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn forget(&mut self, now: Timestamp, limits: &Limits) -> Result<Dropped, LogError> {
        let old = nanos_of(now - limits.retention);
        if self.segments.back().is_some_and(|it| it.came_nanos < old) {
            self.log.start_segment()?;
        }
        let mut bytes: u64 = self.segments.iter().map(|it| it.bytes).sum();
        let mut dropped = Dropped::default();
        let mut n_dropped = 0;
        for segment in &self.segments {
            let is_old = segment.came_nanos < old;
            let is_done = segment.number < self.log.segment();
            if !is_done || !(is_old || bytes > limits.bytes_max) {
                break;
            }
            bytes -= segment.bytes;
            n_dropped += 1;
            if is_old {
                dropped.by_age += segment.n_records;
            } else {
                dropped.by_bytes += segment.n_records;
            }
        }
        if n_dropped > 0 {
            self.segments.drain(..n_dropped);
            let first_kept = self.segments.front().map(|it| it.number);
            let first_kept = first_kept.unwrap_or(self.log.segment());
            self.log.remove_before(first_kept)?;
        }
        Ok(dropped)
    }

    /// What it takes on disk.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|it| it.bytes).sum()
    }

    pub(crate) fn wanted(&self, wanted: &Wanted) -> Scanned {
        let newest_first = self.segments.iter().rev();
        let found = newest_first.filter(|it| {
            let service = wanted.service.as_deref();
            it.first_nanos <= wanted.to_nanos
                && it.last_nanos >= wanted.from_nanos
                && wanted
                    .trace
                    .is_none_or(|id| it.traces.contains(&id.short()))
                && service.is_none_or(|name| it.services.contains(name))
        });
        Scanned(found.map(|it| it.number).collect())
    }
}

impl<R> std::fmt::Debug for Kept<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept")
            .field("segments", &self.segments.len())
            .finish_non_exhaustive()
    }
}

/// Reads what is wanted, while others may be written: segment by segment, the newest first, and
/// frame by frame within. `visit` is given records; `is_enough` is asked after each segment. Says
/// whether all was looked at: it ends early after some 64 MiB of records.
///
/// # Errors
/// When the disk fails, or another version wrote a segment. A segment that is gone meanwhile is
/// passed over.
pub(crate) fn scan_wanted<R: Record>(
    disk: &dyn Disk,
    scanned: &Scanned,
    wanted: &Wanted,
    state: &mut dyn Visitor<R>,
) -> Result<bool, LogError> {
    let mut n_bytes = 0;
    let options = R::options(SEGMENT_BYTES_MAX);
    for (idx, number) in scanned.0.iter().enumerate() {
        let read = read_segment(disk, &options, *number, &mut |payload| {
            let Some((_, json)) = frame::read(payload).filter(|(it, _)| wanted.has(it)) else {
                return;
            };
            n_bytes += json.len();
            if n_bytes > SCANNED_BYTES_MAX && idx > 0 {
                return;
            }
            // What a later version wrote costs only itself.
            if let Ok(content) = serde_json::from_slice::<Content<R>>(json) {
                let origin = Arc::new(content.origin);
                for record in content.records {
                    if wanted.takes(&record) {
                        state.visit(&origin, record);
                    }
                }
            }
        });
        match read {
            Err(LogError::Disk(DiskError {
                is_not_found: true, ..
            })) => {}
            other => other?,
        }
        let is_last = idx + 1 == scanned.0.len();
        if n_bytes > SCANNED_BYTES_MAX && !is_last {
            return Ok(false);
        }
        if state.is_enough() && !is_last {
            return Ok(true);
        }
    }
    Ok(true)
}

/// Takes what a scan finds.
pub(crate) trait Visitor<R> {
    fn visit(&mut self, origin: &Arc<Origin>, record: R);

    /// Whether older segments need not be looked at.
    fn is_enough(&self) -> bool {
        false
    }
}

impl Wanted {
    fn has(&self, head: &Head<'_>) -> bool {
        head.first_nanos <= self.to_nanos
            && head.last_nanos >= self.from_nanos
            && self
                .service
                .as_deref()
                .is_none_or(|name| head.service == name)
            && self
                .trace
                .is_none_or(|id| head.traces().any(|it| it == id.short()))
    }

    fn takes<R: Record>(&self, record: &R) -> bool {
        (self.from_nanos..=self.to_nanos).contains(&record.nanos())
            && self.trace.is_none_or(|id| record.trace() == Some(id))
    }
}

fn note(segments: &mut VecDeque<Segment>, number: u64, head: &Head<'_>, n_payload: usize) {
    if segments.back().is_none_or(|it| it.number != number) {
        segments.push_back(Segment {
            number,
            came_nanos: 0,
            first_nanos: u64::MAX,
            last_nanos: 0,
            bytes: 0,
            n_records: 0,
            traces: BTreeSet::new(),
            services: BTreeSet::new(),
        });
    }
    let Some(segment) = segments.back_mut() else {
        return;
    };
    segment.came_nanos = segment.came_nanos.max(head.came_nanos);
    segment.first_nanos = segment.first_nanos.min(head.first_nanos);
    segment.last_nanos = segment.last_nanos.max(head.last_nanos);
    segment.bytes += n_payload as u64 + FRAME_HEAD_BYTES;
    segment.n_records += u64::from(head.n_records);
    segment.traces.extend(head.traces());
    if !segment.services.contains(head.service) {
        segment.services.insert(head.service.into());
    }
}

/// A moment as nanoseconds since 1970; zero before that.
#[must_use]
pub fn nanos_of(at: Timestamp) -> u64 {
    u64::try_from(at.0).unwrap_or(0).saturating_mul(1_000_000)
}

/// About so many segments make up the whole.
const SEGMENTS: u64 = 16;
const SEGMENT_BYTES_MIN: u64 = 64 << 10;
const SEGMENT_BYTES_MAX: u64 = 8 << 20;
/// Longer requests are several frames, so that a question reads less.
const FRAME_RECORDS_MAX: usize = 512;
/// What the log adds to each frame.
const FRAME_HEAD_BYTES: u64 = 8;
/// A question reads so much besides its first segment.
const SCANNED_BYTES_MAX: usize = 64 << 20;
