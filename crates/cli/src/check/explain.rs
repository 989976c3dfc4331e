//! What the lints are: all of them in a list, one in full.

use std::process::ExitCode;

use firebell_lint::{CATALOGUE, Lint, lint};

use crate::say;

/// Prints every lint with its severity and what it finds.
pub(super) fn list() -> ExitCode {
    for lint in CATALOGUE.iter().copied().flatten() {
        let severity = if lint.is_on {
            lint.severity.name()
        } else {
            "off"
        };
        say(format_args!("{:<24} {severity:<8} {}", lint.id, lint.what));
    }
    ExitCode::SUCCESS
}

/// Prints one lint: what, why, how it is mended, an example before and after.
pub(super) fn explain(id: &str) -> ExitCode {
    let Some(lint) = lint(id) else {
        eprintln!("there is no lint `{id}`; `firebell check --lints` prints all");
        return ExitCode::from(2);
    };
    let state = if lint.is_on { "on" } else { "off" };
    say(format_args!(
        "{} ({}, {state} by default)\n",
        lint.id, lint.severity
    ));
    say(format_args!("Finds  {}.", lint.what));
    say(format_args!("Why    {}", lint.why));
    say(format_args!("Mend   {}", lint.mend));
    for (title, example) in [("Not so", lint.bad), ("But so", lint.good)] {
        for (name, text) in Lint::example_files(example) {
            say(format_args!("\n{title}, in {name}:\n"));
            for line in text.lines() {
                say(format_args!("    {line}"));
            }
        }
    }
    say(format_args!(
        "\nOff for one rule:  # firebell check: disable {id}\n\
         Off for a file:    # firebell check: disable-file {id}\n\
         Off for all:       check: {{disable: [{id}]}} in firebell.yml"
    ));
    ExitCode::SUCCESS
}
