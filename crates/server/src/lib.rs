//! The driver and everything at the edge: sockets, files, the clock, the HTTP API, the page.
//!
//! *Invariants*: this crate alone asks for the time, opens sockets and writes files. The engine has
//! one owner, the driver; everybody else sends it events.

mod clock;
mod disk;

mod driver;
mod evaluate;
mod flags;
mod perform;

mod alertmanagers;
mod deliver;
mod external;
mod http_client;
mod remote;
mod rule_metrics;
mod scrape;
mod target_files;

mod cluster;
mod deploys;
mod http;
mod live;
mod managed_rules;
mod metrics;
mod serve;

#[cfg(test)]
mod full_disk;

pub use crate::alertmanagers::QueueLimits;
pub use crate::deploys::read_deploys;
pub use crate::disk::{DataDirError, FileDisk, ReadOnlyDisk};
pub use crate::flags::{AsAlertmanager, Flags, Overrides};
pub use crate::remote::{Remote, RemoteAnswer, RemoteError};
pub use crate::serve::{DEFAULT_LISTEN, Options, ServeError, serve};
pub use firebell_dispatch::Options as DispatchOptions;
pub use firebell_rules::Options as RuleOptions;
