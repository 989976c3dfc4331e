//! Google Chat: one message to a webhook of a space, in a thread per group.
//!
//! *Sources*: Google Chat, "Build with webhooks".

use firebell_model::Secret;
use firebell_template::NotificationText;
use serde::Serialize;

use crate::error::RenderError;
use crate::http::HttpRequest;
use crate::integration::Kind;
use crate::own_text;
use crate::step::Step;
use crate::telling::Telling;
use crate::truncate;
use crate::verdict::{TOO_MANY_REQUESTS, Verdict};

/// Options of one of `googlechat_configs`, which Alertmanager does not have.
#[derive(Clone, Debug)]
pub struct GoogleChatConfig {
    /// Where to send (`webhook_url`, `webhook_url_file`).
    pub webhook_url: Secret,
    /// The text; cut at 4096 characters.
    pub message: NotificationText,
    /// Whether all messages of a group are one thread.
    pub threads: bool,
}

impl GoogleChatConfig {
    /// Google Chat with the defaults.
    #[must_use]
    pub fn new(webhook_url: Secret) -> Self {
        Self {
            webhook_url,
            message: own_text::slack_markup(),
            threads: true,
        }
    }
}

impl Kind for GoogleChatConfig {
    fn name(&self) -> &'static str {
        "googlechat"
    }

    fn begin(&self, telling: &Telling<'_>) -> Result<Step, RenderError> {
        let text = telling.text("message", &self.message)?;
        let mut url = self.webhook_url.reveal().to_owned();
        if self.threads {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str("messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD");
        }
        let thread_key = telling.key_hash();
        let message = Message {
            text: truncate::in_chars(text, TEXT_CHARS_MAX),
            thread: self.threads.then_some(Thread { thread_key }),
        };
        let url = telling.address("webhook_url", &url)?;
        let request = HttpRequest::post_json(url, telling.json(&message)?);
        Ok(Step::ask(request, |answer| {
            Verdict::of_status(answer, &[TOO_MANY_REQUESTS])
        }))
    }

    fn secrets(&self) -> Vec<Secret> {
        vec![self.webhook_url.clone()]
    }
}

#[derive(Serialize)]
struct Message {
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread: Option<Thread>,
}

#[derive(Serialize)]
struct Thread {
    #[serde(rename = "threadKey")]
    thread_key: String,
}

const TEXT_CHARS_MAX: usize = 4096;
