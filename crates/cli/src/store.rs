//! `firebell store`: what is in the store of a data folder, whether it is whole, and how to get it out.

mod export;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};
use firebell_disk::{Disk, Overlay};
use firebell_model::{TimeRange, Timestamp};
use firebell_server::{FileDisk, ReadOnlyDisk};
use firebell_tsdb::{Batch, OpenReport, Options, Salvaged, Store};

use crate::{fail, say};

use self::export::Export;

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
    /// Print samples, as OpenMetrics text, or all there is, as `firebell import` reads it back.
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

pub(crate) fn store(command: &Command) -> ExitCode {
    let done = match command {
        Command::Inspect(folder) => inspect(&folder.data),
        Command::Verify(folder) => verify(&folder.data),
        Command::Repair(folder) => repair(&folder.data),
        Command::Export(export) => export::export(export),
    };
    done.unwrap_or_else(|error| fail(&*error))
}

/// Opens a store without changing anything.
pub(crate) fn look(data: &Path) -> Result<(Store, OpenReport), Failed> {
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
        ("pages", "pages"),
    ] {
        let (n_files, bytes) = size_of_folder(&data.join(folder));
        say(format_args!("{what:9} {bytes} bytes in {n_files} files"));
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
    for name in STORE {
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
    let mut beside = Batch::default();
    for (metric, metadata) in old.all_metadata() {
        beside.set_metadata(&metric, metadata);
    }
    for (labels, exemplars) in old.exemplars(&[Vec::new()], ALL_TIME) {
        let exemplars = exemplars.into_iter();
        exemplars.for_each(|it| beside.add_exemplar(&labels, it));
    }
    new.append(&beside)?;
    new.sync()?;
    new.flush()?;
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

const ALL_TIME: TimeRange = TimeRange {
    after: Timestamp::MIN,
    until: Timestamp::MAX,
};
const TOP_MAX: usize = 10;
/// What a store has in its data folder.
const STORE: [&str; 7] = [
    "chunks",
    "histograms",
    "wal",
    "pages",
    "tombstones",
    "metadata",
    "exemplars",
];
/// Samples that are gathered before they are written.
const WRITE_SAMPLES: usize = 4 << 20;
