//! Zulip: one message to a topic of a channel.
//!
//! *Sources*: Zulip, REST API, `send-message`.

use firebell_model::Secret;
use firebell_template::NotificationText;

use crate::error::RenderError;
use crate::http::{HttpRequest, basic};
use crate::integration::Kind;
use crate::own_text;
use crate::step::Step;
use crate::telling::Telling;
use crate::truncate;
use crate::url::{FORM, form, join};
use crate::verdict::{TOO_MANY_REQUESTS, Verdict};

/// Options of one of `zulip_configs`, which Alertmanager does not have. Every text may be a template.
#[derive(Clone, Debug)]
pub struct ZulipConfig {
    /// Where Zulip is (`url`).
    pub url: String,
    /// Of the bot.
    pub email: String,
    /// Of the bot (`api_key`, `api_key_file`).
    pub api_key: Secret,
    /// The channel.
    pub channel: NotificationText,
    /// The topic; cut at 60 characters.
    pub topic: NotificationText,
    /// The text; cut at 10,000 characters.
    pub message: NotificationText,
}

impl ZulipConfig {
    /// Zulip with the defaults.
    #[must_use]
    pub fn new(url: String, email: String, api_key: Secret) -> Self {
        let topic = "{{ .GroupLabels.SortedPairs.Values | join \" \" }}";
        Self {
            url,
            email,
            api_key,
            channel: NotificationText::default(),
            topic: NotificationText::compile(topic).unwrap_or_default(),
            message: own_text::markdown(),
        }
    }
}

impl Kind for ZulipConfig {
    fn name(&self) -> &'static str {
        "zulip"
    }

    fn begin(&self, telling: &Telling<'_>) -> Result<Step, RenderError> {
        let channel = telling.text("channel", &self.channel)?;
        let topic = telling.text("topic", &self.topic)?;
        let topic = if topic.trim().is_empty() {
            "alerts".to_owned()
        } else {
            topic
        };
        let topic = truncate::in_chars(topic, TOPIC_CHARS_MAX);
        let message = telling.text("message", &self.message)?;
        let content = truncate::in_chars(message, MESSAGE_CHARS_MAX);
        let body = form([
            ("type", "stream"),
            ("to", &*channel),
            ("topic", &*topic),
            ("content", &*content),
        ]);
        let url = telling.address("url", &join(&self.url, "api/v1/messages"))?;
        let authorization = basic(&self.email, self.api_key.reveal());
        let request =
            HttpRequest::post(url, FORM, body).with_header("Authorization", authorization);
        Ok(Step::ask(request, |answer| {
            Verdict::of_status(answer, &[TOO_MANY_REQUESTS])
        }))
    }

    fn secrets(&self) -> Vec<Secret> {
        vec![self.api_key.clone()]
    }
}

const TOPIC_CHARS_MAX: usize = 60;
const MESSAGE_CHARS_MAX: usize = 10_000;
