//! Escalation: a page that nobody answers climbs, until somebody does or nobody is left.
//!
//! A core without IO: time and inputs go in ([`Escalation::open`], [`Escalation::acknowledge`],
//! [`Escalation::handle_outcome`]), effects and records come out ([`Effect`],
//! [`Escalation::take_changes`]). Who is on call is looked up at the moment of each message.
//!
//! *Invariants*: every open page has a run with a future step or a reason why it has none. Nobody is
//! told of a page that somebody looks into, and nobody who is not meant. Twice the same wish is the
//! same as once. The same inputs give the same records.
//!
//! *Not here*: who is on call (`firebell-oncall`), how messages are sent (`firebell-notify`),
//! reading configuration (`firebell-config`).

mod policy;

mod window;

mod check;
mod targets;
mod ways;

mod rules;

mod hand_offs;
mod happened;

mod escalation;
mod page;

pub use self::check::{
    CONDITIONS_MAX, Fault, FaultKind, HAND_OVERS_MAX, POLICIES_MAX, REPEAT_MAX, STEPS_MAX,
    TARGETS_MAX, check,
};
pub use self::escalation::{
    Answer, Effect, Escalation, EscalationRecord, Next, NextWhat, OVER_KEPT_MAX, Opening,
    PAGES_MAX, Refusal, SNOOZE_MAX, VERSIONS_MAX,
};
pub use self::hand_offs::{HandOff, Notices};
pub use self::happened::{Happened, What};
pub use self::page::{Acknowledgement, End, Page, PageKey, Phase, Send, SendId, SendState, Wait};
pub use self::policy::{
    AckMode, Act, BudgetLeft, Condition, Level, Policy, Severity, Step, Target, Who,
};
pub use self::rules::{HandOffNotices, Limit, Method, PagingRules, PersonRules, Way};
pub use self::ways::{AHEAD_DAYS, Unheard, unheard};
pub use self::window::{Window, WindowError};
