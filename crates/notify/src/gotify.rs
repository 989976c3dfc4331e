//! Gotify: one message of an application.
//!
//! *Sources*: Gotify, REST API, `createMessage`.

use firebell_model::Secret;
use firebell_template::NotificationText;
use serde::Serialize;

use crate::error::RenderError;
use crate::http::HttpRequest;
use crate::integration::Kind;
use crate::own_text;
use crate::step::Step;
use crate::telling::Telling;
use crate::url::join;
use crate::verdict::{TOO_MANY_REQUESTS, Verdict};

/// Options of one of `gotify_configs`, which Alertmanager does not have. Every text may be a template.
#[derive(Clone, Debug)]
pub struct GotifyConfig {
    /// Where Gotify is (`url`).
    pub url: String,
    /// Of the application (`token`, `token_file`).
    pub token: Secret,
    /// Headline.
    pub title: NotificationText,
    /// The text.
    pub message: NotificationText,
    /// A whole number; anything else is 5.
    pub priority: NotificationText,
}

impl GotifyConfig {
    /// Gotify with the defaults.
    #[must_use]
    pub fn new(url: String, token: Secret) -> Self {
        Self {
            url,
            token,
            title: own_text::headline(),
            message: own_text::details(),
            priority: NotificationText::compile(PRIORITY).unwrap_or_default(),
        }
    }
}

impl Kind for GotifyConfig {
    fn name(&self) -> &'static str {
        "gotify"
    }

    fn begin(&self, telling: &Telling<'_>) -> Result<Step, RenderError> {
        let priority = telling.text("priority", &self.priority)?;
        let message = Message {
            title: telling.text("title", &self.title)?,
            message: telling.text("message", &self.message)?,
            priority: priority.trim().parse().unwrap_or(PRIORITY_USUAL),
        };
        let url = telling.address("url", &join(&self.url, "message"))?;
        let request = HttpRequest::post_json(url, telling.json(&message)?)
            .with_header("X-Gotify-Key", self.token.clone());
        Ok(Step::ask(request, |answer| {
            Verdict::of_status(answer, &[TOO_MANY_REQUESTS])
        }))
    }

    fn secrets(&self) -> Vec<Secret> {
        vec![self.token.clone()]
    }
}

#[derive(Serialize)]
struct Message {
    title: String,
    message: String,
    priority: i64,
}

const PRIORITY: &str = "{{ if eq .Status \"firing\" }}8{{ else }}4{{ end }}";
const PRIORITY_USUAL: i64 = 5;
