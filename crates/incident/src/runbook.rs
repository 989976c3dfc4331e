//! Runbooks and checklists: what to check, what to do next, when to hand over. Markdown that people
//! write, whose task items (`- [ ] look at the locks`) are steps that are ticked in an incident. One
//! that is ticked in the text (`- [x] …`) is a step like the others: nobody has done it yet.

use std::borrow::Cow;
use std::sync::Arc;

use firebell_model::{Matcher, Timestamp};
use serde::{Deserialize, Serialize};

use crate::incident::{Incident, Person, Severity};

/// What people have written for some incidents.
#[derive(Clone, PartialEq, Debug)]
pub struct Runbook {
    /// As configuration calls it; unique.
    pub name: Arc<str>,
    /// It is for incidents this bad or worse; for all when it is not said.
    pub severity: Option<Severity>,
    /// It is for incidents of which an alert satisfies all matchers of any of these; for all when
    /// there are none.
    pub alerts: Vec<Vec<Matcher>>,
    /// Markdown.
    pub text: Arc<str>,
}

/// A step of a runbook that somebody has done in an incident.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Tick {
    /// The runbook's name.
    pub runbook: Arc<str>,
    /// The step as it was written then: a runbook that changes meanwhile ticks nothing else.
    pub step: Arc<str>,
    /// Who did it.
    pub by: Person,
    /// When.
    pub at: Timestamp,
}

impl Runbook {
    /// Whether it is one for an incident.
    #[must_use]
    pub fn is_for(&self, incident: &Incident) -> bool {
        let is_so_bad = self.severity.is_none_or(|it| incident.severity <= it);
        let has_alert = |matchers: &Vec<Matcher>| {
            let mut alerts = incident.alerts.values();
            alerts.any(|alert| matchers.iter().all(|it| it.matches(&alert.labels)))
        };
        is_so_bad && (self.alerts.is_empty() || self.alerts.iter().any(has_alert))
    }

    /// Its steps, in order; they count from 1.
    pub fn steps(&self) -> impl Iterator<Item = &str> {
        lines(&self.text).filter_map(|(_, step)| step)
    }

    /// Its text with what was ticked as such (`- [x] …`).
    #[must_use]
    pub fn ticked(&self, incident: &Incident) -> String {
        let mut text = String::with_capacity(self.text.len());
        for (line, step) in lines(&self.text) {
            let line = match step.map(|step| self.tick(incident, step)) {
                Some(Some(_)) => Cow::Owned(line.replacen("[ ]", "[x]", 1)),
                Some(None) => Cow::Owned(line.replacen("[x]", "[ ]", 1)),
                None => Cow::Borrowed(line),
            };
            text.push_str(&line);
            text.push('\n');
        }
        text
    }

    /// Who did a step in an incident, and when.
    #[must_use]
    pub fn tick<'i>(&self, incident: &'i Incident, step: &str) -> Option<&'i Tick> {
        let mut ticks = incident.ticks.iter();
        ticks.find(|it| it.runbook == self.name && *it.step == *step)
    }
}

/// The lines of a text, each with the step that it is; what stands between fences is none.
fn lines(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let mut is_code = false;
    text.lines().map(move |line| {
        let item = line.trim_start();
        is_code ^= item.starts_with("```");
        let item = ["- [ ] ", "- [x] "]
            .iter()
            .find_map(|it| item.strip_prefix(it));
        let step = item.map(str::trim).filter(|it| !is_code && !it.is_empty());
        (line, step)
    })
}

/// The most steps of a runbook.
pub const STEPS_MAX: usize = 100;
/// The most steps that are ticked in an incident.
pub(crate) const TICKS_MAX: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn task_items_are_steps_and_code_is_not() {
        let text = "# Slow\n\n- [ ] look\n  - [ ]  deeper \n```sh\n- [ ] no\n```\n- no\n- [ ] \n- [x] see\n- [ ] hand over\n";
        let runbook = Runbook {
            name: "slow".into(),
            severity: None,
            alerts: Vec::new(),
            text: text.into(),
        };
        let steps: Vec<&str> = runbook.steps().collect();
        assert_eq!(steps, ["look", "deeper", "see", "hand over"]);
    }
}
