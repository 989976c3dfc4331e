//! Mattermost: one message with attachments, to an incoming webhook.
//!
//! *Sources*: Alertmanager, `notify/mattermost`; Mattermost, "Incoming webhooks".

use firebell_model::Secret;
use firebell_template::NotificationText;
use serde::Serialize;

use crate::error::RenderError;
use crate::http::HttpRequest;
use crate::integration::Kind;
use crate::slack::SlackField;
use crate::step::Step;
use crate::telling::Telling;
use crate::truncate;
use crate::verdict::Verdict;

/// Options of one of `mattermost_configs`. Every text may be a template.
#[derive(Clone, Debug)]
pub struct MattermostConfig {
    /// Where to send (`webhook_url`, `webhook_url_file`, `global.mattermost_webhook_url`).
    pub webhook_url: Secret,
    /// A channel other than the webhook's.
    pub channel: NotificationText,
    /// Name of the sender.
    pub username: NotificationText,
    /// Picture of the sender.
    pub icon_url: NotificationText,
    /// `:emoji:` of the sender.
    pub icon_emoji: NotificationText,
    /// `custom_…`, for plugins (`type`).
    pub kind: NotificationText,
    /// The attachment that is sent when there are no [`MattermostConfig::attachments`]; its text is
    /// otherwise that of the message.
    pub attachment: MattermostAttachment,
    /// The attachments.
    pub attachments: Vec<MattermostAttachment>,
    /// What the side bar shows (`props.card`).
    pub card: NotificationText,
    /// How loud the message is.
    pub priority: Option<MattermostPriority>,
}

/// A box with a bar beside it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MattermostAttachment {
    /// What clients show that know no attachments.
    pub fallback: NotificationText,
    /// `good`, `warning`, `danger` or `#rrggbb`.
    pub color: NotificationText,
    /// Text above the box.
    pub pretext: NotificationText,
    /// Text in the box.
    pub text: NotificationText,
    /// Who is named above the headline.
    pub author_name: NotificationText,
    /// Where the name leads.
    pub author_link: NotificationText,
    /// Picture beside the name.
    pub author_icon: NotificationText,
    /// Headline.
    pub title: NotificationText,
    /// Where the headline leads.
    pub title_link: NotificationText,
    /// A table of short texts.
    pub fields: Vec<SlackField>,
    /// Small picture.
    pub thumb_url: NotificationText,
    /// Text below.
    pub footer: NotificationText,
    /// Picture beside the text below.
    pub footer_icon: NotificationText,
    /// Picture.
    pub image_url: NotificationText,
}

/// How loud a message is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MattermostPriority {
    /// `urgent`, `important` or `standard`, which anything else becomes.
    pub priority: NotificationText,
    /// Whether readers are asked to confirm; not for `standard`.
    pub requested_ack: bool,
    /// Whether they are reminded until they do; only for `urgent`.
    pub persistent_notifications: bool,
}

impl MattermostConfig {
    /// Mattermost with upstream's defaults.
    #[must_use]
    pub fn new(webhook_url: Secret) -> Self {
        let built_in =
            |name: &str| NotificationText::calling(&format!("mattermost.default.{name}"));
        Self {
            webhook_url,
            channel: NotificationText::default(),
            username: built_in("username"),
            icon_url: NotificationText::default(),
            icon_emoji: NotificationText::default(),
            kind: NotificationText::default(),
            attachment: MattermostAttachment {
                fallback: built_in("fallback"),
                color: built_in("color"),
                text: built_in("text"),
                title: built_in("title"),
                title_link: built_in("titlelink"),
                ..MattermostAttachment::default()
            },
            attachments: Vec::new(),
            card: NotificationText::default(),
            priority: None,
        }
    }

    fn message(&self, telling: &Telling<'_>) -> Result<Message, RenderError> {
        let (text, attachments) = if self.attachments.is_empty() {
            (String::new(), vec![self.attachment.render(telling)?])
        } else {
            let attachments = self.attachments.iter().map(|it| it.render(telling));
            let text = telling.text("text", &self.attachment.text)?;
            (text, attachments.collect::<Result<_, _>>()?)
        };
        let card = telling.text("props.card", &self.card)?;
        let priority = self.priority.as_ref();
        let priority = priority.filter(|it| !it.priority.text().is_empty());
        Ok(Message {
            text: truncate::in_chars(text, TEXT_CHARS_MAX),
            channel: telling.text("channel", &self.channel)?,
            username: telling.text("username", &self.username)?,
            icon_url: telling.text("icon_url", &self.icon_url)?,
            icon_emoji: telling.text("icon_emoji", &self.icon_emoji)?,
            attachments,
            kind: telling.text("type", &self.kind)?,
            props: (!self.card.text().is_empty()).then_some(Props { card }),
            priority: priority.map(|it| it.render(telling)).transpose()?,
        })
    }
}

impl MattermostAttachment {
    fn render(&self, telling: &Telling<'_>) -> Result<Attachment, RenderError> {
        let fields = self.fields.iter().map(|field| {
            Ok(Field {
                title: telling.text("fields.title", &field.title)?,
                value: telling.text("fields.value", &field.value)?,
                short: field.short,
            })
        });
        Ok(Attachment {
            fallback: telling.text("fallback", &self.fallback)?,
            color: telling.text("color", &self.color)?,
            pretext: telling.text("pretext", &self.pretext)?,
            text: telling.text("text", &self.text)?,
            author_name: telling.text("author_name", &self.author_name)?,
            author_link: telling.text("author_link", &self.author_link)?,
            author_icon: telling.text("author_icon", &self.author_icon)?,
            title: telling.text("title", &self.title)?,
            title_link: telling.text("title_link", &self.title_link)?,
            fields: fields.collect::<Result<_, _>>()?,
            thumb_url: telling.text("thumb_url", &self.thumb_url)?,
            footer: telling.text("footer", &self.footer)?,
            footer_icon: telling.text("footer_icon", &self.footer_icon)?,
            image_url: telling.text("image_url", &self.image_url)?,
        })
    }
}

impl MattermostPriority {
    fn render(&self, telling: &Telling<'_>) -> Result<Priority, RenderError> {
        let asked = telling.text("priority.priority", &self.priority)?;
        let asked = asked.to_lowercase();
        let known = PRIORITIES.into_iter().find(|known| *known == asked);
        let priority = known.unwrap_or(STANDARD);
        Ok(Priority {
            priority,
            requested_ack: self.requested_ack && priority != STANDARD,
            persistent_notifications: self.persistent_notifications && priority == URGENT,
        })
    }
}

impl Kind for MattermostConfig {
    fn name(&self) -> &'static str {
        "mattermost"
    }

    fn begin(&self, telling: &Telling<'_>) -> Result<Step, RenderError> {
        let message = self.message(telling)?;
        let url = telling.address("webhook_url", self.webhook_url.reveal())?;
        let request = HttpRequest::post_json(url, telling.json(&message)?);
        Ok(Step::ask(request, |answer| Verdict::of_status(answer, &[])))
    }
}

/// The body. The order of fields and what is left out when empty are upstream's.
#[derive(Serialize)]
struct Message {
    #[serde(skip_serializing_if = "String::is_empty")]
    text: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    channel: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    username: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    icon_url: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    icon_emoji: String,
    attachments: Vec<Attachment>,
    #[serde(rename = "type", skip_serializing_if = "String::is_empty")]
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    props: Option<Props>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<Priority>,
}

#[derive(Serialize)]
struct Props {
    #[serde(skip_serializing_if = "String::is_empty")]
    card: String,
}

#[derive(Serialize)]
struct Priority {
    priority: &'static str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    requested_ack: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    persistent_notifications: bool,
}

#[derive(Serialize)]
struct Attachment {
    #[serde(skip_serializing_if = "String::is_empty")]
    fallback: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    color: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pretext: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    text: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    author_name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    author_link: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    author_icon: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    title: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    title_link: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<Field>,
    #[serde(skip_serializing_if = "String::is_empty")]
    thumb_url: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    footer: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    footer_icon: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    image_url: String,
}

#[derive(Serialize)]
struct Field {
    #[serde(skip_serializing_if = "String::is_empty")]
    title: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    short: Option<bool>,
}

const PRIORITIES: [&str; 3] = [URGENT, "important", STANDARD];
const URGENT: &str = "urgent";
const STANDARD: &str = "standard";
const TEXT_CHARS_MAX: usize = 16_383;
