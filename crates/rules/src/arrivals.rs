//! Rules that are evaluated when samples arrive: `evaluate: on_arrival`.
//!
//! The core names the series that such rules read, the store tells when one of them gets samples.
//!
//! *Invariants*: what a rule writes does not wake it, or it would never rest.

use firebell_model::{METRIC_NAME, MatchOp, Matcher};

use crate::alert::{ALERTS, ALERTS_FOR_STATE};
use crate::definition::{Rule, RuleGroup};
use crate::runs::{Reads, exact_name};

/// The series whose samples are to be told of, in the place of those of an earlier list.
#[derive(Clone, PartialEq, Debug)]
pub struct Watchlist {
    /// To be given back in [`Arrived`].
    pub generation: u64,
    /// For each rule its selectors; a sample counts whose series satisfies all matchers of one.
    pub selectors: Vec<Vec<Vec<Matcher>>>,
}

/// Samples have arrived.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Arrived {
    /// From the list.
    pub generation: u64,
    /// Indices into [`Watchlist::selectors`].
    pub rules: Vec<u32>,
}

/// Which rules are in the list that is in force.
#[derive(Debug, Default)]
pub(crate) struct Watched(Vec<(usize, usize)>);

impl Watched {
    /// Begins anew; the list to put in force, if there is or was anything in it.
    pub(crate) fn replace(&mut self, generation: u64, groups: &[RuleGroup]) -> Option<Watchlist> {
        let was_any = !self.0.is_empty();
        self.0.clear();
        let mut selectors = Vec::new();
        for (group_idx, group) in groups.iter().enumerate() {
            for (rule_idx, rule) in group.rules.iter().enumerate() {
                if rule.cadence.on_arrival {
                    self.0.push((group_idx, rule_idx));
                    selectors.push(selectors_of(rule));
                }
            }
        }
        let list = Watchlist {
            generation,
            selectors,
        };
        (was_any || !self.0.is_empty()).then_some(list)
    }

    /// The rules, by their groups.
    pub(crate) fn rules<'a>(
        &'a self,
        arrived: &'a Arrived,
    ) -> impl Iterator<Item = (usize, usize)> + use<'a> {
        let rules = arrived.rules.iter();
        rules.filter_map(|idx| self.0.get(*idx as usize).copied())
    }
}

fn selectors_of(rule: &Rule) -> Vec<Vec<Matcher>> {
    let own: &[&str] = match rule.as_alerting() {
        Some(_) => &[ALERTS, ALERTS_FOR_STATE],
        None => &[&rule.name],
    };
    let reads = Reads::of(rule);
    let mut selectors = Vec::new();
    for matchers in reads.selectors {
        let mut matchers = matchers.to_vec();
        match exact_name(&matchers) {
            Some(name) if rule.as_alerting().is_none() && name == rule.name => continue,
            Some(_) => {}
            None => {
                let others = own.iter();
                let others = others
                    .filter_map(|own| Matcher::new(METRIC_NAME, MatchOp::NotEqual, *own).ok());
                matchers.extend(others);
            }
        }
        selectors.push(matchers);
    }
    selectors
}
