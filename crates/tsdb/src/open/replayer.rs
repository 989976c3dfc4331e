//! What the logs bring back, put into the index.

use std::collections::BTreeSet;
use std::sync::Arc;

use firebell_disk::{Disk, Log};
use firebell_model::{Exemplar, HistogramSample, Labels, Sample, SeriesId};

use crate::by_slot::BySlot;
use crate::exemplars::Exemplars;
use crate::histogram::Memory;
use crate::index::{Index, SLOTS_MAX, slot_of};
use crate::options::{OpenReport, Options, StoreError};
use crate::page::{Columns, Page};
use crate::page_log::{self, Listener, PAGES};
use crate::series::{Cell, Late, Open};
use crate::wal::{self, LOG, Replay};

/// Who hears what the logs say, the log of pages first.
pub(super) struct Replayer {
    pub(super) index: Index,
    by_slot: BySlot<Meant>,
    pub(super) exemplars: Exemplars,
    exemplars_max: usize,
    pub(super) floor: i64,
    n_samples: u64,
    n_orphans: u64,
    pub(super) log_bytes: u64,
    /// Bytes of the log that the last checkpoint wrote.
    pub(super) checkpoint_bytes: u64,
    pub(super) page_bytes: u64,
    /// The newest checkpoint.
    pub(super) checkpoint: u64,
    bad_files: BTreeSet<String>,
}

/// The series that the log means by a slot at this point.
#[derive(Default)]
enum Meant {
    /// None that was named.
    #[default]
    Strange,
    /// One whose slot or labels went to a younger series: all that it had is past retention.
    Gone,
    Here(Named),
}

struct Named {
    cell: Arc<Cell>,
    /// The newest checkpoint that logged pages of it.
    pages_of: u64,
    /// The log names it, and not only the log of pages.
    is_in_log: bool,
}

impl Replayer {
    pub(super) fn new(index: Index, exemplars: Exemplars, options: &Options) -> Self {
        Self {
            index,
            by_slot: BySlot::default(),
            exemplars,
            exemplars_max: options.exemplars_max,
            floor: i64::MIN,
            n_samples: 0,
            n_orphans: 0,
            log_bytes: 0,
            checkpoint_bytes: 0,
            page_bytes: 0,
            checkpoint: 0,
            bad_files: BTreeSet::new(),
        }
    }

    pub(super) fn read_pages(
        &mut self,
        disk: &Arc<dyn Disk>,
        report: &mut OpenReport,
    ) -> Result<Log, StoreError> {
        let (mut log, found) = Log::open_with(Arc::clone(disk), PAGES, &mut |segment, frame| {
            self.page_bytes += frame.len() as u64;
            if page_log::replay(frame, self).is_none() {
                self.bad_files.insert(format!("`pages/{segment:08}`"));
            }
        })?;
        report.damage.extend(found.damage);
        report.torn_bytes += found.torn_bytes;
        log.doubt();
        Ok(log)
    }

    pub(super) fn read_log(
        &mut self,
        disk: &Arc<dyn Disk>,
        report: &mut OpenReport,
    ) -> Result<Log, StoreError> {
        let (mut log, found) = Log::open_with(Arc::clone(disk), LOG, &mut |segment, frame| {
            self.log_bytes += frame.len() as u64;
            if wal::is_of_checkpoint(frame) {
                self.checkpoint_bytes += frame.len() as u64;
            }
            if wal::replay(frame, self).is_none() {
                self.bad_files.insert(format!("log segment {segment:08}"));
            }
        })?;
        report.damage.extend(found.damage);
        report.torn_bytes += found.torn_bytes;
        log.doubt();
        Ok(log)
    }

    pub(super) fn report(&self, report: &mut OpenReport) {
        report.samples_replayed = self.n_samples;
        for file in &self.bad_files {
            report.damage.push(format!(
                "{file} has frames that say nothing: they are left out"
            ));
        }
        if self.n_orphans > 0 {
            let n = self.n_orphans;
            report.damage.push(format!(
                "{n} samples of the log are lost: the frame that names their series is damaged"
            ));
        }
    }

    /// Whether the log names the series: what comes of it need not name it again.
    pub(super) fn is_named(&self, cell: &Arc<Cell>) -> bool {
        match self.by_slot.get(slot_of(cell.id)) {
            Some(Meant::Here(named)) => named.is_in_log && Arc::ptr_eq(&named.cell, cell),
            _ => false,
        }
    }

    /// From here on, the log means this series by its slot.
    fn name(&mut self, id: SeriesId, cell: Option<Arc<Cell>>, is_in_log: bool) {
        let slot = slot_of(id);
        if slot >= SLOTS_MAX {
            return;
        }
        let meant = self.by_slot.make(slot);
        match (meant, cell) {
            (Meant::Here(named), Some(cell)) if Arc::ptr_eq(&named.cell, &cell) => {
                named.is_in_log |= is_in_log;
            }
            (meant, Some(cell)) => {
                *meant = Meant::Here(Named {
                    cell,
                    pages_of: 0,
                    is_in_log,
                });
            }
            (meant, None) => *meant = Meant::Gone,
        }
    }

    /// The series that the log means by a slot. Samples of one that the log never named are counted:
    /// the log of pages may know an older series in the slot only.
    fn meant(&mut self, slot: u32, n_samples: usize) -> Option<Arc<Cell>> {
        match self.by_slot.get(slot) {
            Some(Meant::Here(named)) if named.is_in_log => Some(Arc::clone(&named.cell)),
            Some(Meant::Gone) => None,
            Some(Meant::Here(_) | Meant::Strange) | None => {
                self.n_orphans += n_samples as u64;
                None
            }
        }
    }

    /// The series with this id, which was listed, as the one that its slot means from here on.
    fn listed_as(&mut self, id: SeriesId, n_samples: usize) -> Option<&mut Named> {
        let slot = slot_of(id);
        match self.by_slot.get_mut(slot) {
            Some(Meant::Here(named)) if named.cell.id == id => {}
            Some(Meant::Here(named)) if named.cell.id.0 > id.0 => {
                self.name(id, None, false);
                return None;
            }
            Some(Meant::Gone) => return None,
            meant => {
                // Whoever had the slot before is gone, and what follows is not of it either.
                if let Some(meant) = meant {
                    *meant = Meant::Strange;
                }
                self.n_orphans += n_samples as u64;
                return None;
            }
        }
        match self.by_slot.get_mut(slot) {
            Some(Meant::Here(named)) => Some(named),
            _ => None,
        }
    }
}

impl Listener for Replayer {
    fn index(&mut self) -> &mut Index {
        &mut self.index
    }

    fn listed(&mut self, id: SeriesId, cell: Option<Arc<Cell>>) {
        if let Some(cell) = &cell {
            cell.state().is_listed = true;
        }
        self.name(id, cell, false);
    }

    fn logged(&mut self, checkpoint: u64, id: SeriesId, pages: Vec<Page>) {
        self.checkpoint = self.checkpoint.max(checkpoint);
        let n_samples = pages.iter().map(Page::count).sum();
        let Some(named) = self.listed_as(id, n_samples) else {
            return;
        };
        named.pages_of = checkpoint;
        named.cell.state().add_logged(pages);
        self.n_samples += n_samples as u64;
    }
}

impl Replay for Replayer {
    fn series(&mut self, id: SeriesId, labels: Labels) {
        let cell = self.index.make_as(id, &labels);
        self.name(id, cell, true);
    }

    fn run(&mut self, slot: u32, samples: &[Sample]) {
        let Some(cell) = self.meant(slot, samples.len()) else {
            return;
        };
        let mut state = cell.state();
        let newest = state.newest_float_at().unwrap_or(i64::MIN);
        let n_old = samples.iter().take_while(|it| it.at.0 <= newest).count();
        let (old, new) = samples.split_at(n_old);
        // Taken when they came, whatever the out-of-order window is now.
        let filed = state.filed_until().unwrap_or(i64::MIN);
        for it in old.iter().filter(|it| it.at.0 > filed) {
            // Whether it is in place already, merging finds out.
            let (epoch, at, value) = (0, it.at.0, it.value);
            state.append_late(Late { epoch, at, value });
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

    fn open(&mut self, checkpoint: u64, id: SeriesId, open: Open) {
        self.checkpoint = self.checkpoint.max(checkpoint);
        let in_pages: usize = open.pages.iter().map(Page::count).sum();
        let n_samples = in_pages + open.tail.len();
        let Some(named) = self.listed_as(id, n_samples) else {
            return;
        };
        named.is_in_log = true;
        let is_newest = checkpoint >= named.pages_of;
        named.cell.state().add_open(open, is_newest);
        self.n_samples += n_samples as u64;
    }

    fn histograms(&mut self, slot: u32, histograms: &[HistogramSample]) {
        let Some(cell) = self.meant(slot, histograms.len()) else {
            return;
        };
        let mut state = cell.state();
        for it in histograms {
            let track = state.histograms.get_or_insert_default();
            if track.in_place_until().is_none_or(|until| until < it.at.0) {
                state.append_histograms(0, std::slice::from_ref(it), &[]);
                self.n_samples += 1;
            } else if track.filed_until().is_none_or(|until| until < it.at.0) {
                track.append_late(0, it.clone());
            }
        }
    }

    fn histogram_state(&mut self, id: SeriesId, memory: Memory) {
        let Some(cell) = self.meant(slot_of(id), 0) else {
            return;
        };
        let in_pages: u64 = memory.pages.iter().map(|page| u64::from(page.count)).sum();
        self.n_samples += in_pages + memory.tail.len() as u64;
        cell.state().restore_histograms(memory);
    }

    fn exemplar(&mut self, series: &Labels, exemplar: &Exemplar) {
        // One that is said twice is refused the second time.
        self.exemplars.push(series, exemplar, self.exemplars_max);
    }

    fn floor(&mut self, floor: i64) {
        // Each says what holds from then on; history that was put in has lowered it.
        self.floor = floor;
    }

    fn state(&mut self, id: SeriesId, pages: Vec<Page>, tail: Columns, late: Vec<Late>) {
        let Some(cell) = self.meant(slot_of(id), tail.len()) else {
            return;
        };
        self.n_samples += pages.iter().map(Page::count).sum::<usize>() as u64;
        self.n_samples += tail.len() as u64;
        cell.state().restore(pages, &tail, late);
    }
}

#[cfg(test)]
mod tests {
    use firebell_disk::{MemoryDisk, read_log};
    use firebell_model::Timestamp;

    use super::*;
    use crate::tail::Tail;
    use crate::{Batch, Store};

    /// A store whose logs have labels, pages, open parts with late samples, and runs.
    fn written() -> MemoryDisk {
        let disk = MemoryDisk::default();
        let options = Options {
            out_of_order_window: firebell_model::Duration::from_hours(1),
            log_bytes_max: 0,
            ..Options::default()
        };
        let (store, _) = Store::open(Arc::new(disk.clone()), options).unwrap();
        for n in 0..400_i64 {
            let mut batch = Batch::default();
            for (series, late) in [("a", 0), ("b", i64::from(n % 9 == 8) * 70_000)] {
                let (at, value) = (Timestamp(n * 15_000 - late), (n * n % 1013) as f64);
                batch.add(Labels::from_pairs([("n", series)]), &[Sample { at, value }]);
            }
            store.append(&batch).unwrap();
            if n % 120 == 119 {
                store.shorten_log().unwrap();
            }
        }
        disk
    }

    /// The frame of the log of pages that lists the younger series of a slot is damaged.
    #[test]
    fn runs_of_a_slot_that_was_used_again_do_not_come_to_the_older_series() {
        for is_opened in [true, false] {
            let options = Options::default();
            let mut replayer = Replayer::new(Index::default(), Exemplars::default(), &options);
            let (older, younger) = (SeriesId(7), SeriesId(1 << 32 | 7));
            let labels = Labels::from_pairs([("n", "a")]);
            let cell = replayer.index.make_as(older, &labels);
            replayer.listed(older, cell);
            if is_opened {
                let open = Open {
                    logged_until: None,
                    pages: Vec::new(),
                    tail: Tail::default(),
                    late: Vec::new(),
                };
                replayer.open(1, younger, open);
            }
            let (at, value) = (Timestamp(1000), 1.0);
            replayer.run(7, &[Sample { at, value }]);
            let cell = replayer.index.at(7).unwrap();
            assert!(!cell.state().is_in_memory(), "{is_opened}");
            assert_eq!(replayer.n_orphans, 1, "{is_opened}");
        }
    }

    #[test]
    fn bytes_that_say_what_cannot_be_harm_nobody() {
        let disk = written();
        let frames = |options| {
            let frames = read_log(&disk, options).unwrap().frames;
            frames.into_iter().map(|(_, frame)| frame).collect()
        };
        let (pages, log): (Vec<Vec<u8>>, Vec<Vec<u8>>) = (frames(&PAGES), frames(&LOG));
        let bytes = |frames: &[Vec<u8>]| frames.iter().map(Vec::len).sum::<usize>();
        let (n_page_bytes, n_log_bytes) = (bytes(&pages), bytes(&log));
        assert!(
            n_page_bytes > 300 && n_log_bytes > 300,
            "{n_page_bytes} {n_log_bytes}"
        );
        for n in 0..pages.len() + log.len() {
            let len = pages.iter().chain(&log).nth(n).map_or(0, Vec::len);
            for place in 0..len.min(400) {
                replay((pages.clone(), log.clone()), n, place, 1 << (place % 8));
            }
        }
    }

    /// Replays all frames, a byte of one of which is another one, and uses what comes of it.
    fn replay((mut pages, mut log): (Vec<Vec<u8>>, Vec<Vec<u8>>), n: usize, place: usize, bit: u8) {
        if let Some(frame) = pages.iter_mut().chain(&mut log).nth(n) {
            frame[place] ^= bit;
        }
        let options = Options::default();
        let mut replayer = Replayer::new(Index::default(), Exemplars::default(), &options);
        for frame in &pages {
            let _ = page_log::replay(frame, &mut replayer);
        }
        for frame in &log {
            let _ = wal::replay(frame, &mut replayer);
        }
        for cell in replayer.index.cells() {
            let mut state = cell.state();
            state.newest();
            state.figures();
            state.memory_samples(crate::histogram::ALL_TIME, &mut Vec::new());
            state.merge_late(0);
            state.pages_to_log();
            state.pages_logged();
            state.open_part();
            let at = state.newest_float_at().unwrap_or(0).saturating_add(1);
            let (at, value) = (Timestamp(at), 1.0);
            state.append(0, &[Sample { at, value }], &[]);
            state.end();
            state.drop_until(1_000_000);
        }
    }
}
