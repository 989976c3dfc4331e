//! The driver: the one owner of the engine. Next event or deadline, engine, journal, perform.
//!
//! *Invariants*: a step is settled with the engine's [`Ledger`] before its effects are performed
//! and its commands answered. Events that wait together share one sync (group commit). When the
//! journal cannot be written, pages still go out, and commands of people are refused. A panic of the
//! engine ends the process: its journal is sound, its memory may not be.
//!
//! *Limits*: the queue holds at most an event per connection, per rule group that is evaluated and
//! per delivery under way; each of these is limited where it begins. `firebell_driver_queue` counts.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration as StdDuration;

use firebell_engine::{Engine, Input, JournalError, Ledger, Record, Step};
use firebell_model::{Duration, Timestamp};
use firebell_rules::{Arrived, Evaluation, RESULT_RESTS_MAX};
use tokio::sync::{oneshot, watch};

use crate::clock::{Clock, Stopwatch};
use crate::metrics::Metrics;
use crate::perform::Performer;

/// Sends events to the driver; cheap to clone.
#[derive(Clone)]
pub(crate) struct Handle {
    events: Sender<Event>,
    resting: Resting,
    metrics: Arc<Metrics>,
    changes: Arc<watch::Sender<Changes>>,
}

/// Results that need not wake the driver, and since when they rest. It takes them at its next turn,
/// before anything else.
type Resting = Arc<Mutex<Vec<(Stopwatch, Evaluation)>>>;

/// Counts up whenever something that the page shows has changed.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Changes {
    /// Alerts, silences or groups.
    pub alerts: u64,
    /// The inbox.
    pub inbox: u64,
    /// Configuration and targets.
    pub status: u64,
}

/// Something for the driver.
enum Event {
    Input(Input),
    Command(Command),
    Read(Look),
    /// The store has samples that a rule waits for.
    Arrived,
    /// No more deliveries begin.
    Drain,
    Shutdown,
}

/// Looks at the engine.
type Look = Box<dyn FnOnce(&Engine, Timestamp) + Send>;

/// Has the engine do something.
type Act = Box<dyn FnOnce(&mut Engine, Timestamp, &mut Step) + Send>;

/// A wish from outside.
struct Command {
    act: Act,
    /// Told once its outcome is durable ([`Ledger::record`]), unless nothing is written down of it.
    done: Option<oneshot::Sender<Result<(), Unrecorded>>>,
}

/// A command whose outcome could not be written down.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Unrecorded {
    /// The journal cannot be written.
    #[error("the change could not be written down: {0}")]
    Journal(String),
    /// The driver has stopped.
    #[error("firebell is shutting down")]
    Stopped,
}

impl Handle {
    /// Hands an input over.
    pub(crate) fn input(&self, input: Input) {
        // After shutdown nobody listens, and nothing is lost: the sender will try again.
        let _ = self.send(Event::Input(input));
    }

    /// Hands over a result that may rest ([`firebell_rules::EvaluationRequest::may_rest`]).
    pub(crate) fn rest(&self, evaluation: Evaluation) {
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        resting.push((Stopwatch::start(), evaluation));
    }

    /// Says that [`firebell_tsdb::Store::take_arrived`] has something.
    pub(crate) fn arrived(&self) {
        let _ = self.send(Event::Arrived);
    }

    fn send(&self, event: Event) -> Result<(), Unrecorded> {
        self.metrics.driver_queue.inc();
        self.events.send(event).map_err(|_| Unrecorded::Stopped)
    }

    /// Looks at the engine between two steps.
    ///
    /// # Errors
    /// When the driver has stopped.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Engine, Timestamp) -> T + Send + 'static,
    ) -> Result<T, Unrecorded> {
        let (answer, answered) = oneshot::channel();
        let look = Box::new(move |engine: &Engine, now| {
            let _ = answer.send(look(engine, now));
        });
        self.send(Event::Read(look))?;
        answered.await.map_err(|_| Unrecorded::Stopped)
    }

    /// Has the engine do something, and waits until its outcome is durable.
    ///
    /// # Errors
    /// When the outcome could not be written down: it then holds until the next restart only.
    pub(crate) async fn command<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Engine, Timestamp, &mut Step) -> T + Send + 'static,
    ) -> Result<T, Unrecorded> {
        let (answer, answered) = oneshot::channel();
        let (done, is_done) = oneshot::channel();
        let act = Box::new(move |engine: &mut Engine, now, step: &mut Step| {
            let _ = answer.send(act(engine, now, step));
        });
        let done = Some(done);
        self.send(Event::Command(Command { act, done }))?;
        is_done.await.map_err(|_| Unrecorded::Stopped)??;
        answered.await.map_err(|_| Unrecorded::Stopped)
    }

    /// Has the engine change something of which nothing is written down: the disk is not waited for.
    ///
    /// # Errors
    /// When the driver has stopped.
    pub(crate) async fn change<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Engine, Timestamp) -> T + Send + 'static,
    ) -> Result<T, Unrecorded> {
        let (answer, answered) = oneshot::channel();
        let act = Box::new(move |engine: &mut Engine, now, _: &mut Step| {
            let _ = answer.send(act(engine, now));
        });
        self.send(Event::Command(Command { act, done: None }))?;
        answered.await.map_err(|_| Unrecorded::Stopped)
    }

    /// Begins no more deliveries, and gives those that are under way some time to end. What ends is
    /// not told again after a restart; the rest is, as the journal says.
    pub(crate) async fn drain(&self) {
        let _ = self.send(Event::Drain);
        // What the driver was at may still have begun some.
        if self.read(|_, _| ()).await.is_err() {
            return;
        }
        let ended = async {
            while self.metrics.deliveries_under_way.get() > 0 {
                tokio::time::sleep(DRAIN_LOOK_EVERY).await;
            }
        };
        let _ = tokio::time::timeout(DRAIN_MAX, ended).await;
    }

    /// Asks the driver to finish; what waits is handled first.
    pub(crate) fn shut_down(&self) {
        let _ = self.send(Event::Shutdown);
    }

    /// Tells when something that the page shows has changed.
    pub(crate) fn changes(&self) -> watch::Receiver<Changes> {
        self.changes.subscribe()
    }

    /// Says that the configuration or the targets have changed.
    pub(crate) fn status_changed(&self) {
        self.changes.send_modify(|changes| changes.status += 1);
    }
}

/// The driver's state; lives on its own thread.
pub(crate) struct Driver {
    pub engine: Engine,
    pub ledger: Ledger,
    pub performer: Performer,
    pub clock: Arc<Clock>,
    pub metrics: Arc<Metrics>,
    changes: Arc<watch::Sender<Changes>>,
    events: Receiver<Event>,
    resting: Resting,
}

/// A driver that runs.
pub(crate) struct DriverThread {
    /// To wait for its end.
    pub thread: JoinHandle<()>,
    /// Resolves, to an error, when it ends, however it ends.
    pub ended: oneshot::Receiver<Infallible>,
}

/// The two ends of the driver's queue, made before the driver so that workers can have one.
pub(crate) struct Queue {
    handle: Handle,
    events: Receiver<Event>,
}

impl Queue {
    /// An empty queue.
    pub(crate) fn new(metrics: Arc<Metrics>) -> Self {
        let (events_tx, events) = mpsc::channel();
        let changes = Arc::new(watch::Sender::new(Changes::default()));
        Self {
            handle: Handle {
                events: events_tx,
                resting: Resting::default(),
                metrics,
                changes,
            },
            events,
        }
    }

    /// The sending end.
    pub(crate) fn handle(&self) -> Handle {
        self.handle.clone()
    }
}

impl Driver {
    /// A driver for an engine that was restored but not yet resumed.
    pub(crate) fn new(
        queue: Queue,
        engine: Engine,
        ledger: Ledger,
        performer: Performer,
        clock: Arc<Clock>,
    ) -> Self {
        let arrivals = queue.handle();
        performer.store.notify_arrivals(move || arrivals.arrived());
        let Queue {
            handle:
                Handle {
                    events: _,
                    resting,
                    metrics,
                    changes,
                },
            events,
        } = queue;
        Self {
            engine,
            ledger,
            performer,
            clock,
            metrics,
            changes,
            events,
            resting,
        }
    }

    /// Runs on a thread of its own until shut down.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(mut self) -> std::io::Result<DriverThread> {
        let (alive, ended) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("driver".to_owned())
            .spawn(move || {
                let _alive = alive;
                self.run();
            })?;
        Ok(DriverThread { thread, ended })
    }

    fn run(&mut self) {
        let mut step = Step::default();
        let now = self.clock.now();
        self.engine.resume(now, &mut step);
        self.metrics.quality.resume(now, &self.engine);
        self.settle(step, Vec::new());
        loop {
            let first = match self.events.recv_timeout(self.wait()) {
                Ok(event) => Some(event),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if !self.turn(first) {
                break;
            }
        }
        let mut step = Step::default();
        self.engine.settle(self.clock.now(), &mut step);
        self.settle(step, Vec::new());
        if let Err(error) = self.ledger.close() {
            tracing::error!(%error, "failed to sync the journal at shutdown");
        }
    }

    /// Handles what waits and what is due, as one step; false when told to stop.
    fn turn(&mut self, first: Option<Event>) -> bool {
        let mut step = Step::default();
        let (mut waiting, mut goes_on) = (Vec::new(), true);
        self.take_resting(&mut step);
        let mut next = first;
        for _ in 0..EVENTS_PER_STEP_MAX {
            let Some(event) = next.take().or_else(|| self.events.try_recv().ok()) else {
                break;
            };
            self.metrics.driver_queue.dec();
            let now = self.clock.now();
            match event {
                Event::Input(input) => self.engine.handle(now, input, &mut step),
                Event::Read(look) => {
                    // Whoever only looks can do no harm, not even by a panic: its asker is told.
                    let _ = catch_unwind(AssertUnwindSafe(|| look(&self.engine, now)));
                }
                Event::Arrived => {
                    if let Some((generation, rules)) = self.performer.store.take_arrived() {
                        let arrived = Input::Arrived(Arrived { generation, rules });
                        self.engine.handle(now, arrived, &mut step);
                    }
                }
                Event::Command(command) => {
                    (command.act)(&mut self.engine, now, &mut step);
                    waiting.extend(command.done);
                }
                Event::Drain => self.performer.drain(),
                Event::Shutdown => {
                    goes_on = false;
                    break;
                }
            }
        }
        self.performer.report_slow_runs();
        let now = self.clock.now();
        if goes_on
            && self
                .engine
                .poll_deadline()
                .is_some_and(|deadline| deadline <= now)
        {
            self.engine.handle_deadline(now, &mut step);
        }
        self.settle(step, waiting);
        goes_on
    }

    /// Handles the results that rest. Every turn does, and there is one at least every [`WAIT_MAX`].
    fn take_resting(&mut self, step: &mut Step) {
        let resting = self.resting.lock();
        let resting = std::mem::take(&mut *resting.unwrap_or_else(PoisonError::into_inner));
        for (watch, mut evaluation) in resting {
            evaluation.rested = watch.elapsed();
            let now = self.clock.now();
            self.engine.handle(now, Input::Evaluated(evaluation), step);
        }
    }

    /// Records a step, performs it and answers those who wait for it.
    fn settle(&mut self, step: Step, waiting: Vec<oneshot::Sender<Result<(), Unrecorded>>>) {
        // What a message rests on is as durable as the message: otherwise the samples that made an
        // alert fire could be lost with the power, and the alert be called resolved.
        if step.is_seen_outside()
            && let Err(error) = self.performer.store.sync()
        {
            tracing::error!(%error, "failed to sync the metric store before a message");
        }
        let now = self.clock.now();
        let recorded = self
            .ledger
            .record(now, &self.engine, &step, !waiting.is_empty());
        self.metrics
            .journal_records
            .inc_by(step.records.len() as u64);
        if let Err(error) = &recorded {
            self.metrics.journal_failures.inc();
            tracing::error!(%error, "the journal is behind: a restart would forget the latest changes");
        }
        self.note_trouble(&recorded);
        self.publish(&step.records);
        self.metrics.quality.count(&self.engine, &step);
        self.performer.perform(step.effects);
        self.metrics.notifications.count(&step.history);
        self.performer.history.write(step.history);
        let answer = recorded.map_err(|error| Unrecorded::Journal(error.to_string()));
        for done in waiting {
            let _ = done.send(answer.clone());
        }
    }

    /// Keeps for the status why a restart would forget something.
    fn note_trouble(&self, recorded: &Result<(), JournalError>) {
        let trouble = match recorded {
            Err(error) => Some(error.to_string()),
            Ok(()) if self.ledger.is_behind() => return,
            Ok(()) => None,
        };
        let known = self.metrics.journal_trouble.lock();
        let mut known = known.unwrap_or_else(PoisonError::into_inner);
        if *known != trouble {
            *known = trouble;
            self.changes.send_modify(|changes| changes.status += 1);
        }
    }

    fn publish(&self, records: &[Record]) {
        let is_inbox = |record: &Record| matches!(record, Record::Inbox(_));
        if records.is_empty() {
            return;
        }
        self.changes.send_modify(|changes| {
            changes.alerts += u64::from(records.iter().any(|record| !is_inbox(record)));
            changes.inbox += u64::from(records.iter().any(is_inbox));
        });
    }

    /// How long nothing is due.
    fn wait(&self) -> StdDuration {
        let now = self.clock.now();
        let deadlines = [self.engine.poll_deadline(), self.ledger.poll_deadline()];
        let due = deadlines.into_iter().flatten().min();
        // Never long: the system's clock may be set forward while we wait.
        due.map_or(WAIT_MAX, |due| (due - now).min(WAIT_MAX))
            .to_std()
    }
}

/// How long deliveries that are under way have to end when the process is told to.
const DRAIN_MAX: StdDuration = StdDuration::from_secs(5);
const DRAIN_LOOK_EVERY: StdDuration = StdDuration::from_millis(20);
/// Events that share one step and one sync.
const EVENTS_PER_STEP_MAX: usize = 256;
/// The longest wait between two looks at the clock.
const WAIT_MAX: Duration = RESULT_RESTS_MAX;
