//! Error budgets within the engine: incidents know what is left of the budget behind their alerts, and
//! a budget that runs low is an alert of its own.
//!
//! What is left is asked of the world ([`crate::Effect::MeasureBudgets`]), as the arithmetic of objectives is
//! not the engine's, and comes back as [`crate::Input::Budgets`].
//!
//! *Invariants*: nothing of this is written down but what incidents and alerts carry: after a restart
//! it is measured at once. While an objective gives nothing, what was known of it stays.

use std::collections::BTreeMap;
use std::sync::Arc;

use firebell_escalation::BudgetLeft;
use firebell_incident::{BudgetOpening, ErrorBudget, Incident, IncidentId, LOW_BUDGET_ALERT};
use firebell_model::{ALERT_NAME, Alert, AlertStatus, Duration, Fingerprint, Labels, Timestamp};

use crate::engine::{Effect, Engine, Step};
use crate::paging::Paging;

/// What is left of the budgets of an objective.
#[derive(Clone, PartialEq, Debug)]
pub struct ObjectiveBudgets {
    /// `service/name`.
    pub objective: Arc<str>,
    /// What its alerts have in common: `service` and `slo` among them.
    pub identity: Labels,
    /// What is left of each, by the labels that tell it from the others; none where there is nothing
    /// to measure by.
    pub left: Vec<(Labels, BudgetLeft)>,
}

impl ObjectiveBudgets {
    /// Of what was measured: a share of each, 1 being all of it.
    pub fn new(
        objective: &str,
        identity: Labels,
        left: impl IntoIterator<Item = (Labels, f64)>,
    ) -> Self {
        let left = left.into_iter();
        Self {
            objective: objective.into(),
            identity,
            left: left
                .map(|(labels, share)| (labels, BudgetLeft::of_share(share)))
                .collect(),
        }
    }
}

/// All budgets, as they were last measured.
#[derive(Clone, PartialEq, Debug)]
pub struct Budgets {
    /// One for each objective of the configuration.
    pub all: Vec<ObjectiveBudgets>,
    /// How long that took: what costs much is done seldom.
    pub took: Duration,
}

/// What the engine knows of budgets.
#[derive(Default)]
pub(crate) struct KnownBudgets {
    /// When they are measured next; nobody wants to know otherwise.
    due_at: Option<Timestamp>,
    /// Whether they are being measured.
    is_asked: bool,
    /// By `service` and `slo`.
    known: BTreeMap<(Arc<str>, Arc<str>), ObjectiveBudgets>,
    /// The alerts that are raised, by their labels; found again among all alerts after a restart.
    low: BTreeMap<Fingerprint, Labels>,
}

impl KnownBudgets {
    pub(crate) fn poll_deadline(&self) -> Option<Timestamp> {
        self.due_at
    }

    /// Has them measured when that is due.
    pub(crate) fn handle_deadline(&mut self, now: Timestamp, step: &mut Step) {
        if self.due_at.take_if(|at| *at <= now).is_some() {
            self.is_asked = true;
            step.effects.push(Effect::MeasureBudgets(now));
        }
    }

    /// They are measured from now on, or no longer.
    fn want(&mut self, now: Timestamp, is_wanted: bool) {
        match (is_wanted, self.is_asked) {
            (true, false) => self.due_at = self.due_at.or(Some(now)),
            (true, true) => {}
            (false, _) => self.due_at = None,
        }
    }

    fn take(&mut self, now: Timestamp, budgets: Budgets) {
        let seldom = Duration(budgets.took.0.saturating_mul(SHARE_OF_TIME));
        self.is_asked = false;
        self.due_at = Some(now + EVERY.max(seldom));
        let before = std::mem::take(&mut self.known);
        for mut it in budgets.all {
            let key = key_of(&it.identity);
            if it.left.is_empty()
                && let Some(before) = before.get(&key)
            {
                it.left.clone_from(&before.left);
            }
            self.known.insert(key, it);
        }
    }

    /// What is left of the budget behind an incident: of the objectives that its alerts are about, or
    /// else of those of its service, that of which least is left.
    fn behind(&self, incident: &Incident) -> Option<ErrorBudget> {
        let of_alerts = incident
            .alerts
            .values()
            .filter_map(|it| self.of(&it.labels));
        let of_service = || {
            let service = incident.key.value("service");
            let known = self.known.iter();
            let known = known.filter(|((of, _), _)| !service.is_empty() && **of == *service);
            let known = known.filter_map(|(_, it)| lowest(it, |_| true));
            known.min_by_key(|it| it.left)
        };
        of_alerts.min_by_key(|it| it.left).or_else(of_service)
    }

    /// Of the objective that an alert is about.
    fn of(&self, labels: &Labels) -> Option<ErrorBudget> {
        let of = self.known.get(&key_of(labels))?;
        let is_its = |of_budget: &Labels| {
            let mut own = of_budget.iter();
            own.all(|it| {
                of.identity.get(&it.name).is_some() || labels.value(&it.name) == &*it.value
            })
        };
        lowest(of, is_its)
    }

    /// The alerts that begin and those that end.
    fn judge(
        &mut self,
        now: Timestamp,
        opening: Option<&BudgetOpening>,
        severity_label: &str,
    ) -> (Vec<Alert>, Vec<Labels>) {
        let mut low: BTreeMap<Fingerprint, Labels> = BTreeMap::new();
        let mut begun = Vec::new();
        let opening = opening.into_iter();
        let judged = opening.flat_map(|it| self.known.values().map(move |of| (it, of)));
        for (opening, of) in judged {
            for (labels, left) in &of.left {
                let alert = alert(now, of, (labels, *left), opening, severity_label);
                let fingerprint = alert.labels.fingerprint();
                let was_low = self.low.contains_key(&fingerprint);
                // What hovers about the limit is said once.
                let limit = opening.below.0 + if was_low { RECOVERED_BY } else { 0 };
                if left.0 < limit {
                    low.insert(fingerprint, alert.labels.clone());
                    begun.extend((!was_low).then_some(alert));
                }
            }
        }
        let before = std::mem::replace(&mut self.low, low);
        let ended = before
            .into_iter()
            .filter(|(it, _)| !self.low.contains_key(it));
        (begun, ended.map(|(_, labels)| labels).collect())
    }
}

impl Engine {
    /// Budgets were measured.
    pub(crate) fn take_budgets(&mut self, now: Timestamp, budgets: Budgets, step: &mut Step) {
        self.budgets.take(now, budgets);
        self.judge_budgets(now, step);
        let open = self.incidents.iter().filter(|it| it.state.is_open());
        let ids: Vec<IncidentId> = open.map(|it| it.id).collect();
        self.tell_budgets(&ids);
        self.want_budgets(now);
    }

    /// Goes on after a restart: measures anew, and knows the alerts that it raised.
    pub(crate) fn resume_budgets(&mut self, now: Timestamp) {
        let alerts = self.dispatch.known_after(None);
        let own = alerts.filter(|(_, labels)| {
            labels.value(ALERT_NAME) == LOW_BUDGET_ALERT && labels.get("slo").is_some()
        });
        let firing = own.filter(|(fingerprint, _)| {
            let view = self.dispatch.alert(now, *fingerprint);
            view.is_some_and(|it| it.alert.status_at(now) == AlertStatus::Firing)
        });
        self.budgets.low = firing.map(|(it, labels)| (it, labels.clone())).collect();
        self.want_budgets(now);
    }

    /// Another configuration: what no objective says any more ends.
    pub(crate) fn configure_budgets(&mut self, now: Timestamp, step: &mut Step) {
        self.judge_budgets(now, step);
        self.budgets.due_at = None;
        self.want_budgets(now);
    }

    /// Incidents that changed hear of the budgets behind them.
    pub(crate) fn follow_budgets(&mut self, now: Timestamp) {
        let ids: Vec<IncidentId> = self.incidents.changed().collect();
        if !ids.is_empty() {
            self.tell_budgets(&ids);
            self.want_budgets(now);
        }
    }

    fn want_budgets(&mut self, now: Timestamp) {
        let policy = self.incidents.policy();
        let is_wanted = policy.has_objectives
            && (policy.open_when_budget.is_some()
                || asks_for_budgets(self.paging())
                || self.incidents.iter().any(|it| it.state.is_open()));
        self.budgets.want(now, is_wanted);
    }

    fn tell_budgets(&mut self, ids: &[IncidentId]) {
        if self.budgets.known.is_empty() {
            return;
        }
        for id in ids {
            let incident = self.incidents.get(*id).filter(|it| it.state.is_open());
            let behind = incident.and_then(|it| self.budgets.behind(it));
            if let Some(budget) = behind {
                self.incidents.set_budget(*id, budget);
            }
        }
    }

    fn judge_budgets(&mut self, now: Timestamp, step: &mut Step) {
        let policy = self.incidents.policy();
        let opening = policy.open_when_budget.filter(|_| policy.has_objectives);
        let (mut alerts, ended) = self
            .budgets
            .judge(now, opening.as_ref(), &policy.severity_label);
        let url = &self.rules().set().context().external_url;
        for alert in &mut alerts {
            alert.generator_url = format!("{url}/#/objectives");
        }
        let known = ended.iter().filter_map(|labels| {
            let known = self.dispatch.alert(now, labels.fingerprint())?;
            Some(Alert {
                ends_at: Some(now),
                updated_at: now,
                ..known.alert.clone()
            })
        });
        alerts.extend(known);
        if !alerts.is_empty() {
            self.in_dispatch(now, step, |dispatch, out| {
                dispatch.handle_own_alerts(now, &alerts, out);
            });
        }
    }
}

fn asks_for_budgets(paging: &Paging) -> bool {
    paging
        .policies
        .iter()
        .any(firebell_escalation::Policy::asks_for_budget)
}

fn key_of(labels: &Labels) -> (Arc<str>, Arc<str>) {
    (labels.value("service").into(), labels.value("slo").into())
}

/// That of which least is left, of those that are meant.
fn lowest(of: &ObjectiveBudgets, is_meant: impl Fn(&Labels) -> bool) -> Option<ErrorBudget> {
    let meant = of.left.iter().filter(|(labels, _)| is_meant(labels));
    let left = meant.map(|(_, left)| *left).min()?;
    Some(ErrorBudget {
        objective: Arc::clone(&of.objective),
        left,
    })
}

fn alert(
    now: Timestamp,
    of: &ObjectiveBudgets,
    (labels, left): (&Labels, BudgetLeft),
    opening: &BudgetOpening,
    severity_label: &str,
) -> Alert {
    let severity = opening.severity.to_string();
    let own = [(severity_label, &*severity), (ALERT_NAME, LOW_BUDGET_ALERT)];
    let mut all = of.identity.to_builder();
    for label in labels
        .iter()
        .filter(|it| of.identity.get(&it.name).is_none())
    {
        all.set(label.name.clone(), label.value.clone());
    }
    for (name, value) in own {
        all.set(name, value);
    }
    let objective = &of.objective;
    let below = opening.below;
    let summary = format!("{objective} has {left} of its error budget left");
    let description = format!(
        "Less than {below} of the error budget of {objective} is left. What is risky waits until \
         there is more."
    );
    Alert {
        labels: all.build(),
        annotations: Labels::from_pairs([("summary", &*summary), ("description", &*description)]),
        starts_at: now,
        ends_at: None,
        generator_url: String::new(),
        updated_at: now,
        is_timeout: false,
    }
}

/// How often budgets are measured, at most.
const EVERY: Duration = Duration::from_mins(1);
/// It may take one part in so many of the time of a processor.
const SHARE_OF_TIME: i64 = 20;
/// An alert about a low budget ends when so much more is left, in hundredths of a percent.
const RECOVERED_BY: i32 = 100;
