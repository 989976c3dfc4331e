//! Microsoft Teams, version 2: an adaptive card to a webhook of Workflows.
//!
//! *Sources*: Alertmanager, `notify/msteamsv2`; Microsoft, "Adaptive Card schema".

use firebell_model::Secret;
use firebell_template::NotificationText;
use serde::Serialize;

use crate::error::RenderError;
use crate::http::HttpRequest;
use crate::integration::Kind;
use crate::step::Step;
use crate::telling::Telling;
use crate::verdict::Verdict;

/// Options of one of `msteamsv2_configs`. Every text may be a template.
#[derive(Clone, Debug)]
pub struct MsTeamsV2Config {
    /// Where to send (`webhook_url`, `webhook_url_file`).
    pub webhook_url: Secret,
    /// Headline.
    pub title: NotificationText,
    /// Text, in Markdown.
    pub text: NotificationText,
}

impl MsTeamsV2Config {
    /// Teams with upstream's defaults.
    #[must_use]
    pub fn new(webhook_url: Secret) -> Self {
        let built_in = |name: &str| NotificationText::calling(&format!("msteamsv2.default.{name}"));
        Self {
            webhook_url,
            title: built_in("title"),
            text: built_in("text"),
        }
    }
}

impl Kind for MsTeamsV2Config {
    fn name(&self) -> &'static str {
        "msteamsv2"
    }

    fn begin(&self, telling: &Telling<'_>) -> Result<Step, RenderError> {
        let url = telling.address("webhook_url", self.webhook_url.reveal())?;
        let is_firing = telling.is_firing();
        let heading = Block {
            weight: "Bolder",
            size: "Medium",
            style: "heading",
            color: if is_firing { "Attention" } else { "Good" },
            ..Block::new(telling.text("title", &self.title)?)
        };
        let text = Block::new(telling.text("text", &self.text)?);
        let body = telling.json(&Message::new([heading, text]))?;
        let request = HttpRequest::post_json(url, body);
        Ok(Step::ask(request, |answer| Verdict::of_status(answer, &[])))
    }
}

/// The body: a message with one card of two blocks. The order of fields is upstream's.
#[derive(Serialize)]
struct Message {
    #[serde(rename = "type")]
    kind: &'static str,
    attachments: [Attachment; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Attachment {
    content_type: &'static str,
    content_url: (),
    content: Card,
}

#[derive(Serialize)]
struct Card {
    #[serde(rename = "$schema")]
    schema: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    version: &'static str,
    body: [Block; 2],
    msteams: Layout,
}

#[derive(Serialize)]
struct Block {
    #[serde(rename = "type")]
    kind: &'static str,
    text: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    weight: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    size: &'static str,
    wrap: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    style: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    color: &'static str,
}

#[derive(Serialize)]
struct Layout {
    width: &'static str,
}

impl Message {
    fn new(body: [Block; 2]) -> Self {
        let content = Card {
            schema: "http://adaptivecards.io/schemas/adaptive-card.json",
            kind: "AdaptiveCard",
            version: "1.2",
            body,
            msteams: Layout { width: "full" },
        };
        Self {
            kind: "message",
            attachments: [Attachment {
                content_type: "application/vnd.microsoft.card.adaptive",
                content_url: (),
                content,
            }],
        }
    }
}

impl Block {
    fn new(text: String) -> Self {
        Self {
            kind: "TextBlock",
            text,
            weight: "",
            size: "",
            wrap: true,
            style: "",
            color: "",
        }
    }
}
