//! The files of the pictures in timelines: each under the SHA-256 of what is in it, in the folder
//! `pictures` of the data folder.
//!
//! *Invariants*: a file is durable before the entry that names it is written down. A file goes when no
//! entry names it, and that is durable too: at once if this process has seen it named, or kept it itself;
//! any other only when it has been without a name for [`UNNAMED_KEPT`], as entries that damage has taken
//! from the journal may come back with a backup of it. One change of the folder at a time, so that
//! nothing is removed between the two. What is read is what was sent, or nobody gets it.

#[cfg(test)]
mod under_way;
mod unnamed;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use firebell_disk::{Disk, DiskError};
use firebell_incident::PictureId;
use firebell_model::Timestamp;
use firebell_wire::prometheus_json::Pieces;
use sha2::{Digest as _, Sha256};
use tokio::sync::{Mutex, OwnedMutexGuard};

use self::unnamed::Unnamed;
use crate::driver::{Handle, Unrecorded};

/// See the module's documentation.
pub(crate) struct Pictures {
    disk: Arc<dyn Disk>,
    changing: Arc<Mutex<Seen>>,
}

/// The pictures that this process has seen named, or kept itself: that nobody names one of these any
/// more is no damage.
type Seen = BTreeSet<PictureId>;

/// Held by who changes the folder.
pub(crate) struct Changing(OwnedMutexGuard<Seen>);

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
    /// Files that went, as no entry names them.
    pub n_removed: usize,
    /// Files that no entry names and that are kept for a while, found just now.
    pub unnamed: Vec<String>,
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
    pub(crate) fn write(
        &self,
        changing: &mut Changing,
        id: PictureId,
        bytes: &[u8],
    ) -> Result<(), DiskError> {
        let path = path(id);
        // One that is there may be the only one of an entry that damage took.
        let is_new = matches!(self.disk.read_at(&path, 0, 1), Err(error) if error.is_not_found);
        self.disk.replace(&path, bytes)?;
        if is_new {
            changing.0.insert(id);
        }
        Ok(())
    }

    /// Keeps no longer what was written for an entry that was refused; what stays all the same is
    /// removed later.
    pub(crate) fn undo(&self, changing: &mut Changing, id: PictureId) {
        if changing.0.contains(&id)
            && let Err(error) = self.disk.remove(&path(id))
        {
            tracing::warn!(%error, "failed to remove a picture that was refused");
        }
    }

    /// Removes one that was taken back, and that nobody names any more; what stays all the same is removed
    /// later.
    pub(crate) fn remove(&self, changing: &mut Changing, id: PictureId) {
        changing.0.insert(id);
        if let Err(error) = self.disk.remove(&path(id)) {
            tracing::warn!(%error, "failed to remove a picture that was taken back");
        }
    }

    /// What was sent, and how many bytes it has: looked through once, then read again a piece at a time,
    /// however slowly it is taken. Waits for the disk.
    ///
    /// # Errors
    /// When it is not there as it was sent; who looks after the server reads of it in the log.
    pub(crate) fn read(&self, id: PictureId) -> Result<(u64, Pieces), Unreadable> {
        let read = self.check(id).map(|n_bytes| {
            let pieces = FilePieces {
                disk: Arc::clone(&self.disk),
                path: path(id),
                n_read: 0,
                n_bytes,
            };
            (n_bytes, Box::new(pieces) as Pieces)
        });
        read.inspect_err(|error| tracing::error!(%error, "a picture cannot be shown"))
    }

    /// Whether it is as it was sent; how many bytes it has.
    fn check(&self, id: PictureId) -> Result<u64, Unreadable> {
        let path = path(id);
        let (mut n_bytes, mut sha) = (0, Sha256::new());
        loop {
            let piece = match self.disk.read_at(&path, n_bytes, PIECE_BYTES) {
                Ok(piece) => piece,
                Err(error) if error.is_not_found => return Err(Unreadable::Missing(path)),
                Err(error) => return Err(Unreadable::Disk(error)),
            };
            if piece.is_empty() {
                break;
            }
            n_bytes += piece.len() as u64;
            sha.update(&piece);
        }
        match PictureId(sha.finalize().into()) == id {
            true => Ok(n_bytes),
            false => Err(Unreadable::Damaged(path)),
        }
    }

    /// Removes what nobody needs: parts that were left behind, pictures of incidents that were
    /// forgotten, and pictures whose entry was never written down.
    ///
    /// # Errors
    /// When nobody knows for sure what entries name, or the disk fails.
    pub(crate) async fn sweep(self: &Arc<Self>, handle: &Handle) -> Result<Swept, SweepError> {
        let changing = self.change().await;
        // No timeline is asked of these: on a full disk the journal may be waiting for their room.
        let pictures = Arc::clone(self);
        let tidied = tokio::task::spawn_blocking(move || {
            pictures.remove_parts()?;
            Ok::<_, DiskError>(changing)
        });
        let mut changing = tidied.await.map_err(|_| Unrecorded::Stopped)??;
        // By a command, which is answered when what it saw is durable: an incident that was forgotten
        // does not come back after a restart and lack its pictures.
        let named = handle.command(|engine, now, _| {
            let named = engine.incidents().pictures();
            (now, named.collect::<BTreeSet<PictureId>>())
        });
        let (now, named) = named.await?;
        let pictures = Arc::clone(self);
        let swept =
            tokio::task::spawn_blocking(move || pictures.keep_only(&mut changing, now, &named));
        Ok(swept.await.map_err(|_| Unrecorded::Stopped)??)
    }

    /// Parts of what was being written when the process ended or the disk failed.
    fn remove_parts(&self) -> Result<(), DiskError> {
        for name in self.disk.list(FOLDER)? {
            if name.ends_with(PART) {
                self.disk.remove(&format!("{FOLDER}/{name}"))?;
            }
        }
        Ok(())
    }

    fn keep_only(
        &self,
        changing: &mut Changing,
        now: Timestamp,
        named: &BTreeSet<PictureId>,
    ) -> Result<Swept, DiskError> {
        // What has another name is not ours.
        let files = self.disk.list(FOLDER)?;
        let mut files: BTreeSet<PictureId> =
            files.iter().filter_map(|it| it.parse().ok()).collect();
        let mut unnamed = Unnamed::read(&*self.disk)?;
        let mut swept = Swept::default();
        for id in &files - named {
            let is_new = !unnamed.has(id);
            if changing.0.contains(&id) || unnamed.since(id, now) + UNNAMED_KEPT <= now {
                self.disk.remove(&path(id))?;
                files.remove(&id);
                swept.n_removed += 1;
            } else if is_new {
                swept.unnamed.push(path(id));
            }
        }
        unnamed.retain(|id| files.contains(&id) && !named.contains(&id));
        unnamed.write(&*self.disk)?;
        changing.0.clone_from(named);
        swept.missing = named.difference(&files).map(|it| path(*it)).collect();
        Ok(swept)
    }
}

/// A file, piece by piece; ends early when it is cut or gone, which its reader notices.
struct FilePieces {
    disk: Arc<dyn Disk>,
    path: String,
    n_read: u64,
    n_bytes: u64,
}

impl Iterator for FilePieces {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        if self.n_read >= self.n_bytes {
            return None;
        }
        let read = self.disk.read_at(&self.path, self.n_read, PIECE_BYTES);
        let read =
            read.inspect_err(|error| tracing::error!(%error, "a picture was not read to its end"));
        let piece = read.ok().filter(|it| !it.is_empty())?;
        self.n_read += piece.len() as u64;
        Some(piece)
    }
}

/// Sweeps at the start, where files that are missing are told of, and then again and again.
async fn keep_up(pictures: Arc<Pictures>, handle: Handle) {
    let mut is_start = true;
    loop {
        match pictures.sweep(&handle).await {
            Ok(swept) => {
                tell(&swept, is_start);
                is_start = false;
            }
            Err(SweepError::Unrecorded(Unrecorded::Stopped)) => return,
            Err(error) => tracing::warn!(%error, "the folder of pictures was not looked through"),
        }
        tokio::time::sleep(SWEEP_EVERY).await;
    }
}

fn tell(swept: &Swept, is_start: bool) {
    if swept.n_removed > 0 {
        let n_files = swept.n_removed;
        tracing::info!(n_files, "removed pictures that no timeline names");
    }
    for path in &swept.unnamed {
        tracing::warn!(
            path,
            "no timeline names this picture, as if its entry was lost: it is kept for 30 days"
        );
    }
    for path in swept.missing.iter().filter(|_| is_start) {
        tracing::error!(path, "a picture of a timeline is missing");
    }
}

fn path(id: PictureId) -> String {
    format!("{FOLDER}/{id}")
}

const FOLDER: &str = "pictures";
/// At the end of the names of files that are being written.
const PART: &str = ".new";
/// Bytes of a picture that are in memory for somebody who takes it.
const PIECE_BYTES: usize = 64 << 10;
/// What nobody names takes room for so long.
const SWEEP_EVERY: Duration = Duration::from_secs(600);
/// So long there is time to bring the journal back out of a backup.
const UNNAMED_KEPT: firebell_model::Duration = firebell_model::Duration::from_secs(30 * 86_400);

#[cfg(test)]
mod tests {
    use firebell_disk::MemoryDisk;

    use super::*;

    async fn pictures() -> (MemoryDisk, Pictures, Changing) {
        let disk = MemoryDisk::default();
        let pictures = Pictures::new(Arc::new(disk.clone()));
        let changing = pictures.change().await;
        (disk, pictures, changing)
    }

    fn bytes(pictures: &Pictures, id: PictureId) -> Result<Vec<u8>, Unreadable> {
        let (n_bytes, pieces) = pictures.read(id)?;
        let bytes: Vec<u8> = pieces.flatten().collect();
        assert_eq!(bytes.len() as u64, n_bytes);
        Ok(bytes)
    }

    #[tokio::test]
    async fn what_is_not_there_as_it_was_sent_is_named_and_sent_again_it_is_whole() {
        let (disk, pictures, mut changing) = pictures().await;
        let id = Pictures::id_of(b"a picture");
        let path = format!("pictures/{id}");
        let missing = Err(Unreadable::Missing(path.clone()));
        assert_eq!(bytes(&pictures, id), missing);
        pictures.write(&mut changing, id, b"a picture").unwrap();
        assert_eq!(bytes(&pictures, id).unwrap(), b"a picture");
        disk.truncate(&path, 3).unwrap();
        assert_eq!(bytes(&pictures, id), Err(Unreadable::Damaged(path)));
        pictures.write(&mut changing, id, b"a picture").unwrap();
        assert_eq!(bytes(&pictures, id).unwrap(), b"a picture");
        pictures.undo(&mut changing, id);
        assert!(disk.list(FOLDER).unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_picture_is_read_a_piece_at_a_time_and_one_that_is_cut_meanwhile_ends_early() {
        let (disk, pictures, mut changing) = pictures().await;
        let sent: Vec<u8> = (0..2 * PIECE_BYTES + 5)
            .map(|idx| (idx % 251) as u8)
            .collect();
        let id = Pictures::id_of(&sent);
        pictures.write(&mut changing, id, &sent).unwrap();
        assert_eq!(bytes(&pictures, id).unwrap(), sent);
        let (n_bytes, mut pieces) = pictures.read(id).unwrap();
        assert_eq!(n_bytes, sent.len() as u64);
        assert_eq!(pieces.next().unwrap().len(), PIECE_BYTES);
        disk.truncate(&path(id), PIECE_BYTES as u64 + 7).unwrap();
        assert_eq!(pieces.next().unwrap().len(), 7);
        assert_eq!(pieces.next(), None);
    }

    #[tokio::test]
    async fn what_this_process_has_seen_named_goes_when_it_is_not_and_what_is_gone_is_told() {
        let (disk, pictures, mut changing) = pictures().await;
        let [kept, forgotten, gone] = [b"1", b"2", b"3"].map(|it| Pictures::id_of(it));
        pictures.write(&mut changing, kept, b"1").unwrap();
        pictures.write(&mut changing, forgotten, b"2").unwrap();
        let named = [kept, gone].into();
        let swept = pictures.keep_only(&mut changing, Timestamp(0), &named);
        let missing = vec![path(gone)];
        let expected = Swept {
            n_removed: 1,
            missing,
            unnamed: Vec::new(),
        };
        assert_eq!(swept.unwrap(), expected);
        assert_eq!(disk.list(FOLDER).unwrap(), [kept.to_string()]);
        let swept = pictures.keep_only(&mut changing, Timestamp(1), &BTreeSet::new());
        assert_eq!(swept.unwrap().n_removed, 1);
        assert!(disk.list(FOLDER).unwrap().is_empty());
    }

    #[tokio::test]
    async fn what_this_process_finds_without_a_name_is_kept_for_days_and_may_get_one_again() {
        let (disk, pictures, mut changing) = pictures().await;
        let [found, back] = [b"1", b"2"].map(|it| Pictures::id_of(it));
        disk.append(&path(found), b"1").unwrap();
        disk.append(&path(back), b"2").unwrap();
        disk.append("pictures/of mine.txt", b"?").unwrap();
        let is_there = |id: PictureId| disk.read(&path(id)).is_ok();
        let nobody = BTreeSet::new();
        let sweep = |changing: &mut Changing, at: Timestamp, named: &BTreeSet<PictureId>| {
            let swept = pictures.keep_only(changing, at, named).unwrap();
            (swept.n_removed, swept.unnamed.len())
        };
        let start = Timestamp(1_000);
        assert_eq!(sweep(&mut changing, start, &nobody), (0, 2));
        // The next process knows since when, and that it was told.
        let mut next = Pictures::new(Arc::new(disk.clone())).change().await;
        let later = start + firebell_model::Duration::from_secs(86_400);
        assert_eq!(sweep(&mut next, later, &nobody), (0, 0));
        // Out of a backup.
        assert_eq!(sweep(&mut next, later, &[back].into()), (0, 0));
        let mut last = Pictures::new(Arc::new(disk.clone())).change().await;
        let end = start + UNNAMED_KEPT;
        assert_eq!(sweep(&mut last, Timestamp(end.0 - 1), &nobody), (0, 1));
        assert!(is_there(found) && is_there(back));
        assert_eq!(sweep(&mut last, end, &nobody), (1, 0));
        assert!(!is_there(found) && is_there(back));
        assert!(disk.read("pictures/of mine.txt").is_ok());
    }

    #[tokio::test]
    async fn who_sends_again_what_lost_its_entry_and_is_refused_takes_nothing_away() {
        let (disk, pictures, mut changing) = pictures().await;
        let id = Pictures::id_of(b"1");
        disk.append(&path(id), b"1").unwrap();
        pictures.write(&mut changing, id, b"1").unwrap();
        pictures.undo(&mut changing, id);
        assert!(bytes(&pictures, id).is_ok());
    }
}
