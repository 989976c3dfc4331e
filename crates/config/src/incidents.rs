//! `incidents` of firebell.yml: when incidents open by themselves, and what belongs to them.

use std::sync::Arc;

use firebell_incident::{BudgetOpening, Policy, Severity};
use firebell_model::{Duration, Matcher, is_valid_label_name, parse_matchers};

use crate::fields::Fields;
use crate::load::Loader;
use crate::problem::Problem;
use crate::runbooks;
use crate::yaml::Node;

/// Reads the section; without it, only people open incidents. Besides, the name of the policy by
/// which those are paged whose owner names none.
pub(crate) fn read(
    loader: &Loader<'_>,
    parent: &Fields<'_, '_>,
) -> (Policy, Option<(Arc<str>, Problem)>) {
    let default = Policy::default();
    let Some(node) = parent.get("incidents") else {
        return (default, None);
    };
    let fields = parent.doc.fields(node, "`incidents`");
    let opening = fields.list("open_when").iter();
    let open_when = opening.filter_map(|it| matchers(&fields, "open_when", it));
    let open_when = open_when.collect();
    let (window, answer_within) = (longer(&fields, "window"), longer(&fields, "answer_within"));
    let policy = Policy {
        open_when,
        open_when_budget: budget(&fields),
        has_objectives: false,
        service_labels: label_names(&fields, "service_labels").unwrap_or(default.service_labels),
        join_by: label_names(&fields, "join_by").unwrap_or(default.join_by),
        window: window.unwrap_or(default.window),
        severity_label: fields
            .text("severity_label")
            .unwrap_or(default.severity_label),
        severities: match fields.get("severities") {
            Some(node) => severities(&fields, node),
            None => default.severities,
        },
        resolve_after: fields
            .duration("resolve_after")
            .unwrap_or(default.resolve_after),
        answer_within: answer_within.unwrap_or(default.answer_within),
        runbooks: runbooks::read(loader, &fields),
    };
    let escalation = fields.text("escalation").map(|name| {
        let place = parent.doc.place(fields.at("escalation"));
        (name.into(), place)
    });
    fields.finish();
    (policy, escalation)
}

/// `{below: 10%, severity: sev2}`.
fn budget(parent: &Fields<'_, '_>) -> Option<BudgetOpening> {
    let node = parent.get("open_when_budget")?;
    let fields = parent.doc.fields(node, "`open_when_budget`");
    let below = fields.parsed("below", str::parse);
    if fields.get("below").is_none() {
        fields.missing("below");
    }
    let severity = fields.parsed("severity", str::parse);
    fields.finish();
    Some(BudgetOpening {
        below: below?,
        severity: severity.unwrap_or(Severity::Sev3),
    })
}

fn longer(fields: &Fields<'_, '_>, name: &'static str) -> Option<Duration> {
    let read = fields.duration(name)?;
    if read > Duration::ZERO {
        return Some(read);
    }
    let message = format!("`{name}` has to be longer than zero");
    fields.doc.problem(fields.at(name), message, None);
    None
}

/// The matchers that a field says; not of everything.
pub(crate) fn matchers(fields: &Fields<'_, '_>, name: &str, node: &Node) -> Option<Vec<Matcher>> {
    let text = fields.doc.text(node, name)?;
    let why = match parse_matchers(&text) {
        // What matches the absence of all labels would open an incident for everything.
        Ok(matchers) if matchers.iter().all(|it| it.matches_value("")) => match name {
            "open_when" => "this would open an incident for every alert".to_owned(),
            _ => "this is every alert".to_owned(),
        },
        Ok(matchers) => return Some(matchers),
        Err(error) => error.to_string(),
    };
    let hint = Some("write matchers, as in '{severity=\"critical\", team=\"pay\"}'".to_owned());
    let message = format!("`{name}`: {why}");
    fields.doc.problem(node.at, message, hint);
    None
}

fn label_names(fields: &Fields<'_, '_>, name: &'static str) -> Option<Vec<String>> {
    fields.get(name)?;
    let names = fields.texts(name);
    for wrong in names.iter().filter(|it| !is_valid_label_name(it)) {
        let message = format!("`{name}`: `{wrong}` is no name of a label");
        fields.doc.problem(fields.at(name), message, None);
    }
    Some(names)
}

fn severities(
    fields: &Fields<'_, '_>,
    node: &Node,
) -> std::collections::BTreeMap<String, Severity> {
    let pairs = fields.doc.text_map(node, "severities").into_iter();
    let read = pairs.filter_map(|(entry, text)| match text.parse() {
        Ok(severity) => Some((entry.key.to_string(), severity)),
        Err(why) => {
            let message = format!("`severities`: {why}");
            fields.doc.problem(entry.at, message, None);
            None
        }
    });
    read.collect()
}
