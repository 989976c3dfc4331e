//! A file with the places of all that stands in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use firebell_lint::{Finding, Place, Step};

use super::Found;
use crate::problem::{Pos, Problem};
use crate::secrets::blackened;
use crate::yaml::{Node, Value};

/// A file that was parsed.
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) name: Arc<str>,
    pub(super) text: String,
    pub(super) root: Option<Node>,
}

impl Source {
    pub(super) fn new(path: &Path, text: String, root: Option<Node>) -> Self {
        Self {
            path: path.to_owned(),
            name: path.display().to_string().into(),
            text,
            root,
        }
    }

    /// A path that the file names, relative to its folder.
    pub(super) fn relative(&self, text: &str) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(text)
    }

    /// Findings with their places. What stands in lines of which nothing is to be said goes.
    pub(super) fn located(
        &self,
        findings: Vec<Finding>,
        is_ignored: impl Fn(u32) -> bool,
    ) -> Vec<Found> {
        if findings.is_empty() {
            return Vec::new();
        }
        let shown = match &self.root {
            Some(root) => blackened(&self.text, root),
            None => String::new(),
        };
        let lines: Vec<&str> = shown.lines().collect();
        let located = findings.into_iter().map(|finding| {
            let at = self.position(&finding.place);
            let excerpt = lines.get((at.line as usize).saturating_sub(1));
            Found {
                lint: finding.lint,
                severity: finding.severity,
                problem: Problem {
                    file: Arc::clone(&self.name),
                    at: Some(at),
                    message: finding.message,
                    hint: finding.hint,
                    excerpt: excerpt.map(|it| (*it).to_owned()),
                },
            }
        });
        located
            .filter(|it| it.problem.at.is_none_or(|at| !is_ignored(at.line)))
            .collect()
    }

    /// Where a value stands, as far down its path as there is something: a text where it begins, or
    /// at the byte that is meant; anything else at its key.
    fn position(&self, place: &Place) -> Pos {
        let mut at = Pos { line: 1, column: 1 };
        let Some(mut node) = self.root.as_ref() else {
            return at;
        };
        for (idx, step) in place.path.iter().enumerate() {
            let is_last = idx + 1 == place.path.len();
            let (key_at, next) = match (step, &node.value) {
                (Step::Line(line), _) => {
                    return Pos {
                        line: *line,
                        column: 1,
                    };
                }
                (Step::Key(key), Value::Map(entries)) => {
                    let Some(entry) = entries.iter().find(|it| it.key == **key) else {
                        return at;
                    };
                    (entry.at, &entry.value)
                }
                (Step::Item(idx), Value::List(items)) => {
                    let Some(item) = items.get(*idx) else {
                        return at;
                    };
                    (item.at, item)
                }
                _ => return at,
            };
            node = next;
            at = match &node.value {
                Value::Scalar(scalar) if is_last => match place.offset {
                    Some(offset) => scalar.position_of(&self.text, offset),
                    None => node.at,
                },
                _ => key_at,
            };
        }
        at
    }
}
