//! `firebell notify`: sends a sample through the real path, or shows what would be sent.
//!
//! *Invariants*: no secret is printed, not even one that a receiver echoes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use firebell_config::{Config, ExternalUrl, OsFiles};
use firebell_model::Labels;
use firebell_server::{Preview, Rendered, Sample, Told, Verdict, render, tell};
use firebell_wire::alertmanager_json::{PostableAlert, parse_alerts};
use serde_json::{Value, json};

use crate::{fail, say};

/// What can be done with receivers.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Tell every integration of a receiver of a sample, once, and say what came back.
    #[command(after_help = "Example: firebell notify test team severity=critical\n\
                      A receiver that is told of people's phones rings them.")]
    Test {
        /// The receiver, by its name.
        receiver: String,
        #[command(flatten)]
        options: Options,
    },
    /// Show what integrations would be told, secrets hidden, and send nothing.
    #[command(after_help = "Example: firebell notify render team --alerts alerts.json")]
    Render {
        /// The receiver, by its name; all of them when it is left out.
        receiver: Option<String>,
        #[command(flatten)]
        options: Options,
    },
}

#[derive(Args)]
pub(crate) struct Options {
    /// Labels of the sample, as NAME=VALUE; alertname is FirebellTest unless it is said.
    #[arg(value_name = "LABEL", value_parser = pair)]
    labels: Vec<(String, String)>,
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = "firebell.yml")]
    config: PathBuf,
    /// Alerts to tell of instead, as JSON in the form of POST /api/v2/alerts.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["labels", "annotations"])]
    alerts: Option<PathBuf>,
    /// Annotations of the sample, as NAME=VALUE.
    #[arg(long = "annotation", value_name = "NAME=VALUE", value_parser = pair)]
    annotations: Vec<(String, String)>,
    /// Where people reach Firebell, for links.
    #[arg(long, value_name = "URL")]
    external_url: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = parts.ok_or("it has to be NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Does it.
pub(crate) fn notify(command: &Command) -> ExitCode {
    let (Command::Test { options, .. } | Command::Render { options, .. }) = command;
    // Where no receiver is said, the first label stands in its place.
    let (receiver, label) = match command {
        Command::Test { receiver, .. } => (Some(receiver), None),
        Command::Render { receiver, .. } => match receiver.as_deref().map(pair) {
            Some(Ok(label)) => (None, Some(label)),
            _ => (receiver.as_ref(), None),
        },
    };
    let loaded = load(options).and_then(|config| Ok((config, options.alerts(label)?)));
    let (config, alerts) = match loaded {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    match (command, receiver) {
        (Command::Test { .. }, Some(receiver)) => test(&config, receiver, alerts, options.json),
        (_, receiver) => show(&config, receiver.map(String::as_str), &alerts, options.json),
    }
}

fn load(options: &Options) -> Result<Config, ExitCode> {
    let file = &options.config;
    if let Err(error) = std::fs::File::open(file) {
        eprintln!("{}: failed to read: {error}", file.display());
        return Err(ExitCode::from(2));
    }
    let url = ExternalUrl {
        given: options.external_url.clone(),
        fallback: format!("http://{}", firebell_server::DEFAULT_LISTEN),
    };
    firebell_config::load(Some(file), &url, &OsFiles).map_err(|problems| {
        eprintln!("{problems}");
        ExitCode::from(1)
    })
}

impl Options {
    fn alerts(&self, label: Option<(String, String)>) -> Result<Vec<PostableAlert>, ExitCode> {
        if let Some(file) = &self.alerts {
            return read_alerts(file);
        }
        let defaults = [("alertname", "FirebellTest"), ("severity", "none")];
        let labels = defaults.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let summary = "This is a test: somebody ran firebell notify. Nothing is on fire.";
        let annotations = [("summary".to_owned(), summary.to_owned())];
        Ok(vec![PostableAlert {
            labels: merged(labels.into_iter().chain(label), &self.labels),
            annotations: merged(annotations.into_iter(), &self.annotations),
            starts_at: None,
            ends_at: None,
            generator_url: String::new(),
        }])
    }
}

/// Of a name that is there twice, the last value counts.
fn merged(defaults: impl Iterator<Item = (String, String)>, given: &[(String, String)]) -> Labels {
    let pairs: BTreeMap<_, _> = defaults.chain(given.iter().cloned()).collect();
    Labels::from_pairs(pairs)
}

fn read_alerts(file: &Path) -> Result<Vec<PostableAlert>, ExitCode> {
    let wrong = |why: String| {
        eprintln!("{}: {why}", file.display());
        ExitCode::from(2)
    };
    let body = std::fs::read(file).map_err(|error| wrong(format!("failed to read: {error}")))?;
    let alerts = parse_alerts(&body).map_err(|error| wrong(error.to_string()))?;
    match alerts.is_empty() {
        true => Err(wrong("there is no alert in it".to_owned())),
        false => Ok(alerts),
    }
}

fn test(config: &Config, receiver: &str, alerts: Vec<PostableAlert>, as_json: bool) -> ExitCode {
    let sample = Sample {
        receiver: receiver.to_owned(),
        alerts,
    };
    let told = match tell(config, &sample) {
        Ok(told) => told,
        Err(error) => return fail(&error),
    };
    if as_json {
        let told: Vec<_> = told.iter().map(told_json).collect();
        say(format_args!("{}", Value::from(told)));
    } else {
        told.iter().for_each(say_told);
        if told.is_empty() {
            say(format_args!("{receiver}: nobody to tell but the inbox"));
        }
    }
    match told.iter().all(|told| outcome(&told.verdict).0) {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(1),
    }
}

/// Whether it arrived, and in words.
fn outcome(verdict: &Verdict) -> (bool, &'static str, &str) {
    match verdict {
        Verdict::Delivered | Verdict::DeliveredAs(_) => (true, "delivered", ""),
        Verdict::Retry { why, .. } => (false, "failed, would be tried again", why),
        Verdict::Rejected { why } => (false, "failed for good", why),
    }
}

fn say_told(told: &Told) {
    let (_, outcome, why) = outcome(&told.verdict);
    let why = if why.is_empty() {
        String::new()
    } else {
        format!(": {why}")
    };
    let (integration, latency) = (&told.integration, told.latency);
    say(format_args!(
        "{integration}: {outcome} after {latency}{why}"
    ));
}

fn told_json(told: &Told) -> Value {
    let (is_delivered, _, why) = outcome(&told.verdict);
    json!({
        "integration": told.integration,
        "delivered": is_delivered,
        "retryable": matches!(told.verdict, Verdict::Retry { .. }),
        "error": why,
        "latency_ms": told.latency.0,
    })
}

fn show(
    config: &Config,
    receiver: Option<&str>,
    alerts: &[PostableAlert],
    as_json: bool,
) -> ExitCode {
    let names = config.routing.receivers().iter();
    let all = names.map(|known| known.name().to_string());
    let receivers = receiver.map_or_else(|| all.collect(), |name| vec![name.to_owned()]);
    let (mut shown, mut is_fine) = (Vec::new(), true);
    for receiver in receivers {
        let alerts = alerts.to_vec();
        let sample = Sample { receiver, alerts };
        let rendered = match render(config, &sample) {
            Ok(rendered) => rendered,
            Err(error) => return fail(&error),
        };
        is_fine &= rendered.iter().all(|it| it.preview.is_ok());
        shown.extend(rendered.into_iter().map(|it| (sample.receiver.clone(), it)));
    }
    if as_json {
        let shown: Vec<_> = shown.iter().map(rendered_json).collect();
        say(format_args!("{}", Value::from(shown)));
    } else {
        shown.iter().for_each(say_rendered);
    }
    match is_fine {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(1),
    }
}

fn say_rendered((receiver, rendered): &(String, Rendered)) {
    let integration = &rendered.integration;
    match &rendered.preview {
        Err(why) => say(format_args!("{receiver} {integration}: {why}")),
        Ok(Preview { to, headers, body }) => {
            say(format_args!("{receiver} {integration}: {to}"));
            for (name, value) in headers {
                say(format_args!("{name}: {value}"));
            }
            say(format_args!("\n{body}\n"));
        }
    }
}

fn rendered_json((receiver, rendered): &(String, Rendered)) -> Value {
    let (preview, error) = match &rendered.preview {
        Ok(preview) => (json!(preview), Value::Null),
        Err(why) => (Value::Null, json!(why)),
    };
    json!({
        "receiver": receiver,
        "integration": rendered.integration,
        "preview": preview,
        "error": error,
    })
}
