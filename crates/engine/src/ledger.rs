//! The ledger: when a step is written down, when that is made durable, and what happens when the
//! disk does not take it. The driver and the simulator both settle their steps here.
//!
//! *Invariants*: decide, record, act. After [`Ledger::record`] a step that is seen outside, or that
//! somebody waits for, is durable, or the caller knows that it is not. What nobody has seen yet is
//! durable at most a second later. So is that posted alerts go on, although their sender is answered:
//! it survives the end of the process at once, and should the power fail within that second, no more is
//! lost than by one request that did not arrive, for which alerts are sent again long before they end.
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
    /// Whether that has more in it than its senders say again anyway.
    is_news_unsynced: bool,
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
            // The process before may have been killed between what it wrote and the disk.
            is_news_unsynced: true,
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
        let result = match self.journal.is_behind() {
            true => self.mend(now, engine, is_urgent),
            false => self.write(now, engine, step, is_awaited),
        };
        if result.is_err() {
            self.retry_at = now + RETRY_AFTER;
        }
        result
    }

    /// When [`Ledger::record`] has to be called even if nothing happens.
    #[must_use]
    pub fn poll_deadline(&self) -> Option<Timestamp> {
        match self.journal.is_behind() {
            // Nothing is synced before a snapshot has mended it, which has all of it.
            true => Some(self.retry_at),
            false => self.sync_at,
        }
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

    // A snapshot has the step in it; when it is not urgent, it may wait for its time.
    fn mend(
        &mut self,
        now: Timestamp,
        engine: &Engine,
        is_urgent: bool,
    ) -> Result<(), JournalError> {
        if is_urgent || self.retry_at <= now {
            self.journal.snapshot(engine.records())?;
            self.note_synced();
        }
        Ok(())
    }

    fn write(
        &mut self,
        now: Timestamp,
        engine: &Engine,
        step: &Step,
        is_awaited: bool,
    ) -> Result<(), JournalError> {
        self.journal.record(&step.records)?;
        if !step.records.is_empty() {
            self.sync_at.get_or_insert(now + SYNC_AFTER);
            self.is_news_unsynced |= step.has_news();
        }
        let is_urgent = step.is_seen_outside() || (is_awaited && self.is_news_unsynced);
        if is_urgent || self.sync_at.is_some_and(|at| at <= now) {
            self.note_synced();
            self.journal.sync()?;
        }
        if self.journal.wants_snapshot() {
            self.journal.snapshot(engine.records())?;
        }
        Ok(())
    }

    fn note_synced(&mut self) {
        self.sync_at = None;
        self.is_news_unsynced = false;
    }
}

/// What nobody outside has seen yet is synced this much later.
const SYNC_AFTER: Duration = Duration::from_secs(1);
/// A journal that could not be written is tried again after this.
const RETRY_AFTER: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

    use firebell_disk::{Disk, DiskError, MemoryDisk};
    use firebell_dispatch::{
        DEFAULT_RESOLVE_TIMEOUT, DispatchRecord, Receiver, Receivers, RouteSpec, Routing,
    };
    use firebell_model::{Labels, Notification, NotificationReason};
    use firebell_rules::RuleSet;

    use super::*;
    use crate::{Configuration, InboxEntry, Record};

    /// Counts syncs, and is full on demand.
    #[derive(Default)]
    struct Watched {
        files: MemoryDisk,
        n_syncs: AtomicU32,
        is_full: AtomicBool,
    }

    impl Disk for Watched {
        fn append(&self, path: &str, bytes: &[u8]) -> Result<(), DiskError> {
            if self.is_full.load(Relaxed) {
                return Err(DiskError {
                    action: "append to",
                    path: path.to_owned(),
                    why: "no space left on device".to_owned(),
                    is_not_found: false,
                    is_full: true,
                });
            }
            self.files.append(path, bytes)
        }

        fn sync(&self, path: &str) -> Result<(), DiskError> {
            self.n_syncs.fetch_add(1, Relaxed);
            self.files.sync(path)
        }

        fn read(&self, path: &str) -> Result<Vec<u8>, DiskError> {
            self.files.read(path)
        }

        fn replace(&self, path: &str, bytes: &[u8]) -> Result<(), DiskError> {
            self.files.replace(path, bytes)
        }

        fn truncate(&self, path: &str, len: u64) -> Result<(), DiskError> {
            self.files.truncate(path, len)
        }

        fn remove(&self, path: &str) -> Result<(), DiskError> {
            self.files.remove(path)
        }

        fn list(&self, folder: &str) -> Result<Vec<String>, DiskError> {
            self.files.list(folder)
        }
    }

    fn engine() -> Engine {
        let receivers = Receivers::new(vec![Receiver::new("all", [("inbox", true)])]).unwrap();
        let root = RouteSpec {
            receiver: receivers.resolve("all"),
            ..RouteSpec::default()
        };
        let routing = Routing::new(receivers, root, Vec::new(), DEFAULT_RESOLVE_TIMEOUT).unwrap();
        Engine::new(Configuration {
            rules: RuleSet::empty(),
            rule_options: firebell_rules::Options::default(),
            routing: Arc::new(routing),
            dispatch_options: firebell_dispatch::Options::default(),
            delivery_alert: None,
            incidents: Default::default(),
            paging: Default::default(),
            heartbeats: Default::default(),
        })
    }

    fn step() -> Step {
        let notification = Notification {
            at: Timestamp(0),
            receiver: "all".to_owned(),
            group_key: "{}:{}".to_owned(),
            group_labels: Labels::empty(),
            route_labels: Labels::empty(),
            reason: NotificationReason::First,
            alerts: Vec::new(),
            measured: Default::default(),
        };
        let entry = InboxEntry {
            id: 1,
            at: Timestamp(0),
            notification: Arc::new(notification),
        };
        Step {
            records: vec![Record::Inbox(entry)],
            ..Step::default()
        }
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp(secs * 1000)
    }

    #[test]
    fn what_is_awaited_is_synced_at_once_and_the_rest_a_second_later() {
        let disk = Arc::new(Watched::default());
        let (journal, _) = Journal::open(disk.clone(), &mut |_| ()).unwrap();
        let (mut ledger, engine) = (Ledger::new(journal), engine());
        ledger.record(at(10), &engine, &step(), true).unwrap();
        assert_eq!(
            (disk.n_syncs.load(Relaxed), ledger.poll_deadline()),
            (1, None)
        );
        ledger.record(at(20), &engine, &step(), false).unwrap();
        assert_eq!(
            (disk.n_syncs.load(Relaxed), ledger.poll_deadline()),
            (1, Some(at(21)))
        );
        // What comes meanwhile does not put it off.
        ledger
            .record(Timestamp(20_500), &engine, &step(), false)
            .unwrap();
        assert_eq!(ledger.poll_deadline(), Some(at(21)));
        ledger
            .record(at(21), &engine, &Step::default(), false)
            .unwrap();
        assert_eq!(
            (disk.n_syncs.load(Relaxed), ledger.poll_deadline()),
            (2, None)
        );
    }

    #[test]
    fn that_alerts_go_on_is_synced_a_second_later_even_if_awaited() {
        let disk = Arc::new(Watched::default());
        let engine = engine();
        let begin = || Ledger::new(Journal::open(disk.clone(), &mut |_| ()).unwrap().0);
        let goes_on = Step {
            records: vec![Record::Dispatch(DispatchRecord::Renewed(Vec::new()))],
            ..Step::default()
        };
        let n_syncs = || disk.n_syncs.swap(0, Relaxed);
        let mut ledger = begin();
        let mut record = |at: i64, step: &Step, is_awaited: bool| {
            ledger
                .record(Timestamp(at), &engine, step, is_awaited)
                .unwrap();
            (n_syncs(), ledger.poll_deadline())
        };
        let nothing = Step::default();
        record(9_000, &nothing, true);
        assert_eq!(record(10_000, &goes_on, true), (0, Some(at(11))));
        assert_eq!(record(10_900, &goes_on, true), (0, Some(at(11))));
        assert_eq!(record(11_000, &goes_on, true), (1, None));
        // Whoever is answered after news of others knows what may rest on it.
        assert_eq!(record(12_000, &step(), false), (0, Some(at(13))));
        assert_eq!(record(12_100, &goes_on, true), (1, None));
        assert_eq!(record(13_000, &goes_on, false), (0, Some(at(14))));
        assert_eq!(record(13_100, &step(), true), (1, None));
        // What a process that was killed has written may be news that it told nobody.
        assert_eq!(record(14_000, &step(), false), (0, Some(at(15))));
        ledger = begin();
        ledger.record(at(20), &engine, &goes_on, true).unwrap();
        assert_eq!((n_syncs(), ledger.poll_deadline()), (1, None));
    }

    #[test]
    fn a_full_disk_is_tried_again_and_a_snapshot_mends_the_journal() {
        let disk = Arc::new(Watched::default());
        let (journal, _) = Journal::open(disk.clone(), &mut |_| ()).unwrap();
        let (mut ledger, engine) = (Ledger::new(journal), engine());
        // What waits to be synced asks for no look at a disk that takes nothing.
        ledger
            .record(Timestamp(9_500), &engine, &step(), false)
            .unwrap();
        disk.is_full.store(true, Relaxed);
        ledger.record(at(10), &engine, &step(), false).unwrap_err();
        assert!(ledger.is_behind());
        assert_eq!(ledger.poll_deadline(), Some(at(15)));
        // Nothing that can wait is tried before its time, and a person is told.
        ledger.record(at(11), &engine, &step(), false).unwrap();
        ledger.record(at(12), &engine, &step(), true).unwrap_err();
        let nothing = Step::default();
        ledger.record(at(12), &engine, &nothing, true).unwrap_err();
        disk.is_full.store(false, Relaxed);
        ledger
            .record(at(17), &engine, &Step::default(), false)
            .unwrap();
        assert!(!ledger.is_behind());
        assert_eq!(ledger.poll_deadline(), None);
    }
}
