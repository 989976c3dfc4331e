//! What is judged: rules and routes as people wrote them, parsed.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use firebell_model::{Duration, Labels, Matcher};
use firebell_promql::{Expr, Features, ParseError};
use firebell_template::Template;

use crate::suppress::Suppressions;

/// A rule file.
#[derive(Debug, Default)]
pub struct RuleFile {
    /// As it was named.
    pub name: String,
    /// Its groups, in their order; one that cannot be read is empty, so that indexes stay.
    pub groups: Vec<Group>,
    /// What its comments switch off.
    pub suppressions: Suppressions,
}

/// A group of rules.
#[derive(Debug, Default)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its own interval.
    pub interval: Option<Duration>,
    /// Its own offset of queries.
    pub query_offset: Option<Duration>,
    /// Labels of all its rules.
    pub labels: Vec<Text>,
    /// In their order; `None` for one that cannot be read.
    pub rules: Vec<Option<Rule>>,
}

/// Whether samples become alerts or series.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub enum RuleKind {
    Alerting,
    Recording,
}

/// A rule.
pub struct Rule {
    /// What its samples become.
    pub kind: RuleKind,
    /// The alert's or the series' name.
    pub name: String,
    /// The expression.
    pub expr: Expr,
    /// The expression as it was written.
    pub expr_text: String,
    /// What upstream keeps behind a flag, if it uses any of that.
    pub experimental: Option<ParseError>,
    /// `for`.
    pub hold_for: Option<Duration>,
    /// `keep_firing_for`.
    pub keep_firing_for: Option<Duration>,
    /// Own labels, in their order.
    pub labels: Vec<Text>,
    /// Annotations, in their order.
    pub annotations: Vec<Text>,
    /// Its lines of the file, comments above it included.
    pub lines: RangeInclusive<u32>,
}

impl std::fmt::Debug for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} = {}", self.name, self.expr_text)
    }
}

impl Rule {
    /// Whether it makes alerts.
    #[must_use]
    pub fn is_alerting(&self) -> bool {
        self.kind == RuleKind::Alerting
    }
}

/// A label or annotation.
#[derive(Clone, Debug)]
pub struct Text {
    /// Its name.
    pub name: String,
    /// As it was written.
    pub text: String,
    /// Compiled; of recording rules, and of what does not compile, nothing.
    pub template: Option<Template>,
}

impl Text {
    /// The text, if it is the same for every alert.
    #[must_use]
    pub fn fixed(&self) -> Option<&str> {
        let is_plain = self.template.as_ref().is_none_or(Template::is_plain);
        is_plain.then_some(&*self.text)
    }
}

/// What a configuration says of all rules.
#[derive(Clone, Debug)]
pub struct Global {
    /// Between two scrapes, when somebody has said.
    pub scrape_interval: Option<Duration>,
    /// Between two evaluations, unless a group says otherwise.
    pub evaluation_interval: Duration,
    /// Labels of all alerts.
    pub external_labels: Labels,
    /// The intervals of scrape jobs, by name.
    pub job_intervals: BTreeMap<String, Duration>,
    /// Which experimental parts of PromQL rules may use.
    pub features: Features,
    /// How long samples are kept.
    pub retention: Option<Duration>,
    /// Whether labels of alerts are changed before they are routed.
    pub relabels_alerts: bool,
}

/// An Alertmanager configuration.
#[derive(Debug)]
pub struct Routes {
    /// The tree.
    pub root: Route,
    /// The inhibition rules, in their order.
    pub inhibit_rules: Vec<InhibitRule>,
}

/// A route with its children.
#[derive(Debug, Default)]
pub struct Route {
    /// All have to match.
    pub matchers: Vec<Matcher>,
    /// Whether the siblings after it are tried when it matched.
    pub does_continue: bool,
    /// Its children, in their order.
    pub routes: Vec<Route>,
}

/// An inhibition rule.
#[derive(Debug, Default)]
pub struct InhibitRule {
    /// Matches the alerts that mute.
    pub source: Vec<Matcher>,
    /// Matches the alerts that are muted.
    pub target: Vec<Matcher>,
    /// Labels that have to be equal.
    pub equal: Vec<String>,
}
