//! A disk that is looked at and left as it is: what is written stays in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Disk, DiskError};

/// Another disk under changes that only memory has: to open what may not be changed.
pub struct Overlay {
    base: Arc<dyn Disk>,
    /// Files that were changed; `None` when one was removed.
    changed: Mutex<BTreeMap<String, Option<Vec<u8>>>>,
}

impl Overlay {
    /// Changes nothing of `base`.
    #[must_use]
    pub fn new(base: Arc<dyn Disk>) -> Self {
        let changed = Mutex::default();
        Self { base, changed }
    }

    fn changed(&self) -> MutexGuard<'_, BTreeMap<String, Option<Vec<u8>>>> {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of a file that was changed.
    fn look<T>(&self, path: &str, look: impl FnOnce(&[u8]) -> T) -> Option<Result<T, DiskError>> {
        let changed = self.changed();
        let content = changed.get(path)?;
        let missing = || DiskError {
            action: "read",
            path: path.to_owned(),
            why: "no such file".to_owned(),
            is_not_found: true,
            is_full: false,
        };
        Some(content.as_deref().map(look).ok_or_else(missing))
    }

    /// Changes a file in memory; `None` stands for one that is not there.
    fn change(&self, path: &str, change: impl FnOnce(&mut Vec<u8>)) -> Result<(), DiskError> {
        let mut content = match self.read(path) {
            Ok(content) => content,
            Err(error) if error.is_not_found => Vec::new(),
            Err(error) => return Err(error),
        };
        change(&mut content);
        self.changed().insert(path.to_owned(), Some(content));
        Ok(())
    }
}

impl Disk for Overlay {
    fn append(&self, path: &str, bytes: &[u8]) -> Result<(), DiskError> {
        self.change(path, |content| content.extend_from_slice(bytes))
    }

    fn sync(&self, _path: &str) -> Result<(), DiskError> {
        Ok(())
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, DiskError> {
        self.look(path, <[u8]>::to_vec)
            .unwrap_or_else(|| self.base.read(path))
    }

    fn read_at(&self, path: &str, offset: u64, len: usize) -> Result<Vec<u8>, DiskError> {
        let part = |content: &[u8]| {
            let start = usize::try_from(offset).map_or(content.len(), |at| at.min(content.len()));
            let end = start.saturating_add(len).min(content.len());
            content[start..end].to_vec()
        };
        self.look(path, part)
            .unwrap_or_else(|| self.base.read_at(path, offset, len))
    }

    fn size(&self, path: &str) -> Result<u64, DiskError> {
        self.look(path, |content| content.len() as u64)
            .unwrap_or_else(|| self.base.size(path))
    }

    fn replace(&self, path: &str, bytes: &[u8]) -> Result<(), DiskError> {
        self.changed().insert(path.to_owned(), Some(bytes.to_vec()));
        Ok(())
    }

    fn truncate(&self, path: &str, len: u64) -> Result<(), DiskError> {
        self.change(path, |content| {
            content.truncate(usize::try_from(len).unwrap_or(usize::MAX));
        })
    }

    fn remove(&self, path: &str) -> Result<(), DiskError> {
        self.changed().insert(path.to_owned(), None);
        Ok(())
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, DiskError> {
        let mut names: BTreeSet<String> = self.base.list(folder)?.into_iter().collect();
        let prefix = format!("{folder}/");
        for (path, content) in self.changed().iter() {
            let Some(name) = path.strip_prefix(&prefix).filter(|it| !it.contains('/')) else {
                continue;
            };
            match content {
                Some(_) => names.insert(name.to_owned()),
                None => names.remove(name),
            };
        }
        Ok(names.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryDisk;

    #[test]
    fn changes_are_seen_above_and_not_below() {
        let base = MemoryDisk::default();
        base.append("a/1", b"one").unwrap();
        base.append("a/2", b"two").unwrap();
        let over = Overlay::new(Arc::new(base.clone()));
        over.append("a/1", b"!").unwrap();
        over.remove("a/2").unwrap();
        over.replace("a/3", b"three").unwrap();
        over.truncate("a/3", 2).unwrap();
        assert_eq!(over.read("a/1").unwrap(), b"one!");
        assert_eq!(over.read_at("a/3", 1, 9).unwrap(), b"h");
        assert!(over.read("a/2").unwrap_err().is_not_found);
        assert_eq!(over.list("a").unwrap(), ["1", "3"]);
        assert_eq!(base.list("a").unwrap(), ["1", "2"]);
        assert_eq!(base.read("a/1").unwrap(), b"one");
    }
}
