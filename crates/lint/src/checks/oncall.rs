//! Whether alerts can have an owner.

use super::Scope;
use crate::catalogue::oncall as lints;
use crate::project::{AlertLabels, Answer};

pub(super) fn judge_rule(scope: &mut Scope<'_>) {
    let (project, rule) = (scope.project, scope.rule);
    let relabels = project.global.as_ref().is_some_and(|it| it.relabels_alerts);
    let Some(owners) = &project.owners else {
        return;
    };
    if !rule.is_alerting() || relabels {
        return;
    }
    let labels = AlertLabels::of(scope.group, rule, scope.flow.clone());
    let global = project.global.as_ref();
    if owners
        .iter()
        .all(|it| labels.satisfies(it, global) == Answer::No)
    {
        let message = "no team can own its alerts";
        let hint = "add a label `team` or `service`, or an entry of `owners`";
        scope.say(&lints::NO_OWNER, scope.name_place(), message, hint);
    }
}
