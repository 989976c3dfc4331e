//! Heartbeats over HTTP: jobs report here, and people see how they fare.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use firebell_engine::Engine;
use firebell_heartbeat::{Heartbeat, HeartbeatKey, Refusal};
use firebell_model::{Alert, Timestamp};
use firebell_wire::prometheus_json::ErrorKind;
use serde_json::{Value, json};

use super::{App, params, refused, stopped, unrecorded, written};
use crate::heartbeats::of_request;

/// `GET /api/firebell/v1/heartbeats`.
pub(super) async fn list(State(app): State<App>) -> Response {
    let listed = app.handle.read(|engine, now| {
        let all = engine.heartbeats().iter();
        let all: Vec<Value> = all.map(|(key, it)| heartbeat_json(now, key, it)).collect();
        all
    });
    match listed.await {
        Ok(all) => written(move || json!({ "heartbeats": all })).await,
        Err(_) => stopped(),
    }
}

/// `GET /api/firebell/v1/heartbeats/{name}?service=SERVICE`.
pub(super) async fn one(State(app): State<App>, Path(name): Path<String>, uri: Uri) -> Response {
    let key = match key_of(&name, &uri) {
        Ok(key) => key,
        Err(why) => return refusal(&why),
    };
    let found = app.handle.read(move |engine, now| {
        known(engine, now, &key).ok_or_else(|| engine.heartbeats().not_known(&key))
    });
    match found.await {
        Ok(Ok(found)) => Json(found).into_response(),
        Ok(Err(why)) => refusal(&why),
        Err(_) => stopped(),
    }
}

/// `POST /api/firebell/v1/heartbeats/{name}`: it ran.
pub(super) async fn beat(
    State(app): State<App>,
    Path(name): Path<String>,
    uri: Uri,
    body: Bytes,
) -> Response {
    let beat = match of_request(app.clock.now(), &name, &params(&uri, &body)) {
        Ok(beat) => beat,
        Err(why) => return refusal(&why),
    };
    let taken = app.handle.command(move |engine, now, step| {
        let key = beat.key.clone();
        engine.beat(now, beat, step)?;
        Ok(known(engine, now, &key))
    });
    match taken.await {
        Ok(Ok(found)) => Json(found).into_response(),
        Ok(Err(why)) => refusal(&why),
        Err(error) => unrecorded(&error),
    }
}

/// `DELETE /api/firebell/v1/heartbeats/{name}?service=SERVICE`: it is no longer awaited.
pub(super) async fn forget(State(app): State<App>, Path(name): Path<String>, uri: Uri) -> Response {
    let key = match key_of(&name, &uri) {
        Ok(key) => key,
        Err(why) => return refusal(&why),
    };
    let forgotten = app
        .handle
        .command(move |engine, now, step| engine.forget_heartbeat(now, &key, step));
    match forgotten.await {
        Ok(Ok(())) => Json(json!({})).into_response(),
        Ok(Err(why)) => refusal(&why),
        Err(error) => unrecorded(&error),
    }
}

fn key_of(name: &str, uri: &Uri) -> Result<HeartbeatKey, Refusal> {
    let params = params(uri, &Bytes::new());
    HeartbeatKey::new(params.get("service").unwrap_or_default(), name)
}

fn known(engine: &Engine, now: Timestamp, key: &HeartbeatKey) -> Option<Value> {
    let (key, it) = engine.heartbeats().get(key)?;
    Some(heartbeat_json(now, key, it))
}

fn refusal(why: &Refusal) -> Response {
    let kind = match why {
        Refusal::Bad(_) => ErrorKind::BadData,
        Refusal::Unknown(_) | Refusal::NotKnown { .. } => ErrorKind::NotFound,
        Refusal::Declared(_) => ErrorKind::Conflict,
        Refusal::TooMany(_) => ErrorKind::Unavailable,
    };
    refused(kind, why.to_string())
}

fn heartbeat_json(now: Timestamp, key: &HeartbeatKey, it: &Heartbeat) -> Value {
    let expected = &it.expectation;
    let alert = |alert: &Option<Alert>| {
        alert.as_ref().map(|alert| {
            json!({
                "fingerprint": alert.labels.fingerprint().to_string(),
                "since": alert.starts_at.to_string(),
                "description": alert.annotations.value("description"),
            })
        })
    };
    json!({
        "name": key.name(),
        "service": key.service(),
        "state": it.state_at(now).name(),
        "every": expected.every().to_string(),
        "grace": expected.grace().to_string(),
        "since": it.since.to_string(),
        "last": it.last.map(|at| at.to_string()),
        "dueAt": it.due_at().to_string(),
        "isDeclared": it.is_declared,
        "labels": expected.labels,
        "annotations": expected.annotations,
        "missed": alert(&it.missed),
        "failed": alert(&it.failed),
    })
}
