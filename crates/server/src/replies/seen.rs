//! Requests that were answered: one that comes again, by mistake or by somebody who has heard it,
//! does nothing.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};

/// The latest that were answered.
#[derive(Default)]
pub(crate) struct Seen(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    known: BTreeSet<String>,
    in_order: VecDeque<String>,
}

impl Seen {
    /// Whether a request was answered before.
    pub(crate) fn has(&self, id: &str) -> bool {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.known.contains(id)
    }

    /// Notes that it was; of more than [`SEEN_MAX`] the oldest are forgotten.
    pub(crate) fn note(&self, id: String) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !kept.known.insert(id.clone()) {
            return;
        }
        kept.in_order.push_back(id);
        if kept.in_order.len() > SEEN_MAX
            && let Some(oldest) = kept.in_order.pop_front()
        {
            kept.known.remove(&oldest);
        }
    }
}

/// More than people can answer before signatures are too old.
const SEEN_MAX: usize = 10_000;
