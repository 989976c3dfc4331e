//! What becomes of an objective: ordinary alerting rules.

use std::sync::Arc;

use firebell_model::{Duration, Label, Labels};
use firebell_promql::Plan;
use firebell_rules::{AlertingRule, Cadence, Rule, RuleGroup};
use firebell_template::Template;

use crate::burn::{Severity, Tier};
use crate::objective::{NoData, Objective};
use crate::text::{exact_percent, number, plain};

/// Names of groups of objectives begin so.
pub const RULES_FILE_PREFIX: &str = "slo:";

/// The rules of an objective, as a group of its own.
///
/// # Errors
/// When a query of the objective, put together with the others, is no PromQL: `message` names it.
pub fn expand(
    objective: &Objective,
    interval: Duration,
    query_offset: Duration,
) -> Result<RuleGroup, String> {
    let burning = objective.tiers.iter().map(|tier| burning(objective, tier));
    let silent = objective.no_data.iter().map(|it| silent(objective, it));
    let rules = burning.chain(silent).collect::<Result<Vec<_>, String>>()?;
    Ok(RuleGroup {
        file: objective.file.clone(),
        name: format!("{RULES_FILE_PREFIX}{}", objective.id),
        interval,
        slot_at: None,
        query_offset,
        limit: None,
        rules: rules.into_iter().map(Arc::new).collect(),
    })
}

/// The alert of a tier.
fn burning(objective: &Objective, tier: &Tier) -> Result<Rule, String> {
    let budget = objective.target.budget();
    let threshold = number(tier.threshold(budget));
    let over = |window: Duration| format!("({} > {threshold})", objective.ratio(window));
    let mut conditions = vec![over(tier.long), over(tier.short)];
    let period = objective.window.period();
    let counts = objective.counts(tier.long).zip(objective.counts(period));
    if let Some((counts, of_period)) = counts {
        let (share, guards) = (tier.share(period), &objective.low_traffic);
        conditions.extend(guards.conditions(tier, budget, share, &counts, &of_period.total));
    }
    let expr = conditions.join("\nand\n");
    let labels = [
        ("slo", objective.name.clone()),
        ("service", objective.service.clone()),
        ("long", tier.long.to_string()),
        ("short", tier.short.to_string()),
    ];
    let annotations = burning_texts(objective, tier, &threshold);
    let mut labels = texts(objective, tier.severity, labels, |it| &it.0)?;
    for label in tier.labels.iter() {
        labels.retain(|(name, _)| *name != label.name);
        labels.push((label.name.clone(), template(label)?));
    }
    let rule = AlertingRule {
        hold_for: tier.hold_for,
        labels,
        annotations: texts(objective, tier.severity, annotations, |it| &it.1)?,
        ..AlertingRule::default()
    };
    let rule = alerting(objective, &objective.alert, &expr, rule)?;
    // Tickets wait for the next slot: their long windows cost more, and a minute is nothing to them.
    let on_arrival = objective.on_arrival && tier.severity == Severity::Page;
    Ok(rule.with_cadence(Cadence {
        on_arrival,
        ..Cadence::default()
    }))
}

fn burning_texts(
    objective: &Objective,
    tier: &Tier,
    threshold: &str,
) -> [(&'static str, String); 3] {
    let Objective {
        name,
        service,
        target,
        window,
        ..
    } = objective;
    let (long, short) = (tier.long, tier.short);
    let period = window.period();
    let gone_in = Duration::from_secs_f64((period.as_secs_f64() / tier.factor).round());
    let spent = exact_percent(tier.share(period));
    let (factor, threshold) = (
        number(tier.factor),
        exact_percent(threshold.parse().unwrap_or(0.0)),
    );
    let (name, service) = (plain(name), plain(service));
    let summary = format!(
        "{service}: {{{{ $value | humanizePercentage }}}} of {name} fails, over the last {long}"
    );
    let description = format!(
        "More than {threshold} of events were bad over the last {long} and still are over the last \
         {short}: {factor} times what the objective of {target} over {window} allows, {spent} of its \
         error budget. At that rate all of it is gone in {gone_in}."
    );
    let runbook = plain(&objective.runbook);
    [
        ("summary", summary),
        ("description", description),
        ("runbook_url", runbook),
    ]
}

/// The alert of an indicator that gives nothing: a selector that is mistyped looks like a service
/// without errors.
fn silent(objective: &Objective, no_data: &NoData) -> Result<Rule, String> {
    let window = objective
        .tiers
        .first()
        .map_or(Duration::from_hours(1), |tier| tier.long);
    let expr = format!("absent({})", objective.evidence(window));
    let labels = [
        ("slo", objective.name.clone()),
        ("service", objective.service.clone()),
    ];
    let (name, service) = (plain(&objective.name), plain(&objective.service));
    let annotations = [
        (
            "summary",
            format!("{service}: there is nothing to measure {name} by"),
        ),
        (
            "description",
            format!(
                "The indicator gave nothing over the last {window}: the service is gone, or its \
                 metrics have other names or labels than the objective says."
            ),
        ),
        ("runbook_url", plain(&objective.runbook)),
    ];
    let rule = AlertingRule {
        hold_for: no_data.hold_for,
        labels: texts(objective, no_data.severity, labels, |it| &it.0)?,
        annotations: texts(objective, no_data.severity, annotations, |it| &it.1)?,
        ..AlertingRule::default()
    };
    alerting(objective, &no_data.alert, &expr, rule)
}

fn alerting(
    objective: &Objective,
    name: &str,
    expr: &str,
    rule: AlertingRule,
) -> Result<Rule, String> {
    let plan = Plan::new(expr).map_err(|error| {
        format!("the queries make no expression together: {error}, in `{expr}`")
    })?;
    Ok(Rule::alerting(name, plan, rule, objective.place))
}

/// Firebell's texts, under those of the objective, under those of the severity.
fn texts<const N: usize>(
    objective: &Objective,
    severity: Severity,
    own: [(&'static str, String); N],
    which: fn(&(Labels, Labels)) -> &Labels,
) -> Result<Vec<(Arc<str>, Template)>, String> {
    let of_all = (objective.labels.clone(), objective.annotations.clone());
    let of_severity = match severity {
        Severity::Page => &objective.page,
        Severity::Ticket => &objective.ticket,
    };
    let mut all = Labels::empty().to_builder();
    for (name, text) in own.into_iter().filter(|(_, text)| !text.is_empty()) {
        all.set(name, text);
    }
    for label in which(&of_all).iter().chain(which(of_severity).iter()) {
        all.set(label.name.clone(), label.value.clone());
    }
    let compile = |label: &Label| Ok((label.name.clone(), template(label)?));
    all.build().iter().map(compile).collect()
}

fn template(label: &Label) -> Result<Template, String> {
    let failed = |error| format!("`{}` is no template: {error}", label.name);
    Template::compile(&label.value).map_err(failed)
}
