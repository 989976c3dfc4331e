//! What was expected beside what came, as rows of text.

use firebell_model::Duration;

use super::text::indented;
use crate::lines::{Edit, edits};

/// Something that happened at a moment.
pub(super) trait Came {
    /// After the start.
    fn at(&self) -> Duration;

    /// What is shown of it when nobody expected it.
    fn rows(&self) -> Vec<String>;
}

/// Something that is expected to happen.
pub(super) trait Expected {
    type Came: Came;

    /// When, after the start, if that was said.
    fn at(&self) -> Option<Duration>;

    /// Whether something is what is expected, as far as pairing goes.
    fn is_met(&self, came: &Self::Came) -> bool;

    /// Whether something is at the place of what is expected, and may be meant.
    fn is_near(&self, came: &Self::Came) -> bool;

    /// The expectation as it would be shown if it came; what was not said of it is taken from what
    /// came.
    fn rows(&self, came: Option<&Self::Came>) -> Vec<String>;

    /// What came, with all that was said of what was expected.
    fn rows_of(&self, came: &Self::Came) -> Vec<String>;
}

/// Rows of both sides.
#[derive(Debug, Default)]
pub(super) struct Sides {
    pub(super) expected: Vec<String>,
    pub(super) got: Vec<String>,
}

impl Sides {
    /// Both sides, in the order in which things came. What did not come stands where its time says.
    pub(super) fn of<E: Expected>(expected: &[E], came: &[E::Came]) -> Self {
        let pairs = pairs(expected, came);
        let mut rows: Vec<(Duration, usize, Vec<String>, Vec<String>)> = Vec::new();
        for (idx, (expected, twin)) in expected.iter().zip(&pairs).enumerate() {
            let of_twin = twin.map(|twin| &came[twin]);
            let at = of_twin.map(Came::at).or_else(|| expected.at());
            let got = of_twin.map_or_else(Vec::new, |it| expected.rows_of(it));
            rows.push((
                at.unwrap_or(Duration(i64::MAX)),
                twin.unwrap_or(came.len() + idx),
                expected.rows(of_twin),
                got,
            ));
        }
        for (idx, came) in came.iter().enumerate() {
            if !pairs.contains(&Some(idx)) {
                rows.push((came.at(), idx, Vec::new(), came.rows()));
            }
        }
        rows.sort_by_key(|(at, place, ..)| (*at, *place));
        let mut sides = Self::default();
        for (_, _, expected, got) in rows {
            sides.expected.extend(expected);
            sides.got.extend(got);
        }
        sides
    }

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

/// What is meant by each expectation: something that meets it, else something at its place.
fn pairs<E: Expected>(expected: &[E], came: &[E::Came]) -> Vec<Option<usize>> {
    let mut pairs = vec![None; expected.len()];
    for is_meant in [E::is_met, E::is_near] {
        for (idx, expected) in expected.iter().enumerate() {
            if pairs[idx].is_none() {
                pairs[idx] = (0..came.len())
                    .find(|it| !pairs.contains(&Some(*it)) && is_meant(expected, &came[*it]));
            }
        }
    }
    pairs
}

/// A line with single blanks.
pub(super) fn spaced(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The time with which a line begins.
pub(super) fn time_of_line(line: &str) -> Option<Duration> {
    line.split_whitespace().next()?.parse().ok()
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

/// Stands for what was not said of something that did not come.
pub(super) const ANYTHING: &str = "…";
