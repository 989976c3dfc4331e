//! What a body changes before it is known to count: its new series, and what to take back of others.
//!
//! *Invariant*: the store has no series of a body that is refused.

use firebell_model::{Exemplar, Labels, Timestamp};

use super::{Known, Place, Taking, Value};

/// What a body that is being read has for the first time.
#[derive(Default)]
pub(super) struct Fresh {
    /// New series, by the target's spelling.
    series: Vec<(Box<str>, Labels)>,
    /// Their values, in the order of the body.
    pub(super) waiting: Vec<Waiting>,
    /// Series that were known, as they were before the body.
    before: Vec<(Box<str>, bool, Option<Timestamp>)>,
}

/// A value of a series that is not made yet.
pub(super) struct Waiting {
    /// Which of the new series.
    pub(super) series: usize,
    pub(super) value: Value,
    pub(super) exemplars: Vec<Exemplar>,
}

impl Fresh {
    /// A series that is new.
    pub(super) fn series(&mut self, key: &str, labels: Labels) -> Place {
        self.series.push((key.into(), labels));
        Place::New(self.series.len() - 1)
    }

    /// Notes how a series is, before the body changes that.
    pub(super) fn note(&mut self, key: &str, known: &Known) {
        self.before.push((key.into(), known.is_live, known.created));
    }
}

impl Taking<'_> {
    /// The body counts: makes its new series and adds their values.
    pub(super) fn make(&mut self) {
        let fresh = std::mem::take(&mut self.fresh);
        let mut ids = Vec::with_capacity(fresh.series.len());
        for (key, labels) in &fresh.series {
            let id = match self.store.resolve(labels) {
                Ok(id) => {
                    if let Some(known) = self.series.known.get_mut(key) {
                        known.place = Place::Stored(id);
                    }
                    Some(id)
                }
                // Those that were there before go on; at the next scrape there may be room again.
                Err(error) => {
                    self.series.known.remove(key);
                    self.taken.n_added = self.taken.n_added.saturating_sub(1);
                    self.taken.over_limit.get_or_insert((0, error));
                    None
                }
            };
            ids.push(id);
        }
        for waiting in fresh.waiting {
            match (ids[waiting.series], &mut self.taken.over_limit) {
                (Some(id), _) => {
                    let key = &fresh.series[waiting.series].0;
                    self.add(key, id, waiting.value, waiting.exemplars);
                }
                (None, Some((n, _))) => {
                    *n += 1;
                    self.taken.n_kept -= 1;
                }
                (None, None) => {}
            }
        }
    }

    /// The body is refused: what it says of series is as if it had not been said.
    pub(super) fn undo(&mut self) {
        for (key, _) in self.fresh.series.drain(..) {
            if let Some(known) = self.series.known.get_mut(&key) {
                known.place = Place::Refused;
            }
        }
        // From the last to the first: the oldest note is how it was.
        for (key, is_live, created) in self.fresh.before.drain(..).rev() {
            if let Some(known) = self.series.known.get_mut(&key) {
                (known.is_live, known.created) = (is_live, created);
            }
        }
    }
}
