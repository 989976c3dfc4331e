//! `firebell import`: history of Prometheus, as blocks or as text, into the store.

use std::fs;
use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use firebell_disk::Disk;
use firebell_import::{Importer, Journal, Progress, Report, TextFormat, is_export};
use firebell_server::{FileDisk, ReadOnlyDisk};
use firebell_tsdb::{Options, Store};

use crate::{fail, say};

/// What `firebell import` takes.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Import {
    #[command(subcommand)]
    kind: Option<Kind>,
    #[command(flatten)]
    sources: Sources,
}

#[derive(Subcommand)]
enum Kind {
    /// OpenMetrics text, every line with a timestamp, as `promtool tsdb create-blocks-from` takes it.
    Openmetrics(Sources),
    /// Blocks of Prometheus's TSDB, or folders that hold some.
    Tsdb(Sources),
}

#[derive(Args)]
struct Sources {
    /// Files and folders: what `firebell store export` writes, blocks of Prometheus, text. Text that
    /// does not end with `# EOF` is read as the older text format, which has milliseconds.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The data folder of a Firebell that is not running; it is made when it is not there.
    #[arg(
        long,
        alias = "data-dir",
        value_name = "DIR",
        default_value = "firebell-data"
    )]
    data: PathBuf,
    /// Look again at what was imported before.
    #[arg(long)]
    again: bool,
}

/// Something to import.
enum Source {
    Block(PathBuf),
    Text(PathBuf, TextFormat),
    Export(PathBuf),
}

pub(crate) fn import(import: &Import) -> ExitCode {
    let (sources, kind) = match &import.kind {
        Some(kind @ (Kind::Openmetrics(sources) | Kind::Tsdb(sources))) => (sources, Some(kind)),
        None => (&import.sources, None),
    };
    let found = match find(&sources.paths, kind) {
        Ok((found, notes)) => {
            notes.iter().for_each(|note| eprintln!("firebell: {note}"));
            found
        }
        Err(message) => {
            eprintln!("firebell: {message}");
            return ExitCode::from(2);
        }
    };
    match run(sources, &found) {
        Ok(report) => conclude(&report),
        Err(error) => fail(&*error),
    }
}

/// What the paths name, and what of it is not read.
fn find(paths: &[PathBuf], kind: Option<&Kind>) -> Result<(Vec<Source>, Vec<String>), String> {
    let (mut found, mut notes) = (Vec::new(), Vec::new());
    for path in paths {
        let shown = path.display();
        let meta =
            fs::metadata(path).map_err(|error| format!("failed to read `{shown}`: {error}"))?;
        if !meta.is_dir() {
            found.push(match kind {
                None if begins_as_export(path) => Source::Export(path.clone()),
                None => Source::Text(path.clone(), TextFormat::Guess),
                Some(Kind::Openmetrics(_)) => Source::Text(path.clone(), TextFormat::OpenMetrics),
                Some(Kind::Tsdb(_)) => {
                    return Err(format!("`{shown}` is a file, and a block is a folder"));
                }
            });
            continue;
        }
        if matches!(kind, Some(Kind::Openmetrics(_))) {
            return Err(format!("`{shown}` is a folder, not a text file"));
        }
        let blocks = blocks(path).map_err(|error| format!("failed to read `{shown}`: {error}"))?;
        if blocks.is_empty() {
            return Err(format!(
                "`{shown}` holds no block: a block has a `meta.json` (what Prometheus has only in \
                 its head becomes one with its snapshot API)"
            ));
        }
        if HEAD_FOLDERS.iter().any(|name| path.join(name).is_dir()) {
            notes.push(format!(
                "`{shown}`: what Prometheus has only in its head and WAL (the last hours) is not \
                 read: its snapshot API, `POST /api/v1/admin/tsdb/snapshot`, makes a block of it"
            ));
        }
        found.extend(blocks.into_iter().map(Source::Block));
    }
    Ok((found, notes))
}

/// What cannot be read is no export; reading it as text says why.
fn begins_as_export(path: &Path) -> bool {
    let mut head = [0; 8];
    let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut head));
    read.is_ok() && is_export(&head)
}

/// The folder itself, or the blocks right in it, without those that are half written or half gone.
fn blocks(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let is_block = |path: &PathBuf| path.join("meta.json").is_file();
    if is_block(&folder.to_owned()) {
        return Ok(vec![folder.to_owned()]);
    }
    let mut blocks = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_whole = path
            .extension()
            .is_none_or(|it| !PASSING.iter().any(|&passing| it == passing));
        if is_whole && is_block(&path) {
            blocks.push(path);
        }
    }
    // Their names begin with the time.
    blocks.sort();
    Ok(blocks)
}

fn run(sources: &Sources, found: &[Source]) -> Result<Report, Box<dyn std::error::Error>> {
    let disk: Arc<dyn Disk> = Arc::new(FileDisk::open(&sources.data)?);
    let (store, opened) = Store::open(Arc::clone(&disk), options())?;
    for damage in opened.damage {
        eprintln!("firebell: {damage}");
    }
    let mut journal = Journal::open(disk)?;
    if sources.again {
        journal.forget();
    }
    let mut bar = Bar::new();
    let mut tell = |progress: &Progress<'_>| bar.show(progress);
    let mut importer = Importer::new(&store, journal, crate::check::now(), &mut tell);
    for source in found {
        match source {
            Source::Block(path) => {
                let block = Arc::new(ReadOnlyDisk::new(path));
                importer.block(block, &path.display().to_string())?;
            }
            Source::Text(path, _) | Source::Export(path) => {
                let folder = ReadOnlyDisk::new(path.parent().unwrap_or(Path::new("")));
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let len = fs::metadata(path)?.len();
                let shown = path.display().to_string();
                match source {
                    Source::Text(_, format) => {
                        importer.text(&folder, &name, (len, *format), &shown)?;
                    }
                    _ => importer.export(&folder, (&name, len), &shown)?,
                }
            }
        }
    }
    let report = importer.report().clone();
    bar.end(&report);
    Ok(report)
}

/// Nothing is dropped by an import, and nothing that waits in the log is refused.
fn options() -> Options {
    Options {
        out_of_order_window: firebell_model::Duration::from_hours(24 * 365 * 1000),
        ..Options::default()
    }
}

fn conclude(report: &Report) -> ExitCode {
    let Report {
        sources,
        sources_known,
        sources_bad,
        series,
        added,
        known,
        refused,
        span,
        problems,
        n_problems,
    } = report;
    for problem in problems {
        say(format_args!("{problem}"));
    }
    if *n_problems > problems.len() as u64 {
        say(format_args!(
            "and {} more",
            n_problems - problems.len() as u64
        ));
    }
    if let Some((first, last)) = span {
        say(format_args!("from {first} to {last}, {series} series"));
    }
    say(format_args!(
        "{added} samples imported, {known} known already, {refused} left out"
    ));
    say(format_args!(
        "{sources} imported, {sources_known} imported before, {sources_bad} failed"
    ));
    if *n_problems > 0 {
        say(format_args!(
            "what had problems is read again the next time, whole"
        ));
    }
    ExitCode::from(u8::from(*n_problems > 0))
}

/// Shows how far an import is: on a terminal in place, otherwise by a line now and then.
struct Bar {
    is_terminal: bool,
    began: Instant,
    shown: Option<Instant>,
}

impl Bar {
    fn new() -> Self {
        Self {
            is_terminal: std::io::stderr().is_terminal(),
            began: now(),
            shown: None,
        }
    }

    fn show(&mut self, progress: &Progress<'_>) {
        let every = if self.is_terminal {
            BAR_EVERY
        } else {
            LINE_EVERY
        };
        let at = now();
        if self.shown.is_some_and(|shown| at - shown < every) {
            return;
        }
        self.shown = Some(at);
        let share = progress.done as f64 / progress.total.max(1) as f64;
        let n_samples = progress.report.added + progress.report.known;
        let speed = n_samples as f64 / (at - self.began).as_secs_f64().max(0.001) / 1e6;
        let rest = format!(
            "{:3.0}% {n_samples} samples, {speed:.1} million/s",
            share * 100.0
        );
        let mut stderr = std::io::stderr();
        let source = progress.source;
        // Nobody to tell is no reason to stop.
        let _ = if self.is_terminal {
            let n_full = (share * BAR_WIDTH as f64) as usize;
            let bar = "#".repeat(n_full.min(BAR_WIDTH));
            write!(stderr, "\r\x1b[K{source} [{bar:BAR_WIDTH$}] {rest}")
        } else {
            writeln!(stderr, "{source}: {rest}")
        };
    }

    fn end(&self, report: &Report) {
        if self.is_terminal && self.shown.is_some() {
            eprintln!("\r\x1b[K{} samples read", report.added + report.known);
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a progress bar shows the time it takes"
)]
fn now() -> Instant {
    Instant::now()
}

/// What Prometheus has not made a block of yet.
const HEAD_FOLDERS: [&str; 2] = ["wal", "chunks_head"];
/// How names of folders end that Prometheus is about to write or to remove (`tsdb/db.go`).
const PASSING: [&str; 3] = ["tmp-for-deletion", "tmp-for-creation", "tmp"];
const BAR_WIDTH: usize = 30;
const BAR_EVERY: Duration = Duration::from_millis(100);
const LINE_EVERY: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_folder_of_prometheus_whole_blocks_are_read_and_the_head_is_named() {
        let folder = std::env::temp_dir().join(format!("firebell-import-{}", std::process::id()));
        let names = ["01B", "01A", "01C.tmp-for-deletion", "01D.tmp-for-creation"];
        for name in names {
            fs::create_dir_all(folder.join(name)).unwrap();
            fs::write(folder.join(name).join("meta.json"), "{}").unwrap();
        }
        let paths = [folder.clone()];
        let found = |sources: &[Source]| -> Vec<PathBuf> {
            let block = |it: &Source| match it {
                Source::Block(path) => Some(path.clone()),
                _ => None,
            };
            sources.iter().filter_map(block).collect()
        };
        let expected = [folder.join("01A"), folder.join("01B")];
        let (sources, notes) = find(&paths, None).unwrap();
        assert_eq!((found(&sources), notes.len()), (expected.to_vec(), 0));
        fs::create_dir(folder.join("wal")).unwrap();
        let (sources, notes) = find(&paths, None).unwrap();
        assert_eq!((found(&sources), notes.len()), (expected.to_vec(), 1));
        assert!(notes[0].contains("/api/v1/admin/tsdb/snapshot"));
        fs::remove_dir_all(folder).unwrap();
    }
}
