//! `firebell check`: every problem of files of any kind, and what lints say of their rules.
//!
//! Files are read and judged in parallel. A configuration is one *unit* with the rule files and
//! routes that it names; what no configuration names belongs to the only one that is given, or is a
//! unit of its own. Lints see one unit at a time.

mod kind;
mod oncall;
mod online;
mod read;
mod routes;
mod rules;
mod section;
mod source;
mod tests;
mod unit;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use firebell_lint::{CATALOGUE, Lint, Severity};
use firebell_model::Timestamp;

pub use self::kind::FileKind;
pub use self::online::{OnlineRequest, RuleFigures};
pub use self::read::Reader;
pub use self::section::CheckSection;

use crate::files::Files;
use crate::firebell::ExternalUrl;
use crate::problem::Problem;

/// What is to be checked, and how.
pub struct CheckRequest<'r> {
    /// The files that were named, each once.
    pub files: Vec<PathBuf>,
    /// Where they are read from.
    pub source: &'r (dyn Files + Sync),
    /// As for [`crate::load`].
    pub external_url: ExternalUrl,
    /// What reads the kinds of files that this crate does not.
    pub readers: &'r [Reader],
    /// When it is, for lints that are switched off until a day, and for what a server is asked.
    pub now: Timestamp,
    /// A server that knows the series.
    pub online: Option<OnlineRequest<'r>>,
}

/// What was found.
#[derive(Debug, Default)]
pub struct CheckReport {
    /// The files that were given, in their order, then those that these name.
    pub files: Vec<CheckedFile>,
    /// In order of file and place.
    pub findings: Vec<Found>,
    /// From which severity on the check fails, as the configuration says.
    pub fail_on: Option<Severity>,
    /// What a server says of the rules, in order of file; empty without one.
    pub figures: Vec<RuleFigures>,
}

/// A file that was checked.
#[derive(Debug)]
pub struct CheckedFile {
    /// As it was named.
    pub name: String,
    /// What it is.
    pub kind: FileKind,
    /// Whether it was named on the command line, rather than by another file.
    pub is_given: bool,
    /// Files that it names, and which count for it.
    pub names: Vec<String>,
    /// How many rules it has.
    pub n_rules: usize,
    /// Why it cannot be read.
    pub unreadable: Option<String>,
    /// What was read and is not used, or may surprise.
    pub notes: Vec<String>,
}

/// One finding with its place.
#[derive(Clone, Debug)]
pub struct Found {
    /// What it is.
    pub lint: &'static Lint,
    /// How bad it is.
    pub severity: Severity,
    /// Where, what, and what to do.
    pub problem: Problem,
}

/// Checks files, and all that they name.
#[must_use]
pub fn check(request: &CheckRequest<'_>) -> CheckReport {
    let given = in_parallel(&request.files, |path| read::read(path, request));
    unit::judge(given, request)
}

impl Found {
    /// A problem that keeps a file from being loaded.
    fn of_problem(problem: Problem) -> Self {
        let id = if problem.message.starts_with(PARSE_ERROR) {
            "promql/syntax"
        } else if problem.message.starts_with(TEMPLATE_ERROR) {
            "template/syntax"
        } else {
            "file/invalid"
        };
        let mut lints = CATALOGUE.iter().copied().flatten();
        let lint = lints.find(|lint| lint.id == id).copied();
        Self {
            lint: lint.unwrap_or(CATALOGUE[0][0]),
            severity: Severity::Error,
            problem,
        }
    }
}

/// What messages of expressions that do not parse begin with.
pub(crate) const PARSE_ERROR: &str = "parse error: ";
/// What messages of templates that do not parse begin with.
pub(crate) const TEMPLATE_ERROR: &str = "invalid template: ";

/// The results in the order of the items, on as many threads as there are processors.
fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let n_threads = std::thread::available_parallelism().map_or(1, usize::from);
    in_parallel_on(n_threads, items, work)
}

/// The same on so many threads.
fn in_parallel_on<T: Sync, R: Send>(
    n_threads: usize,
    items: &[T],
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    if n_threads <= 1 || items.len() < 2 {
        return items.iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let run = || {
        let mut done = Vec::new();
        loop {
            let idx = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(idx) else {
                return done;
            };
            done.push((idx, work(item)));
        }
    };
    let mut results = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..n_threads.min(items.len()))
            .map(|_| scope.spawn(run))
            .collect();
        let mut all = Vec::with_capacity(items.len());
        for thread in threads {
            match thread.join() {
                Ok(done) => all.extend(done),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    });
    results.sort_by_key(|(idx, _)| *idx);
    results.into_iter().map(|(_, result)| result).collect()
}
