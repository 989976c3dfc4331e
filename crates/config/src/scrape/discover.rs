//! The targets of a job, from the configuration and from files that may change.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::file_sd::parse_target_file;
use super::targets::{DroppedTarget, ScrapeTarget, targets};
use super::{ScrapeJob, TargetGroup};
use crate::files::Files;
use crate::problem::Problem;

/// What the files of one job said when they were last fine.
#[derive(Clone, Debug, Default)]
pub struct LastGood(BTreeMap<PathBuf, Vec<TargetGroup>>);

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Discovered {
    /// What is scraped.
    pub targets: Vec<ScrapeTarget>,
    /// What is not.
    pub dropped: Vec<DroppedTarget>,
    /// What is wrong with files; what they last said still holds.
    pub problems: Vec<Problem>,
}

impl ScrapeJob {
    /// Whether targets may come from files.
    #[must_use]
    pub fn has_files(&self) -> bool {
        !self.file_discoveries.is_empty()
    }

    /// Finds the targets. A file that is gone has none; one that is bad keeps those that it had,
    /// as upstream.
    pub fn discover(&self, files: &dyn Files, last_good: &mut LastGood) -> Discovered {
        let mut problems = Vec::new();
        let mut found = LastGood::default();
        let patterns = self.file_discoveries.iter().flat_map(|it| &it.patterns);
        for pattern in patterns {
            let paths = files.glob(pattern).unwrap_or_else(|error| {
                let file = pattern.display().to_string();
                problems.push(Problem::of_file(&file, format!("failed to read: {error}")));
                last_good.0.keys().cloned().collect()
            });
            for path in paths {
                let groups = match read(files, &path) {
                    Ok(groups) => groups,
                    Err(wrong) => {
                        problems.extend(wrong);
                        last_good.0.get(&path).cloned().unwrap_or_default()
                    }
                };
                found.0.insert(path, groups);
            }
        }
        let set = targets(
            self,
            self.static_groups.iter().chain(found.0.values().flatten()),
        );
        *last_good = found;
        Discovered {
            targets: set.active,
            dropped: set.dropped,
            problems,
        }
    }
}

fn read(files: &dyn Files, path: &PathBuf) -> Result<Vec<TargetGroup>, Vec<Problem>> {
    match files.read(path) {
        Ok(text) => {
            parse_target_file(path, &text).map_err(|problems| problems.iter().cloned().collect())
        }
        Err(error) => {
            let file = path.display().to_string();
            Err(vec![Problem::of_file(
                &file,
                format!("failed to read: {error}"),
            )])
        }
    }
}
