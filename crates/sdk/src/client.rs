//! The one client of a process: what is recorded goes into the ring, a thread of its own sends it.
//!
//! *Invariants*: whoever records never waits for a file, a socket or a lock that is held across
//! one. A forked child begins anew: its own name, ring and thread, everything counted from zero.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::now_nanos;
use crate::metric::Metrics;
use crate::ring::{Field, Lane, Reader, Ring, Taken, WORDS_MAX};
use crate::settings::Settings;
use crate::stats::Stats;
use crate::sys::{self, Place, Region};
use crate::{exporter, files};

/// See the module.
#[derive(Debug)]
pub struct Client {
    region: Region,
    /// All metrics of the process.
    pub metrics: Metrics,
    settings: Place<Settings>,
    process: Place<Process>,
    /// Held by whoever begins or reconfigures.
    beginning: Mutex<()>,
    /// Somebody scrapes.
    keeps_totals: AtomicBool,
}

/// What a forked child does not inherit.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) ring: Ring<'static>,
    lanes: [Mutex<()>; Lane::ALL.len()],
    pub(crate) instance_id: String,
    pub(crate) stats: Stats,
    n_crumbs: AtomicU64,
    /// Where the ring is, once there is a file beneath it.
    pub(crate) path: OnceLock<PathBuf>,
    wishes: Mutex<Wishes>,
    changed: Condvar,
    has_exporter: AtomicBool,
}

/// What the exporter is asked for, and how far it is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wishes {
    pub(crate) n_flushes: u64,
    pub(crate) n_flushed: u64,
    /// Whether the last flush left nothing behind.
    pub(crate) is_drained: bool,
    pub(crate) is_closing: bool,
    pub(crate) is_closed: bool,
}

/// The client; made when it is first asked for.
///
/// # Panics
/// The process has no address space of 70 MiB left.
pub fn client() -> &'static Client {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    CLIENT.get_or_init(|| {
        sys::at_fork(begin_anew);
        let region = Region::new(WORDS_MAX).expect("address space for the buffer");
        let (arena, used) = Ring::arena_of(region.words());
        Client {
            region,
            metrics: Metrics::new(arena, used),
            settings: Place::empty(),
            process: Place::empty(),
            beginning: Mutex::new(()),
            keeps_totals: AtomicBool::new(false),
        }
    })
}

/// In a forked child.
fn begin_anew() {
    // Before anybody made a client there is nothing to do.
    if STATE.load(Ordering::Acquire) != NEW {
        STATE.store(FORKED, Ordering::Release);
    }
}

impl Client {
    /// What it is set to.
    pub fn settings(&self) -> &'static Settings {
        self.settings
            .get()
            .unwrap_or_else(|| self.settings.put(Settings::default()))
    }

    /// Takes new settings. The size of the buffer and its place hold until the process ends.
    pub fn configure(&'static self, settings: Settings) {
        let _guard = lock(&self.beginning);
        self.metrics
            .set_limits(settings.max_series, settings.max_labels_per_metric);
        self.settings.put(settings);
        if let Some(process) = self
            .process
            .get()
            .filter(|_| STATE.load(Ordering::Acquire) == READY)
        {
            process.stats.is_stopped.store(false, Ordering::Relaxed);
            if !self.has_something(process) {
                Ring::create(self.region.words(), self.settings().buffer_bytes);
            }
        }
        STATE
            .compare_exchange(READY, TO_START, Ordering::AcqRel, Ordering::Relaxed)
            .ok();
    }

    fn has_something(&self, process: &Process) -> bool {
        process.path.get().is_some()
            || Lane::ALL
                .into_iter()
                .any(|lane| !process.ring.is_empty(lane))
    }

    /// Has to be asked before anything is recorded: the first time in a process it begins.
    #[inline]
    pub fn begin(&'static self) {
        if STATE.load(Ordering::Acquire) != READY {
            self.begin_now();
        }
    }

    #[cold]
    fn begin_now(&'static self) {
        let Ok(_guard) = self.beginning.try_lock() else {
            return; // Somebody is at it, maybe this very thread, from a signal handler.
        };
        let settings = self.settings();
        let process = match self.process.get() {
            Some(process) if STATE.load(Ordering::Acquire) != FORKED => process,
            _ => self.new_process(settings),
        };
        if settings.is_sending() && !process.has_exporter.swap(true, Ordering::AcqRel) {
            self.put_file_beneath(process, settings);
            exporter::start(self, process);
        }
        STATE.store(READY, Ordering::Release);
    }

    fn new_process(&self, settings: &Settings) -> &'static Process {
        let words = self.region.words();
        if STATE.load(Ordering::Acquire) == FORKED {
            Ring::clear(words);
        }
        let ring = Ring::create(words, settings.buffer_bytes);
        self.metrics.reset();
        ring.set_field(Field::Pid, u64::from(std::process::id()));
        ring.set_field(Field::StartedNanos, now_nanos());
        ring.set_field(Field::CountedSinceNanos, now_nanos());
        ring.set_field(Field::KeepsTotals, self.keeps_totals().into());
        self.process.put(Process {
            ring,
            lanes: [const { Mutex::new(()) }; Lane::ALL.len()],
            instance_id: crate::ids::new_instance_id(),
            stats: Stats::default(),
            n_crumbs: AtomicU64::new(0),
            path: OnceLock::new(),
            wishes: Mutex::default(),
            changed: Condvar::new(),
            has_exporter: AtomicBool::new(false),
        })
    }

    /// From here on the ring outlives the process. Without a folder that can be written it does not,
    /// which is said once.
    fn put_file_beneath(&self, process: &Process, settings: &Settings) {
        process
            .ring
            .set_identity(&settings.identity(&process.instance_id));
        let len = process.ring.len_bytes();
        let made = files::create(settings.run_dir.as_deref(), &process.instance_id, len);
        let put = made.and_then(|(file, path)| {
            self.copy_beneath(&file, len).map_err(|error| {
                let _ = std::fs::remove_file(&path);
                files::Unwritable::new(&path, &error)
            })?;
            Ok(path)
        });
        match put {
            Ok(path) => _ = process.path.set(path),
            Err(why) => process.stats.say(&format!(
                "records are kept in memory only, a kill loses them: {why}"
            )),
        }
    }

    fn copy_beneath(&self, file: &File, len: usize) -> std::io::Result<()> {
        let words = self.region.words();
        let used: Vec<u64> = Ring::used(words, self.metrics.arena_used())
            .map(|idx| words.get(idx).map_or(0, |it| it.load(Ordering::Acquire)))
            .collect();
        self.region.put_file_beneath(file, len)?;
        for (idx, value) in Ring::used(words, self.metrics.arena_used()).zip(used) {
            if let Some(word) = words.get(idx).filter(|_| value != 0) {
                word.store(value, Ordering::Release);
            }
        }
        Ok(())
    }

    pub(crate) fn process(&'static self) -> Option<&'static Process> {
        self.begin();
        self.process.get()
    }

    /// Keeps a record until it is sent.
    pub fn record(&'static self, lane: Lane, record: &[u8]) {
        if let Some(process) = self.process() {
            process.stats.n_recorded.fetch_add(1, Ordering::Relaxed);
            process.push(lane, record);
        }
    }

    /// Leaves a breadcrumb where it outlives a kill: JSON of up to 500 bytes.
    pub fn leave_crumb(&'static self, json: &str) {
        if let Some(process) = self.process() {
            let number = 1 + process.n_crumbs.fetch_add(1, Ordering::Relaxed);
            process.ring.leave_crumb(number, json);
        }
    }

    /// Has everything sent; whether it was, within the time given.
    pub fn flush(&'static self, timeout: Duration) -> bool {
        self.process().is_none_or(|process| process.flush(timeout))
    }

    /// Whoever is sent to next is not told of what waits now. What was counted is.
    pub fn discard(&'static self) {
        if let Some(process) = self.process() {
            for lane in Lane::ALL {
                process.skip(Reader::Server, lane);
            }
        }
    }

    /// One last attempt. What is left stays in the ring for the next process of this machine.
    pub fn close(&'static self, timeout: Duration) -> bool {
        let Some(process) = self.own_process() else {
            return true;
        };
        let is_sent = process.close(timeout);
        self.mark_clean_exit();
        is_sent
    }

    /// This process ends as it wishes to: nobody need be told that it died.
    pub fn mark_clean_exit(&self) {
        if let Some(process) = self.own_process() {
            process.ring.set_field(Field::IsClean, 1);
        }
    }

    /// What there is, if it is not a parent's. New settings that nothing was recorded under yet
    /// change nothing about that.
    fn own_process(&self) -> Option<&'static Process> {
        let is_parents = STATE.load(Ordering::Acquire) == FORKED;
        self.process.get().filter(|_| !is_parents)
    }

    /// From here on what this process and its children counted is kept when they are no more: somebody
    /// scrapes, and totals must not go down.
    pub fn keep_totals(&self) {
        self.keeps_totals.store(true, Ordering::Release);
        if let Some(process) = self.own_process() {
            process.ring.set_field(Field::KeepsTotals, 1);
        }
    }

    pub(crate) fn keeps_totals(&self) -> bool {
        self.keeps_totals.load(Ordering::Acquire)
    }

    /// Where the rings of this process and others are, and what this one is called there.
    pub(crate) fn folder(&'static self) -> Option<(&'static Path, &'static str)> {
        let process = self.process()?;
        Some((process.path.get()?.parent()?, &process.instance_id))
    }

    /// A line on standard error, once a minute at most.
    pub(crate) fn say(&'static self, what: &str) {
        if let Some(process) = self.process() {
            process.stats.say(what);
        }
    }

    /// Its name among all processes.
    pub fn instance_id(&'static self) -> &'static str {
        self.process().map_or("", |it| &it.instance_id)
    }

    /// What became of what was recorded.
    pub fn stats(&'static self) -> crate::stats::Snapshot {
        match self.process() {
            Some(process) => process.stats.snapshot(self, process),
            None => crate::stats::Snapshot::default(),
        }
    }

    /// Something could not be taken as it was given.
    pub fn count_bad_argument(&'static self) {
        if let Some(process) = self.process() {
            process
                .stats
                .n_bad_arguments
                .fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A record that sampling left out.
    pub fn count_sampled_out(&'static self, n: u64) {
        if let Some(process) = self.process() {
            process.stats.n_sampled_out.fetch_add(n, Ordering::Relaxed);
        }
    }
}

impl Process {
    pub(crate) fn push(&self, lane: Lane, record: &[u8]) {
        let pushed = {
            let _guard = self.lane(lane);
            self.ring.push(lane, record)
        };
        match pushed {
            Ok(0) => {}
            Ok(n_dropped) => {
                _ = self
                    .stats
                    .n_dropped_full
                    .fetch_add(n_dropped, Ordering::Relaxed)
            }
            Err(_) => _ = self.stats.n_too_large.fetch_add(1, Ordering::Relaxed),
        }
    }

    pub(crate) fn peek(&self, reader: Reader, lane: Lane, bytes_max: usize) -> Taken {
        let _guard = self.lane(lane);
        self.ring.peek(reader, lane, bytes_max)
    }

    pub(crate) fn commit(&self, reader: Reader, lane: Lane, until: u64) {
        let _guard = self.lane(lane);
        self.ring.commit(reader, lane, until);
    }

    pub(crate) fn skip(&self, reader: Reader, lane: Lane) {
        let _guard = self.lane(lane);
        self.ring.skip(reader, lane);
    }

    fn lane(&self, lane: Lane) -> Option<MutexGuard<'_, ()>> {
        self.lanes.get(lane as usize).map(lock)
    }

    pub(crate) fn has_exporter(&self) -> bool {
        self.has_exporter.load(Ordering::Acquire)
    }

    fn flush(&self, timeout: Duration) -> bool {
        if !self.has_exporter() {
            return Lane::ALL.into_iter().all(|lane| self.ring.is_empty(lane));
        }
        let mut wishes = lock(&self.wishes);
        wishes.n_flushes += 1;
        let wanted = wishes.n_flushes;
        self.changed.notify_all();
        let done = self.wait(wishes, timeout, |it| it.n_flushed >= wanted || it.is_closed);
        done.n_flushed >= wanted && done.is_drained
    }

    fn close(&self, timeout: Duration) -> bool {
        if !self.has_exporter() {
            return Lane::ALL.into_iter().all(|lane| self.ring.is_empty(lane));
        }
        let mut wishes = lock(&self.wishes);
        wishes.is_closing = true;
        self.changed.notify_all();
        let done = self.wait(wishes, timeout, |it| it.is_closed);
        done.is_closed && done.is_drained
    }

    fn wait(
        &self,
        wishes: MutexGuard<'_, Wishes>,
        timeout: Duration,
        is_done: impl Fn(&Wishes) -> bool,
    ) -> Wishes {
        let waited = self
            .changed
            .wait_timeout_while(wishes, timeout, |it| !is_done(it));
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// For the exporter: sleeps until the moment or until it is asked for something.
    pub(crate) fn wait_for_wishes(&self, until: Instant) -> Wishes {
        let wishes = lock(&self.wishes);
        let timeout = until.saturating_duration_since(Instant::now());
        self.wait(wishes, timeout, |it| {
            it.is_closing || it.n_flushes > it.n_flushed
        })
    }

    /// For the exporter: what was asked for by then is done.
    pub(crate) fn tell_done(&self, seen: Wishes, is_drained: bool) {
        let mut wishes = lock(&self.wishes);
        wishes.n_flushed = seen.n_flushes;
        wishes.is_drained = is_drained;
        wishes.is_closed = seen.is_closing;
        self.changed.notify_all();
    }
}

/// Nothing that is kept under a lock is left half done by a panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

static STATE: AtomicU8 = AtomicU8::new(NEW);
/// Nothing was recorded yet.
const NEW: u8 = 0;
const READY: u8 = 1;
/// Settings have changed: there may be an exporter to start.
const TO_START: u8 = 2;
/// This is a child that inherited what is the parent's.
const FORKED: u8 = 3;
