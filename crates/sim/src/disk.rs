//! A disk in memory that can lose power, be full, or be cut at any write.
//!
//! *Invariants*: what was written outlives the process; what was synced, and every rename and
//! removal, outlives the loss of power as well. Of the rest any part from the front may be there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use firebell_disk::{Disk, DiskError};

use crate::chance::Chance;

/// See the module's documentation. Cheap to clone: clones are the same disk.
#[derive(Clone, Default, Debug)]
pub struct SimDisk(Arc<Mutex<State>>);

#[derive(Default, Debug)]
struct State {
    files: BTreeMap<String, File>,
    fault: Fault,
    /// How many writes succeed until power fails in the middle of one.
    writes_until_cut: Option<u64>,
    n_writes: u64,
    lies: bool,
}

#[derive(Clone, Default, Debug)]
struct File {
    content: Vec<u8>,
    n_synced: usize,
}

/// What is wrong with the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Appends and replacements fail for want of room; a part of them is written.
    Full,
    /// Every write and sync fails, repairs too; a part of each append is written.
    Broken,
    /// Power has failed in the middle of a write: nothing works until [`SimDisk::lose_power`].
    Cut,
}

impl SimDisk {
    /// Makes the disk full or broken, or works again.
    pub fn set_fault(&self, fault: Fault) {
        self.state().fault = fault;
    }

    /// What is wrong with it.
    #[must_use]
    pub fn fault(&self) -> Fault {
        self.state().fault
    }

    /// Has power fail in the middle of a write, after `n_writes` more that succeed.
    pub fn cut_after(&self, n_writes: u64) {
        self.state().writes_until_cut = Some(n_writes);
    }

    /// From now on it says that it has synced, and has not.
    pub fn lie(&self) {
        self.state().lies = true;
    }

    /// Whether power has failed in the middle of a write.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.state().fault == Fault::Cut
    }

    /// How many writes and syncs there were.
    #[must_use]
    pub fn n_writes(&self) -> u64 {
        self.state().n_writes
    }

    /// How many bytes of the files in a folder would be lost with the power.
    #[must_use]
    pub fn n_unsynced(&self, folder: &str) -> usize {
        let state = self.state();
        let files = state
            .files
            .iter()
            .filter(|(path, _)| path.starts_with(folder));
        files
            .map(|(_, file)| file.content.len() - file.n_synced)
            .sum()
    }

    /// Power fails: of each file the synced part stays, and by chance some of what follows it. The
    /// disk works again afterwards.
    pub fn lose_power(&self, chance: &mut Chance) {
        let mut state = self.state();
        for file in state.files.values_mut() {
            let n_unsynced = file.content.len() - file.n_synced;
            let n_kept = file.n_synced + chance.below(n_unsynced as u64 + 1) as usize;
            file.content.truncate(n_kept);
            file.n_synced = n_kept;
        }
        state.writes_until_cut = None;
        if state.fault == Fault::Cut {
            state.fault = Fault::None;
        }
    }

    /// Copies all files.
    ///
    /// # Errors
    /// When the other disk fails.
    pub fn copy_to(&self, to: &dyn Disk) -> Result<(), DiskError> {
        let state = self.state();
        let mut files = state.files.iter();
        files.try_for_each(|(path, file)| to.replace(path, &file.content))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Counts a write, and says what keeps it from succeeding.
    fn write(&mut self, action: &'static str, path: &str) -> Result<(), DiskError> {
        self.n_writes += 1;
        if let Some(n_left) = &mut self.writes_until_cut {
            match n_left.checked_sub(1) {
                Some(n) => *n_left = n,
                None => self.fault = Fault::Cut,
            }
        }
        let error = |why: &str, is_full| {
            Err(DiskError {
                action,
                path: path.to_owned(),
                why: why.to_owned(),
                is_not_found: false,
                is_full,
            })
        };
        match self.fault {
            Fault::None => Ok(()),
            // Repairs and removals need no room, and what is there can be synced.
            Fault::Full if !matches!(action, "append to" | "replace") => Ok(()),
            Fault::Full => error("no space left on device", true),
            Fault::Broken => error("input/output error", false),
            Fault::Cut => error("power has failed", false),
        }
    }
}

impl Disk for SimDisk {
    fn append(&self, path: &str, bytes: &[u8]) -> Result<(), DiskError> {
        let mut state = self.state();
        let was_cut = state.fault == Fault::Cut;
        let result = state.write("append to", path);
        // Another part each time, so that every kind of torn frame comes about.
        let n_written = match (&result, was_cut) {
            (Ok(()), _) => bytes.len(),
            (Err(_), true) => return result,
            (Err(_), false) => (state.n_writes as usize * 7) % (bytes.len() + 1),
        };
        let file = state.files.entry(path.to_owned()).or_default();
        file.content.extend_from_slice(&bytes[..n_written]);
        result
    }

    fn sync(&self, path: &str) -> Result<(), DiskError> {
        let mut state = self.state();
        state.write("sync", path)?;
        let lies = state.lies;
        if let Some(file) = state.files.get_mut(path).filter(|_| !lies) {
            file.n_synced = file.content.len();
        }
        Ok(())
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, DiskError> {
        let state = self.state();
        let file = state.files.get(path).ok_or_else(|| not_found(path))?;
        Ok(file.content.clone())
    }

    fn read_at(&self, path: &str, offset: u64, len: usize) -> Result<Vec<u8>, DiskError> {
        let state = self.state();
        let file = state.files.get(path).ok_or_else(|| not_found(path))?;
        let size = file.content.len();
        let start = usize::try_from(offset).map_or(size, |at| at.min(size));
        let end = start.saturating_add(len).min(size);
        Ok(file.content[start..end].to_vec())
    }

    fn replace(&self, path: &str, bytes: &[u8]) -> Result<(), DiskError> {
        let mut state = self.state();
        state.write("replace", path)?;
        let file = File {
            content: bytes.to_vec(),
            n_synced: bytes.len(),
        };
        state.files.insert(path.to_owned(), file);
        Ok(())
    }

    fn truncate(&self, path: &str, len: u64) -> Result<(), DiskError> {
        let mut state = self.state();
        state.write("cut", path)?;
        if let Some(file) = state.files.get_mut(path) {
            let len = usize::try_from(len).unwrap_or(usize::MAX);
            file.content.truncate(len);
            // As on a real disk, which syncs a cut at once.
            file.n_synced = file.content.len();
        }
        Ok(())
    }

    fn remove(&self, path: &str) -> Result<(), DiskError> {
        let mut state = self.state();
        state.write("remove", path)?;
        state.files.remove(path);
        Ok(())
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, DiskError> {
        let prefix = format!("{folder}/");
        let state = self.state();
        let names = state.files.keys().filter_map(|path| {
            let name = path.strip_prefix(&prefix)?;
            (!name.contains('/')).then(|| name.to_owned())
        });
        Ok(names.collect())
    }
}

fn not_found(path: &str) -> DiskError {
    DiskError {
        action: "read",
        path: path.to_owned(),
        why: "no such file".to_owned(),
        is_not_found: true,
        is_full: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_synced_survives_the_loss_of_power_and_the_rest_does_from_its_front() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..50 {
            let disk = SimDisk::default();
            disk.append("log/1", b"safe").unwrap();
            disk.sync("log/1").unwrap();
            disk.append("log/1", b"abc").unwrap();
            assert_eq!(disk.n_unsynced("log"), 3);
            disk.lose_power(&mut Chance::new(seed));
            seen.insert(disk.read("log/1").unwrap());
        }
        let seen: Vec<_> = seen.iter().map(Vec::as_slice).collect();
        assert_eq!(seen, [b"safe".as_slice(), b"safea", b"safeab", b"safeabc"]);
    }

    #[test]
    fn a_cut_write_is_torn_and_nothing_works_until_power_is_back() {
        let disk = SimDisk::default();
        disk.cut_after(1);
        disk.append("log/1", b"whole").unwrap();
        disk.append("log/1", b"torn").unwrap_err();
        assert!(disk.is_cut());
        let content = disk.read("log/1").unwrap();
        assert!(b"wholetorn".starts_with(&content) && content.len() >= 5);
        disk.append("log/1", b"never").unwrap_err();
        disk.lose_power(&mut Chance::new(1));
        disk.append("log/1", b"again").unwrap();
    }

    #[test]
    fn a_full_disk_can_still_be_repaired() {
        let disk = SimDisk::default();
        disk.append("log/1", b"before").unwrap();
        disk.set_fault(Fault::Full);
        assert!(disk.append("log/1", b"after").unwrap_err().is_full);
        disk.truncate("log/1", 6).unwrap();
        disk.sync("log/1").unwrap();
        assert_eq!(disk.read("log/1").unwrap(), b"before");
        disk.set_fault(Fault::Broken);
        disk.truncate("log/1", 3).unwrap_err();
    }
}
