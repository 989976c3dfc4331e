//! Prometheus's HTTP API, below `/api/v1`.
//!
//! *Invariants*: what takes time is computed, and its answer written, on threads for blocking work;
//! the driver is asked for what it knows and nothing else.
//!
//! *Sources*: Prometheus, `web/api/v1/api.go`, as behaviour.

mod admin;
mod ast;
mod compute;
mod endpoints;
mod exemplars;
mod fired;
mod kept;
mod notifications;
mod openapi;
mod over;
mod parse;
mod preview;
mod query;
mod rules;
mod search;
mod selectors;
mod series;
mod status;
mod targets;

use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;
use firebell_wire::prometheus_json::{ApiError, ErrorKind, Success};
use serde::Serialize;

pub(super) use self::compute::{Job, compute_with};
pub(super) use self::fired::fired;
pub(crate) use self::kept::KeptPlans;
pub(crate) use self::notifications::{Since, watch};
pub(super) use self::over::over;
pub(super) use self::preview::preview;
pub(super) use self::selectors::{selector, selectors};
pub(super) use self::status::plain_version;
pub(crate) use self::status::version;

use self::endpoints::{ENDPOINTS, Endpoint};
use super::{App, json, otlp, read, write};

/// Routes below `/api/v1`.
pub(super) fn routes() -> Router<App> {
    let add = |router: Router<App>, it: &Endpoint| router.route(it.path, (it.handler)());
    let router = ENDPOINTS.iter().fold(Router::new(), add);
    router.method_not_allowed_fallback(async || {
        (StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed\n")
    })
}

/// All paths with their methods, for tests.
#[cfg(test)]
pub(super) fn paths() -> impl Iterator<Item = (String, Vec<String>)> {
    ENDPOINTS.iter().map(|it| {
        let methods = it.methods.iter().map(|&it| it.to_owned());
        (it.path.to_owned(), methods.collect())
    })
}

type Answer<T> = Result<Success<T>, ApiError>;

fn answer<T: Serialize>(result: Answer<T>) -> Response {
    match result {
        Ok(success) => json(200, success.to_json()),
        Err(error) => refused(&error),
    }
}

/// Makes an answer on a thread for such work.
async fn aside<T: Serialize>(make: impl FnOnce() -> Answer<T> + Send + 'static) -> Response {
    let made = tokio::task::spawn_blocking(move || answer(make())).await;
    made.unwrap_or_else(|_| {
        let message = "the answer could not be made: please report it";
        refused(&ApiError::new(ErrorKind::Internal, message))
    })
}

fn refused(error: &ApiError) -> Response {
    json(error.kind.status(), error.to_json())
}

fn bad_data(message: impl Into<String>) -> ApiError {
    ApiError::new(ErrorKind::BadData, message)
}

/// The driver has stopped: Firebell is shutting down.
fn stopped(error: crate::driver::Unrecorded) -> ApiError {
    ApiError::new(ErrorKind::Unavailable, error.to_string())
}
