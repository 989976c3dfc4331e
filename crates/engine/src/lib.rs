//! The engine: rules, dispatch, incidents and pages as one deterministic state machine, and the journal that lets it
//! resume where it stood.
//!
//! *Invariants*: no clock, no IO, no randomness. Time, results and wishes go in; records (what has
//! to be written down) and effects (what has to be done) come out, in this order: decide, record,
//! act. At one instant inputs come before deadlines, rules and heartbeats before dispatch before
//! incidents before pages.
//!
//! *Not here*: performing effects (`firebell-server` live, `firebell-sim` on simulated time).

mod budgets;
mod deploys;
mod engine;
mod hand_offs;
mod heartbeats;
mod history;
mod inbox;
mod incidents;
mod journal;
mod leases;
mod ledger;
mod own_alerts;
mod pages;
mod paging;

pub use crate::budgets::{Budgets, ObjectiveBudgets};
pub use crate::deploys::KnownDeploys;
pub use crate::engine::{Configuration, Effect, Engine, Input, Record, Step};
pub use crate::history::{
    Cursor, History, HistoryLimits, HistoryPage, HistoryQuery, Segment, read_history,
};
pub use crate::inbox::{INBOX_ENTRIES_MAX, Inbox, InboxEntry};
pub use crate::journal::{Journal, JournalError, Replayed};
pub use crate::leases::{Lease, LeaseKey, LeaseRefusal, LeaseRequest, Leases};
pub use crate::ledger::Ledger;
pub use crate::own_alerts::is_own_alert;
pub use crate::pages::{PAGE_ALERT, PageAct, PageRefusal};
pub use crate::paging::{
    HandOffBrief, PageBrief, PageMessage, PageRecipient, PageWhy, Paging, ShiftBrief,
};
