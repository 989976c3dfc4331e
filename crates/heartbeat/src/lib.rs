//! Heartbeats: a job says that it ran well, and people are told when it does not.
//!
//! A job is known by its service and its name ([`HeartbeatKey`]). What is expected of it
//! ([`Expectation`]) stands in the configuration, or comes with each beat; the configuration wins.
//! From a beat on there is `every` until the next one is due, and `grace` more until the alert
//! [`MISSED_ALERT`] is raised; a run that says that it failed raises [`FAILED_ALERT`] at once. The next
//! beat ends both.
//!
//! *Invariants*: no clock, no IO, no randomness. Beats may come late, twice and in any order: only the newest
//! of a job counts. An alert is there exactly while the heartbeat's state has it, and the state is written
//! down with every change.
//!
//! *Not here*: how beats come (`firebell-server`), and what becomes of alerts (`firebell-dispatch`).

mod heartbeats;
mod model;

pub use crate::heartbeats::{HeartbeatRecord, Heartbeats};
pub use crate::model::{
    Beat, Declared, Expectation, FAILED_ALERT, GRACE, Heartbeat, HeartbeatKey, HeartbeatState,
    MISSED_ALERT, Outcome, Policy, Refusal,
};
