//! `check` of firebell.yml: which lints are looked for, how they weigh, and what a team demands.

use std::fmt::Display;

use firebell_lint::{Demand, Policy, Range, RuleKind, Settings, Severity, TextDemand, lint};
use firebell_model::{MatchOp, Matcher, Regex};

use crate::fields::{Doc, Fields};
use crate::problem::did_you_mean;
use crate::yaml::Node;

/// What the section says.
#[derive(Clone, Debug, Default)]
pub struct CheckSection {
    /// Which lints, how loud, and what is demanded.
    pub settings: Settings,
    /// From which severity on `firebell check` fails.
    pub fail_on: Option<Severity>,
}

impl CheckSection {
    /// Reads the section; defaults when it is absent.
    pub(crate) fn read(parent: &Fields<'_, '_>) -> Self {
        let mut section = Self::default();
        let Some(node) = parent.get("check") else {
            return section;
        };
        let doc = parent.doc;
        let fields = doc.fields(node, "`check`");
        section.fail_on = fields.parsed("fail_on", severity);
        for (name, is_on) in [("enable", true), ("disable", false)] {
            for item in fields.list(name) {
                if let Some(id) = doc.text(item, name).filter(|id| is_known(doc, item, id)) {
                    section.settings.switched.insert(id, is_on);
                }
            }
        }
        if let Some(node) = fields.get("severity") {
            for (entry, text) in doc.text_map(node, "severity") {
                match severity(&text) {
                    Ok(weight) if is_known(doc, node, &entry.key) => {
                        section
                            .settings
                            .severities
                            .insert(entry.key.clone(), weight);
                    }
                    Ok(_) => {}
                    Err(why) => doc.problem(entry.value.at, why, None),
                }
            }
        }
        let policies = fields.list("policies").iter();
        section.settings.policies = policies.map(|node| policy(doc, node)).collect();
        fields.finish();
        section
    }
}

fn severity(text: &str) -> Result<Severity, String> {
    let failed = || format!("`{text}` is none of info, warning and error");
    Severity::named(text).ok_or_else(failed)
}

fn is_known(doc: &Doc<'_>, node: &Node, id: &str) -> bool {
    let is_known = lint(id).is_some();
    if !is_known {
        let ids = firebell_lint::CATALOGUE
            .iter()
            .copied()
            .flatten()
            .map(|it| it.id);
        doc.problem(
            node.at,
            format!("there is no lint `{id}`"),
            did_you_mean(id, ids),
        );
    }
    is_known
}

fn policy(doc: &Doc<'_>, node: &Node) -> Policy {
    let fields = doc.fields(node, "a policy");
    let labels = fields
        .get("labels")
        .map(|node| doc.text_map(node, "labels"));
    let labels = labels
        .unwrap_or_default()
        .into_iter()
        .filter_map(|(entry, text)| {
            let made = Matcher::new(&*entry.key, MatchOp::Regex, text);
            noted(doc, &entry.value, made)
        });
    let policy = Policy {
        kind: fields.parsed("kind", |text| match text {
            "alerting" => Ok(RuleKind::Alerting),
            "recording" => Ok(RuleKind::Recording),
            _ => Err(format!("`{text}` is neither alerting nor recording")),
        }),
        name: regex(&fields, "name"),
        file: regex(&fields, "file"),
        labels: labels.collect(),
        severity: fields.parsed("severity", severity),
        demand: fields
            .get("demand")
            .map(|node| demand(doc, node))
            .unwrap_or_default(),
    };
    if fields.get("demand").is_none() {
        fields.missing("demand");
    }
    fields.finish();
    policy
}

fn demand(doc: &Doc<'_>, node: &Node) -> Demand {
    let fields = doc.fields(node, "`demand`");
    let demand = Demand {
        labels: texts(&fields, "labels"),
        annotations: texts(&fields, "annotations"),
        name: regex(&fields, "name"),
        hold_for: range(&fields, "for"),
        keep_firing_for: range(&fields, "keep_firing_for"),
        interval: range(&fields, "interval"),
        reject: regex(&fields, "reject"),
        link: regex(&fields, "link"),
        keep: fields.texts("keep"),
        strip: fields.texts("strip"),
        selector: fields.texts("selector"),
        report: fields.text("report"),
    };
    fields.finish();
    demand
}

/// `NAME: {required: true, value: REGEX}`.
fn texts(parent: &Fields<'_, '_>, name: &'static str) -> Vec<TextDemand> {
    let doc = parent.doc;
    let Some(node) = parent.get(name) else {
        return Vec::new();
    };
    let crate::yaml::Value::Map(entries) = &node.value else {
        doc.problem(node.at, format!("`{name}` has to be a map of names"), None);
        return Vec::new();
    };
    let demands = entries.iter().map(|entry| {
        let fields = doc.fields(&entry.value, "what is demanded of a text");
        let demand = TextDemand {
            name: entry.key.clone(),
            is_required: fields.bool("required").unwrap_or(false),
            value: regex(&fields, "value"),
        };
        fields.finish();
        demand
    });
    demands.collect()
}

fn range(parent: &Fields<'_, '_>, name: &'static str) -> Range {
    let Some(node) = parent.get(name) else {
        return Range::default();
    };
    let fields = parent.doc.fields(node, "bounds of a duration");
    let range = Range {
        min: fields.duration("min"),
        max: fields.duration("max"),
    };
    fields.finish();
    range
}

/// A regular expression that has to match the whole.
fn regex(fields: &Fields<'_, '_>, name: &'static str) -> Option<Regex> {
    fields.parsed(name, Regex::anchored)
}

fn noted<T, E: Display>(doc: &Doc<'_>, node: &Node, made: Result<T, E>) -> Option<T> {
    made.map_err(|error| doc.problem(node.at, error.to_string(), None))
        .ok()
}
