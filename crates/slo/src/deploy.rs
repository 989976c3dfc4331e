//! Deploys: when which version of a service went live.

use std::cmp::Reverse;

use firebell_model::{Labels, Timestamp};

use crate::objective::Objective;

/// A version of a service that went live.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deploy {
    /// As objectives name it.
    pub service: String,
    /// What people call it.
    pub version: String,
    /// When it began to serve.
    pub at: Timestamp,
    /// Where people read more; may be empty.
    pub url: String,
    /// Where it runs, such as `production`; empty: wherever the service does.
    pub environment: String,
}

impl Deploy {
    /// Whether it can have spent a budget: one of the service, and of the same environment where
    /// both say one, the budget by a label `environment` of its own or of its alerts.
    #[must_use]
    pub fn concerns(&self, objective: &Objective, budget: &Labels) -> bool {
        let of_budget = budget.get(ENVIRONMENT);
        let of_budget = of_budget.or_else(|| objective.labels.get(ENVIRONMENT));
        let is_there =
            self.environment.is_empty() || of_budget.is_none_or(|it| it == self.environment);
        self.service == objective.service && is_there
    }
}

/// Those that concern a budget up to a moment, the newest first.
pub(crate) fn concerning<'a>(
    deploys: &'a [Deploy],
    objective: &Objective,
    budget: &Labels,
    at: Timestamp,
) -> Vec<&'a Deploy> {
    let concern = deploys.iter().filter(|it| it.concerns(objective, budget));
    let mut found: Vec<&Deploy> = concern.filter(|it| it.at <= at).collect();
    found.sort_by_key(|it| Reverse((it.at, &it.version)));
    found
}

const ENVIRONMENT: &str = "environment";
