//! What happened to pages, in words for their timelines.

use std::fmt;
use std::sync::Arc;

use firebell_model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::page::{End, PageKey};
use crate::policy::{Policy, Severity, Target};

/// What happened to a page, for its timeline.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Happened {
    /// When.
    pub at: Timestamp,
    /// To which.
    pub page: PageKey,
    /// What.
    pub what: What,
}

/// What happened to a page.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A run began, with this policy.
    Began(Arc<str>),
    /// A step told these people, and these channels as [`Target`] writes them: `receiver:ops`. What
    /// older versions recorded has the names of channels alone.
    Told(Vec<Arc<str>>),
    /// A step had nobody to tell.
    NobodyThere,
    /// A person is no longer meant: their shift is over, or they have left.
    NoLongerMeant(Arc<str>),
    /// It waits until then for the hours of a step.
    Deferred(Timestamp),
    /// One more round.
    Repeated,
    /// It goes on with another policy.
    HandedOver(Arc<str>),
    /// Its run is over.
    Ended(End),
    /// Somebody acknowledged; others have to as well.
    Answered(Arc<str>),
    /// Somebody acknowledged, and that changed nothing.
    AnsweredAgain(Arc<str>),
    /// The acknowledgement counts from now.
    Renewed(Arc<str>),
    /// Somebody was asked whether they still look into it.
    Reminded(Arc<str>),
    /// Nothing followed the acknowledgement.
    AcknowledgementEnded,
    /// Somebody wants quiet until then.
    Snoozed(Arc<str>, Timestamp),
    /// Somebody handed it over to another policy, or to a person (`person:ana`).
    Passed(Arc<str>, Arc<str>),
    /// It got worse or better.
    Severity(Severity),
    /// A message did not arrive.
    NotDelivered(Arc<str>),
    /// An invariant did not hold.
    Broken(Arc<str>),
}

impl What {
    /// Who did it, if a person did.
    #[must_use]
    pub fn by(&self) -> Option<&Arc<str>> {
        match self {
            Self::Answered(by)
            | Self::AnsweredAgain(by)
            | Self::Renewed(by)
            | Self::Snoozed(by, _)
            | Self::Passed(by, _) => Some(by),
            _ => None,
        }
    }
}

/// What happened, in words; who did it stands before them.
impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Began(policy) => match Policy::person_in(policy) {
                Some(_) => f.write_str("pages whom it was handed to"),
                None => write!(f, "pages by the policy {policy}"),
            },
            Self::Told(whom) => {
                let names = whom.iter().map(|it| Target::receiver_in(it).unwrap_or(it));
                write!(f, "pages {}", names.collect::<Vec<_>>().join(", "))
            }
            Self::NobodyThere => f.write_str("found nobody there to page"),
            Self::NoLongerMeant(who) => write!(f, "no longer pages {who}, who is not on call now"),
            Self::Deferred(until) => write!(f, "waits with the page until {until}"),
            Self::Repeated => f.write_str("pages from the beginning: nobody answered"),
            Self::HandedOver(policy) => write!(f, "goes on paging by the policy {policy}"),
            Self::Ended(end) => f.write_str(end.words()),
            Self::Answered(_) => f.write_str("answered the page; others have to as well"),
            Self::AnsweredAgain(_) => f.write_str("answered the page, which changed nothing"),
            Self::Renewed(_) => f.write_str("goes on looking into it"),
            Self::Reminded(who) => write!(f, "asked {who} whether they still look into it"),
            Self::AcknowledgementEnded => f.write_str("ended the acknowledgement"),
            Self::Snoozed(_, until) => write!(f, "snoozed the page until {until}"),
            Self::Passed(_, to) => match Policy::person_in(to) {
                Some(person) => write!(f, "handed the page over to {person}"),
                None => write!(f, "handed the page over to the policy {to}"),
            },
            Self::Severity(severity) => write!(f, "pages as {severity}"),
            Self::NotDelivered(who) => write!(f, "failed to reach {who}"),
            Self::Broken(why) => write!(f, "mended the page: {why}"),
        }
    }
}

impl End {
    fn words(self) -> &'static str {
        match self {
            Self::Acknowledged => "stopped paging: somebody looks into it",
            Self::Resolved => "stopped paging: it is over",
            Self::Exhausted => "has nobody left to page, and nobody answered",
            Self::HandedOff => "stopped paging by this policy",
            Self::Cancelled => "stopped paging: it was called off",
            Self::Failed => "has nobody left to page, and reached nobody",
        }
    }
}
