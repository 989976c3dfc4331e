//! Windows that come again and again, as far as they are the same each time.
//!
//! A window that moves by a step begins and ends in the same pages as the one before. What lies
//! between these is kept summed up, and the two pages with it, so that the next window costs two
//! cuts, however long it is.
//!
//! *Invariants*: what is kept follows from the samples of its times, as all of [`crate::edges`]. A
//! window that ends in the tail holds as long as nothing was sealed behind it.

use std::sync::Arc;

use firebell_model::{Growth, Summary, TimeRange, Timestamp};

use crate::edges::{Cuttable, Room, Shelf};
use crate::part::{Part, join};

/// The windows of one series.
#[derive(Default)]
pub(crate) struct Windows {
    pub(crate) growths: Shelf<Window<Growth>>,
    pub(crate) summaries: Shelf<Window<Summary>>,
}

/// All windows that begin at one edge and end at another.
pub(crate) struct Window<P> {
    pub(crate) first: Edge,
    /// What lies behind the first page and before the last one.
    pub(crate) between: Option<P>,
    pub(crate) last: Edge,
}

/// Where windows begin, or end: in a page, or where there are no samples.
#[derive(Clone)]
pub(crate) struct Edge {
    /// From this moment on, and before that one.
    pub(crate) times: (i64, i64),
    pub(crate) page: Option<Arc<Cuttable>>,
}

impl Edge {
    /// Behind all that is sealed.
    pub(crate) fn tail(sealed_until: i64) -> Self {
        Self {
            times: (sealed_until, i64::MAX),
            page: None,
        }
    }

    /// Between a sample and the next one.
    pub(crate) fn gap(before: i64, next: i64) -> Self {
        Self {
            times: (before, next),
            page: None,
        }
    }

    /// What lies behind this edge of a range and before the other one.
    pub(crate) fn until(&self, last: &Self, range: TimeRange) -> TimeRange {
        let after = self.page.as_ref().map(|_| Timestamp(self.times.1));
        let until = match &last.page {
            Some(_) => Some(Timestamp(last.times.0 - 1)),
            None => last.is_tail().then_some(Timestamp(last.times.0)),
        };
        TimeRange {
            after: after.unwrap_or(range.after),
            until: until.unwrap_or(range.until),
        }
    }

    #[inline]
    fn has(&self, at: i64) -> bool {
        self.times.0 <= at && at < self.times.1
    }

    fn is_tail(&self) -> bool {
        self.times.1 == i64::MAX
    }

    fn part<P: Part>(&self, range: TimeRange) -> Option<P> {
        self.page.as_ref()?.part(range)
    }
}

impl<P: Part> Window<P> {
    /// Whether it is what a range needs, when samples are sealed until then.
    #[inline]
    fn suits(&self, range: TimeRange, sealed_until: Option<i64>) -> bool {
        self.first.has(range.after.0)
            && self.last.has(range.until.0)
            && (!self.last.is_tail() || Some(self.last.times.0) == sealed_until)
    }

    fn part(&self, range: TimeRange) -> Option<P> {
        let first = join(self.first.part(range), self.between);
        join(first, self.last.part(range))
    }
}

impl Windows {
    /// What the sealed samples in the range add up to, when a window is kept that tells.
    #[inline]
    pub(crate) fn part<P: Part>(
        &mut self,
        range: TimeRange,
        sealed_until: Option<i64>,
    ) -> Option<Option<P>> {
        let window = P::windows(self).find(|it| it.suits(range, sealed_until))?;
        Some(window.part(range))
    }

    /// Keeps a window, if there is room.
    pub(crate) fn put<P: Part>(&mut self, window: Window<P>, room: &Room) {
        P::windows(self).put((window.first.times.0, window.last.times.0), window, 0, room);
    }

    /// The pages of the windows that were used.
    pub(crate) fn pages_in_use(&self) -> Vec<Arc<Cuttable>> {
        fn pages<P>(windows: &Shelf<Window<P>>) -> impl Iterator<Item = &Arc<Cuttable>> {
            let used = windows.used();
            used.flat_map(|it| [&it.first, &it.last])
                .filter_map(|it| it.page.as_ref())
        }
        pages(&self.growths)
            .chain(pages(&self.summaries))
            .cloned()
            .collect()
    }
}
