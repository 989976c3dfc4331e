//! `include`: files of teams, each with its own routes, receivers, inhibition rules and intervals.
//!
//! A team's file names what is in it and in the main file, never what is in another team's. Names
//! are unique over all files. Its route becomes a child of the root, after the main file's own. A
//! fence is matchers that the main file puts on it: they are added to the route, and to what its
//! inhibition rules mute.

use std::path::PathBuf;

use firebell_model::{MatchOp, Matcher, is_valid_label_name};

use super::route::matcher_list;
use crate::fields::{Doc, Fields};
use crate::files::is_pattern;
use crate::load::Loader;
use crate::problem::Pos;
use crate::yaml::{Node, Value};

/// A file that is included.
pub(super) struct TeamFile {
    pub(super) path: PathBuf,
    pub(super) text: String,
    /// What its routes can take at most; none is no fence.
    pub(super) fence: Vec<Matcher>,
}

/// More files are refused.
const FILES_MAX: usize = 1000;

/// The files that `include` names, in its order, each once.
pub(super) fn find(loader: &Loader<'_>, fields: &Fields<'_, '_>) -> Vec<TeamFile> {
    let mut files: Vec<TeamFile> = Vec::new();
    for item in fields.list("include") {
        let Value::Map(_) = &item.value else {
            if let Some(pattern) = fields.doc.text(item, "include") {
                add(
                    loader,
                    fields.doc,
                    (item.at, &pattern),
                    None,
                    &[],
                    &mut files,
                );
            }
            continue;
        };
        let entry = fields.doc.fields(item, "an entry of `include`");
        let patterns = patterns(&entry);
        let matchers = matcher_list(&entry, "matchers");
        let label = entry.text("label");
        if let Some(label) = label.as_ref().filter(|it| !is_valid_label_name(it)) {
            let message = format!("invalid label name {label:?}");
            fields.doc.problem(entry.at("label"), message, None);
        }
        entry.finish();
        for (at, pattern) in &patterns {
            let place = (*at, pattern.as_str());
            add(
                loader,
                fields.doc,
                place,
                label.as_deref(),
                &matchers,
                &mut files,
            );
        }
    }
    files
}

// One text or a list of them.
fn patterns(entry: &Fields<'_, '_>) -> Vec<(Pos, String)> {
    let Some(node) = entry.get("files") else {
        entry.missing("files");
        return Vec::new();
    };
    let items: &[Node] = match &node.value {
        Value::List(items) => items,
        _ => std::slice::from_ref(node),
    };
    let text = |item: &Node| Some((item.at, entry.doc.text(item, "files")?));
    items.iter().filter_map(text).collect()
}

fn add(
    loader: &Loader<'_>,
    doc: &Doc<'_>,
    (at, pattern): (Pos, &str),
    label: Option<&str>,
    matchers: &[Matcher],
    files: &mut Vec<TeamFile>,
) {
    let found = loader.glob(&doc.path(pattern));
    if found.is_empty() {
        let message = format!("`include`: there is no file `{pattern}`");
        match is_pattern(pattern) {
            true => loader.note(format!("{}: {message}", doc.file)),
            false => doc.problem(at, message, None),
        }
    }
    for path in found {
        if files.iter().any(|known| known.path == path) {
            continue;
        }
        if files.len() >= FILES_MAX {
            doc.problem(
                at,
                format!("`include` names more than {FILES_MAX} files"),
                None,
            );
            return;
        }
        let Some(text) = loader.read(&path) else {
            continue;
        };
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let by_label = label.map(|label| Matcher::alertmanager(label, MatchOp::Equal, &*stem));
        let fence = matchers
            .iter()
            .cloned()
            .chain(by_label.and_then(Result::ok));
        let fence = fence.collect();
        files.push(TeamFile { path, text, fence });
    }
}

/// Notes a route that would take the alerts of others.
pub(super) fn check_fence(doc: &Doc<'_>, at: Pos, matchers: &[Matcher]) {
    if matchers.is_empty() {
        let message = "the route of a team's file needs `matchers`: it would take every alert";
        let hint = "or fence the file in the main file, as in \
            `include: [{files: teams/*.yml, label: team}]`";
        doc.problem(at, message, Some(hint.to_owned()));
    }
}
