//! The incidents of a data folder, for who looks at it without a server.

use std::path::Path;

use firebell_engine::{Journal, JournalError, Record};
use firebell_incident::Incidents;
use firebell_model::{IncidentSpan, Timestamp};

use crate::disk::ReadOnlyDisk;

/// Those that were not over before a moment, by number, and what of the journal cannot be read; the
/// folder is only read, also while Firebell runs. None of one in which Firebell never ran.
///
/// # Errors
/// When the disk fails, or another version wrote the folder.
pub fn read_incidents(
    data: &Path,
    since: Timestamp,
) -> Result<(Vec<IncidentSpan>, Vec<String>), JournalError> {
    if !data.join(Journal::FOLDER).is_dir() {
        return Ok((Vec::new(), Vec::new()));
    }
    let mut incidents = Incidents::default();
    let mut restore = |record| {
        if let Record::Incident(record) = record {
            incidents.restore(record);
        }
    };
    let replayed = Journal::look(&ReadOnlyDisk::new(data), &mut restore)?;
    Ok((incidents.spans(since), replayed.damage))
}
