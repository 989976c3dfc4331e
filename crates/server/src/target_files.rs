//! Groups of targets: those in the configuration and those in files, as they are now.

use std::collections::BTreeMap;
use std::path::PathBuf;

use firebell_config::{Discovery, Files, OsFiles, TargetGroup, parse_target_file};

/// What discovery files held when they could last be read.
#[derive(Default)]
pub(crate) struct TargetFiles {
    groups: BTreeMap<PathBuf, Vec<TargetGroup>>,
    /// Why a file could not be read, so that each reason is logged once.
    failures: BTreeMap<PathBuf, String>,
}

impl TargetFiles {
    /// The targets of a job. A file that cannot be read keeps the targets it had.
    pub(crate) fn groups(&mut self, discovery: &Discovery) -> Vec<TargetGroup> {
        let mut groups = discovery.static_groups.clone();
        for pattern in discovery.files.iter().flat_map(|files| &files.patterns) {
            for path in OsFiles.glob(pattern).unwrap_or_default() {
                groups.extend(self.read(path));
            }
        }
        groups
    }

    fn read(&mut self, path: PathBuf) -> Vec<TargetGroup> {
        let read = OsFiles.read(&path).map_err(|error| error.to_string());
        let parsed = read.and_then(|text| {
            parse_target_file(&path, &text).map_err(|problems| problems.to_string())
        });
        match parsed {
            Ok(groups) => {
                self.failures.remove(&path);
                self.groups.insert(path, groups.clone());
                groups
            }
            Err(why) => {
                if self.failures.get(&path) != Some(&why) {
                    let file = path.display();
                    tracing::warn!(%file, why, "failed to read targets; the last good ones stay");
                    self.failures.insert(path.clone(), why);
                }
                self.groups.get(&path).cloned().unwrap_or_default()
            }
        }
    }
}
