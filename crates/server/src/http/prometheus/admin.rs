//! `/admin/tsdb/…`: deletes and snapshots, where the operator has asked for them.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use firebell_tsdb::StoreError;
use firebell_wire::prometheus_json::{ApiError, ErrorKind, Success, time_range};
use serde::Serialize;

use super::{answer, bad_data, refused, selector};
use crate::http::{App, params};

/// An error unless the operator has asked for this API.
fn allowed(app: &App) -> Result<(), ApiError> {
    match app.flags.has_admin_api {
        true => Ok(()),
        false => Err(ApiError::new(ErrorKind::Unavailable, "admin APIs disabled")),
    }
}

pub(super) async fn delete(State(app): State<App>, uri: Uri, body: Bytes) -> Response {
    let params = params(&uri, &body);
    let delete = move || {
        allowed(&app)?;
        if params.all("match[]").next().is_none() {
            return Err(bad_data("no match[] parameter provided"));
        }
        let range = time_range(&params)?;
        let mut selectors = Vec::new();
        for text in params.all("match[]") {
            let matchers = selector(text)
                .map_err(|why| bad_data(format!("invalid parameter \"match[]\": {why}")))?;
            // `{}` selects nothing, as upstream: a slip must not delete all.
            if !matchers.is_empty() {
                selectors.push(matchers);
            }
        }
        app.store.delete(&selectors, range).map_err(internal)?;
        Ok(StatusCode::NO_CONTENT.into_response())
    };
    on_thread(delete).await
}

pub(super) async fn clean(State(app): State<App>) -> Response {
    let clean = move || {
        allowed(&app)?;
        app.store.clean_tombstones().map_err(internal)?;
        Ok(StatusCode::NO_CONTENT.into_response())
    };
    on_thread(clean).await
}

pub(super) async fn snapshot(State(app): State<App>, uri: Uri, body: Bytes) -> Response {
    let params = params(&uri, &body);
    let snapshot = move || {
        allowed(&app)?;
        let skips_head = match params.get("skip_head").filter(|text| !text.is_empty()) {
            None => false,
            Some(text) => parse_bool(text).ok_or_else(|| {
                let why = format!(
                    "invalid parameter \"skip_head\": unable to parse boolean: strconv.ParseBool: \
                     parsing {text:?}: invalid syntax"
                );
                bad_data(why)
            })?,
        };
        let name = format!("{:013}-{}", app.clock.now().0, app.store.generation());
        let folder = format!("snapshots/{name}");
        app.store.snapshot(&folder, skips_head).map_err(internal)?;
        Ok(answer(Ok(Success::new(Snapshot { name }))))
    };
    on_thread(snapshot).await
}

/// Where a snapshot is: below `snapshots` in the data folder.
#[derive(Serialize)]
struct Snapshot {
    name: String,
}

/// What waits for the disk does so on a thread for blocking work.
async fn on_thread(work: impl FnOnce() -> Result<Response, ApiError> + Send + 'static) -> Response {
    let result = tokio::task::spawn_blocking(work).await;
    let failed =
        |error: tokio::task::JoinError| ApiError::new(ErrorKind::Internal, error.to_string());
    answer_or(result.unwrap_or_else(|error| Err(failed(error))))
}

fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

fn internal(error: StoreError) -> ApiError {
    ApiError::new(ErrorKind::Internal, error.to_string())
}

fn answer_or(result: Result<Response, ApiError>) -> Response {
    result.unwrap_or_else(|error| refused(&error))
}
