//! Where rings lie, and whose they are: a process holds a lock on its own for as long as it lives.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FallocateFlags, FlockOperation, fallocate, flock};

use crate::sys;

/// Why there is no file.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{path}`: {why}")]
pub(crate) struct Unwritable {
    path: String,
    why: String,
}

impl Unwritable {
    pub(crate) fn new(path: &Path, why: &dyn std::fmt::Display) -> Self {
        Self {
            path: path.display().to_string(),
            why: why.to_string(),
        }
    }
}

/// Makes the file of this process's ring, all of it allocated (a page that finds no room on the disk
/// when it is written to would end the process), and holds its lock.
pub(crate) fn create(
    run_dir: Option<&Path>,
    name: &str,
    len: usize,
) -> Result<(File, PathBuf), Unwritable> {
    let folder = folder(run_dir)?;
    let new = folder.join(format!("{name}.new"));
    let path = folder.join(format!("{name}.{ENDING}"));
    let made = make(&new, len).and_then(|made| fs::rename(&new, &path).map(|()| made));
    match made {
        Ok((file, lock)) => {
            sys::hold(lock);
            Ok((file, path))
        }
        Err(error) => {
            let _ = fs::remove_file(&new);
            Err(Unwritable::new(&new, &error))
        }
    }
}

/// The lock is that of a second opening: a mapping keeps the first one alive, in children too.
fn make(path: &Path, len: usize) -> io::Result<(File, OwnedFd)> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    let file = options.clone().create_new(true).mode(0o600).open(path)?;
    let lock = options.open(path)?;
    flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
    fallocate(&file, FallocateFlags::empty(), 0, len as u64)?;
    Ok((file, lock.into()))
}

/// A file whose lock this process holds until it is dropped.
#[derive(Debug)]
pub(crate) struct Locked {
    pub(crate) path: PathBuf,
    pub(crate) file: File,
}

/// Closing would not do: a child that was forked meanwhile has the file open too.
impl Drop for Locked {
    fn drop(&mut self) {
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

impl Locked {
    /// Makes the file if need be, and waits for its lock, but not for long: whoever was killed while
    /// a child of its was born may have left it the lock.
    pub(crate) fn wait_for(path: PathBuf) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&path)?;
        let until = Instant::now() + LOCK_WAIT;
        while let Err(error) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
            if Instant::now() >= until {
                return Err(error.into());
            }
            std::thread::sleep(LOCK_WAIT / 100);
        }
        Ok(Self { path, file })
    }
}

/// The rings of processes that are no more; oldest first.
pub(crate) fn of_dead(folder: &Path) -> Vec<Locked> {
    let mut dead: Vec<_> = rings(folder)
        .into_iter()
        .filter_map(|(path, _)| {
            let file = OpenOptions::new().read(true).write(true).open(&path).ok()?;
            flock(&file, FlockOperation::NonBlockingLockExclusive).ok()?;
            let ring = Locked { path, file };
            // Between the opening and the lock somebody else may have been done with it.
            let modified = fs::metadata(&ring.path).and_then(|it| it.modified()).ok()?;
            Some((modified, ring))
        })
        .collect();
    dead.sort_by(|a, b| (a.0, &a.1.path).cmp(&(b.0, &b.1.path)));
    dead.into_iter().map(|(_, ring)| ring).collect()
}

/// Every ring with the name of its process, of the living and the dead.
pub(crate) fn rings(folder: &Path) -> Vec<(PathBuf, String)> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.flatten().map(|entry| entry.path());
    let mut rings: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|it| it == ENDING))
        .filter_map(|path| {
            let name = path.file_stem()?.to_str()?.to_owned();
            Some((path, name))
        })
        .collect();
    rings.sort();
    rings
}

/// Whether nobody holds a ring: its process is no more.
pub(crate) fn is_dead(path: &Path) -> bool {
    let Ok(file) = File::open(path) else {
        return false;
    };
    let is_free = flock(&file, FlockOperation::NonBlockingLockShared).is_ok();
    let _ = flock(&file, FlockOperation::Unlock);
    is_free
}

/// A folder that only its owner can look into.
fn folder(run_dir: Option<&Path>) -> Result<PathBuf, Unwritable> {
    let folder = run_dir.map_or_else(default_folder, Path::to_owned);
    let made = DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder);
    made.map_err(|error| Unwritable::new(&folder, &error))?;
    let meta = fs::metadata(&folder).map_err(|error| Unwritable::new(&folder, &error))?;
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(Unwritable::new(&folder, &"it belongs to somebody else"));
    }
    if meta.mode() & 0o077 != 0 {
        return Err(Unwritable::new(
            &folder,
            &"others may look into it; chmod 700 it",
        ));
    }
    Ok(folder)
}

fn default_folder() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR").filter(|it| !it.is_empty()) {
        Some(folder) => Path::new(&folder).join("firebell"),
        None => {
            let user = rustix::process::geteuid().as_raw();
            std::env::temp_dir().join(format!("firebell-{user}"))
        }
    }
}

const ENDING: &str = "ring";
const LOCK_WAIT: Duration = Duration::from_millis(200);
