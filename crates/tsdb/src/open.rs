//! Opening: chunk files first, then the log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use firebell_disk::{Disk, Log};
use firebell_model::{Exemplar, HistogramSample, Labels, Sample, SeriesId};

use crate::by_slot::BySlot;
use crate::exemplars::Exemplars;
use crate::histogram::{self, FileWriter, Memory};
use crate::index::{Index, slot_of};
use crate::metadata::Metrics;
use crate::options::{OpenReport, Options, StoreError};
use crate::page::{Columns, Page};
use crate::replaced;
use crate::segment::{self, Segment};
use crate::series::{Cell, Late};
use crate::shelf::Shelf;
use crate::store::Store;
use crate::tombstones;
use crate::upkeep::Upkeep;
use crate::wal::{self, LOG, Replay};
use crate::writer::Writer;

pub(crate) fn open(
    disk: Arc<dyn Disk>,
    options: Options,
) -> Result<(Store, OpenReport), StoreError> {
    let mut report = OpenReport::default();
    let mut index = Index::default();
    let upkeep = open_segments(&*disk, &mut index, &mut report)?;
    let metrics = Metrics::open(&*disk, &mut report.damage)?;
    let mut replayer = Replayer {
        index,
        by_slot: BySlot::default(),
        has_late: options.out_of_order_window.0 > 0,
        exemplars: Exemplars::default(),
        exemplars_max: options.exemplars_max,
        floor: i64::MIN,
        n_samples: 0,
        n_orphans: 0,
        log_bytes: 0,
        bad_segments: BTreeSet::new(),
    };
    let (log, found) = Log::open_with(Arc::clone(&disk), LOG, &mut |segment, frame| {
        replayer.log_bytes += frame.len() as u64;
        if wal::replay(frame, &mut replayer).is_none() {
            replayer.bad_segments.insert(segment);
        }
    })?;
    replayer.report(&mut report);
    report.damage.extend(found.damage);
    report.torn_bytes = found.torn_bytes;
    tombstones::open(&*disk, &replayer.index, &mut report.damage)?;
    let mut writer = Writer::new(log, replayer.log_bytes);
    for cell in replayer.index.cells() {
        if let Some((at, value)) = cell.state().newest() {
            writer.set_tip(slot_of(cell.id), at, value);
            report.series += 1;
        }
    }
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
) -> Result<Upkeep, StoreError> {
    let segment::Files {
        finished,
        unfinished,
        over,
    } = segment::list(disk)?;
    let mut unsettled = BTreeMap::new();
    let markers = over.iter().filter(|number| finished.contains(number));
    let markers = markers.map(|&number| segment::over_path(number));
    let replaced = replaced::read(disk, markers, &mut report.damage)?;
    for number in unfinished.iter().chain(&replaced) {
        segment::remove(disk, *number)?;
    }
    let mut segments = Vec::with_capacity(finished.len());
    for &number in finished.iter().filter(|number| !replaced.contains(number)) {
        let mut n_overlapping = 0_u64;
        let is_over = over.contains(&number);
        let (segment, damage) = segment::open(disk, number, is_over, &mut |it| {
            let Some(cell) = index.make_as(it.id, &it.labels) else {
                return;
            };
            if is_over {
                cell.state().place_chunk(it.chunk);
                report.chunks += 1;
                unsettled.insert(it.id, cell);
            } else {
                let is_added = cell.state().add_chunk(it.chunk);
                report.chunks += u64::from(is_added);
                n_overlapping += u64::from(!is_added);
            }
        })?;
        segments.push(segment);
        report.damage.extend(damage);
        if n_overlapping > 0 {
            report.damage.push(format!(
                "chunk file {number:08} has {n_overlapping} chunks that overlap older ones: they are left out"
            ));
        }
    }
    unsettled.values().for_each(|cell| cell.state().settle());
    if !over.is_empty() {
        remove_replaced(disk, index, &mut segments)?;
    }
    let next = finished.last().map_or(0, |last| last + 1);
    let histograms = open_histograms(disk, index, report)?;
    Ok(Upkeep::new(Shelf::new(segments, next), histograms))
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

struct Replayer {
    index: Index,
    /// The series that the log means by a slot at this point; `None` when a younger one took it.
    by_slot: BySlot<Option<Arc<Cell>>>,
    has_late: bool,
    exemplars: Exemplars,
    exemplars_max: usize,
    floor: i64,
    n_samples: u64,
    n_orphans: u64,
    log_bytes: u64,
    bad_segments: BTreeSet<u64>,
}

impl Replayer {
    fn report(&mut self, report: &mut OpenReport) {
        report.samples_replayed = self.n_samples;
        for segment in &self.bad_segments {
            report.damage.push(format!(
                "log segment {segment:08} has frames that say nothing: they are left out"
            ));
        }
        if self.n_orphans > 0 {
            let n = self.n_orphans;
            report.damage.push(format!(
                "{n} samples of the log are lost: the frame that names their series is damaged"
            ));
        }
        self.by_slot = BySlot::default();
    }
}

impl Replay for Replayer {
    fn series(&mut self, id: SeriesId, labels: Labels) {
        let cell = self.index.make_as(id, &labels);
        if cell.is_some() {
            *self.by_slot.make(slot_of(id)) = cell;
        } else if let Some(known) = self.by_slot.get_mut(slot_of(id)) {
            *known = None;
        }
    }

    fn run(&mut self, slot: u32, samples: &[Sample]) {
        let Some(Some(cell)) = self.by_slot.get(slot) else {
            self.n_orphans += samples.len() as u64;
            return;
        };
        let mut state = cell.state();
        let newest = state.newest_float_at().unwrap_or(i64::MIN);
        let n_old = samples.iter().take_while(|it| it.at.0 <= newest).count();
        let (old, new) = samples.split_at(n_old);
        if self.has_late {
            let filed = state.filed_until().unwrap_or(i64::MIN);
            for it in old.iter().filter(|it| it.at.0 > filed) {
                // Whether it is in place already, merging finds out.
                let (epoch, at, value) = (0, it.at.0, it.value);
                state.append_late(Late { epoch, at, value });
            }
        }
        // A frame that was written has its runs in order; bytes that say otherwise must not harm.
        let new = if new.is_sorted_by(|a, b| a.at < b.at) {
            new
        } else {
            &[]
        };
        state.append(0, new, &[]);
        self.n_samples += new.len() as u64;
    }

    fn histograms(&mut self, slot: u32, histograms: &[HistogramSample]) {
        let Some(Some(cell)) = self.by_slot.get(slot) else {
            self.n_orphans += histograms.len() as u64;
            return;
        };
        let mut state = cell.state();
        for it in histograms {
            let track = state.histograms.get_or_insert_default();
            if track.in_place_until().is_none_or(|until| until < it.at.0) {
                state.append_histograms(0, std::slice::from_ref(it), &[]);
                self.n_samples += 1;
            } else if self.has_late && track.filed_until().is_none_or(|until| until < it.at.0) {
                track.append_late(0, it.clone());
            }
        }
    }

    fn histogram_state(&mut self, id: SeriesId, memory: Memory) {
        if let Some(Some(cell)) = self.by_slot.get(slot_of(id)) {
            let in_pages: u64 = memory.pages.iter().map(|page| u64::from(page.count)).sum();
            self.n_samples += in_pages + memory.tail.len() as u64;
            cell.state().restore_histograms(memory);
        }
    }

    fn exemplar(&mut self, series: &Labels, exemplar: &Exemplar) {
        // One that is said twice is refused the second time.
        self.exemplars.push(series, exemplar, self.exemplars_max);
    }

    fn floor(&mut self, floor: i64) {
        self.floor = self.floor.max(floor);
    }

    fn state(&mut self, id: SeriesId, pages: Vec<Page>, tail: Columns, late: Vec<Late>) {
        if let Some(Some(cell)) = self.by_slot.get(slot_of(id)) {
            self.n_samples += pages.iter().map(Page::count).sum::<usize>() as u64;
            self.n_samples += tail.len() as u64;
            cell.state().restore(pages, &tail, late);
        }
    }
}
