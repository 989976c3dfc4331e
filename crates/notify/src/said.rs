//! What a delivery says, as texts by their place in its requests: for tests of routes and templates.
//!
//! *Invariants*: nobody is told, and no text shows a secret.

use firebell_model::{Notification, ReceiverData, Secret};
use serde_json::Value;

use crate::error::RenderError;
use crate::exec::ExecExit;
use crate::http::{HttpRequest, HttpResponse};
use crate::integration::Integration;
use crate::step::Step;
use crate::telling::Context;
use crate::url::{FORM, form_pairs};
use crate::verdict::scrub;

/// Place and text, such as `attachments[0].title` and `[FIRING:1] Down`.
pub type SaidText = (String, String);

impl Integration {
    /// What is said of a notification for which nothing is known yet, when everything is answered
    /// well: the leaves of every body that is JSON, the fields of one that is a form, and any other
    /// body as `body`; headers of a mail, its `text` and `html`; `args[0]` and so on of a program, and
    /// the leaves of what it reads. Headers of requests and what `http_config` adds are not among
    /// them.
    ///
    /// # Errors
    /// As [`Integration::begin`].
    pub fn said(
        &self,
        notification: &Notification,
        context: &Context<'_>,
    ) -> Result<Vec<SaidText>, RenderError> {
        let mut step = self.begin_bare(notification, &ReceiverData::new(), context)?;
        let mut said = Vec::new();
        for _ in 0..REQUESTS_MAX {
            step = match step {
                Step::Http(request, then) => {
                    texts(&request, &mut said);
                    then(Ok(well()))
                }
                Step::Smtp(mail, then) => {
                    said.extend(mail.texts);
                    then(Ok(()))
                }
                Step::Exec(command, then) => {
                    let args = command.args.into_iter().enumerate();
                    said.extend(args.map(|(idx, arg)| (format!("args[{idx}]"), arg)));
                    body(&command.input, &mut said);
                    let (code, output) = (Some(0), Vec::new());
                    then(Ok(ExecExit { code, output }))
                }
                // That is for tokens, of which nothing is said.
                Step::Sign(..) | Step::Done(_) => break,
            };
        }
        let secrets: Vec<Secret> = self.secrets().collect();
        for (_, text) in &mut said {
            secrets.iter().for_each(|secret| scrub(text, secret));
        }
        Ok(said)
    }
}

/// An answer that every kind takes for a good one.
fn well() -> HttpResponse {
    HttpResponse {
        status: 200,
        headers: Vec::new(),
        body: WELL.as_bytes().to_vec(),
    }
}

fn texts(request: &HttpRequest, said: &mut Vec<SaidText>) {
    let is_form = request
        .headers
        .iter()
        .any(|(name, value)| name == "Content-Type" && value.reveal() == FORM);
    if is_form {
        said.extend(form_pairs(&request.body));
    } else if !request.body.is_empty() {
        body(&request.body, said);
    }
}

fn body(text: &str, said: &mut Vec<SaidText>) {
    match serde_json::from_str(text) {
        Ok(value) => leaves(String::new(), value, said),
        Err(_) => said.push(("body".to_owned(), text.to_owned())),
    }
}

/// The texts of a value; what is empty is shown as JSON.
fn leaves(path: String, value: Value, said: &mut Vec<SaidText>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                let dot = if path.is_empty() { "" } else { "." };
                leaves(format!("{path}{dot}{name}"), value, said);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (idx, value) in items.into_iter().enumerate() {
                leaves(format!("{path}[{idx}]"), value, said);
            }
        }
        Value::String(text) => said.push((path, text)),
        other => said.push((path, other.to_string())),
    }
}

/// Requests of one delivery: more than any kind needs.
const REQUESTS_MAX: usize = 32;
/// What some kinds look for in an answer: Slack's message, WeChat's token, Jira's search.
const WELL: &str = r#"{"ok":true,"ts":"1","channel":"C","errcode":0,"access_token":"token","issues":[],"key":"K-1"}"#;
