//! A repaired store takes the place of the damaged one, so that a stop at any moment loses neither.
//!
//! It is written into `repairing`. As `repaired-N` it is whole and durable, and the parts of a store
//! that the data folder has are the old ones, on their way to `damaged-N`. As `replacing-N` the old
//! ones are all there, and the data folder has new ones, which come out of it. So names alone say
//! how far a swap is: whoever takes the data folder next goes on with it.
//!
//! *Invariants*: one rename at a time, each durable before the next.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{DataDirError, FileDisk, sync_folder};

/// What is to be done next.
enum Step {
    Rename { from: PathBuf, to: PathBuf },
    Clear(PathBuf),
}

impl FileDisk {
    /// An empty folder below this one, for the store that is to take the place of the one here. What
    /// a repair that was stopped has left of its own is removed.
    ///
    /// # Errors
    /// When it cannot be made or written.
    pub fn begin_repair(&self) -> Result<Self, DataDirError> {
        self.drop_repair()?;
        Self::open(&self.root.join(REPAIRING))
    }

    /// Removes what was written since [`FileDisk::begin_repair`].
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn drop_repair(&self) -> Result<(), DataDirError> {
        match fs::remove_dir_all(self.root.join(REPAIRING)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(self.unusable("remove a part of a repair from")(error))
            }
            _ => Ok(()),
        }
    }

    /// Puts what was written since [`FileDisk::begin_repair`] in the place of the store, whose parts
    /// are in the folder that is returned then.
    ///
    /// # Errors
    /// When the disk fails. Either nothing has changed, or whoever takes the data folder next
    /// goes on.
    pub fn end_repair(&self) -> Result<PathBuf, DataDirError> {
        let aside = commit(&self.root).map_err(self.unusable("write a repaired store to"))?;
        finish(&self.root)?;
        Ok(aside)
    }

    fn unusable(&self, action: &'static str) -> impl Fn(io::Error) -> DataDirError {
        let path = self.root.clone();
        move |source| DataDirError::Unusable {
            action,
            path: path.clone(),
            source,
        }
    }
}

/// Whether the store of a data folder lies in two places, because a repair was stopped while it put
/// the new one in place. Opening a [`FileDisk`] puts that right.
///
/// # Errors
/// When the folder cannot be read.
pub fn is_half_repaired(root: &Path) -> io::Result<bool> {
    Ok(next_step(root)?.is_some())
}

/// Ends a swap that has begun.
pub(super) fn finish(root: &Path) -> Result<(), DataDirError> {
    let go_on = || {
        while let Some(step) = next_step(root)? {
            step.make()?;
        }
        Ok(())
    };
    go_on().map_err(|source| DataDirError::HalfRepaired {
        path: root.to_owned(),
        source,
    })
}

/// From now on the new store counts. Returns where the old one goes.
fn commit(root: &Path) -> io::Result<PathBuf> {
    let new = root.join(REPAIRING);
    sync_all_below(&new)?;
    let mut number = 1_u64;
    while is_taken(&root.join(format!("{DAMAGED}{number}")))? {
        number += 1;
    }
    let aside = root.join(format!("{DAMAGED}{number}"));
    // While there still is a way back from a full disk.
    fs::create_dir_all(&aside)?;
    fs::rename(&new, root.join(format!("{REPAIRED}{number}")))?;
    sync_folder(root)?;
    Ok(aside)
}

/// An empty one was made for a swap that never began.
fn is_taken(aside: &Path) -> io::Result<bool> {
    match fs::read_dir(aside) {
        Ok(mut entries) => Ok(entries.next().is_some()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(true),
        Err(error) => Err(error),
    }
}

fn sync_all_below(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_all_below(&entry.path())?;
        } else {
            fs::File::open(entry.path())?.sync_all()?;
        }
    }
    sync_folder(folder)
}

fn next_step(root: &Path) -> io::Result<Option<Step>> {
    if let Some((number, new)) = numbered(root, REPAIRED)? {
        let aside = root.join(format!("{DAMAGED}{number}"));
        let replacing = root.join(format!("{REPLACING}{number}"));
        let part = part_on_its_way(root, &aside)?;
        return Ok(Some(part.unwrap_or(Step::Rename {
            from: new,
            to: replacing,
        })));
    }
    let Some((_, new)) = numbered(root, REPLACING)? else {
        return Ok(None);
    };
    let part = part_on_its_way(&new, root)?;
    Ok(Some(part.unwrap_or(Step::Clear(new))))
}

/// A part of a store that is still where all of them come from.
fn part_on_its_way(from: &Path, to: &Path) -> io::Result<Option<Step>> {
    for part in STORE {
        let (from, to) = (from.join(part), to.join(part));
        if from.try_exists()? {
            return Ok(Some(Step::Rename { from, to }));
        }
    }
    Ok(None)
}

/// A folder whose name is the prefix and a number.
fn numbered(root: &Path, prefix: &str) -> io::Result<Option<(u64, PathBuf)>> {
    let entries = match fs::read_dir(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|it| it.strip_prefix(prefix));
        let number = number.and_then(|it| it.parse().ok());
        found.extend(number.map(|number| (number, root.join(&name))));
    }
    Ok(found.into_iter().min())
}

impl Step {
    fn make(&self) -> io::Result<()> {
        match self {
            Self::Rename { from, to } => {
                fs::rename(from, to)?;
                let mut folders = [to, from].into_iter().filter_map(|it| it.parent());
                folders.try_for_each(sync_folder)
            }
            // Only its lock is left in it.
            Self::Clear(folder) => fs::remove_dir_all(folder),
        }
    }
}

const REPAIRING: &str = "repairing";
const REPAIRED: &str = "repaired-";
const REPLACING: &str = "replacing-";
const DAMAGED: &str = "damaged-";
/// What a store has in its data folder. What was imported is to be imported again where it was lost.
const STORE: [&str; 8] = [
    "chunks",
    "histograms",
    "wal",
    "pages",
    "tombstones",
    "metadata",
    "exemplars",
    "import",
];

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use firebell_disk::Disk;
    use firebell_model::{Labels, Metadata, MetricKind, Sample, Timestamp};
    use firebell_tsdb::{Batch, Options, Store};

    use super::*;
    use crate::disk::ReadOnlyDisk;

    #[test]
    fn a_swap_that_stops_anywhere_goes_on_and_loses_nothing() {
        for n_steps in 0.. {
            let folder = tempfile::tempdir().unwrap();
            let root = folder.path();
            let disk = store_and_repaired(root);
            assert!(!is_half_repaired(root).unwrap());
            assert_eq!(commit(root).unwrap(), root.join("damaged-1"));
            let mut n_left = n_steps;
            while n_left > 0
                && let Some(step) = next_step(root).unwrap()
            {
                step.make().unwrap();
                n_left -= 1;
            }
            let is_over = !is_half_repaired(root).unwrap();
            let is_new_whole = root.join("repaired-1").exists() || is_over;
            if !is_new_whole {
                assert_eq!(value_of(&root.join("damaged-1")), Some(OLD), "{n_steps}");
            }
            drop(disk);
            // Whatever comes next takes the folder first.
            drop(FileDisk::open(root).unwrap());
            assert!(!is_half_repaired(root).unwrap(), "{n_steps}");
            assert_eq!(value_of(root), Some(NEW), "{n_steps}");
            assert_eq!(value_of(&root.join("damaged-1")), Some(OLD), "{n_steps}");
            let left = ["repairing", "repaired-1", "replacing-1"];
            assert!(left.iter().all(|it| !root.join(it).exists()), "{n_steps}");
            // What was imported may be lost: it is not passed over the next time.
            assert!(!root.join("import").exists(), "{n_steps}");
            assert!(root.join("damaged-1/import").exists(), "{n_steps}");
            if is_over {
                // Four parts of the old store, three of the new one, the renamed folder, and its removal.
                assert_eq!(n_steps, 9);
                return;
            }
        }
    }

    #[test]
    fn until_the_new_store_is_whole_the_old_one_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        drop(store_and_repaired(root));
        // As a kill leaves it; and a second try from the beginning.
        assert_eq!(value_of(root), Some(OLD));
        let disk = FileDisk::open(root).unwrap();
        let again = disk.begin_repair().unwrap();
        assert!(Disk::list(&again, "chunks").unwrap().is_empty());
        drop(again);
        disk.drop_repair().unwrap();
        disk.drop_repair().unwrap();
        assert!(!root.join("repairing").exists());
        assert_eq!(value_of(root), Some(OLD));
        assert!(disk.end_repair().is_err(), "there is none");
        assert_eq!(value_of(root), Some(OLD));
        assert!(!root.join("damaged-1").exists());
    }

    #[test]
    fn a_swap_that_fails_is_told_and_goes_on_when_the_way_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let disk = store_and_repaired(root);
        commit(root).unwrap();
        fs::create_dir_all(root.join("damaged-1/chunks/in-the-way")).unwrap();
        drop(disk);
        let error = FileDisk::open(root).err().unwrap().to_string();
        assert!(error.contains("`firebell store repair`"), "{error}");
        fs::remove_dir_all(root.join("damaged-1/chunks")).unwrap();
        drop(FileDisk::open(root).unwrap());
        assert_eq!(value_of(root), Some(NEW));
    }

    #[test]
    fn each_repair_has_a_folder_for_the_old_files() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for number in 1..4 {
            let disk = store_and_repaired(root);
            let aside = disk.end_repair().unwrap();
            assert_eq!(aside, root.join(format!("damaged-{number}")));
        }
    }

    /// A store with files of many kinds, and a repaired one beside it that is not in place.
    fn store_and_repaired(root: &Path) -> FileDisk {
        write(FileDisk::open(root).unwrap(), OLD);
        fs::create_dir_all(root.join("import")).unwrap();
        let disk = FileDisk::open(root).unwrap();
        write(disk.begin_repair().unwrap(), NEW);
        disk
    }

    fn write(disk: FileDisk, value: f64) {
        let (store, _) = Store::open(Arc::new(disk), Options::default()).unwrap();
        let newest = store.stats().newest.map_or(0, |it| it.0);
        let mut batch = Batch::default();
        let sample = |at| Sample {
            at: Timestamp(at),
            value,
        };
        let samples: Vec<_> = (newest + 1..newest + 100).map(sample).collect();
        batch.add(Labels::from_pairs([("__name__", "a")]), &samples);
        let metadata = Metadata {
            kind: MetricKind::Gauge,
            help: "help".into(),
            unit: "".into(),
        };
        batch.set_metadata("a", metadata);
        store.append(&batch).unwrap();
        store.sync().unwrap();
        store.flush().unwrap();
    }

    /// The value of the newest sample, where the store is whole.
    fn value_of(root: &Path) -> Option<f64> {
        let disk = firebell_disk::Overlay::new(Arc::new(ReadOnlyDisk::new(root)));
        let (store, report) = Store::open(Arc::new(disk), Options::default()).unwrap();
        assert_eq!(report.damage, [""; 0]);
        assert!(store.metadata("a").is_some());
        let mut value = None;
        let Ok(()) = store.salvage(|series| {
            assert!(series.samples.len() >= 99 && series.damage.is_empty());
            value = series.samples.last().map(|it| it.value);
            Ok::<(), std::convert::Infallible>(())
        });
        value
    }

    const OLD: f64 = 1.0;
    const NEW: f64 = 2.0;
}
