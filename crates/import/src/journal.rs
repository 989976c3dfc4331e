//! What has been imported, so that a killed import goes on and a finished one is not done again.
//!
//! `import/done`: a line of JSON for each source: what it is known by, how far it was read, and
//! whether that was all.

use std::collections::BTreeMap;
use std::sync::Arc;

use firebell_disk::{Disk, DiskError};
use serde::{Deserialize, Serialize};

/// How far each source was imported.
pub struct Journal {
    disk: Arc<dyn Disk>,
    places: BTreeMap<String, Place>,
}

/// How far one source was imported.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Place {
    /// Where to go on.
    pub(crate) at: u64,
    /// The line of a text that is there, from 1.
    #[serde(default)]
    pub(crate) line: usize,
    /// The line that said what kind of metric comes there.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) type_line: String,
    pub(crate) is_done: bool,
    /// Whether something of what was read before was left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) had_problems: bool,
}

/// A journal that cannot be read or written.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum JournalError {
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The file says what cannot be.
    #[error(
        "`{PATH}` is damaged in line {line}: remove it, and what was imported is looked at again"
    )]
    Damaged {
        /// From 1.
        line: usize,
    },
}

#[derive(Serialize, Deserialize)]
struct Line {
    source: String,
    #[serde(flatten)]
    place: Place,
}

impl Journal {
    /// Reads the journal in the data folder.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(disk: Arc<dyn Disk>) -> Result<Self, JournalError> {
        let content = match disk.read(PATH) {
            Ok(content) => content,
            Err(error) if error.is_not_found => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let mut places = BTreeMap::new();
        for (idx, line) in content.split(|&byte| byte == b'\n').enumerate() {
            if line.is_empty() {
                continue;
            }
            let damaged = JournalError::Damaged { line: idx + 1 };
            let Line { source, place } = serde_json::from_slice(line).map_err(|_| damaged)?;
            places.insert(source, place);
        }
        Ok(Self { disk, places })
    }

    /// Forgets all: every source is read from its beginning again.
    pub fn forget(&mut self) {
        self.places.clear();
    }

    pub(crate) fn place(&self, source: &str) -> Place {
        self.places.get(source).cloned().unwrap_or_default()
    }

    /// Notes how far a source was imported, durably.
    pub(crate) fn note(&mut self, source: &str, place: Place) -> Result<(), DiskError> {
        self.places.insert(source.to_owned(), place);
        self.write()
    }

    /// Forgets one source, durably: the next time it is read from its beginning.
    pub(crate) fn forget_source(&mut self, source: &str) -> Result<(), DiskError> {
        match self.places.remove(source) {
            Some(_) => self.write(),
            None => Ok(()),
        }
    }

    fn write(&self) -> Result<(), DiskError> {
        let mut content = Vec::new();
        for (source, place) in &self.places {
            let (source, place) = (source.clone(), place.clone());
            // Strings and numbers always have a JSON.
            if serde_json::to_writer(&mut content, &Line { source, place }).is_ok() {
                content.push(b'\n');
            }
        }
        self.disk.replace(PATH, &content)
    }
}

const PATH: &str = "import/done";
