//! `firebell oncall import-calendar`: shifts out of a calendar that others export.

use std::io::Read as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::{during, list, names, text};
use crate::explain::Asked;
use crate::incident::{AsWhom, parsed};
use crate::{harmless, say};

/// Shifts of a schedule, as a calendar has them.
#[derive(Args)]
pub(crate) struct Import {
    /// The schedule.
    schedule: String,
    /// A file of iCalendar (.ics), or - for what is piped in.
    file: PathBuf,
    /// Take what is understood, whatever else the calendar has.
    #[arg(long)]
    partial: bool,
    /// Take back what earlier calendars said of the schedule and this one does not.
    #[arg(long)]
    replace: bool,
    /// Only say what would be.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    as_whom: AsWhom,
    #[command(flatten)]
    asked: Asked,
}

/// Puts the shifts of a calendar in force.
pub(crate) fn import(options: &Import) -> Result<ExitCode, ExitCode> {
    let calendar = read(options)?;
    let body = json!({
        "by": options.as_whom.name()?,
        "schedule": options.schedule,
        "calendar": calendar,
        "partial": options.partial,
        "replace": options.replace,
        "preview": options.dry_run,
    });
    let body = options.asked.post_change(PATH, &body)?;
    let answer = parsed(&body)?;
    let problems = list(&answer["problems"]);
    let code = ExitCode::from(u8::from(options.dry_run && !problems.is_empty()));
    if options.asked.json {
        say(format_args!("{body}"));
        return Ok(code);
    }
    let file = options.file.display();
    for problem in problems {
        let (message, hint) = (text(&problem["message"]), text(&problem["hint"]));
        let line = format!("{file}:{}: {message}: {hint}", problem["line"]);
        eprintln!("{}", harmless(&line));
    }
    show(&answer, options.dry_run);
    Ok(code)
}

fn read(options: &Import) -> Result<String, ExitCode> {
    let file = &options.file;
    let read = match file.as_os_str() == "-" {
        true => {
            let mut text = String::new();
            let read = std::io::stdin().lock().read_to_string(&mut text);
            read.map(|_| text)
        }
        false => std::fs::read_to_string(file),
    };
    read.map_err(|error| {
        eprintln!("firebell: failed to read {}: {error}", file.display());
        ExitCode::from(2)
    })
}

fn show(answer: &Value, is_preview: bool) {
    let shifts = list(&answer["shifts"]);
    if is_preview {
        for it in shifts {
            let shadows = match list(&it["shadows"]) {
                [] => String::new(),
                _ => format!(", shadow: {}", names(&it["shadows"])),
            };
            let what = format!("{}{shadows}", names(&it["people"]));
            let during = during(text(&answer["zone"]), it);
            say(format_args!("  {during}  {}", harmless(&what)));
        }
    }
    let shifts = match shifts.len() {
        1 => "1 shift".to_owned(),
        n => format!("{n} shifts"),
    };
    let mut counts = format!(
        "{shifts}: {} new, {} changed, {} gone",
        answer["added"], answer["changed"], answer["removed"]
    );
    if answer["leftOut"] != 0 {
        let more = &answer["leftOut"];
        counts.push_str(&format!(
            "; {more} were over a month ago, or begin in more than eleven"
        ));
    }
    match (&answer["change"], is_preview) {
        (_, true) => say(format_args!("{counts}; nothing is changed")),
        (Value::Null, false) => say(format_args!("{counts}; all of it was there")),
        (number, false) => say(format_args!(
            "{counts}; change {number} is in force; `firebell oncall undo {number}` takes it back"
        )),
    }
}

const PATH: &str = "/api/firebell/v1/oncall/calendar";
