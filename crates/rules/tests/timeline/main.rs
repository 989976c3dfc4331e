//! The rules on a timeline: what goes in, and the exact transcript of what comes out.

mod cluster;
mod histograms;
mod policies;
mod restarts;
mod semantics;
mod slots;
mod store;
mod world;
