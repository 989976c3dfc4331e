//! Pushover: a message to a phone, all of it in the address.
//!
//! *Sources*: Alertmanager, `notify/pushover`; Pushover, "Message API".

use firebell_model::{Duration, Secret};
use firebell_template::NotificationText;

use crate::aim::{Aim, page_text};
use crate::error::RenderError;
use crate::http::{HttpRequest, escape_query};
use crate::integration::Kind;
use crate::secret_text::SecretText;
use crate::step::Step;
use crate::telling::Telling;
use crate::truncate;
use crate::verdict::Verdict;

/// Options of one of `pushover_configs`. Every text may be a template.
#[derive(Clone, Debug)]
pub struct PushoverConfig {
    /// Who gets it (`user_key`, `user_key_file`).
    pub user_key: SecretText,
    /// Which application sends it (`token`, `token_file`).
    pub token: SecretText,
    /// Headline; cut at 250 characters.
    pub title: NotificationText,
    /// Text; cut at 1024 characters.
    pub message: NotificationText,
    /// A link; cut at 512 characters.
    pub url: NotificationText,
    /// What the link says.
    pub url_title: NotificationText,
    /// Which device; empty is all.
    pub device: NotificationText,
    /// Which sound.
    pub sound: NotificationText,
    /// `-2` to `2`, which has to be acknowledged.
    pub priority: NotificationText,
    /// How often one that has to be acknowledged is repeated.
    pub retry: Duration,
    /// How long.
    pub expire: Duration,
    /// When it is deleted; zero is never.
    pub ttl: Duration,
    /// How the text is shown.
    pub format: PushoverFormat,
    /// Where the API is: Pushover's own.
    pub api_url: String,
}

/// How Pushover shows a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PushoverFormat {
    /// As it is.
    #[default]
    Plain,
    /// `html`
    Html,
    /// `monospace`
    Monospace,
}

impl PushoverConfig {
    /// Pushover with upstream's defaults.
    #[must_use]
    pub fn new(user_key: SecretText, token: SecretText) -> Self {
        let built_in = |name: &str| NotificationText::calling(&format!("pushover.default.{name}"));
        Self {
            user_key,
            token,
            title: built_in("title"),
            message: built_in("message"),
            url: built_in("url"),
            url_title: NotificationText::default(),
            device: NotificationText::default(),
            sound: NotificationText::default(),
            // A test holds that it compiles.
            priority: NotificationText::compile(PRIORITY).unwrap_or_default(),
            retry: Duration::from_mins(1),
            expire: Duration::from_hours(1),
            ttl: Duration::ZERO,
            format: PushoverFormat::Plain,
            api_url: API_URL.to_owned(),
        }
    }

    /// Every parameter, in the order of names, as upstream sends them.
    fn parameters(
        &self,
        telling: &Telling<'_>,
    ) -> Result<Vec<(&'static str, String)>, RenderError> {
        let message = match self.format {
            PushoverFormat::Html => telling.html("message", &self.message)?,
            _ => telling.text("message", &self.message)?,
        };
        let message = truncate::in_chars(message, MESSAGE_CHARS_MAX);
        // Pushover refuses an empty text.
        let message = match message.trim() {
            "" => "(no details)".to_owned(),
            message => message.to_owned(),
        };
        let title = telling.text("title", &self.title)?;
        let url = telling.text("url", &self.url)?;
        let seconds = |duration: Duration| (duration.0 / 1000).to_string();
        let mut parameters = vec![
            ("token", telling.text("token", self.token.text())?),
            ("user", telling.text("user_key", self.user_key.text())?),
            ("title", truncate::in_chars(title, TITLE_CHARS_MAX)),
            ("message", message),
            ("url", truncate::in_chars(url, URL_CHARS_MAX)),
            ("url_title", telling.text("url_title", &self.url_title)?),
            ("priority", telling.text("priority", &self.priority)?),
            ("retry", seconds(self.retry)),
            ("expire", seconds(self.expire)),
            ("device", telling.text("device", &self.device)?),
            ("sound", telling.text("sound", &self.sound)?),
        ];
        match self.format {
            PushoverFormat::Plain => {}
            PushoverFormat::Html => parameters.push(("html", "1".to_owned())),
            PushoverFormat::Monospace => parameters.push(("monospace", "1".to_owned())),
        }
        if self.ttl.0 >= 1000 {
            parameters.push(("ttl", seconds(self.ttl)));
        }
        parameters.sort_by_key(|(name, _)| *name);
        Ok(parameters)
    }
}

impl Kind for PushoverConfig {
    fn name(&self) -> &'static str {
        "pushover"
    }

    fn begin(&self, telling: &Telling<'_>) -> Result<Step, RenderError> {
        let parameters = self.parameters(telling)?;
        let pairs = parameters.iter();
        let pairs: Vec<String> = pairs
            .map(|(name, value)| format!("{name}={}", escape_query(value)))
            .collect();
        let url = format!("{}?{}", self.api_url, pairs.join("&"));
        let url = telling.address("api_url", &url)?;
        let request = HttpRequest::post(url, "text/plain", String::new());
        Ok(Step::ask(request, |answer| Verdict::of_status(answer, &[])))
    }

    fn secrets(&self) -> Vec<Secret> {
        vec![self.user_key.to_secret(), self.token.to_secret()]
    }

    fn aimed(&self, aim: &Aim<'_>) -> Option<Box<dyn Kind>> {
        // A key is letters and digits.
        let is_key = aim.address.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if aim.by != "pushover" || !is_key {
            return None;
        }
        Some(Box::new(Self {
            user_key: SecretText::compile(aim.address).ok()?,
            title: page_text("title"),
            message: page_text("text"),
            url: page_text("link"),
            url_title: NotificationText::compile("Acknowledge").ok()?,
            device: NotificationText::default(),
            // Who answers is Firebell's to watch: the message itself need not come again.
            priority: NotificationText::compile("1").ok()?,
            format: PushoverFormat::Plain,
            ..self.clone()
        }))
    }
}

const API_URL: &str = "https://api.pushover.net/1/messages.json";
/// Somebody has to say that it was seen, as long as anything fires.
const PRIORITY: &str = "{{ if eq .Status \"firing\" }}2{{ else }}0{{ end }}";
// Source: Pushover, "API limits".
const TITLE_CHARS_MAX: usize = 250;
const MESSAGE_CHARS_MAX: usize = 1024;
const URL_CHARS_MAX: usize = 512;
