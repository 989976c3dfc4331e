//! Until when the appends of each epoch reach, as far as a view may ask.

/// For one series.
#[derive(Default)]
pub(crate) struct Visible {
    now: Option<(u64, i64)>,
    /// The state before the epoch of `now`: what views see while that epoch is written.
    before: Option<(u64, i64)>,
    /// Older states that living views see, oldest first.
    older: Vec<(u64, i64)>,
}

impl Visible {
    /// True when this is the first append.
    pub(crate) fn advance(&mut self, epoch: u64, at: i64, live: &[u64]) -> bool {
        let now = self.now.replace((epoch, at));
        if now.is_none_or(|now| now.0 == epoch) {
            return now.is_none();
        }
        if !live.is_empty() {
            self.older.extend(self.before);
        }
        self.before = now;
        if !self.older.is_empty() {
            self.forget(live);
        }
        false
    }

    /// Keeps of `older` what a living view sees: for each, the latest state not after its epoch.
    fn forget(&mut self, live: &[u64]) {
        let mut end = self.before.map_or(u64::MAX, |before| before.0);
        let mut kept: Vec<(u64, i64)> = Vec::new();
        for &state in self.older.iter().rev() {
            let seen_from = live.partition_point(|&epoch| epoch < state.0);
            if live.get(seen_from).is_some_and(|&epoch| epoch < end) {
                kept.push(state);
            }
            end = state.0;
        }
        kept.reverse();
        self.older = kept;
    }

    pub(crate) fn last_at(&self) -> Option<i64> {
        self.now.map(|now| now.1)
    }

    pub(crate) fn until(&self, epoch: u64) -> Option<i64> {
        let newest_first = [self.now, self.before].into_iter().flatten();
        newest_first
            .chain(self.older.iter().rev().copied())
            .find(|state| state.0 <= epoch)
            .map(|state| state.1)
    }
}
