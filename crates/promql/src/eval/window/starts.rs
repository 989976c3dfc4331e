//! Start timestamps: what samples that say since when they count tell of resets.
//!
//! *Sources*: Prometheus, `promql/functions.go`, `isStartTimestampReset`, `checkStartTimeOverlap` and
//! `extrapolatedRate`.

use firebell_model::{Start, TimeRange, Timestamp};

use crate::functions::Window;

/// Whether a function asks since when samples count.
pub(super) fn matter(window: Window) -> bool {
    matches!(
        window,
        Window::Rate | Window::Increase | Window::Irate | Window::Resets
    )
}

/// Since when samples of a series count, in order of time.
#[derive(Clone, Copy, Default)]
pub(crate) struct Starts<'a>(pub(crate) &'a [Start]);

impl Starts<'_> {
    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Since when the sample of a moment counts.
    pub(crate) fn of(self, at: Timestamp) -> Option<Timestamp> {
        let idx = self.0.binary_search_by_key(&at, |it| it.at).ok()?;
        Some(self.0[idx].since)
    }

    /// Whether a counter was reset between two neighbouring samples, by what they say.
    pub(super) fn is_reset(self, before: Timestamp, after: Timestamp) -> bool {
        // To count since one's own moment is OTLP's way of saying "unknown".
        let Some(since) = self.of(after).filter(|since| *since < after) else {
            return false;
        };
        let since_before = self.of(before);
        if since_before == Some(since) || since < before {
            return false;
        }
        if since > before {
            return true;
        }
        // A delta begins where the one before it ended. So does a counter whose beginning is
        // unknown, but then that of the sample before is unknown, too.
        since_before.is_some_and(|since| since < before)
    }

    /// Whether a sample counts what the one before it has counted already.
    pub(super) fn overlap(self, before: Timestamp, after: Timestamp) -> bool {
        let since = self.of(after);
        since.is_some_and(|since| since < before) && since != self.of(before)
    }

    /// Where the first sample of a window began to count, if that lies in the window.
    pub(super) fn within(self, first: Timestamp, range: TimeRange) -> Option<Timestamp> {
        let since = self.of(first);
        since.filter(|since| *since > range.after && *since < first)
    }
}
