//! Incidents on a timeline: what happens, and what stands in their timelines then.
//!
//! A line is a moment and an event: `fires` and `ends` with an alert (`muted` fires silenced,
//! `unmuted` is told of without that), `told`
//! with a receiver and an alert, `PERSON opens SEVERITY [SERVICE]: TITLE`, `PERSON NUMBER: WISH`,
//! `restart`, `show NUMBER`, `policy OPTION VALUE`, and `passes` for time alone.

mod life;
mod opening;
mod pictures;
mod postmortem;
mod review;
mod together;
mod world;
