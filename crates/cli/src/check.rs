//! `firebell check`: every problem of configuration files, with its place.

use std::path::PathBuf;
use std::process::ExitCode;

use firebell_config::{ExternalUrl, OsFiles};

/// Checks each file and all that it names; prints a line per file and a count at the end.
pub(crate) fn check(files: &[PathBuf]) -> ExitCode {
    let mut n_failed = 0;
    for file in files {
        let name = file.display();
        match firebell_config::load(Some(file), &ExternalUrl::default(), &OsFiles) {
            Ok(config) => {
                println!("{name}: ok");
                for note in config.notes {
                    println!("  note: {note}");
                }
            }
            Err(problems) => {
                n_failed += 1;
                println!("{name}: {} problems\n{problems}", problems.len());
            }
        }
    }
    println!("{} passed, {n_failed} failed", files.len() - n_failed);
    if n_failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    }
}
