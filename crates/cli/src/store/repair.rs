//! `firebell store repair`: what is good becomes a new store, which takes the place of the old one.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use firebell_disk::Disk;
use firebell_model::{TimeRange, Timestamp};
use firebell_server::{FileDisk, is_half_repaired};
use firebell_tsdb::{Backfill, Backfilled, Batch, Salvaged, Store};

use super::{Failed, look, options};
use crate::say;

/// What became of a store.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Repaired {
    n_samples: u64,
    n_lost: u64,
}

pub(super) fn repair(data: &Path) -> Result<ExitCode, Failed> {
    let was_stopped = is_half_repaired(data)?;
    // A Firebell that runs is not disturbed: this fails then. A repair that was stopped half way is
    // ended.
    let disk = FileDisk::open(data)?;
    if was_stopped {
        say(format_args!(
            "a repair was stopped half way: the repaired store is in place now, the old files are \
             in the newest `damaged-N` of {}",
            data.display()
        ));
        return Ok(ExitCode::SUCCESS);
    }
    let done = write_beside(data, &disk).and_then(|it| Ok((it, disk.end_repair()?)));
    let (repaired, aside) = done.inspect_err(|_| {
        // It must not take the room that a full disk does not have. What cannot be removed now, the
        // next repair removes.
        let _ = disk.drop_repair();
    })?;
    say(format_args!("the old files are in {}", aside.display()));
    let Repaired { n_samples, n_lost } = repaired;
    say(format_args!(
        "{n_samples} samples kept, {n_lost} parts lost"
    ));
    Ok(ExitCode::SUCCESS)
}

/// Writes what is good of a store into a folder of its own.
fn write_beside(data: &Path, disk: &FileDisk) -> Result<Repaired, Failed> {
    let (old, report) = look(data)?;
    let lost = |what: &str| say(format_args!("lost: {what}"));
    report.damage.iter().for_each(|what| lost(what));
    let new: Arc<dyn Disk> = Arc::new(disk.begin_repair()?);
    let mut repaired = copy(&old, new, &lost)?;
    repaired.n_lost += report.damage.len() as u64;
    Ok(repaired)
}

/// Writes what can be read of a store to a new one; tells what is lost.
fn copy(old: &Store, disk: Arc<dyn Disk>, lost: &dyn Fn(&str)) -> Result<Repaired, Failed> {
    let (new, _) = Store::open(disk, options())?;
    let mut repaired = Repaired::default();
    let mut file = None;
    old.salvage(|series| {
        // Series by series: no more than one of them is in memory.
        let to = match &mut file {
            Some(to) => to,
            None => file.insert(new.backfill()?),
        };
        repaired.write(&series, to, lost)?;
        if to.bytes() > FILE_BYTES_MAX
            && let Some(full) = file.take()
        {
            full.finish()?;
        }
        Ok::<(), Failed>(())
    })?;
    file.map_or(Ok(()), Backfill::finish)?;
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
    Ok(repaired)
}

impl Repaired {
    fn write(
        &mut self,
        series: &Salvaged,
        to: &mut Backfill<'_>,
        lost: &dyn Fn(&str),
    ) -> Result<(), Failed> {
        self.n_lost += series.damage.len() as u64;
        for what in &series.damage {
            lost(&format!("{what}: a part of {}", series.labels));
        }
        let floats = to.push(&series.labels, &series.samples)?;
        let histograms = to.push_histograms(&series.labels, &series.histograms)?;
        for it in [floats, histograms] {
            let Backfilled {
                added,
                known,
                too_new,
                unplaced,
                over_limit,
            } = it;
            self.n_samples += added;
            let n_left_out = known + too_new + unplaced + over_limit;
            if n_left_out > 0 {
                self.n_lost += 1;
                lost(&format!("{n_left_out} samples of {}", series.labels));
            }
        }
        Ok(())
    }
}

const ALL_TIME: TimeRange = TimeRange {
    after: Timestamp::MIN,
    until: Timestamp::MAX,
};
/// A chunk file of the new store.
const FILE_BYTES_MAX: u64 = 128 << 20;

#[cfg(test)]
mod tests {
    use firebell_disk::MemoryDisk;
    use firebell_model::{Histogram, HistogramSample, Labels, Metadata, MetricKind, Sample};

    use super::*;

    #[test]
    fn all_that_can_be_read_is_in_the_copy() {
        let old = open(&MemoryDisk::default());
        let series = |n: i64| Labels::from_pairs([("__name__", "a"), ("n", &n.to_string())]);
        let mut batch = Batch::default();
        for n in 0..9 {
            let at = Timestamp(n);
            let sample = Sample { at, value: 1.5 };
            batch.add(series(n), &[sample]);
            let histogram = Arc::new(Histogram::default());
            batch.add_histograms(series(n + 9), [HistogramSample { at, histogram }]);
        }
        let metadata = Metadata {
            kind: MetricKind::Gauge,
            help: "help".into(),
            unit: "".into(),
        };
        batch.set_metadata("a", metadata);
        old.append(&batch).unwrap();
        let disk = MemoryDisk::default();
        let lost = |what: &str| panic!("{what}");
        let repaired = copy(&old, Arc::new(disk.clone()), &lost).unwrap();
        let wanted = Repaired {
            n_samples: 18,
            n_lost: 0,
        };
        assert_eq!(repaired, wanted);
        let new = open(&disk);
        assert_eq!(all(&new), all(&old));
        assert_eq!(new.all_metadata(), old.all_metadata());
    }

    fn open(disk: &MemoryDisk) -> Store {
        let opened = Store::open(Arc::new(disk.clone()), options());
        let (store, report) = opened.unwrap();
        assert_eq!(report.damage, [""; 0]);
        store
    }

    fn all(store: &Store) -> Vec<Salvaged> {
        let mut all = Vec::new();
        let Ok(()) = store.salvage(|series| {
            all.push(series);
            Ok::<(), std::convert::Infallible>(())
        });
        all
    }
}
