//! `firebell check`: every problem of configuration files, with its place.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use firebell_config::{ExternalUrl, OsFiles};

use crate::say;

/// How a file fared.
enum Outcome {
    Passed,
    Failed,
    Unreadable,
}

/// Checks each file and all that it names; prints a line per file and a count at the end.
pub(crate) fn check(files: &[PathBuf]) -> ExitCode {
    let (mut n_passed, mut n_failed, mut n_unreadable) = (0, 0, 0);
    for file in files {
        match check_file(file) {
            Outcome::Passed => n_passed += 1,
            Outcome::Failed => n_failed += 1,
            Outcome::Unreadable => n_unreadable += 1,
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

fn check_file(file: &Path) -> Outcome {
    let name = file.display();
    // A file that is not there was mistyped; one that it names and that is not there is its fault.
    if let Err(error) = File::open(file) {
        eprintln!("{name}: failed to read: {error}");
        return Outcome::Unreadable;
    }
    match firebell_config::load(Some(file), &ExternalUrl::default(), &OsFiles) {
        Ok(config) => {
            say(format_args!("{name}: ok"));
            for note in config.notes {
                say(format_args!("  note: {note}"));
            }
            Outcome::Passed
        }
        Err(problems) => {
            let s = if problems.len() == 1 { "" } else { "s" };
            say(format_args!(
                "{name}: {} problem{s}\n{problems}",
                problems.len()
            ));
            Outcome::Failed
        }
    }
}
