//! Workflow commands of GitHub Actions: each becomes an annotation of the line.
//!
//! *Sources*: actions/toolkit, `packages/core/src/command.ts`, for what is escaped.

use firebell_config::Found;
use firebell_lint::Severity;

use super::Outcome;
use crate::say;

/// Prints a command per finding, and a count.
pub(super) fn print(outcome: &Outcome) {
    for found in &outcome.report.findings {
        say(format_args!("{}", command(found)));
    }
    let total = outcome.summary(|_| true);
    if !total.is_empty() {
        say(format_args!("{total}"));
    }
}

fn command(found: &Found) -> String {
    let problem = &found.problem;
    let name = match found.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "notice",
    };
    let mut properties = vec![format!("file={}", property(&problem.file))];
    if let Some(at) = problem.at {
        properties.push(format!("line={},col={}", at.line, at.column));
    }
    properties.push(format!("title={}", property(found.lint.id)));
    let hint = problem
        .hint
        .as_ref()
        .map_or(String::new(), |it| format!("\n{it}"));
    let message = data(&format!("{}{hint}", problem.message));
    format!("::{name} {}::{message}", properties.join(","))
}

fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_command_is_escaped() {
        assert_eq!(data("5% of a:b,\r\nc"), "5%25 of a:b,%0D%0Ac");
        assert_eq!(property("a,b:c%\n"), "a%2Cb%3Ac%25%0A");
    }
}
