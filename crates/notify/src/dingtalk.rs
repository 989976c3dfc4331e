//! DingTalk: one message of a robot to a group.
//!
//! *Sources*: DingTalk, "Custom robots", "Security settings" (signature), "Message types".

use base64::prelude::{BASE64_STANDARD, Engine as _};
use firebell_model::Secret;
use firebell_template::NotificationText;
use serde::{Deserialize, Serialize};

use crate::error::RenderError;
use crate::hmac::hmac;
use crate::http::{HttpRequest, HttpResponse};
use crate::integration::Kind;
use crate::own_text;
use crate::step::Step;
use crate::telling::Telling;
use crate::truncate;
use crate::url::form;
use crate::verdict::{TOO_MANY_REQUESTS, Verdict, one_line};

/// Options of one of `dingtalk_configs`, which Alertmanager does not have. Every text may be a
/// template.
#[derive(Clone, Debug)]
pub struct DingTalkConfig {
    /// Where to send, with its `access_token` (`webhook_url`, `webhook_url_file`).
    pub webhook_url: Secret,
    /// By which messages are signed (`secret`, `secret_file`).
    pub secret: Option<Secret>,
    /// What lists of chats show.
    pub title: NotificationText,
    /// The text, in Markdown; cut at 18,000 bytes.
    pub message: NotificationText,
    /// Numbers of the phones of those who are called by name.
    pub at_mobiles: Vec<String>,
    /// Whether everybody is.
    pub at_all: bool,
}

impl DingTalkConfig {
    /// DingTalk with the defaults.
    #[must_use]
    pub fn new(webhook_url: Secret) -> Self {
        Self {
            webhook_url,
            secret: None,
            title: own_text::headline(),
            message: own_text::markdown(),
            at_mobiles: Vec::new(),
            at_all: false,
        }
    }

    /// The address, with the time and the signature when there is a secret.
    fn url(&self, now_ms: i64) -> String {
        let mut url = self.webhook_url.reveal().to_owned();
        if let Some(secret) = &self.secret {
            let time = now_ms.to_string();
            let text = format!("{time}\n{}", secret.reveal());
            let sign = BASE64_STANDARD.encode(hmac(secret.reveal().as_bytes(), text.as_bytes()));
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str(&form([("timestamp", &*time), ("sign", &*sign)]));
        }
        url
    }
}

impl Kind for DingTalkConfig {
    fn name(&self) -> &'static str {
        "dingtalk"
    }

    fn begin(&self, telling: &Telling<'_>) -> Result<Step, RenderError> {
        let mut text = telling.text("message", &self.message)?;
        // Only who is named in the text is called.
        let names: Vec<_> = self.at_mobiles.iter().map(|it| format!("@{it}")).collect();
        text = truncate::in_bytes(text, TEXT_BYTES_MAX) + &names.join(" ");
        let message = Message {
            msgtype: "markdown",
            markdown: Markdown {
                title: telling.text("title", &self.title)?,
                text,
            },
            at: At {
                at_mobiles: &self.at_mobiles,
                is_at_all: self.at_all,
            },
        };
        let url = self.url(telling.notification().at.0);
        let url = telling.address("webhook_url", &url)?;
        let request = HttpRequest::post_json(url, telling.json(&message)?);
        Ok(Step::ask(request, judge))
    }

    fn secrets(&self) -> Vec<Secret> {
        let secret = self.secret.iter().cloned();
        secret.chain([self.webhook_url.clone()]).collect()
    }
}

/// DingTalk says no with status 200.
fn judge(answer: &HttpResponse) -> Verdict {
    let verdict = Verdict::of_status(answer, &[TOO_MANY_REQUESTS]);
    if verdict != Verdict::Delivered {
        return verdict;
    }
    let Ok(Answer { errcode, errmsg }) = serde_json::from_slice(&answer.body) else {
        let detail = one_line(&answer.body);
        let why = format!("could not read DingTalk's answer as JSON: {detail}");
        return Verdict::Retry { why, after: None };
    };
    let why = format!(
        "error {errcode} from DingTalk: {}",
        one_line(errmsg.as_bytes())
    );
    match errcode {
        0 => Verdict::Delivered,
        BUSY | TOO_FAST => Verdict::Retry { why, after: None },
        _ => Verdict::Rejected { why },
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Answer {
    errcode: i64,
    errmsg: String,
}

#[derive(Serialize)]
struct Message<'a> {
    msgtype: &'static str,
    markdown: Markdown,
    at: At<'a>,
}

#[derive(Serialize)]
struct Markdown {
    title: String,
    text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct At<'a> {
    at_mobiles: &'a [String],
    is_at_all: bool,
}

/// DingTalk takes 20,000 with all around it.
const TEXT_BYTES_MAX: usize = 18_000;
const BUSY: i64 = -1;
const TOO_FAST: i64 = 130_101;
