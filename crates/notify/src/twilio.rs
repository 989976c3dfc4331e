//! Twilio: a text message to a phone, or a call that reads a text.
//!
//! *Invariants*: one phone each, so that nobody is called again because another was not reached.
//!
//! *Sources*: Twilio, REST API of 2010-04-01, `Messages`, `Calls`; TwiML, `Say`.

use firebell_model::Secret;
use firebell_template::NotificationText;

use crate::aim::{Aim, page_text};
use crate::error::RenderError;
use crate::http::{HttpRequest, basic, escape_path};
use crate::integration::Kind;
use crate::own_text;
use crate::step::Step;
use crate::telling::Telling;
use crate::truncate;
use crate::url::{FORM, form, join};
use crate::verdict::{TOO_MANY_REQUESTS, Verdict};

/// Options of one of `twilio_configs`, which Alertmanager does not have.
#[derive(Clone, Debug)]
pub struct TwilioConfig {
    /// Where the API is (`api_url`, default `https://api.twilio.com`).
    pub api_url: String,
    /// Names the account.
    pub account_sid: String,
    /// Of the account (`auth_token`, `auth_token_file`).
    pub auth_token: Secret,
    /// The phone that sends.
    pub from: String,
    /// The phone that is told.
    pub to: NotificationText,
    /// Whether it is called (`type: call`); a text message otherwise (`type: sms`).
    pub calls: bool,
    /// What is sent, cut at 1600 characters, or said, cut at 600; may be a template.
    pub message: NotificationText,
    /// In which language it is said, such as `en-US`.
    pub language: String,
}

impl TwilioConfig {
    /// Twilio with the defaults: a text message.
    #[must_use]
    pub fn new(account_sid: String, auth_token: Secret) -> Self {
        Self {
            api_url: "https://api.twilio.com".to_owned(),
            account_sid,
            auth_token,
            from: String::new(),
            to: NotificationText::default(),
            calls: false,
            message: own_text::headline(),
            language: "en-US".to_owned(),
        }
    }

    fn body(&self, to: &str, message: &str) -> String {
        let mut parameters = vec![("To", to), ("From", self.from.as_str())];
        let said;
        if self.calls {
            let (language, message) = (xml(&self.language), xml(message));
            said = format!(
                "<Response><Say language=\"{language}\" loop=\"2\">{message}</Say></Response>"
            );
            parameters.push(("Twiml", said.as_str()));
        } else {
            parameters.push(("Body", message));
        }
        form(parameters)
    }
}

impl Kind for TwilioConfig {
    fn name(&self) -> &'static str {
        "twilio"
    }

    fn begin(&self, telling: &Telling<'_>) -> Result<Step, RenderError> {
        let (what, chars_max) = if self.calls {
            ("Calls", SAID_CHARS_MAX)
        } else {
            ("Messages", SMS_CHARS_MAX)
        };
        let message = telling.text("message", &self.message)?;
        let message = truncate::in_chars(message, chars_max);
        let account = escape_path(&self.account_sid);
        let path = format!("2010-04-01/Accounts/{account}/{what}.json");
        let url = telling.address("api_url", &join(&self.api_url, &path))?;
        let to = telling.text("to", &self.to)?;
        let request = HttpRequest::post(url, FORM, self.body(&to, &message)).with_header(
            "Authorization",
            basic(&self.account_sid, self.auth_token.reveal()),
        );
        Ok(Step::ask(request, |answer| {
            Verdict::of_status(answer, &[TOO_MANY_REQUESTS])
        }))
    }

    fn secrets(&self) -> Vec<Secret> {
        vec![self.auth_token.clone()]
    }

    fn aimed(&self, aim: &Aim<'_>) -> Option<Box<dyn Kind>> {
        let calls = match aim.by {
            "phone" => true,
            "sms" => false,
            _ => return None,
        };
        let message = if calls { "said" } else { "short" };
        Some(Box::new(Self {
            to: aim.number(),
            calls,
            message: page_text(message),
            ..self.clone()
        }))
    }
}

fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

const SMS_CHARS_MAX: usize = 1600;
/// About a minute.
const SAID_CHARS_MAX: usize = 600;
