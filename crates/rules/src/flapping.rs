//! Alerts that begin and end again and again: how often, and since when they are calm.
//!
//! *Invariants*: a label set is known here while it burns or has changed within the limit's time; at
//! most one moment more than the limit allows is kept of it.

use std::collections::BTreeMap;

use firebell_model::{Labels, Timestamp};
use serde::{Deserialize, Serialize};

use crate::alert::{AlertInstance, AlertPhase, Hold};
use crate::policy::FlapLimit;
use crate::record::{RuleKey, RuleRecord};
use crate::state::Outcome;
use std::sync::Arc;

/// When an alert began or ended lately, as its condition says.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Flap {
    /// The changes, oldest first.
    pub changes: Vec<Timestamp>,
    /// Whether the last one was a beginning.
    pub is_burning: bool,
}

/// The label sets of one rule that changed lately.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Flaps(BTreeMap<Labels, Flap>);

impl Flap {
    /// How many changes count. What does not is forgotten only where that is recorded, or a restart
    /// would know more than the run before it.
    fn count(&self, limit: FlapLimit, at: Timestamp) -> usize {
        let counts = |change: &&Timestamp| at - **change < limit.within;
        self.changes.iter().filter(counts).count()
    }

    fn change(&mut self, limit: FlapLimit, at: Timestamp) {
        self.is_burning = !self.is_burning;
        self.changes.push(at);
        self.changes.retain(|change| at - *change < limit.within);
        let n_over = self.changes.len().saturating_sub(limit.changes + 1);
        self.changes.drain(..n_over);
    }
}

impl Flaps {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Counts what an evaluation has made of an alert, and holds one firing that flaps.
    /// `was_firing` is from before the evaluation.
    pub(crate) fn judge(
        &mut self,
        alert: &mut AlertInstance,
        was_firing: bool,
        limit: FlapLimit,
        at: Timestamp,
        (rule, out): (&Arc<RuleKey>, &mut Outcome),
    ) {
        let is_burning = matches!(alert.phase, AlertPhase::Firing { held, .. }
            if held != Some(Hold::Flapping));
        let known = self.0.get_mut(&alert.labels);
        let flap = match known {
            Some(flap) => flap,
            None if is_burning => self.0.entry(alert.labels.clone()).or_default(),
            None => return,
        };
        if flap.is_burning != is_burning {
            flap.change(limit, at);
            let (rule, labels) = (rule.clone(), alert.labels.clone());
            let flap = Some(flap.clone());
            out.records.push(RuleRecord::Flap { rule, labels, flap });
        }
        let is_flapping = flap.count(limit, at) > limit.changes;
        alert.is_flapping = is_flapping && (is_burning || was_firing);
        if let (true, true, AlertPhase::Resolved { fired_at, .. }) =
            (is_flapping, was_firing, alert.phase)
        {
            alert.phase = AlertPhase::Firing {
                fired_at,
                keep_firing_since: None,
                held: Some(Hold::Flapping),
            };
        }
    }

    /// Forgets who has been calm for long; everybody without a limit.
    pub(crate) fn prune(
        &mut self,
        limit: Option<FlapLimit>,
        at: Timestamp,
        (rule, out): (&Arc<RuleKey>, &mut Outcome),
    ) {
        self.0.retain(|labels, flap| {
            let is_kept = limit.is_some_and(|limit| flap.is_burning || flap.count(limit, at) > 0);
            if !is_kept {
                let (rule, labels) = (rule.clone(), labels.clone());
                out.records.push(RuleRecord::Flap {
                    rule,
                    labels,
                    flap: None,
                });
            }
            is_kept
        });
    }

    /// Takes a record.
    pub(crate) fn restore(&mut self, labels: Labels, flap: Option<Flap>) {
        match flap {
            Some(flap) => self.0.insert(labels, flap),
            None => self.0.remove(&labels),
        };
    }

    /// The whole state, as records; as gone ones where the rule itself is gone.
    pub(crate) fn records(&self, rule: &Arc<RuleKey>, is_gone: bool) -> Vec<RuleRecord> {
        let record = |(labels, flap): (&Labels, &Flap)| RuleRecord::Flap {
            rule: rule.clone(),
            labels: labels.clone(),
            flap: (!is_gone).then(|| flap.clone()),
        };
        self.0.iter().map(record).collect()
    }
}
