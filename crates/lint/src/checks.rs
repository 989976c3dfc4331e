//! Walks the rules of a file and asks every lint.

mod alerts;
mod matchers;
mod matching;
mod oncall;
mod policy;
mod promql;
mod routes;
mod rules;
mod series;
mod texts;

pub(crate) use self::rules::loaded;

use std::ops::RangeInclusive;

use firebell_model::Duration;
use firebell_promql::Span;

pub(crate) use self::alerts::HEARTBEATS;
pub use self::routes::judge_routes;

use crate::catalogue::{files, policy as policy_lints};
use crate::flow::{Flow, flow};
use crate::input::{Group, Rule, RuleFile};
use crate::lint::{Finding, Lint, Place, Severity};
use crate::project::Project;
use crate::settings::Settings;

/// One rule with all that is beside it.
pub(crate) struct Scope<'a> {
    pub(crate) project: &'a Project,
    pub(crate) settings: &'a Settings,
    pub(crate) file: &'a RuleFile,
    group: &'a Group,
    group_idx: usize,
    pub(crate) rule: &'a Rule,
    rule_idx: usize,
    /// The labels of the expression's result.
    pub(crate) flow: Flow,
    pub(crate) out: Vec<Finding>,
}

/// Judges the rules of a file by all that is known of the project, which holds the file too. In
/// order of the file.
#[must_use]
pub fn judge(file: &RuleFile, project: &Project, settings: &Settings) -> Vec<Finding> {
    let mut all = Vec::new();
    for (line, message) in &file.suppressions.mistakes {
        let place = Place::line(*line);
        push(
            &mut all,
            (file, settings, None),
            &files::COMMENT,
            place,
            message.clone(),
        );
    }
    for (group_idx, group) in file.groups.iter().enumerate() {
        rules::judge_group(file, group_idx, project, settings, &mut all);
        for rule_idx in 0..group.rules.len() {
            let Some(mut scope) = Scope::of(file, (group_idx, rule_idx), project, settings) else {
                continue;
            };
            for check in CHECKS {
                check(&mut scope);
            }
            all.append(&mut scope.out);
        }
    }
    all
}

const CHECKS: &[fn(&mut Scope<'_>)] = &[
    alerts::judge,
    texts::judge,
    promql::judge,
    series::judge,
    matchers::judge,
    matching::judge,
    rules::judge,
    policy::judge,
    routes::judge_rule,
    oncall::judge_rule,
];

/// What a finding is said of: the file, the settings, and the lines of the rule.
type About<'a> = (&'a RuleFile, &'a Settings, Option<&'a RangeInclusive<u32>>);

/// Adds a finding, unless the lint is off there.
fn push(
    out: &mut Vec<Finding>,
    (file, settings, lines): About<'_>,
    lint: &'static Lint,
    place: Place,
    message: String,
) -> bool {
    let is_off = file.suppressions.is_off(lint.id, lines, settings.now);
    if !settings.is_on(lint) || is_off {
        return false;
    }
    out.push(Finding {
        lint,
        severity: settings.severity(lint, lint.severity),
        place,
        message,
        hint: None,
    });
    true
}

impl<'a> Scope<'a> {
    /// The rule at a place of a file; `None` where it could not be read.
    pub(crate) fn of(
        file: &'a RuleFile,
        (group_idx, rule_idx): (usize, usize),
        project: &'a Project,
        settings: &'a Settings,
    ) -> Option<Self> {
        let group = file.groups.get(group_idx)?;
        let rule = group.rules.get(rule_idx)?.as_ref()?;
        Some(Self {
            project,
            settings,
            file,
            group,
            group_idx,
            rule,
            rule_idx,
            flow: flow(&rule.expr, &|name| project.flow_of(name)),
            out: Vec::new(),
        })
    }
}

impl Scope<'_> {
    /// The rule as a whole.
    fn place(&self) -> Place {
        Place::group(self.group_idx)
            .field("rules")
            .item(self.rule_idx)
    }

    /// A field of the rule.
    pub(crate) fn field(&self, name: &'static str) -> Place {
        self.place().field(name)
    }

    /// The name of the rule.
    pub(crate) fn name_place(&self) -> Place {
        self.field(if self.rule.is_alerting() {
            "alert"
        } else {
            "record"
        })
    }

    /// A piece of the expression.
    pub(crate) fn expr(&self, span: Span) -> Place {
        self.field("expr").at(span.start)
    }

    fn piece(&self, span: Span) -> String {
        crate::shape::piece(&self.rule.expr_text, span)
    }

    /// Says something; `hint` may be empty.
    pub(crate) fn say(
        &mut self,
        lint: &'static Lint,
        place: Place,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.say_as(lint, None, place, (message.into(), hint.into()));
    }

    /// The same with a weight of its own.
    pub(crate) fn say_as(
        &mut self,
        lint: &'static Lint,
        severity: Option<Severity>,
        place: Place,
        (message, hint): (String, String),
    ) {
        let about = (self.file, self.settings, Some(&self.rule.lines));
        if push(&mut self.out, about, lint, place, message)
            && let Some(finding) = self.out.last_mut()
        {
            if let Some(severity) = severity {
                finding.severity = self.settings.severity(lint, severity);
            }
            finding.hint = (!hint.is_empty()).then_some(hint);
        }
    }

    /// Between two evaluations; `None` when nobody has said.
    pub(crate) fn interval(&self) -> Option<Duration> {
        let global = || {
            self.project
                .global
                .as_ref()
                .map(|it| it.evaluation_interval)
        };
        self.group.interval.or_else(global)
    }

    /// The texts of a label of the rule, its group's included.
    fn label(&self, name: &str) -> Option<&crate::input::Text> {
        let own = self.rule.labels.iter().find(|it| it.name == name);
        own.or_else(|| self.group.labels.iter().find(|it| it.name == name))
    }

    /// Whether somebody is woken by it, as far as its severity says.
    fn is_page(&self) -> bool {
        let severity = self.label("severity").and_then(|it| it.fixed());
        severity.is_some_and(|it| PAGING.iter().any(|word| it.eq_ignore_ascii_case(word)))
    }
}

/// Severities that wake people.
const PAGING: &[&str] = &[
    "page",
    "critical",
    "emergency",
    "disaster",
    "fatal",
    "sev1",
    "p1",
    "high",
];

/// How a breach of a policy weighs.
fn breach(
    scope: &mut Scope<'_>,
    lint: &'static Lint,
    severity: Option<Severity>,
    at: Place,
    message: String,
) {
    debug_assert!(policy_lints::ALL.iter().any(|it| it.id == lint.id));
    scope.say_as(lint, severity, at, (message, String::new()));
}
