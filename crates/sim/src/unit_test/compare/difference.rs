//! Expected and received alerts as one coloured tree, as `--diff` of promtool shows them.
//!
//! *Sources*: `nsf/jsondiff`, its console options, as behaviour.

use std::collections::BTreeMap;

use firebell_model::{Labels, Quoted};

use super::super::sides::Tone;

/// Labels and annotations.
type Alert = (Labels, Labels);

/// The tree; `None` when both are the same. Where one side has no alerts, an empty one stands in.
pub(super) fn show(expected: &[Alert], got: &[Alert]) -> Option<String> {
    let mut tree = Tree::default();
    let [expected, got] = [expected, got].map(|alerts| match alerts {
        [] => vec![Alert::default()],
        alerts => alerts.to_vec(),
    });
    let n = expected.len().max(got.len());
    tree.line(0, Tone::Same, "[", "");
    for idx in 0..n {
        let comma = if idx + 1 < n { "," } else { "" };
        match (expected.get(idx), got.get(idx)) {
            (Some(expected), Some(got)) => tree.both(expected, got, comma),
            (Some(alert), None) => tree.one(alert, Tone::Removed, comma),
            (None, Some(alert)) => tree.one(alert, Tone::Added, comma),
            (None, None) => {}
        }
    }
    tree.line(0, Tone::Same, "]", "");
    tree.has_changes.then(|| tree.lines.join("\n"))
}

#[derive(Default)]
struct Tree {
    lines: Vec<String>,
    has_changes: bool,
}

impl Tree {
    /// A line; `after` follows it without colour.
    fn line(&mut self, level: usize, tone: Tone, text: &str, after: &str) {
        self.has_changes |= tone != Tone::Same;
        let indent = "    ".repeat(level);
        self.lines
            .push(format!("{indent}{}{after}", tone.paint(text)));
    }

    /// An alert that only one side has.
    fn one(&mut self, (labels, annotations): &Alert, tone: Tone, comma: &str) {
        self.line(1, tone, "{", "");
        for (key, map, end) in [("Annotations", annotations, "},"), ("Labels", labels, "}")] {
            if map.is_empty() {
                self.line(2, tone, &format!("\"{key}\": {{{end}"), "");
                continue;
            }
            self.line(2, tone, &format!("\"{key}\": {{"), "");
            for (idx, label) in map.iter().enumerate() {
                let comma = if idx + 1 < map.len() { "," } else { "" };
                let text = pair(&label.name, &label.value);
                self.line(3, tone, &format!("{text}{comma}"), "");
            }
            self.line(2, tone, end, "");
        }
        self.line(1, tone, "}", comma);
    }

    /// An alert of both sides.
    fn both(&mut self, expected: &Alert, got: &Alert, comma: &str) {
        self.line(1, Tone::Same, "{", "");
        self.maps("Annotations", &expected.1, &got.1, ",");
        self.maps("Labels", &expected.0, &got.0, "");
        self.line(1, Tone::Same, "}", comma);
    }

    fn maps(&mut self, key: &str, expected: &Labels, got: &Labels, after: &str) {
        let mut pairs: BTreeMap<&str, [Option<&str>; 2]> = BTreeMap::new();
        for (side, labels) in [expected, got].into_iter().enumerate() {
            for label in labels.iter() {
                pairs.entry(&label.name).or_default()[side] = Some(&label.value);
            }
        }
        if pairs.is_empty() {
            self.line(2, Tone::Same, &format!("\"{key}\": {{}}"), after);
            return;
        }
        self.line(2, Tone::Same, &format!("\"{key}\": {{"), "");
        let n = pairs.len();
        for (idx, (name, values)) in pairs.into_iter().enumerate() {
            let comma = if idx + 1 < n { "," } else { "" };
            match values {
                [Some(a), Some(b)] if a == b => self.line(3, Tone::Same, &pair(name, a), comma),
                [Some(a), Some(b)] => {
                    let change = Tone::Changed.paint(&format!("{} => {}", Quoted(a), Quoted(b)));
                    self.has_changes = true;
                    self.line(3, Tone::Same, &format!("{}: {change}", Quoted(name)), comma);
                }
                [Some(a), None] => self.line(3, Tone::Removed, &pair(name, a), comma),
                [None, Some(b)] => self.line(3, Tone::Added, &pair(name, b), comma),
                [None, None] => {}
            }
        }
        self.line(2, Tone::Same, "}", after);
    }
}

fn pair(name: &str, value: &str) -> String {
    format!("{}: {}", Quoted(name), Quoted(value))
}
