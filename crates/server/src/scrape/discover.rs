//! Finding the targets of jobs: those in the configuration and those in files.

use std::collections::BTreeMap;
use std::path::PathBuf;

use firebell_config::{
    Files, OsFiles, ScrapeJob, TargetGroup, TargetSet, parse_target_file, targets,
};

/// What discovery files held when they could last be read.
#[derive(Default)]
pub(super) struct TargetFiles {
    groups: BTreeMap<PathBuf, Vec<TargetGroup>>,
    /// Why a file could not be read, so that each reason is logged once.
    failures: BTreeMap<PathBuf, String>,
}

impl TargetFiles {
    /// The targets of a job. A file that cannot be read keeps the targets it had.
    pub(super) fn discover(&mut self, job: &ScrapeJob) -> TargetSet {
        let mut groups = job.static_groups.clone();
        for pattern in job
            .file_discoveries
            .iter()
            .flat_map(|discovery| &discovery.patterns)
        {
            for path in OsFiles.glob(pattern).unwrap_or_default() {
                groups.extend(self.read(path));
            }
        }
        targets(job, &groups)
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
