//! How many rules and alerts of a group are what people look for.

/// Of some rules.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Alerts that wait for their `for`.
    pub n_pending: usize,
    /// Alerts that begin and end too often.
    pub n_flapping: usize,
    /// Rules whose last evaluation failed.
    pub n_failing: usize,
    /// How often alerts of rules in shadow mode began to fire.
    pub n_shadow_fired: u64,
}

impl Tally {
    /// Puts what a rule comes to now in place of what it came to; that was counted.
    pub(crate) fn exchange(&mut self, before: Self, now: Self) {
        self.n_pending = self.n_pending - before.n_pending + now.n_pending;
        self.n_flapping = self.n_flapping - before.n_flapping + now.n_flapping;
        self.n_failing = self.n_failing - before.n_failing + now.n_failing;
        self.n_shadow_fired = self.n_shadow_fired - before.n_shadow_fired + now.n_shadow_fired;
    }
}

impl std::iter::Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(tallies: I) -> Self {
        let mut sum = Self::default();
        tallies.for_each(|tally| sum.exchange(Self::default(), tally));
        sum
    }
}
