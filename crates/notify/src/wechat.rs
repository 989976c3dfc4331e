//! WeChat Work: a token, then one message with it.
//!
//! *Invariants*: a token is asked for once and used for two hours, or until it is refused.
//!
//! *Sources*: Alertmanager, `notify/wechat`; WeChat Work, `gettoken` and `message/send`.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use firebell_model::{Duration, Secret, Timestamp};
use firebell_template::NotificationText;
use serde::{Deserialize, Serialize};

use crate::error::RenderError;
use crate::http::{HttpRequest, HttpResponse};
use crate::integration::Kind;
use crate::secret_text::SecretText;
use crate::step::Step;
use crate::telling::Telling;
use crate::url::form;
use crate::verdict::{Verdict, one_line, scrub};

/// Options of one of `wechat_configs`. Every text may be a template.
#[derive(Clone, Debug)]
pub struct WechatConfig {
    /// Where the API is, with a slash at its end (`api_url`, `global.wechat_api_url`).
    pub api_url: String,
    /// The secret of the app.
    pub api_secret: SecretText,
    /// The company.
    pub corp_id: NotificationText,
    /// The text.
    pub message: NotificationText,
    /// People, divided by `|`; `@all` is everybody.
    pub to_user: NotificationText,
    /// Departments.
    pub to_party: NotificationText,
    /// Groups of people.
    pub to_tag: NotificationText,
    /// The app.
    pub agent_id: NotificationText,
    /// Whether the text is Markdown (`message_type: markdown`).
    pub is_markdown: bool,
    token: Token,
}

impl WechatConfig {
    /// WeChat with upstream's defaults.
    #[must_use]
    pub fn new(api_url: String, api_secret: SecretText) -> Self {
        let built_in = |name: &str| NotificationText::calling(&format!("wechat.default.{name}"));
        Self {
            api_url,
            api_secret,
            corp_id: NotificationText::default(),
            message: built_in("message"),
            to_user: built_in("to_user"),
            to_party: built_in("to_party"),
            to_tag: built_in("to_tag"),
            agent_id: built_in("agent_id"),
            is_markdown: false,
            token: Token::default(),
        }
    }

    fn message(&self, telling: &Telling<'_>) -> Result<String, RenderError> {
        let content = telling.text("message", &self.message)?;
        let (text, markdown, kind) = if self.is_markdown {
            (String::new(), content, "markdown")
        } else {
            (content, String::new(), "text")
        };
        telling.json(&Message {
            text: Content { content: text },
            touser: telling.text("to_user", &self.to_user)?,
            toparty: telling.text("to_party", &self.to_party)?,
            totag: telling.text("to_tag", &self.to_tag)?,
            agentid: telling.text("agent_id", &self.agent_id)?,
            safe: "0",
            msgtype: kind,
            markdown: Content { content: markdown },
        })
    }

    fn token_request(&self, telling: &Telling<'_>) -> Result<HttpRequest, RenderError> {
        let corp_id = telling.text("corp_id", &self.corp_id)?;
        let secret = telling.text("api_secret", self.api_secret.text())?;
        let query = form([("corpid", &*corp_id), ("corpsecret", &*secret)]);
        let url = format!("{}gettoken?{query}", self.api_url);
        Ok(HttpRequest::get(telling.address("api_url", &url)?))
    }
}

impl Kind for WechatConfig {
    fn name(&self) -> &'static str {
        "wechat"
    }

    fn begin(&self, telling: &Telling<'_>) -> Result<Step, RenderError> {
        let body = self.message(telling)?;
        let base = telling.address("api_url", &self.api_url)?;
        let token = self.token.clone();
        let now = telling.notification().at;
        if let Some(known) = token.get(now) {
            return Ok(send(&base, known, body, token));
        }
        let request = self.token_request(telling)?;
        let corp_id = self.corp_id.text().to_owned();
        Ok(Step::ask_then(
            request,
            move |answer| match serde_json::from_slice::<TokenAnswer>(&answer.body) {
                Ok(TokenAnswer { access_token }) if !access_token.is_empty() => {
                    let fresh = Secret::new(access_token);
                    token.set(Some((fresh.clone(), now)));
                    send(&base, fresh, body, token)
                }
                Ok(_) => rejected(format!("invalid APISecret for CorpID: {corp_id}")),
                Err(_) => rejected("could not read the answer with the token".to_owned()),
            },
        ))
    }

    fn secrets(&self) -> Vec<Secret> {
        let known = self.token.lock().clone();
        let known = known.map(|(token, _)| token);
        known
            .into_iter()
            .chain([self.api_secret.to_secret()])
            .collect()
    }
}

fn rejected(why: String) -> Step {
    Step::Done(Verdict::Rejected { why })
}

fn send(base: &Secret, access_token: Secret, body: String, token: Token) -> Step {
    let query = form([("access_token", access_token.reveal())]);
    let url = format!("{}message/send?{query}", base.reveal());
    let request = HttpRequest::post_json(Secret::new(url), body);
    Step::ask(request, move |answer| {
        let mut verdict = judge(answer, &token);
        if let Verdict::Retry { why, .. } | Verdict::Rejected { why } = &mut verdict {
            scrub(why, &access_token);
        }
        verdict
    })
}

fn judge(response: &HttpResponse, token: &Token) -> Verdict {
    let retry = |why| Verdict::Retry { why, after: None };
    if response.status != 200 {
        return retry(format!("unexpected status code {}", response.status));
    }
    let Ok(Answer { errcode, errmsg }) = serde_json::from_slice(&response.body) else {
        let detail = one_line(&response.body);
        return retry(format!("could not read WeChat's answer as JSON: {detail}"));
    };
    let why = one_line(errmsg.as_bytes());
    match errcode {
        0 => Verdict::Delivered,
        TOKEN_EXPIRED => {
            token.set(None);
            retry(why)
        }
        _ => Verdict::Rejected { why },
    }
}

/// The last token and when it was asked for; shared by all deliveries of an integration.
#[derive(Clone, Default)]
struct Token(Arc<Mutex<Option<(Secret, Timestamp)>>>);

impl Token {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(Secret, Timestamp)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, now: Timestamp) -> Option<Secret> {
        let known = self.lock().clone();
        let known = known.filter(|(_, at)| now <= *at + TOKEN_LIFE);
        known.map(|(token, _)| token)
    }

    fn set(&self, token: Option<(Secret, Timestamp)>) {
        *self.lock() = token;
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct TokenAnswer {
    access_token: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Answer {
    errcode: i64,
    errmsg: String,
}

/// The body. The order of fields and what is left out when empty are upstream's.
#[derive(Serialize)]
struct Message {
    text: Content,
    #[serde(skip_serializing_if = "String::is_empty")]
    touser: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    toparty: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    totag: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    agentid: String,
    safe: &'static str,
    msgtype: &'static str,
    markdown: Content,
}

#[derive(Serialize)]
struct Content {
    content: String,
}

const TOKEN_LIFE: Duration = Duration::from_secs(2 * 3600);
/// Source: WeChat Work, "Global error codes".
const TOKEN_EXPIRED: i64 = 42_001;
