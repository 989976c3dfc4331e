//! Files of histograms merged and cleaned; see `crate::merge`.

use std::sync::Arc;

use firebell_disk::Disk;
use firebell_model::HistogramSample;

use super::ALL_TIME;
use super::file::{self, FileWriter, Filed};
use super::page::{PAGE_HISTOGRAMS_MAX, Page};
use crate::merge::{Job, Kind};
use crate::options::StoreError;
use crate::segment::Segment;
use crate::series::{Cell, State};
use crate::store::Shared;

impl Kind for FileWriter {
    type Chunk = Filed;

    fn create(shared: &Shared, number: u64) -> Result<Self, StoreError> {
        Self::create(Arc::clone(&shared.disk), number, true)
    }

    fn bytes(&self) -> u64 {
        self.bytes()
    }

    fn rewrite(
        &mut self,
        disk: &dyn Disk,
        cell: &Cell,
        job: &mut Job,
    ) -> Result<Option<Vec<Filed>>, StoreError> {
        let chunks: Vec<Filed> = match &cell.state().histograms {
            Some(track) => track.chunks.iter().cloned().collect(),
            None => return Ok(None),
        };
        let is_of = |chunk: &Filed| job.from.contains(&chunk.file);
        if !chunks.iter().any(is_of) {
            return Ok(None);
        }
        let deleted = job.deleted(cell);
        let (mut pages, mut run) = (Vec::new(), Vec::new());
        for chunk in &chunks {
            let n = run.len();
            let is_of = job.from.contains(&chunk.file);
            if is_of && chunk.read(disk, ALL_TIME, &mut run).is_ok() {
                if let Some(deleted) = &deleted {
                    let mut own = run.split_off(n);
                    own.retain(|it: &HistogramSample| !deleted.hides(it.at, u64::MAX));
                    run.append(&mut own);
                }
                seal(&mut run, PAGE_HISTOGRAMS_MAX, &mut pages);
                continue;
            }
            // A chunk that stays where it is parts those before from those after.
            run.truncate(n);
            seal(&mut run, 1, &mut pages);
            if is_of {
                job.damaged.push(chunk.file);
            }
        }
        seal(&mut run, 1, &mut pages);
        if pages.is_empty() {
            return Ok(Some(Vec::new()));
        }
        self.push(cell.id, &cell.labels, &pages).map(Some)
    }

    fn finish(self, replaces: &[u64]) -> Result<Segment, StoreError> {
        self.finish(replaces)
    }

    fn place(state: &mut State, chunks: Vec<Filed>, waste: &[u64]) {
        let Some(track) = &mut state.histograms else {
            return;
        };
        // Retention may have taken the oldest meanwhile.
        let oldest = track.oldest_at().unwrap_or(i64::MAX);
        track.chunks.retain(|chunk| !waste.contains(&chunk.file));
        for chunk in chunks {
            if chunk.last_at >= oldest {
                track.add_chunk(chunk, true);
            }
        }
        if track.is_empty() {
            state.histograms = None;
        }
    }

    fn remove(disk: &dyn Disk, number: u64) -> Result<(), StoreError> {
        file::remove(disk, number)
    }
}

/// Makes pages of the front of a run, as long as it has `n_min` histograms or more.
fn seal(run: &mut Vec<HistogramSample>, n_min: usize, pages: &mut Vec<Page>) {
    while run.len() >= n_min {
        let n = run.len().min(PAGE_HISTOGRAMS_MAX);
        let front: Vec<_> = run.drain(..n).collect();
        pages.push(Page::seal(&front));
    }
}
