//! What journal and store ask of a disk.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// File operations below one data folder. Shared between threads.
///
/// What was written survives the end of the process at once, and the loss of power only after
/// [`Disk::sync`]. A file's existence, and a rename, are durable when the call returns.
pub trait Disk: Send + Sync {
    /// Appends to a file, which is made when it is not there; folders too.
    ///
    /// # Errors
    /// When the disk is full or fails. A part of `bytes` may have been written.
    fn append(&self, path: &str, bytes: &[u8]) -> Result<(), DiskError>;

    /// Makes what was written to a file durable.
    ///
    /// # Errors
    /// When the disk fails. Nothing may be assumed of what was written since the last success.
    fn sync(&self, path: &str) -> Result<(), DiskError>;

    /// The whole content of a file.
    ///
    /// # Errors
    /// [`DiskError::is_not_found`] when there is no such file.
    fn read(&self, path: &str) -> Result<Vec<u8>, DiskError>;

    /// Up to `len` bytes of a file from `offset` on; fewer when it ends before. Stores of chunks
    /// live on this: a disk of real files should not read the whole file as this default does.
    ///
    /// # Errors
    /// [`DiskError::is_not_found`] when there is no such file.
    fn read_at(&self, path: &str, offset: u64, len: usize) -> Result<Vec<u8>, DiskError> {
        let content = self.read(path)?;
        let start = usize::try_from(offset).map_or(content.len(), |at| at.min(content.len()));
        let end = start.saturating_add(len).min(content.len());
        Ok(content[start..end].to_vec())
    }

    /// How many bytes a file has. As with [`Disk::read_at`], this default reads it.
    ///
    /// # Errors
    /// [`DiskError::is_not_found`] when there is no such file.
    fn size(&self, path: &str) -> Result<u64, DiskError> {
        self.read(path).map(|content| content.len() as u64)
    }

    /// Replaces a file's content at once: after a crash it has the old or the new content. Durable
    /// when the call returns.
    ///
    /// # Errors
    /// When the disk is full or fails; the old content is then still there.
    fn replace(&self, path: &str, bytes: &[u8]) -> Result<(), DiskError>;

    /// As [`Disk::replace`], of a file that nobody but its owner may read, where the disk knows
    /// owners.
    ///
    /// # Errors
    /// As [`Disk::replace`].
    fn replace_private(&self, path: &str, bytes: &[u8]) -> Result<(), DiskError> {
        self.replace(path, bytes)
    }

    /// Cuts a file to a length.
    ///
    /// # Errors
    /// When the disk fails.
    fn truncate(&self, path: &str, len: u64) -> Result<(), DiskError>;

    /// Removes a file; one that is not there is fine.
    ///
    /// # Errors
    /// When the disk fails.
    fn remove(&self, path: &str) -> Result<(), DiskError>;

    /// The names (not paths) of the files in a folder, sorted; none when there is no such folder.
    ///
    /// # Errors
    /// When the disk fails.
    fn list(&self, folder: &str) -> Result<Vec<String>, DiskError>;
}

/// A disk operation that failed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("failed to {action} `{path}`: {why}")]
pub struct DiskError {
    /// What was tried, such as `append to`.
    pub action: &'static str,
    /// The file or folder.
    pub path: String,
    /// What the system said.
    pub why: String,
    /// Whether the file does not exist.
    pub is_not_found: bool,
    /// Whether the disk is full (or a quota is).
    pub is_full: bool,
}

/// Files in memory: for tests, backtests and drills.
#[derive(Clone, Default, Debug)]
pub struct MemoryDisk {
    files: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

impl MemoryDisk {
    /// The files as they are now: what one disk does to them, the other does not see.
    #[must_use]
    pub fn copy(&self) -> Self {
        let files = Arc::new(Mutex::new(self.files().clone()));
        Self { files }
    }

    /// Writes all files to another disk, in the place of those with the same paths.
    ///
    /// # Errors
    /// When the other disk is full or fails.
    pub fn copy_to(&self, to: &dyn Disk) -> Result<(), DiskError> {
        let files = self.files().clone();
        let mut files = files.iter();
        files.try_for_each(|(path, content)| to.replace(path, content))
    }

    fn files(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disk for MemoryDisk {
    fn append(&self, path: &str, bytes: &[u8]) -> Result<(), DiskError> {
        self.files()
            .entry(path.to_owned())
            .or_default()
            .extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&self, _path: &str) -> Result<(), DiskError> {
        Ok(())
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, DiskError> {
        self.files().get(path).cloned().ok_or_else(|| DiskError {
            action: "read",
            path: path.to_owned(),
            why: "no such file".to_owned(),
            is_not_found: true,
            is_full: false,
        })
    }

    fn read_at(&self, path: &str, offset: u64, len: usize) -> Result<Vec<u8>, DiskError> {
        let files = self.files();
        let Some(content) = files.get(path) else {
            drop(files);
            return self.read(path);
        };
        let start = usize::try_from(offset).map_or(content.len(), |at| at.min(content.len()));
        let end = start.saturating_add(len).min(content.len());
        Ok(content[start..end].to_vec())
    }

    fn replace(&self, path: &str, bytes: &[u8]) -> Result<(), DiskError> {
        self.files().insert(path.to_owned(), bytes.to_vec());
        Ok(())
    }

    fn truncate(&self, path: &str, len: u64) -> Result<(), DiskError> {
        if let Some(content) = self.files().get_mut(path) {
            content.truncate(usize::try_from(len).unwrap_or(usize::MAX));
        }
        Ok(())
    }

    fn remove(&self, path: &str) -> Result<(), DiskError> {
        self.files().remove(path);
        Ok(())
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, DiskError> {
        let prefix = format!("{folder}/");
        let files = self.files();
        let names = files.keys().filter_map(|path| {
            path.strip_prefix(&prefix)
                .filter(|name| !name.contains('/'))
                .map(str::to_owned)
        });
        Ok(names.collect())
    }
}
