//! `firebell store`: what is in the store of a data folder, whether it is whole, and how to get it out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};
use firebell_disk::{Disk, Overlay};
use firebell_model::{Labels, METRIC_NAME, Matcher, Timestamp, format_float, is_stale};
use firebell_server::{FileDisk, ReadOnlyDisk};
use firebell_tsdb::{OpenReport, Options, Salvaged, Store};

use crate::{fail, say};

type Failed = Box<dyn std::error::Error>;

/// What `firebell store` does.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Print series, samples, times, bytes, and which labels and metrics have the most. Changes
    /// nothing, also while Firebell runs.
    Inspect(Folder),
    /// Check every checksum and read every page; name all damage; exit code 1 when there is some.
    /// Changes nothing, also while Firebell runs.
    Verify(Folder),
    /// Write what is good to a new store, and name what is lost. The old files are moved aside, into
    /// `damaged-N` in the data folder.
    Repair(Folder),
    /// Print samples as OpenMetrics text, which `firebell import` and promtool read.
    Export(Export),
}

#[derive(Args)]
pub(crate) struct Folder {
    /// The data folder.
    #[arg(
        long,
        alias = "data-dir",
        value_name = "DIR",
        default_value = "firebell-data"
    )]
    data: PathBuf,
}

#[derive(Args)]
pub(crate) struct Export {
    #[command(flatten)]
    folder: Folder,
    /// Only series that satisfy this selector; may be given several times.
    #[arg(long = "match", value_name = "SELECTOR")]
    selectors: Vec<String>,
    /// Only samples from this time on.
    #[arg(long, value_name = "TIME")]
    start: Option<Timestamp>,
    /// Only samples up to this time.
    #[arg(long, value_name = "TIME")]
    end: Option<Timestamp>,
}

pub(crate) fn store(command: &Command) -> ExitCode {
    let done = match command {
        Command::Inspect(folder) => inspect(&folder.data),
        Command::Verify(folder) => verify(&folder.data),
        Command::Repair(folder) => repair(&folder.data),
        Command::Export(export) => self::export(export),
    };
    done.unwrap_or_else(|error| fail(&*error))
}

/// Opens a store without changing anything.
fn look(data: &Path) -> Result<(Store, OpenReport), Failed> {
    if !data.join("wal").is_dir() && !data.join("chunks").is_dir() {
        return Err(format!("`{}` holds no store", data.display()).into());
    }
    let disk = Overlay::new(Arc::new(ReadOnlyDisk::new(data)));
    Ok(Store::open(Arc::new(disk), options())?)
}

/// All that waits in the log is taken, however late it was.
fn options() -> Options {
    Options {
        out_of_order_window: firebell_model::Duration::from_hours(24 * 365 * 1000),
        ..Options::default()
    }
}

fn inspect(data: &Path) -> Result<ExitCode, Failed> {
    let (store, report) = look(data)?;
    let stats = store.stats();
    say(format_args!("series    {}", stats.series));
    say(format_args!("samples   {}", stats.samples));
    if let (Some(oldest), Some(newest)) = (stats.oldest, stats.newest) {
        say(format_args!("from      {oldest}\nto        {newest}"));
    }
    for (what, folder) in [
        ("chunks", "chunks"),
        ("histograms", "histograms"),
        ("log", "wal"),
    ] {
        let (n_files, bytes) = size_of_folder(&data.join(folder));
        say(format_args!("{what:10}{bytes} bytes in {n_files} files"));
    }
    say(format_args!("damage    {}", report.damage.len()));
    let mut values: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut metrics: BTreeMap<String, usize> = BTreeMap::new();
    store.salvage(|series| {
        for label in series.labels.iter() {
            let known = values.entry(label.name.to_string()).or_default();
            known.insert(label.value.to_string());
        }
        *metrics
            .entry(series.labels.metric_name().to_owned())
            .or_default() += 1;
        Ok::<(), Failed>(())
    })?;
    let values = values
        .into_iter()
        .map(|(name, values)| (name, values.len()));
    print_top("labels by values", values.collect());
    print_top("metrics by series", metrics.into_iter().collect());
    Ok(ExitCode::SUCCESS)
}

fn print_top(title: &str, mut counted: Vec<(String, usize)>) {
    counted.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    say(format_args!("\n{title}"));
    for (name, n) in counted.iter().take(TOP_MAX) {
        say(format_args!("{n:9} {name}"));
    }
}

fn size_of_folder(folder: &Path) -> (u64, u64) {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = files.filter_map(|file| file.metadata().ok());
    sizes.fold((0, 0), |(n, bytes), it| (n + 1, bytes + it.len()))
}

fn verify(data: &Path) -> Result<ExitCode, Failed> {
    let (store, report) = look(data)?;
    let mut n_damaged = report.damage.len();
    report
        .damage
        .iter()
        .for_each(|what| say(format_args!("{what}")));
    if report.torn_bytes > 0 {
        let n = report.torn_bytes;
        say(format_args!(
            "note: the log ends with {n} bytes of a write that was cut off"
        ));
    }
    let (mut n_series, mut n_samples) = (0_u64, 0);
    store.salvage(|series| {
        n_series += 1;
        n_samples += series.samples.len() + series.histograms.len();
        n_damaged += series.damage.len();
        for what in &series.damage {
            say(format_args!("{what}: a part of {} is lost", series.labels));
        }
        Ok::<(), Failed>(())
    })?;
    say(format_args!(
        "{n_series} series, {n_samples} samples, {n_damaged} damaged"
    ));
    Ok(ExitCode::from(u8::from(n_damaged > 0)))
}

fn repair(data: &Path) -> Result<ExitCode, Failed> {
    // A Firebell that runs is not disturbed: this fails then.
    let disk = Arc::new(FileDisk::open(data)?);
    look(data)?;
    let mut number = 1;
    while data.join(format!("damaged-{number}")).exists() {
        number += 1;
    }
    let aside = data.join(format!("damaged-{number}"));
    fs::create_dir(&aside)?;
    for name in ["chunks", "histograms", "wal", "tombstones", "metadata"] {
        let from = data.join(name);
        if from.exists() {
            fs::rename(&from, aside.join(name))?;
        }
    }
    say(format_args!("the old files are in {}", aside.display()));
    let (old, report) = look(&aside)?;
    let mut n_lost = report.damage.len();
    report
        .damage
        .iter()
        .for_each(|what| say(format_args!("lost: {what}")));
    let (new, _) = Store::open(disk as Arc<dyn Disk>, options())?;
    let mut all = Vec::new();
    let mut n_samples = 0;
    old.salvage(|series| {
        n_lost += series.damage.len();
        for what in &series.damage {
            say(format_args!("lost: {what}: a part of {}", series.labels));
        }
        n_samples += series.samples.len() + series.histograms.len();
        all.push(series);
        if all.iter().map(|it| it.samples.len()).sum::<usize>() > WRITE_SAMPLES {
            write(&new, &mut all)?;
        }
        Ok::<(), Failed>(())
    })?;
    write(&new, &mut all)?;
    say(format_args!(
        "{n_samples} samples kept, {n_lost} parts lost"
    ));
    Ok(ExitCode::SUCCESS)
}

fn write(store: &Store, all: &mut Vec<Salvaged>) -> Result<(), Failed> {
    let mut file = store.backfill()?;
    for series in all.drain(..) {
        file.push(&series.labels, &series.samples)?;
        file.push_histograms(&series.labels, &series.histograms)?;
    }
    Ok(file.finish()?)
}

fn export(export: &Export) -> Result<ExitCode, Failed> {
    let mut selectors: Vec<Vec<Matcher>> = Vec::new();
    for text in &export.selectors {
        let selector = firebell_promql::parse_selector(text);
        selectors.push(selector.map_err(|error| error.to_string())?.matchers);
    }
    let (store, report) = look(&export.folder.data)?;
    report
        .damage
        .iter()
        .for_each(|what| eprintln!("firebell: {what}"));
    let mut out = BufWriter::new(std::io::stdout().lock());
    let (mut n_histograms, mut n_damaged) = (0, report.damage.len());
    let is_wanted = |at: Timestamp| {
        export.start.is_none_or(|start| start <= at) && export.end.is_none_or(|end| at <= end)
    };
    store.salvage(|series| {
        let matches =
            |matchers: &Vec<Matcher>| matchers.iter().all(|it| it.matches(&series.labels));
        if !selectors.is_empty() && !selectors.iter().any(matches) {
            return Ok(());
        }
        n_histograms += series
            .histograms
            .iter()
            .filter(|it| is_wanted(it.at))
            .count();
        n_damaged += series.damage.len();
        series
            .damage
            .iter()
            .for_each(|what| eprintln!("firebell: {what}"));
        let name = series_text(&series.labels);
        for sample in series
            .samples
            .iter()
            .filter(|it| is_wanted(it.at) && !is_stale(it.value))
        {
            let (secs, millis) = (sample.at.0.div_euclid(1000), sample.at.0.rem_euclid(1000));
            writeln!(
                out,
                "{name} {} {secs}.{millis:03}",
                format_float(sample.value)
            )?;
        }
        Ok::<(), Failed>(())
    })?;
    writeln!(out, "# EOF")?;
    out.flush()?;
    if n_histograms > 0 {
        eprintln!(
            "firebell: {n_histograms} native histograms are left out: OpenMetrics text has none"
        );
    }
    Ok(ExitCode::from(u8::from(n_damaged > 0)))
}

/// A series as OpenMetrics spells it.
fn series_text(labels: &Labels) -> String {
    let metric = labels.metric_name();
    let is_plain = firebell_model::is_valid_metric_name(metric);
    let mut pairs = Vec::new();
    if !is_plain {
        pairs.push(quoted(metric));
    }
    for label in labels.iter().filter(|label| &*label.name != METRIC_NAME) {
        let value = quoted(&label.value);
        pairs.push(if firebell_model::is_valid_label_name(&label.name) {
            format!("{}={value}", label.name)
        } else {
            format!("{}={value}", quoted(&label.name))
        });
    }
    let name = if is_plain { metric } else { "" };
    if pairs.is_empty() {
        return name.to_owned();
    }
    format!("{name}{{{}}}", pairs.join(","))
}

/// A string as OpenMetrics quotes it: readers know these three escapes and take the rest as it is.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', r"\\");
    let escaped = escaped.replace('"', "\\\"").replace('\n', r"\n");
    format!("\"{escaped}\"")
}

const TOP_MAX: usize = 10;
/// Samples that are gathered before they are written.
const WRITE_SAMPLES: usize = 4 << 20;
