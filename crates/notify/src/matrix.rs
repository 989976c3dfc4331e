//! Matrix: one message to a room.
//!
//! *Sources*: Matrix, Client-Server API, `PUT …/send/{eventType}/{txnId}`, "Rate limiting".

use firebell_model::{Duration, Secret};
use firebell_template::NotificationText;
use serde::{Deserialize, Serialize};

use crate::error::RenderError;
use crate::http::{HttpRequest, HttpResponse, Method, escape_path};
use crate::integration::Kind;
use crate::own_text;
use crate::step::Step;
use crate::telling::Telling;
use crate::truncate;
use crate::url::join;
use crate::verdict::{TOO_MANY_REQUESTS, Verdict};

/// Options of one of `matrix_configs`, which Alertmanager does not have. Every text may be a template.
#[derive(Clone, Debug)]
pub struct MatrixConfig {
    /// Where the home server is (`url`).
    pub url: String,
    /// Of the account (`access_token`, `access_token_file`).
    pub access_token: Secret,
    /// The room, `!id:server`; the account has to be in it.
    pub room_id: NotificationText,
    /// The text; cut at 32 KiB, half of what an event may take.
    pub message: NotificationText,
}

impl MatrixConfig {
    /// Matrix with the defaults.
    #[must_use]
    pub fn new(url: String, access_token: Secret) -> Self {
        Self {
            url,
            access_token,
            room_id: NotificationText::default(),
            message: own_text::whole(),
        }
    }
}

impl Kind for MatrixConfig {
    fn name(&self) -> &'static str {
        "matrix"
    }

    fn begin(&self, telling: &Telling<'_>) -> Result<Step, RenderError> {
        let room_id = telling.text("room_id", &self.room_id)?;
        let room = escape_path(&room_id).replace('/', "%2F");
        // The server drops what it got before under the same name: an attempt that is repeated since
        // its answer was lost makes no second message.
        let name = format!("{}-{}", telling.key_hash(), telling.notification().at.0);
        let path = format!("_matrix/client/v3/rooms/{room}/send/m.room.message/{name}");
        let url = telling.address("url", &join(&self.url, &path))?;
        let body = telling.text("message", &self.message)?;
        let message = Message {
            msgtype: "m.text",
            body: truncate::in_bytes(body, MESSAGE_BYTES_MAX),
        };
        let bearer = Secret::new(format!("Bearer {}", self.access_token.reveal()));
        let request = HttpRequest::post_json(url, telling.json(&message)?)
            .by(Method::Put)
            .with_header("Authorization", bearer);
        Ok(Step::ask(request, judge))
    }

    fn secrets(&self) -> Vec<Secret> {
        vec![self.access_token.clone()]
    }
}

/// Older servers say in the body how long to wait.
fn judge(answer: &HttpResponse) -> Verdict {
    let mut verdict = Verdict::of_status(answer, &[TOO_MANY_REQUESTS]);
    if let Verdict::Retry { after, .. } = &mut verdict
        && after.is_none()
    {
        let said = serde_json::from_slice::<Refusal>(&answer.body).unwrap_or_default();
        let wait = said.retry_after_ms.min(RETRY_AFTER_MS_MAX);
        *after = (wait > 0).then_some(Duration(wait));
    }
    verdict
}

#[derive(Serialize)]
struct Message {
    msgtype: &'static str,
    body: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Refusal {
    retry_after_ms: i64,
}

const MESSAGE_BYTES_MAX: usize = 32 << 10;
const RETRY_AFTER_MS_MAX: i64 = 3_600_000;
