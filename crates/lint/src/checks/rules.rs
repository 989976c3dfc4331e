//! Rules beside each other, and what they set.

use std::collections::BTreeSet;

use firebell_model::Duration;
use firebell_promql::Span;

use super::{Scope, push};
use crate::catalogue::rules as lints;
use crate::input::{RuleFile, RuleKind};
use crate::lint::{Finding, Place};
use crate::project::{Project, Twin};
use crate::settings::Settings;

pub(super) fn judge(scope: &mut Scope<'_>) {
    duplicate(scope);
    dependency(scope);
    conflict(scope);
    let rule = scope.rule;
    if rule.kind == RuleKind::Recording && !rule.name.contains(':') {
        let message = format!("`{}` looks like a metric that was scraped", rule.name);
        let hint = "name it `level:metric:operations`, such as `job:http_requests:rate5m`";
        scope.say(&lints::NAME, scope.name_place(), message, hint);
    }
    let tested = scope.project.tested.get(&scope.file.name);
    if rule.is_alerting() && tested.is_some_and(|tested| !tested.contains(&rule.name)) {
        let message = format!("no test asks for `{}`", rule.name);
        let hint = "add the samples of a failure to a test file, and the alert that has to come";
        scope.say(&lints::UNTESTED, scope.name_place(), message, hint);
    }
}

/// What is wrong with a group as a whole.
pub(super) fn judge_group(
    file: &RuleFile,
    group_idx: usize,
    project: &Project,
    settings: &Settings,
    out: &mut Vec<Finding>,
) {
    let group = &file.groups[group_idx];
    let Some(interval) = group.interval else {
        return;
    };
    let place = Place::group(group_idx).field("interval");
    let records = group.rules.iter().flatten().any(|it| !it.is_alerting());
    let scrape_interval = project.global.as_ref().and_then(|it| {
        it.job_intervals
            .values()
            .min()
            .copied()
            .or(it.scrape_interval)
    });
    let said = if records && interval > LOOKBACK {
        let message =
            format!("series are gone {LOOKBACK} after a sample, and these come every {interval}");
        Some((message, "evaluate at least every 2m"))
    } else if scrape_interval.is_some_and(|it| interval < it) {
        let message =
            format!("evaluating every {interval} finds nothing new: nothing is scraped so often");
        Some((message, "evaluate as often as is scraped"))
    } else {
        None
    };
    if let Some((message, hint)) = said
        && push(
            out,
            (file, settings, None),
            &lints::INTERVAL,
            place,
            message,
        )
        && let Some(finding) = out.last_mut()
    {
        finding.hint = Some(hint.to_owned());
    }
}

fn duplicate(scope: &mut Scope<'_>) {
    let twins = scope.project.twins(scope.group, scope.rule);
    let here = (scope.group_idx, scope.rule_idx);
    let is_here = |it: &&Twin| it.file == scope.file.name && it.place == here;
    let Some(idx) = twins.iter().position(|it| is_here(&it)) else {
        return;
    };
    let own = &twins[idx];
    if let Some(first) = twins[..idx].iter().find(|it| own.may_be(it)) {
        say_duplicate(scope, first);
    }
}

/// Whether a server has the same rule in a group that is none of `groups`, which the files that are
/// judged will replace.
pub(crate) fn loaded(scope: &mut Scope<'_>, loaded: &Project, groups: &BTreeSet<&str>) {
    let own = scope.project.twins(scope.group, scope.rule);
    let here = (scope.group_idx, scope.rule_idx);
    let own = own
        .iter()
        .find(|it| it.file == scope.file.name && it.place == here);
    let others = loaded.twins(scope.group, scope.rule).iter();
    let mut others = others.filter(|it| !groups.contains(&*it.group));
    let same = others.find(|it| own.is_none_or(|own| own.may_be(it)));
    if let Some(same) = same {
        say_duplicate(scope, same);
    }
}

fn say_duplicate(scope: &mut Scope<'_>, first: &Twin) {
    let what = if scope.rule.is_alerting() {
        "makes the same alert"
    } else {
        "records the same series"
    };
    let message = format!("a rule of group `{}` in {} {what}", first.group, first.file);
    let hint = "delete one, or tell them apart by a label";
    scope.say(&lints::DUPLICATE, scope.name_place(), message, hint);
}

fn dependency(scope: &mut Scope<'_>) {
    let later: Vec<&str> = scope.group.rules[scope.rule_idx + 1..]
        .iter()
        .flatten()
        .filter(|it| !it.is_alerting())
        .map(|it| it.name.as_str())
        .collect();
    let earlier = scope.group.rules[..=scope.rule_idx].iter().flatten();
    let earlier: Vec<&str> = earlier.map(|it| it.name.as_str()).collect();
    let mut found: Vec<(String, Span)> = Vec::new();
    for (selector, span) in scope.rule.expr.selectors() {
        let Some(name) = selector.metric_name() else {
            continue;
        };
        let is_said = found.iter().any(|(said, _)| said == name);
        if later.contains(&name) && !earlier.contains(&name) && !is_said {
            found.push((name.to_owned(), span));
        }
    }
    for (name, span) in found {
        let message = format!("`{name}` is recorded after this rule, so it sees the value before");
        let hint = "move the recording rule up";
        scope.say(&lints::DEPENDENCY, scope.expr(span), message, hint);
    }
}

fn conflict(scope: &mut Scope<'_>) {
    let (rule, project) = (scope.rule, scope.project);
    let Some(global) = &project.global else {
        return;
    };
    for label in &rule.labels {
        let external = global.external_labels.get(&label.name);
        if let Some(external) = external.filter(|it| Some(*it) != label.fixed()) {
            let message = format!(
                "`{}` is an external label, and `{external}` there",
                label.name
            );
            let place = scope.field("labels").field(label.name.clone());
            scope.say(
                &lints::CONFLICT,
                place,
                message,
                "give the label another name",
            );
        }
    }
}

/// How old a sample may be to count.
const LOOKBACK: Duration = Duration::from_mins(5);
