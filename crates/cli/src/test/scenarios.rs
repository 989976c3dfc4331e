//! Scenario files.

use std::path::Path;
use std::{fs, io};

use firebell_sim::scenario;

use super::Tally;
use super::junit::{Case, Suite};
use crate::say;

/// Runs each file; prints a line per file and a count at the end.
pub(super) fn run(files: &[&Path], suites: &mut Vec<Suite>, tally: &mut Tally) {
    let is_update = std::env::var_os("UPDATE").is_some_and(|value| value == "1");
    let mut n_passed = 0;
    let before = *tally;
    for file in files.iter().filter(|file| !file.ends_with("README.md")) {
        let outcome = run_file(file, is_update);
        let failure = match &outcome {
            Ok(failure) => failure.clone(),
            Err(error) => Some(error.to_string()),
        };
        suites.push(Suite {
            name: file.display().to_string(),
            abort: None,
            cases: vec![Case {
                name: "scenario".to_owned(),
                failures: failure.into_iter().collect(),
            }],
        });
        match outcome {
            Ok(None) => {
                say(format_args!("{}: ok", file.display()));
                n_passed += 1;
            }
            Ok(Some(failure)) => {
                say(format_args!("{failure}"));
                tally.n_failed += 1;
            }
            Err(error) => {
                eprintln!("{}: {error}", file.display());
                tally.n_unreadable += 1;
            }
        }
    }
    let n_failed = tally.n_failed - before.n_failed + tally.n_unreadable - before.n_unreadable;
    say(format_args!("{n_passed} passed, {n_failed} failed"));
}

/// What is wrong with a scenario, or how it went otherwise than its transcript says.
fn run_file(file: &Path, is_update: bool) -> io::Result<Option<String>> {
    let name = file.display().to_string();
    let report = match scenario::run(&name, &fs::read_to_string(file)?) {
        Ok(report) => report,
        Err(problems) => return Ok(Some(problems.to_string())),
    };
    if report.has_passed() {
        return Ok(None);
    }
    if is_update {
        fs::write(file, report.rewritten)?;
        return Ok(None);
    }
    let n_lines = report.difference.len();
    let lines = report
        .difference
        .iter()
        .map(|line| format!("\n  {name}:{line}"));
    Ok(Some(format!(
        "{name}: {n_lines} lines differ{}",
        lines.collect::<String>()
    )))
}
