//! Telegram: one message of a bot to a chat.
//!
//! *Sources*: Alertmanager, `notify/telegram`; Telegram, "Bot API", `sendMessage`; telebot v3.

use std::collections::BTreeMap;

use firebell_model::{Duration, Secret};
use firebell_template::NotificationText;
use serde::{Deserialize, Serialize};

use crate::aim::{Aim, page_buttons, page_text};
use crate::error::RenderError;
use crate::http::{HttpRequest, HttpResponse};
use crate::integration::Kind;
use crate::step::Step;
use crate::telling::Telling;
use crate::truncate;
use crate::url::join;
use crate::verdict::{Verdict, one_line};

/// Options of one of `telegram_configs`.
#[derive(Clone, Debug)]
pub struct TelegramConfig {
    /// Where the Bot API is (`api_url`, `global.telegram_api_url`).
    pub api_url: String,
    /// The bot's token.
    pub bot_token: Secret,
    /// The chat; groups have negative numbers.
    pub chat_id: i64,
    /// The topic of a forum; 0 is none.
    pub message_thread_id: i64,
    /// The text; may be a template.
    pub message: NotificationText,
    /// Whether phones stay quiet.
    pub disable_notifications: bool,
    /// Buttons below it: what each says, and what of its press is told. One that tells nothing is
    /// left out.
    pub buttons: Vec<(&'static str, NotificationText)>,
    /// How the text is marked up.
    pub parse_mode: TelegramMarkup,
}

/// How a text for Telegram is marked up (`parse_mode`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TelegramMarkup {
    /// Not at all.
    Plain,
    /// Telegram's first Markdown.
    Markdown,
    /// Its second.
    MarkdownV2,
    /// A few tags of HTML; what templates put in is escaped.
    Html,
}

impl TelegramMarkup {
    /// All, by the words of the configuration.
    pub const NAMES: [(&str, Self); 4] = [
        ("", Self::Plain),
        ("Markdown", Self::Markdown),
        ("MarkdownV2", Self::MarkdownV2),
        ("HTML", Self::Html),
    ];

    fn name(self) -> &'static str {
        let known = Self::NAMES.iter().find(|(_, markup)| *markup == self);
        known.map_or("", |(name, _)| name)
    }
}

impl TelegramConfig {
    /// Telegram with upstream's defaults.
    #[must_use]
    pub fn new(api_url: String, bot_token: Secret, chat_id: i64) -> Self {
        Self {
            api_url,
            bot_token,
            chat_id,
            message_thread_id: 0,
            message: NotificationText::calling("telegram.default.message"),
            disable_notifications: false,
            buttons: Vec::new(),
            parse_mode: TelegramMarkup::Html,
        }
    }

    fn message(&self, telling: &Telling<'_>) -> Result<String, RenderError> {
        if self.parse_mode != TelegramMarkup::Html {
            let text = telling.text("message", &self.message)?;
            return Ok(truncate::in_chars(text, MESSAGE_CHARS_MAX));
        }
        // Cut HTML would be refused.
        let text = telling.html("message", &self.message)?;
        let is_long = text.len() > MESSAGE_CHARS_MAX && text.chars().count() > MESSAGE_CHARS_MAX;
        Ok(if is_long { TOO_LONG.to_owned() } else { text })
    }
}

impl TelegramConfig {
    fn keyboard(&self, telling: &Telling<'_>) -> Result<Option<Keyboard>, RenderError> {
        let mut row = Vec::new();
        for (text, data) in &self.buttons {
            let callback_data = telling.text("buttons", data)?;
            if !callback_data.is_empty() {
                row.push(Button {
                    text,
                    callback_data,
                });
            }
        }
        let has_buttons = !row.is_empty();
        Ok(has_buttons.then(|| Keyboard {
            inline_keyboard: vec![row],
        }))
    }
}

/// The body of a message.
#[derive(Serialize)]
struct Message {
    #[serde(flatten)]
    fields: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_markup: Option<Keyboard>,
}

/// Buttons, in rows.
#[derive(Serialize)]
struct Keyboard {
    inline_keyboard: Vec<Vec<Button>>,
}

#[derive(Serialize)]
struct Button {
    text: &'static str,
    callback_data: String,
}

impl Kind for TelegramConfig {
    fn name(&self) -> &'static str {
        "telegram"
    }

    fn begin(&self, telling: &Telling<'_>) -> Result<Step, RenderError> {
        let mut fields = BTreeMap::from([
            ("chat_id", self.chat_id.to_string()),
            ("text", self.message(telling)?),
            ("disable_web_page_preview", "true".to_owned()),
        ]);
        if self.disable_notifications {
            fields.insert("disable_notification", "true".to_owned());
        }
        if self.message_thread_id != 0 {
            fields.insert("message_thread_id", self.message_thread_id.to_string());
        }
        if self.parse_mode != TelegramMarkup::Plain {
            fields.insert("parse_mode", self.parse_mode.name().to_owned());
        }
        let message = Message {
            fields,
            reply_markup: self.keyboard(telling)?,
        };
        let path = format!("bot{}/sendMessage", self.bot_token.reveal());
        let url = telling.address("api_url", &join(&self.api_url, &path))?;
        let request = HttpRequest::post_json(url, telling.json(&message)?);
        Ok(Step::ask(request, judge))
    }

    fn secrets(&self) -> Vec<Secret> {
        vec![self.bot_token.clone()]
    }

    fn aimed(&self, aim: &Aim<'_>) -> Option<Box<dyn Kind>> {
        if aim.by != "telegram" {
            return None;
        }
        Some(Box::new(Self {
            chat_id: aim.address.trim().parse().ok()?,
            message_thread_id: 0,
            message: page_text("text"),
            disable_notifications: false,
            parse_mode: TelegramMarkup::Plain,
            buttons: page_buttons().to_vec(),
            ..self.clone()
        }))
    }
}

/// Every refusal is tried again, as upstream does: a bot may be let in later.
fn judge(response: &HttpResponse) -> Verdict {
    let answer = serde_json::from_slice::<Answer>(&response.body).unwrap_or_default();
    if answer.ok {
        return Verdict::Delivered;
    }
    let detail = if answer.description.is_empty() {
        one_line(&response.body)
    } else {
        one_line(answer.description.as_bytes())
    };
    let why = format!(
        "error response from Telegram ({}): {detail}",
        response.status
    );
    let asked = Verdict::of_status(response, &[response.status]);
    let after = match asked {
        Verdict::Retry { after, .. } => after,
        _ => None,
    };
    let wait = answer.parameters.retry_after.min(RETRY_AFTER_SECS_MAX);
    let wait = (wait > 0).then(|| Duration::from_secs(wait));
    let after = wait.or(after);
    Verdict::Retry { why, after }
}

/// Telegram's answer.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Answer {
    ok: bool,
    description: String,
    parameters: Parameters,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Parameters {
    retry_after: i64,
}

const MESSAGE_CHARS_MAX: usize = 4096;
/// Upstream's, white space included.
const TOO_LONG: &str = "Alertmanager notification could not be sent: message length exceeds \
                        Telegram limits.\n\t\t\tPlease check the template used for producing the \
                        message content.";
const RETRY_AFTER_SECS_MAX: i64 = 3600;
