//! The store: appends, and what threads share.
//!
//! One append at a time: it checks the batch against the newest sample of each series, writes one
//! frame to the log, then changes memory under a new epoch, and publishes the epoch at the end.
//! Frames that the disk does not take wait, in order: rules must see new samples on a full disk too.
//! Locks are taken in the order upkeep, writer, index, series; the registry is a leaf.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError,
};

use firebell_disk::Disk;
use firebell_model::{Labels, Matcher, SeriesId, Timestamp};

use crate::View;
use crate::batch::{Batch, SeriesKey, SeriesRun};
use crate::edges::Room;
use crate::exemplars::Exemplars;
use crate::figures::Figures;
use crate::index::{Index, slot_of};
use crate::metadata::Metrics;
use crate::options::{AppendReport, OpenReport, Options, Stats, StoreError, TooManySeries};
use crate::series::Horizon;
use crate::upkeep::Upkeep;
use crate::watch::Watches;
use crate::writer::{Bounds, Judge, Writer};

/// A store of samples. Shared between threads; appends of several threads take turns.
pub struct Store {
    pub(crate) shared: Arc<Shared>,
}

/// What views and the store share.
pub(crate) struct Shared {
    pub(crate) disk: Arc<dyn Disk>,
    options: RwLock<Options>,
    index: RwLock<Index>,
    registry: Mutex<Registry>,
    writer: Mutex<Writer>,
    upkeep: Mutex<Upkeep>,
    pub(crate) exemplars: Mutex<Exemplars>,
    pub(crate) metrics: Mutex<Metrics>,
    /// How many frames of the log are durable; held by the one who syncs.
    synced: Mutex<u64>,
    /// In chunk files and the log of pages.
    pub(crate) filed_bytes: AtomicU64,
    pub(crate) figures: Figures,
    watches: Watches,
    pub(crate) room: Room,
}

/// Epochs: what is published, and which views live.
#[derive(Default)]
pub(crate) struct Registry {
    published: u64,
    generation: u64,
    floor: i64,
    /// How many views there are of each epoch, and the lowest floor of them.
    live: BTreeMap<u64, (u32, i64)>,
}

/// A series that is not there.
#[derive(Clone, Copy)]
struct NoSlot;

impl Store {
    /// Opens the store in folders `wal`, `pages` and `chunks` of `disk`, and replays its logs.
    ///
    /// # Errors
    /// When the disk fails, or a file is of another program or version.
    pub fn open(disk: Arc<dyn Disk>, options: Options) -> Result<(Self, OpenReport), StoreError> {
        crate::open::open(disk, options)
    }

    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        options: Options,
        index: Index,
        writer: Writer,
        upkeep: Upkeep,
        (metrics, exemplars): (Metrics, Exemplars),
        floor: i64,
    ) -> Self {
        let registry = Registry {
            floor,
            ..Registry::default()
        };
        Self {
            shared: Arc::new(Shared {
                disk,
                options: RwLock::new(options),
                index: RwLock::new(index),
                registry: Mutex::new(registry),
                writer: Mutex::new(writer),
                filed_bytes: AtomicU64::new(upkeep.bytes()),
                figures: Figures::default(),
                watches: Watches::default(),
                room: Room::default(),
                upkeep: Mutex::new(upkeep),
                exemplars: Mutex::new(exemplars),
                metrics: Mutex::new(metrics),
                synced: Mutex::default(),
            }),
        }
    }

    /// The id of a series, which is made when it is not there. It stays valid until the series is
    /// dropped: when all its samples are past retention, or when it gets none for an hour or so.
    ///
    /// # Errors
    /// When it would be one more than [`Options::series_max`].
    pub fn resolve(&self, labels: &Labels) -> Result<SeriesId, TooManySeries> {
        let known = {
            let index = self.shared.index();
            index
                .slot_of(labels)
                .and_then(|slot| index.at(slot).map(|cell| cell.id))
        };
        if let Some(id) = known {
            return Ok(id);
        }
        let mut index = self.shared.index_mut();
        let slot = index.make(labels, self.shared.options().series_max);
        let made = slot.and_then(|slot| index.at(slot));
        made.map(|cell| cell.id)
            .ok_or_else(|| self.too_many(&index))
    }

    /// The labels of the series with these pairs, which are in order of name; `None` when it is not
    /// there. Spares whoever reads pairs from a body to make label sets of them.
    #[must_use]
    pub fn find(&self, pairs: &[(&str, &str)]) -> Option<Labels> {
        let index = self.shared.index();
        index.with_pairs(pairs).map(|cell| cell.labels.clone())
    }

    /// The time of the newest sample or native histogram of a series, from memory and files; `None`
    /// when it has none, or is not there.
    #[must_use]
    pub fn newest(&self, series: &SeriesKey) -> Option<Timestamp> {
        let id = match series {
            SeriesKey::Labels(labels) => {
                let index = self.shared.index();
                let slot = index.slot_of(labels)?;
                index.at(slot)?.id
            }
            SeriesKey::Id(id) => *id,
        };
        let cell = self.shared.index().get(id).cloned()?;
        let newest = cell.state().newest_at();
        newest.map(Timestamp)
    }

    /// What to say about samples that were refused because there are too many series.
    #[must_use]
    pub fn too_many_series(&self) -> TooManySeries {
        self.too_many(&self.shared.index())
    }

    fn too_many(&self, index: &Index) -> TooManySeries {
        let (label, n_values) = index.widest_label();
        TooManySeries {
            series_max: self.shared.options().series_max,
            label,
            n_values,
        }
    }

    /// Appends samples: first to the log, then to memory. They outlive the process at once, and a
    /// loss of power after [`Store::sync`]. While the disk is full or fails they are in memory only,
    /// and [`AppendReport::unlogged_bytes`] says so. More than 32,768 samples are
    /// appended, and seen, part by part.
    ///
    /// # Errors
    /// When the log lacks [`Options::unlogged_bytes_max`] already; nothing was appended then, or only
    /// the first parts.
    pub fn append(&self, batch: &Batch) -> Result<AppendReport, StoreError> {
        let mut report = AppendReport::default();
        let (mut part, mut room) = (Vec::new(), SAMPLES_PER_FRAME);
        for mut run in batch.runs() {
            while run.cost() > room && run.len() > usize::from(part.is_empty()) {
                let (now, later) = run.split(room, usize::from(part.is_empty()));
                part.push(now);
                report.add(&self.append_part(&part, batch.arrived_at())?);
                part.clear();
                room = SAMPLES_PER_FRAME;
                run = later;
            }
            room = room.saturating_sub(run.cost());
            part.push(run);
        }
        report.add(&self.append_part(&part, batch.arrived_at())?);
        let (n_taken, n_refused) = self.append_exemplars(batch);
        report.exemplars_appended += n_taken;
        report.exemplars_refused += n_refused;
        self.shared.set_metadata(batch.metadata());
        Ok(report)
    }

    /// Appends what fits into a frame of the log.
    fn append_part(
        &self,
        part: &[SeriesRun<'_>],
        arrived_at: Option<Timestamp>,
    ) -> Result<AppendReport, StoreError> {
        let shared = &*self.shared;
        let mut writer = shared.writer();
        let mut report = AppendReport {
            unlogged_bytes: writer.unlogged_bytes(),
            ..AppendReport::default()
        };
        let slots = self.slots_of(part);
        let index = shared.index();
        let (floor, live, epoch) = shared.registry().begin();
        let bounds = Bounds::new(&writer, &shared.options(), floor, arrived_at);
        let mut judge = Judge::new(&mut writer, &index, bounds, &mut report);
        for (&slot, run) in slots.iter().zip(part) {
            match slot {
                Ok(slot) => {
                    judge.judge(slot, run.samples);
                    judge.judge_histograms(slot, run.histograms);
                }
                Err(NoSlot) => judge.refuse(run),
            }
        }
        let checked = judge.checked;
        if checked.is_empty() {
            return Ok(report);
        }
        if let Err(error) = writer.write_samples(&index, &checked)
            && !writer.put_off(&error, shared.options().unlogged_bytes_max)
        {
            writer.undo(checked);
            return Err(error);
        }
        report.unlogged_bytes = writer.unlogged_bytes();
        (report.appended, report.histograms_appended) = checked.count();
        let comes = writer.apply(&index, &checked, epoch, &live);
        shared.registry().publish(epoch, comes);
        shared.watches.note(&index, checked.slots());
        Ok(report)
    }

    /// The slots of series; makes those that are not there. An error when an id is gone, or the
    /// store has too many series already.
    fn slots_of(&self, part: &[SeriesRun<'_>]) -> Vec<Result<u32, NoSlot>> {
        let mut slots = Vec::with_capacity(part.len());
        let mut strange = Vec::new();
        {
            let index = self.shared.index();
            // Series that come together were mostly made together.
            let mut next = 0;
            for run in part {
                let known = match run.key {
                    SeriesKey::Labels(labels) => match index.at(next) {
                        Some(cell) if cell.labels.is(labels) => Some(next),
                        _ => index.slot_of(labels),
                    },
                    SeriesKey::Id(id) => index.get(*id).map(|cell| slot_of(cell.id)),
                };
                if known.is_none()
                    && let SeriesKey::Labels(labels) = run.key
                {
                    strange.push((slots.len(), labels));
                }
                next = known.map_or(0, |slot| slot + 1);
                slots.push(known.ok_or(NoSlot));
            }
        }
        if !strange.is_empty() {
            let mut index = self.shared.index_mut();
            for (idx, labels) in strange {
                let series_max = self.shared.options().series_max;
                slots[idx] = index.make(labels, series_max).ok_or(NoSlot);
            }
        }
        slots
    }

    /// From now on, notes for each watch whether samples of its series were appended: of those that
    /// satisfy all matchers of one of its selectors. Replaces the watches before; `token` comes back
    /// in [`Store::take_arrived`].
    pub fn watch(&self, token: u64, watches: Vec<Vec<Vec<Matcher>>>) {
        self.shared.watches.set(token, watches);
    }

    /// The token, and the indices of watches for which samples were appended since the last call, in
    /// order; `None` when there are none.
    #[must_use]
    pub fn take_arrived(&self) -> Option<(u64, Vec<u32>)> {
        self.shared.watches.take()
    }

    /// Has `notify` called whenever [`Store::take_arrived`] comes to have something; by whoever
    /// appends, so it must not append itself. Only the first call counts.
    pub fn notify_arrivals(&self, notify: impl Fn() + Send + Sync + 'static) {
        self.shared.watches.notify_by(Box::new(notify));
    }

    /// Makes everything appended so far durable. Appends go on meanwhile, and those who ask at the
    /// same time share the work.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub fn sync(&self) -> Result<(), StoreError> {
        let wanted = {
            let mut writer = self.shared.writer();
            writer.write_unlogged()?;
            writer.n_frames
        };
        // Who has waited here finds that the one before has synced for all that were waiting, or
        // does it for all that have come since.
        let mut synced = self
            .shared
            .synced
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if *synced >= wanted {
            return Ok(());
        }
        let (n_frames, unsynced) = {
            let writer = self.shared.writer();
            (writer.n_frames, writer.log.unsynced())
        };
        if let Some(unsynced) = unsynced {
            match self.shared.disk.sync(&unsynced.path) {
                // Upkeep has rewritten the log meanwhile, durably.
                Err(error) if error.is_not_found => {}
                synced => synced?,
            }
            self.shared.writer().log.mark_synced(&unsynced);
        }
        *synced = n_frames;
        Ok(())
    }

    /// Why the log lacks samples that memory has; `None` when it has them all.
    #[must_use]
    pub fn trouble(&self) -> Option<StoreError> {
        self.shared.writer().trouble().cloned()
    }

    /// The store as it is now; what is appended later is not seen. Costs the same for any store.
    #[must_use]
    pub fn view(&self) -> View {
        View::new(&self.shared)
    }

    /// See [`firebell_model::Source::generation`].
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.shared.registry().generation
    }

    /// Upkeep, to be called every minute or so: drops what is past retention, seals and files what
    /// is older than [`Options::head_span`], shortens the log. Appends and reads go on meanwhile.
    ///
    /// # Errors
    /// When the disk is full or fails; nothing is lost, and the next call tries again.
    pub fn maintain(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut upkeep = self.shared.upkeep();
        let done = upkeep.run(&self.shared, now);
        if upkeep.take_moved() {
            self.shared.figures.forget();
        }
        let done = done.and(self.shared.file_metadata());
        self.shared
            .filed_bytes
            .store(upkeep.bytes(), Ordering::Relaxed);
        done
    }

    /// Shortens the log when it has become long, so that a restart is quick, unless other upkeep goes
    /// on; free otherwise. To be called every second or so: [`Store::maintain`] alone may come too
    /// late for a fast sender.
    ///
    /// # Errors
    /// When the disk is full or fails; nothing is lost, and the next call tries again.
    pub fn shorten_log(&self) -> Result<(), StoreError> {
        if !self.shared.is_log_long() {
            return Ok(());
        }
        // A snapshot, or other upkeep, may take long, and the next call comes soon.
        let mut upkeep = match self.shared.upkeep.try_lock() {
            Ok(upkeep) => upkeep,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(()),
        };
        let done = upkeep.shorten_log(&self.shared);
        self.shared
            .filed_bytes
            .store(upkeep.bytes(), Ordering::Relaxed);
        done
    }

    /// Keeps samples, series and exemplars from now on as these options say. What was refused or
    /// dropped before does not come back.
    pub fn set_options(&self, options: Options) {
        let known = self.shared.options.write();
        *known.unwrap_or_else(PoisonError::into_inner) = options;
    }

    /// Figures about the store. They cost the same for any store, but that who asks first after
    /// upkeep walks over all series.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let filed_bytes = self.shared.filed_bytes.load(Ordering::Relaxed);
        self.shared.figures.stats(&self.shared, filed_bytes)
    }
}

impl Shared {
    pub(crate) fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    pub(crate) fn options(&self) -> Options {
        let options = self.options.read();
        options.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn index_mut(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_log_long(&self) -> bool {
        let writer = self.writer();
        let rewritten = writer.log_bytes_rewritten;
        let grown = writer.log_bytes.saturating_sub(rewritten);
        grown > self.options().log_bytes_max.max(rewritten / 4)
    }

    pub(crate) fn upkeep(&self) -> MutexGuard<'_, Upkeep> {
        self.upkeep.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registry {
    pub(crate) fn enter(&mut self) -> (Horizon, u64) {
        let horizon = Horizon {
            epoch: self.published,
            floor: self.floor,
        };
        let (n_views, floor) = self.live.entry(horizon.epoch).or_insert((0, i64::MAX));
        *n_views += 1;
        *floor = (*floor).min(horizon.floor);
        (horizon, self.generation)
    }

    pub(crate) fn leave(&mut self, horizon: Horizon) {
        if let Some((n_views, _)) = self.live.get_mut(&horizon.epoch) {
            *n_views -= 1;
            if *n_views == 0 {
                self.live.remove(&horizon.epoch);
            }
        }
    }

    /// What an append has to know: the floor, the epochs of living views, and its own epoch.
    fn begin(&self) -> (i64, Vec<u64>, u64) {
        (
            self.floor,
            self.live.keys().copied().collect(),
            self.published + 1,
        )
    }

    /// The epoch of the next change.
    pub(crate) fn next_epoch(&self) -> u64 {
        self.published + 1
    }

    pub(crate) fn publish(&mut self, epoch: u64, comes: bool) {
        self.published = epoch;
        self.generation += u64::from(comes);
    }

    pub(crate) fn floor(&self) -> i64 {
        self.floor
    }

    /// Up to which append views see.
    pub(crate) fn epoch(&self) -> u64 {
        self.published
    }

    /// The epoch of the oldest living view.
    pub(crate) fn oldest_live(&self) -> Option<u64> {
        self.live.keys().next().copied()
    }

    pub(crate) fn bump_generation(&mut self) {
        self.generation += 1;
    }

    /// From now on, views see what is later than `floor`. False when they do already.
    pub(crate) fn lower_floor(&mut self, floor: i64) -> bool {
        let is_lower = floor < self.floor;
        self.floor = self.floor.min(floor);
        is_lower
    }

    /// From now on, views see nothing at or before `floor`. Returns until when no living view sees
    /// anything, and the oldest epoch that one sees.
    pub(crate) fn raise_floor(&mut self, floor: i64) -> (i64, u64) {
        self.floor = self.floor.max(floor);
        let floors = self.live.values().map(|live| live.1);
        let unseen = floors.fold(self.floor, i64::min);
        let epoch = self.live.keys().next().copied();
        (unseen, epoch.unwrap_or(self.published))
    }
}

/// Samples that share a frame: with labels of up to 2 KiB each it fits into the log.
const SAMPLES_PER_FRAME: usize = 1 << 15;
