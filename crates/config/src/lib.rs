//! Files that people write, checked: a configuration that cannot be wrong, or every problem.
//!
//! A file is read into a tolerant tree with places; [`load`] walks the tree, notes what does not
//! fit, and goes on. What comes out is made of the cores' own checked types.
//!
//! *Invariants*: the only crate that knows YAML. Nothing stops at the first problem. No problem
//! shows a secret.
//!
//! *Not here*: watching files and scraping (`firebell-server`); what rules, routes and templates
//! mean (their cores).

mod alerting;
mod alertmanager;
mod check;
mod delivery_alert;
mod discovery;
mod escalation;
mod fields;
mod files;
mod firebell;
mod heartbeats;
mod history;
mod http;
mod incidents;
mod load;
mod oncall;
mod otlp;
mod paging;
mod problem;
mod quality;
mod query;
mod relabel;
mod replies;
mod rule_files;
mod rule_policy;
mod rule_text;
mod runbooks;
mod scrape;
mod secrets;
mod size;
mod slo;
mod source;
mod storage;
mod tree;
mod unit_test;
mod yaml;

pub use crate::alerting::{AlertmanagerJob, AlertmanagerSet};
pub use crate::alertmanager::IntegrationKey;
pub use crate::check::{
    CheckReport, CheckRequest, CheckSection, CheckedFile, FileKind, Found, OnlineRequest, Reader,
    RuleFigures, check,
};
pub use crate::discovery::{Discovery, FileDiscovery, TargetGroup, parse_target_file};
pub use crate::files::{Files, ManagedOncall, OsFiles};
pub use firebell_notify::{HttpConfig, Tls};

pub use firebell_lint::did_you_mean;

pub use crate::escalation::EscalationSection;
pub use crate::firebell::{Config, ExternalUrl, load, load_with};
pub use crate::history::KeptLimits;
pub use crate::oncall::{OncallPlaces, OncallSection};
pub use crate::otlp::{Otlp, OtlpNaming, OtlpPromotion};
pub use crate::paging::PagingWays;
pub use crate::problem::{Pos, Problem, Problems};
pub use crate::quality::BusinessFigure;
pub use crate::query::QueryLimits;
pub use crate::replies::Replies;
pub use crate::rule_text::{RuleGroupText, parse_rule_group, rule_file_text, rule_list_text};
pub use crate::scrape::{
    DroppedTarget, NameEscaping, ScrapeHistograms, ScrapeJob, ScrapeLimits, ScrapeNames,
    ScrapeProtocol, ScrapeTarget, TargetSet, targets,
};
pub use crate::size::parse_bytes;
pub use crate::slo::prometheus_rules;
pub use crate::source::ExternalSource;
pub use crate::tree::read_yaml;
pub use crate::unit_test::{
    AlertTest, ExpectedAlert, ExpectedNotification, ExpectedPage, ExpectedSample, ExpectedState,
    ExprTest, InputSeries, NotificationParts, NotificationTest, PageParts, PageTest, SloTest,
    TimelineLine, UnitTest, UnitTestErrors, UnitTests, load_objectives, load_rule_files,
    parse_unit_tests,
};
