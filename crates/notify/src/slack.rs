//! Slack: one message with one attachment, to an incoming webhook or `chat.postMessage`.
//!
//! *Sources*: Alertmanager, `notify/slack`; Slack, "Legacy attachments", "Incoming webhooks".

mod message;

use firebell_model::{Duration, ReceiverData, Secret};
use firebell_template::NotificationText;
use serde::Deserialize;

use crate::aim::{Aim, literal, page_buttons, page_text};
use crate::error::RenderError;
use crate::http::{HttpRequest, HttpResponse};
use crate::integration::Kind;
use crate::slack::message::{Action, Attachment, Confirm, Field, Message};
use crate::step::Step;
use crate::telling::Telling;
use crate::truncate;
use crate::verdict::{TOO_MANY_REQUESTS, Verdict, one_line};

/// Options of one of `slack_configs`. Every text may be a template.
#[derive(Clone, Debug)]
pub struct SlackConfig {
    /// Where to send (`api_url`, `api_url_file`, `global.slack_api_url`); with `app_token`, the
    /// `app_url`.
    pub api_url: Secret,
    /// By which the message is an app's (`app_token`, `app_token_file`).
    pub app_token: Option<Secret>,
    /// Whether the first message of a group is changed instead of a second one sent
    /// (`update_message`). Needs an address that ends in `/chat.postMessage`.
    pub updates_message: bool,
    /// Whether later messages of a group answer the first one (`post_updates_to_thread`). Needs what
    /// `updates_message` needs.
    pub posts_to_thread: bool,
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
        let built_in = |name: &str| NotificationText::calling(&format!("slack.default.{name}"));
        Self {
            api_url,
            app_token: None,
            updates_message: false,
            posts_to_thread: false,
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
        }
    }

    fn message(&self, telling: &Telling<'_>) -> Result<Message, RenderError> {
        Ok(Message {
            channel: telling.text("channel", &self.channel)?,
            ts: String::new(),
            thread_ts: String::new(),
            username: telling.text("username", &self.username)?,
            icon_emoji: telling.text("icon_emoji", &self.icon_emoji)?,
            icon_url: telling.text("icon_url", &self.icon_url)?,
            link_names: self.link_names,
            text: telling.text("message_text", &self.message_text)?,
            attachments: [self.attachment(telling)?],
        })
    }

    fn request(
        &self,
        telling: &Telling<'_>,
        url: Secret,
        message: &Message,
    ) -> Result<HttpRequest, RenderError> {
        let request = HttpRequest::post_json(url, telling.json(message)?).within(self.timeout);
        Ok(match &self.app_token {
            Some(token) => {
                let bearer = Secret::new(format!("Bearer {}", token.reveal()));
                request.with_header("Authorization", bearer)
            }
            None => request,
        })
    }

    /// What changes the message that was sent before, and what answers it.
    fn requests_about_known(
        &self,
        telling: &Telling<'_>,
        message: &Message,
    ) -> Result<Vec<HttpRequest>, RenderError> {
        let message = Message {
            channel: telling.known(CHANNEL).to_owned(),
            ..message.clone()
        };
        let mut requests = Vec::new();
        if self.updates_message {
            let ts = telling.known(TS).to_owned();
            let message = Message {
                ts,
                ..message.clone()
            };
            requests.push(self.request(telling, self.method("chat.update"), &message)?);
        }
        if self.posts_to_thread {
            let thread_ts = telling.known(TS).to_owned();
            let message = Message {
                thread_ts,
                ..message
            };
            requests.push(self.request(telling, self.api_url.clone(), &message)?);
        }
        Ok(requests)
    }

    /// The address of another method of Slack's API.
    fn method(&self, name: &str) -> Secret {
        let url = self.api_url.reveal();
        let base = url.strip_suffix(POST_METHOD).unwrap_or(url);
        Secret::new(format!("{base}{name}"))
    }

    fn attachment(&self, telling: &Telling<'_>) -> Result<Attachment, RenderError> {
        let fields = self.fields.iter().map(|field| {
            Ok(Field {
                title: telling.text("fields.title", &field.title)?,
                value: telling.text("fields.value", &field.value)?,
                short: field.short.unwrap_or(self.short_fields),
            })
        });
        let actions = self.actions.iter().map(|action| action.render(telling));
        let actions = actions.collect::<Result<Vec<Action>, _>>()?;
        Ok(Attachment {
            title: truncate::in_chars(telling.text("title", &self.title)?, TITLE_CHARS_MAX),
            title_link: telling.text("title_link", &self.title_link)?,
            pretext: telling.text("pretext", &self.pretext)?,
            text: telling.text("text", &self.text)?,
            fallback: telling.text("fallback", &self.fallback)?,
            callback_id: telling.text("callback_id", &self.callback_id)?,
            fields: fields.collect::<Result<_, _>>()?,
            // One that neither does nor leads anywhere; upstream's have a name.
            actions: actions.into_iter().filter(|it| !it.is_idle()).collect(),
            image_url: telling.text("image_url", &self.image_url)?,
            thumb_url: telling.text("thumb_url", &self.thumb_url)?,
            footer: telling.text("footer", &self.footer)?,
            color: telling.text("color", &self.color)?,
            mrkdwn_in: if self.mrkdwn_in.is_empty() {
                MRKDWN_IN.map(str::to_owned).to_vec()
            } else {
                self.mrkdwn_in.clone()
            },
        })
    }
}

impl Kind for SlackConfig {
    fn name(&self) -> &'static str {
        "slack"
    }

    fn begin(&self, telling: &Telling<'_>) -> Result<Step, RenderError> {
        telling.address("api_url", self.api_url.reveal())?;
        let message = self.message(telling)?;
        if !self.updates_message && !self.posts_to_thread {
            let request = self.request(telling, self.api_url.clone(), &message)?;
            return Ok(Step::ask(request, |answer| match judge(answer) {
                Verdict::DeliveredAs(_) => Verdict::Delivered,
                verdict => verdict,
            }));
        }
        if telling.known(TS).is_empty() || telling.known(CHANNEL).is_empty() {
            let request = self.request(telling, self.api_url.clone(), &message)?;
            return Ok(Step::ask(request, judge));
        }
        let requests = self.requests_about_known(telling, &message)?;
        // What was known stays: an answer's own time is not that of the first message.
        Ok(Step::ask_all(requests, |answer| match judge(answer) {
            Verdict::DeliveredAs(_) => Verdict::Delivered,
            verdict => verdict,
        }))
    }

    fn secrets(&self) -> Vec<Secret> {
        let token = self.app_token.iter().cloned();
        token.chain([self.api_url.clone()]).collect()
    }

    fn aimed(&self, aim: &Aim<'_>) -> Option<Box<dyn Kind>> {
        // A webhook has its channel; people are reached by an app.
        let is_app = self.app_token.is_some() || self.api_url.reveal().ends_with(POST_METHOD);
        (aim.by == "slack" && is_app).then(|| -> Box<dyn Kind> {
            Box::new(Self {
                app_token: self.app_token.clone(),
                channel: aim.to(),
                username: self.username.clone(),
                icon_emoji: self.icon_emoji.clone(),
                icon_url: self.icon_url.clone(),
                title: NotificationText::default(),
                title_link: NotificationText::default(),
                pretext: NotificationText::default(),
                text: page_text("slack"),
                fallback: page_text("title"),
                footer: NotificationText::default(),
                // Slack hands on no press of a button without one.
                callback_id: page_text("callback"),
                actions: page_buttons().map(SlackAction::of_page).to_vec(),
                timeout: self.timeout,
                ..Self::new(self.api_url.clone())
            })
        })
    }
}

/// Slack says no with status 200 too: as a word, or as JSON with `ok` and `error`.
fn judge(response: &HttpResponse) -> Verdict {
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
        Ok(Answer {
            ok: true,
            channel,
            ts,
            ..
        }) if !channel.is_empty() && !ts.is_empty() => {
            let known = [(TS, ts), (CHANNEL, channel)];
            let known = known.map(|(name, value)| (name.to_owned(), value));
            Verdict::DeliveredAs(ReceiverData::from(known))
        }
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

impl SlackAction {
    fn of_page((says, value): (&str, NotificationText)) -> Self {
        Self {
            kind: literal("button"),
            // One without a name does nothing.
            name: page_text("callback"),
            text: literal(says),
            value,
            ..Self::default()
        }
    }

    fn render(&self, telling: &Telling<'_>) -> Result<Action, RenderError> {
        let confirm = self.confirm.as_ref().map(|confirm| {
            Ok(Confirm {
                text: telling.text("actions.confirm.text", &confirm.text)?,
                title: telling.text("actions.confirm.title", &confirm.title)?,
                ok_text: telling.text("actions.confirm.ok_text", &confirm.ok_text)?,
                dismiss_text: telling
                    .text("actions.confirm.dismiss_text", &confirm.dismiss_text)?,
            })
        });
        Ok(Action {
            kind: telling.text("actions.type", &self.kind)?,
            text: telling.text("actions.text", &self.text)?,
            url: telling.text("actions.url", &self.url)?,
            style: telling.text("actions.style", &self.style)?,
            name: telling.text("actions.name", &self.name)?,
            value: telling.text("actions.value", &self.value)?,
            confirm: confirm.transpose()?,
        })
    }
}

/// Slack's answer, where it is JSON.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Answer {
    ok: bool,
    error: String,
    channel: String,
    ts: String,
}

/// Source: Slack's limit, as upstream reads it.
const TITLE_CHARS_MAX: usize = 1024;
const MRKDWN_IN: [&str; 3] = ["fallback", "pretext", "text"];
/// The last part of the address that messages of apps are posted to.
const POST_METHOD: &str = "chat.postMessage";
/// What is kept of the first message of a group, under upstream's names.
const TS: &str = "threadTs";
const CHANNEL: &str = "channelId";
