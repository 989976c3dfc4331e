//! Opening: chunk files first, then the pages of memory, then the log.

mod replayer;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use firebell_disk::Disk;

use self::replayer::Replayer;
use crate::exemplars::Exemplars;
use crate::histogram::{self, FileWriter};
use crate::index::{Index, slot_of};
use crate::metadata::Metrics;
use crate::numbered;
use crate::options::{OpenReport, Options, StoreError};
use crate::page_log::PageLog;
use crate::replaced;
use crate::segment::{self, Segment};
use crate::shelf::Shelf;
use crate::store::Store;
use crate::tombstones;
use crate::upkeep::Upkeep;
use crate::writer::Writer;

pub(crate) fn open(
    disk: Arc<dyn Disk>,
    options: Options,
) -> Result<(Store, OpenReport), StoreError> {
    let mut report = OpenReport::default();
    let mut index = Index::default();
    let (floats, histograms) = open_segments(&*disk, &mut index, &mut report)?;
    let metrics = Metrics::open(&*disk, &mut report.damage)?;
    let exemplars = Exemplars::open(&*disk, options.exemplars_max, &mut report.damage)?;
    let mut replayer = Replayer::new(index, exemplars, &options);
    let pages = replayer.read_pages(&disk, &mut report)?;
    let log = replayer.read_log(&disk, &mut report)?;
    replayer.report(&mut report);
    tombstones::open(&*disk, &replayer.index, &mut report.damage)?;
    let mut writer = Writer::new(log, replayer.log_bytes, replayer.checkpoint_bytes);
    for cell in replayer.index.cells() {
        if let Some((at, value)) = cell.state().newest() {
            writer.set_tip(slot_of(cell.id), at, value, replayer.is_named(cell));
            report.series += 1;
        }
    }
    let pages = PageLog::new(pages, replayer.page_bytes, replayer.checkpoint + 1);
    let upkeep = Upkeep::new(floats, histograms, pages);
    let store = Store::new(
        disk,
        options,
        replayer.index,
        writer,
        upkeep,
        (metrics, replayer.exemplars),
        replayer.floor,
    );
    Ok((store, report))
}

fn open_segments(
    disk: &dyn Disk,
    index: &mut Index,
    report: &mut OpenReport,
) -> Result<(Shelf<segment::Writer>, Shelf<FileWriter>), StoreError> {
    let numbered::Files {
        finished,
        unfinished,
        lost,
        over,
    } = numbered::list(disk, segment::FOLDER)?;
    let lost = lost.iter().map(|&it| numbered::lost(segment::FOLDER, it));
    report.damage.extend(lost);
    let mut unsettled = BTreeMap::new();
    let markers = over
        .iter()
        .map(|&it| numbered::over_path(segment::FOLDER, it));
    let replaced = replaced::read(disk, markers, &mut report.damage)?;
    for number in unfinished.iter().chain(&replaced) {
        segment::remove(disk, *number)?;
    }
    let mut segments = Vec::with_capacity(finished.len());
    for &number in finished.iter().filter(|number| !replaced.contains(number)) {
        let mut n_overlapping = 0_u64;
        let is_over = over.contains(&number);
        let (mut segment, damage) =
            segment::open(disk, number, is_over, index, &mut |cell, chunk| {
                if is_over {
                    cell.state().place_chunk(chunk);
                    report.chunks += 1;
                    unsettled.insert(cell.id, Arc::clone(cell));
                } else {
                    let is_added = cell.state().add_chunk(chunk);
                    report.chunks += u64::from(is_added);
                    n_overlapping += u64::from(!is_added);
                }
            })?;
        report.damage.extend(damage);
        if n_overlapping > 0 {
            // What says that it takes the place of others may be lost.
            segment.is_whole = false;
            report.damage.push(format!(
                "chunk file {number:08} has {n_overlapping} chunks that overlap older ones: they are left out"
            ));
        }
        segments.push(segment);
    }
    unsettled.values().for_each(|cell| cell.state().settle());
    if !over.is_empty() {
        remove_replaced(disk, index, &mut segments)?;
    }
    let next = finished.last().map_or(0, |last| last + 1);
    let histograms = open_histograms(disk, index, report)?;
    Ok((Shelf::new(segments, next), histograms))
}

fn open_histograms(
    disk: &dyn Disk,
    index: &mut Index,
    report: &mut OpenReport,
) -> Result<Shelf<FileWriter>, StoreError> {
    let (mut n_chunks, mut n_overlapping) = (0, 0_u64);
    let mut visit = |id, labels, chunk, takes_over| {
        if let Some(cell) = index.make_as(id, &labels) {
            let is_added = cell.state().add_histograms(chunk, takes_over);
            n_chunks += u64::from(is_added);
            n_overlapping += u64::from(!is_added);
        }
    };
    let (files, next) = histogram::open(disk, &mut visit, &mut report.damage)?;
    report.chunks += n_chunks;
    if n_overlapping > 0 {
        report.damage.push(format!(
            "files of histograms have {n_overlapping} chunks that overlap older ones: they are left out"
        ));
    }
    Ok(Shelf::new(files, next))
}

/// Removes files all of whose chunks others have taken the place of: a merge that was published
/// just before the process ended.
fn remove_replaced(
    disk: &dyn Disk,
    index: &Index,
    segments: &mut Vec<Segment>,
) -> Result<(), StoreError> {
    let mut used = BTreeSet::new();
    for cell in index.cells() {
        used.extend(cell.state().segments());
    }
    let is_replaced =
        |it: &&Segment| it.is_whole && it.last_at > i64::MIN && !used.contains(&it.number);
    let replaced: Vec<u64> = segments
        .iter()
        .filter(is_replaced)
        .map(|it| it.number)
        .collect();
    for &number in &replaced {
        segment::remove(disk, number)?;
    }
    segments.retain(|it| !replaced.contains(&it.number));
    Ok(())
}
