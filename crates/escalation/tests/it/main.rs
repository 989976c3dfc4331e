//! Escalation, played.

mod held;
mod next;
mod policies;
mod runs;
mod simulation;
mod ways;
mod world;
