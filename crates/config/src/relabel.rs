//! `relabel_configs` and their kin.

use firebell_model::{RelabelAction, RelabelError, RelabelOptions, RelabelRule};

use crate::fields::{Doc, Fields};
use crate::problem::did_you_mean;
use crate::yaml::Node;

/// Reads a list of relabelling rules.
pub(crate) fn rules(fields: &Fields<'_, '_>, name: &'static str) -> Vec<RelabelRule> {
    let items = fields.list(name).iter();
    items.filter_map(|item| rule(fields.doc, item)).collect()
}

fn rule(doc: &Doc<'_>, node: &Node) -> Option<RelabelRule> {
    let fields = doc.fields(node, "a relabelling rule");
    let options = RelabelOptions {
        source_labels: fields.texts("source_labels"),
        separator: fields.text("separator"),
        regex: fields.text("regex"),
        modulus: fields.number("modulus"),
        target_label: fields.text("target_label"),
        // An empty replacement is written, and not the default.
        replacement: fields.text("replacement"),
        action: action(&fields)?,
    };
    let (at, regex_at) = (fields.at, fields.at("regex"));
    fields.finish();
    match RelabelRule::new(options) {
        Ok(rule) => Some(rule),
        Err(error) => {
            let at = if matches!(error, RelabelError::Regex(_)) {
                regex_at
            } else {
                at
            };
            doc.problem(at, error.to_string(), None);
            None
        }
    }
}

fn action(fields: &Fields<'_, '_>) -> Option<RelabelAction> {
    let Some((at, scalar)) = fields.scalar("action") else {
        return Some(RelabelAction::default());
    };
    match scalar.text.parse() {
        Ok(action) => Some(action),
        Err(error) => {
            let error: RelabelError = error;
            let hint = did_you_mean(&scalar.text, RelabelAction::names());
            fields.doc.problem(at, error.to_string(), hint);
            None
        }
    }
}
