//! Files that people write, checked: a configuration that cannot be wrong, or every problem.
//!
//! *Invariants*: the only crate that knows YAML. Nothing stops at the first problem.

mod fields;
mod files;
mod http;
mod load;
mod problem;
mod relabel;
mod scrape;
mod size;
mod yaml;

pub use crate::files::{Files, OsFiles};
pub use crate::http::{HttpClient, Tls};
pub use crate::problem::{Pos, Problem, Problems};
pub use crate::scrape::{
    DroppedTarget, FileDiscovery, ScrapeJob, ScrapeLimits, ScrapeProtocol, ScrapeTarget,
    TargetGroup, TargetSet, parse_target_file, targets,
};
