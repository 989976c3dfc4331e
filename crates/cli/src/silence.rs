//! `firebell silence`: what a silence would mute, asked of a running server.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use firebell_server::Remote;
use serde_json::Value;

/// What can be done with silences.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Say what a silence would mute now, and would have muted in the last 30 days.
    #[command(
        after_help = "Example: firebell silence preview 'service=\"cart\"' 'severity=~\"info|warning\"'\n\
                      Of the past it knows the alerts of the server's own rules.\n\
                      Exit codes: 0 said, 2 usage or IO."
    )]
    Preview(Preview),
}

/// What to look at.
#[derive(Args)]
pub(crate) struct Preview {
    /// Matchers, as in alertmanager.yml; all have to match.
    #[arg(required = true, value_name = "MATCHER")]
    matchers: Vec<String>,
    /// The server.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9494")]
    server: String,
}

/// Runs the command.
pub(crate) fn silence(command: &Command) -> ExitCode {
    let Command::Preview(options) = command;
    match preview(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("firebell: {why}");
            ExitCode::from(2)
        }
    }
}

fn preview(options: &Preview) -> Result<(), String> {
    let remote = Remote::new(&options.server, &[], TIMEOUT)?;
    let matchers = options.matchers.iter().map(|it| ("filter", it.as_str()));
    let matchers: Vec<(&str, &str)> = matchers.collect();
    let answer = remote.ask("/api/firebell/v1/silences/preview", &matchers, false);
    let answer = answer.map_err(|error| error.to_string())?;
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if answer.status != 200 {
        let why = body["error"]
            .as_str()
            .unwrap_or("no Firebell answers there");
        return Err(format!("status {}: {why}", answer.status));
    }
    let (now, past) = (&body["now"], &body["past"]);
    crate::say(format_args!("now: {}", alerts(&now["count"])));
    for labels in now["alerts"].as_array().into_iter().flatten() {
        crate::say(format_args!("  {}", label_text(labels)));
    }
    let since = past["since"].as_str().unwrap_or_default();
    crate::say(format_args!("since {since}: {}", alerts(&past["count"])));
    for alert in past["alerts"].as_array().into_iter().flatten() {
        let text = |name: &str| alert[name].as_str().unwrap_or_default();
        crate::say(format_args!(
            "  {}: {} for {}, last {}",
            label_text(&alert["labels"]),
            times(&alert["times"]),
            text("firedFor"),
            text("lastAt"),
        ));
    }
    Ok(())
}

fn alerts(count: &Value) -> String {
    match count.as_u64() {
        Some(1) => "1 alert".to_owned(),
        count => format!("{} alerts", count.unwrap_or(0)),
    }
}

fn times(count: &Value) -> String {
    match count.as_u64() {
        Some(1) => "once".to_owned(),
        count => format!("{} times", count.unwrap_or(0)),
    }
}

fn label_text(labels: &Value) -> String {
    let pairs = labels.as_object().into_iter().flatten();
    let pairs = pairs.map(|(name, value)| format!("{name}={value}"));
    crate::harmless(&format!("{{{}}}", pairs.collect::<Vec<_>>().join(", ")))
}

/// The store is looked through for 30 days.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(120);
