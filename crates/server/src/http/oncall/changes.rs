//! Schedules, temporary ones, shifts, overrides and swaps over HTTP: the same objects as in files,
//! checked by the same code.
//!
//! *Invariants*: whoever changes something says who they are, and is answered once it is durable and
//! in force. What is wrong is told with its place in the object, and nothing has changed then.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use firebell_model::Timestamp;
use firebell_wire::prometheus_json::ErrorKind;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{calendar, set};
use crate::http::ruler::{listed, status_of, who};
use crate::http::{App, may_wait, params, refused, stopped};
use crate::managed::{
    Change, ChangeError, Managed, Namespaces, OVERRIDES, SCHEDULES, SHIFTS, SWAPS, TEMPORARY,
};
use crate::serve::{ManagedError, ManagedKind, change_managed};

/// The routes below `/oncall`.
pub(in crate::http) fn routes() -> Router<App> {
    let remove_override = |state, id, uri, headers| remove(state, OVERRIDES, id, uri, headers);
    let remove_temporary = |state, id, uri, headers| remove(state, TEMPORARY, id, uri, headers);
    let remove_swap = |state, id, uri, headers| remove(state, SWAPS, id, uri, headers);
    let remove_shift = |state, id, uri, headers| remove(state, SHIFTS, id, uri, headers);
    let remove_schedule = |state, name, uri, headers| remove(state, SCHEDULES, name, uri, headers);
    Router::new()
        .route("/oncall/overrides", get(set::list).post(add_override))
        .route("/oncall/overrides/{id}", delete(remove_override))
        .route("/oncall/temporary", post(add_temporary))
        .route("/oncall/temporary/{id}", delete(remove_temporary))
        .route("/oncall/calendar", post(calendar::read))
        .route("/oncall/shifts/{id}", delete(remove_shift))
        .route("/oncall/swaps", post(add_swap))
        .route("/oncall/swaps/{id}", delete(remove_swap))
        .route(
            "/oncall/schedules/{name}",
            put(set_schedule).delete(remove_schedule),
        )
        .route("/oncall/changes", get(changes))
        .route("/oncall/changes/{id}/revert", post(revert))
}

/// What is posted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Said {
    #[serde(default)]
    by: Option<String>,
    #[serde(default, rename = "override")]
    change: Option<Value>,
    #[serde(default)]
    swap: Option<Value>,
    #[serde(default)]
    temporary: Option<Value>,
    #[serde(default)]
    schedule: Option<Value>,
}

/// `POST /api/firebell/v1/oncall/overrides`.
async fn add_override(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Response {
    let text = said(&body).and_then(|it| Ok((text_of(it.change.as_ref(), "override")?, it.by)));
    add(app, OVERRIDES, text, &headers).await
}

/// `POST /api/firebell/v1/oncall/swaps`.
async fn add_swap(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Response {
    let text = said(&body).and_then(|it| Ok((text_of(it.swap.as_ref(), "swap")?, it.by)));
    add(app, SWAPS, text, &headers).await
}

/// `POST /api/firebell/v1/oncall/temporary`.
async fn add_temporary(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Response {
    let text = said(&body).and_then(|it| Ok((text_of(it.temporary.as_ref(), "temporary")?, it.by)));
    add(app, TEMPORARY, text, &headers).await
}

async fn add(
    app: App,
    kind: &'static str,
    text: Result<(String, Option<String>), String>,
    headers: &HeaderMap,
) -> Response {
    let (text, by) = match text {
        Ok(read) => read,
        Err(why) => return refused(ErrorKind::BadData, why),
    };
    let by = author(by, headers);
    let plan = move |managed: &Managed, now| {
        // Names are in order as numbers are.
        let name = format!("{:08}", managed.next_id());
        managed.plan(now, &by, kind, vec![(name, Some(text))])
    };
    change(app, plan).await
}

/// `PUT /api/firebell/v1/oncall/schedules/{name}`.
async fn set_schedule(
    State(app): State<App>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let read = said(&body).and_then(|it| Ok((text_of(it.schedule.as_ref(), "schedule")?, it.by)));
    let (text, by) = match read {
        Ok(read) => read,
        Err(why) => return refused(ErrorKind::BadData, why),
    };
    let by = author(by, &headers);
    let plan =
        move |managed: &Managed, now| managed.plan(now, &by, SCHEDULES, vec![(name, Some(text))]);
    change(app, plan).await
}

/// `DELETE /api/firebell/v1/oncall/overrides/{id}`, `…/swaps/{id}`, `…/temporary/{id}`,
/// `…/shifts/{id}` and `…/schedules/{name}`.
async fn remove(
    State(app): State<App>,
    kind: &'static str,
    Path(name): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let by = params(&uri, &Bytes::new()).get("by").map(str::to_owned);
    let by = author(by, &headers);
    let name = match (kind, name.parse::<u64>()) {
        (OVERRIDES | SWAPS | TEMPORARY, Ok(number)) => format!("{number:08}"),
        _ => name,
    };
    change(app, move |managed, now| {
        managed.plan(now, &by, kind, vec![(name, None)])
    })
    .await
}

/// `GET /api/firebell/v1/oncall/changes`.
async fn changes(State(app): State<App>) -> Response {
    match may_wait(move || app.oncall.changes()).await {
        Some(changes) => listed(changes).await,
        None => stopped(),
    }
}

/// `POST /api/firebell/v1/oncall/changes/{id}/revert`.
async fn revert(
    State(app): State<App>,
    Path(id): Path<u64>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let by = match body.is_empty() {
        true => Ok(None),
        false => said(&body).map(|it| it.by),
    };
    let by = match by {
        Ok(by) => author(by, &headers),
        Err(why) => return refused(ErrorKind::BadData, why),
    };
    change(app, move |managed, now| managed.plan_revert(now, &by, id)).await
}

async fn change(
    app: App,
    plan: impl FnOnce(&Managed, Timestamp) -> Result<(Change, Namespaces), ChangeError> + Send + 'static,
) -> Response {
    let done = may_wait(move || change_managed(&app, ManagedKind::Oncall, plan)).await;
    done.map_or_else(stopped, changed)
}

/// What is answered when something was changed, or was not.
pub(super) fn changed(done: Result<Change, ManagedError>) -> Response {
    match done {
        Ok(change) => {
            let names = change.groups.iter().map(|it| shown(&it.name));
            let body = json!({
                "change": change.id,
                "id": names.collect::<Vec<_>>().join(", "),
            });
            Json(body).into_response()
        }
        Err(ManagedError::Change(ChangeError::NoGroup)) => {
            let why = "there is none of this name that was set over HTTP: what stands in files is \
                       changed there";
            refused(ErrorKind::NotFound, why.to_owned())
        }
        Err(error) => {
            let status = status_of(&error);
            let kind = match status.as_u16() {
                404 => ErrorKind::NotFound,
                409 => ErrorKind::Conflict,
                503 => ErrorKind::Unavailable,
                _ => ErrorKind::BadData,
            };
            refused(kind, error.to_string())
        }
    }
}

fn said(body: &[u8]) -> Result<Said, String> {
    if body.len() > BODY_BYTES_MAX {
        let n_bytes = body.len();
        return Err(format!(
            "the body has {n_bytes} bytes, and {BODY_BYTES_MAX} are read at most"
        ));
    }
    serde_json::from_slice(body).map_err(|error| format!("the body cannot be read: {error}"))
}

fn text_of(object: Option<&Value>, name: &str) -> Result<String, String> {
    match object {
        Some(object @ Value::Object(_)) => Ok(object.to_string()),
        _ => Err(format!(
            "`{name}` is an object, as a file of `oncall` has it"
        )),
    }
}

/// Who says so; else what a proxy says of its user.
pub(super) fn author(by: Option<String>, headers: &HeaderMap) -> String {
    let by = by.filter(|it| !it.trim().is_empty());
    let by = by.unwrap_or_else(|| who(headers));
    let shown = by.chars().filter(|it| !it.is_control());
    shown.take(AUTHOR_CHARS_MAX).collect()
}

/// A number without what makes it sort.
pub(super) fn shown(name: &str) -> &str {
    let is_number = name.len() == 8 && name.bytes().all(|it| it.is_ascii_digit());
    match is_number {
        true => name.trim_start_matches('0'),
        false => name,
    }
}

/// A schedule of a thousand overrides has a place in it.
const BODY_BYTES_MAX: usize = 256 << 10;
const AUTHOR_CHARS_MAX: usize = 100;
