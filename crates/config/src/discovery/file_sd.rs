//! Groups of targets, in the configuration and in files of their own (JSON or YAML).

use std::cell::RefCell;
use std::path::Path;

use firebell_model::Labels;

use super::TargetGroup;
use crate::fields::Doc;
use crate::problem::Problems;
use crate::yaml::Node;

/// Reads a file of targets: a list of groups, in YAML or JSON. Every group gets the label
/// `__meta_filepath`.
///
/// # Errors
/// Everything that is wrong with the file; nothing of it may be used then.
pub fn parse_target_file(path: &Path, text: &str) -> Result<Vec<TargetGroup>, Problems> {
    let problems = RefCell::default();
    let file = path.display().to_string();
    let doc = Doc::new(path, text, &problems);
    let root = doc.parse();
    let items = root
        .as_ref()
        .map_or(&[][..], |root| doc.items(root, "a file of targets"));
    let groups = items.iter().filter_map(|item| group(&doc, item));
    let groups: Vec<_> = groups
        .map(|group| {
            let mut labels = group.labels.to_builder();
            labels.set("__meta_filepath", &*file);
            TargetGroup {
                labels: labels.build(),
                ..group
            }
        })
        .collect();
    match Problems::new(problems.into_inner()) {
        None => Ok(groups),
        Some(problems) => Err(problems),
    }
}

/// Reads `targets` and `labels`.
pub(super) fn group(doc: &Doc<'_>, node: &Node) -> Option<TargetGroup> {
    let fields = doc.fields(node, "a group of targets");
    let mut targets = Vec::new();
    for item in fields.list("targets") {
        let Some(address) = doc.text(item, "targets") else {
            continue;
        };
        if address.contains('/') {
            let message = format!("`{address}` is not a host with an optional port");
            let hint = "the path is `metrics_path`, http or https is `scheme`".to_owned();
            doc.problem(item.at, message, Some(hint));
        }
        targets.push(address);
    }
    let labels: Labels = fields.labels("labels");
    fields.finish();
    (!targets.is_empty()).then_some(TargetGroup { targets, labels })
}

/// Source: Prometheus, `discovery/file`, `patFileSDName`.
pub(super) fn is_valid_pattern(text: &str) -> bool {
    let extensions = [".json", ".yml", ".yaml", ".JSON", ".YML", ".YAML"];
    let name = text.rsplit('/').next().unwrap_or(text);
    let folders = &text[..text.len() - name.len()];
    let n_stars = name.matches('*').count();
    extensions.iter().any(|it| name.ends_with(it)) && !folders.contains('*') && n_stars <= 1
}
