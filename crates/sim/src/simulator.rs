//! The driver on simulated time: decide, record, act, as the live one does it.
//!
//! *Invariants*: time jumps from one moment at which something is due to the next. At one moment
//! inputs come before deadlines. The process can end between any two of decide, record and act.
//!
//! *Not here*: what happens when (`scenario`, `random`), what is wrong with it (`checkers`).

use std::collections::BTreeMap;
use std::sync::Arc;

use firebell_disk::Disk;
use firebell_dispatch::HistoryEntry;
use firebell_engine::{
    Configuration, Effect, Engine, Input, Journal, Ledger, PageMessage, Record, Step,
};
use firebell_model::{Deploy, Duration, Labels, Sample, Timestamp};
use firebell_rules::{Arrived, Evaluation, Rule, RuleGroup, RuleKind, RuleSet, evaluate};
use firebell_slo::Objectives;
use firebell_tsdb::{Batch, Store};

use crate::budgets::measure;
use crate::chance::Chance;
use crate::disk::{Fault, SimDisk};
use crate::world::{Answer, Attempt, World};

/// Firebell in its world, on simulated time.
pub struct Sim<W> {
    /// The world outside.
    pub world: World,
    /// Told of everything that happens.
    pub watch: W,
    /// How the driver is wrong, on purpose.
    pub flaw: Flaw,
    /// The objectives whose budgets are measured when the engine asks.
    pub objectives: Arc<Objectives>,
    /// How long a worker takes at most for an evaluation; zero: the answer comes at once.
    pub evaluation_max: Duration,
    disk: SimDisk,
    chance: Chance,
    now: Timestamp,
    configuration: Configuration,
    process: Option<Process>,
    cut: Option<Cut>,
    restarts_after_cut: bool,
    n_moments: u64,
    n_turns_at_now: u64,
    /// The log of deploys, which outlives the process.
    pub(crate) deploys: Vec<Deploy>,
    /// What has happened, when somebody asks for it.
    pub(crate) history: Option<Vec<HistoryEntry>>,
}

/// What ends with the process.
struct Process {
    engine: Engine,
    ledger: Ledger,
    store: Store,
    queue: BTreeMap<(Timestamp, u64), Event>,
    n_queued: u64,
    maintain_at: Timestamp,
    /// When samples that were written but not synced are synced at the latest.
    sync_at: Option<Timestamp>,
}

enum Event {
    Evaluated(Evaluation),
    Answer(Answer),
    Arrived(Arrived),
    Input(Input),
}

/// How a process ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// `kill -9`: what was written stays.
    Kill,
    /// Only what was synced is sure to stay.
    PowerLoss,
}

/// Where in a step the process ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CutPoint {
    /// Decided, but not written down.
    BeforeRecording,
    /// Written down, but not performed.
    BeforeActing,
    /// Performed: messages are under way.
    AfterActing,
}

/// The next step that sends a message ends the process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cut {
    /// Where in the step.
    pub point: CutPoint,
    /// How.
    pub stop: Stop,
    /// Whether it starts again at once.
    pub restarts: bool,
}

/// Ways to build the driver wrong, to see whether the checkers object.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Flaw {
    /// Right.
    #[default]
    None,
    /// Messages leave before they are written down.
    ActsBeforeRecording,
    /// What was under way is not taken up again after a restart.
    ForgetsToResume,
    /// A message counts as delivered when it is sent.
    NotesOnSending,
    /// One message in three is dropped, and counts as delivered.
    LosesMessages,
    /// Nothing is written down.
    NeverRecords,
    /// What is written down is not synced.
    NeverSyncs,
}

/// What the watch is told of.
#[derive(Debug)]
pub enum Happening<'a> {
    /// The process runs, and took up what was under way.
    Started {
        /// What it did first.
        step: &'a Step,
        /// What it said of files that it could not read.
        damage: &'a [String],
    },
    /// A step was decided and written down, unless that failed.
    Settled {
        /// The step.
        step: &'a Step,
        /// Why it could not be written down.
        failure: Option<String>,
        /// Whether what is on disk lacks a step.
        is_behind: bool,
    },
    /// An attempt to tell somebody begins.
    Began(&'a Attempt),
    /// An attempt has its outcome.
    Ended(&'a Attempt),
    /// A message of a page leaves.
    Paged(&'a PageMessage),
    /// The process is no more; the world knows what was under way.
    Stopped {
        /// How it ended.
        stop: Stop,
        /// Whether a rule was being evaluated: that slot is lost, as live.
        is_mid_evaluation: bool,
    },
}

/// What there is to see at a moment.
pub struct Scene<'a> {
    /// Now.
    pub now: Timestamp,
    /// The engine, while the process runs.
    pub engine: Option<&'a Engine>,
    /// The world outside.
    pub world: &'a World,
}

/// Sees everything that happens.
pub trait Watch {
    /// Something happened.
    fn see(&mut self, scene: &Scene<'_>, what: &Happening<'_>);

    /// Something was done to Firebell or its world.
    fn note(&mut self, _now: Timestamp, _what: &str) {}
}

impl<W: Watch> Sim<W> {
    /// A world at a moment, in which Firebell does not run yet. Everything random comes of `seed`.
    pub fn new(now: Timestamp, configuration: Configuration, seed: u64, watch: W) -> Self {
        Self {
            world: World::default(),
            watch,
            flaw: Flaw::None,
            objectives: Arc::default(),
            evaluation_max: Duration::ZERO,
            disk: SimDisk::default(),
            chance: Chance::new(seed),
            now,
            configuration,
            process: None,
            cut: None,
            restarts_after_cut: false,
            n_moments: 0,
            n_turns_at_now: 0,
            deploys: Vec::new(),
            history: None,
        }
    }

    /// The simulated time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The disk.
    #[must_use]
    pub fn disk(&self) -> &SimDisk {
        &self.disk
    }

    /// The engine, while the process runs.
    #[must_use]
    pub fn engine(&self) -> Option<&Engine> {
        self.process.as_ref().map(|process| &process.engine)
    }

    /// On which incidents error budgets were spent, each line by itself, with times since `start`.
    pub(crate) fn budgets_text(&self, start: Timestamp) -> Vec<String> {
        let Some(process) = &self.process else {
            return Vec::new();
        };
        let incidents = process.engine.incidents().spans(start);
        let times = (start, self.now);
        crate::budgets::spent(&self.objectives, &incidents, times, &process.store)
    }

    /// How many moments there were at which something was due.
    #[must_use]
    pub fn n_moments(&self) -> u64 {
        self.n_moments
    }

    /// Starts the process: opens its files, restores its state, takes up what was under way.
    ///
    /// # Errors
    /// When its files cannot be opened.
    pub fn start(&mut self) -> Result<(), String> {
        let result = self.open();
        if result.is_err() && self.disk.is_cut() {
            // Power failed again while it started.
            self.disk.lose_power(&mut self.chance);
            return self.open();
        }
        result
    }

    fn open(&mut self) -> Result<(), String> {
        if self.flaw == Flaw::NeverSyncs {
            self.disk.lie();
        }
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let default = firebell_tsdb::Options::default();
        // Whoever looks back at what has happened looks at the samples of it.
        let retention = match &self.history {
            Some(_) => default.retention.max(PAST_KEPT),
            None => default.retention,
        };
        let options = firebell_tsdb::Options {
            retention,
            ..default
        };
        let opened = Store::open(Arc::clone(&disk), options);
        let (store, report) = opened.map_err(|error| error.to_string())?;
        let rules = read_again(&self.configuration.rules);
        let mut engine = Engine::new(Configuration {
            rules,
            ..self.configuration.clone()
        });
        let opened = Journal::open(disk, &mut |record| engine.restore(record));
        let (journal, replayed) = opened.map_err(|error| error.to_string())?;
        engine.note_deploys(self.deploys.iter().cloned());
        let mut step = Step::default();
        engine.resume(self.now, &mut step);
        if self.flaw == Flaw::ForgetsToResume {
            step.effects.clear();
        }
        let process = Process {
            engine,
            ledger: Ledger::new(journal),
            store,
            queue: BTreeMap::new(),
            n_queued: 0,
            maintain_at: self.now + MAINTAIN_EVERY,
            sync_at: None,
        };
        self.process = Some(process);
        let damage: Vec<String> = report.damage.into_iter().chain(replayed.damage).collect();
        self.tell(&Happening::Started {
            step: &step,
            damage: &damage,
        });
        self.settle(step, false);
        Ok(())
    }

    /// Ends the process.
    pub fn stop(&mut self, stop: Stop) {
        self.stop_within(stop, false);
    }

    fn stop_within(&mut self, stop: Stop, is_mid_evaluation: bool) {
        let Some(process) = self.process.take() else {
            return;
        };
        let mut queued = process.queue.values();
        let is_mid_evaluation =
            is_mid_evaluation || queued.any(|event| matches!(event, Event::Evaluated(_)));
        self.world.forsake(self.now, &mut self.chance);
        if stop == Stop::PowerLoss {
            self.disk.lose_power(&mut self.chance);
        }
        self.tell(&Happening::Stopped {
            stop,
            is_mid_evaluation,
        });
    }

    /// Has the process end in the middle of a step to come.
    pub fn cut(&mut self, cut: Cut) {
        self.cut = Some(cut);
    }

    /// Has power fail in the middle of a write to come, and the process start again at once if
    /// `restarts`.
    pub fn cut_disk(&mut self, after_n_writes: u64, restarts: bool) {
        self.disk.cut_after(after_n_writes);
        self.restarts_after_cut = restarts;
    }

    /// Lets everything happen that is due until a moment, that moment included.
    ///
    /// # Panics
    /// When it does not go quiet at some moment.
    pub fn run_until(&mut self, until: Timestamp) {
        while let Some(due) = self.due().filter(|due| *due <= until) {
            self.advance(due);
            self.turn(Vec::new());
            self.restart_after_cut();
        }
        self.advance(until);
    }

    /// Lets everything happen that is due before a moment, so that the caller is first at it.
    pub fn run_before(&mut self, moment: Timestamp) {
        self.run_until(moment - Duration(1));
        self.advance(moment);
    }

    /// Samples are scraped; lost when the process does not run, or its disk does not take them.
    pub fn append(&mut self, samples: Vec<(Labels, Sample)>) {
        if let Some(process) = &mut self.process {
            process.write(self.now, samples);
        }
        self.stop_if_cut();
        self.restart_after_cut();
    }

    /// An input arrives; lost when the process does not run.
    pub fn input(&mut self, input: Input) {
        self.turn(vec![input]);
        self.restart_after_cut();
    }

    /// The configuration changes, also that of processes to come.
    pub fn configure(&mut self, configuration: Configuration) {
        self.configuration = configuration.clone();
        self.input(Input::Configured(Box::new(configuration)));
    }

    /// Somebody has the engine do something, and is answered once it is written down. `None` when
    /// the process does not run.
    pub fn command<T>(
        &mut self,
        act: impl FnOnce(&mut Engine, Timestamp, &mut Step) -> T,
    ) -> Option<T> {
        let process = self.process.as_mut()?;
        let mut step = Step::default();
        let answer = act(&mut process.engine, self.now, &mut step);
        self.settle(step, true);
        self.restart_after_cut();
        Some(answer)
    }

    fn due(&self) -> Option<Timestamp> {
        let process = self.process.as_ref()?;
        let first = process.queue.first_key_value().map(|((at, _), _)| *at);
        let (engine, ledger) = (&process.engine, &process.ledger);
        let upkeep_at = process
            .sync_at
            .unwrap_or(process.maintain_at)
            .min(process.maintain_at);
        let deadlines = [first, engine.poll_deadline(), ledger.poll_deadline()];
        Some(
            deadlines
                .into_iter()
                .flatten()
                .fold(upkeep_at, Timestamp::min),
        )
    }

    fn advance(&mut self, to: Timestamp) {
        if to > self.now {
            self.now = to;
            self.n_turns_at_now = 0;
            self.n_moments += 1;
        }
    }

    /// Handles what has arrived and what is due, as one step.
    fn turn(&mut self, inputs: Vec<Input>) {
        self.n_turns_at_now += 1;
        assert!(
            self.n_turns_at_now < TURNS_PER_MOMENT_MAX,
            "did not go quiet at {}",
            self.now
        );
        let now = self.now;
        let Some(process) = &mut self.process else {
            return;
        };
        let mut step = Step::default();
        for input in inputs {
            process.engine.handle(now, input, &mut step);
        }
        let mut heard = Vec::new();
        while let Some(entry) = process.queue.first_entry().filter(|it| it.key().0 <= now) {
            match entry.remove() {
                Event::Evaluated(evaluation) => {
                    process
                        .engine
                        .handle(now, Input::Evaluated(evaluation), &mut step);
                }
                Event::Arrived(arrived) => {
                    process
                        .engine
                        .handle(now, Input::Arrived(arrived), &mut step);
                }
                Event::Input(input) => process.engine.handle(now, input, &mut step),
                Event::Answer(answer) => {
                    let Some(attempt) = self.world.hear(&answer) else {
                        continue;
                    };
                    heard.push(attempt.clone());
                    let input = match answer.outcome {
                        Ok(()) => Input::Delivered(answer.id, None),
                        Err(failure) => Input::Failed(answer.id, failure),
                    };
                    process.engine.handle(now, input, &mut step);
                }
            }
        }
        if process
            .engine
            .poll_deadline()
            .is_some_and(|deadline| deadline <= now)
        {
            process.engine.handle_deadline(now, &mut step);
        }
        for attempt in heard {
            self.tell(&Happening::Ended(&attempt));
        }
        self.settle(step, false);
        self.maintain();
    }

    /// Writes a step down and performs it.
    fn settle(&mut self, step: Step, is_awaited: bool) {
        let cut = self.cut.take_if(|_| step.is_seen_outside());
        self.restarts_after_cut |= cut.is_some_and(|cut| cut.restarts);
        let is_cut_at = |point| cut.filter(|cut| cut.point == point).map(|cut| cut.stop);
        if let Some(stop) = is_cut_at(CutPoint::BeforeRecording) {
            let is_evaluation = step.records.iter().any(|it| matches!(it, Record::Rule(_)));
            let is_mid_evaluation = is_evaluation || has_evaluation(&step.effects);
            if self.flaw == Flaw::ActsBeforeRecording {
                self.perform(step.effects);
            }
            return self.stop_within(stop, is_mid_evaluation);
        }
        let Some(process) = &mut self.process else {
            return;
        };
        if step.is_seen_outside() {
            // What a message rests on is as durable as the message.
            let _ = process.store.sync();
        }
        let recorded = match self.flaw {
            Flaw::NeverRecords => Ok(()),
            _ => process
                .ledger
                .record(self.now, &process.engine, &step, is_awaited),
        };
        let failure = recorded.err().map(|error| error.to_string());
        let is_behind = process.ledger.is_behind();
        if self.stop_if_cut() {
            return;
        }
        self.tell(&Happening::Settled {
            step: &step,
            failure,
            is_behind,
        });
        if let Some(stop) = is_cut_at(CutPoint::BeforeActing) {
            return self.stop_within(stop, has_evaluation(&step.effects));
        }
        if let Some(history) = &mut self.history {
            history.extend(step.history);
        }
        self.perform(step.effects);
        if let Some(stop) = is_cut_at(CutPoint::AfterActing) {
            self.stop(stop);
        }
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        let now = self.now;
        for effect in effects {
            let Some(process) = &mut self.process else {
                return;
            };
            match effect {
                Effect::Write(samples) => process.write(now, samples),
                Effect::WriteHistograms(samples) => {
                    let mut batch = Batch::default();
                    for (labels, sample) in samples {
                        batch.add_histograms(labels, [sample]);
                    }
                    process.append(now, &batch);
                }
                Effect::Watch(list) => process.store.watch(list.generation, list.selectors),
                Effect::Evaluate(request) => {
                    let evaluation = evaluate(&request, &process.store.view());
                    let after = self.chance.between(0, self.evaluation_max.0);
                    process.push(now + Duration(after), Event::Evaluated(evaluation));
                }
                // Alertmanagers elsewhere are beyond this world: what they are told is in the step.
                Effect::Send(_) => {}
                Effect::Notify(delivery) => {
                    if self.flaw == Flaw::LosesMessages && delivery.id.0.is_multiple_of(3) {
                        process.engine.handle(
                            now,
                            Input::Delivered(delivery.id, None),
                            &mut Step::default(),
                        );
                        continue;
                    }
                    let answer = self.world.begin(now, delivery);
                    if self.flaw == Flaw::NotesOnSending {
                        let mut step = Step::default();
                        process
                            .engine
                            .handle(now, Input::Delivered(answer.id, None), &mut step);
                        let settled = Happening::Settled {
                            step: &step,
                            failure: None,
                            is_behind: false,
                        };
                        self.tell(&settled);
                    }
                    if let Some(process) = &mut self.process {
                        process.push(answer.at, Event::Answer(answer));
                    }
                    self.tell_last_attempt();
                }
                Effect::Page(message) => {
                    let outcome = self.world.page(now, &message.to);
                    if let (Some(id), Some((at, arrived))) = (message.id, outcome) {
                        process.push(at, Event::Input(Input::PageOutcome { id, arrived }));
                    }
                    self.tell(&Happening::Paged(&message));
                }
                // Told with the step.
                Effect::PageBroken(..) => {}
                Effect::MeasureBudgets(at) => {
                    let budgets = measure(&self.objectives, at, &process.store);
                    process.push(now, Event::Input(Input::Budgets(budgets)));
                }
                Effect::Cancel(id) => {
                    if let Some(attempt) = self.world.cancel(now, id).cloned() {
                        self.tell(&Happening::Ended(&attempt));
                    }
                }
            }
        }
        self.stop_if_cut();
    }

    /// Keeps the store in shape, as the live driver does.
    fn maintain(&mut self) {
        let now = self.now;
        let Some(process) = &mut self.process else {
            return;
        };
        // What fails is tried again at the next round, and samples stay in memory.
        if process.sync_at.is_some_and(|at| at <= now) {
            process.sync_at = None;
            let _ = process.store.sync();
        }
        if process.maintain_at <= now {
            process.maintain_at = now + MAINTAIN_EVERY;
            let _ = process.store.maintain(now);
        }
        self.stop_if_cut();
    }

    fn stop_if_cut(&mut self) -> bool {
        let is_cut = self.disk.is_cut();
        if is_cut {
            self.stop(Stop::PowerLoss);
        }
        is_cut
    }

    /// Starts the process, or says why that cannot be.
    pub fn restart(&mut self) {
        if let Err(error) = self.start() {
            let is_broken = self.disk.fault() == Fault::Broken;
            let whose = if is_broken { " from a broken disk" } else { "" };
            self.watch
                .note(self.now, &format!("cannot start{whose}: {error}"));
        }
    }

    fn restart_after_cut(&mut self) {
        if self.process.is_none() && std::mem::take(&mut self.restarts_after_cut) {
            self.restart();
        }
    }

    fn tell_last_attempt(&mut self) {
        if let Some(attempt) = self.world.attempts().last().cloned() {
            self.tell(&Happening::Began(&attempt));
        }
    }

    fn tell(&mut self, what: &Happening<'_>) {
        let engine = self.process.as_ref().map(|process| &process.engine);
        let scene = Scene {
            now: self.now,
            engine,
            world: &self.world,
        };
        self.watch.see(&scene, what);
    }
}

impl Process {
    fn push(&mut self, at: Timestamp, event: Event) {
        self.queue.insert((at, self.n_queued), event);
        self.n_queued += 1;
    }

    fn write(&mut self, now: Timestamp, samples: Vec<(Labels, Sample)>) {
        let mut batch = Batch::default();
        for (labels, sample) in samples {
            batch.add(labels, &[sample]);
        }
        self.append(now, &batch);
    }

    fn append(&mut self, now: Timestamp, batch: &Batch) {
        self.sync_at.get_or_insert(now + SYNC_AFTER);
        // Samples that a full disk does not take are lost, live too.
        let _ = self.store.append(batch);
        if let Some((generation, rules)) = self.store.take_arrived() {
            self.push(now, Event::Arrived(Arrived { generation, rules }));
        }
    }
}

/// The rules as a new process reads them: what evaluating had bound to a store ends with it.
fn read_again(rules: &RuleSet) -> RuleSet {
    let again = |rule: &Arc<Rule>| {
        let (name, expr, place) = (rule.name.clone(), rule.expr.clone(), rule.place);
        let fresh = match &rule.kind {
            RuleKind::Alerting(alerting) => Rule::alerting(name, expr, alerting.clone(), place),
            RuleKind::Recording => Rule::recording(name, expr, rule.label_texts.clone(), place),
        };
        Arc::new(fresh.with_cadence(rule.cadence))
    };
    let groups = rules.groups().iter().map(|group| RuleGroup {
        rules: group.rules.iter().map(again).collect(),
        ..group.clone()
    });
    // They were fine before.
    RuleSet::new(groups.collect(), (**rules.context()).clone()).unwrap_or_else(|_| rules.clone())
}

fn has_evaluation(effects: &[Effect]) -> bool {
    effects
        .iter()
        .any(|effect| matches!(effect, Effect::Evaluate(_)))
}

/// More turns than this at one moment are a loop.
const TURNS_PER_MOMENT_MAX: u64 = 10_000;
/// As the live server has it.
const SYNC_AFTER: Duration = Duration::from_secs(5);
const MAINTAIN_EVERY: Duration = Duration::from_secs(60);
/// A month and more.
const PAST_KEPT: Duration = Duration::from_hours(40 * 24);
