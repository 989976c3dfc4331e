//! What a team demands of its rules.

use firebell_model::{Duration, Labels};
use firebell_promql::{Node, Span};

use super::{Scope, breach};
use crate::catalogue::policy as lints;
use crate::input::Text;
use crate::lint::{Lint, Place, Severity};
use crate::settings::{Demand, Policy, Range, TextDemand};

pub(super) fn judge(scope: &mut Scope<'_>) {
    let settings = scope.settings;
    for policy in &settings.policies {
        if is_about(policy, scope) {
            demand(scope, &policy.demand, policy.severity);
        }
    }
}

fn is_about(policy: &Policy, scope: &Scope<'_>) -> bool {
    let rule = scope.rule;
    let fixed = rule.labels.iter().chain(&scope.group.labels);
    let fixed = fixed.filter_map(|it| Some((it.name.clone(), it.fixed()?.to_owned())));
    let labels = Labels::from_pairs(fixed);
    policy.kind.is_none_or(|kind| kind == rule.kind)
        && policy
            .name
            .as_ref()
            .is_none_or(|it| it.is_match(&rule.name))
        && policy
            .file
            .as_ref()
            .is_none_or(|it| it.is_match(&scope.file.name))
        && policy.labels.iter().all(|it| it.matches(&labels))
}

fn demand(scope: &mut Scope<'_>, demand: &Demand, severity: Option<Severity>) {
    let rule = scope.rule;
    let mut labels: Vec<&Text> = rule.labels.iter().collect();
    labels.extend(
        scope
            .group
            .labels
            .iter()
            .filter(|it| scope.rule.labels.iter().all(|own| own.name != it.name)),
    );
    texts(
        scope,
        (&lints::LABEL, "labels"),
        &demand.labels,
        &labels,
        severity,
    );
    if rule.is_alerting() {
        let annotations: Vec<&Text> = rule.annotations.iter().collect();
        let what = (&lints::ANNOTATION, "annotations");
        texts(scope, what, &demand.annotations, &annotations, severity);
        let hold_for = rule.hold_for.unwrap_or_default();
        range(
            scope,
            (&lints::FOR, "for"),
            demand.hold_for,
            hold_for,
            severity,
        );
        let keep = rule.keep_firing_for.unwrap_or_default();
        range(
            scope,
            (&lints::FOR, "keep_firing_for"),
            demand.keep_firing_for,
            keep,
            severity,
        );
    }
    if let Some(interval) = scope.interval() {
        range(
            scope,
            (&lints::GROUP_INTERVAL, "interval"),
            demand.interval,
            interval,
            severity,
        );
    }
    words(scope, demand, severity);
    if let Some(link) = &demand.link {
        links(scope, link, severity);
    }
    aggregations(scope, demand, severity);
    selectors(scope, &demand.selector, severity);
    if let Some(report) = &demand.report {
        breach(
            scope,
            &lints::REPORT,
            severity,
            scope.name_place(),
            report.clone(),
        );
    }
}

/// Names and texts that match what they have to, and nothing that they must not.
fn words(scope: &mut Scope<'_>, demand: &Demand, severity: Option<Severity>) {
    let rule = scope.rule;
    if let Some(name) = demand.name.as_ref().filter(|it| !it.is_match(&rule.name)) {
        let message = format!("the name `{}` does not match `{}`", rule.name, name.text());
        breach(scope, &lints::NAMING, severity, scope.name_place(), message);
    }
    if let Some(reject) = &demand.reject {
        for (field, text) in rule
            .labels
            .iter()
            .map(|it| ("labels", it))
            .chain(rule.annotations.iter().map(|it| ("annotations", it)))
        {
            if reject.is_match(&text.name) || reject.is_match(&text.text) {
                let message = format!(
                    "`{}` matches `{}`, which is forbidden",
                    text.name,
                    reject.text()
                );
                let place = scope.field(field).field(text.name.clone());
                breach(scope, &lints::REJECT, severity, place, message);
            }
        }
    }
}

fn texts(
    scope: &mut Scope<'_>,
    (lint, field): (&'static Lint, &'static str),
    demands: &[TextDemand],
    texts: &[&Text],
    severity: Option<Severity>,
) {
    let singular = field.trim_end_matches('s');
    for demand in demands {
        let found = texts.iter().find(|it| it.name == demand.name);
        let message = match (found, &demand.value) {
            (None, _) if demand.is_required => {
                format!("the {singular} `{}` is missing", demand.name)
            }
            // What a template makes of it is seen only when it fires.
            (Some(text), Some(value)) if text.fixed().is_some_and(|it| !value.is_match(it)) => {
                format!(
                    "the {singular} `{}` does not match `{}`",
                    demand.name,
                    value.text()
                )
            }
            _ => continue,
        };
        let place = match found {
            Some(text) => scope.field(field).field(text.name.clone()),
            None => scope.name_place(),
        };
        breach(scope, lint, severity, place, message);
    }
}

fn range(
    scope: &mut Scope<'_>,
    (lint, field): (&'static Lint, &'static str),
    Range { min, max }: Range,
    value: Duration,
    severity: Option<Severity>,
) {
    let message = match (min, max) {
        (Some(min), _) if value < min => {
            format!("`{field}` is {value}, and has to be at least {min}")
        }
        (_, Some(max)) if value > max => {
            format!("`{field}` is {value}, and has to be at most {max}")
        }
        _ => return,
    };
    let place = if field == "interval" {
        Place::group(scope.group_idx).field(field)
    } else {
        scope.field(field)
    };
    breach(scope, lint, severity, place, message);
}

fn links(scope: &mut Scope<'_>, right: &firebell_model::Regex, severity: Option<Severity>) {
    let rule = scope.rule;
    for text in &rule.annotations {
        let words = text
            .text
            .split(|c: char| c.is_whitespace() || "()<>\"".contains(c));
        for word in words.filter(|it| it.starts_with("http://") || it.starts_with("https://")) {
            if !right.is_match(word) {
                let message = format!("the address `{word}` does not match `{}`", right.text());
                let place = scope.field("annotations").field(text.name.clone());
                breach(scope, &lints::REJECT, severity, place, message);
            }
        }
    }
}

/// What the result has lost or kept, and the aggregation that did it.
fn aggregations(scope: &mut Scope<'_>, demand: &Demand, severity: Option<Severity>) {
    if demand.keep.is_empty() && demand.strip.is_empty() {
        return;
    }
    for label in &demand.keep {
        if let Some(by) = scope.flow.taken_by(label) {
            let message = format!("the result has no `{label}`, which has to be kept");
            let by = if by == Span::default() {
                scope.rule.expr.span
            } else {
                by
            };
            breach(scope, &lints::AGGREGATE, severity, scope.expr(by), message);
        }
    }
    let expr = &scope.rule.expr;
    let mut kept = Vec::new();
    expr.walk(|it| {
        if let Node::Aggregate(aggregate) = &it.node {
            for label in &demand.strip {
                let is_named = aggregate.grouping.contains(label);
                if !aggregate.op.keeps_series() && is_named != aggregate.is_without {
                    kept.push((label, it.span));
                }
            }
        }
    });
    for (label, span) in kept {
        if scope.flow.taken_by(label).is_none() {
            let message = format!("the aggregation keeps `{label}`, which has to go");
            breach(
                scope,
                &lints::AGGREGATE,
                severity,
                scope.expr(span),
                message,
            );
        }
    }
}

fn selectors(scope: &mut Scope<'_>, labels: &[String], severity: Option<Severity>) {
    let rule = scope.rule;
    for (selector, span) in rule.expr.selectors() {
        // Recorded series are chosen by their name.
        if selector.metric_name().is_some_and(|it| it.contains(':')) {
            continue;
        }
        for label in labels {
            if selector.matchers.iter().all(|it| it.name() != label) {
                let message = format!("the selector does not name `{label}`");
                breach(
                    scope,
                    &lints::LABELS_OF_SELECTOR,
                    severity,
                    scope.expr(span),
                    message,
                );
            }
        }
    }
}
