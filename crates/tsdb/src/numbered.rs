//! Folders of numbered files, each with an index: which there are, how one comes and how one goes.
//!
//! `FOLDER/NNNNNNNN` is a file, `FOLDER/NNNNNNNN.idx` its index and `FOLDER/NNNNNNNN.over` what it
//! takes the place of (see `replaced`).
//!
//! *Invariants*: the index is written last and at once. Until then, and again when the file is to go,
//! it is [`PASSING`] alone: the samples of such a file are in the log or in other files, and it goes at
//! the next start, as does one without an index that has no finished one behind it. Any other file that
//! cannot be read stays where it is, and what it lacks is named.

use std::sync::Arc;

use firebell_disk::Disk;

use crate::options::StoreError;
use crate::replaced;

/// The files there are, by number.
pub(crate) struct Files {
    pub(crate) finished: Vec<u64>,
    /// These go: their samples are elsewhere.
    pub(crate) unfinished: Vec<u64>,
    /// Their indexes are gone.
    pub(crate) lost: Vec<u64>,
    /// Those of the finished ones that take the place of others.
    pub(crate) over: Vec<u64>,
}

/// Looks which files there are.
pub(crate) fn list(disk: &dyn Disk, folder: &str) -> Result<Files, StoreError> {
    let names = disk.list(folder)?;
    let with = |suffix: &str| -> Vec<u64> {
        names
            .iter()
            .filter_map(|name| name.strip_suffix(suffix)?.parse().ok())
            .collect()
    };
    let (mut finished, mut unfinished, mut lost) = (Vec::new(), Vec::new(), Vec::new());
    for number in with(".idx") {
        let is_passing = disk.size(&index_path(folder, number))? == PASSING.len() as u64;
        if is_passing {
            &mut unfinished
        } else {
            &mut finished
        }
        .push(number);
    }
    let newest = finished.last().copied();
    for number in with("") {
        let is_known = finished.contains(&number) || unfinished.contains(&number);
        match Some(number) < newest {
            _ if is_known => {}
            true => lost.push(number),
            false => unfinished.push(number),
        }
    }
    let mut over = with(".over");
    over.retain(|number| finished.contains(number));
    Ok(Files {
        finished,
        unfinished,
        lost,
        over,
    })
}

/// What to say of files whose index is gone.
pub(crate) fn lost(folder: &str, number: u64) -> String {
    let (path, index) = (data_path(folder, number), index_path(folder, number));
    format!(
        "`{index}` is gone: what `{path}` has is left out (nothing is missing where an earlier version \
         was stopped while it merged; `firebell store repair` clears that up)"
    )
}

/// How many bytes a file has; 0 when it is gone.
pub(crate) fn data_size(disk: &dyn Disk, path: &str) -> Result<u64, StoreError> {
    match disk.size(path) {
        Err(error) if error.is_not_found => Ok(0),
        other => Ok(other?),
    }
}

/// Removes a file. The index is cut first and goes last: what is left after a crash is known to be on
/// its way.
pub(crate) fn remove(disk: &dyn Disk, folder: &str, number: u64) -> Result<(), StoreError> {
    disk.truncate(&index_path(folder, number), PASSING.len() as u64)?;
    disk.remove(&over_path(folder, number))?;
    disk.remove(&data_path(folder, number))?;
    disk.remove(&index_path(folder, number))?;
    Ok(())
}

/// A file in the making. Dropped before [`Draft::finish`] has done its work it goes: on a full disk
/// what failed must not take the room that is left.
pub(crate) struct Draft {
    disk: Arc<dyn Disk>,
    folder: &'static str,
    number: u64,
    /// Something of it may be on the disk.
    is_begun: bool,
}

impl Draft {
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        folder: &'static str,
        number: u64,
    ) -> Result<Self, StoreError> {
        // A try before this one may have left its beginning.
        disk.remove(&over_path(folder, number))?;
        disk.remove(&data_path(folder, number))?;
        Ok(Self {
            disk,
            folder,
            number,
            is_begun: false,
        })
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        if !self.is_begun {
            self.is_begun = true;
            let path = index_path(self.folder, self.number);
            self.disk.replace(&path, PASSING)?;
        }
        let path = data_path(self.folder, self.number);
        Ok(self.disk.append(&path, bytes)?)
    }

    /// Makes the file durable, and then part of the store, in the place of other files where it takes
    /// over from some.
    pub(crate) fn finish(mut self, index: &[u8], over: Option<&[u64]>) -> Result<(), StoreError> {
        self.disk.sync(&data_path(self.folder, self.number))?;
        if let Some(replaces) = over {
            let content = replaced::content(replaces);
            let path = over_path(self.folder, self.number);
            self.disk.replace(&path, &content)?;
        }
        let path = index_path(self.folder, self.number);
        self.disk.replace(&path, index)?;
        self.is_begun = false;
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if self.is_begun {
            // Where this fails too, the next start does it.
            let _ = remove(&*self.disk, self.folder, self.number);
        }
    }
}

pub(crate) fn data_path(folder: &str, number: u64) -> String {
    format!("{folder}/{number:08}")
}

pub(crate) fn index_path(folder: &str, number: u64) -> String {
    format!("{folder}/{number:08}.idx")
}

pub(crate) fn over_path(folder: &str, number: u64) -> String {
    format!("{folder}/{number:08}.over")
}

/// The index of a file that is not finished, or is being removed: no index is as short.
const PASSING: &[u8] = b"FBCI";
