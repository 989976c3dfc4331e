//! Which deploys can have spent a budget.

use std::cmp::Reverse;

use firebell_model::{Deploy, Labels, Timestamp};

use crate::objective::Objective;

/// Those that concern a budget up to a moment, the newest first.
pub(crate) fn concerning<'a>(
    deploys: &'a [Deploy],
    objective: &Objective,
    budget: &Labels,
    at: Timestamp,
) -> Vec<&'a Deploy> {
    let concern = deploys.iter().filter(|it| concerns(it, objective, budget));
    let mut found: Vec<&Deploy> = concern.filter(|it| it.at <= at).collect();
    found.sort_by_key(|it| Reverse((it.at, &it.version)));
    found
}

/// One of the service, and of the same namespace and environment where both say one, the budget by a
/// label of its own or of its alerts.
fn concerns(deploy: &Deploy, objective: &Objective, budget: &Labels) -> bool {
    let said = |name| budget.get(name).or_else(|| objective.labels.get(name));
    let is_of_it = deploy.is_of(&objective.service, said(Deploy::NAMESPACE));
    is_of_it && deploy.is_in(said(Deploy::ENVIRONMENT))
}
