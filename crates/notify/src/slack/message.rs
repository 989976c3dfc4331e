//! The body of a message to Slack.

use serde::Serialize;

/// The body. The order of fields and what is left out when empty are upstream's.
#[derive(Clone, Serialize)]
pub(super) struct Message {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) channel: String,
    /// Which message is replaced.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) ts: String,
    /// Which message is answered.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) thread_ts: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) username: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) icon_emoji: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) icon_url: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) link_names: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) text: String,
    pub(super) attachments: [Attachment; 1],
}

#[derive(Clone, Serialize)]
pub(super) struct Attachment {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) title: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) title_link: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) pretext: String,
    pub(super) text: String,
    pub(super) fallback: String,
    pub(super) callback_id: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) fields: Vec<Field>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) actions: Vec<Action>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) image_url: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) thumb_url: String,
    pub(super) footer: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) color: String,
    pub(super) mrkdwn_in: Vec<String>,
}

#[derive(Clone, Serialize)]
pub(super) struct Field {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) title: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) value: String,
    pub(super) short: bool,
}

#[derive(Clone, Serialize)]
pub(super) struct Action {
    #[serde(rename = "type", skip_serializing_if = "String::is_empty")]
    pub(super) kind: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) text: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) url: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) style: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) confirm: Option<Confirm>,
}

#[derive(Clone, Serialize)]
pub(super) struct Confirm {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) text: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) title: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) ok_text: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) dismiss_text: String,
}

impl Action {
    /// Whether it neither leads anywhere nor says anything to whoever handles it.
    pub(super) fn is_idle(&self) -> bool {
        self.url.is_empty() && self.name.is_empty() && self.value.is_empty()
    }
}
