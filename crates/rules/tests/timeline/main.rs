//! The rules on a timeline: what goes in, and the exact transcript of what comes out.

mod restarts;
mod semantics;
mod slots;
mod store;
mod world;
