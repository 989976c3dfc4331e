//! Reading all that can be read, whatever is damaged: for checks, repairs and exports.

use std::sync::Arc;

use firebell_model::{HistogramSample, Labels, Sample, TimeRange, Timestamp};

use crate::Store;
use crate::series::Cell;

/// A series with all that can be read of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Salvaged {
    /// Its labels.
    pub labels: Labels,
    /// Its floats in order of time.
    pub samples: Vec<Sample>,
    /// Its native histograms in order of time.
    pub histograms: Vec<HistogramSample>,
    /// What could not be read, with file and byte.
    pub damage: Vec<String>,
}

impl Store {
    /// Reads every byte of the store, series by series in order of labels, and checks it: chunk by
    /// chunk, so that a damaged one costs no more than itself. What was deleted is left out.
    ///
    /// # Errors
    /// What `visit` says; the rest is not read then.
    pub fn salvage<E>(&self, mut visit: impl FnMut(Salvaged) -> Result<(), E>) -> Result<(), E> {
        let mut cells: Vec<Arc<Cell>> = self.shared.index().cells().cloned().collect();
        cells.sort_unstable_by(|a, b| a.labels.cmp(&b.labels));
        cells
            .iter()
            .try_for_each(|cell| visit(self.salvage_series(cell)))
    }

    fn salvage_series(&self, cell: &Cell) -> Salvaged {
        let all = TimeRange {
            after: Timestamp::MIN,
            until: Timestamp::MAX,
        };
        let (mut samples, mut histograms) = (Vec::new(), Vec::new());
        let mut damage = Vec::new();
        let disk = self.shared.disk();
        let state = cell.state();
        let chunks: Vec<_> = state.chunks_in(all).cloned().collect();
        for chunk in chunks {
            let n = samples.len();
            if let Err(what) = chunk.samples(disk, all, &mut samples) {
                samples.truncate(n);
                damage.push(what);
            }
        }
        if state.memory_samples(all, &mut samples).is_none() {
            damage.push(format!(
                "the samples of `{}` in memory are damaged",
                cell.labels
            ));
        }
        samples.extend(state.late_in(all, u64::MAX));
        if let Some(track) = &state.histograms {
            for chunk in track.chunks_in(all) {
                let n = histograms.len();
                if let Err(what) = chunk.read(disk, all, &mut histograms) {
                    histograms.truncate(n);
                    damage.push(what);
                }
            }
            if track.in_memory(all, u64::MAX, &mut histograms).is_none() {
                damage.push(format!(
                    "the histograms of `{}` in memory are damaged",
                    cell.labels
                ));
            }
        }
        if let Some(deleted) = &state.deleted {
            samples.retain(|it| !deleted.hides(it.at, u64::MAX));
            histograms.retain(|it| !deleted.hides(it.at, u64::MAX));
        }
        // Late ones come last.
        samples.sort_by_key(|it| it.at);
        samples.dedup_by_key(|it| it.at);
        histograms.sort_by_key(|it| it.at);
        histograms.dedup_by_key(|it| it.at);
        Salvaged {
            labels: cell.labels.clone(),
            samples,
            histograms,
            damage,
        }
    }
}
