//! Objectives: what users must not feel, the alerts that follow from it, and the budget that is left.
//!
//! An [`Objective`] is checked when it is made; [`expand`] turns it into ordinary rules, [`ledger`]
//! says from stored samples what was spent of its error budget, and [`spending`] on what: on which
//! episodes, by which incidents and deploys.
//!
//! *Invariants*: ratios are made of counts over the true window, never of averages of averages. A
//! burn rate that alerts is never below 1: who keeps within the objective is never told off.
//!
//! *Not here*: the formats of files (`firebell-config`), alerts (`firebell-rules`).
//!
//! *Sources*: the arithmetic of Google's SRE workbook, as Sloth and Pyrra have it.

mod text;

mod indicator;
mod query;

mod burn;
mod window;

mod objective;
mod traffic;

mod rules;

mod ledger;

mod claims;
mod deploy;
mod spending;

pub use crate::burn::{Severity, Tier, TierError, WINDOW_SCRAPES_MIN, standard_tiers};
pub use crate::indicator::{Comparison, Count, Counted, Indicator, Member, latency};
pub use crate::ledger::{
    Budget, Burn, HISTORY_POINTS_MAX, Ledger, Spent, TierState, history, ledger, left,
};
pub use crate::objective::{
    Budgeting, Fault, Flow, NoData, Objective, Objectives, Target, TargetError,
};
pub use crate::query::{QueryError, Unit, WindowQuery, counter};
pub use crate::rules::{RULES_FILE_PREFIX, expand};
pub use crate::spending::{
    BudgetSpending, DEPLOYS_SHOWN_MAX, DeploySpending, EPISODES_MAX, Episode, IncidentSpending,
    Spending, Stretch, spending,
};
pub use crate::traffic::{Held, LowTraffic};
pub use crate::window::{Calendar, Window, WindowError, zone};
