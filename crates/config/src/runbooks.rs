//! `runbooks` of `incidents`: what to check, what to do next, when to hand over.
//!
//! ```yaml
//! incidents:
//!   runbooks:
//!     triage: {severity: sev2, steps: [who is hit? say it under impact, is it growing?]}
//!     database: {alerts: 'alertname="DatabaseSlow"', file: runbooks/database.md}
//! ```

use firebell_incident::{Runbook, STEPS_MAX};

use crate::fields::{Doc, Fields};
use crate::incidents::matchers;
use crate::load::Loader;
use crate::yaml::{Node, Value};

/// All of them, in the order of the file.
pub(crate) fn read(loader: &Loader<'_>, parent: &Fields<'_, '_>) -> Vec<Runbook> {
    let Some(node) = parent.get("runbooks") else {
        return Vec::new();
    };
    let entries = parent.doc.entries(node, "runbooks");
    if entries.len() > RUNBOOKS_MAX {
        let message = format!("`runbooks` has more than {RUNBOOKS_MAX} entries");
        parent.doc.problem(node.at, message, None);
        return Vec::new();
    }
    let read = |(name, node): (&str, &Node)| runbook(loader, parent.doc, name, node);
    entries.into_iter().filter_map(read).collect()
}

fn runbook(loader: &Loader<'_>, doc: &Doc<'_>, name: &str, node: &Node) -> Option<Runbook> {
    let fields = doc.fields(node, "a runbook");
    let alerts = fields
        .get("alerts")
        .map_or(&[][..], |node| match &node.value {
            Value::List(items) => items.as_slice(),
            _ => std::slice::from_ref(node),
        });
    let alerts = alerts.iter();
    let alerts = alerts.filter_map(|it| matchers(&fields, "alerts", it));
    let read = Runbook {
        name: name.into(),
        severity: fields.parsed("severity", str::parse),
        alerts: alerts.collect(),
        text: text(loader, &fields)?.into(),
    };
    fields.finish();
    if name.contains(char::is_whitespace) {
        let message = format!("`{name}`: a runbook is called by a word");
        doc.problem(node.at, message, Some("as in `disk-full`".to_owned()));
    }
    let mut steps: Vec<&str> = read.steps().collect();
    if steps.len() > STEPS_MAX {
        let message = format!(
            "`{name}` has {} steps, and {STEPS_MAX} are the most",
            steps.len()
        );
        doc.problem(node.at, message, None);
    }
    steps.sort_unstable();
    for twice in steps.windows(2).filter(|it| it.first() == it.last()) {
        let step = twice.first().copied().unwrap_or_default();
        let message = format!("`{name}` has the step `{step}` twice");
        let hint = "what is ticked is known by its words: say how they differ".to_owned();
        doc.problem(node.at, message, Some(hint));
    }
    Some(read)
}

/// Markdown: of a file, or of steps that stand here.
fn text(loader: &Loader<'_>, fields: &Fields<'_, '_>) -> Option<String> {
    let doc = fields.doc;
    let steps = fields.texts("steps");
    let text = match (fields.text("file"), steps.is_empty()) {
        (Some(file), true) => loader.read(&doc.path(&file))?,
        (None, false) => steps.iter().map(|it| format!("- [ ] {it}\n")).collect(),
        _ => {
            let message = "a runbook has one of `file` and `steps`";
            doc.problem(fields.at, message, None);
            return None;
        }
    };
    if text.len() > BYTES_MAX {
        let message = format!(
            "it has {} bytes, and {BYTES_MAX} are read at most",
            text.len()
        );
        let hint = "say what to do, and link to the rest".to_owned();
        doc.problem(fields.at("file"), message, Some(hint));
        return None;
    }
    Some(text)
}

/// The most runbooks.
const RUNBOOKS_MAX: usize = 500;
/// The longest text of one.
const BYTES_MAX: usize = 64 << 10;
