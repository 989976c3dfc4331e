//! What became of what was recorded, in numbers; and the rare line on standard error.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::client::{Client, Process, lock};

/// Counted by whoever sees it happen.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    pub(crate) n_recorded: AtomicU64,
    pub(crate) n_exported: AtomicU64,
    pub(crate) n_dropped_full: AtomicU64,
    pub(crate) n_too_large: AtomicU64,
    pub(crate) n_rejected: AtomicU64,
    pub(crate) n_sampled_out: AtomicU64,
    pub(crate) n_recovered: AtomicU64,
    pub(crate) n_failed_attempts: AtomicU64,
    pub(crate) n_bad_arguments: AtomicU64,
    pub(crate) is_stopped: AtomicBool,
    pub(crate) is_backing_off: AtomicBool,
    last_error: Mutex<Option<String>>,
    said_at: Mutex<Option<Instant>>,
}

/// The numbers at a moment; see `Stats` of the package for what they mean.
#[derive(Clone, PartialEq, Debug, Default)]
#[expect(
    missing_docs,
    reason = "described where people read them, in the stubs of the package"
)]
pub struct Snapshot {
    pub recorded: u64,
    pub exported: u64,
    pub dropped_buffer_full: u64,
    pub dropped_too_large: u64,
    pub dropped_cardinality: u64,
    pub dropped_rejected: u64,
    pub dropped_sampled: u64,
    pub recovered_from_dead_process: u64,
    pub failed_export_attempts: u64,
    pub bad_arguments: u64,
    pub ring_path: Option<String>,
    pub state: &'static str,
    pub last_export_error: Option<String>,
}

impl Stats {
    pub(crate) fn snapshot(&self, client: &Client, process: &Process) -> Snapshot {
        let read = |it: &AtomicU64| it.load(Ordering::Relaxed);
        Snapshot {
            recorded: read(&self.n_recorded),
            exported: read(&self.n_exported),
            dropped_buffer_full: read(&self.n_dropped_full),
            dropped_too_large: read(&self.n_too_large),
            dropped_cardinality: client.metrics.n_overflowed(),
            dropped_rejected: read(&self.n_rejected),
            dropped_sampled: read(&self.n_sampled_out),
            recovered_from_dead_process: read(&self.n_recovered),
            failed_export_attempts: read(&self.n_failed_attempts),
            bad_arguments: read(&self.n_bad_arguments),
            ring_path: process.path.get().map(|it| it.display().to_string()),
            state: self.state(process),
            last_export_error: lock(&self.last_error).clone(),
        }
    }

    fn state(&self, process: &Process) -> &'static str {
        if !process.has_exporter() {
            "off"
        } else if self.is_stopped.load(Ordering::Relaxed) {
            "stopped"
        } else if self.is_backing_off.load(Ordering::Relaxed) {
            "backing off"
        } else {
            "ok"
        }
    }

    pub(crate) fn fail(&self, why: String) {
        self.n_failed_attempts.fetch_add(1, Ordering::Relaxed);
        self.say(&why);
        *lock(&self.last_error) = Some(why);
    }

    /// Something was lost, though nothing failed.
    pub(crate) fn note(&self, why: String, is_news: bool) {
        if is_news {
            self.say(&why);
        }
        *lock(&self.last_error) = Some(why);
    }

    /// A line on standard error, once a minute at most. Not through `std::io::stderr`: its lock might
    /// be held when the process forks.
    pub(crate) fn say(&self, what: &str) {
        let mut said_at = lock(&self.said_at);
        if said_at.is_some_and(|at| at.elapsed() < SAY_EVERY) {
            return;
        }
        *said_at = Some(Instant::now());
        let line = format!("firebell: {what}\n");
        let _ = rustix::io::write(rustix::stdio::stderr(), line.as_bytes());
    }
}

const SAY_EVERY: Duration = Duration::from_secs(60);
