//! Firebell on simulated time: the live engine, journal, store and rules in a world that delivers,
//! delays, fails and hangs, over a disk that can lose power at any write.
//!
//! *Not here*: anything that runs live (`firebell-server`).

mod budgets;
mod chance;
mod disk;
mod lines;
mod simulator;
mod world;

mod demo;
mod phases;
mod rehearsal;
pub mod scenario;
pub mod unit_test;

mod checkers;
mod pages;
mod random;
mod soak;
mod stops;

pub use crate::chance::Chance;
pub use crate::demo::DemoMonth;
pub use crate::disk::{Fault, SimDisk};
pub use crate::pages::{PageTally, run_page_seed};
pub use crate::phases::{Change, alert_text};
pub use crate::rehearsal::{
    AlertChange, Closest, Rehearsal, STEPS_MAX as REHEARSAL_STEPS_MAX, Traffic,
};
pub use crate::simulator::{Cut, CutPoint, Flaw, Happening, Scene, Sim, Stop, Watch};
pub use crate::soak::{Failure, Tally, run_seed};
pub use crate::world::{ANSWER_MAX, Attempt, Behaviour, Fate, World};
