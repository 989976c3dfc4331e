//! What it costs to keep a plan for the next one who asks.

use super::select::Selection;
use super::{Prepared, State};

impl Prepared {
    /// How many label sets what is bound may hold: each operation keeps at most one for each series
    /// that the selectors have found.
    #[must_use]
    pub fn n_bound(&self) -> usize {
        n_bound(&self.states)
    }

    /// Drops what the last evaluation was computed in; what is bound stays.
    pub fn rest(&mut self) {
        self.scratch = None;
        self.annotations = Vec::new();
    }
}

fn n_bound(states: &[State]) -> usize {
    let n_found: usize = states.iter().map(State::n_found).sum();
    n_found.saturating_mul(states.len())
}

impl State {
    fn n_found(&self) -> usize {
        let of = |selection: &Selection| selection.ids.len();
        match self {
            Self::Selection(selection) | Self::Timestamps(selection, _) => of(selection),
            Self::Window(selection, _) => selection.as_ref().map_or(0, of),
            Self::Subquery(states, _) => n_bound(states),
            _ => 0,
        }
    }
}
