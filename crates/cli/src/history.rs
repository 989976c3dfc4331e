//! `firebell history`: what happened to alerts and notifications, of a running Firebell.

use std::num::NonZeroUsize;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value;

use crate::explain::Asked;
use crate::say;

/// What can be done with the history.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// List what happened, the newest first.
    #[command(
        after_help = "Example: firebell history list --match '{service=\"db\"}' \
                            --kind notification"
    )]
    List {
        #[command(flatten)]
        wanted: Wanted,
        /// So many entries at most.
        #[arg(long, value_name = "N", default_value = "100")]
        limit: NonZeroUsize,
        #[command(flatten)]
        asked: Asked,
    },
    /// Print everything as JSON Lines, the oldest first.
    #[command(
        after_help = "Example: firebell history export --from 2026-01-01T00:00:00Z > 2026.jsonl"
    )]
    Export {
        #[command(flatten)]
        wanted: Wanted,
        #[command(flatten)]
        asked: Asked,
    },
}

/// Which entries.
#[derive(Args)]
pub(crate) struct Wanted {
    /// Not before this time, as 2026-01-01T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Not after this time.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Those whose labels match; may be given again, all have to match.
    #[arg(long = "match", value_name = "{MATCHERS}")]
    matchers: Vec<String>,
    /// Those about a receiver.
    #[arg(long, value_name = "NAME")]
    receiver: Option<String>,
    /// Those of a kind: pending, firing, resolved, suppressed, unsuppressed or notification; may be
    /// given again.
    #[arg(long, value_name = "KIND")]
    kind: Vec<String>,
}

/// Does it.
pub(crate) fn history(command: &Command) -> ExitCode {
    let (wanted, limit, asked, order) = match command {
        Command::List {
            wanted,
            limit,
            asked,
        } => (wanted, limit.get(), asked, "newest"),
        Command::Export { wanted, asked } => (wanted, usize::MAX, asked, "oldest"),
    };
    let is_json = asked.json || order == "oldest";
    match pages(wanted, limit, asked, order, is_json) {
        Ok(()) => ExitCode::SUCCESS,
        Err(code) => code,
    }
}

// A page at a time is held in memory, and printed before the next one is asked for.
fn pages(
    wanted: &Wanted,
    limit: usize,
    asked: &Asked,
    order: &str,
    is_json: bool,
) -> Result<(), ExitCode> {
    let (mut left, mut page) = (limit, String::new());
    while left > 0 {
        let n_asked = left.min(PAGE_ENTRIES).to_string();
        let mut params = vec![("order", order), ("limit", &n_asked), ("page", &page)];
        let options = [
            ("from", &wanted.from),
            ("to", &wanted.to),
            ("receiver", &wanted.receiver),
        ];
        let options = options.into_iter();
        params.extend(options.filter_map(|(name, value)| Some((name, value.as_deref()?))));
        params.extend(wanted.matchers.iter().map(|it| ("match", it.as_str())));
        params.extend(wanted.kind.iter().map(|it| ("kind", it.as_str())));
        let body = asked.ask("/api/firebell/v1/history", &params)?;
        let answer: Value = serde_json::from_str(&body).map_err(|error| {
            eprintln!("firebell: the answer is no JSON: {error}");
            ExitCode::from(2)
        })?;
        let entries = answer["entries"].as_array();
        let entries = entries.map_or(&[][..], Vec::as_slice);
        for entry in entries {
            match is_json {
                true => say(format_args!("{entry}")),
                false => say(format_args!("{}", line(entry))),
            }
        }
        left = left.saturating_sub(entries.len());
        match answer["next"].as_str() {
            Some(next) => next.clone_into(&mut page),
            None => break,
        }
    }
    Ok(())
}

fn line(entry: &Value) -> String {
    let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    let labels = entry["labels"].as_object().into_iter().flatten();
    let labels: Vec<String> = labels
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut what = match text("kind").as_str() {
        "notification" => {
            let (status, integration) = (text("status"), text("integration"));
            let to = format!("{} {integration}", text("receiver"));
            format!("{status} to {}", to.trim_end())
        }
        kind => kind.to_owned(),
    };
    for by in entry["mutedBy"].as_array().into_iter().flatten() {
        let part = |name: &str| by[name].as_str().unwrap_or_default().to_owned();
        what = format!("{what} by {} {}", part("what"), part("id"));
    }
    if let Some(error) = entry["error"].as_str() {
        what = format!("{what}: {error}");
    }
    crate::harmless(&format!("{} {what} {{{}}}", text("at"), labels.join(", ")))
}

/// Entries that are asked for at once.
const PAGE_ENTRIES: usize = 2_000;
