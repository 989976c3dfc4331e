//! When incidents open by themselves, which alerts belong together, and how long things wait.

use std::collections::BTreeMap;

use firebell_escalation::BudgetLeft;
use firebell_model::{ALERT_NAME, Duration, Labels, Matcher};

use crate::incident::Severity;
use crate::runbook::Runbook;

/// What people have configured under `incidents`.
#[derive(Clone, PartialEq, Debug)]
pub struct Policy {
    /// An alert that satisfies all matchers of any of these opens an incident; none do when empty.
    pub open_when: Vec<Vec<Matcher>>,
    /// When an error budget opens one; none does without.
    pub open_when_budget: Option<BudgetOpening>,
    /// Whether there are objectives, whose budgets incidents can know.
    pub has_objectives: bool,
    /// The first of these labels that an alert has names its service.
    pub service_labels: Vec<String>,
    /// Labels that have to be equal besides the service.
    pub join_by: Vec<String>,
    /// An alert joins, or re-opens, while this has not passed since the incident was last alive.
    pub window: Duration,
    /// The label that says how severe an alert is.
    pub severity_label: String,
    /// What its values mean; others are [`Severity::Sev3`].
    pub severities: BTreeMap<String, Severity>,
    /// What nobody touched is resolved when none of its alerts fired for so long.
    pub resolve_after: Duration,
    /// A verdict is guessed when nobody gave one for so long after the end.
    pub answer_within: Duration,
    /// What people have written for some incidents.
    pub runbooks: Vec<Runbook>,
}

/// When what is left of an error budget opens an incident.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BudgetOpening {
    /// When less than this is left.
    pub below: BudgetLeft,
    /// How bad that is.
    pub severity: Severity,
}

impl Default for Policy {
    fn default() -> Self {
        let texts = |texts: &[&str]| texts.iter().map(|it| (*it).to_owned()).collect();
        let severities = [
            ("critical", Severity::Sev1),
            ("page", Severity::Sev2),
            ("error", Severity::Sev2),
            ("warning", Severity::Sev3),
            ("info", Severity::Sev4),
        ];
        let severities = severities.map(|(name, severity)| (name.to_owned(), severity));
        Self {
            open_when: Vec::new(),
            open_when_budget: None,
            has_objectives: false,
            service_labels: texts(&["service", "job"]),
            join_by: texts(&["cluster"]),
            window: Duration::from_mins(30),
            severity_label: "severity".to_owned(),
            severities: severities.into(),
            resolve_after: Duration::from_mins(5),
            answer_within: Duration::from_hours(24),
            runbooks: Vec::new(),
        }
    }
}

impl Policy {
    /// Whether an alert opens an incident.
    #[must_use]
    pub fn opens(&self, labels: &Labels) -> bool {
        let all = |matchers: &Vec<Matcher>| matchers.iter().all(|it| it.matches(labels));
        let is_budget = || labels.value(ALERT_NAME) == LOW_BUDGET_ALERT;
        self.open_when.iter().any(all) || (self.open_when_budget.is_some() && is_budget())
    }

    /// How severe an alert is.
    #[must_use]
    pub fn severity(&self, labels: &Labels) -> Severity {
        let value = labels.value(&self.severity_label);
        let named = self.severities.get(value).copied();
        named
            .or_else(|| value.parse().ok())
            .unwrap_or(Severity::Sev3)
    }

    /// What an alert shares with others of its incident: its service under that name, or else the
    /// name of the alert, and the labels of `join_by` that it has.
    #[must_use]
    pub fn key(&self, labels: &Labels) -> Labels {
        let names = self.service_labels.iter().map(|name| labels.value(name));
        let service = names.into_iter().find(|it| !it.is_empty());
        let first = match service {
            Some(service) => (SERVICE, service),
            None => (ALERT_NAME, labels.value(ALERT_NAME)),
        };
        let others = self.join_by.iter().map(|it| (&**it, labels.value(it)));
        Labels::from_pairs(others.chain([first]))
    }
}

/// The name of the alert that little is left of an error budget.
pub const LOW_BUDGET_ALERT: &str = "ErrorBudgetLow";
/// How the service is called in the key of an incident.
pub(crate) const SERVICE: &str = "service";
