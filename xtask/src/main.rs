//! All automation of the repository: `cargo xtask tidy` checks what the compiler cannot, and
//! `cargo xtask ci` runs every suite and adds their counts up.

mod ci;
mod counts;
mod files;
mod layers;
mod metadata;
mod purity;
mod source;
mod supply;
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask COMMAND
  tidy   check layers, purity of the cores, licences, and the house's rules for files
  ci     run every suite (what `make test` does once things are installed and built)";

fn main() -> ExitCode {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["tidy"] => tidy::run(&root),
        ["ci"] => ci::run(&root),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::from(2)
        }
    }
}
