//! Rocket.Chat: one message with one attachment, by its API.
//!
//! *Sources*: Alertmanager, `notify/rocketchat`; Rocket.Chat, `chat.postMessage`.

use firebell_model::Secret;
use firebell_template::NotificationText;
use serde::{Deserialize, Serialize};

use crate::error::RenderError;
use crate::http::{HttpRequest, HttpResponse};
use crate::integration::Kind;
use crate::slack::SlackField;
use crate::step::Step;
use crate::telling::Telling;
use crate::truncate;
use crate::url::join;
use crate::verdict::{Verdict, one_line};

/// Options of one of `rocketchat_configs`. Every text may be a template.
#[derive(Clone, Debug)]
pub struct RocketchatConfig {
    /// Where Rocket.Chat is (`api_url`, `global.rocketchat_api_url`).
    pub api_url: String,
    /// The personal access token.
    pub token: Secret,
    /// Whose token it is.
    pub token_id: Secret,
    /// `#channel` or `@person`.
    pub channel: NotificationText,
    /// Of the bar beside the attachment.
    pub color: NotificationText,
    /// Headline; cut at 1024 characters.
    pub title: NotificationText,
    /// Where the headline leads.
    pub title_link: NotificationText,
    /// Text of the attachment.
    pub text: NotificationText,
    /// A table of short texts.
    pub fields: Vec<SlackField>,
    /// What `short` is where a field does not say.
    pub short_fields: bool,
    /// `:emoji:` of the sender.
    pub emoji: NotificationText,
    /// Picture of the sender.
    pub icon_url: NotificationText,
    /// Picture in the attachment.
    pub image_url: NotificationText,
    /// Small picture in the attachment.
    pub thumb_url: NotificationText,
    /// Buttons.
    pub actions: Vec<RocketchatAction>,
}

/// A button.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RocketchatAction {
    /// What it says.
    pub text: NotificationText,
    /// Where it leads.
    pub url: NotificationText,
    /// What it says in the channel.
    pub msg: NotificationText,
}

impl RocketchatConfig {
    /// Rocket.Chat with upstream's defaults.
    #[must_use]
    pub fn new(api_url: String, token: Secret, token_id: Secret) -> Self {
        let built_in =
            |name: &str| NotificationText::calling(&format!("rocketchat.default.{name}"));
        Self {
            api_url,
            token,
            token_id,
            channel: NotificationText::default(),
            color: NotificationText::compile(COLOR).unwrap_or_default(),
            title: built_in("title"),
            title_link: built_in("titlelink"),
            text: built_in("text"),
            fields: Vec::new(),
            short_fields: false,
            emoji: built_in("emoji"),
            icon_url: built_in("iconurl"),
            image_url: NotificationText::default(),
            thumb_url: NotificationText::default(),
            actions: Vec::new(),
        }
    }

    fn attachment(&self, telling: &Telling<'_>) -> Result<Attachment, RenderError> {
        let fields = self.fields.iter().map(|field| {
            Ok(Field {
                short: field.short.unwrap_or(self.short_fields),
                title: telling.text("fields.title", &field.title)?,
                value: telling.text("fields.value", &field.value)?,
            })
        });
        let actions = self.actions.iter().map(|action| {
            Ok(Action {
                kind: "button",
                text: telling.text("actions.text", &action.text)?,
                url: telling.text("actions.url", &action.url)?,
                is_webview: false,
                msg: telling.text("actions.msg", &action.msg)?,
                msg_in_chat_window: false,
            })
        });
        Ok(Attachment {
            title: truncate::in_chars(telling.text("title", &self.title)?, TITLE_CHARS_MAX),
            title_link: telling.text("title_link", &self.title_link)?,
            text: telling.text("text", &self.text)?,
            image_url: telling.text("image_url", &self.image_url)?,
            thumb_url: telling.text("thumb_url", &self.thumb_url)?,
            color: telling.text("color", &self.color)?,
            fields: fields.collect::<Result<_, _>>()?,
            actions: actions.collect::<Result<_, _>>()?,
        })
    }
}

impl Kind for RocketchatConfig {
    fn name(&self) -> &'static str {
        "rocketchat"
    }

    fn begin(&self, telling: &Telling<'_>) -> Result<Step, RenderError> {
        let message = Message {
            channel: telling.text("channel", &self.channel)?,
            emoji: telling.text("emoji", &self.emoji)?,
            avatar: telling.text("icon_url", &self.icon_url)?,
            attachments: [self.attachment(telling)?],
        };
        let url = telling.address("api_url", &join(&self.api_url, "api/v1/chat.postMessage"))?;
        let request = HttpRequest::post_json(url, telling.json(&message)?)
            .with_header("X-Auth-Token", self.token.clone())
            .with_header("X-User-Id", self.token_id.clone());
        Ok(Step::ask(request, judge))
    }

    fn secrets(&self) -> Vec<Secret> {
        vec![self.token.clone(), self.token_id.clone()]
    }
}

/// Rocket.Chat says no with status 200 too.
fn judge(response: &HttpResponse) -> Verdict {
    let verdict = Verdict::of_status(response, &[]);
    if verdict != Verdict::Delivered {
        return verdict;
    }
    match serde_json::from_slice::<Answer>(&response.body) {
        Ok(Answer { success: true, .. }) => Verdict::Delivered,
        Ok(Answer { error, .. }) => {
            let error = one_line(error.as_bytes());
            let why = format!("error response from Rocket.Chat: {error}");
            Verdict::Rejected { why }
        }
        Err(_) => {
            let detail = one_line(&response.body);
            let why = format!("could not read Rocket.Chat's answer as JSON: {detail}");
            Verdict::Retry { why, after: None }
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Answer {
    success: bool,
    error: String,
}

/// The body. The order of fields and what is left out when empty are upstream's.
#[derive(Serialize)]
struct Message {
    #[serde(skip_serializing_if = "String::is_empty")]
    channel: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    emoji: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    avatar: String,
    attachments: [Attachment; 1],
}

#[derive(Serialize)]
struct Attachment {
    #[serde(skip_serializing_if = "String::is_empty")]
    title: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    title_link: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    text: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    image_url: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    thumb_url: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    color: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<Field>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    actions: Vec<Action>,
}

#[derive(Serialize)]
struct Field {
    short: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    title: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    value: String,
}

#[derive(Serialize)]
struct Action {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    text: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    url: String,
    is_webview: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    msg: String,
    msg_in_chat_window: bool,
}

const COLOR: &str = "{{ if eq .Status \"firing\" }}red{{ else }}green{{ end }}";
const TITLE_CHARS_MAX: usize = 1024;
