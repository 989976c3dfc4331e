//! Unit tests of rules: files side by side on all cores, reported in order as promtool reports.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use firebell_config::OsFiles;
use firebell_model::Regex;
use firebell_promql::Features;
use firebell_sim::unit_test::{FileReport, Options, judge_together, run_file};

use super::Test;
use super::junit::{Case, Suite};
use crate::say;

/// Runs each file; says how many failed.
///
/// # Errors
/// When `--run` is no regular expression.
pub(super) fn run(
    files: &[&Path],
    options: &Test,
    suites: &mut Vec<Suite>,
) -> Result<usize, String> {
    let patterns = options
        .run
        .iter()
        .map(|text| Regex::unanchored(text).map_err(|error| format!("--run: `{text}`: {error}")));
    let started = started();
    let elapsed = move || started.elapsed();
    let names = || options.enable_feature.iter().map(String::as_str);
    let options = Options {
        features: Features::named(names()),
        delays_name_removal: names().any(|name| name == "promql-delayed-name-removal"),
        run: patterns.collect::<Result<_, _>>()?,
        is_debug: options.debug,
        is_diff: options.diff,
        ignores_unknown: options.ignore_unknown_fields,
        is_strict: options.strict,
        elapsed: &elapsed,
    };
    let mut n_failed = 0;
    let mut reports = run_all(files, &options);
    judge_together(&mut reports, &options);
    for (file, report) in files.iter().zip(reports) {
        n_failed += usize::from(!report.errors.is_empty());
        print(&report);
        suites.push(suite(file, report));
    }
    Ok(n_failed)
}

/// The reports, in the order of the files.
fn run_all(files: &[&Path], options: &Options<'_>) -> Vec<FileReport> {
    let reports: Vec<Mutex<FileReport>> = files.iter().map(|_| Mutex::default()).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        loop {
            let idx = next.fetch_add(1, Ordering::Relaxed);
            let (Some(file), Some(report)) = (files.get(idx), reports.get(idx)) else {
                return;
            };
            let done = run_file(file, &OsFiles, options);
            *report.lock().unwrap_or_else(PoisonError::into_inner) = done;
        }
    };
    let n_cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 1..n_cores.min(files.len()) {
            scope.spawn(work);
        }
        work();
    });
    let done = reports.into_iter();
    done.map(|report| report.into_inner().unwrap_or_else(PoisonError::into_inner))
        .collect()
}

fn print(report: &FileReport) {
    for note in &report.notes {
        eprintln!("{note}");
    }
    if report.errors.is_empty() {
        say(format_args!("  SUCCESS"));
    } else {
        eprintln!("  FAILED:");
        for error in &report.errors {
            eprintln!("{error}");
            say(format_args!(""));
        }
    }
    say(format_args!(""));
}

fn suite(file: &Path, report: FileReport) -> Suite {
    let cases = report.cases.into_iter().map(|case| Case {
        name: case.name,
        failures: case.failures,
    });
    Suite {
        name: file.display().to_string(),
        abort: report.abort,
        cases: cases.collect(),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "people who debug a test are told how long it took"
)]
fn started() -> Instant {
    Instant::now()
}
