//! What a team wants to hear of: which lints, how loud, and what its own rules of style are.

use std::collections::BTreeMap;

use firebell_model::{Duration, Matcher, Regex, Timestamp};

use crate::input::RuleKind;
use crate::lint::{Lint, Severity};

/// How files are judged.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Lints that are switched on or off, by id.
    pub switched: BTreeMap<String, bool>,
    /// Severities other than a lint's own, by id.
    pub severities: BTreeMap<String, Severity>,
    /// What a team demands of its rules.
    pub policies: Vec<Policy>,
    /// When it is, for comments that snooze a lint until a day.
    pub now: Timestamp,
}

/// What is demanded of some rules; the fields before `severity` say of which.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Alerting or recording rules only.
    pub kind: Option<RuleKind>,
    /// Of rules with such names only.
    pub name: Option<Regex>,
    /// Of rules in such files only.
    pub file: Option<Regex>,
    /// Of rules with such labels only.
    pub labels: Vec<Matcher>,
    /// How bad a breach is; otherwise as the lint says.
    pub severity: Option<Severity>,
    /// What is demanded.
    pub demand: Demand,
}

/// What a policy demands.
#[derive(Clone, Debug, Default)]
pub struct Demand {
    /// Labels of the rule.
    pub labels: Vec<TextDemand>,
    /// Annotations of the rule.
    pub annotations: Vec<TextDemand>,
    /// Names that are right.
    pub name: Option<Regex>,
    /// `for` within these bounds.
    pub hold_for: Range,
    /// `keep_firing_for` within these bounds.
    pub keep_firing_for: Range,
    /// The interval of the group within these bounds.
    pub interval: Range,
    /// Names and texts of labels and annotations that must not be.
    pub reject: Option<Regex>,
    /// Addresses in annotations that are right.
    pub link: Option<Regex>,
    /// Labels that every aggregation has to keep.
    pub keep: Vec<String>,
    /// Labels that no aggregation may keep.
    pub strip: Vec<String>,
    /// Labels that every selector has to name.
    pub selector: Vec<String>,
    /// A sentence that is reported of every rule the policy is about.
    pub report: Option<String>,
}

/// A label or annotation that is demanded.
#[derive(Clone, Debug)]
pub struct TextDemand {
    /// Its name.
    pub name: String,
    /// Whether it has to be there.
    pub is_required: bool,
    /// What it has to match when it is there.
    pub value: Option<Regex>,
}

/// Bounds of a duration.
#[derive(Clone, Copy, Debug, Default)]
pub struct Range {
    /// The shortest that is right.
    pub min: Option<Duration>,
    /// The longest that is right.
    pub max: Option<Duration>,
}

impl Settings {
    /// Whether a lint is looked for.
    #[must_use]
    pub fn is_on(&self, lint: &Lint) -> bool {
        self.switched.get(lint.id).copied().unwrap_or(lint.is_on)
    }

    /// How bad what a lint found is, which the finding itself calls `found`.
    #[must_use]
    pub fn severity(&self, lint: &Lint, found: Severity) -> Severity {
        self.severities.get(lint.id).copied().unwrap_or(found)
    }
}
