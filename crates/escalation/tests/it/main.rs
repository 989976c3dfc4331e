//! Escalation, played.

mod policies;
mod runs;
mod simulation;
mod ways;
mod world;
