//! Microsoft Teams, version 1: a message card to an incoming webhook.
//!
//! *Sources*: Alertmanager, `notify/msteams`; Microsoft, "Legacy actionable message card".

use firebell_model::Secret;
use firebell_template::NotificationText;
use serde::Serialize;

use crate::error::RenderError;
use crate::http::HttpRequest;
use crate::integration::Kind;
use crate::step::Step;
use crate::telling::Telling;
use crate::verdict::Verdict;

/// Options of one of `msteams_configs`. Every text may be a template.
#[derive(Clone, Debug)]
pub struct MsTeamsConfig {
    /// Where to send (`webhook_url`, `webhook_url_file`).
    pub webhook_url: Secret,
    /// Headline.
    pub title: NotificationText,
    /// What lists of messages show.
    pub summary: NotificationText,
    /// Text, in Markdown.
    pub text: NotificationText,
}

impl MsTeamsConfig {
    /// Teams with upstream's defaults.
    #[must_use]
    pub fn new(webhook_url: Secret) -> Self {
        let built_in = |name: &str| NotificationText::calling(&format!("msteams.default.{name}"));
        Self {
            webhook_url,
            title: built_in("title"),
            summary: built_in("summary"),
            text: built_in("text"),
        }
    }
}

impl Kind for MsTeamsConfig {
    fn name(&self) -> &'static str {
        "msteams"
    }

    fn begin(&self, telling: &Telling<'_>) -> Result<Step, RenderError> {
        let url = telling.address("webhook_url", self.webhook_url.reveal())?;
        let card = Card {
            context: "http://schema.org/extensions",
            kind: "MessageCard",
            title: telling.text("title", &self.title)?,
            summary: telling.text("summary", &self.summary)?,
            text: telling.text("text", &self.text)?,
            theme_color: if telling.is_firing() { RED } else { GREEN },
        };
        let request = HttpRequest::post_json(url, telling.json(&card)?);
        Ok(Step::ask(request, |answer| Verdict::of_status(answer, &[])))
    }
}

#[derive(Serialize)]
struct Card {
    #[serde(rename = "@context")]
    context: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    title: String,
    summary: String,
    text: String,
    #[serde(rename = "themeColor")]
    theme_color: &'static str,
}

const RED: &str = "8C1A1A";
const GREEN: &str = "2DC72D";
