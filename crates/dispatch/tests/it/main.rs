//! Dispatch on a timeline: inputs at moments, a world that answers, an exact transcript.

mod api;
mod harness;
mod history;
mod ingest;
mod inhibition;
mod notifying;
mod own_keys;
mod restart;
mod routing;
mod routings;
mod silences;
mod time_intervals;
mod why;
mod words;
