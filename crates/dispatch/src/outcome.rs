//! What became of the latest deliveries, in memory: for saying why, not for deciding.

use std::collections::VecDeque;
use std::sync::Arc;

use firebell_model::{Duration, NotificationReason, Timestamp};

/// A delivery that arrived or was given up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// When that was known.
    pub at: Timestamp,
    /// Why it was sent.
    pub reason: NotificationReason,
    /// How many attempts it took.
    pub attempts: u32,
    /// From the begin of the last attempt to its outcome, waiting for a turn included.
    pub took: Duration,
    /// What the last attempt said, when it was given up.
    pub error: Option<Arc<str>>,
}

/// The latest outcomes of all groups, each under its key of the notification log.
#[derive(Debug, Default)]
pub(crate) struct Outcomes(VecDeque<(Arc<str>, Outcome)>);

/// The most outcomes that are kept; the oldest make way, and are in the history.
const OUTCOMES_MAX: usize = 10_000;
/// The most bytes of an error that are kept.
const ERROR_BYTES_MAX: usize = 500;

impl Outcomes {
    pub(crate) fn push(&mut self, key: Arc<str>, outcome: Outcome) {
        if self.0.len() >= OUTCOMES_MAX {
            self.0.pop_front();
        }
        self.0.push_back((key, outcome));
    }

    /// Those under a key, the latest first.
    pub(crate) fn of(&self, key: &str) -> impl Iterator<Item = &Outcome> {
        let outcomes = self.0.iter().rev();
        outcomes
            .filter(move |(it, _)| **it == *key)
            .map(|(_, outcome)| outcome)
    }
}

/// An error cut to what is kept, at the end of a character.
pub(crate) fn cut_error(text: &str) -> Arc<str> {
    let mut ends = (0..=text.len().min(ERROR_BYTES_MAX)).rev();
    let end = ends.find(|end| text.is_char_boundary(*end));
    text[..end.unwrap_or(0)].into()
}
