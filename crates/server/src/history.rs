//! Writes the history on a thread of its own: the driver hands entries over and waits for nothing.
//!
//! *Limits*: at most [`WAITING_MAX`] entries wait to be written; more are lost and counted, as are
//! those that the disk does not take. What was handed over is in the file within milliseconds, and
//! durable a second later.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration as StdDuration;

use firebell_disk::{Disk, LogError};
use firebell_dispatch::HistoryEntry;
use firebell_engine::{History, HistoryLimits, HistoryPage, HistoryQuery, read_history};

use crate::clock::{Clock, Stopwatch};
use crate::live::Live;
use crate::metrics::Metrics;

/// Why nothing can be said of the past.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unread {
    /// It is being read, or could not be.
    #[error("the history is not open yet, or could not be opened: the log says why")]
    NotOpen,
    /// The disk failed.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// The driver's end. The thread ends with it.
pub(crate) struct HistoryWriter {
    entries: Sender<Vec<HistoryEntry>>,
    shared: Arc<Shared>,
}

/// The readers' end; cheap to clone.
#[derive(Clone)]
pub(crate) struct HistoryReader {
    shared: Arc<Shared>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

struct Shared {
    disk: Arc<dyn Disk>,
    live: Arc<Live>,
    clock: Arc<Clock>,
    // `None` until it is opened, and for ever when that fails.
    history: Mutex<Option<History>>,
    n_waiting: AtomicUsize,
    n_lost: AtomicU64,
    metrics: Arc<Metrics>,
}

/// Starts the thread, which first reads what there is.
///
/// # Errors
/// When the system gives no thread.
pub(crate) fn start(
    disk: Arc<dyn Disk>,
    (live, clock): (&Arc<Live>, &Arc<Clock>),
    metrics: Arc<Metrics>,
) -> std::io::Result<(HistoryWriter, HistoryReader)> {
    let shared = Arc::new(Shared {
        disk,
        live: Arc::clone(live),
        clock: Arc::clone(clock),
        history: Mutex::new(None),
        n_waiting: AtomicUsize::new(0),
        n_lost: AtomicU64::new(0),
        metrics,
    });
    let (entries, inbox) = mpsc::channel();
    let writing = Arc::clone(&shared);
    let thread = std::thread::Builder::new()
        .name("history".to_owned())
        .spawn(move || writing.run(&inbox))?;
    let reader = HistoryReader {
        shared: Arc::clone(&shared),
        thread: Arc::new(Mutex::new(Some(thread))),
    };
    Ok((HistoryWriter { entries, shared }, reader))
}

impl HistoryWriter {
    /// Hands entries over.
    pub(crate) fn write(&self, entries: Vec<HistoryEntry>) {
        if entries.is_empty() {
            return;
        }
        let n_entries = entries.len();
        let n_waiting = self.shared.n_waiting.fetch_add(n_entries, Relaxed);
        if n_waiting > WAITING_MAX || self.entries.send(entries).is_err() {
            self.shared.n_waiting.fetch_sub(n_entries, Relaxed);
            self.shared.lose("queue_full", n_entries);
        }
    }
}

impl HistoryReader {
    /// Finds entries. To be called where one may wait for the disk.
    ///
    /// # Errors
    /// When it is not open, or the disk fails.
    pub(crate) fn find(&self, query: &HistoryQuery) -> Result<HistoryPage, Unread> {
        let segments = self.shared.lock().as_ref().map(History::segments);
        let segments = segments.ok_or(Unread::NotOpen)?;
        Ok(read_history(&*self.shared.disk, &segments, query)?)
    }

    /// Entries that were lost since the start of the process.
    pub(crate) fn n_lost(&self) -> u64 {
        self.shared.n_lost.load(Relaxed)
    }

    /// Waits until everything is written, once the driver has ended.
    pub(crate) fn join(&self) {
        let thread = self.thread.lock();
        let thread = thread.unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // It has said why, if it failed.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Option<History>> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lose(&self, reason: &'static str, n_entries: usize) {
        self.metrics.count_lost(reason, n_entries as u64);
        let n_before = self.n_lost.fetch_add(n_entries as u64, Relaxed);
        if n_before == 0 {
            tracing::error!("entries of the history are lost, and counted from now on");
        }
    }

    fn limits(&self) -> HistoryLimits {
        let kept = self.live.config().history;
        HistoryLimits {
            retention: kept.retention,
            bytes_max: kept.bytes_max,
        }
    }

    fn run(&self, inbox: &Receiver<Vec<HistoryEntry>>) {
        match History::open(Arc::clone(&self.disk), &self.limits()) {
            Ok((history, damage)) => {
                for damage in damage {
                    tracing::error!(damage, "the history is damaged; the rest of it is used");
                }
                *self.lock() = Some(history);
            }
            Err(error) => tracing::error!(%error, "failed to open the history: none is kept"),
        }
        let (mut n_turns, mut since_forgotten) = (0_u64, Stopwatch::start());
        loop {
            let next = inbox.recv_timeout(FORGET_EVERY);
            match next {
                Ok(entries) => self.append(entries, inbox),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            // Both time and entries make some of it too old, or too much.
            let is_due = since_forgotten.elapsed() >= FORGET_EVERY;
            if is_due || n_turns.is_multiple_of(FORGET_EVERY_TURNS) {
                self.forget();
                since_forgotten = Stopwatch::start();
            }
            n_turns += 1;
        }
        self.sync();
    }

    // With all that waits besides, as few frames; then made durable.
    fn append(&self, mut entries: Vec<HistoryEntry>, inbox: &Receiver<Vec<HistoryEntry>>) {
        // Bursts come in many steps: a short wait makes them one write and one sync.
        std::thread::park_timeout(GATHER_FOR);
        while entries.len() < BATCH_ENTRIES_MAX
            && let Ok(more) = inbox.try_recv()
        {
            entries.extend(more);
        }
        let result = match self.lock().as_mut() {
            Some(history) => history.append(&entries).map_err(|error| error.to_string()),
            None => Err("it could not be opened".to_owned()),
        };
        self.n_waiting.fetch_sub(entries.len(), Relaxed);
        if let Err(error) = result {
            tracing::warn!(error, "failed to write the history");
            self.lose("disk", entries.len());
        }
        self.sync();
    }

    fn sync(&self) {
        let result = self.lock().as_mut().map_or(Ok(()), History::sync);
        if let Err(error) = result {
            tracing::warn!(%error, "failed to sync the history");
        }
    }

    fn forget(&self) {
        let (now, limits) = (self.clock.now(), self.limits());
        let forget = |history: &mut History| history.forget(now, &limits);
        let result = self.lock().as_mut().map_or(Ok(0), forget);
        match result {
            Ok(0) => {}
            Ok(n_before_time) => self.metrics.count_lost("bytes", n_before_time),
            Err(error) => tracing::warn!(%error, "failed to drop old parts of the history"),
        }
    }
}

/// The most entries that wait to be written.
const WAITING_MAX: usize = 200_000;
/// The most entries that are written at once.
const BATCH_ENTRIES_MAX: usize = 20_000;
/// How long entries are gathered before they are written.
const GATHER_FOR: StdDuration = StdDuration::from_millis(20);
const FORGET_EVERY: StdDuration = StdDuration::from_secs(60);
const FORGET_EVERY_TURNS: u64 = 60;
