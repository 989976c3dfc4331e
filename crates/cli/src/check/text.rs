//! For people: each finding with its line, a line per file, and a count at the end.

use firebell_config::Found;
use firebell_lint::Severity;

use super::Outcome;
use crate::say;

/// Prints all that was found; in colours on a terminal.
pub(super) fn print(outcome: &Outcome, has_colours: bool) {
    let report = &outcome.report;
    for file in report
        .files
        .iter()
        .filter(|it| it.is_given && it.unreadable.is_none())
    {
        let name = &file.name;
        let is_of = |of: &str| of == name || outcome.counts_for(file, of);
        let summary = outcome.summary(is_of);
        if summary.is_empty() {
            say(format_args!("{name}: ok"));
        } else {
            say(format_args!("{name}: {summary}"));
        }
        for note in &file.notes {
            say(format_args!("  note: {note}"));
        }
        for found in report.findings.iter().filter(|it| is_of(&it.problem.file)) {
            finding(found, has_colours);
        }
    }
    if let Some(n_asked) = outcome.n_asked {
        server(outcome, n_asked);
    }
    let total = outcome.summary(|_| true);
    if !total.is_empty() {
        say(format_args!(
            "{total}; `firebell check --explain ID` says more"
        ));
    }
    let n_given = report.files.iter().filter(|it| it.is_given).count();
    let n_failed = outcome.n_failed();
    say(format_args!(
        "{} passed, {n_failed} failed",
        n_given - n_failed
    ));
}

/// What the rules cost together, and which cost most.
fn server(outcome: &Outcome, n_asked: u64) {
    let rules = &outcome.report.figures;
    let mut costs: Vec<(u64, f64, &str)> = rules
        .iter()
        .filter_map(|it| {
            let figures = &it.figures;
            Some((figures.samples.unwrap_or(0), figures.seconds?, &*it.name))
        })
        .collect();
    costs.sort_by(|a, b| (b.0, b.2).cmp(&(a.0, a.2)));
    let samples: u64 = costs.iter().map(|it| it.0).sum();
    let seconds: f64 = costs.iter().map(|it| it.1).sum();
    say(format_args!(
        "{} rules asked about in {n_asked} questions: a cycle looks at {samples} samples and takes {seconds:.3} s",
        costs.len()
    ));
    for (samples, seconds, name) in costs.iter().take(COSTLY_SHOWN_MAX).filter(|it| it.0 > 0) {
        say(format_args!("  {name}: {samples} samples, {seconds:.3} s"));
    }
}

fn finding(found: &Found, has_colours: bool) {
    let paint = |code: &str, text: &str| {
        if has_colours {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    };
    let problem = &found.problem;
    let place = match problem.at {
        Some(at) => format!("{}:{}:{}", problem.file, at.line, at.column),
        None => problem.file.to_string(),
    };
    let colour = match found.severity {
        Severity::Error => "1;31",
        Severity::Warning => "1;33",
        Severity::Info => "1;36",
    };
    let severity = paint(colour, found.severity.name());
    let id = paint("2", &format!("[{}]", found.lint.id));
    let message = &problem.message;
    say(format_args!("{place}: {severity}: {message} {id}"));
    let margin = match problem.at.zip(problem.excerpt.as_deref()) {
        None => "  ".to_owned(),
        Some((at, excerpt)) => {
            let number = at.line.to_string();
            let margin = " ".repeat(number.len());
            // Tabs are one column each, here and below.
            let (line, mark) = window(&excerpt.replace('\t', " "), at.column as usize);
            say(format_args!("  {number} | {line}"));
            say(format_args!("  {margin} | {mark}{}", paint(colour, "^")));
            margin
        }
    };
    if let Some(hint) = &problem.hint {
        say(format_args!("  {margin} = {hint}"));
    }
}

/// The part of a line that fits a screen, and the blanks before its place.
fn window(line: &str, column: usize) -> (String, String) {
    let chars: Vec<char> = line.chars().collect();
    let at = column.saturating_sub(1).min(chars.len());
    if chars.len() <= WIDTH_MAX {
        return (line.to_owned(), " ".repeat(at));
    }
    let first = at.saturating_sub(WIDTH_MAX / 2);
    let last = (first + WIDTH_MAX).min(chars.len());
    let before = if first > 0 { "…" } else { "" };
    let after = if last < chars.len() { "…" } else { "" };
    let shown: String = chars[first..last].iter().collect();
    let n_before = before.chars().count() + at - first;
    (format!("{before}{shown}{after}"), " ".repeat(n_before))
}

/// How many characters of a line are shown.
const WIDTH_MAX: usize = 160;
/// How many of the dearest rules are named.
const COSTLY_SHOWN_MAX: usize = 5;

#[cfg(test)]
mod tests {
    use super::window;

    #[test]
    fn a_long_line_is_shown_around_its_place() {
        assert_eq!(window("abc", 2), ("abc".to_owned(), " ".to_owned()));
        let line = format!("{}X{}", "a".repeat(200), "b".repeat(200));
        let (shown, before) = window(&line, 201);
        assert_eq!(shown.chars().nth(before.len()), Some('X'));
        assert_eq!(shown.chars().count(), super::WIDTH_MAX + 2);
    }
}
