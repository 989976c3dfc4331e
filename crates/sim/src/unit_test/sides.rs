//! What was expected beside what came, as rows of text.

use super::text::indented;
use crate::lines::{Edit, edits};

/// Rows of both sides.
#[derive(Debug, Default)]
pub(super) struct Sides {
    pub(super) expected: Vec<String>,
    pub(super) got: Vec<String>,
}

impl Sides {
    /// Both sides below a head, or as one coloured difference; `None` when they are the same.
    pub(super) fn show(&self, head: &str, is_diff: bool) -> Option<String> {
        if self.expected == self.got {
            return None;
        }
        let shown = match is_diff {
            true => format!("        diff:{}", rows(&self.difference())),
            false => format!(
                "        exp:{}\n        got:{}",
                rows(&self.expected),
                rows(&self.got)
            ),
        };
        Some(format!("{head}\n{shown}"))
    }

    fn difference(&self) -> Vec<String> {
        let [expected, got] =
            [&self.expected, &self.got].map(|rows| rows.iter().map(|it| &**it).collect::<Vec<_>>());
        let edits = edits(&expected, &got);
        let painted = edits.into_iter().map(|edit| match edit {
            Edit::Same(row) => format!("  {row}"),
            Edit::Removed(_, row) => Tone::Removed.paint(&format!("- {row}")),
            Edit::Added(_, row) => Tone::Added.paint(&format!("+ {row}")),
        });
        painted.collect()
    }
}

fn rows(rows: &[String]) -> String {
    match rows {
        [] => " nothing".to_owned(),
        rows => indented(&format!("\n{}", rows.join("\n")), "            "),
    }
}

/// How a part of a difference is coloured, as promtool does it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Same,
    Added,
    Removed,
    Changed,
}

impl Tone {
    pub(super) fn paint(self, text: &str) -> String {
        let colour = match self {
            Self::Same => return text.to_owned(),
            Self::Added => 32,
            Self::Removed => 31,
            Self::Changed => 33,
        };
        format!("\x1b[0;{colour}m{text}\x1b[0m")
    }
}
