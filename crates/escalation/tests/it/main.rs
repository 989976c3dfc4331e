//! Escalation, played.

mod held;
mod policies;
mod runs;
mod simulation;
mod ways;
mod world;
