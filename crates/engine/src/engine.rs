//! The composition of the cores: one step at a time, in a defined order.
//!
//! *Invariants*: a [`Step`] is complete: its records are the whole difference to the state before,
//! and none of its effects may be performed before its records are written down.

use std::sync::Arc;

use firebell_dispatch::{
    Delivery, DeliveryAlert, DeliveryId, Dispatch, DispatchEffect, DispatchRecord,
    FailingDeliveries, FailingRecord, Failure, HistoryEntry, HistoryEvent, PostedAlerts, Routing,
    SilenceError, SilenceId, SilenceRequest,
};
use firebell_escalation::{EscalationRecord, PageKey, SendId};
use firebell_heartbeat::{HeartbeatRecord, Heartbeats};
use firebell_incident::{IncidentRecord, Incidents};
use firebell_model::{Alert, Duration, HistogramSample, Labels, ReceiverData, Sample, Timestamp};
use firebell_rules::{
    AlertPhase, Arrived, Evaluation, EvaluationRequest, RuleEffect, RuleRecord, RuleSet, Rules,
    Watchlist,
};
use serde::{Deserialize, Serialize};

use crate::budgets::{Budgets, KnownBudgets};
use crate::deploys::KnownDeploys;
use crate::inbox::{Inbox, InboxEntry};
use crate::incidents;
use crate::leases::Leases;
use crate::pages::Pages;
use crate::paging::{PageMessage, Paging};

/// What people have configured, checked.
#[derive(Clone)]
pub struct Configuration {
    /// The rules, in groups.
    pub rules: RuleSet,
    /// What the rules need besides.
    pub rule_options: firebell_rules::Options,
    /// Routes, receivers and inhibition.
    pub routing: Arc<Routing>,
    /// Limits and times of dispatch. Those at the start hold until the end.
    pub dispatch_options: firebell_dispatch::Options,
    /// When people are told that others cannot be told; `None` is never.
    pub delivery_alert: Option<DeliveryAlert>,
    /// When incidents open, and what belongs to them.
    pub incidents: firebell_incident::Policy,
    /// Who is told of incidents until somebody looks into them.
    pub paging: Paging,
    /// The jobs that are awaited.
    pub heartbeats: firebell_heartbeat::Policy,
}

/// Everything that can happen to the engine, besides the passing of time.
pub enum Input {
    /// People changed the configuration; state is kept where it still fits.
    Configured(Box<Configuration>),
    /// A worker has evaluated a run of rules, or a part of one.
    Evaluated(Evaluation),
    /// Samples have arrived that [`Effect::Watch`] asked for.
    Arrived(Arrived),
    /// A notification was delivered; the integration may want to be told something again at the
    /// next one of the group.
    Delivered(DeliveryId, Option<ReceiverData>),
    /// A notification could not be delivered.
    Failed(DeliveryId, Failure),
    /// What became of a message of [`Effect::Page`].
    PageOutcome {
        /// Of which.
        id: SendId,
        /// Whether whoever carries it to the person has taken it.
        arrived: bool,
    },
    /// What is left of all error budgets, after [`Effect::MeasureBudgets`].
    Budgets(Budgets),
}

/// Everything that the engine wants done. The outcome comes back as an [`Input`].
#[derive(Debug)]
pub enum Effect {
    /// Evaluate a run of rules over the store as it is after all earlier effects.
    Evaluate(EvaluationRequest),
    /// Append samples to the store.
    Write(Vec<(Labels, Sample)>),
    /// Append native histograms to the store.
    WriteHistograms(Vec<(Labels, HistogramSample)>),
    /// Tell from now on when samples of these series arrive.
    Watch(Watchlist),
    /// Send alerts to the Alertmanagers elsewhere that the configuration names.
    Send(Vec<Alert>),
    /// Deliver a notification.
    Notify(Delivery),
    /// Give a delivery up; its outcome no longer matters.
    Cancel(DeliveryId),
    /// Tell a person or a channel of incidents.
    Page(PageMessage),
    /// Log as an error that a page broke an invariant. It was mended.
    PageBroken(PageKey, &'static str),
    /// Measure what is left of all error budgets at a moment; the answer is [`Input::Budgets`].
    MeasureBudgets(Timestamp),
}

/// A piece of state to write down; the last one of a key wins.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// Of the rules.
    Rule(RuleRecord),
    /// Of dispatch.
    Dispatch(DispatchRecord),
    /// A new entry of the inbox.
    Inbox(InboxEntry),
    /// An integration fails, or no longer does.
    Failing(FailingRecord),
    /// Of incidents.
    Incident(IncidentRecord),
    /// Of pages.
    Page(EscalationRecord),
    /// Of a heartbeat.
    Heartbeat(HeartbeatRecord),
}

/// What one call of the engine led to.
#[derive(Default, Debug)]
pub struct Step {
    /// To be written down first.
    pub records: Vec<Record>,
    /// To be performed then, in order.
    pub effects: Vec<Effect>,
    /// What has happened, for the history: nothing rests on it.
    pub history: Vec<HistoryEntry>,
}

impl Step {
    /// Whether anything is recorded but alerts that go on as they were.
    pub(crate) fn has_news(&self) -> bool {
        let goes_on =
            |record: &Record| matches!(record, Record::Dispatch(DispatchRecord::Renewed(_)));
        !self.records.iter().all(goes_on)
    }

    /// Whether the step must be durable before its effects: it leads to a message to the world.
    #[must_use]
    pub fn is_seen_outside(&self) -> bool {
        self.effects.iter().any(|effect| {
            matches!(
                effect,
                Effect::Notify(_) | Effect::Send(_) | Effect::Page(_)
            )
        })
    }
}

/// See the crate's documentation.
pub struct Engine {
    rules: Rules,
    pub(crate) dispatch: Dispatch,
    inbox: Inbox,
    failing: FailingDeliveries,
    pub(crate) incidents: Incidents,
    pub(crate) pages: Pages,
    pub(crate) budgets: KnownBudgets,
    pub(crate) heartbeats: Heartbeats,
    pub(crate) leases: Leases,
    pub(crate) deploys: KnownDeploys,
    /// When alerts that wait for the end of what mutes them are looked at.
    pub(crate) muted_look_at: Option<Timestamp>,
}

impl Engine {
    /// An engine without state. Follow with [`Engine::restore`] for each record and
    /// [`Engine::resume`] once.
    #[must_use]
    pub fn new(configuration: Configuration) -> Self {
        let Configuration {
            rules,
            rule_options,
            routing,
            dispatch_options,
            delivery_alert,
            incidents,
            paging,
            heartbeats,
        } = configuration;
        Self {
            rules: Rules::new(rules, rule_options),
            dispatch: Dispatch::new(routing, dispatch_options),
            inbox: Inbox::default(),
            failing: FailingDeliveries::new(delivery_alert),
            incidents: Incidents::new(incidents),
            pages: Pages::new(paging),
            budgets: KnownBudgets::default(),
            heartbeats: Heartbeats::new(heartbeats),
            leases: Leases::default(),
            deploys: KnownDeploys::default(),
            muted_look_at: None,
        }
    }

    /// Puts a recorded piece of state back.
    pub fn restore(&mut self, record: Record) {
        match record {
            Record::Rule(record) => self.rules.restore(record),
            Record::Dispatch(record) => self.dispatch.restore(record),
            Record::Inbox(entry) => self.inbox.restore(entry),
            Record::Failing(record) => self.failing.restore(record),
            Record::Incident(record) => self.incidents.restore(record),
            Record::Page(record) => self.pages.restore(record),
            Record::Heartbeat(record) => self.heartbeats.restore(record),
        }
    }

    /// Goes on after a restart: what was under way is done again, and rules have their alerts back.
    pub fn resume(&mut self, now: Timestamp, step: &mut Step) {
        self.in_dispatch(now, step, |dispatch, out| dispatch.resume(now, out));
        let ended = self.failing.resume(now, self.dispatch.routing());
        self.tell_of_failing(now, ended, step);
        let alerts = self.heartbeats.resume(now);
        self.tell_of_heartbeats(now, alerts, step);
        incidents::resume(&mut self.incidents, now, &self.dispatch);
        self.look_at_muted_by(now);
        // Not left to the first deadline: whoever looked before it would see alerts without rules.
        self.in_rules(now, step, |rules, out| rules.handle_deadline(now, out));
        for effect in &mut step.effects {
            if let Effect::Notify(delivery) = effect {
                self.complete(delivery);
            }
        }
        self.resume_budgets(now);
        self.resume_pages(now, step);
        self.finish(now, step);
    }

    /// Takes one input.
    pub fn handle(&mut self, now: Timestamp, input: Input, step: &mut Step) {
        match input {
            Input::Configured(configuration) => {
                let Configuration {
                    rules,
                    rule_options: _,
                    routing,
                    dispatch_options: _,
                    delivery_alert,
                    incidents,
                    paging,
                    heartbeats,
                } = *configuration;
                self.incidents.configure(incidents);
                let ended = self.failing.configure(now, delivery_alert, &routing);
                // Routes first, so that what the rules resolve leaves by the new ones.
                self.in_dispatch(now, step, |dispatch, out| {
                    dispatch.configure(now, routing, out)
                });
                self.in_rules(now, step, |core, out| {
                    core.configure(now, rules, out);
                });
                self.tell_of_failing(now, ended, step);
                let alerts = self.heartbeats.configure(now, heartbeats);
                self.tell_of_heartbeats(now, alerts, step);
                self.configure_pages(now, paging, step);
                self.configure_budgets(now, step);
            }
            Input::Evaluated(evaluation) => {
                let tells = self.in_rules(now, step, |rules, out| {
                    rules.handle_evaluated(now, evaluation, out);
                });
                if !tells {
                    return self.finish_rules(step);
                }
            }
            Input::Arrived(arrived) => self.rules.handle_arrived(now, &arrived),
            Input::Delivered(id, data) => {
                let reached = self.dispatch.recipient(id);
                let ended = reached.and_then(|who| self.failing.succeed(now, who));
                self.in_dispatch(now, step, |dispatch, out| {
                    dispatch.handle_delivered(now, id, data, out);
                });
                self.tell_of_failing(now, ended.into_iter().collect(), step);
            }
            Input::Failed(id, failure) => {
                if let Some(who) = self.dispatch.recipient(id) {
                    self.failing.fail(now, who, &failure.why);
                }
                self.in_dispatch(now, step, |dispatch, out| {
                    dispatch.handle_failed(now, id, failure, out);
                });
            }
            Input::Budgets(budgets) => self.take_budgets(now, budgets, step),
            Input::PageOutcome { id, arrived } => {
                self.in_pages(now, step, |pages, out| {
                    pages.handle_outcome(now, (id, arrived), out)
                });
            }
        }
        self.finish(now, step);
    }

    /// Collects what else has to be written down when nothing follows but the end.
    pub fn settle(&mut self, now: Timestamp, step: &mut Step) {
        self.rules.settle();
        self.finish(now, step);
    }

    /// When [`Engine::handle_deadline`] wants to be called next.
    #[must_use]
    pub fn poll_deadline(&self) -> Option<Timestamp> {
        let of_rules = self.rules.poll_deadline();
        of_rules.into_iter().chain(self.poll_others()).min()
    }

    /// When it is due for another reason than [`Rules::poll_deadline`].
    fn poll_others(&self) -> Option<Timestamp> {
        let of_parts = [
            self.dispatch.poll_deadline(),
            self.failing.poll_deadline(),
            self.incidents.poll_deadline(),
            self.pages.poll_deadline(),
            self.budgets.poll_deadline(),
            self.heartbeats.poll_deadline(),
            self.muted_look_at,
        ];
        of_parts.into_iter().flatten().min()
    }

    /// Does what is due.
    pub fn handle_deadline(&mut self, now: Timestamp, step: &mut Step) {
        let tells = self.in_rules(now, step, |rules, out| rules.handle_deadline(now, out));
        if !tells && self.poll_others().is_none_or(|at| at > now) {
            return self.finish_rules(step);
        }
        let failing = self.failing.handle_deadline(now);
        self.tell_of_failing(now, failing, step);
        let missed = self.heartbeats.handle_deadline(now);
        self.tell_of_heartbeats(now, missed, step);
        self.in_dispatch(now, step, |dispatch, out| {
            dispatch.handle_deadline(now, out)
        });
        self.hear(now, step);
        self.look_at_muted(now);
        self.incidents.handle_deadline(now);
        // What is over by now pages nobody any more.
        self.follow_incidents(now, step);
        self.in_pages(now, step, |pages, out| pages.handle_deadline(now, out));
        self.budgets.handle_deadline(now, step);
        self.finish(now, step);
    }

    /// Takes posted alerts; returns what is wrong with those that are bad.
    pub fn post_alerts(
        &mut self,
        now: Timestamp,
        posted: &PostedAlerts,
        step: &mut Step,
    ) -> Vec<String> {
        let mut errors = Vec::new();
        self.in_dispatch(now, step, |dispatch, out| {
            errors = dispatch.handle_posted(now, posted, out);
        });
        self.finish(now, step);
        errors
    }

    /// Makes or changes a silence.
    ///
    /// # Errors
    /// When the request is not sound, or names a silence that does not exist.
    pub fn set_silence(
        &mut self,
        now: Timestamp,
        request: SilenceRequest,
        step: &mut Step,
    ) -> Result<SilenceId, SilenceError> {
        let mut result = None;
        self.in_dispatch(now, step, |dispatch, out| {
            result = Some(dispatch.set_silence(now, request, out));
        });
        self.look_at_muted_by(now);
        self.finish(now, step);
        // The closure above always ran.
        result.unwrap_or_else(|| Err(SilenceError::Invalid("no answer".to_owned())))
    }

    /// Ends a silence.
    ///
    /// # Errors
    /// When it does not exist.
    pub fn expire_silence(
        &mut self,
        now: Timestamp,
        id: &SilenceId,
        step: &mut Step,
    ) -> Result<(), SilenceError> {
        let mut result = Ok(());
        self.in_dispatch(now, step, |dispatch, out| {
            result = dispatch.expire_silence(now, id, out);
        });
        self.look_at_muted_by(now);
        self.finish(now, step);
        result
    }

    /// The rules, to look at.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Dispatch, to look at.
    #[must_use]
    pub fn dispatch(&self) -> &Dispatch {
        &self.dispatch
    }

    /// The inbox, to look at.
    #[must_use]
    pub fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// The whole state, for a snapshot.
    pub fn records(&self) -> impl Iterator<Item = Record> {
        let rules = self.rules.records().into_iter().map(Record::Rule);
        rules
            .chain(self.dispatch.records().map(Record::Dispatch))
            .chain(self.inbox.entries().cloned().map(Record::Inbox))
            .chain(self.failing.records().map(Record::Failing))
            .chain(self.incidents.records().map(Record::Incident))
            .chain(self.pages.records().map(Record::Page))
            .chain(self.heartbeats.records().map(Record::Heartbeat))
    }

    // Returns whether dispatch was told anything: otherwise nothing follows outside the rules.
    fn in_rules(
        &mut self,
        now: Timestamp,
        step: &mut Step,
        act: impl FnOnce(&mut Rules, &mut Vec<RuleEffect>),
    ) -> bool {
        let (mut out, mut tells) = (Vec::new(), false);
        act(&mut self.rules, &mut out);
        for effect in out {
            match effect {
                RuleEffect::Evaluate(request) => step.effects.push(Effect::Evaluate(request)),
                RuleEffect::Watch(list) => step.effects.push(Effect::Watch(list)),
                RuleEffect::Write(samples) => step.effects.push(Effect::Write(samples)),
                RuleEffect::WriteHistograms(samples) => {
                    step.effects.push(Effect::WriteHistograms(samples));
                }
                RuleEffect::Send(mut alerts) => {
                    alerts.iter_mut().for_each(|it| self.deploys.annotate(it));
                    step.effects.push(Effect::Send(alerts));
                }
                RuleEffect::Alerts(alerts) => {
                    tells = true;
                    self.in_dispatch(now, step, |dispatch, out| {
                        dispatch.handle_own_alerts(now, &alerts, out);
                    });
                }
            }
        }
        tells
    }

    pub(crate) fn in_dispatch(
        &mut self,
        now: Timestamp,
        step: &mut Step,
        act: impl FnOnce(&mut Dispatch, &mut Vec<DispatchEffect>),
    ) {
        let mut out = Vec::new();
        act(&mut self.dispatch, &mut out);
        // A delivery to the inbox is done at once, and its outcome may lead to further effects.
        while !out.is_empty() {
            let mut further = Vec::new();
            for effect in out {
                match effect {
                    DispatchEffect::Notify(mut delivery) if delivery.integration.is_inbox() => {
                        self.deploys.annotate_all(&mut delivery.notification);
                        self.inbox.add(now, delivery.notification);
                        self.dispatch
                            .handle_delivered(now, delivery.id, None, &mut further);
                    }
                    DispatchEffect::Notify(mut delivery) => {
                        self.complete(&mut delivery);
                        step.effects.push(Effect::Notify(delivery));
                    }
                    DispatchEffect::Cancel(id) => step.effects.push(Effect::Cancel(id)),
                }
            }
            out = further;
        }
    }

    /// Alerts about integrations that fail go the way of all alerts.
    fn tell_of_failing(&mut self, now: Timestamp, alerts: Vec<Alert>, step: &mut Step) {
        if !alerts.is_empty() {
            self.in_dispatch(now, step, |dispatch, out| {
                dispatch.handle_own_alerts(now, &alerts, out);
            });
        }
    }

    /// What is told says how far beyond its threshold an alert is at that moment, and which deploy was
    /// the last before it.
    fn complete(&self, delivery: &mut Delivery) {
        self.deploys.annotate_all(&mut delivery.notification);
        let measured = self.rules.measured(&delivery.notification.alerts);
        if !measured.is_empty() {
            Arc::make_mut(&mut delivery.notification).measured = measured;
        }
    }

    /// Incidents hear what has happened to alerts since they last heard.
    pub(crate) fn hear(&mut self, now: Timestamp, step: &mut Step) {
        let n_heard = step.history.len();
        self.dispatch.take_happened(&mut step.history);
        let new = &step.history[n_heard..];
        incidents::hear(&mut self.incidents, now, &self.dispatch, new);
    }

    /// Collects what has to be written down of rules: all there is when nothing else was touched, as
    /// most evaluations find what they have found before.
    fn finish_rules(&mut self, step: &mut Step) {
        let mut changes = Vec::new();
        self.rules.take_changes(&mut changes);
        let context = self.rules.set().context();
        let began = changes.iter().filter_map(|it| began_to_wait(it, context));
        step.history.extend(began);
        step.records.extend(changes.into_iter().map(Record::Rule));
    }

    /// Collects what has to be written down.
    pub(crate) fn finish(&mut self, now: Timestamp, step: &mut Step) {
        self.finish_rules(step);
        self.hear(now, step);
        if self.incidents.has_new_waiting() {
            self.look_at_muted_by(now + NEW_WAITING_AFTER);
        }
        self.follow_budgets(now);
        self.follow_incidents(now, step);
        let of_incidents = self.incidents.take_happened().into_iter();
        step.history.extend(of_incidents.map(incidents::entry));
        let mut changes = Vec::new();
        self.dispatch.take_changes(&mut changes);
        step.records
            .extend(changes.into_iter().map(Record::Dispatch));
        step.records
            .extend(self.inbox.take_new().map(Record::Inbox));
        let changes = self.failing.take_changes().into_iter();
        step.records.extend(changes.map(Record::Failing));
        let changes = self.incidents.take_changes().into_iter();
        step.records.extend(changes.map(Record::Incident));
        let changes = self.pages.take_changes().into_iter();
        step.records.extend(changes.map(Record::Page));
        let changes = self.heartbeats.take_changes().into_iter();
        step.records.extend(changes.map(Record::Heartbeat));
    }
}

// That an alert waits for its `for`, in the labels under which it would be handed over.
fn began_to_wait(record: &RuleRecord, context: &firebell_rules::Context) -> Option<HistoryEntry> {
    let RuleRecord::Alert { alert, .. } = record else {
        return None;
    };
    let is_pending = alert.phase == AlertPhase::Pending && !alert.is_shadow;
    is_pending.then(|| HistoryEntry {
        at: alert.active_at,
        labels: context
            .outgoing(&alert.labels)
            .unwrap_or_else(|| alert.labels.clone()),
        event: HistoryEvent::Pending,
    })
}

/// Alerts that wait since a moment ago are looked at together.
const NEW_WAITING_AFTER: Duration = Duration::from_secs(1);
