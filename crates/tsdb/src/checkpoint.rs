//! Checkpoints: a restart reads what they wrote, and of the log only what came since.
//!
//! One writes the pages that were filled up since the last one to the log of pages, then what is open
//! behind them to the log, and removes what the log had before. What is written of a series costs no
//! more than to copy it, so checkpoints may come often.
//!
//! *Invariants*: at any moment the logs together have all samples that no chunk file has: pages are
//! durable before what is open refers to them, and both before anything is removed. Appends go on
//! meanwhile.

use std::sync::Arc;

use crate::index::{Index, slot_of};
use crate::options::StoreError;
use crate::page_log::PageLog;
use crate::series::Cell;
use crate::store::Shared;
use crate::wal::{self, OpenFrame};
use crate::writer::Writer;

/// Writes a checkpoint; upkeep waits meanwhile. `begins_anew` when the log of pages has to be written
/// whole. True when much of it is of no use any more.
pub(crate) fn write(
    shared: &Shared,
    pages: &mut PageLog,
    begins_anew: bool,
) -> Result<bool, StoreError> {
    let number = pages.next;
    // A try that fails leaves what must not be taken for the next one.
    pages.next += 1;
    let (segment, bytes_before) = {
        let mut writer = shared.writer();
        // What waits belongs before what is open, which replaces it.
        writer.write_unlogged()?;
        let segment = writer.log.start_segment()?;
        writer.first_segment = segment;
        (segment, writer.log_bytes)
    };
    log_floor(shared)?;
    let cells: Vec<Arc<Cell>> = shared.index().cells().cloned().collect();
    let page_bytes_before = pages.bytes;
    let mut page_segment = 0;
    if begins_anew {
        page_segment = pages.begin()?;
        cells.iter().for_each(|cell| cell.state().begin_log());
    }
    let bytes_used = pages.write(number, &cells)?;
    pages.sync()?;
    for run in cells.chunks(SERIES_PER_FRAME) {
        let mut writer = shared.writer();
        log_open(&mut writer, number, run)?;
        log_histograms(&mut writer, &shared.index(), run)?;
    }
    shared.file_exemplars()?;
    {
        let mut writer = shared.writer();
        writer.log.sync()?;
        writer.log.remove_before(segment)?;
        writer.log_bytes -= bytes_before;
        writer.log_bytes_rewritten = writer.log_bytes;
    }
    if begins_anew {
        pages.remove_before(page_segment)?;
        pages.bytes -= page_bytes_before;
    }
    Ok(pages.bytes > 2 * bytes_used + WASTE_BYTES_MAX)
}

/// Notes the floor in the log: a restart must not bring back what was past retention.
pub(crate) fn log_floor(shared: &Shared) -> Result<(), StoreError> {
    let mut writer = shared.writer();
    let floor = shared.registry().floor();
    wal::put_floor(floor, &mut writer.frame);
    writer.write_frame()
}

/// Writes what is open of these series to the log. Those that nobody has listed have come since, and
/// so has all that they have.
fn log_open(writer: &mut Writer, number: u64, cells: &[Arc<Cell>]) -> Result<(), StoreError> {
    let mut cells = cells.iter();
    while !cells.as_slice().is_empty() {
        let at_segment = writer.log.segment();
        let mut slots = Vec::with_capacity(cells.len());
        let mut frame = OpenFrame::begin(&mut writer.frame, number);
        for cell in cells.by_ref() {
            let state = cell.state();
            if state.is_listed && state.is_in_memory() {
                frame.push(cell.id, &state);
                slots.push(slot_of(cell.id));
            }
            if frame.len() > FRAME_BYTES {
                break;
            }
        }
        if !slots.is_empty() {
            writer.write_frame()?;
            for slot in slots {
                writer.tip_mut(slot).segment = at_segment;
            }
        }
    }
    Ok(())
}

/// Writes the histograms that memory has of these series to the log.
fn log_histograms(
    writer: &mut Writer,
    index: &Index,
    cells: &[Arc<Cell>],
) -> Result<(), StoreError> {
    wal::begin_histogram_states(&mut writer.frame);
    let empty_len = writer.frame.len();
    let at_segment = writer.log.segment();
    for cell in cells {
        let state = cell.state();
        let track = state
            .histograms
            .as_ref()
            .filter(|track| track.is_in_memory());
        if let Some(track) = track
            && index.get(cell.id).is_some()
        {
            wal::put_histogram_state(cell.id, &cell.labels, track, &mut writer.frame);
            writer.tip_mut(slot_of(cell.id)).segment = at_segment;
        }
        if writer.frame.len() > FRAME_BYTES {
            writer.write_frame()?;
            wal::begin_histogram_states(&mut writer.frame);
        }
    }
    if writer.frame.len() > empty_len {
        writer.write_frame()?;
    }
    Ok(())
}

/// So many series are written to the log between two appends.
const SERIES_PER_FRAME: usize = 512;
/// A frame is written when it is longer than this.
const FRAME_BYTES: usize = 4 << 20;
/// The log of pages is written anew when it is longer than this and twice what is of use.
const WASTE_BYTES_MAX: u64 = 32 << 20;

#[cfg(test)]
mod tests {
    use firebell_disk::{MemoryDisk, read_log};
    use firebell_model::{Labels, Sample, Timestamp};

    use super::*;
    use crate::page_log::PAGES;
    use crate::series::Late;
    use crate::wal::LOG;
    use crate::{Batch, Options, Store};

    #[test]
    fn frames_are_no_longer_for_long_labels_and_many_late_samples() {
        let disk = MemoryDisk::default();
        let options = Options {
            log_bytes_max: 0,
            ..Options::default()
        };
        let open = || {
            Store::open(Arc::new(disk.clone()), options.clone())
                .unwrap()
                .0
        };
        let store = open();
        let mut batch = Batch::default();
        for n in 10..26 {
            let labels = Labels::from_pairs([("n", n.to_string().repeat(100_000))]);
            let (at, value) = (Timestamp(1 << 40), 1.0);
            batch.add(labels, &[Sample { at, value }]);
        }
        store.append(&batch).unwrap();
        for cell in store.shared.index().cells() {
            for at in 0..60_000 {
                let (epoch, value) = (0, 1.0 / (at + 1) as f64);
                cell.state().append_late(Late { epoch, at, value });
            }
        }
        store.shorten_log().unwrap();
        for (log, bytes_max) in [(&PAGES, 2 << 20), (&LOG, 5 << 20)] {
            let frames = read_log(&disk, log).unwrap().frames;
            let longest = frames.iter().map(|(_, frame)| frame.len()).max();
            let name = log.folder;
            assert!(
                longest.is_some_and(|it| it > 1 << 19 && it < bytes_max),
                "{name} {longest:?}"
            );
        }
        let again = open();
        for cell in again.shared.index().cells() {
            assert_eq!(cell.state().figures().0, 60_001);
        }
    }
}
