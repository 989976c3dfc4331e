//! What counts once, until it ends: a log (`firebell-disk`) of JSON frames in a folder of its own,
//! version 1. Of what has ended nothing is kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use firebell_disk::{Disk, Frames, Log, LogError, LogOptions};
use firebell_model::Timestamp;
use serde::{Deserialize, Serialize};

/// What was used, and when.
pub(super) struct Used {
    log: Log,
    pub(super) n_frames: usize,
    /// By its end and its name.
    pub(super) kept: BTreeMap<(Timestamp, String), Timestamp>,
    n_max: usize,
}

/// A thing that was used, as it is written.
#[derive(Serialize, Deserialize)]
struct Frame {
    ends_at: Timestamp,
    signature: String,
    used_at: Timestamp,
}

impl Used {
    /// Reads what was kept; says what could not be read of it. Of more than `n_max` those that end
    /// first are forgotten.
    ///
    /// # Errors
    /// When the disk fails, or another version wrote the folder.
    pub(super) fn open(
        disk: Arc<dyn Disk>,
        options: LogOptions,
        n_max: usize,
    ) -> Result<(Self, Vec<String>), LogError> {
        let mut damage = Vec::new();
        let (log, frames) = Log::open(disk, options)?;
        let n_frames = frames.frames.len();
        let kept = read(frames, &mut damage);
        let used = Self {
            log,
            n_frames,
            kept,
            n_max,
        };
        Ok((used, damage))
    }

    /// When it was used, if it was.
    pub(super) fn at(&self, thing: &(Timestamp, String)) -> Option<Timestamp> {
        self.kept.get(thing).copied()
    }

    /// What begins so and has not ended: when it ends, and what its name says further.
    pub(super) fn beginning<'u>(
        &'u self,
        start: &'u str,
        now: Timestamp,
    ) -> impl Iterator<Item = (Timestamp, &'u str)> {
        let kept = self.kept.keys();
        let kept = kept.filter(move |(ends_at, _)| *ends_at > now);
        kept.filter_map(move |(ends_at, name)| Some((*ends_at, name.strip_prefix(start)?)))
    }

    /// Notes that it was used now.
    ///
    /// # Errors
    /// When the disk fails.
    pub(super) fn keep(
        &mut self,
        now: Timestamp,
        (ends_at, signature): (Timestamp, String),
    ) -> Result<(), LogError> {
        self.kept.insert((ends_at, signature.clone()), now);
        self.forget(now);
        let frame = Frame {
            ends_at,
            signature,
            used_at: now,
        };
        self.write(&frame)?;
        self.log.sync()?;
        if self.n_frames > 2 * self.kept.len() + FRAMES_SPARE {
            self.compact()?;
        }
        Ok(())
    }

    fn forget(&mut self, now: Timestamp) {
        let n_max = self.n_max;
        let has_ended = |kept: &BTreeMap<(Timestamp, String), Timestamp>| {
            let first = kept.first_key_value();
            first.is_some_and(|((ends_at, _), _)| *ends_at <= now) || kept.len() > n_max
        };
        while has_ended(&self.kept) {
            self.kept.pop_first();
        }
    }

    fn write(&mut self, frame: &Frame) -> Result<(), LogError> {
        // Strings and numbers only: nothing that JSON could not hold.
        self.log
            .append(&serde_json::to_vec(frame).unwrap_or_default())?;
        self.n_frames += 1;
        Ok(())
    }

    fn compact(&mut self) -> Result<(), LogError> {
        let segment = self.log.start_segment()?;
        self.n_frames = 0;
        let kept = self.kept.iter();
        let frames: Vec<Frame> = kept
            .map(|((ends_at, signature), used_at)| Frame {
                ends_at: *ends_at,
                signature: signature.clone(),
                used_at: *used_at,
            })
            .collect();
        for frame in &frames {
            self.write(frame)?;
        }
        self.log.sync()?;
        self.log.remove_before(segment)
    }
}

fn read(frames: Frames, damage: &mut Vec<String>) -> BTreeMap<(Timestamp, String), Timestamp> {
    damage.extend(frames.damage);
    let mut kept = BTreeMap::new();
    for (_, payload) in frames.frames {
        match serde_json::from_slice::<Frame>(&payload) {
            Ok(frame) => drop(kept.insert((frame.ends_at, frame.signature), frame.used_at)),
            Err(error) => damage.push(format!("what was used cannot be read: {error}")),
        }
    }
    kept
}

/// So many frames too many are not worth writing the log anew.
pub(super) const FRAMES_SPARE: usize = 1_000;
