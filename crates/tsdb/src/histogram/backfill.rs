//! Older histograms of a series among those that files have; see `crate::backfill`.

use firebell_disk::Disk;
use firebell_model::HistogramSample;

use super::file::{FileWriter, Filed};
use super::page::{PAGE_HISTOGRAMS_MAX, Page};
use crate::backfill::{Backfilled, range_of};
use crate::options::StoreError;
use crate::series::Cell;

/// Writes histograms of one series, which are in order of time, to the file, with those that files
/// have of the chunks that they fall into.
pub(crate) fn push(
    file: &mut FileWriter,
    disk: &dyn Disk,
    cell: &Cell,
    histograms: &[HistogramSample],
) -> Result<(Vec<Filed>, Backfilled), StoreError> {
    let mut report = Backfilled::default();
    let (Some(first), Some(last)) = (histograms.first(), histograms.last()) else {
        return Ok((Vec::new(), report));
    };
    let (chunks, since) = {
        let state = cell.state();
        let chunks = state.histograms.as_ref().map(|track| {
            let range = range_of(first.at.0, last.at.0);
            track.chunks_in(range).cloned().collect::<Vec<_>>()
        });
        (chunks.unwrap_or_default(), state.in_memory_since())
    };
    let is_before = |it: &HistogramSample| since.is_none_or(|since| it.at.0 < since);
    let (mut rest, too_new) = histograms.split_at(histograms.partition_point(is_before));
    report.too_new = too_new.len() as u64;
    let mut pages = Vec::new();
    let mut run: Vec<HistogramSample> = Vec::new();
    for chunk in chunks {
        let (before, behind) = split(rest, |it| it.at.0 < chunk.first_at);
        let (within, after) = split(behind, |it| it.at.0 <= chunk.last_at);
        rest = after;
        report.added += before.len() as u64;
        run.extend_from_slice(before);
        if let Some(mut merged) = merge(disk, &chunk, within, &mut report) {
            run.append(&mut merged);
        } else {
            // The chunk stays, and nothing is written across it.
            pages.extend(run.chunks(PAGE_HISTOGRAMS_MAX).map(Page::seal));
            run.clear();
        }
    }
    report.added += rest.len() as u64;
    run.extend_from_slice(rest);
    pages.extend(run.chunks(PAGE_HISTOGRAMS_MAX).map(Page::seal));
    if pages.is_empty() {
        return Ok((Vec::new(), report));
    }
    Ok((file.push(cell.id, &cell.labels, &pages)?, report))
}

fn split(
    all: &[HistogramSample],
    is_front: impl Fn(&HistogramSample) -> bool,
) -> (&[HistogramSample], &[HistogramSample]) {
    all.split_at(all.partition_point(is_front))
}

/// The histograms of a chunk and those that fall into it; `None` when none of them is new.
fn merge(
    disk: &dyn Disk,
    chunk: &Filed,
    within: &[HistogramSample],
    report: &mut Backfilled,
) -> Option<Vec<HistogramSample>> {
    if within.is_empty() {
        return None;
    }
    let mut there = Vec::new();
    let range = range_of(chunk.first_at, chunk.last_at);
    if chunk.read(disk, range, &mut there).is_err() {
        report.unplaced += within.len() as u64;
        return None;
    }
    let is_new = |it: &&HistogramSample| there.binary_search_by_key(&it.at, |it| it.at).is_err();
    let new: Vec<_> = within.iter().filter(is_new).cloned().collect();
    report.added += new.len() as u64;
    report.known += (within.len() - new.len()) as u64;
    if new.is_empty() {
        return None;
    }
    there.extend(new);
    there.sort_by_key(|it| it.at);
    Some(there)
}
