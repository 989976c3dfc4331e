//! Slack: one message with one attachment, to an incoming webhook or `chat.postMessage`.
//!
//! *Sources*: Alertmanager, `notify/slack`; Slack, "Legacy attachments", "Incoming webhooks".

use firebell_model::{Duration, Notification, Secret};
use firebell_template::NotificationText;
use serde::{Deserialize, Serialize};

use crate::error::RenderError;
use crate::http::{HttpConfig, HttpRequest, HttpResponse, Method, is_address};
use crate::integration::{Context, Renderer};
use crate::json::encode;
use crate::verdict::{Verdict, one_line};

/// Options of one of `slack_configs`. Every text may be a template.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SlackConfig {
    /// Where to send (`api_url`, `api_url_file`, `global.slack_api_url`). With `app_token`: the
    /// `app_url`, and the token as `http.authorization`.
    pub api_url: Secret,
    /// `#channel` or `@person`; empty: the webhook's own.
    pub channel: NotificationText,
    /// Name of the sender.
    pub username: NotificationText,
    /// `good`, `warning`, `danger` or `#rrggbb`.
    pub color: NotificationText,
    /// Headline; cut at 1024 characters.
    pub title: NotificationText,
    /// Where the headline leads.
    pub title_link: NotificationText,
    /// Text above the attachment.
    pub pretext: NotificationText,
    /// Text of the attachment.
    pub text: NotificationText,
    /// Text of the message itself, outside of the attachment (`message_text`).
    pub message_text: NotificationText,
    /// A table of short texts.
    pub fields: Vec<SlackField>,
    /// What `short` is where a field does not say.
    pub short_fields: bool,
    /// Text below the attachment.
    pub footer: NotificationText,
    /// What clients show that know no attachments.
    pub fallback: NotificationText,
    /// Identity for buttons.
    pub callback_id: NotificationText,
    /// `:emoji:` of the sender.
    pub icon_emoji: NotificationText,
    /// Picture of the sender.
    pub icon_url: NotificationText,
    /// Picture in the attachment.
    pub image_url: NotificationText,
    /// Small picture in the attachment.
    pub thumb_url: NotificationText,
    /// Whether `@names` become links.
    pub link_names: bool,
    /// Which parts are written in Slack's markup; empty: fallback, pretext and text.
    pub mrkdwn_in: Vec<String>,
    /// Buttons and menus.
    pub actions: Vec<SlackAction>,
    /// How long to wait for the answer (`timeout`, 0 is `None`).
    pub timeout: Option<Duration>,
    /// `send_resolved`, default false.
    pub send_resolved: bool,
    /// `http_config`.
    pub http: HttpConfig,
}

/// One cell of the table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SlackField {
    /// Its headline.
    pub title: NotificationText,
    /// Its text.
    pub value: NotificationText,
    /// Whether it is narrow enough for two in a row.
    pub short: Option<bool>,
}

/// A button or menu.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SlackAction {
    /// `button`, …
    pub kind: NotificationText,
    /// What it says.
    pub text: NotificationText,
    /// Where it leads.
    pub url: NotificationText,
    /// `primary`, `danger`.
    pub style: NotificationText,
    /// Its name for the app that handles it.
    pub name: NotificationText,
    /// Its value for the app that handles it.
    pub value: NotificationText,
    /// The question asked before it acts.
    pub confirm: Option<SlackConfirm>,
}

/// A question before an action.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SlackConfirm {
    /// The question.
    pub text: NotificationText,
    /// Its headline.
    pub title: NotificationText,
    /// Says yes.
    pub ok_text: NotificationText,
    /// Says no.
    pub dismiss_text: NotificationText,
}

impl SlackConfig {
    /// Slack with upstream's defaults.
    #[must_use]
    pub fn new(api_url: Secret) -> Self {
        let built_in = |name: &str| {
            let text = format!("{{{{ template \"slack.default.{name}\" . }}}}");
            // A test holds that these compile.
            NotificationText::compile(&text).unwrap_or_default()
        };
        Self {
            api_url,
            channel: NotificationText::default(),
            username: built_in("username"),
            color: built_in("color"),
            title: built_in("title"),
            title_link: built_in("titlelink"),
            pretext: built_in("pretext"),
            text: built_in("text"),
            message_text: NotificationText::default(),
            fields: Vec::new(),
            short_fields: false,
            footer: built_in("footer"),
            fallback: built_in("fallback"),
            callback_id: built_in("callbackid"),
            icon_emoji: built_in("iconemoji"),
            icon_url: built_in("iconurl"),
            image_url: NotificationText::default(),
            thumb_url: NotificationText::default(),
            link_names: false,
            mrkdwn_in: Vec::new(),
            actions: Vec::new(),
            timeout: None,
            send_resolved: false,
            http: HttpConfig::default(),
        }
    }

    pub(crate) fn request(
        &self,
        notification: &Notification,
        context: &Context<'_>,
    ) -> Result<HttpRequest, RenderError> {
        if !is_address(self.api_url.reveal()) {
            let (integration, field) = (KIND, "api_url");
            return Err(RenderError::Address { integration, field });
        }
        let renderer = Renderer::new(KIND, notification, context);
        let message = Message {
            channel: renderer.render("channel", &self.channel)?,
            username: renderer.render("username", &self.username)?,
            icon_emoji: renderer.render("icon_emoji", &self.icon_emoji)?,
            icon_url: renderer.render("icon_url", &self.icon_url)?,
            link_names: self.link_names,
            text: renderer.render("message_text", &self.message_text)?,
            attachments: [self.attachment(&renderer)?],
        };
        Ok(HttpRequest {
            method: Method::Post,
            url: self.api_url.clone(),
            headers: self.http.json_headers(context.version),
            body: encode(KIND, &message)?,
            timeout: self.timeout,
        })
    }

    fn attachment(&self, renderer: &Renderer<'_>) -> Result<Attachment, RenderError> {
        let fields = self.fields.iter().map(|field| {
            Ok(Field {
                title: renderer.render("fields.title", &field.title)?,
                value: renderer.render("fields.value", &field.value)?,
                short: field.short.unwrap_or(self.short_fields),
            })
        });
        let actions = self.actions.iter().map(|action| action.render(renderer));
        Ok(Attachment {
            title: truncated(renderer.render("title", &self.title)?),
            title_link: renderer.render("title_link", &self.title_link)?,
            pretext: renderer.render("pretext", &self.pretext)?,
            text: renderer.render("text", &self.text)?,
            fallback: renderer.render("fallback", &self.fallback)?,
            callback_id: renderer.render("callback_id", &self.callback_id)?,
            fields: fields.collect::<Result<_, _>>()?,
            actions: actions.collect::<Result<_, _>>()?,
            image_url: renderer.render("image_url", &self.image_url)?,
            thumb_url: renderer.render("thumb_url", &self.thumb_url)?,
            footer: renderer.render("footer", &self.footer)?,
            color: renderer.render("color", &self.color)?,
            mrkdwn_in: if self.mrkdwn_in.is_empty() {
                MRKDWN_IN.map(str::to_owned).to_vec()
            } else {
                self.mrkdwn_in.clone()
            },
        })
    }

    /// Slack says no with status 200 too: as a word, or as JSON with `ok` and `error`.
    pub(crate) fn verdict(response: &HttpResponse) -> Verdict {
        let verdict = Verdict::of_status(response, &[TOO_MANY_REQUESTS]);
        if verdict != Verdict::Delivered {
            return verdict;
        }
        let detail = one_line(&response.body);
        if !response
            .header("content-type")
            .starts_with("application/json")
        {
            if response.body == b"ok" {
                return Verdict::Delivered;
            }
            let why = format!("received an error response from Slack: {detail}");
            return Verdict::Rejected { why };
        }
        match serde_json::from_slice::<Answer>(&response.body) {
            Ok(Answer { ok: true, .. }) => Verdict::Delivered,
            Ok(Answer { error, .. }) => {
                let error = one_line(error.as_bytes());
                let why = format!("error response from Slack: {error}");
                Verdict::Rejected { why }
            }
            Err(_) => Verdict::Retry {
                why: format!("could not read Slack's answer as JSON: {detail}"),
                after: None,
            },
        }
    }
}

impl SlackAction {
    fn render(&self, renderer: &Renderer<'_>) -> Result<Action, RenderError> {
        let confirm = self.confirm.as_ref().map(|confirm| {
            Ok(Confirm {
                text: renderer.render("actions.confirm.text", &confirm.text)?,
                title: renderer.render("actions.confirm.title", &confirm.title)?,
                ok_text: renderer.render("actions.confirm.ok_text", &confirm.ok_text)?,
                dismiss_text: renderer
                    .render("actions.confirm.dismiss_text", &confirm.dismiss_text)?,
            })
        });
        Ok(Action {
            kind: renderer.render("actions.type", &self.kind)?,
            text: renderer.render("actions.text", &self.text)?,
            url: renderer.render("actions.url", &self.url)?,
            style: renderer.render("actions.style", &self.style)?,
            name: renderer.render("actions.name", &self.name)?,
            value: renderer.render("actions.value", &self.value)?,
            confirm: confirm.transpose()?,
        })
    }
}

/// The first characters, with an ellipsis where something was cut.
fn truncated(title: String) -> String {
    if title.chars().count() <= TITLE_CHARS_MAX {
        return title;
    }
    title
        .chars()
        .take(TITLE_CHARS_MAX - 1)
        .chain(['…'])
        .collect()
}

/// The body. The order of fields and what is left out when empty are upstream's.
#[derive(Serialize)]
struct Message {
    #[serde(skip_serializing_if = "String::is_empty")]
    channel: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    username: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    icon_emoji: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    icon_url: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    link_names: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    text: String,
    attachments: [Attachment; 1],
}

#[derive(Serialize)]
struct Attachment {
    #[serde(skip_serializing_if = "String::is_empty")]
    title: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    title_link: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pretext: String,
    text: String,
    fallback: String,
    callback_id: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<Field>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    actions: Vec<Action>,
    #[serde(skip_serializing_if = "String::is_empty")]
    image_url: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    thumb_url: String,
    footer: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    color: String,
    mrkdwn_in: Vec<String>,
}

#[derive(Serialize)]
struct Field {
    #[serde(skip_serializing_if = "String::is_empty")]
    title: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    value: String,
    short: bool,
}

#[derive(Serialize)]
struct Action {
    #[serde(rename = "type", skip_serializing_if = "String::is_empty")]
    kind: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    text: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    url: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    style: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirm: Option<Confirm>,
}

#[derive(Serialize)]
struct Confirm {
    #[serde(skip_serializing_if = "String::is_empty")]
    text: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    title: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    ok_text: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    dismiss_text: String,
}

/// Slack's answer, where it is JSON.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Answer {
    ok: bool,
    error: String,
}

const KIND: &str = "slack";
/// Source: Slack's limit, as upstream reads it.
const TITLE_CHARS_MAX: usize = 1024;
const MRKDWN_IN: [&str; 3] = ["fallback", "pretext", "text"];
const TOO_MANY_REQUESTS: u16 = 429;
