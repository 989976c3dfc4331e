//! What the alerts of the rules go through, as differences between two looks.

use std::collections::BTreeMap;

use firebell_engine::Engine;
use firebell_model::{ALERT_NAME, Labels};
use firebell_rules::{AlertPhase, Health};

/// A change of one alert.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Change {
    /// The condition began to hold.
    Pending,
    /// The condition ended before `for` had passed.
    Dropped,
    /// It burns.
    Firing,
    /// The condition has ended, and `keep_firing_for` or a key of Firebell's own holds it.
    Kept,
    /// It has ended.
    Resolved,
    /// Its rule is gone.
    Withdrawn,
}

impl Change {
    /// As transcripts say it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Dropped => "dropped",
            Self::Firing => "firing",
            Self::Kept => "kept firing",
            Self::Resolved => "resolved",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// What was seen at the last look.
#[derive(Default, Debug)]
pub(crate) struct Phases {
    alerts: BTreeMap<Labels, Seen>,
    errors: BTreeMap<String, String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Seen {
    Pending,
    Firing { is_kept: bool },
    Resolved,
}

impl Phases {
    /// What has changed since the last look, in order of labels.
    pub(crate) fn changes(&mut self, engine: &Engine) -> Vec<(Change, Labels)> {
        let rules = engine.rules();
        if rules.groups().count() != rules.set().groups().len() {
            // Just restored: the rules take up their state at their first deadline, which is now.
            return Vec::new();
        }
        let mut seen = BTreeMap::new();
        for alert in rules
            .groups()
            .flat_map(|it| it.rules())
            .flat_map(|it| it.alerts().iter().chain(it.reports()))
        {
            let phase = match alert.phase {
                AlertPhase::Pending => Seen::Pending,
                AlertPhase::Firing {
                    keep_firing_since,
                    held,
                    ..
                } => Seen::Firing {
                    is_kept: keep_firing_since.is_some() || held.is_some(),
                },
                AlertPhase::Resolved { .. } => Seen::Resolved,
            };
            seen.insert(alert.labels.clone(), phase);
        }
        let mut changes = Vec::new();
        for (labels, phase) in &seen {
            let before = self.alerts.get(labels).copied();
            changes.extend(change(before, Some(*phase)).map(|change| (change, labels.clone())));
        }
        for (labels, phase) in &self.alerts {
            if !seen.contains_key(labels) {
                changes.extend(change(Some(*phase), None).map(|change| (change, labels.clone())));
            }
        }
        self.alerts = seen;
        changes.sort();
        changes
    }

    /// Rules that have begun to fail, with the error, and rules that work again.
    pub(crate) fn health(&mut self, engine: &Engine) -> Vec<(String, Option<String>)> {
        let mut changes = Vec::new();
        for rule in engine.rules().groups().flat_map(|it| it.rules()) {
            let name = &rule.rule.name;
            let error = match rule.health() {
                Health::Unknown => continue,
                Health::Ok => None,
                Health::Err => rule.last_error().map(str::to_owned),
            };
            let before = match &error {
                Some(error) => self.errors.insert(name.clone(), error.clone()),
                None => self.errors.remove(name),
            };
            if before != error {
                changes.push((name.clone(), error));
            }
        }
        changes
    }
}

fn change(before: Option<Seen>, after: Option<Seen>) -> Option<Change> {
    match (before, after) {
        (before, after) if before == after => None,
        (_, Some(Seen::Pending)) => Some(Change::Pending),
        (_, Some(Seen::Firing { is_kept: true })) => Some(Change::Kept),
        (_, Some(Seen::Firing { is_kept: false })) => Some(Change::Firing),
        (_, Some(Seen::Resolved)) => Some(Change::Resolved),
        (Some(Seen::Pending), None) => Some(Change::Dropped),
        (Some(Seen::Firing { .. }), None) => Some(Change::Withdrawn),
        (Some(Seen::Resolved) | None, None) => None,
    }
}

/// `HighErrors{service="shop"}`: an alert as transcripts name it.
#[must_use]
pub fn alert_text(labels: &Labels) -> String {
    let name = labels.value(ALERT_NAME);
    let rest = labels.filter(|label| label != ALERT_NAME);
    match rest.is_empty() {
        true => name.to_owned(),
        false => format!("{name}{}", firebell_model::label_set_text(&rest)),
    }
}
