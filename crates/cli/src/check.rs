//! `firebell check`: every problem of the files that people write, and what lints say of the rules.

mod expand;
mod explain;
mod github;
mod json;
mod online;
mod sarif;
mod text;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use clap::{Args, ValueEnum};
use firebell_config::{CheckReport, CheckRequest, ExternalUrl, FileKind, OsFiles, Reader};
use firebell_lint::Severity;
use firebell_model::Timestamp;

use crate::say;

/// What is checked, and how it is told.
#[derive(Args)]
pub(crate) struct Check {
    /// Files, folders (all files in them that Firebell reads) and patterns such as 'rules/*.yml'.
    #[arg(required_unless_present_any = ["explain", "lints"])]
    files: Vec<PathBuf>,
    /// How findings are printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Fail from this severity on [default: error, or `check.fail_on` of firebell.yml].
    #[arg(long, value_enum, value_name = "SEVERITY")]
    fail_on: Option<FailOn>,
    #[command(flatten)]
    online: online::Options,
    /// Say what a lint finds, why that matters and how it is mended, and check nothing.
    #[arg(long, value_name = "ID")]
    explain: Option<String>,
    /// Print all lints, and check nothing.
    #[arg(long)]
    lints: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Text,
    /// One document; `docs/check.md` describes it.
    Json,
    /// SARIF 2.1.0, as code hosts read it.
    Sarif,
    /// Workflow commands of GitHub Actions, which become annotations.
    Github,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    Error,
    Warning,
    Info,
}

/// What was found, and what that means.
pub(crate) struct Outcome {
    report: CheckReport,
    fail_on: Severity,
    /// The questions that a server was asked; `None` without one.
    n_asked: Option<u64>,
}

/// Checks; prints what was found, a line per file and a count at the end.
pub(crate) fn check(options: &Check) -> ExitCode {
    if options.lints {
        return explain::list();
    }
    if let Some(id) = &options.explain {
        return explain::explain(id);
    }
    let expanded = expand::expand(&options.files, &OsFiles);
    let now = now();
    let server = match options.online.server(now) {
        Ok(server) => server,
        Err(why) => {
            eprintln!("firebell: {why}");
            return ExitCode::from(2);
        }
    };
    let online = server.as_ref();
    let request = CheckRequest {
        files: expanded.files,
        source: &OsFiles,
        external_url: ExternalUrl::default(),
        readers: READERS,
        now,
        online: online.map(|it| options.online.request(it, &online::show_progress)),
    };
    let report = firebell_config::check(&request);
    if online.is_some() {
        online::end_progress();
    }
    let fail_on = match options.fail_on {
        Some(FailOn::Error) => Severity::Error,
        Some(FailOn::Warning) => Severity::Warning,
        Some(FailOn::Info) => Severity::Info,
        None => report.fail_on.unwrap_or(Severity::Error),
    };
    let outcome = Outcome {
        report,
        fail_on,
        n_asked: online.map(online::Asked::n_asked),
    };
    print(&outcome, options.format);
    for problem in &expanded.unreadable {
        eprintln!("{problem}");
    }
    exit_code(&outcome, !expanded.unreadable.is_empty())
}

fn print(outcome: &Outcome, format: Format) {
    match format {
        Format::Text => text::print(outcome, std::io::stdout().is_terminal()),
        Format::Json => say(format_args!("{}", json::document(outcome))),
        Format::Sarif => say(format_args!("{}", sarif::document(outcome))),
        Format::Github => github::print(outcome),
    }
    for file in &outcome.report.files {
        if let Some(why) = &file.unreadable {
            let what = match file.kind {
                FileKind::Other("server") => "failed to ask",
                _ => "failed to read",
            };
            eprintln!("{}: {what}: {why}", file.name);
        }
    }
}

fn exit_code(outcome: &Outcome, is_unexpanded: bool) -> ExitCode {
    let is_unreadable = outcome
        .report
        .files
        .iter()
        .any(|it| it.unreadable.is_some());
    if is_unreadable || is_unexpanded {
        ExitCode::from(2)
    } else if outcome.n_failed() > 0 {
        ExitCode::from(1)
    } else {
        ExitCode::SUCCESS
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "comments switch lints off until a day, and who is on call changes"
)]
/// The moment of the command.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let ms = since.map_or(0, |it| it.as_millis());
    Timestamp(i64::try_from(ms).unwrap_or(i64::MAX))
}

/// Kinds of files that other crates read.
const READERS: &[Reader] = &[Reader {
    kind: "scenario",
    knows: |path, _| path.extension().is_some_and(|it| it == "md"),
    problems: |name, text| match firebell_sim::scenario::check(name, text) {
        Ok(()) => Vec::new(),
        Err(problems) => problems.iter().cloned().collect(),
    },
}];

impl Outcome {
    /// How many findings have a severity.
    fn count(&self, severity: Severity) -> usize {
        self.report
            .findings
            .iter()
            .filter(|it| it.severity == severity)
            .count()
    }

    /// `1 error, 2 warnings`, without what there is none of; of some files only.
    fn summary(&self, is_of: impl Fn(&str) -> bool) -> String {
        let found = self
            .report
            .findings
            .iter()
            .filter(|it| is_of(&it.problem.file));
        let counts = Severity::ALL.iter().rev().filter_map(|severity| {
            let n = found.clone().filter(|it| it.severity == *severity).count();
            let name = match (severity, n) {
                (_, 0) => return None,
                (Severity::Info, _) => "info",
                (Severity::Warning, 1) => "warning",
                (Severity::Warning, _) => "warnings",
                (Severity::Error, 1) => "error",
                (Severity::Error, _) => "errors",
            };
            Some(format!("{n} {name}"))
        });
        counts.collect::<Vec<_>>().join(", ")
    }

    /// Whether a file, or one that it names, has a finding that counts.
    fn has_failed(&self, file: &firebell_config::CheckedFile) -> bool {
        file.unreadable.is_some()
            || self.report.findings.iter().any(|it| {
                let of = &*it.problem.file;
                it.severity >= self.fail_on && (of == file.name || self.counts_for(file, of))
            })
    }

    /// Whether what is wrong with one file is the fault of another: it names it, and nobody gave it.
    fn counts_for(&self, file: &firebell_config::CheckedFile, of: &str) -> bool {
        let is_given = self
            .report
            .files
            .iter()
            .any(|it| it.is_given && it.name == of);
        // An alertmanager.yml names templates.
        let is_root = file.kind.is_root() || file.kind == FileKind::Alertmanager;
        is_root && !is_given && (file.names.iter().any(|it| it == of) || !self.is_file(of))
    }

    fn is_file(&self, name: &str) -> bool {
        self.report.files.iter().any(|it| it.name == name)
    }

    fn n_failed(&self) -> usize {
        let given = self.report.files.iter().filter(|it| it.is_given);
        given.filter(|it| self.has_failed(it)).count()
    }
}
