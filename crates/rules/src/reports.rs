//! Alerts about a rule rather than by it: that it fails, and that it has nothing to look at.
//!
//! They go the way of all alerts, pending, firing and resolved, and so are told, silenced, restored
//! and shown like them.
//!
//! *Sources*: Grafana's `DatasourceNoData` and `DatasourceError`, whose names and labels people
//! route by.

use firebell_model::{ALERT_NAME, Duration, Labels, SampleValue};
use firebell_template::{AlertData, QuerySample, Template};

use crate::alert::{Cause, Timing};
use crate::alerting::{Change, Step, carry_on};
use crate::anomaly::VARIABLES;
use crate::definition::{AlertingRule, Rule};
use crate::evaluate::{RuleSample, or_error};
use crate::join::join;
use crate::policy::{Mode, Reaction};
use crate::state::{Outcome, RuleState};

/// What an evaluation says of its rule.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Condition<'a> {
    pub(crate) error: Option<&'a str>,
    /// Nothing that the expression asks for is there. Not known of an evaluation that failed.
    pub(crate) is_silent: bool,
}

/// Moves the alerts about a rule on.
pub(crate) fn update(
    state: &mut RuleState,
    rule: &Rule,
    condition: Condition<'_>,
    step: &Step<'_>,
    out: &mut Outcome,
) {
    let wanted = wanted(state, rule, condition, step);
    if wanted.is_empty() && state.reports.is_empty() {
        return;
    }
    let hold_for = |cause| match (cause, rule.as_alerting()) {
        (Cause::Failing, _) => {
            let failing = step.context.failing_alert.as_ref();
            failing.map_or(Duration::ZERO, |it| it.hold_for)
        }
        (Cause::NoData, Some(rule)) => held_for(rule.policy.no_data),
        (Cause::Error, Some(rule)) => held_for(rule.policy.on_error),
        _ => Duration::ZERO,
    };
    let mode = rule.as_alerting().map_or(Mode::Live, |it| it.policy.mode);
    let before = std::mem::take(&mut state.reports);
    let mut after = Vec::new();
    for (alert, sample) in join(before, wanted) {
        let cause = sample.as_ref().map(|it| it.cause);
        let cause = cause.or(alert.as_ref().map(|it| it.cause));
        // Whether there is data is not known of a failed evaluation.
        if cause == Some(Cause::NoData) && condition.error.is_some() {
            after.extend(alert);
            continue;
        }
        let timing = Timing {
            at: step.at,
            hold_for: cause.map_or(Duration::ZERO, hold_for),
            keep_firing_for: Duration::ZERO,
        };
        let change = Change {
            alert,
            sample: sample.map(|it| it.sample),
            cause: cause.unwrap_or_default(),
            hold: None,
            mode,
        };
        after.extend(carry_on(state, change, timing, None, step, out));
    }
    state.reports = after;
}

fn held_for(reaction: Reaction) -> Duration {
    match reaction {
        Reaction::Alert { hold_for } => hold_for,
        Reaction::Upstream | Reaction::Keep | Reaction::End => Duration::ZERO,
    }
}

/// An alert that there should be about a rule.
struct Report {
    cause: Cause,
    sample: RuleSample,
}

impl crate::join::Labelled for Report {
    fn labels(&self) -> &Labels {
        &self.sample.labels
    }
}

/// In order of labels.
fn wanted(
    state: &RuleState,
    rule: &Rule,
    condition: Condition<'_>,
    step: &Step<'_>,
) -> Vec<Report> {
    let mut wanted = Vec::new();
    if let Some(alerting) = rule.as_alerting() {
        let is_alert = |reaction| matches!(reaction, Reaction::Alert { .. });
        if condition.is_silent && is_alert(alerting.policy.no_data) {
            let reason = "no series that the expression asks for has a sample";
            wanted.push(in_place_of(
                state,
                rule,
                alerting,
                Cause::NoData,
                reason,
                step,
            ));
        }
        if let (Some(error), true) = (condition.error, is_alert(alerting.policy.on_error)) {
            wanted.push(in_place_of(
                state,
                rule,
                alerting,
                Cause::Error,
                error,
                step,
            ));
        }
    }
    if let (Some(error), Some(failing)) = (condition.error, &step.context.failing_alert) {
        wanted.push(failing_report(state, rule, &failing.labels, error));
    }
    wanted.sort_by(|a, b| a.sample.labels.cmp(&b.sample.labels));
    wanted
}

/// An alert in the place of those that the rule cannot tell of: with its labels and texts.
fn in_place_of(
    state: &RuleState,
    rule: &Rule,
    alerting: &AlertingRule,
    cause: Cause,
    reason: &str,
    step: &Step<'_>,
) -> Report {
    let none = Labels::empty();
    let data = AlertData {
        labels: &none,
        external_labels: &step.context.external_labels,
        external_url: &step.context.external_url,
        value: &SampleValue::Float(f64::NAN),
        now: step.at,
    };
    let no_query = |_: &str, _| -> Result<Vec<QuerySample>, String> {
        Err("there is no sample to query for".to_owned())
    };
    let numbers: &[f64] = match alerting.policy.anomaly {
        Some(_) => &[f64::NAN; VARIABLES.len()],
        None => &[],
    };
    let text = |text: &Template| or_error(&rule.name, text.expand_with(&data, numbers, &no_query));
    let (name, state_reason) = match cause {
        Cause::NoData => (NO_DATA, "NoData"),
        _ => (ERROR, "Error"),
    };
    let mut labels = none.to_builder();
    for (name, template) in &alerting.labels {
        labels.set(name.clone(), text(template));
    }
    labels.set(ALERT_NAME, name);
    labels.set("rulename", rule.name.as_str());
    labels.set("rule_group", state.key.group.as_str());
    let mut annotations = none.to_builder();
    for (name, template) in &alerting.annotations {
        annotations.set(name.clone(), text(template));
    }
    annotations.set("state_reason", state_reason);
    annotations.set("reason", reason);
    Report::new(cause, labels.build(), annotations.build())
}

/// The alert of Firebell's own that a rule fails, whatever the rule is.
fn failing_report(state: &RuleState, rule: &Rule, extra: &Labels, error: &str) -> Report {
    let mut labels = extra.to_builder();
    labels.set(ALERT_NAME, FAILING);
    labels.set("rule", rule.name.as_str());
    labels.set("rule_group", state.key.group.as_str());
    labels.set("rule_file", state.key.file.as_str());
    if state.nth_of_name > 0 {
        labels.set("rule_nth", (state.nth_of_name + 1).to_string());
    }
    let summary = format!(
        "Rule {} of group {} fails: what it watches is not seen.",
        rule.name, state.key.group
    );
    let pairs = [("summary", summary.as_str()), ("description", error)];
    Report::new(Cause::Failing, labels.build(), Labels::from_pairs(pairs))
}

impl Report {
    fn new(cause: Cause, labels: Labels, annotations: Labels) -> Self {
        let value = match cause {
            Cause::NoData => f64::NAN,
            _ => 1.0,
        };
        let sample = RuleSample {
            labels,
            annotations,
            value: SampleValue::Float(value),
        };
        Self { cause, sample }
    }
}

/// The name of the alert that a rule fails.
const FAILING: &str = "FirebellRuleFailing";
const NO_DATA: &str = "DatasourceNoData";
const ERROR: &str = "DatasourceError";
/// The names of alerts about rules.
pub const REPORTS: [&str; 3] = [FAILING, NO_DATA, ERROR];
