//! `firebell test`: scenario files on simulated time.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fs, io};

use firebell_sim::scenario;

use crate::say;

/// Runs each file; prints a line per file and a count at the end. `UPDATE=1` rewrites transcripts.
pub(crate) fn test(files: &[PathBuf]) -> ExitCode {
    let is_update = std::env::var_os("UPDATE").is_some_and(|value| value == "1");
    let (mut n_passed, mut n_failed, mut n_unreadable) = (0, 0, 0);
    for file in files.iter().filter(|file| !file.ends_with("README.md")) {
        match run(file, is_update) {
            Ok(None) => {
                say(format_args!("{}: ok", file.display()));
                n_passed += 1;
            }
            Ok(Some(failure)) => {
                say(format_args!("{failure}"));
                n_failed += 1;
            }
            Err(error) => {
                eprintln!("{}: {error}", file.display());
                n_unreadable += 1;
            }
        }
    }
    say(format_args!(
        "{n_passed} passed, {} failed",
        n_failed + n_unreadable
    ));
    match (n_failed, n_unreadable) {
        (0, 0) => ExitCode::SUCCESS,
        (_, 0) => ExitCode::from(1),
        _ => ExitCode::from(2),
    }
}

/// What is wrong with a scenario, or how it went otherwise than its transcript says.
fn run(file: &Path, is_update: bool) -> io::Result<Option<String>> {
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
