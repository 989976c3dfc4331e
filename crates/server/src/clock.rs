//! The clock: the only place that asks the system for the time.

use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use firebell_model::{Duration, Timestamp};

/// Wall time in milliseconds that never goes back, shared by all threads.
#[derive(Default)]
pub(crate) struct Clock(Mutex<Option<Anchor>>);

/// The last moment at which the system's clock was not behind ours.
#[derive(Clone, Copy)]
struct Anchor {
    time: Timestamp,
    at: Instant,
    /// Whether the system's clock was set back since, and somebody was told.
    is_behind: bool,
}

impl Clock {
    /// Now. When the system's clock was set back, time goes on at half its speed until it has
    /// caught up: timers and scrapes get slower, but nothing stands still.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that the driver owns"
    )]
    pub(crate) fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let system = Timestamp(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX));
        let at = Instant::now();
        let mut anchor = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = anchor.as_mut() {
            let slow = slowed(known.time, at.saturating_duration_since(known.at));
            if system < slow {
                let by = slow - system;
                if by > TOLERANCE && !std::mem::replace(&mut known.is_behind, true) {
                    tracing::warn!(%by, "the system's clock was set back: time goes slower now");
                }
                return slow;
            }
        }
        *anchor = Some(Anchor {
            time: system,
            at,
            is_behind: false,
        });
        system
    }
}

/// The time on a clock that goes at half speed since `time`.
fn slowed(time: Timestamp, elapsed: std::time::Duration) -> Timestamp {
    time + Duration(i64::try_from(elapsed.as_millis() / 2).unwrap_or(i64::MAX))
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

/// A clock that is corrected by less is not worth a word.
const TOLERANCE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the clock itself is tested")]
    fn time_neither_goes_back_nor_stands_still_when_the_system_is_set_back() {
        // As if the system had been an hour ahead ten seconds ago.
        let now = Clock::default().now();
        let ahead = now + Duration::from_mins(60);
        let ten_secs_ago = Instant::now() - std::time::Duration::from_secs(10);
        let clock = Clock(Mutex::new(Some(Anchor {
            time: ahead,
            at: ten_secs_ago,
            is_behind: false,
        })));
        let (first, second) = (clock.now(), clock.now());
        assert!(first >= ahead + Duration::from_secs(5) && second >= first);
        assert!(second < ahead + Duration::from_secs(60));
    }
}
