//! The composition of the cores: one step at a time, in a defined order.
//!
//! *Invariants*: a [`Step`] is complete: its records are the whole difference to the state before,
//! and none of its effects may be performed before its records are written down.

use std::sync::Arc;

use firebell_dispatch::{
    Delivery, DeliveryId, Dispatch, DispatchEffect, DispatchRecord, Failure, Routing, SilenceError,
    SilenceId, SilenceRequest,
};
use firebell_model::{Alert, HistogramSample, Labels, ReceiverData, Sample, Timestamp};
use firebell_rules::{
    Arrived, Evaluation, EvaluationRequest, RuleEffect, RuleRecord, RuleSet, Rules, Watchlist,
};
use serde::{Deserialize, Serialize};

use crate::inbox::{self, Inbox, InboxEntry};

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
}

/// Everything that can happen to the engine, besides the passing of time.
pub enum Input {
    /// People changed the configuration; state is kept where it still fits.
    Configured(Box<Configuration>),
    /// A worker has evaluated a run of rules, or a part of one.
    Evaluated(Evaluation),
    /// Samples have arrived that [`Effect::Watch`] asked for.
    Arrived(Arrived),
    /// Alerts came from outside, normalised by [`Dispatch::normalize`].
    AlertsPosted(Vec<Alert>),
    /// A notification was delivered; the integration may want to be told something again at the
    /// next one of the group.
    Delivered(DeliveryId, Option<ReceiverData>),
    /// A notification could not be delivered.
    Failed(DeliveryId, Failure),
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
}

/// What one call of the engine led to.
#[derive(Default, Debug)]
pub struct Step {
    /// To be written down first.
    pub records: Vec<Record>,
    /// To be performed then, in order.
    pub effects: Vec<Effect>,
}

impl Step {
    /// Whether the step must be durable before its effects: it leads to a message to the world.
    #[must_use]
    pub fn is_seen_outside(&self) -> bool {
        self.effects
            .iter()
            .any(|effect| matches!(effect, Effect::Notify(_) | Effect::Send(_)))
    }
}

/// See the crate's documentation.
pub struct Engine {
    rules: Rules,
    dispatch: Dispatch,
    inbox: Inbox,
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
        } = configuration;
        Self {
            rules: Rules::new(rules, rule_options),
            dispatch: Dispatch::new(routing, dispatch_options),
            inbox: Inbox::default(),
        }
    }

    /// Puts a recorded piece of state back.
    pub fn restore(&mut self, record: Record) {
        match record {
            Record::Rule(record) => self.rules.restore(record),
            Record::Dispatch(record) => self.dispatch.restore(record),
            Record::Inbox(entry) => self.inbox.restore(entry),
        }
    }

    /// Goes on after a restart: what was under way is done again.
    pub fn resume(&mut self, now: Timestamp, step: &mut Step) {
        self.in_dispatch(now, step, |dispatch, out| dispatch.resume(now, out));
        self.finish(step);
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
                } = *configuration;
                // Routes first, so that what the rules resolve leaves by the new ones.
                self.in_dispatch(now, step, |dispatch, out| {
                    dispatch.configure(now, routing, out)
                });
                self.in_rules(now, step, |core, out| {
                    core.configure(now, rules, out);
                });
            }
            Input::Evaluated(evaluation) => {
                self.in_rules(now, step, |rules, out| {
                    rules.handle_evaluated(now, evaluation, out);
                });
            }
            Input::Arrived(arrived) => self.rules.handle_arrived(now, &arrived),
            Input::AlertsPosted(alerts) => {
                self.in_dispatch(now, step, |dispatch, out| {
                    dispatch.handle_alerts(now, &alerts, out);
                });
            }
            Input::Delivered(id, data) => {
                self.in_dispatch(now, step, |dispatch, out| {
                    dispatch.handle_delivered(now, id, data, out);
                });
            }
            Input::Failed(id, failure) => {
                self.in_dispatch(now, step, |dispatch, out| {
                    dispatch.handle_failed(now, id, failure, out);
                });
            }
        }
        self.finish(step);
    }

    /// When [`Engine::handle_deadline`] wants to be called next.
    #[must_use]
    pub fn poll_deadline(&self) -> Option<Timestamp> {
        [self.rules.poll_deadline(), self.dispatch.poll_deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Does what is due.
    pub fn handle_deadline(&mut self, now: Timestamp, step: &mut Step) {
        self.in_rules(now, step, |rules, out| rules.handle_deadline(now, out));
        self.in_dispatch(now, step, |dispatch, out| {
            dispatch.handle_deadline(now, out)
        });
        self.finish(step);
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
        self.finish(step);
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
        self.finish(step);
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
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        let rules = self.rules.records().into_iter().map(Record::Rule);
        let dispatch = self.dispatch.records().into_iter().map(Record::Dispatch);
        rules
            .chain(dispatch)
            .chain(self.inbox.entries().cloned().map(Record::Inbox))
            .collect()
    }

    fn in_rules(
        &mut self,
        now: Timestamp,
        step: &mut Step,
        act: impl FnOnce(&mut Rules, &mut Vec<RuleEffect>),
    ) {
        let mut out = Vec::new();
        act(&mut self.rules, &mut out);
        for effect in out {
            match effect {
                RuleEffect::Evaluate(request) => step.effects.push(Effect::Evaluate(request)),
                RuleEffect::Watch(list) => step.effects.push(Effect::Watch(list)),
                RuleEffect::Write(samples) => step.effects.push(Effect::Write(samples)),
                RuleEffect::WriteHistograms(samples) => {
                    step.effects.push(Effect::WriteHistograms(samples));
                }
                RuleEffect::Send(alerts) => step.effects.push(Effect::Send(alerts)),
                RuleEffect::Alerts(alerts) => self.in_dispatch(now, step, |dispatch, out| {
                    dispatch.handle_own_alerts(now, &alerts, out);
                }),
            }
        }
    }

    fn in_dispatch(
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
                    DispatchEffect::Notify(delivery)
                        if *delivery.integration.kind == *inbox::KIND =>
                    {
                        self.inbox.add(now, Arc::clone(&delivery.notification));
                        self.dispatch
                            .handle_delivered(now, delivery.id, None, &mut further);
                    }
                    DispatchEffect::Notify(delivery) => step.effects.push(Effect::Notify(delivery)),
                    DispatchEffect::Cancel(id) => step.effects.push(Effect::Cancel(id)),
                }
            }
            out = further;
        }
    }

    /// Collects what has to be written down.
    fn finish(&mut self, step: &mut Step) {
        let mut changes = Vec::new();
        self.rules.take_changes(&mut changes);
        step.records.extend(changes.into_iter().map(Record::Rule));
        let mut changes = Vec::new();
        self.dispatch.take_changes(&mut changes);
        step.records
            .extend(changes.into_iter().map(Record::Dispatch));
        step.records
            .extend(self.inbox.take_new().map(Record::Inbox));
    }
}
