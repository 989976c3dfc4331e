//! The rule files that unit tests name.

use std::path::{Path, PathBuf};

use firebell_model::Duration;
use firebell_promql::Features;
use firebell_rules::RuleGroup;

use crate::files::Files;
use crate::load::Loader;
use crate::problem::{Problem, Problems};
use crate::rule_files::{self, Defaults};

/// Reads rule files one after the other. `ignores_unknown` passes over fields that rules do not
/// have.
///
/// # Errors
/// What is wrong with the first file in which something is, as upstream stops there.
pub fn load_rule_files(
    paths: &[PathBuf],
    files: &dyn Files,
    features: Features,
    ignores_unknown: bool,
) -> Result<Vec<RuleGroup>, Vec<Problem>> {
    let mut groups = Vec::new();
    for path in paths {
        groups.extend(load(path, files, features, ignores_unknown)?);
    }
    Ok(groups)
}

fn load(
    path: &Path,
    files: &dyn Files,
    features: Features,
    ignores_unknown: bool,
) -> Result<Vec<RuleGroup>, Vec<Problem>> {
    let mut loader = Loader::new(files, features);
    loader.ignores_unknown = ignores_unknown;
    let source = loader.read(path).unwrap_or_default();
    let defaults = Defaults {
        interval: Duration::from_mins(1),
        query_offset: Duration::ZERO,
        flapping: None,
    };
    let groups = rule_files::groups(&loader, path, &source, defaults);
    match Problems::new(loader.problems.into_inner()) {
        Some(problems) => Err(problems.iter().cloned().collect()),
        None => Ok(groups),
    }
}
