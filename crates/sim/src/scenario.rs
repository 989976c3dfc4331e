//! Scenarios: Markdown files that say what is configured, what happens, and what comes of it.
//!
//! Fenced blocks are `rules` (a Prometheus rule file), `alertmanager` (an alertmanager.yml),
//! `timeline` (what happens, one event a line) and `transcript` (what comes of it). The second
//! `rules` block is put in force by the event `reload rules`, and so on. Everything else is prose.
//!
//! *Invariants*: a transcript follows from the other blocks alone. Time begins at the first slot of
//! the rules, so that a group with `interval: 15s` is evaluated at 0s, 15s, 30s and so on.

mod document;
mod narrator;
mod play;
mod timeline;

use firebell_config::Problems;

pub(crate) use self::document::Document;
pub(crate) use self::narrator::Narrator;
pub(crate) use self::play::{Options, play};

/// What running a scenario gave.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// What came of it.
    pub transcript: String,
    /// The scenario's text with that transcript.
    pub rewritten: String,
    /// The lines of the expected transcript that did not come (`-`) and those that came instead
    /// (`+`), each with its line of the file; empty when all came as expected.
    pub difference: Vec<String>,
}

impl Report {
    /// Whether everything came as expected.
    #[must_use]
    pub fn has_passed(&self) -> bool {
        self.difference.is_empty()
    }
}

/// Runs the scenario in `text`; `file` is named in problems.
///
/// # Errors
/// Everything that is wrong with the scenario itself.
pub fn run(file: &str, text: &str) -> Result<Report, Problems> {
    let document = Document::read(file, text)?;
    let played = play(&document, Options::default(), Narrator::new);
    let transcript = played.watch.transcript;
    let expected = document.transcript.as_ref();
    let expected_text = expected.map_or("", |block| block.text.as_str());
    let first_line = expected.map_or(0, |block| block.line);
    Ok(Report {
        difference: difference(expected_text, &transcript, first_line),
        rewritten: document.rewritten(text, &transcript),
        transcript,
    })
}

/// The lines that differ: from the first to the last difference, as far as they are not common.
fn difference(expected: &str, got: &str, first_line: u32) -> Vec<String> {
    let (expected, got): (Vec<&str>, Vec<&str>) =
        (expected.lines().collect(), got.lines().collect());
    // Longest common subsequence, from the back: transcripts have tens of lines.
    let mut longest = vec![vec![0_u32; got.len() + 1]; expected.len() + 1];
    for i in (0..expected.len()).rev() {
        for j in (0..got.len()).rev() {
            longest[i][j] = match expected[i] == got[j] {
                true => longest[i + 1][j + 1] + 1,
                false => longest[i + 1][j].max(longest[i][j + 1]),
            };
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    while i < expected.len() || j < got.len() {
        if i < expected.len() && j < got.len() && expected[i] == got[j] {
            (i, j) = (i + 1, j + 1);
        } else if j >= got.len() || (i < expected.len() && longest[i + 1][j] >= longest[i][j + 1]) {
            lines.push(format!("{}: -{}", first_line as usize + i, expected[i]));
            i += 1;
        } else {
            lines.push(format!("{}: +{}", first_line as usize + i, got[j]));
            j += 1;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_the_lines_of_the_file() {
        let lines = difference("a\nb\nc\n", "a\nx\nc\nd\n", 10);
        assert_eq!(lines, ["11: -b", "12: +x", "13: +d"]);
        assert!(difference("a\n", "a\n", 1).is_empty());
    }
}
