//! The history over HTTP: pages of what happened to alerts and notifications.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use firebell_dispatch::{HistoryEntry, HistoryEvent, Mutes};
use firebell_engine::{Cursor, HistoryQuery};
use firebell_model::{Timestamp, parse_matchers};
use firebell_wire::params::Params;
use firebell_wire::prometheus_json::ErrorKind;
use serde_json::{Map, Value, json};

use super::{App, limit_param, may_wait, params, refused};

/// `GET /api/firebell/v1/history`.
pub(super) async fn list(State(app): State<App>, uri: Uri) -> Response {
    let query = match read_query(&params(&uri, &Bytes::new())) {
        Ok(query) => query,
        Err(why) => return refused(ErrorKind::BadData, why),
    };
    let history = app.history.clone();
    let n_lost = history.n_lost();
    let answer = may_wait(move || match history.find(&query) {
        Ok(page) => {
            let entries: Vec<Value> = page.entries.iter().map(entry_json).collect();
            let next = page.next.map(|it| it.to_string());
            Json(json!({ "entries": entries, "next": next, "lost": n_lost })).into_response()
        }
        Err(error) => refused(ErrorKind::Unavailable, error.to_string()),
    });
    answer.await.unwrap_or_else(super::stopped)
}

fn read_query(params: &Params) -> Result<HistoryQuery, String> {
    let moment = |name: &str, default| match params.get(name) {
        None | Some("") => Ok(default),
        Some(text) => text
            .parse::<Timestamp>()
            .map_err(|error| format!("`{name}` is no time: {error}")),
    };
    let mut matchers = Vec::new();
    for text in params.all("match") {
        matchers.extend(parse_matchers(text).map_err(|error| error.to_string())?);
    }
    let kinds: Vec<String> = params.all("kind").map(str::to_owned).collect();
    if let Some(unknown) = kinds.iter().find(|it| !KINDS.contains(&it.as_str())) {
        return Err(format!(
            "there is no kind `{unknown}`, only {}",
            KINDS.join(", ")
        ));
    }
    let limit = limit_param(params, LIMIT_DEFAULT, LIMIT_MAX)?;
    let is_newest_first = match params.get("order") {
        None | Some("newest") => true,
        Some("oldest") => false,
        Some(other) => return Err(format!("`order` is newest or oldest, not `{other}`")),
    };
    let behind = match params.get("page") {
        None | Some("") => None,
        Some(text) => {
            let cursor = text.parse::<Cursor>();
            Some(cursor.map_err(|()| format!("`{text}` is no `next` of an earlier page"))?)
        }
    };
    Ok(HistoryQuery {
        from: moment("from", Timestamp::MIN)?,
        to: moment("to", Timestamp::MAX)?,
        matchers,
        receiver: params.get("receiver").map(str::to_owned),
        kinds,
        is_newest_first,
        limit,
        behind,
    })
}

/// As it is kept, with times for people, the fingerprint and what mutes in words.
fn entry_json(entry: &HistoryEntry) -> Value {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    put("at", json!(entry.at.to_string()));
    put("kind", json!(entry.event.kind()));
    put("labels", json!(entry.labels));
    if let Some(receiver) = entry.event.receiver() {
        put("receiver", json!(receiver));
    }
    match &entry.event {
        HistoryEvent::Notification(notified) => {
            let alerts = notified.alerts.iter().map(ToString::to_string);
            put("status", json!(notified.status));
            put("group", json!(notified.group));
            put("integration", json!(notified.integration));
            put("reason", json!(notified.reason));
            put("alerts", json!(alerts.collect::<Vec<_>>()));
            put("alertCount", json!(notified.n_alerts));
            put("attempts", json!(notified.attempts));
            put("tookMs", json!(notified.took_ms));
            put("error", json!(notified.error));
            put(
                "mutedBy",
                json!(notified.by.iter().map(mute_json).collect::<Vec<_>>()),
            );
        }
        event => {
            put("fingerprint", json!(entry.labels.fingerprint().to_string()));
            match event {
                HistoryEvent::Suppressed { by, .. } => put("mutedBy", json!([mute_json(by)])),
                HistoryEvent::Acknowledged { by, incident } => {
                    put("by", json!(by));
                    put("incident", json!(incident))
                }
                HistoryEvent::Judged {
                    verdict,
                    by,
                    incident,
                    since: _,
                } => {
                    put("verdict", json!(verdict));
                    put("by", json!(by));
                    put("guessed", json!(by.is_none()));
                    put("incident", json!(incident))
                }
                _ => None,
            };
        }
    }
    Value::Object(fields)
}

fn mute_json(mute: &Mutes) -> Value {
    let (what, id) = match mute {
        Mutes::Inhibition(source) => ("inhibition", source.to_string()),
        Mutes::Interval(name) => ("interval", name.to_string()),
        Mutes::Silence(id) => ("silence", id.to_string()),
    };
    json!({ "what": what, "id": id })
}

const KINDS: [&str; 8] = [
    "pending",
    "firing",
    "resolved",
    "suppressed",
    "unsuppressed",
    "notification",
    "acknowledged",
    "judged",
];
const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 10_000;
