//! Scenarios: Markdown files that say what is configured, what happens, and what comes of it.
//!
//! Fenced blocks are `firebell` (sections of a firebell.yml), `incidents` (that section alone), `slo`
//! (a file of objectives),
//! `rules` (a Prometheus rule file), `alertmanager` (an alertmanager.yml),
//! `timeline` (what happens, one event a line) and `transcript` (what comes of it). The second
//! `rules` block is put in force by the event `reload rules`, and so on. Everything else is prose.
//!
//! *Invariants*: a transcript follows from the other blocks alone. Time begins at the first slot of
//! the rules, so that a group with `interval: 15s` is evaluated at 0s, 15s, 30s and so on.

mod document;
#[cfg(test)]
mod many_open;
mod narrator;
mod past;
mod play;
mod timeline;

use firebell_config::Problems;

pub(crate) use self::document::{Document, InForce, paging, problem};
pub(crate) use self::narrator::{
    Narrator, alert_texts, incident_text, integration_text, is_inbox_only, page_text, reason_text,
    why_text,
};
pub(crate) use self::play::{Options, play};
pub(crate) use self::timeline::{Line, What, read_line};
use crate::lines::{Edit, edits};

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

/// Reads the scenario in `text` without running it.
///
/// # Errors
/// As [`run`].
pub fn check(file: &str, text: &str) -> Result<(), Problems> {
    Document::read(file, text).map(drop)
}

/// The lines that differ: from the first to the last difference, as far as they are not common.
fn difference(expected: &str, got: &str, first_line: u32) -> Vec<String> {
    let (expected, got): (Vec<&str>, Vec<&str>) =
        (expected.lines().collect(), got.lines().collect());
    let lines = edits(&expected, &got).into_iter();
    let lines = lines.filter_map(|edit| match edit {
        Edit::Same(_) => None,
        Edit::Removed(idx, line) => Some(format!("{}: -{line}", first_line as usize + idx)),
        Edit::Added(idx, line) => Some(format!("{}: +{line}", first_line as usize + idx)),
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn every_problem_of_a_scenario_has_its_place_and_a_hint() {
        let text = "\
# A scenario

```rules
groups:
  - name: g
    rules:
      - alert: A
        expr: sum(
```

```timeline
0s serie up 1
0s series up{job=\"a\" 1x3 every 15s
1x receiver pager fails
2m receiver pager fails 200
3m silence {a=\"b\" for 1h
4m kill after lunch
5m reload rules
```
";
        let problems = run("bad.md", text).unwrap_err();
        expect![[r#"
            bad.md:8:19: parse error: unclosed left parenthesis
              8 |         expr: sum(
                |                   ^
            bad.md:11:1: the timeline has no end (say when it ends, as in `end 1h`)
            bad.md:12:4: `serie` is nothing that can happen
              12 | 0s serie up 1
                 |    ^
                 = `series`, `receiver`, `alert`, `silence`, `unsilence`, `kill`, `crash`, `restart`, `reload`, `disk`, `why`, `history`, `budgets`, `deploy`, `beat`, `forget`, `heartbeats`, `lease`, `release`, `incident`, `page`, `review`, `contact`, or `end` before a time
            bad.md:13:11: bad series: 1:12: parse error: unexpected character inside braces: '1'
              13 | 0s series up{job="a" 1x3 every 15s
                 |           ^
                 = series errors{job="a"} 0+1x20 every 15s
            bad.md:14:1: `1x` is not a duration
              14 | 1x receiver pager fails
                 | ^
                 = write it as 30s, 5m or 1h30m
            bad.md:15:25: expected an HTTP status from 400 on
              15 | 2m receiver pager fails 200
                 |                         ^
            bad.md:16:12: expected labels in braces
              16 | 3m silence {a="b" for 1h
                 |            ^
                 = {alertname="X"}
            bad.md:17:15: `lunch` is not known here
              17 | 4m kill after lunch
                 |               ^
                 = `kill` or `crash`, alone or with `after deciding`, `after recording` or `after sending` (in the next step that tells somebody) or, for `crash`, `after 3 writes`; and `then restart` if it starts again at once
            bad.md:18:1: there is no further block ```rules to load
        "#]].assert_eq(&format!("{problems}\n"));
    }

    #[test]
    fn a_scenario_without_a_transcript_gets_one() {
        let text = "# A\n\n```timeline\n0s alert {alertname=\"A\"}\nend 1m\n```\n";
        let report = run("a.md", text).unwrap();
        assert!(!report.has_passed());
        expect![[r##"
            # A

            ```timeline
            0s alert {alertname="A"}
            end 1m
            ```

            ```transcript
            0s        posted firing A
            30s       inbox: first [firing A]
            ```
        "##]]
        .assert_eq(&report.rewritten);
        assert!(run("a.md", &report.rewritten).unwrap().has_passed());
    }

    #[test]
    fn a_difference_names_the_lines_of_the_file() {
        let lines = difference("a\nb\nc\n", "a\nx\nc\nd\n", 10);
        assert_eq!(lines, ["11: -b", "12: +x", "13: +d"]);
        assert!(difference("a\n", "a\n", 1).is_empty());
    }
}
