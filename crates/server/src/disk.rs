//! The data folder: real files behind `firebell_disk::Disk`, owned by one process at a time.

mod swap;

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use firebell_disk::{Disk, DiskError};

pub use self::swap::is_half_repaired;

/// Files below one folder, which stays locked while this lives.
pub struct FileDisk {
    root: PathBuf,
    /// Files that are being appended to. Only the latest few: segments are written one by one.
    open: Mutex<HashMap<String, Arc<File>>>,
    /// Holds the lock; the system lets go of it when the process ends, however it ends.
    lock: File,
}

/// A data folder that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Another process has it.
    #[error(
        "the data folder `{path}` is in use by process {pid}: stop that one, or choose another \
         folder with --data-dir"
    )]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The process that holds the lock, as it says itself.
        pid: String,
    },
    /// The folder cannot be made or written.
    #[error(
        "failed to {action} the data folder `{path}`: {source} (choose another one with --data-dir)"
    )]
    Unusable {
        /// What was tried.
        action: &'static str,
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A repaired store cannot be put in place.
    #[error(
        "failed to put the repaired store of the data folder `{path}` in place: {source} (nothing \
         is lost: `firebell store repair` goes on where this stopped)"
    )]
    HalfRepaired {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl FileDisk {
    /// Takes a data folder, which is made when it is not there. A repair that was stopped while it
    /// put the new store in place is ended.
    ///
    /// # Errors
    /// When another process has it, or it cannot be made or written.
    pub fn open(root: &Path) -> Result<Self, DataDirError> {
        let unusable = |action| {
            move |source| DataDirError::Unusable {
                action,
                path: root.to_owned(),
                source,
            }
        };
        fs::create_dir_all(root).map_err(unusable("make"))?;
        let mut lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(root.join("LOCK"))
            .map_err(unusable("write to"))?;
        if let Err(error) = lock.try_lock() {
            if let fs::TryLockError::Error(source) = error {
                return Err(unusable("lock")(source));
            }
            let mut pid = String::new();
            let _ = lock.read_to_string(&mut pid);
            return Err(DataDirError::InUse {
                path: root.to_owned(),
                pid: pid.trim().to_owned(),
            });
        }
        let disk = Self {
            root: root.to_owned(),
            open: Mutex::default(),
            lock,
        };
        // A disk without room for it is no reason to send no pages.
        let _ = disk.sign_lock();
        swap::finish(root)?;
        Ok(disk)
    }

    /// Says who has the folder.
    fn sign_lock(&self) -> io::Result<()> {
        let mut lock = &self.lock;
        lock.set_len(0)?;
        lock.rewind()?;
        writeln!(lock, "{}", std::process::id())
    }

    fn file(&self, path: &str) -> Result<Arc<File>, DiskError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = open.get(path) {
            return Ok(Arc::clone(file));
        }
        let full = self.root.join(path);
        let file = self.create(&full).map_err(error_of("open", path))?;
        if open.len() >= OPEN_FILES_MAX {
            open.clear();
        }
        let file = Arc::new(file);
        open.insert(path.to_owned(), Arc::clone(&file));
        Ok(file)
    }

    fn create(&self, full: &Path) -> io::Result<File> {
        let is_new = !full.exists();
        self.make_folder_of(full)?;
        let file = OpenOptions::new().create(true).append(true).open(full)?;
        if is_new {
            sync_folder(full.parent().unwrap_or(&self.root))?;
        }
        Ok(file)
    }

    /// Makes the folder that a file is to be in; durable when the call returns, as its files are to be.
    fn make_folder_of(&self, full: &Path) -> io::Result<()> {
        let Some(folder) = full.parent().filter(|it| !it.exists()) else {
            return Ok(());
        };
        fs::create_dir_all(folder)?;
        // Each folder stands in the one above it; any of these may be new.
        let above = folder.ancestors().skip(1);
        let mut above = above.take_while(|it| it.starts_with(&self.root));
        above.try_for_each(sync_folder)
    }

    fn replace_with(
        &self,
        path: &str,
        bytes: &[u8],
        options: &mut OpenOptions,
    ) -> Result<(), DiskError> {
        self.forget(path);
        let full = self.root.join(path);
        let new = full.with_extension("new");
        let mut write = || {
            self.make_folder_of(&full)?;
            let mut file = options.write(true).open(&new)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&new, &full)?;
            sync_folder(full.parent().unwrap_or(&self.root))
        };
        let written = write();
        if written.is_err() {
            // A part of it must not take the room that a full disk does not have. What cannot be
            // removed either is whose folder it is to look after.
            let _ = fs::remove_file(&new);
        }
        written.map_err(error_of("replace", path))
    }

    fn forget(&self, path: &str) {
        self.open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(path);
    }
}

impl Drop for FileDisk {
    fn drop(&mut self) {
        // To close it is not enough: a program that is being started has the descriptor too, until
        // it runs.
        let _ = self.lock.unlock();
    }
}

impl Disk for FileDisk {
    fn append(&self, path: &str, bytes: &[u8]) -> Result<(), DiskError> {
        let file = self.file(path)?;
        (&*file)
            .write_all(bytes)
            .map_err(error_of("append to", path))
    }

    fn sync(&self, path: &str) -> Result<(), DiskError> {
        self.file(path)?.sync_data().map_err(error_of("sync", path))
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, DiskError> {
        read(&self.root, path)
    }

    fn read_at(&self, path: &str, offset: u64, len: usize) -> Result<Vec<u8>, DiskError> {
        read_at(&self.root, path, offset, len)
    }

    fn size(&self, path: &str) -> Result<u64, DiskError> {
        size(&self.root, path)
    }

    fn replace(&self, path: &str, bytes: &[u8]) -> Result<(), DiskError> {
        self.replace_with(path, bytes, OpenOptions::new().create(true).truncate(true))
    }

    fn replace_private(&self, path: &str, bytes: &[u8]) -> Result<(), DiskError> {
        // One that a kill left behind may be for others to read.
        let left_behind = self.root.join(path).with_extension("new");
        match fs::remove_file(left_behind) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error_of("replace", path)(error));
            }
            _ => {}
        }
        let mut options = OpenOptions::new();
        self.replace_with(path, bytes, options.create_new(true).mode(MODE_OF_OWNER))
    }

    fn truncate(&self, path: &str, len: u64) -> Result<(), DiskError> {
        match OpenOptions::new().write(true).open(self.root.join(path)) {
            Ok(file) => file
                .set_len(len)
                .and_then(|()| file.sync_all())
                .map_err(error_of("cut", path)),
            // A write that failed before the file was made leaves nothing to cut.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error_of("cut", path)(error)),
        }
    }

    fn remove(&self, path: &str) -> Result<(), DiskError> {
        self.forget(path);
        match fs::remove_file(self.root.join(path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error_of("remove", path)(error))
            }
            _ => Ok(()),
        }
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, DiskError> {
        list(&self.root, folder)
    }
}

/// Files below one folder of somebody else, which are only read. Without a lock.
pub struct ReadOnlyDisk {
    root: PathBuf,
}

impl ReadOnlyDisk {
    /// Looks at a folder.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        let root = root.to_owned();
        Self { root }
    }
}

impl Disk for ReadOnlyDisk {
    fn append(&self, path: &str, _bytes: &[u8]) -> Result<(), DiskError> {
        Err(only_read("append to", path))
    }

    fn sync(&self, path: &str) -> Result<(), DiskError> {
        Err(only_read("sync", path))
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, DiskError> {
        read(&self.root, path)
    }

    fn read_at(&self, path: &str, offset: u64, len: usize) -> Result<Vec<u8>, DiskError> {
        read_at(&self.root, path, offset, len)
    }

    fn size(&self, path: &str) -> Result<u64, DiskError> {
        size(&self.root, path)
    }

    fn replace(&self, path: &str, _bytes: &[u8]) -> Result<(), DiskError> {
        Err(only_read("replace", path))
    }

    fn truncate(&self, path: &str, _len: u64) -> Result<(), DiskError> {
        Err(only_read("cut", path))
    }

    fn remove(&self, path: &str) -> Result<(), DiskError> {
        Err(only_read("remove", path))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, DiskError> {
        list(&self.root, folder)
    }
}

fn only_read(action: &'static str, path: &str) -> DiskError {
    let why = io::Error::from(io::ErrorKind::ReadOnlyFilesystem);
    error_of(action, path)(why)
}

fn read(root: &Path, path: &str) -> Result<Vec<u8>, DiskError> {
    fs::read(root.join(path)).map_err(error_of("read", path))
}

fn read_at(root: &Path, path: &str, offset: u64, len: usize) -> Result<Vec<u8>, DiskError> {
    let read = || {
        let mut file = File::open(root.join(path))?;
        file.seek(io::SeekFrom::Start(offset))?;
        let mut bytes = Vec::with_capacity(len);
        file.take(len as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(error_of("read", path))
}

fn size(root: &Path, path: &str) -> Result<u64, DiskError> {
    let metadata = fs::metadata(root.join(path)).map_err(error_of("look at", path))?;
    Ok(metadata.len())
}

fn list(root: &Path, folder: &str) -> Result<Vec<String>, DiskError> {
    let entries = match fs::read_dir(root.join(folder)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error_of("list", folder)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(error_of("list", folder))?;
        if entry.file_type().is_ok_and(|kind| kind.is_file()) {
            names.extend(entry.file_name().into_string());
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(test)]
    tests::note_synced(folder);
    File::open(folder)?.sync_all()
}

fn error_of(action: &'static str, path: &str) -> impl Fn(io::Error) -> DiskError {
    let path = path.to_owned();
    move |error| DiskError {
        action,
        path: path.clone(),
        is_not_found: error.kind() == io::ErrorKind::NotFound,
        is_full: matches!(
            error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
        ),
        why: error.to_string(),
    }
}

const OPEN_FILES_MAX: usize = 32;
/// Nobody else may read it.
const MODE_OF_OWNER: u32 = 0o600;

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    thread_local! {
        /// Folders in the order in which they were made durable, which no file system tells.
        static SYNCED: RefCell<Vec<PathBuf>> = const { RefCell::new(Vec::new()) };
    }

    pub(super) fn note_synced(folder: &Path) {
        SYNCED.with_borrow_mut(|it| it.push(folder.to_owned()));
    }

    #[test]
    fn a_folder_belongs_to_one_process_at_a_time() {
        let root = tempfile::tempdir().unwrap();
        let first = FileDisk::open(root.path()).unwrap();
        let error = FileDisk::open(root.path()).err().unwrap().to_string();
        assert!(
            error.contains(&format!("in use by process {}", std::process::id())),
            "{error}"
        );
        // As a program has it that was started meanwhile and does not run yet.
        let inherited = first.lock.try_clone().unwrap();
        drop(first);
        FileDisk::open(root.path()).unwrap();
        drop(inherited);
    }

    #[test]
    fn files_are_appended_cut_replaced_and_removed() {
        let root = tempfile::tempdir().unwrap();
        let disk = FileDisk::open(root.path()).unwrap();
        assert!(disk.list("log").unwrap().is_empty());
        disk.append("log/1", b"one").unwrap();
        disk.append("log/1", b"two").unwrap();
        disk.sync("log/1").unwrap();
        disk.truncate("log/1", 4).unwrap();
        disk.append("log/1", b"!").unwrap();
        assert_eq!(disk.read("log/1").unwrap(), b"onet!");
        assert_eq!(disk.read_at("log/1", 3, 1).unwrap(), b"t");
        assert_eq!(disk.read_at("log/1", 3, 9).unwrap(), b"t!");
        disk.replace("log/1", b"new").unwrap();
        disk.append("log/1", b"er").unwrap();
        assert_eq!(disk.read("log/1").unwrap(), b"newer");
        assert_eq!(disk.list("log").unwrap(), ["1"]);
        disk.remove("log/1").unwrap();
        disk.remove("log/1").unwrap();
        assert!(disk.read("log/1").unwrap_err().is_not_found);
    }

    #[test]
    fn what_is_private_is_for_its_owner_also_when_others_could_read_what_was_there() {
        use std::os::unix::fs::PermissionsExt as _;
        let root = tempfile::tempdir().unwrap();
        let disk = FileDisk::open(root.path()).unwrap();
        disk.replace("a.key", b"old").unwrap();
        disk.replace("a.new", b"left behind").unwrap();
        disk.replace_private("a.key", b"new").unwrap();
        let mode = fs::metadata(root.path().join("a.key")).unwrap();
        assert_eq!(mode.permissions().mode() & 0o777, 0o600);
        assert_eq!(disk.read("a.key").unwrap(), b"new");
    }

    #[test]
    fn a_new_folder_is_durable_before_its_first_file_is() {
        let root = tempfile::tempdir().unwrap();
        let disk = FileDisk::open(root.path()).unwrap();
        let root = root.path();
        let synced = || SYNCED.take();
        disk.replace("a/1", b"one").unwrap();
        assert_eq!(synced(), [root.to_owned(), root.join("a")]);
        disk.replace("a/2", b"two").unwrap();
        assert_eq!(synced(), [root.join("a")]);
        disk.append("b/1", b"one").unwrap();
        assert_eq!(synced(), [root.to_owned(), root.join("b")]);
        disk.append("c/d/1", b"one").unwrap();
        let all = [root.join("c"), root.to_owned(), root.join("c/d")];
        assert_eq!(synced(), all);
    }

    #[test]
    fn a_replacement_that_fails_leaves_nothing_behind() {
        let root = tempfile::tempdir().unwrap();
        let disk = FileDisk::open(root.path()).unwrap();
        // It is written, and cannot take the place of a folder.
        disk.append("a/b/1", b"one").unwrap();
        assert!(disk.replace("a/b", b"two").is_err());
        assert!(disk.replace_private("a/b", b"two").is_err());
        assert!(disk.list("a").unwrap().is_empty());
        assert_eq!(disk.read("a/b/1").unwrap(), b"one");
    }
}
