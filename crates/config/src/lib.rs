//! Files that people write, checked: a configuration that cannot be wrong, or every problem.
//!
//! *Invariants*: the only crate that knows YAML. Nothing stops at the first problem.

mod alertmanager;
mod fields;
mod files;
mod firebell;
mod http;
mod load;
mod problem;
mod relabel;
mod rule_files;
mod scrape;
mod secrets;
mod size;
mod yaml;

pub use crate::alertmanager::IntegrationKey;
pub use crate::files::{Files, OsFiles};
pub use firebell_notify::{HttpConfig, Tls};

pub use crate::firebell::{Config, ExternalUrl, load};
pub use crate::problem::{Pos, Problem, Problems};
pub use crate::scrape::{
    Discovered, DroppedTarget, FileDiscovery, LastGood, ScrapeJob, ScrapeLimits, ScrapeProtocol,
    ScrapeTarget, TargetGroup, TargetSet, parse_target_file, targets,
};
