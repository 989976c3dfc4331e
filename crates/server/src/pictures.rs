//! The files of the pictures in timelines: each under the SHA-256 of what is in it, in the folder
//! `pictures` of the data folder.
//!
//! *Invariants*: a file is durable before the entry that names it is written down. A file goes when no
//! entry names it, and that is durable too. One change of the folder at a time, so that nothing is
//! removed between the two. What is read is what was sent, or nobody gets it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use firebell_disk::{Disk, DiskError};
use firebell_incident::PictureId;
use sha2::{Digest as _, Sha256};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::driver::{Handle, Unrecorded};

/// See the module's documentation.
pub(crate) struct Pictures {
    disk: Arc<dyn Disk>,
    changing: Arc<Mutex<()>>,
}

/// Held by who changes the folder.
pub(crate) struct Changing(#[expect(dead_code, reason = "it is held")] OwnedMutexGuard<()>);

/// A picture that an entry names and nobody can be shown.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    /// The file is not there.
    #[error("the file `{0}` of this picture is missing in the data folder: send the picture again")]
    Missing(String),
    /// It has other bytes than were sent.
    #[error("the file `{0}` of this picture is damaged: send the picture again")]
    Damaged(String),
    /// The disk fails.
    #[error("the picture cannot be read: {0}")]
    Disk(DiskError),
}

/// What became of the folder when it was compared with the timelines.
#[derive(PartialEq, Eq, Default, Debug)]
pub(crate) struct Swept {
    /// Files that no entry named.
    pub n_removed: usize,
    /// Files that entries name and that are not there.
    pub missing: Vec<String>,
}

/// Files that were not compared with the timelines; the next time they may be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SweepError {
    /// What the timelines name may not be durable.
    #[error(transparent)]
    Unrecorded(#[from] Unrecorded),
    /// The disk fails.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl Pictures {
    fn new(disk: Arc<dyn Disk>) -> Self {
        let changing = Arc::default();
        Self { disk, changing }
    }

    /// Over the folder of a disk, which is swept from now on.
    pub(crate) fn start(disk: Arc<dyn Disk>, handle: Handle) -> Arc<Self> {
        let pictures = Arc::new(Self::new(disk));
        tokio::spawn(keep_up(Arc::clone(&pictures), handle));
        pictures
    }

    /// The id of a picture.
    pub(crate) fn id_of(bytes: &[u8]) -> PictureId {
        PictureId(Sha256::digest(bytes).into())
    }

    /// Waits until nobody else changes the folder.
    pub(crate) async fn change(&self) -> Changing {
        Changing(Arc::clone(&self.changing).lock_owned().await)
    }

    /// Keeps a picture, in the place of what may be damaged there. Durable when the call returns. Waits
    /// for the disk.
    ///
    /// # Errors
    /// When the disk is full or fails; nothing has changed then.
    pub(crate) fn write(&self, id: PictureId, bytes: &[u8]) -> Result<(), DiskError> {
        self.disk.replace(&path(id), bytes)
    }

    /// Keeps it no longer; one that stays all the same is removed later.
    pub(crate) fn remove(&self, id: PictureId) {
        if let Err(error) = self.disk.remove(&path(id)) {
            tracing::warn!(%error, "failed to remove a picture that was refused");
        }
    }

    /// What was sent. Waits for the disk.
    ///
    /// # Errors
    /// When it is not there as it was sent; who looks after the server reads of it in the log.
    pub(crate) fn read(&self, id: PictureId) -> Result<Vec<u8>, Unreadable> {
        let path = path(id);
        let read = match self.disk.read(&path) {
            Ok(bytes) if Self::id_of(&bytes) == id => Ok(bytes),
            Ok(_) => Err(Unreadable::Damaged(path)),
            Err(error) if error.is_not_found => Err(Unreadable::Missing(path)),
            Err(error) => Err(Unreadable::Disk(error)),
        };
        read.inspect_err(|error| tracing::error!(%error, "a picture cannot be shown"))
    }

    /// Removes the files that no entry names: of incidents that were forgotten, and of pictures whose
    /// entry was never written down.
    ///
    /// # Errors
    /// When nobody knows for sure what entries name, or the disk fails.
    pub(crate) async fn sweep(self: &Arc<Self>, handle: &Handle) -> Result<Swept, SweepError> {
        let changing = self.change().await;
        // By a command, which is answered when what it saw is durable: an incident that was forgotten
        // does not come back after a restart and lack its pictures.
        let named = handle.command(|engine, _, _| {
            let named = engine.incidents().pictures();
            named.map(|it| it.to_string()).collect::<BTreeSet<String>>()
        });
        let named = named.await?;
        let pictures = Arc::clone(self);
        let swept = tokio::task::spawn_blocking(move || {
            let _changing = changing;
            pictures.keep_only(&named)
        });
        Ok(swept.await.map_err(|_| Unrecorded::Stopped)??)
    }

    fn keep_only(&self, named: &BTreeSet<String>) -> Result<Swept, DiskError> {
        let files: BTreeSet<String> = self.disk.list(FOLDER)?.into_iter().collect();
        let mut swept = Swept::default();
        for name in files.difference(named) {
            self.disk.remove(&format!("{FOLDER}/{name}"))?;
            swept.n_removed += 1;
        }
        let missing = named.difference(&files);
        swept.missing = missing.map(|name| format!("{FOLDER}/{name}")).collect();
        Ok(swept)
    }
}

/// Sweeps at the start, where files that are missing are told of, and then again and again.
async fn keep_up(pictures: Arc<Pictures>, handle: Handle) {
    let mut is_start = true;
    loop {
        match pictures.sweep(&handle).await {
            Ok(swept) => {
                if swept.n_removed > 0 {
                    let n_files = swept.n_removed;
                    tracing::info!(n_files, "removed pictures that no timeline names");
                }
                for path in swept.missing.iter().filter(|_| is_start) {
                    tracing::error!(path, "a picture of a timeline is missing");
                }
                is_start = false;
            }
            Err(SweepError::Unrecorded(Unrecorded::Stopped)) => return,
            Err(error) => tracing::warn!(%error, "the folder of pictures was not looked through"),
        }
        tokio::time::sleep(SWEEP_EVERY).await;
    }
}

fn path(id: PictureId) -> String {
    format!("{FOLDER}/{id}")
}

const FOLDER: &str = "pictures";
/// What nobody names takes room for so long.
const SWEEP_EVERY: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use firebell_disk::MemoryDisk;

    use super::*;

    #[test]
    fn what_is_not_there_as_it_was_sent_is_named_and_sent_again_it_is_whole() {
        let disk = MemoryDisk::default();
        let pictures = Pictures::new(Arc::new(disk.clone()));
        let id = Pictures::id_of(b"a picture");
        let path = format!("pictures/{id}");
        assert_eq!(pictures.read(id), Err(Unreadable::Missing(path.clone())));
        pictures.write(id, b"a picture").unwrap();
        assert_eq!(pictures.read(id).unwrap(), b"a picture");
        disk.truncate(&path, 3).unwrap();
        assert_eq!(pictures.read(id), Err(Unreadable::Damaged(path)));
        pictures.write(id, b"a picture").unwrap();
        assert_eq!(pictures.read(id).unwrap(), b"a picture");
        pictures.remove(id);
        assert!(disk.list(FOLDER).unwrap().is_empty());
    }

    #[test]
    fn only_what_is_named_stays_and_what_is_named_and_gone_is_told() {
        let disk = MemoryDisk::default();
        let pictures = Pictures::new(Arc::new(disk.clone()));
        let [kept, forgotten, gone] = [b"1", b"2", b"3"].map(|it| Pictures::id_of(it));
        pictures.write(kept, b"1").unwrap();
        pictures.write(forgotten, b"2").unwrap();
        // Left behind by a kill.
        disk.append(&format!("pictures/{kept}.new"), b"half")
            .unwrap();
        let named = [kept, gone].map(|it| it.to_string()).into_iter().collect();
        let swept = pictures.keep_only(&named).unwrap();
        let missing = vec![format!("pictures/{gone}")];
        assert_eq!(
            swept,
            Swept {
                n_removed: 2,
                missing
            }
        );
        assert_eq!(disk.list(FOLDER).unwrap(), [kept.to_string()]);
    }
}
