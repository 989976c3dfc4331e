//! `firebell postmortem`: what is known and written of an incident, of a running Firebell.

use std::process::ExitCode;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use serde_json::{Value, json};

use crate::explain::Asked;
use crate::incident::{AsWhom, parsed, segment};
use crate::{harmless, say};

/// Which one.
#[derive(Args)]
pub(crate) struct Postmortem {
    /// The number of its incident, as INC-4 or 4.
    #[arg(value_name = "INCIDENT", value_parser = NonEmptyStringValueParser::new())]
    id: String,
    /// Freeze samples of the alerts' rules first, so that it keeps them.
    #[arg(long)]
    draft: bool,
    #[command(flatten)]
    as_whom: AsWhom,
    #[command(flatten)]
    asked: Asked,
}

/// Prints it as Markdown; hints at its wording go to standard error.
pub(crate) fn postmortem(options: &Postmortem) -> ExitCode {
    match show(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(code) => code,
    }
}

fn show(options: &Postmortem) -> Result<(), ExitCode> {
    let path = format!(
        "/api/firebell/v1/incidents/{}/postmortem",
        segment(&options.id)
    );
    let body = match options.draft {
        true => {
            let by = json!({ "by": options.as_whom.name()? });
            options.asked.post(&path, &by)?
        }
        false => options.asked.ask(&path, &[])?,
    };
    if options.asked.json {
        say(format_args!("{body}"));
        return Ok(());
    }
    let answer = parsed(&body)?;
    let markdown = answer["markdown"].as_str().unwrap_or_default();
    say(format_args!("{}", markdown.trim_end()));
    let parts = answer["parts"].as_array().into_iter().flatten();
    for part in parts {
        part["hints"]
            .as_array()
            .into_iter()
            .flatten()
            .for_each(|hint| print(part, hint));
    }
    Ok(())
}

fn print(part: &Value, hint: &Value) {
    let text = |value: &Value| harmless(value.as_str().unwrap_or_default());
    eprintln!(
        "{}:{}:{}: `{}` {}",
        text(&part["part"]),
        hint["line"],
        hint["column"],
        text(&hint["words"]),
        text(&hint["why"]),
    );
}
