//! Webex: one message to a room.
//!
//! *Sources*: Alertmanager, `notify/webex`; Webex, "Create a Message".

use firebell_template::NotificationText;
use serde::Serialize;

use crate::error::RenderError;
use crate::http::HttpRequest;
use crate::integration::Kind;
use crate::step::Step;
use crate::telling::Telling;
use crate::truncate;
use crate::verdict::Verdict;

/// Options of one of `webex_configs`. The token of the bot is `http_config`'s `authorization`.
#[derive(Clone, Debug)]
pub struct WebexConfig {
    /// Where to send (`api_url`, `global.webex_api_url`).
    pub api_url: String,
    /// The text, in Markdown; cut at 7439 bytes.
    pub message: NotificationText,
    /// The room.
    pub room_id: NotificationText,
}

impl WebexConfig {
    /// Webex with upstream's defaults.
    #[must_use]
    pub fn new(api_url: String) -> Self {
        Self {
            api_url,
            message: NotificationText::calling("webex.default.message"),
            room_id: NotificationText::default(),
        }
    }
}

impl Kind for WebexConfig {
    fn name(&self) -> &'static str {
        "webex"
    }

    fn begin(&self, telling: &Telling<'_>) -> Result<Step, RenderError> {
        let markdown = telling.text("message", &self.message)?;
        let message = Message {
            markdown: truncate::in_bytes(markdown, MESSAGE_BYTES_MAX),
            room_id: telling.text("room_id", &self.room_id)?,
        };
        let url = telling.address("api_url", &self.api_url)?;
        let request = HttpRequest::post_json(url, telling.json(&message)?);
        Ok(Step::ask(request, |answer| Verdict::of_status(answer, &[])))
    }
}

#[derive(Serialize)]
struct Message {
    markdown: String,
    #[serde(rename = "roomId", skip_serializing_if = "String::is_empty")]
    room_id: String,
}

const MESSAGE_BYTES_MAX: usize = 7439;
