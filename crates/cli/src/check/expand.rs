//! Which files are meant: those that are named, those that match, those in a folder.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use firebell_config::Files;

/// The files, each once, and what cannot be found.
pub(super) struct Expanded {
    pub(super) files: Vec<PathBuf>,
    pub(super) unreadable: Vec<String>,
}

/// Follows patterns and folders; a name without either stands for itself.
pub(super) fn expand(named: &[PathBuf], files: &dyn Files) -> Expanded {
    let mut expanded = Expanded {
        files: Vec::new(),
        unreadable: Vec::new(),
    };
    let mut seen = BTreeSet::new();
    for path in named {
        let name = path.display();
        let mut found = Vec::new();
        if path.is_dir() {
            walk(path, DEPTH_MAX, &mut found);
            if found.is_empty() {
                expanded.unreadable.push(format!(
                    "{name}: there is no file in it that Firebell reads"
                ));
            }
        } else if path.to_string_lossy().contains(['*', '?', '[']) && !path.exists() {
            match files.glob(path) {
                Ok(matching) if matching.is_empty() => {
                    expanded.unreadable.push(format!("{name}: no file matches"));
                }
                Ok(matching) => found = matching,
                Err(error) => expanded
                    .unreadable
                    .push(format!("{name}: failed to read: {error}")),
            }
        } else {
            found.push(path.clone());
        }
        expanded
            .files
            .extend(found.into_iter().filter(|it| seen.insert(it.clone())));
    }
    expanded
}

/// Files of a folder and those below it that look like ours, in order of name. Hidden ones, links
/// to folders and what tools install are passed over.
fn walk(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    let mut entries: Vec<_> = entries.flatten().collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        let is_folder = entry.file_type().is_ok_and(|it| it.is_dir());
        if name.starts_with('.') || FOREIGN.contains(&&*name) {
            continue;
        }
        if is_folder && depth > 0 {
            walk(&path, depth - 1, found);
        } else if !is_folder && looks_like_ours(&path) {
            found.push(path);
        }
    }
}

/// By its name, and where other tools write such files too, by its content.
fn looks_like_ours(path: &Path) -> bool {
    let extension = path.extension().map(|it| it.to_string_lossy().into_owned());
    match extension.as_deref() {
        Some("tmpl") => true,
        Some("yml" | "yaml" | "json" | "rules") => {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let keys = text.lines().filter_map(|line| {
                line.trim_start_matches(['{', '[', '-', ' ', '"'])
                    .split([':', '"'])
                    .next()
            });
            keys.take(LINES_MAX).any(|key| KEYS.contains(&key.trim()))
        }
        Some("md") => {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            text.contains("```timeline")
        }
        _ => false,
    }
}

/// Folders that tools fill.
const FOREIGN: &[&str] = &["node_modules", "target", "__pycache__", "vendor"];
/// What files of ours have, of which those of other tools have none.
const KEYS: &[&str] = &[
    "groups",
    "rule_files",
    "scrape_configs",
    "route",
    "alertmanager",
    "targets",
    "objectives",
    "slos",
];
const LINES_MAX: usize = 400;
const DEPTH_MAX: usize = 32;
