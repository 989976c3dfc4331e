//! `firebell store`: what is in the store of a data folder, whether it is whole, and how to get it out.

mod export;
mod repair;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};
use firebell_disk::Overlay;
use firebell_server::{ReadOnlyDisk, is_half_repaired};
use firebell_tsdb::{OpenReport, Options, Store};

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
    /// Write what is good to a new store, and name what is lost. It takes the place of the old files
    /// when it is whole; they are moved aside then, into `damaged-N` in the data folder.
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
        Command::Repair(folder) => repair::repair(&folder.data),
        Command::Export(export) => export::export(export),
    };
    done.unwrap_or_else(|error| fail(&*error))
}

/// Opens a store without changing anything.
pub(crate) fn look(data: &Path) -> Result<(Store, OpenReport), Failed> {
    if is_half_repaired(data)? {
        return Err(format!(
            "a repair of `{0}` was stopped while it put the new store in place: run `firebell store \
             repair --data {0}`, which ends it; nothing is lost",
            data.display()
        )
        .into());
    }
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

const TOP_MAX: usize = 10;
