//! What is due when, in one queue.

use std::collections::BTreeSet;
use std::sync::Arc;

use firebell_model::{Fingerprint, Timestamp};

use crate::group::GroupKey;
use crate::{DeliveryId, SilenceId};

/// What becomes due. At one moment the order is that of the variants, then of the keys: a flush
/// whose time is over ends before the group's next one begins.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Deadline {
    /// The time of a flush is over.
    FlushEnd(GroupKey),
    /// The time of a summary is over.
    SummaryEnd(Arc<str>),
    /// The period of a receiver is over.
    Window(Arc<str>),
    /// A delivery is tried again.
    Retry(DeliveryId),
    /// A group decides.
    Flush(GroupKey),
    /// A silence ends, or is forgotten.
    Silence(SilenceId),
    /// An entry of the notification log is forgotten.
    Nflog(Arc<str>),
    /// A resolved alert that no group waits for is forgotten.
    Alert(Fingerprint),
}

/// The queue. An entry may be out of date: who takes it checks with the thing itself.
#[derive(Debug, Default)]
pub(crate) struct Deadlines(BTreeSet<(Timestamp, Deadline)>);

impl Deadlines {
    pub(crate) fn push(&mut self, at: Timestamp, deadline: Deadline) {
        self.0.insert((at, deadline));
    }

    pub(crate) fn remove(&mut self, at: Timestamp, deadline: Deadline) {
        self.0.remove(&(at, deadline));
    }

    pub(crate) fn peek(&self) -> Option<Timestamp> {
        self.0.first().map(|(at, _)| *at)
    }

    pub(crate) fn pop_due(&mut self, now: Timestamp) -> Option<Deadline> {
        if self.peek()? > now {
            return None;
        }
        self.0.pop_first().map(|(_, deadline)| deadline)
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
