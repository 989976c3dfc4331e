//! `firebell test`: unit tests of rules in promtool's format, and scenarios on simulated time.

mod junit;
mod scenarios;
mod unit;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use self::junit::Suite;

/// What is tested, and how.
#[derive(Args)]
pub(crate) struct Test {
    /// Test files of promtool (YAML), and scenarios (Markdown).
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Only run tests whose name matches the regular expression; can be given several times.
    #[arg(long, value_name = "REGEX")]
    run: Vec<String>,
    /// Write the results as JUnit XML.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Show every series that a test put in or its rules wrote, every notification with its texts,
    /// and every budget that is asked for.
    #[arg(long)]
    debug: bool,
    /// Show alerts, notifications and budgets that differ as a coloured difference.
    #[arg(long)]
    diff: bool,
    /// Pass over fields of rule files that rules do not have.
    #[arg(long)]
    ignore_unknown_fields: bool,
    /// Fail, with the reason, where promtool passes without testing anything: nothing expected, an
    /// alert that no rule defines, a moment behind the data, a rule that no test asks for, and so on.
    #[arg(long)]
    strict: bool,
    /// Experimental parts of PromQL, in Prometheus's words, such as promql-experimental-functions.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    enable_feature: Vec<String>,
}

/// How many files went how.
#[derive(Clone, Copy, Default)]
struct Tally {
    n_failed: usize,
    n_unreadable: usize,
}

/// Runs each file. Unit tests are reported as promtool does; of scenarios there is a line per file
/// and a count at the end, and `UPDATE=1` rewrites their transcripts.
pub(crate) fn test(options: &Test) -> ExitCode {
    if let Some(missing) = options.files.iter().find(|file| !file.exists()) {
        eprintln!(
            "firebell: error: path '{}' does not exist",
            missing.display()
        );
        return ExitCode::from(2);
    }
    let (scenarios, units): (Vec<&Path>, Vec<&Path>) = options
        .files
        .iter()
        .map(PathBuf::as_path)
        .partition(|file| file.extension().is_some_and(|it| it == "md"));
    let mut suites: Vec<Suite> = Vec::new();
    let mut tally = Tally::default();
    match unit::run(&units, options, &mut suites) {
        Ok(n_failed) => tally.n_failed += n_failed,
        Err(error) => {
            eprintln!("firebell: error: {error}");
            return ExitCode::from(2);
        }
    }
    if !scenarios.is_empty() {
        scenarios::run(&scenarios, &mut suites, &mut tally);
    }
    if let Some(file) = &options.junit
        && let Err(error) = std::fs::write(file, junit::xml(&suites))
    {
        eprintln!("failed to write JUnit XML: {}: {error}", file.display());
        tally.n_unreadable += 1;
    }
    match (tally.n_failed, tally.n_unreadable) {
        (0, 0) => ExitCode::SUCCESS,
        (_, 0) => ExitCode::from(1),
        _ => ExitCode::from(2),
    }
}
