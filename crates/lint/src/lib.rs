//! Judges rules and routes that can be loaded: what will not do what was meant, and what will be
//! noise.
//!
//! The way of a rule: [`RuleFile`] is what was written, parsed; [`judge`] walks the rules of one
//! file with the whole [`Project`] beside it and gives [`Finding`]s, each with the path of what it
//! is about. [`CATALOGUE`] says of every lint what it finds, why that matters and how it is mended.
//!
//! With a [`Server`] to ask, [`judge_online`] judges the same rules by the series that there are.
//!
//! *Invariants*: no IO and no clock; a finding is certain as far as the rules alone can tell, and
//! what depends on the series says so. What cannot be loaded is not judged: that is the reader's
//! part.
//!
//! *Not here*: reading files, and the places of paths in them (`firebell-config`); printing
//! (`firebell`).
//!
//! *Sources*: the checks of cloudflare/pint that need no server, as behaviour; Google's *Site
//! Reliability Workbook*, chapters 5 and 8, for what makes an alert worth a page.

mod input;
mod lint;

mod catalogue;
mod settings;
mod suppress;

mod bounds;
mod flow;
mod shape;

mod project;

mod checks;
mod near;
mod online;

pub use crate::catalogue::{CATALOGUE, lint, oncall};
pub use crate::checks::{judge, judge_routes};
pub use crate::input::{Global, Group, InhibitRule, Route, Routes, Rule, RuleFile, RuleKind, Text};
pub use crate::lint::{Finding, Lint, Place, Severity, Step};
pub use crate::near::did_you_mean;
pub use crate::online::{
    Figures, Fired, Online, Question, Refused, Reply, Server, ServerRule, Silence, Track, Vector,
    judge_loaded, judge_online, judge_silences, percent, server_rules,
};
pub use crate::project::Project;
pub use crate::settings::{Demand, Policy, Range, Settings, TextDemand};
pub use crate::suppress::{Comment, Suppressions};
