//! The ledger: when a step is written down, when that is made durable, and what happens when the
//! disk does not take it. The driver and the simulator both settle their steps here.
//!
//! *Invariants*: decide, record, act. After [`Ledger::record`] a step that is seen outside, or that
//! somebody waits for, is durable, or the caller knows that it is not. What nobody has seen yet is
//! durable at most a second later.
//!
//! *When the disk does not take it*: the caller performs the step all the same, since a message too
//! many is better than none; a snapshot mends the journal as soon as the disk takes one.

use firebell_model::{Duration, Timestamp};

use crate::{Engine, Journal, JournalError, Step};

/// See the module's documentation.
pub struct Ledger {
    journal: Journal,
    /// When what was written but not synced is synced at the latest.
    sync_at: Option<Timestamp>,
    /// When a journal that could not be written is tried again.
    retry_at: Timestamp,
}

impl Ledger {
    /// Begins with a journal whose records the engine has taken.
    #[must_use]
    pub fn new(journal: Journal) -> Self {
        Self {
            journal,
            sync_at: None,
            retry_at: Timestamp::MIN,
        }
    }

    /// Writes down what `engine` has just decided. Also to be called with an empty step when
    /// [`Ledger::poll_deadline`] has passed. `is_awaited`: somebody is answered after this.
    ///
    /// # Errors
    /// When the disk is full or fails: a restart would then forget the latest changes.
    pub fn record(
        &mut self,
        now: Timestamp,
        engine: &Engine,
        step: &Step,
        is_awaited: bool,
    ) -> Result<(), JournalError> {
        let is_urgent = is_awaited || step.is_seen_outside();
        let result = self.write(now, engine, step, is_urgent);
        if result.is_err() {
            self.retry_at = now + RETRY_AFTER;
        }
        result
    }

    /// When [`Ledger::record`] has to be called even if nothing happens.
    #[must_use]
    pub fn poll_deadline(&self) -> Option<Timestamp> {
        let retry_at = self.journal.is_behind().then_some(self.retry_at);
        [self.sync_at, retry_at].into_iter().flatten().min()
    }

    /// Whether what is on disk lacks a step.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.journal.is_behind()
    }

    /// Makes everything durable, before the end.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub fn close(&mut self) -> Result<(), JournalError> {
        self.journal.sync()
    }

    fn write(
        &mut self,
        now: Timestamp,
        engine: &Engine,
        step: &Step,
        is_urgent: bool,
    ) -> Result<(), JournalError> {
        if self.journal.is_behind() {
            // A snapshot has the step in it; when it is not urgent, it may wait for its time.
            if is_urgent || self.retry_at <= now {
                self.journal.snapshot(&engine.records())?;
                self.sync_at = None;
            }
            return Ok(());
        }
        self.journal.record(&step.records)?;
        if !step.records.is_empty() {
            self.sync_at.get_or_insert(now + SYNC_AFTER);
        }
        if is_urgent || self.sync_at.is_some_and(|at| at <= now) {
            self.sync_at = None;
            self.journal.sync()?;
        }
        if self.journal.wants_snapshot() {
            self.journal.snapshot(&engine.records())?;
        }
        Ok(())
    }
}

/// What nobody outside has seen yet is synced this much later.
const SYNC_AFTER: Duration = Duration::from_secs(1);
/// A journal that could not be written is tried again after this.
const RETRY_AFTER: Duration = Duration::from_secs(5);
