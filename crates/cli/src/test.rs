//! `firebell test`: scenario files on simulated time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use firebell_sim::scenario;

/// Runs each file; prints a line per file and a count at the end. `UPDATE=1` rewrites transcripts.
pub(crate) fn test(files: &[PathBuf]) -> ExitCode {
    let is_update = std::env::var_os("UPDATE").is_some_and(|value| value == "1");
    let (mut n_passed, mut n_failed, mut n_unusable) = (0, 0, 0);
    for file in files.iter().filter(|file| !file.ends_with("README.md")) {
        match run(file, is_update) {
            Ok(lines) if lines.is_empty() => {
                println!("{}: ok", file.display());
                n_passed += 1;
            }
            Ok(lines) => {
                println!("{}: {} lines differ\n{}", file.display(), lines.len(), lines.join("\n"));
                n_failed += 1;
            }
            Err(problem) => {
                println!("{problem}");
                n_unusable += 1;
            }
        }
    }
    println!("{n_passed} passed, {} failed", n_failed + n_unusable);
    match (n_failed, n_unusable) {
        (0, 0) => ExitCode::SUCCESS,
        (_, 0) => ExitCode::from(1),
        _ => ExitCode::from(2),
    }
}

/// The lines that differ, or why the scenario cannot be run.
fn run(file: &Path, is_update: bool) -> Result<Vec<String>, String> {
    let name = file.display().to_string();
    let text =
        fs::read_to_string(file).map_err(|error| format!("{name}: failed to read: {error}"))?;
    let report = scenario::run(&name, &text).map_err(|problems| problems.to_string())?;
    if is_update && !report.has_passed() {
        fs::write(file, report.rewritten)
            .map_err(|error| format!("{name}: failed to write: {error}"))?;
        return Ok(Vec::new());
    }
    Ok(report.difference.iter().map(|line| format!("  {name}:{line}")).collect())
}
