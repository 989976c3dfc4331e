//! `firebell explain`: why a running Firebell tells of something, or does not.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use firebell_server::{Remote, RemoteAnswer, RemoteError};
use serde_json::Value;

use crate::say;

/// What can be explained.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Who is told of an alert, when next and why, or why nobody is.
    #[command(after_help = "Example: firebell explain alert DiskFull\n\
                      firebell explain alert '{service=\"db\", severity=\"critical\"}'\n\
                      Exit codes: 0 explained, 1 there is no such alert and no such rule, 2 usage \
                      or IO.")]
    Alert {
        /// Its name, its fingerprint, or matchers in braces.
        #[arg(value_name = "NAME|FINGERPRINT|{MATCHERS}")]
        alert: String,
        #[command(flatten)]
        asked: Asked,
    },
}

/// The server that is asked, and how.
#[derive(Args)]
pub(crate) struct Asked {
    /// The running Firebell.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9494")]
    url: String,
    /// A header of the request, such as 'Authorization: Bearer TOKEN'; may be given again.
    #[arg(long, value_name = "NAME: VALUE")]
    header: Vec<String>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

impl Asked {
    /// Asks once. What went wrong is printed.
    pub(crate) fn ask(&self, path: &str, params: &[(&str, &str)]) -> Result<String, ExitCode> {
        ask(&self.url, &self.header, path, params)
    }

    /// Posts a form once. What went wrong is printed.
    pub(crate) fn post_form(&self, path: &str, form: &[(&str, &str)]) -> Result<String, ExitCode> {
        let post = |remote: &Remote| remote.ask(path, form, true);
        answered(&self.url, &self.header, post)
    }

    /// Deletes what stands at a path, once. What went wrong is printed.
    pub(crate) fn delete(&self, path: &str, params: &[(&str, &str)]) -> Result<String, ExitCode> {
        let delete = |remote: &Remote| remote.delete(path, params);
        answered(&self.url, &self.header, delete)
    }

    /// Posts JSON once. What went wrong is printed.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<String, ExitCode> {
        let post = |remote: &Remote| remote.post_json(path, body);
        answered(&self.url, &self.header, post)
    }
}

/// Asks a server once. What went wrong is printed.
pub(crate) fn ask(
    url: &str,
    headers: &[String],
    path: &str,
    params: &[(&str, &str)],
) -> Result<String, ExitCode> {
    answered(url, headers, |remote| remote.ask(path, params, false))
}

fn answered(
    url: &str,
    headers: &[String],
    ask: impl FnOnce(&Remote) -> Result<RemoteAnswer, RemoteError>,
) -> Result<String, ExitCode> {
    let remote = Remote::new(url, headers, ANSWER_MAX).map_err(failed)?;
    let answer = ask(&remote);
    let answer = answer.map_err(|error| failed(format!("{}: {error}", remote.name())))?;
    let RemoteAnswer { status, body } = answer;
    let body = String::from_utf8_lossy(&body).into_owned();
    match status {
        200..300 => Ok(body),
        _ => {
            eprintln!("firebell: {}", reason(&body));
            let is_of_it = matches!(status, 404 | 409 | 429);
            Err(ExitCode::from(if is_of_it { 1 } else { 2 }))
        }
    }
}

fn failed(why: String) -> ExitCode {
    eprintln!("firebell: {why}");
    ExitCode::from(2)
}

fn reason(body: &str) -> String {
    let parsed: Option<Value> = serde_json::from_str(body).ok();
    let error = parsed.and_then(|it| it["error"].as_str().map(str::to_owned));
    error.unwrap_or_else(|| body.trim().to_owned())
}

/// Does it.
pub(crate) fn explain(command: &Command) -> ExitCode {
    let Command::Alert { alert, asked } = command;
    let format = if asked.json { "json" } else { "text" };
    let params = [("alert", alert.as_str()), ("format", format)];
    match asked.ask("/api/firebell/v1/why", &params) {
        Ok(body) => {
            say(format_args!("{}", body.trim_end()));
            ExitCode::SUCCESS
        }
        Err(code) => code,
    }
}

/// How long an answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(30);
