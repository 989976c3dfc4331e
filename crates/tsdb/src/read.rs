//! Reading many series in one go, as evaluations do.
//!
//! What is raw in memory, which rules ask for most, is read under one hold of the index; what needs
//! more than that is read afterwards, series by series, so that nobody waits for a disk.

use std::sync::{Arc, MutexGuard};

use firebell_model::{Column, Sample, SampleRows, Series, SeriesId, SourceError, TimeRange};

use crate::part::Part;
use crate::series::{Cell, State};
use crate::view::View;

impl View {
    /// Gives `read` the state of each series, in order; returns those for which it had no answer, and
    /// notes those that may have histograms.
    fn each(
        &self,
        ids: &[SeriesId],
        range: TimeRange,
        with_histograms: &mut Vec<u32>,
        mut read: impl FnMut(Option<&mut State>) -> bool,
    ) -> Vec<(usize, Arc<Cell>)> {
        let index = self.0.shared.index();
        let mut unread = Vec::new();
        let mut cells = [None; RUN];
        for (run, ids) in ids.chunks(RUN).enumerate() {
            // Series lie anywhere in memory, and a lock lets the processor fetch no further than
            // itself. So several are found, then locked, then looked at, and only then read: what is
            // not at hand comes for all of them at once. Whoever holds a lock does not wait for one.
            for (cell, &id) in cells.iter_mut().zip(ids) {
                *cell = index.get(id);
            }
            let cells = &cells[..ids.len()];
            let mut states: [Option<MutexGuard<'_, State>>; RUN] = [const { None }; RUN];
            for (state, cell) in states.iter_mut().zip(cells) {
                *state = cell.and_then(|cell| cell.try_state());
            }
            let looks = states.iter().flatten().map(|state| state.look(range));
            std::hint::black_box(looks.fold(0, usize::wrapping_add));
            for (idx, cell) in cells.iter().enumerate() {
                let place = run * RUN + idx;
                let Some(cell) = *cell else {
                    read(None);
                    continue;
                };
                let mut state = match states[idx].take() {
                    Some(state) => state,
                    None => {
                        states.fill_with(|| None);
                        cell.state()
                    }
                };
                if state.histograms.is_some() {
                    with_histograms.push(place as u32);
                }
                if state.deleted.is_some() {
                    read(None);
                    unread.push((place, Arc::clone(cell)));
                } else if !read(Some(&mut state)) {
                    unread.push((place, Arc::clone(cell)));
                }
            }
        }
        unread
    }

    pub(crate) fn latest_of(
        &self,
        ids: &[SeriesId],
        range: TimeRange,
        out: &mut Column<Option<Sample>>,
    ) -> Result<(), SourceError> {
        out.clear();
        let Column {
            values,
            with_histograms,
        } = out;
        // Nothing of it is read but its end.
        let end = TimeRange {
            after: range.until,
            until: range.until,
        };
        let unread = self.each(ids, end, with_histograms, |state| {
            let last = state.map_or(Some(None), |it| it.raw_last(range, self.0.horizon));
            values.push(last.flatten());
            last.is_some()
        });
        for (place, cell) in unread {
            out.values[place] = self.handle(&cell).last_sample(range)?;
        }
        Ok(())
    }

    pub(crate) fn parts_of<P: Part>(
        &self,
        ids: &[SeriesId],
        range: TimeRange,
        out: &mut Column<Option<P>>,
    ) -> Result<(), SourceError> {
        out.values.clear();
        out.with_histograms.clear();
        let Column {
            values,
            with_histograms,
        } = out;
        let room = &self.0.shared.room;
        let unread = self.each(ids, range, with_histograms, |state| {
            let part = state.map_or(Some(None), |it| it.known_part(range, self.0.horizon, room));
            values.push(part.flatten());
            part.is_some()
        });
        for (place, cell) in unread {
            out.values[place] = self.handle(&cell).part(range)?;
        }
        Ok(())
    }

    pub(crate) fn windows_of(
        &self,
        ids: &[SeriesId],
        range: TimeRange,
        out: &mut SampleRows,
    ) -> Result<(), SourceError> {
        let SampleRows { samples, spans } = out;
        samples.clear();
        spans.clear();
        let Column {
            values,
            with_histograms,
        } = spans;
        let unread = self.each(ids, range, with_histograms, |state| {
            let start = samples.len();
            let is_read = state.is_none_or(|it| it.raw_samples(range, self.0.horizon, samples));
            values.push((start, samples.len()));
            is_read
        });
        for (place, cell) in unread {
            let start = samples.len();
            self.handle(&cell).samples(range, samples)?;
            spans.values[place] = (start, SampleRows::drop_stale(samples, start));
        }
        Ok(())
    }
}

/// So many series are found before they are read.
const RUN: usize = 16;
