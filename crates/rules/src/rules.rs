//! The core: which rule is evaluated when, and what its result means.
//!
//! *Invariants*: a group has at most one round of evaluations under way, and is in the queue of
//! deadlines when it has none. What changed is in [`Rules::take_changes`] before any effect of the
//! change may be performed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use firebell_model::{Alert, Duration, Fingerprint, HistogramSample, Labels, Sample, Timestamp};

use crate::alerting::Step;
use crate::arrivals::{Arrived, Watched, Watchlist};
use crate::definition::RuleSet;
use crate::evaluate::{Evaluation, EvaluationRequest, RunId};
use crate::group::{GroupState, slot_record};
use crate::measured::ByName;
use crate::migrate;
use crate::record::{RuleKey, RuleRecord};
use crate::runs::Dependencies;
use crate::state::{Outcome, RuleState};
use crate::status::Status;
use crate::view::GroupView;

/// How the rules work; the defaults are upstream's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// External Alertmanagers hear of a firing alert again after this time.
    pub resend_delay: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            resend_delay: Duration::from_mins(1),
        }
    }
}

/// What the driver has to do, in order: an evaluation sees what was written before it.
#[derive(Clone, PartialEq, Debug)]
pub enum RuleEffect {
    /// Evaluate a rule on a worker, and answer with [`Rules::handle_evaluated`].
    Evaluate(EvaluationRequest),
    /// Write samples to the store.
    Write(Vec<(Labels, Sample)>),
    /// Write native histograms to the store.
    WriteHistograms(Vec<(Labels, HistogramSample)>),
    /// Tell dispatch of alerts that began to fire, changed or ended.
    Alerts(Vec<Alert>),
    /// From now on, tell by [`Rules::handle_arrived`] when samples of these series arrive.
    Watch(Watchlist),
    /// Send alerts to the Alertmanagers elsewhere: each has an end, after which it counts as
    /// resolved there unless it is sent again.
    Send(Vec<Alert>),
}

/// The rules and the state of their alerts.
#[derive(Debug)]
pub struct Rules {
    options: Options,
    set: RuleSet,
    generation: u64,
    // As in the set.
    groups: Vec<GroupState>,
    // When which group is to be looked at. An entry may be out of date; there is one for each group
    // that waits, at [`GroupState::wake_at`].
    queue: BinaryHeap<Reverse<(Timestamp, usize)>>,
    watched: Watched,
    by_name: ByName,
    is_started: bool,
    // Restored state, until it is known what became of its rules.
    restored: State,
    changes: Vec<RuleRecord>,
}

/// What survives reloads and restarts.
#[derive(Debug, Default)]
struct State {
    rules: BTreeMap<Arc<RuleKey>, (RuleState, Status)>,
    last_slots: BTreeMap<(String, String), Timestamp>,
}

impl Rules {
    /// Rules that have not begun: state from before a restart may follow by [`Rules::restore`].
    /// The first deadline is at once.
    #[must_use]
    pub fn new(set: RuleSet, options: Options) -> Self {
        Self {
            options,
            set,
            generation: 0,
            groups: Vec::new(),
            queue: BinaryHeap::new(),
            watched: Watched::default(),
            by_name: ByName::default(),
            is_started: false,
            restored: State::default(),
            changes: Vec::new(),
        }
    }

    /// Takes a part of the state from before a restart: all of [`Rules::records`] and, after it,
    /// what [`Rules::take_changes`] gave, in order. Only before the first event.
    pub fn restore(&mut self, record: RuleRecord) {
        match record {
            RuleRecord::Alert { rule, alert } => self.restored.rule(rule).restore_alert(alert),
            RuleRecord::AlertGone {
                rule,
                labels,
                cause,
            } => self.restored.rule(rule).forget_alert(&labels, cause),
            RuleRecord::Flap { rule, labels, flap } => {
                self.restored.rule(rule).restore_flap(labels, flap);
            }
            RuleRecord::Series {
                rule,
                added,
                removed,
            } => self.restored.rule(rule).restore_series(added, &removed),
            RuleRecord::Watched { rule, watched } => {
                self.restored.rule(rule).restore_watched(watched);
            }
            RuleRecord::Unwatched { rule, number } => {
                self.restored.rule(rule).restore_unwatched(number);
            }
            RuleRecord::Learned {
                rule,
                at,
                series,
                is_all,
            } => {
                self.restored
                    .rule(rule)
                    .restore_learned(at, &series, is_all);
            }
            RuleRecord::Slot { file, group, at } => {
                self.restored.last_slots.insert((file, group), at);
            }
            RuleRecord::Unknown => {}
        }
    }

    /// Replaces the rules. State stays with the rules that have the same name and labels, first of
    /// all in the same file and group. Alerts of rules that are gone are resolved, their series end.
    /// Evaluations under way are dropped, and their slots missed.
    pub fn configure(&mut self, now: Timestamp, set: RuleSet, out: &mut Vec<RuleEffect>) {
        let has_state = !self.restored.rules.is_empty() || !self.restored.last_slots.is_empty();
        let is_first_start = !self.is_started && !has_state;
        self.is_started = true;
        let mut old: BTreeMap<(String, String), GroupState> = BTreeMap::new();
        for (group, mut state) in self.set.groups().iter().zip(self.groups.drain(..)) {
            for it in state.rules.drain(..).zip(state.statuses.drain(..)) {
                self.restored.rules.insert(it.0.key.clone(), it);
            }
            old.insert((group.file.clone(), group.name.clone()), state);
        }
        let mut kept = std::mem::take(&mut self.restored);
        let mut outcome = Outcome::default();
        self.set = set;
        self.generation += 1;
        self.queue.clear();
        for group in self.set.groups() {
            let key = (group.file.clone(), group.name.clone());
            let last_slot = kept.last_slots.remove(&key);
            let dependencies = Dependencies::of(group, self.set.context());
            let mut state = match old.remove(&key) {
                Some(old) => old.reconfigured(group, now, dependencies),
                None => GroupState::new(group, last_slot, now, dependencies),
            };
            let keys = RuleKey::of_group(group).into_iter();
            (state.rules, state.statuses) = keys.map(|key| kept.take(key)).unzip();
            self.queue
                .push(Reverse((state.wake_at(), self.groups.len())));
            self.groups.push(state);
        }
        let context = self.set.context().clone();
        for (group, state) in self.set.groups().iter().zip(&mut self.groups) {
            let mut names: BTreeMap<&str, usize> = BTreeMap::new();
            let states = state.rules.iter_mut().zip(&mut state.statuses);
            for (rule, (state, status)) in group.rules.iter().zip(states) {
                kept.move_to((state, status), &mut outcome);
                state.configure_watch(rule, &mut outcome);
                if is_first_start {
                    state.n_before_migration = migrate::evaluations_before(rule);
                }
                let n_before = names.entry(&rule.name).or_default();
                state.nth_of_name = *n_before;
                *n_before += 1;
                state.generator_url = context.generator_url(&rule.expr_text()).into();
                state.readdress(rule, &context, now, &mut outcome);
            }
        }
        for (gone, _) in kept.rules.into_values() {
            gone.retire(now, &mut outcome);
        }
        for (group, state) in self.set.groups().iter().zip(&mut self.groups) {
            state.count(group);
        }
        self.emit(outcome, out);
        self.by_name = ByName::of(self.set.groups());
        let watchlist = self.watched.replace(self.generation, self.set.groups());
        out.extend(watchlist.map(RuleEffect::Watch));
    }

    /// Takes the news that samples have arrived which [`RuleEffect::Watch`] asked for. Their rules
    /// are evaluated at once, or as soon as their last evaluation is not that recent.
    pub fn handle_arrived(&mut self, now: Timestamp, arrived: &Arrived) {
        if arrived.generation != self.generation {
            return;
        }
        for (group_idx, rule_idx) in self.watched.rules(arrived) {
            let offset = self.set.groups()[group_idx].query_offset;
            let state = &mut self.groups[group_idx];
            let wake_at = state.arrive(rule_idx, now + offset);
            self.queue
                .extend(wake_at.map(|at| Reverse((at, group_idx))));
        }
    }

    /// Takes an answer to a [`RuleEffect::Evaluate`], or a part of one. One from before a reload has
    /// no effect.
    pub fn handle_evaluated(
        &mut self,
        now: Timestamp,
        evaluation: Evaluation,
        out: &mut Vec<RuleEffect>,
    ) {
        let id = evaluation.id;
        if id.generation != self.generation {
            return;
        }
        let (Some(group), Some(state)) = (
            self.set.groups().get(id.group_idx),
            self.groups.get_mut(id.group_idx),
        ) else {
            return;
        };
        let step = Step {
            now,
            at: id.at,
            written_at: id.at - group.query_offset,
            limit: group.limit,
            interval: group.interval,
            resend_delay: self.options.resend_delay,
            context: self.set.context(),
        };
        let mut outcome = Outcome::default();
        let is_run_over = state.handle_evaluated(&group.rules, evaluation, &step, &mut outcome);
        self.emit(outcome, out);
        if is_run_over {
            self.evaluate_next(now, id.group_idx, out);
        }
    }

    /// When there is something to do by itself; `None` without rules. The first time: at once.
    #[must_use]
    pub fn poll_deadline(&self) -> Option<Timestamp> {
        if !self.is_started {
            return Some(Timestamp::MIN);
        }
        self.queue.peek().map(|Reverse((slot, _))| *slot)
    }

    /// Begins the evaluations that are due.
    pub fn handle_deadline(&mut self, now: Timestamp, out: &mut Vec<RuleEffect>) {
        if !self.is_started {
            let set = self.set.clone();
            self.configure(now, set, out);
        }
        while let Some(Reverse((at, group_idx))) = self.queue.peek().copied() {
            if at > now {
                break;
            }
            self.queue.pop();
            let (group, state) = (&self.set.groups()[group_idx], &mut self.groups[group_idx]);
            if !state.begin(now) {
                continue;
            }
            self.changes.extend(state.slot_change(group));
            self.evaluate_next(now, group_idx, out);
        }
    }

    /// To be called before the end, when no further event follows: what may be written down later is
    /// among the changes now, so that a restart is as none.
    pub fn settle(&mut self) {
        let running = self.groups.iter().flat_map(|group| &group.rules);
        self.changes.extend(running.filter_map(RuleState::settle));
    }

    /// Moves the changes of state since the last call to `out`. The engine makes them durable
    /// before it performs the effects, at least once for each event, or they pile up here.
    pub fn take_changes(&mut self, out: &mut Vec<RuleRecord>) {
        out.append(&mut self.changes);
    }

    /// The whole state.
    #[must_use]
    pub fn records(&self) -> Vec<RuleRecord> {
        let mut out = Vec::new();
        let running = self.groups.iter().flat_map(|group| &group.rules);
        let restored = self.restored.rules.values().map(|it| &it.0);
        for rule in restored.chain(running) {
            rule.records(&mut out);
        }
        for ((file, group), at) in &self.restored.last_slots {
            let (file, group, at) = (file.clone(), group.clone(), *at);
            out.push(RuleRecord::Slot { file, group, at });
        }
        for (group, state) in self.set.groups().iter().zip(&self.groups) {
            out.extend(state.last_slot.map(|at| slot_record(group, at)));
        }
        out
    }

    /// The present configuration.
    #[must_use]
    pub fn set(&self) -> &RuleSet {
        &self.set
    }

    /// All groups, in order of file and name.
    pub fn groups(&self) -> impl Iterator<Item = GroupView<'_>> {
        let groups = self.set.groups().iter().zip(&self.groups);
        groups.map(|(group, state)| GroupView { group, state })
    }

    /// The values of those alerts that rules fire now, with their thresholds: `0.2 > 0.05`. By the
    /// fingerprints under which the alerts were handed over.
    #[must_use]
    pub fn measured(&self, alerts: &[Alert]) -> BTreeMap<Fingerprint, String> {
        self.by_name
            .measured(self.set.groups(), &self.groups, alerts)
    }

    /// Asks for the round's next run, or waits for the group's next slot after the last one.
    fn evaluate_next(&mut self, now: Timestamp, group_idx: usize, out: &mut Vec<RuleEffect>) {
        let (group, state) = (&self.set.groups()[group_idx], &mut self.groups[group_idx]);
        let shared = self.set.shared(group_idx);
        let Some(rules) = state.next_run(&shared.rules) else {
            return;
        };
        let at = state.round.as_ref().map(|round| round.at);
        let Some(at) = at.filter(|_| !rules.is_empty()) else {
            state.end_round(now);
            self.queue.push(Reverse((state.wake_at(), group_idx)));
            return;
        };
        out.push(RuleEffect::Evaluate(EvaluationRequest {
            is_at_rest: state.may_rest(&rules, now),
            id: RunId {
                generation: self.generation,
                group_idx,
                at,
            },
            query_at: at - group.query_offset,
            rules,
            context: self.set.context().clone(),
            comparisons: shared.comparisons.clone(),
        }));
    }

    fn emit(&mut self, mut outcome: Outcome, out: &mut Vec<RuleEffect>) {
        self.changes.append(&mut outcome.records);
        if !outcome.writes.is_empty() {
            out.push(RuleEffect::Write(outcome.writes));
        }
        if !outcome.histograms.is_empty() {
            out.push(RuleEffect::WriteHistograms(outcome.histograms));
        }
        if !outcome.alerts.is_empty() {
            out.push(RuleEffect::Alerts(outcome.alerts));
        }
        if !outcome.sends.is_empty() {
            out.push(RuleEffect::Send(outcome.sends));
        }
    }
}

impl State {
    fn rule(&mut self, key: Arc<RuleKey>) -> &mut RuleState {
        let new = |key: &Arc<RuleKey>| (RuleState::new(key.clone()), Status::default());
        &mut self.rules.entry(key).or_insert_with_key(new).0
    }

    fn take(&mut self, key: Arc<RuleKey>) -> (RuleState, Status) {
        let kept = self.rules.remove(&key);
        kept.unwrap_or_else(|| (RuleState::new(key), Status::default()))
    }

    /// Gives a rule without state that of one that is gone from another group or file, and is the
    /// same otherwise. To move a rule is not to end its alerts.
    fn move_to(&mut self, to: (&mut RuleState, &mut Status), out: &mut Outcome) {
        let (state, status) = to;
        if !state.is_blank() {
            return;
        }
        let Some(from) = self
            .rules
            .keys()
            .find(|key| key.is_moved(&state.key))
            .cloned()
        else {
            return;
        };
        if let Some((mut moved, its_status)) = self.rules.remove(&from) {
            moved.rename(state.key.clone(), out);
            (*state, *status) = (moved, its_status);
        }
    }
}
