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
    /// The address of the server, without a user's name and password; empty when it is none.
    pub(crate) fn name(&self) -> String {
        let remote = Remote::new(&self.url, &self.header, ANSWER_MAX);
        remote.map_or(String::new(), |it| it.name())
    }

    /// Asks once. What went wrong is printed.
    pub(crate) fn ask(&self, path: &str, params: &[(&str, &str)]) -> Result<String, ExitCode> {
        ask(&self.url, &self.header, path, params)
    }

    /// Posts a form once, and waits no longer than so for the answer.
    pub(crate) fn post_form(
        &self,
        path: &str,
        form: &[(&str, &str)],
        within: Duration,
    ) -> Result<String, Unanswered> {
        attempt((&self.url, &self.header), within, |remote| {
            remote.ask(path, form, true)
        })
    }

    /// Deletes what stands at a path, once. What went wrong is printed.
    pub(crate) fn delete(&self, path: &str, params: &[(&str, &str)]) -> Result<String, ExitCode> {
        let delete = |remote: &Remote| remote.delete(path, params);
        answered(&self.url, &self.header, delete)
    }

    /// Posts once what a server may refuse for what it says: that is 1, as it is no wrong usage.
    pub(crate) fn post_change(&self, path: &str, body: &Value) -> Result<String, ExitCode> {
        let post = |remote: &Remote| remote.post_json(path, body);
        attempt((&self.url, &self.header), ANSWER_MAX, post).map_err(|unanswered| {
            let code = unanswered.print();
            // An address that cannot be asked is wrong usage all the same.
            let is_usable = Remote::new(&self.url, &self.header, ANSWER_MAX).is_ok();
            match unanswered.status {
                Some(400) if is_usable => ExitCode::from(1),
                _ => code,
            }
        })
    }

    /// Posts bytes once. What went wrong is printed.
    pub(crate) fn post_bytes(
        &self,
        path: &str,
        params: &[(&str, &str)],
        bytes: Vec<u8>,
    ) -> Result<String, ExitCode> {
        let post = |remote: &Remote| remote.post_bytes(path, params, bytes);
        answered(&self.url, &self.header, post)
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
    let answer = attempt((url, headers), ANSWER_MAX, ask);
    answer.map_err(|unanswered| unanswered.print())
}

fn attempt(
    (url, headers): (&str, &[String]),
    within: Duration,
    ask: impl FnOnce(&Remote) -> Result<RemoteAnswer, RemoteError>,
) -> Result<String, Unanswered> {
    let unusable = |why| Unanswered {
        status: Some(400),
        why,
    };
    let remote = Remote::new(url, headers, within).map_err(unusable)?;
    let RemoteAnswer { status, body } = ask(&remote).map_err(|error| Unanswered {
        status: None,
        why: format!("{}: {error}", remote.name()),
    })?;
    let body = String::from_utf8_lossy(&body).into_owned();
    match status {
        200..300 => Ok(body),
        _ => Err(Unanswered {
            status: Some(status),
            why: reason(&body),
        }),
    }
}

/// Why there is no good answer.
pub(crate) struct Unanswered {
    // None when nothing answered.
    status: Option<u16>,
    why: String,
}

impl Unanswered {
    /// Whether it may go better in a moment.
    pub(crate) fn is_passing(&self) -> bool {
        self.status.is_none_or(|status| status >= 500)
    }

    /// Says what went wrong; the exit code for it.
    pub(crate) fn print(&self) -> ExitCode {
        eprintln!("firebell: {}", self.why);
        let is_of_it = matches!(self.status, Some(404 | 409 | 429));
        ExitCode::from(if is_of_it { 1 } else { 2 })
    }
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
pub(crate) const ANSWER_MAX: Duration = Duration::from_secs(30);
