//! `firebell demo --day`: a simulated team's month in a data folder of its own, to look at.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use firebell_disk::Disk;
use firebell_model::Timestamp;
use firebell_server::FileDisk;
use firebell_sim::DemoMonth;

use crate::check::now;
use crate::{fail, say};

/// What is to be played, and where to.
#[derive(Args)]
pub(crate) struct Demo {
    /// A month of days at work: alerts, pages, incidents, verdicts, a postmortem.
    #[arg(long, required = true)]
    day: bool,
    /// The folder to make; it must not be there yet.
    #[arg(long, value_name = "FOLDER", default_value = "firebell-demo")]
    to: PathBuf,
    /// Another number is another month.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// When the month ends, as 2026-11-20T12:00:00Z; now by default.
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
}

/// Plays it.
pub(crate) fn demo(options: &Demo) -> ExitCode {
    let until = options.until.unwrap_or_else(now);
    let month = match DemoMonth::play(options.seed, until) {
        Ok(month) => month,
        Err(problems) => {
            eprintln!("firebell: the month cannot be played; please report it:\n{problems}");
            return ExitCode::from(2);
        }
    };
    match write(&month, &options.to) {
        Ok(()) => {
            let folder = options.to.display();
            say(format_args!(
                "{} entries of history are in {folder}. Look at it:\n\n  \
                 firebell serve --config {folder}/firebell.yml --data-dir {folder}/data",
                month.history.len()
            ));
            ExitCode::SUCCESS
        }
        Err(error) => fail(&*error),
    }
}

fn write(month: &DemoMonth, folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    // Nothing of others is written over.
    std::fs::create_dir(folder)
        .map_err(|error| format!("failed to make the folder {}: {error}", folder.display()))?;
    std::fs::write(folder.join("firebell.yml"), &month.firebell_yml)?;
    std::fs::write(folder.join("rules.yml"), &month.rules_yml)?;
    std::fs::write(folder.join("slo.yml"), &month.slo_yml)?;
    std::fs::write(folder.join("month.md"), &month.scenario)?;
    let disk: Arc<dyn Disk> = Arc::new(FileDisk::open(&folder.join("data"))?);
    Ok(month.write(disk)?)
}
