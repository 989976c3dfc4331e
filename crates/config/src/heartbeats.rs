//! `heartbeats` of firebell.yml: jobs that are awaited, also before they first report.

use std::collections::BTreeMap;

use firebell_heartbeat::{Declared, Expectation, GRACE, HeartbeatKey, Policy};
use firebell_model::{Labels, is_valid_label_name};

use crate::fields::{Doc, Fields};
use crate::problem::Pos;
use crate::yaml::Node;

/// Reads the section.
pub(crate) fn read(parent: &Fields<'_, '_>) -> Policy {
    let mut places: BTreeMap<HeartbeatKey, Pos> = BTreeMap::new();
    let mut declared = Vec::new();
    for node in parent.list("heartbeats") {
        let Some(one) = heartbeat(parent.doc, node) else {
            continue;
        };
        if let Some(first) = places.insert(one.key.clone(), node.at) {
            let message = format!(
                "`{}` stands here twice; first in line {}",
                one.key, first.line
            );
            parent.doc.problem(node.at, message, None);
        }
        declared.push(one);
    }
    Policy { declared }
}

fn heartbeat(doc: &Doc<'_>, node: &Node) -> Option<Declared> {
    let fields = doc.fields(node, "a heartbeat");
    let name = fields.needed_text("name");
    let service = fields.text("service").unwrap_or_default();
    let every = fields.duration("every");
    if fields.get("every").is_none() {
        fields.missing("every");
    }
    let grace = fields.duration("grace").unwrap_or(GRACE);
    let (labels, annotations) = (labels(&fields, "labels"), labels(&fields, "annotations"));
    for own in labels.iter().filter(|it| OWN_LABELS.contains(&&*it.name)) {
        let message = format!(
            "`labels`: every alert of a heartbeat has its own `{}`",
            own.name
        );
        let hint = (&*own.name == "service").then(|| "say `service:` beside `name:`".to_owned());
        doc.problem(fields.at("labels"), message, hint);
    }
    fields.finish();
    let refused = |why: firebell_heartbeat::Refusal| doc.problem(node.at, why.to_string(), None);
    let key = HeartbeatKey::new(&service, &name?).map_err(refused);
    let expectation = Expectation::new(every?, grace);
    let expectation = expectation.and_then(|it| it.with(labels, annotations));
    Some(Declared {
        expectation: expectation.map_err(refused).ok()?,
        key: key.ok()?,
    })
}

/// What alerts are told apart by: two heartbeats with the same would end each other's.
const OWN_LABELS: [&str; 3] = ["alertname", "heartbeat", "service"];

fn labels(fields: &Fields<'_, '_>, name: &'static str) -> Labels {
    let labels = fields.labels(name);
    for wrong in labels.iter().filter(|it| !is_valid_label_name(&it.name)) {
        let message = format!("`{name}`: `{}` is no name of a label", wrong.name);
        fields.doc.problem(fields.at(name), message, None);
    }
    labels
}
