//! Snapshots: the store as it is now, in a folder of its own.

use firebell_disk::Disk;

use crate::Store;
use crate::options::StoreError;
use crate::page_log::PAGES;
use crate::wal::LOG;

impl Store {
    /// Copies the store into `folder` of its disk, in which a store can be opened then; what is in
    /// memory as its logs have it, unless `skips_head`: then the copy lacks it. Upkeep waits;
    /// appends and reads do not.
    ///
    /// # Errors
    /// When the disk is full or fails; the folder may hold a part then.
    pub fn snapshot(&self, folder: &str, skips_head: bool) -> Result<(), StoreError> {
        let mut upkeep = self.shared.upkeep();
        if !skips_head {
            // No chunk file is made of it: late samples would find no place behind that.
            upkeep.shorten_log(&self.shared)?;
        }
        self.shared.file_metadata()?;
        self.shared.file_exemplars()?;
        let disk = self.shared.disk();
        // Nobody but upkeep writes to the log of pages; the end of the other may be torn, and is cut
        // off where the copy is opened.
        let logs = if skips_head {
            &[][..]
        } else {
            &[PAGES.folder, LOG.folder]
        };
        for from in FOLDERS.iter().chain(logs) {
            // An index makes its file part of the store: it comes last, as when it was written.
            let (indexes, others): (Vec<_>, Vec<_>) = disk
                .list(from)?
                .into_iter()
                .partition(|name| name.ends_with(".idx"));
            for name in others.iter().chain(&indexes) {
                copy(disk, &format!("{from}/{name}"), folder)?;
            }
        }
        for file in FILES {
            match copy(disk, file, folder) {
                Err(StoreError::Disk(error)) if error.is_not_found => {}
                copied => copied?,
            }
        }
        Ok(())
    }
}

fn copy(disk: &dyn Disk, path: &str, folder: &str) -> Result<(), StoreError> {
    let to = format!("{folder}/{path}");
    disk.remove(&to)?;
    let mut offset = 0;
    loop {
        let bytes = disk.read_at(path, offset, COPY_BYTES)?;
        if bytes.is_empty() && offset > 0 {
            break;
        }
        disk.append(&to, &bytes)?;
        offset += bytes.len() as u64;
        if bytes.len() < COPY_BYTES {
            break;
        }
    }
    Ok(disk.sync(&to)?)
}

const FOLDERS: [&str; 2] = ["chunks", "histograms"];
const FILES: [&str; 3] = ["metadata", "tombstones", "exemplars"];
/// So much is in memory at once.
const COPY_BYTES: usize = 4 << 20;
