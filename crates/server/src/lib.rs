//! The driver and everything at the edge: sockets, files, the clock, the HTTP API, the page.
//!
//! *Invariants*: this crate alone asks for the time, opens sockets and writes files. The engine has
//! one owner, the driver; everybody else sends it events.

mod budgets;
mod clock;
mod disk;

mod driver;
mod evaluate;
mod flags;
mod perform;

mod alertmanager_metrics;
mod alertmanagers;
mod child;
mod deliver;
mod exec;
mod external;
mod history;
mod http_client;
mod recent;
mod remote;
mod rule_metrics;
mod sample;
mod scrape;
mod send;
mod sign;
mod smtp_client;
mod target_files;
mod tls;
mod turns;

mod cluster;
mod deploys;
mod http;
mod kept;
mod live;
mod managed;
mod metrics;
mod notification_metrics;
mod oncall;
mod pages;
mod past_incidents;
mod pictures;
mod quality_metrics;
mod replies;
mod serve;
mod telemetry;
mod telemetry_metrics;

#[cfg(test)]
mod full_disk;
mod heartbeats;

pub use crate::alertmanagers::QueueLimits;
pub use crate::child::run_in_place;
pub use crate::deploys::read_deploys;
pub use crate::disk::{DataDirError, FileDisk, ReadOnlyDisk, is_half_repaired};
pub use crate::flags::{AsAlertmanager, Flags, Overrides};
pub use crate::oncall::{
    IsVerified, OncallError, ShiftsAsked, oncall_at, oncall_calendar, oncall_shifts,
};
pub use crate::past_incidents::read_incidents;
pub use crate::remote::{Remote, RemoteAnswer, RemoteError};
pub use crate::sample::{Rendered, Sample, SampleError, Told, render, tell};
pub use crate::serve::{DEFAULT_LISTEN, Options, ServeError, serve};
pub use firebell_dispatch::Options as DispatchOptions;
pub use firebell_incident::PICTURE_BYTES_MAX;
pub use firebell_notify::{Preview, Verdict};
pub use firebell_rules::Options as RuleOptions;
