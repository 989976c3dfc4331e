//! The files of rules and objectives that unit tests name.

use std::path::{Path, PathBuf};

use firebell_model::Duration;
use firebell_promql::Features;
use firebell_rules::RuleGroup;
use firebell_slo::Objectives;

use crate::files::Files;
use crate::load::Loader;
use crate::problem::{Problem, Problems};
use crate::rule_files::{self, Defaults};
use crate::scrape::Global;
use crate::slo;

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
    unless_wrong(loader, groups)
}

/// Reads files of objectives, which may name each other's, and makes the rules of them.
///
/// # Errors
/// Everything that is wrong with any of them.
pub fn load_objectives(
    paths: &[PathBuf],
    files: &dyn Files,
    evaluation_interval: Duration,
) -> Result<(Objectives, Vec<RuleGroup>), Vec<Problem>> {
    let loader = Loader::new(files, Features::ALL);
    let global = Global {
        evaluation_interval,
        ..Global::default()
    };
    let read = slo::read_files(&loader, &global, paths.iter().cloned());
    unless_wrong(loader, read)
}

fn unless_wrong<T>(loader: Loader<'_>, read: T) -> Result<T, Vec<Problem>> {
    match Problems::new(loader.problems.into_inner()) {
        Some(problems) => Err(problems.iter().cloned().collect()),
        None => Ok(read),
    }
}
