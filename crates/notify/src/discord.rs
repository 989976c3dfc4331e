//! Discord: one message with one embed, to a webhook.
//!
//! *Sources*: Alertmanager, `notify/discord`; Discord, "Embed limits".

use firebell_model::Secret;
use firebell_template::NotificationText;
use serde::Serialize;

use crate::error::RenderError;
use crate::http::HttpRequest;
use crate::integration::Kind;
use crate::step::Step;
use crate::telling::Telling;
use crate::truncate;
use crate::verdict::Verdict;

/// Options of one of `discord_configs`.
#[derive(Clone, Debug)]
pub struct DiscordConfig {
    /// Where to send (`webhook_url`, `webhook_url_file`).
    pub webhook_url: Secret,
    /// Text above the embed; cut at 2000 characters.
    pub content: NotificationText,
    /// Headline of the embed; cut at 256 characters.
    pub title: NotificationText,
    /// Text of the embed; cut at 4096 characters.
    pub message: NotificationText,
    /// Name of the sender; no template.
    pub username: String,
    /// Picture of the sender; no template.
    pub avatar_url: String,
}

impl DiscordConfig {
    /// Discord with upstream's defaults.
    #[must_use]
    pub fn new(webhook_url: Secret) -> Self {
        Self {
            webhook_url,
            content: NotificationText::default(),
            title: NotificationText::calling("discord.default.title"),
            message: NotificationText::calling("discord.default.message"),
            username: String::new(),
            avatar_url: String::new(),
        }
    }
}

impl Kind for DiscordConfig {
    fn name(&self) -> &'static str {
        "discord"
    }

    fn begin(&self, telling: &Telling<'_>) -> Result<Step, RenderError> {
        let cut =
            |field, text, chars_max| Ok(truncate::in_chars(telling.text(field, text)?, chars_max));
        let message = Message {
            content: cut("content", &self.content, CONTENT_CHARS_MAX)?,
            embeds: [Embed {
                title: cut("title", &self.title, TITLE_CHARS_MAX)?,
                description: cut("message", &self.message, DESCRIPTION_CHARS_MAX)?,
                color: if telling.is_firing() { RED } else { GREEN },
            }],
            username: &self.username,
            avatar_url: &self.avatar_url,
        };
        let url = telling.address("webhook_url", self.webhook_url.reveal())?;
        let request = HttpRequest::post_json(url, telling.json(&message)?);
        Ok(Step::ask(request, |answer| Verdict::of_status(answer, &[])))
    }
}

/// The body. The order of fields and what is left out when empty are upstream's.
#[derive(Serialize)]
struct Message<'a> {
    content: String,
    embeds: [Embed; 1],
    #[serde(skip_serializing_if = "str::is_empty")]
    username: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    avatar_url: &'a str,
}

#[derive(Serialize)]
struct Embed {
    title: String,
    description: String,
    color: u32,
}

const RED: u32 = 0x99_2D_22;
const GREEN: u32 = 0x2E_CC_71;
const TITLE_CHARS_MAX: usize = 256;
const DESCRIPTION_CHARS_MAX: usize = 4096;
const CONTENT_CHARS_MAX: usize = 2000;
