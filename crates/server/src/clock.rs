//! The clock: the only place that asks the system for the time.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use firebell_model::Timestamp;

/// Wall time in milliseconds that never goes back, shared by all threads.
#[derive(Default)]
pub(crate) struct Clock {
    latest: AtomicI64,
}

impl Clock {
    /// Now. When the system's clock was set back, time stands still until it has caught up.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that the driver owns"
    )]
    pub(crate) fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let now = i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX);
        Timestamp(self.latest.fetch_max(now, Ordering::Relaxed).max(now))
    }
}

/// Measures how long something takes, apart from wall time.
#[derive(Clone, Copy)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[expect(
        clippy::disallowed_methods,
        reason = "durations are measured at the edge only"
    )]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since the start.
    pub(crate) fn elapsed(self) -> std::time::Duration {
        self.0.elapsed()
    }
}
