//! A page, and the run of a policy that it is on.

use std::collections::BTreeSet;
use std::sync::Arc;

use firebell_model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::policy::{BudgetLeft, Level, Severity};
use crate::rules::{Method, SENDS_MAX};

/// What a page is about: the number of an incident.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PageKey(pub u64);

/// One message; counts up.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SendId(pub u64);

/// Somebody has to act, and is told until somebody does.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Page {
    /// What it is about.
    pub key: PageKey,
    /// How bad it is.
    pub severity: Severity,
    /// What is left of the error budget, if that is known.
    pub budget: Option<BudgetLeft>,
    /// The policy that each of its runs begins with.
    pub first_policy: Arc<str>,
    /// The policy that its run is in.
    pub policy: Arc<str>,
    /// The version of all policies when its run began: later changes do not reach it.
    pub version: u64,
    /// Runs so far.
    pub run: u32,
    /// Where its run is.
    pub phase: Phase,
    /// The next step of the policy, by position.
    pub step: usize,
    /// Rounds before this one.
    pub round: u32,
    /// From when the steps of the round count.
    pub base: Timestamp,
    /// When the next step is taken, or the round ends, or a wait.
    pub next_at: Option<Timestamp>,
    /// What it waits for besides time.
    pub wait: Option<Wait>,
    /// Hand-overs of this run.
    pub n_handed: usize,
    /// Whether anybody was there to be told in this round.
    pub is_told: bool,
    /// Whether any message of this run arrived.
    pub is_delivered: bool,
    /// The levels that were told in this round.
    pub levels: Vec<Level>,
    /// Messages of this round.
    pub sends: Vec<Send>,
    /// Who has to answer yet, each for themselves.
    pub asked: BTreeSet<Arc<str>>,
    /// Who has answered, where others have to as well: they are not told again in this run.
    pub answered: BTreeSet<Arc<str>>,
    /// Who looks into it.
    pub acknowledgement: Option<Acknowledgement>,
}

/// Where a run is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Nobody is told yet: it is deferred or snoozed.
    Waiting,
    /// Messages are planned, or under way.
    Notifying,
    /// Everything was sent.
    AwaitingAcknowledgement,
    /// It is over.
    Done(End),
}

/// Why a run is over.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Somebody looks into it.
    Acknowledged,
    /// There is nothing to look into any more.
    Resolved,
    /// Everybody was told, and nobody answered.
    Exhausted,
    /// Another policy goes on with it.
    HandedOff,
    /// Somebody called it off.
    Cancelled,
    /// Nobody was there, or no message arrived.
    Failed,
}

/// What a run waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// The hours that a step defers to.
    Deferral,
    /// The end of a snooze.
    Snooze,
}

/// Who looks into it, and for how long.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// Who said so; the last of all who had to.
    pub by: Arc<str>,
    /// When.
    pub at: Timestamp,
    /// When they are asked again; `None` when it was done, or nobody will.
    pub remind_at: Option<Timestamp>,
    /// When it ends; `None` is never.
    pub ends_at: Option<Timestamp>,
}

/// One message to one person.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Send {
    /// To whom.
    pub person: Arc<str>,
    /// By what.
    pub method: Method,
    /// When.
    pub at: Timestamp,
    /// The level that it is of, by position in [`Page::levels`].
    pub level: usize,
    /// What became of it.
    pub state: SendState,
    /// Whether it was put off already, so that company puts it off no further.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_held: bool,
}

/// What became of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SendState {
    /// It is not time yet.
    Planned,
    /// It is under way.
    Sent(SendId),
    /// It arrived.
    Delivered,
    /// It did not.
    Failed,
}

impl Page {
    /// Whether it is neither resolved nor called off.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !matches!(self.phase, Phase::Done(End::Resolved | End::Cancelled))
    }

    /// Whether its run goes on.
    #[must_use]
    pub fn is_running(&self) -> bool {
        !matches!(self.phase, Phase::Done(_))
    }

    /// Messages that are still to be sent.
    pub fn planned(&self) -> impl Iterator<Item = &Send> {
        let is_planned = |it: &&Send| it.state == SendState::Planned;
        self.sends.iter().filter(is_planned)
    }

    /// Plans messages to somebody, of a level that was told.
    pub(crate) fn plan(&mut self, person: &Arc<str>, level: usize, plan: Vec<(Timestamp, Method)>) {
        let plan = plan.into_iter().take(SENDS_MAX);
        self.sends.extend(plan.map(|(at, method)| Send {
            person: Arc::clone(person),
            method,
            at,
            level,
            state: SendState::Planned,
            is_held: false,
        }));
    }

    /// When it wants to be looked at.
    pub(crate) fn due_at(&self) -> Option<Timestamp> {
        let acknowledged = self.acknowledgement.iter();
        let of_answer = acknowledged
            .flat_map(|it| [it.remind_at, it.ends_at])
            .flatten();
        let of_sends = self.sends.iter().filter_map(|it| match it.state {
            SendState::Planned => Some(it.at),
            SendState::Sent(_) => Some(it.at + OUTCOME_MAX),
            SendState::Delivered | SendState::Failed => None,
        });
        self.next_at
            .into_iter()
            .chain(of_answer)
            .chain(of_sends)
            .min()
    }

    pub(crate) fn finish(&mut self, end: End) {
        self.phase = Phase::Done(end);
        self.next_at = None;
        self.wait = None;
        self.asked.clear();
        self.answered.clear();
        self.sends.clear();
        self.levels.clear();
        if end != End::Acknowledged {
            self.acknowledgement = None;
        }
    }

    /// What its phase is, by what is under way.
    pub(crate) fn settle_phase(&mut self) {
        if !self.is_running() {
            return;
        }
        let is_under_way = |it: &Send| matches!(it.state, SendState::Planned | SendState::Sent(_));
        self.phase = if self.wait.is_some() {
            Phase::Waiting
        } else if self.sends.iter().any(is_under_way) {
            Phase::Notifying
        } else if self.levels.is_empty() {
            Phase::Waiting
        } else {
            Phase::AwaitingAcknowledgement
        };
    }

    /// What must never be; `None` is well. Every open page has a run with a future step, or a
    /// reason why it has none.
    pub(crate) fn fault(&self, queued_at: Option<Timestamp>) -> Option<&'static str> {
        let has_planned = self.planned().next().is_some();
        let is_queued = |at: Timestamp| queued_at.is_some_and(|queued| queued <= at);
        match self.phase {
            Phase::Done(_) if has_planned => Some("its run is over and messages are planned"),
            Phase::Done(End::HandedOff) => Some("it was handed off to nobody"),
            Phase::Done(End::Acknowledged) => match &self.acknowledgement {
                None => Some("it is acknowledged by nobody"),
                Some(it) => {
                    let forgets = it.ends_at.is_some_and(|at| !is_queued(at));
                    forgets.then_some("nothing ends its acknowledgement")
                }
            },
            Phase::Done(_) => None,
            _ if self.acknowledgement.is_some() => Some("it is acknowledged and goes on"),
            _ => match self.next_at {
                None => Some("it is open and has no next step"),
                Some(at) => (!is_queued(at)).then_some("nothing takes its next step"),
            },
        }
    }
}

/// A message of which nothing was heard for so long has failed.
pub(crate) const OUTCOME_MAX: firebell_model::Duration = firebell_model::Duration::from_mins(5);
