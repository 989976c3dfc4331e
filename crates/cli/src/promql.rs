//! `firebell promql`: scripts in Prometheus's test language, and expressions printed neatly.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use firebell_promql::script;

use crate::say;

/// What can be done with expressions.
#[derive(Subcommand)]
pub(crate) enum Promql {
    /// Run scripts in Prometheus's test language: load series, evaluate, compare.
    #[command(after_help = "Example: firebell promql test promql/*.test")]
    Test {
        /// The scripts.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Read an expression and print it in its usual form, or say what is wrong with it and where.
    #[command(after_help = "Example: firebell promql fmt 'sum(rate(x[5m]))by(job)'")]
    Fmt {
        /// The expression.
        expression: String,
    },
}

/// Does it.
pub(crate) fn promql(command: &Promql) -> ExitCode {
    match command {
        Promql::Test { files } => test(files),
        Promql::Fmt { expression } => format(expression),
    }
}

/// Prints what failed, a line per file, and a count of evaluations at the end.
fn test(files: &[PathBuf]) -> ExitCode {
    let (mut n_passed, mut n_failed, mut is_readable) = (0, 0, true);
    for file in files {
        match test_file(file) {
            Some((passed, failed)) => {
                n_passed += passed;
                n_failed += failed;
            }
            None => is_readable = false,
        }
    }
    say(format_args!("{n_passed} passed, {n_failed} failed"));
    match (is_readable, n_failed) {
        (false, _) => ExitCode::from(2),
        (true, 0) => ExitCode::SUCCESS,
        (true, _) => ExitCode::from(1),
    }
}

/// How many evaluations passed and failed; `None` when the file cannot be read.
fn test_file(file: &Path) -> Option<(usize, usize)> {
    let name = file.display();
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("{name}: failed to read: {error}");
            return None;
        }
    };
    let script::Report { passed, failed } = script::run(&text);
    for failure in &failed {
        say(format_args!("{name}:{}: {}", failure.line, failure.command));
        for line in failure.message.lines() {
            say(format_args!("    {line}"));
        }
    }
    say(format_args!(
        "{name}: {passed} passed, {} failed",
        failed.len()
    ));
    Some((passed, failed.len()))
}

fn format(expression: &str) -> ExitCode {
    match firebell_promql::parse(expression) {
        Ok(expr) => {
            say(format_args!("{expr}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(1)
        }
    }
}
