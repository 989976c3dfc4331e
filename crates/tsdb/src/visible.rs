//! Until when the appends of each epoch reach, as far as a view may ask.

use std::num::NonZeroU64;

/// For one series.
#[derive(Default)]
pub(crate) struct Visible {
    now: Option<Reach>,
    /// The state before the epoch of `now`: what views see while that epoch is written.
    before: Option<Reach>,
    /// Older states that living views see, oldest first. Most often there are none.
    older: Option<Box<Older>>,
}

/// Boxed twice: one word of every series, for what hardly any has.
struct Older(Box<[Reach]>);

/// Appends up to an epoch reach until then.
#[derive(Clone, Copy)]
struct Reach {
    /// One more than the epoch.
    after: NonZeroU64,
    until: i64,
}

impl Visible {
    /// True when this is the first append.
    pub(crate) fn advance(&mut self, epoch: u64, at: i64, live: &[u64]) -> bool {
        let after = NonZeroU64::MIN.saturating_add(epoch);
        let now = self.now.replace(Reach { after, until: at });
        if now.is_none_or(|now| now.after == after) {
            return now.is_none();
        }
        let before = std::mem::replace(&mut self.before, now);
        if self.older.is_some() || !live.is_empty() {
            let mut older = self.older.take().map_or_else(Vec::new, |it| it.0.into());
            older.extend(before);
            let kept = self.seen_of(&older, live);
            self.older = (!kept.is_empty()).then(|| Box::new(Older(kept.into())));
        }
        false
    }

    /// What of `older` a living view sees: for each view, the latest state not after its epoch.
    fn seen_of(&self, older: &[Reach], live: &[u64]) -> Vec<Reach> {
        let mut end = self.before.map_or(u64::MAX, |before| before.epoch());
        let mut kept = Vec::new();
        for &state in older.iter().rev() {
            let seen_from = live.partition_point(|&epoch| epoch < state.epoch());
            if live.get(seen_from).is_some_and(|&epoch| epoch < end) {
                kept.push(state);
            }
            end = state.epoch();
        }
        kept.reverse();
        kept
    }

    pub(crate) fn last_at(&self) -> Option<i64> {
        self.now.map(|now| now.until)
    }

    pub(crate) fn until(&self, epoch: u64) -> Option<i64> {
        let newest_first = [self.now, self.before].into_iter().flatten();
        let older = self.older.as_ref().map_or(&[][..], |it| &it.0);
        newest_first
            .chain(older.iter().rev().copied())
            .find(|state| state.epoch() <= epoch)
            .map(|state| state.until)
    }
}

impl Reach {
    fn epoch(self) -> u64 {
        self.after.get() - 1
    }
}
