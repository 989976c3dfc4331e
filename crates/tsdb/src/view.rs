//! The store at one moment, as readers see it.
//!
//! A view is a number, the epoch up to which appends are seen, and a floor, the retention when it
//! was made. As long as a view, or a series that it gave out, is alive, nothing that it sees is
//! dropped: keep views for the length of a query, and ids for longer.

use std::collections::BTreeSet;
use std::sync::Arc;

use firebell_model::{
    Column, Growth, HistogramSample, Labels, Matcher, Sample, SampleRows, Series, SeriesId, Source,
    SourceError, Summary, TimeRange,
};

use crate::part::{Part, join};
use crate::series::ask::{Cut, Partial};
use crate::series::{Cell, Horizon};
use crate::store::Shared;

/// An immutable view of a [`Store`](crate::Store).
///
/// What [`Source::select`] gives for a range holds, within one generation, for all ranges that
/// begin no earlier.
#[derive(Clone)]
pub struct View(pub(crate) Arc<Moment>);

pub(crate) struct Moment {
    pub(crate) shared: Arc<Shared>,
    pub(crate) horizon: Horizon,
    generation: u64,
}

impl View {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        let (horizon, generation) = shared.registry().enter();
        Self(Arc::new(Moment {
            shared: Arc::clone(shared),
            horizon,
            generation,
        }))
    }

    pub(crate) fn handle(&self, cell: &Arc<Cell>) -> Handle {
        Handle {
            cell: Arc::clone(cell),
            moment: Arc::clone(&self.0),
        }
    }

    fn cells(&self, matchers: &[Matcher], range: TimeRange) -> Vec<Arc<Cell>> {
        let index = self.0.shared.index();
        let found = index.select(matchers).into_iter();
        found
            .filter(|cell| cell.state().may_have(self.0.horizon, range.after.0))
            .cloned()
            .collect()
    }
}

impl Drop for Moment {
    fn drop(&mut self) {
        self.shared.registry().leave(self.horizon);
    }
}

impl Source for View {
    fn select(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<Arc<dyn Series>>, SourceError> {
        let mut cells = self.cells(matchers, range);
        cells.sort_unstable_by(|a, b| a.labels.cmp(&b.labels));
        Ok(cells
            .iter()
            .map(|cell| Arc::new(self.handle(cell)) as Arc<dyn Series>)
            .collect())
    }

    fn generation(&self) -> u64 {
        self.0.generation
    }

    fn series(&self, id: SeriesId) -> Option<Arc<dyn Series>> {
        let cell = self.0.shared.index().get(id).cloned()?;
        let is_seen = cell.state().may_have(self.0.horizon, i64::MIN);
        is_seen.then(|| Arc::new(self.handle(&cell)) as Arc<dyn Series>)
    }

    fn latest(
        &self,
        ids: &[SeriesId],
        range: TimeRange,
        out: &mut Column<Option<Sample>>,
    ) -> Result<(), SourceError> {
        self.latest_of(ids, range, out)
    }

    fn growths(
        &self,
        ids: &[SeriesId],
        range: TimeRange,
        out: &mut Column<Option<Growth>>,
    ) -> Result<(), SourceError> {
        self.parts_of(ids, range, out)
    }

    fn summaries(
        &self,
        ids: &[SeriesId],
        range: TimeRange,
        out: &mut Column<Option<Summary>>,
    ) -> Result<(), SourceError> {
        self.parts_of(ids, range, out)
    }

    fn windows(
        &self,
        ids: &[SeriesId],
        range: TimeRange,
        out: &mut SampleRows,
    ) -> Result<(), SourceError> {
        self.windows_of(ids, range, out)
    }

    fn label_names(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<String>, SourceError> {
        let cells = self.cells(matchers, range);
        let labels = cells.iter().flat_map(|cell| cell.labels.iter());
        let names: BTreeSet<&str> = labels.map(|label| &*label.name).collect();
        Ok(names.into_iter().map(str::to_owned).collect())
    }

    fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<String>, SourceError> {
        let cells = self.cells(matchers, range);
        let values: BTreeSet<&str> = cells
            .iter()
            .filter_map(|cell| cell.labels.get(name))
            .collect();
        Ok(values.into_iter().map(str::to_owned).collect())
    }
}

/// A series as a view sees it.
pub(crate) struct Handle {
    cell: Arc<Cell>,
    moment: Arc<Moment>,
}

impl Handle {
    /// The error for bytes that do not mean anything.
    fn damaged(&self) -> SourceError {
        SourceError(format!(
            "the samples of `{}` in memory are damaged",
            self.cell.labels
        ))
    }

    fn part_of_samples<P: Part>(&self, range: TimeRange) -> Result<Option<P>, SourceError> {
        let mut samples = Vec::new();
        self.samples(range, &mut samples)?;
        let values: Vec<f64> = samples.iter().map(|sample| sample.value).collect();
        Ok(P::of(&values, |idx| samples[idx].at.0))
    }

    /// What the samples in the range add up to.
    pub(crate) fn part<P: Part>(&self, range: TimeRange) -> Result<Option<P>, SourceError> {
        let room = &self.moment.shared.room;
        let mut state = self.cell.state();
        let Some(range) = state.clamp(range, self.moment.horizon) else {
            return Ok(None);
        };
        let has_late = !state.late_in(range, self.moment.horizon.epoch).is_empty();
        if has_late || state.deleted.is_some() {
            drop(state);
            return self.part_of_samples(range);
        }
        let partial = state.partial(range, room).ok_or_else(|| self.damaged())?;
        drop(state);
        let Partial {
            first,
            whole,
            last,
            tail,
        } = partial;
        let filed = join(join(self.cut(first, range)?, whole), self.cut(last, range)?);
        Ok(join(filed, tail))
    }

    /// What the samples of a chunk add up to that lie in the range.
    fn cut<P: Part>(&self, cut: Cut<P>, range: TimeRange) -> Result<Option<P>, SourceError> {
        let at = match cut {
            Cut::Known(part) => return Ok(part),
            Cut::Unread(at) => at,
        };
        let shared = &self.moment.shared;
        let chunk = at.read(shared.disk()).map_err(SourceError)?;
        let mut state = self.cell.state();
        let part = state.read_part(&at, chunk, range, &shared.room);
        part.ok_or_else(|| SourceError(at.damage()))
    }
}

impl Handle {
    /// Appends histograms of files and memory; see [`Series::histograms`].
    fn read_histograms(
        &self,
        range: TimeRange,
        out: &mut Vec<HistogramSample>,
    ) -> Result<(), SourceError> {
        let state = self.cell.state();
        let horizon = self.moment.horizon;
        let (Some(track), Some(range)) = (&state.histograms, state.clamp(range, horizon)) else {
            return Ok(());
        };
        let start = out.len();
        let chunks: Vec<_> = track.chunks_in(range).cloned().collect();
        let deleted = state.deleted.clone();
        let mut recent = Vec::new();
        let read = track.in_memory(range, horizon.epoch, &mut recent);
        drop(state);
        read.ok_or_else(|| self.damaged())?;
        for chunk in chunks {
            let disk = self.moment.shared.disk();
            chunk.read(disk, range, out).map_err(SourceError)?;
        }
        out.append(&mut recent);
        // Late ones come last.
        if !out[start..].is_sorted_by(|a, b| a.at < b.at) {
            let mut read = out.split_off(start);
            read.sort_by_key(|it| it.at);
            read.dedup_by_key(|it| it.at);
            out.append(&mut read);
        }
        if let Some(deleted) = deleted {
            let mut read = out.split_off(start);
            read.retain(|it| !deleted.hides(it.at, horizon.epoch));
            out.append(&mut read);
        }
        Ok(())
    }
}

impl Series for Handle {
    fn id(&self) -> SeriesId {
        self.cell.id
    }

    fn labels(&self) -> &Labels {
        &self.cell.labels
    }

    fn may_have(&self, range: TimeRange) -> bool {
        self.cell.state().spans(range, self.moment.horizon)
    }

    fn samples(&self, range: TimeRange, out: &mut Vec<Sample>) -> Result<(), SourceError> {
        let start = out.len();
        let state = self.cell.state();
        let Some(range) = state.clamp(range, self.moment.horizon) else {
            return Ok(());
        };
        let late = state.late_in(range, self.moment.horizon.epoch);
        let deleted = state.deleted.clone();
        let chunks: Vec<_> = state.chunks_in(range).cloned().collect();
        if chunks.is_empty() {
            state
                .memory_samples(range, out)
                .ok_or_else(|| self.damaged())?;
        } else {
            let mut recent = Vec::new();
            let read = state.memory_samples(range, &mut recent);
            // Files are read without the lock: an append never waits for the disk of a reader.
            drop(state);
            read.ok_or_else(|| self.damaged())?;
            for chunk in chunks {
                chunk
                    .samples(self.moment.shared.disk(), range, out)
                    .map_err(SourceError)?;
            }
            out.append(&mut recent);
        }
        if !late.is_empty() {
            let mut merged = out.split_off(start);
            merged.extend(late);
            merged.sort_by_key(|sample| sample.at);
            merged.dedup_by_key(|sample| sample.at);
            out.append(&mut merged);
        }
        if let Some(deleted) = deleted {
            let mut read = out.split_off(start);
            let epoch = self.moment.horizon.epoch;
            read.retain(|sample| !deleted.hides(sample.at, epoch));
            out.append(&mut read);
        }
        Ok(())
    }

    fn has_histograms(&self) -> bool {
        self.cell.state().histograms.is_some()
    }

    fn histograms(
        &self,
        range: TimeRange,
        out: &mut Vec<HistogramSample>,
    ) -> Result<(), SourceError> {
        self.read_histograms(range, out)
    }

    fn last_sample(&self, range: TimeRange) -> Result<Option<Sample>, SourceError> {
        let state = self.cell.state();
        if state.deleted.is_some() {
            drop(state);
            let mut samples = Vec::new();
            self.samples(range, &mut samples)?;
            return Ok(samples.pop());
        }
        let Some(range) = state.clamp(range, self.moment.horizon) else {
            return Ok(None);
        };
        let late = state.late_in(range, self.moment.horizon.epoch).pop();
        let mut last = state.memory_last(range).ok_or_else(|| self.damaged())?;
        if last.is_none() {
            let chunks: Vec<_> = state.chunks_in(range).rev().cloned().collect();
            drop(state);
            for chunk in chunks {
                let mut samples = Vec::new();
                let disk = self.moment.shared.disk();
                chunk
                    .samples(disk, range, &mut samples)
                    .map_err(SourceError)?;
                last = samples.pop();
                if last.is_some() {
                    break;
                }
            }
        }
        let is_later = |late: &Sample| last.is_none_or(|last| last.at < late.at);
        Ok(late.filter(is_later).or(last))
    }

    fn summary(&self, range: TimeRange) -> Result<Option<Summary>, SourceError> {
        self.part(range)
    }
}
