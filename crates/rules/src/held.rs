//! Which alerts go on although the condition does not hold: what `clear` and `no_data` say.

use std::collections::BTreeSet;
use std::sync::Arc;

use firebell_model::{ALERT_NAME, Labels, METRIC_NAME};

use crate::alert::{AlertInstance, AlertPhase, Hold};
use crate::ask::Answers;
use crate::definition::AlertingRule;
use crate::policy::Reaction;

/// What an evaluation says of alerts whose condition does not hold.
#[derive(Debug)]
pub(crate) struct Holds {
    is_frozen: bool,
    clear: Option<Clear>,
}

#[derive(Debug)]
struct Clear {
    cleared: Subsets,
    valued: Subsets,
}

impl Holds {
    pub(crate) fn new(rule: &AlertingRule, answers: &Answers) -> Self {
        let policy = &rule.policy;
        let own: BTreeSet<&str> = rule.labels.iter().map(|(name, _)| &**name).collect();
        Self {
            is_frozen: answers.is_silent && policy.no_data == Reaction::Keep,
            clear: policy.clear.as_ref().map(|_| Clear {
                cleared: Subsets::new(&answers.cleared, &own),
                valued: Subsets::new(&answers.valued, &own),
            }),
        }
    }

    /// What holds an alert whose condition does not hold.
    pub(crate) fn of(&self, alert: &AlertInstance) -> Option<Hold> {
        if self.is_frozen && alert.is_active() {
            return Some(Hold::NoData);
        }
        let clear = self.clear.as_ref()?;
        let AlertPhase::Firing {
            held,
            keep_firing_since,
            ..
        } = alert.phase
        else {
            return None;
        };
        // Once it was clear, only the condition itself brings it back.
        let was_clear = held == Some(Hold::Flapping) || keep_firing_since.is_some();
        let is_between =
            clear.valued.match_any(&alert.labels) && !clear.cleared.match_any(&alert.labels);
        (is_between && !was_clear).then_some(Hold::Clear)
    }
}

/// Label sets, to ask whether one of them is part of another.
#[derive(Debug, Default)]
struct Subsets(Vec<(Vec<Arc<str>>, BTreeSet<Labels>)>);

impl Subsets {
    /// `own` are the labels that the rule sets itself: they say nothing of the series.
    fn new(sets: &[Labels], own: &BTreeSet<&str>) -> Self {
        let mut by_names = Self::default();
        for labels in sets {
            let labels = labels
                .filter(|name| name != METRIC_NAME && name != ALERT_NAME && !own.contains(name));
            let names: Vec<Arc<str>> = labels.iter().map(|label| label.name.clone()).collect();
            match by_names.0.iter_mut().find(|(known, _)| *known == names) {
                Some((_, sets)) => drop(sets.insert(labels)),
                None => by_names.0.push((names, BTreeSet::from([labels]))),
            }
        }
        by_names
    }

    fn match_any(&self, of: &Labels) -> bool {
        self.0.iter().any(|(names, sets)| {
            let part = of.filter(|name| names.iter().any(|it| **it == *name));
            sets.contains(&part)
        })
    }
}
