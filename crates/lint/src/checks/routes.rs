//! Alerts and the routes they take; routes and inhibition rules that do nothing.

use firebell_model::{MatchOp, Matcher, matchers_text};

use super::Scope;
use crate::catalogue::routes as lints;
use crate::input::{InhibitRule, Route, Routes};
use crate::lint::{Finding, Lint, Place, Severity};
use crate::project::{AlertLabels, Answer, Project};
use crate::settings::Settings;

/// Which way the alerts of a rule go.
pub(super) fn judge_rule(scope: &mut Scope<'_>) {
    let (project, rule) = (scope.project, scope.rule);
    let relabels = project.global.as_ref().is_some_and(|it| it.relabels_alerts);
    let Some(routes) = project
        .routes
        .as_ref()
        .filter(|_| rule.is_alerting() && !relabels)
    else {
        return;
    };
    if routes.root.routes.is_empty() {
        return;
    }
    unknown_severity(scope, routes);
    let labels = AlertLabels::of(scope.group, rule, scope.flow.clone());
    let takes = |route: &Route| labels.satisfies(&route.matchers, project.global.as_ref());
    if routes.root.routes.iter().all(|it| takes(it) == Answer::No) {
        let message = "no route but the root takes it";
        let hint = "add a route for it, or the label that a route asks for";
        scope.say(&lints::ROOT_ONLY, scope.name_place(), message, hint);
    }
}

fn unknown_severity(scope: &mut Scope<'_>, routes: &Routes) {
    let Some(severity) = scope.label("severity").and_then(|it| it.fixed()) else {
        return;
    };
    let mut asked = Vec::new();
    collect(&routes.root, &mut asked);
    for rule in &routes.inhibit_rules {
        asked.extend(
            rule.source
                .iter()
                .chain(&rule.target)
                .filter(|it| it.name() == "severity"),
        );
    }
    let positive: Vec<&&Matcher> = asked
        .iter()
        .filter(|it| matches!(it.op(), MatchOp::Equal | MatchOp::Regex))
        .collect();
    let is_known =
        positive.iter().any(|it| it.matches_value(severity)) || USUAL.contains(&severity);
    if positive.is_empty() || is_known {
        return;
    }
    let mut texts: Vec<String> = positive.iter().map(|it| format!("`{it}`")).collect();
    texts.sort();
    texts.dedup();
    let message = format!("no route asks for the severity `{severity}`");
    let hint = format!("routes ask for {}", texts.join(", "));
    let place = scope.field("labels").field("severity");
    scope.say(&lints::SEVERITY, place, message, hint);
}

fn collect<'r>(route: &'r Route, asked: &mut Vec<&'r Matcher>) {
    asked.extend(route.matchers.iter().filter(|it| it.name() == "severity"));
    for child in &route.routes {
        collect(child, asked);
    }
}

/// Judges a route tree and inhibition rules by all that is known of the project.
#[must_use]
pub fn judge_routes(routes: &Routes, project: &Project, settings: &Settings) -> Vec<Finding> {
    let mut out = Findings {
        settings,
        found: Vec::new(),
    };
    let place = Place::default().field("route");
    children(&routes.root, &mut Vec::new(), &place, &mut out);
    for (idx, rule) in routes.inhibit_rules.iter().enumerate() {
        let place = Place::default().field("inhibit_rules").item(idx);
        inhibit(rule, project, place, &mut out);
    }
    out.found
}

struct Findings<'s> {
    settings: &'s Settings,
    found: Vec<Finding>,
}

impl Findings<'_> {
    fn say(&mut self, lint: &'static Lint, place: Place, message: String, hint: &str) {
        self.say_as(lint, lint.severity, place, (message, hint));
    }

    fn say_as(
        &mut self,
        lint: &'static Lint,
        severity: Severity,
        place: Place,
        (message, hint): (String, &str),
    ) {
        if self.settings.is_on(lint) {
            self.found.push(Finding {
                lint,
                severity: self.settings.severity(lint, severity),
                place,
                message,
                hint: Some(hint.to_owned()),
            });
        }
    }
}

/// `above`: the conditions of the routes above, which hold here too.
fn children<'r>(
    route: &'r Route,
    above: &mut Vec<&'r Matcher>,
    place: &Place,
    out: &mut Findings<'_>,
) {
    for (idx, child) in route.routes.iter().enumerate() {
        let at = place.clone().field("routes").item(idx);
        let mut known = above.clone();
        known.extend(&child.matchers);
        if let Some((one, other)) = contradiction(&known) {
            let message =
                format!("no alert reaches this route: nothing is both `{one}` and `{other}`");
            out.say(
                &lints::UNREACHABLE,
                at.clone(),
                message,
                "correct the matchers",
            );
        } else if let Some(taker) = route.routes[..idx].iter().find(|it| takes_all(it, &known)) {
            let message = format!(
                "no alert reaches this route: the one with {} takes them all before",
                named(&taker.matchers)
            );
            let hint = "move it up, or give the other one `continue: true`";
            out.say(&lints::UNREACHABLE, at.clone(), message, hint);
        }
        above.extend(&child.matchers);
        children(child, above, &at, out);
        above.truncate(above.len() - child.matchers.len());
    }
}

fn named(matchers: &[Matcher]) -> String {
    if matchers.is_empty() {
        "no matchers".to_owned()
    } else {
        format!("`{}`", matchers_text(matchers))
    }
}

/// Two conditions that nothing satisfies.
fn contradiction<'m>(matchers: &[&'m Matcher]) -> Option<(&'m Matcher, &'m Matcher)> {
    let fixed = matchers.iter().filter(|it| it.op() == MatchOp::Equal);
    fixed.into_iter().find_map(|one| {
        let refuses = |it: &&&Matcher| it.name() == one.name() && !it.matches_value(one.value());
        matchers.iter().find(refuses).map(|other| (*one, *other))
    })
}

/// Whether a route takes every alert of which these conditions hold, and no sibling sees it after.
fn takes_all(route: &Route, known: &[&Matcher]) -> bool {
    let follows = |wanted: &Matcher| {
        known
            .iter()
            .filter(|it| it.name() == wanted.name())
            .any(|it| match it.op() {
                MatchOp::Equal => wanted.matches_value(it.value()),
                MatchOp::Regex => {
                    let values = it.regex_values();
                    values.is_some_and(|it| it.iter().all(|value| wanted.matches_value(value)))
                        || it.to_string() == wanted.to_string()
                }
                _ => it.to_string() == wanted.to_string(),
            })
    };
    !route.does_continue && route.matchers.iter().all(follows)
}

fn inhibit(rule: &InhibitRule, project: &Project, place: Place, out: &mut Findings<'_>) {
    let sorted = |matchers: &[Matcher]| {
        let mut texts: Vec<String> = matchers.iter().map(ToString::to_string).collect();
        texts.sort();
        texts
    };
    if rule.source.is_empty() && rule.target.is_empty() {
        return;
    }
    if sorted(&rule.source) == sorted(&rule.target) {
        let message = "source and target are the same, and an alert does not mute its like";
        let hint = "let the target be what the source explains";
        return out.say(&lints::INHIBIT_NEVER, place, message.to_owned(), hint);
    }
    for (side, matchers) in [("source", &rule.source), ("target", &rule.target)] {
        let all: Vec<&Matcher> = matchers.iter().collect();
        if let Some((one, other)) = contradiction(&all) {
            let message = format!("no alert is a {side}: nothing is both `{one}` and `{other}`");
            return out.say(
                &lints::INHIBIT_NEVER,
                place,
                message,
                "correct the matchers",
            );
        }
        let relabels = project.global.as_ref().is_some_and(|it| it.relabels_alerts);
        if !relabels && project.any_alert(matchers) == Answer::No {
            let message = format!("no rule here makes an alert that is a {side}");
            let hint = "correct the matchers, unless others send such alerts";
            let told = (message, hint);
            return out.say_as(&lints::INHIBIT_NEVER, Severity::Info, place, told);
        }
    }
    if rule.equal.is_empty() {
        let is_named = rule
            .source
            .iter()
            .any(|it| it.name() == firebell_model::ALERT_NAME);
        let severity = if is_named {
            Severity::Info
        } else {
            lints::INHIBIT_NEVER.severity
        };
        let message = "without `equal`, one source anywhere mutes every target".to_owned();
        let hint = "name the labels that both have to share, such as `service`";
        out.say_as(&lints::INHIBIT_NEVER, severity, place, (message, hint));
    }
}

/// Severities that often take the way of the root on purpose.
const USUAL: &[&str] = &[
    "none", "debug", "info", "notice", "low", "minor", "warning", "ticket", "medium", "major",
    "error", "high", "critical", "page",
];
