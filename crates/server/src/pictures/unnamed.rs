//! Since when files of pictures are without a name: the file `unnamed` beside them, a line for each with
//! its id and the milliseconds since 1970.
//!
//! *Invariants*: the age of a file says nothing of it, as an old picture may have lost its entry today.
//! What cannot be read here counts from now on: it is kept longer, never shorter.

use std::collections::BTreeMap;

use firebell_disk::{Disk, DiskError};
use firebell_incident::PictureId;
use firebell_model::Timestamp;

/// See the module's documentation.
pub(super) struct Unnamed {
    since: BTreeMap<PictureId, Timestamp>,
    is_changed: bool,
}

impl Unnamed {
    /// What is known. Waits for the disk.
    ///
    /// # Errors
    /// When the disk fails.
    pub(super) fn read(disk: &dyn Disk) -> Result<Self, DiskError> {
        let content = match disk.read(PATH) {
            Ok(content) => content,
            Err(error) if error.is_not_found => Vec::new(),
            Err(error) => return Err(error),
        };
        let content = String::from_utf8_lossy(&content);
        let read = |line: &str| {
            let (id, at) = line.split_once(' ')?;
            Some((id.parse().ok()?, Timestamp(at.parse().ok()?)))
        };
        Ok(Self {
            since: content.lines().filter_map(read).collect(),
            is_changed: false,
        })
    }

    /// Whether it was found before.
    pub(super) fn has(&self, id: PictureId) -> bool {
        self.since.contains_key(&id)
    }

    /// Since when it has no name: from now on, if that was not known.
    pub(super) fn since(&mut self, id: PictureId, now: Timestamp) -> Timestamp {
        *self.since.entry(id).or_insert_with(|| {
            self.is_changed = true;
            now
        })
    }

    /// Leaves out those that have a name again, or are gone.
    pub(super) fn retain(&mut self, is_kept: impl Fn(PictureId) -> bool) {
        let n_before = self.since.len();
        self.since.retain(|id, _| is_kept(*id));
        self.is_changed |= self.since.len() != n_before;
    }

    /// Writes down what has changed. Waits for the disk.
    ///
    /// # Errors
    /// When the disk is full or fails: what is new then counts from a later time on.
    pub(super) fn write(&self, disk: &dyn Disk) -> Result<(), DiskError> {
        if !self.is_changed {
            return Ok(());
        }
        if self.since.is_empty() {
            return disk.remove(PATH);
        }
        let lines = self.since.iter();
        let lines = lines.map(|(id, at)| format!("{id} {}\n", at.0));
        disk.replace(PATH, lines.collect::<String>().as_bytes())
    }
}

const PATH: &str = "pictures/unnamed";
