//! Why an alert is told of, or not: the answer, and its words.
//!
//! *Not here*: finding it out ([`crate::Dispatch::why`]); JSON (`firebell-server`).

mod text;

use std::sync::Arc;

use firebell_model::{Alert, Duration, Fingerprint, Labels, NotificationReason, Timestamp};

use crate::{
    InhibitRule, Integration, NotifiedView, Outcome, Receiver, Route, Silence, UnderWayView, Walk,
};

/// Who is told of a label set, when next and why, or why nobody is.
#[derive(Clone, Debug)]
pub struct Why<'a> {
    /// When it was asked.
    pub now: Timestamp,
    /// Identity of the label set.
    pub fingerprint: Fingerprint,
    /// The label set.
    pub labels: &'a Labels,
    /// The alert; `None` when dispatch does not know it: then only its routes are told.
    pub alert: Option<&'a Alert>,
    /// Its way through the route tree.
    pub walk: Walk<'a>,
    /// The active silences that match it; those that end last first.
    pub silences: Vec<&'a Silence>,
    /// The alert that inhibits it.
    pub inhibited_by: Option<InhibitedBy<'a>>,
    /// The groups that it belongs to, in the order of their routes.
    pub groups: Vec<GroupWhy<'a>>,
}

/// What inhibits an alert.
#[derive(Clone, Copy, Debug)]
pub struct InhibitedBy<'a> {
    /// The source.
    pub source: Fingerprint,
    /// The alert.
    pub alert: &'a Alert,
    /// The rule, and its number in the configuration, from 0.
    pub rule: Option<(usize, &'a InhibitRule)>,
}

/// A group that an alert belongs to.
#[derive(Clone, Debug)]
pub struct GroupWhy<'a> {
    /// Its route.
    pub route: &'a Route,
    /// Who is told.
    pub receiver: &'a Receiver,
    /// What its alerts share by `group_by`.
    pub labels: Labels,
    /// Upstream's group key.
    pub key: String,
    /// Whether the group waits for the alert: not when it resolved and that was told.
    pub is_waiting: bool,
    /// How many alerts it has.
    pub n_alerts: usize,
    /// The time intervals that mute it now.
    pub muted_by: Option<IntervalMute>,
    /// When it decides next.
    pub next_flush_at: Option<Timestamp>,
    /// Its integrations, in the order of configuration.
    pub integrations: Vec<IntegrationWhy<'a>>,
}

/// Time intervals that mute a route.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IntervalMute {
    /// Those that mute it, or in none of which it is active.
    pub names: Vec<Arc<str>>,
    /// Whether these are the intervals in which the route is active.
    pub is_inactive: bool,
    /// Until when; `None` when that is more than a year away.
    pub until: Option<Timestamp>,
}

/// What an integration was told of an alert's group, and will be.
#[derive(Clone, Debug)]
pub struct IntegrationWhy<'a> {
    /// Which one.
    pub integration: &'a Integration,
    /// Whether it is told of resolved alerts.
    pub send_resolved: bool,
    /// What it was last told of the group, over restarts.
    pub told: Option<NotifiedView<'a>>,
    /// Whether that named the alert.
    pub told_alert: bool,
    /// The delivery that has no outcome yet.
    pub under_way: Option<UnderWayView<'a>>,
    /// The last deliveries, the latest first, since the start of the process.
    pub outcomes: Vec<&'a Outcome>,
    /// What comes next, if nothing changes.
    pub next: Next,
}

/// The next notification that names an alert, if nothing changes until then.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Next {
    /// One is being delivered.
    UnderWay {
        /// Counts from 1.
        attempt: u32,
    },
    /// The last attempt failed, and another one follows.
    Retry {
        /// When.
        at: Timestamp,
        /// The attempt that failed; counts from 1.
        attempt: u32,
    },
    /// The group decides so.
    At {
        /// When.
        at: Timestamp,
        /// Why it is sent.
        reason: NotificationReason,
        /// Which of the route's times it waits for.
        timer: Timer,
        /// What mutes the alert until then.
        after: Option<Mute>,
    },
    /// Nothing is sent.
    Nothing(Nothing),
}

/// One of a route's times.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Timer {
    /// The group is new.
    GroupWait(Duration),
    /// The group was told of before, or tried.
    GroupInterval(Duration),
    /// Nothing is new.
    RepeatInterval(Duration),
}

/// Why nothing is sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Nothing {
    /// It is muted, with no end in sight.
    Muted(Mute),
    /// It resolved, and that was told or need not be.
    Resolved,
    /// It resolved, and the integration wants no resolved alerts.
    ResolvedUnwanted,
    /// Nothing within the time that is looked at.
    TooFar,
}

/// What mutes an alert.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Mute {
    /// Another alert.
    Inhibition,
    /// Time intervals.
    Interval,
    /// Silences.
    Silence,
}

impl Next {
    /// When, if that is known.
    #[must_use]
    pub fn at(&self) -> Option<Timestamp> {
        match self {
            Self::Retry { at, .. } | Self::At { at, .. } => Some(*at),
            Self::UnderWay { .. } | Self::Nothing(_) => None,
        }
    }

    /// The name of the reason in the API.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::UnderWay { .. } => "under_way",
            Self::Retry { .. } => "retry",
            Self::At { after: Some(_), .. } => "mute_ends",
            Self::At { timer, .. } => match timer {
                Timer::GroupWait(_) => "group_wait",
                Timer::GroupInterval(_) => "group_interval",
                Timer::RepeatInterval(_) => "repeat_interval",
            },
            Self::Nothing(Nothing::Muted(Mute::Inhibition)) => "inhibited",
            Self::Nothing(Nothing::Muted(Mute::Interval)) => "interval",
            Self::Nothing(Nothing::Muted(Mute::Silence)) => "silenced",
            Self::Nothing(Nothing::Resolved) => "resolved",
            Self::Nothing(Nothing::ResolvedUnwanted) => "resolved_unwanted",
            Self::Nothing(Nothing::TooFar) => "none",
        }
    }
}
