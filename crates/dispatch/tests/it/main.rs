//! Dispatch on a timeline: inputs at moments, a world that answers, an exact transcript.

mod api;
mod harness;
mod ingest;
mod inhibition;
mod notifying;
mod restart;
mod routing;
mod silences;
mod time_intervals;
mod words;
