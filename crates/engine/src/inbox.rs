//! The built-in inbox: notifications that the page shows, delivered in the step that decides them.
//!
//! *Invariants*: an entry and the fact that it was delivered stand in the same frame of the
//! journal, so a crash never repeats one.

use std::collections::VecDeque;
use std::sync::Arc;

use firebell_model::{Notification, Timestamp};
use serde::{Deserialize, Serialize};

/// How many notifications are kept; the oldest make way.
pub const INBOX_ENTRIES_MAX: usize = 1000;

/// One notification as it was shown.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct InboxEntry {
    /// Counts up from 1, over restarts.
    pub id: u64,
    /// When it arrived.
    pub at: Timestamp,
    /// What it says.
    pub notification: Arc<Notification>,
}

/// The entries, oldest first.
#[derive(Default, Debug)]
pub struct Inbox {
    entries: VecDeque<InboxEntry>,
    n_recorded: usize,
}

impl Inbox {
    /// The entries, oldest first.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &InboxEntry> + ExactSizeIterator {
        self.entries.iter()
    }

    /// Takes a notification in.
    pub(crate) fn add(&mut self, at: Timestamp, notification: Arc<Notification>) {
        let id = self.entries.back().map_or(1, |last| last.id + 1);
        self.push(InboxEntry {
            id,
            at,
            notification,
        });
    }

    /// The entries that came since the last call.
    pub(crate) fn take_new(&mut self) -> impl Iterator<Item = InboxEntry> {
        let first_new = self.n_recorded.min(self.entries.len());
        self.n_recorded = self.entries.len();
        self.entries.range(first_new..).cloned()
    }

    /// Puts a recorded entry back.
    pub(crate) fn restore(&mut self, entry: InboxEntry) {
        self.push(entry);
        self.n_recorded = self.entries.len();
    }

    fn push(&mut self, entry: InboxEntry) {
        self.entries.push_back(entry);
        // Trimming needs no record: a replay trims in the same way.
        if self.entries.len() > INBOX_ENTRIES_MAX {
            self.entries.pop_front();
            self.n_recorded = self.n_recorded.saturating_sub(1);
        }
    }
}
