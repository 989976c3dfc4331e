//! ntfy: one message to a topic.
//!
//! *Sources*: ntfy, "Publish as JSON", "Limitations".

use firebell_model::Secret;
use firebell_template::NotificationText;
use serde::Serialize;

use crate::aim::{Aim, page_text};
use crate::error::RenderError;
use crate::http::HttpRequest;
use crate::integration::Kind;
use crate::own_text;
use crate::step::Step;
use crate::telling::Telling;
use crate::truncate;
use crate::verdict::{TOO_MANY_REQUESTS, Verdict};

/// Options of one of `ntfy_configs`, which Alertmanager does not have. Every text may be a template.
#[derive(Clone, Debug)]
pub struct NtfyConfig {
    /// Where ntfy is (`url`, default `https://ntfy.sh`).
    pub url: String,
    /// The topic; whoever knows it can read it.
    pub topic: NotificationText,
    /// An access token (`token`, `token_file`).
    pub token: Option<Secret>,
    /// Headline.
    pub title: NotificationText,
    /// The text; cut at 4096 bytes, which ntfy takes without making a file of it.
    pub message: NotificationText,
    /// 1 to 5; anything else is ntfy's default, 3.
    pub priority: NotificationText,
    /// Words and emojis, divided by commas.
    pub tags: NotificationText,
    /// What a tap opens.
    pub click: NotificationText,
}

impl NtfyConfig {
    /// ntfy with the defaults.
    #[must_use]
    pub fn new(url: String) -> Self {
        let compile = |text| NotificationText::compile(text).unwrap_or_default();
        Self {
            url,
            topic: NotificationText::default(),
            token: None,
            title: own_text::headline(),
            message: own_text::details(),
            priority: compile(PRIORITY),
            tags: compile(TAGS),
            click: NotificationText::calling("__alertmanagerURL"),
        }
    }
}

impl Kind for NtfyConfig {
    fn name(&self) -> &'static str {
        "ntfy"
    }

    fn begin(&self, telling: &Telling<'_>) -> Result<Step, RenderError> {
        let message = telling.text("message", &self.message)?;
        let priority = telling.text("priority", &self.priority)?;
        let tags = telling.text("tags", &self.tags)?;
        let tags = tags.split(',').map(str::trim).filter(|tag| !tag.is_empty());
        let message = Message {
            topic: telling.text("topic", &self.topic)?,
            title: telling.text("title", &self.title)?,
            message: truncate::in_bytes(message, MESSAGE_BYTES_MAX),
            priority: priority
                .trim()
                .parse()
                .ok()
                .filter(|it| (1..=5).contains(it)),
            tags: tags.map(str::to_owned).collect(),
            click: telling.text("click", &self.click)?,
        };
        let url = telling.address("url", &self.url)?;
        let mut request = HttpRequest::post_json(url, telling.json(&message)?);
        if let Some(token) = &self.token {
            let bearer = Secret::new(format!("Bearer {}", token.reveal()));
            request = request.with_header("Authorization", bearer);
        }
        Ok(Step::ask(request, |answer| {
            Verdict::of_status(answer, &[TOO_MANY_REQUESTS])
        }))
    }

    fn secrets(&self) -> Vec<Secret> {
        self.token.iter().cloned().collect()
    }

    fn aimed(&self, aim: &Aim<'_>) -> Option<Box<dyn Kind>> {
        (aim.by == "ntfy").then(|| -> Box<dyn Kind> {
            Box::new(Self {
                topic: aim.to(),
                token: self.token.clone(),
                title: page_text("title"),
                message: page_text("text"),
                click: page_text("link"),
                ..Self::new(self.url.clone())
            })
        })
    }
}

#[derive(Serialize)]
struct Message {
    topic: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    title: String,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<u8>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    click: String,
}

const PRIORITY: &str = "{{ if eq .Status \"firing\" }}4{{ else }}3{{ end }}";
const TAGS: &str =
    "{{ if eq .Status \"firing\" }}rotating_light{{ else }}white_check_mark{{ end }}";
const MESSAGE_BYTES_MAX: usize = 4096;
