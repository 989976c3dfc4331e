//! Leases over HTTP: hosts agree here which one of them evaluates a check.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use firebell_engine::{Lease, LeaseKey, LeaseRefusal, LeaseRequest};
use firebell_model::Duration;
use firebell_wire::params::Params;
use firebell_wire::prometheus_json::ErrorKind;
use serde_json::{Value, json};

use super::{App, params, refused, stopped, unrecorded, written};

/// `GET /api/firebell/v1/leases`.
pub(super) async fn list(State(app): State<App>) -> Response {
    let listed = app.handle.read(|engine, now| {
        let held = engine.leases().held(now);
        held.map(|(key, it)| lease_json(key, it)).collect()
    });
    match listed.await {
        Ok(held) => {
            let held: Vec<Value> = held;
            written(move || json!({ "leases": held })).await
        }
        Err(_) => stopped(),
    }
}

/// `POST /api/firebell/v1/leases/{name}?service=SERVICE&holder=HOLDER&for=DURATION`: who has it now.
pub(super) async fn take(
    State(app): State<App>,
    Path(name): Path<String>,
    uri: Uri,
    body: Bytes,
) -> Response {
    let asked = match of_request(&name, &params(&uri, &body)) {
        Ok(asked) => asked,
        Err(why) => return refusal(&why),
    };
    let taken = app.handle.change(move |engine, now| {
        let key = asked.key().clone();
        let lease = engine.leases_mut().take(now, asked)?;
        Ok(lease_json(&key, &lease))
    });
    match taken.await {
        Ok(Ok(lease)) => Json(lease).into_response(),
        Ok(Err(why)) => refusal(&why),
        Err(error) => unrecorded(&error),
    }
}

/// `DELETE /api/firebell/v1/leases/{name}?service=SERVICE&holder=HOLDER`: whoever asks next has it.
pub(super) async fn give_up(
    State(app): State<App>,
    Path(name): Path<String>,
    uri: Uri,
) -> Response {
    let params = params(&uri, &Bytes::new());
    let key = match key_of(&name, &params) {
        Ok(key) => key,
        Err(why) => return refusal(&why),
    };
    let holder = params.get("holder").unwrap_or_default().to_owned();
    let given_up = app
        .handle
        .change(move |engine, now| engine.leases_mut().give_up(now, &key, &holder));
    match given_up.await {
        Ok(Ok(())) => Json(json!({})).into_response(),
        Ok(Err(why)) => refusal(&why),
        Err(error) => unrecorded(&error),
    }
}

fn of_request(name: &str, params: &Params) -> Result<LeaseRequest, LeaseRefusal> {
    let lasts = params.get("for").unwrap_or_default();
    let lasts = lasts.parse::<Duration>().map_err(|_| {
        LeaseRefusal::Bad(format!("`for` is a duration, such as 45s, not `{lasts}`"))
    })?;
    let holder = params.get("holder").unwrap_or_default();
    LeaseRequest::new(key_of(name, params)?, holder, lasts)
}

fn key_of(name: &str, params: &Params) -> Result<LeaseKey, LeaseRefusal> {
    LeaseKey::new(params.get("service").unwrap_or_default(), name)
}

fn refusal(why: &LeaseRefusal) -> Response {
    let kind = match why {
        LeaseRefusal::Bad(_) => ErrorKind::BadData,
        LeaseRefusal::NotHeld(..) => ErrorKind::NotFound,
        LeaseRefusal::TooMany(_) => ErrorKind::Unavailable,
    };
    refused(kind, why.to_string())
}

fn lease_json(key: &LeaseKey, lease: &Lease) -> Value {
    json!({
        "name": key.name(),
        "service": key.service(),
        "holder": &*lease.holder,
        "until": lease.until.to_string(),
    })
}
