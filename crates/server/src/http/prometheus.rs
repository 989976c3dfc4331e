//! Prometheus's HTTP API, below `/api/v1`.
//!
//! *Invariants*: what takes time is computed, and its answer written, on threads for blocking work;
//! the driver is asked for what it knows and nothing else.
//!
//! *Sources*: Prometheus, `web/api/v1/api.go`, as behaviour.

mod admin;
mod ast;
mod compute;
mod exemplars;
mod notifications;
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
use axum::routing::{get, post};
use firebell_wire::prometheus_json::{ApiError, ErrorKind, Success};
use serde::Serialize;

pub(super) use self::compute::{Job, compute_with};
pub(super) use self::preview::preview;
pub(super) use self::selectors::{selector, selectors};
pub(super) use self::status::plain_version;
pub(crate) use self::status::version;

use super::{App, json, otlp, read, write};

/// Routes below `/api/v1`.
pub(super) fn routes() -> Router<App> {
    let router = Router::new()
        .route("/query", get(query::instant).post(query::instant))
        .route("/query_range", get(query::range).post(query::range))
        .route(
            "/query_exemplars",
            get(exemplars::query).post(exemplars::query),
        )
        .route("/format_query", get(parse::format).post(parse::format))
        .route("/parse_query", get(parse::tree).post(parse::tree))
        .route(
            "/series",
            get(series::series)
                .post(series::series)
                .delete(series::drop),
        )
        .route("/labels", get(series::names).post(series::names))
        .route("/label/{name}/values", get(series::values))
        .route("/rules", get(rules::rules))
        .route("/alerts", get(rules::alerts))
        .route("/alertmanagers", get(rules::alertmanagers))
        .route("/metadata", get(targets::metadata))
        .route("/targets", get(targets::targets))
        .route("/targets/metadata", get(targets::target_metadata))
        .route("/targets/relabel_steps", get(targets::relabel_steps))
        .route("/scrape_pools", get(targets::scrape_pools))
        .route("/scrape_pools/config", get(targets::scrape_pool_config))
        .route("/status/config", get(status::config))
        .route("/status/flags", get(status::flags))
        .route("/status/runtimeinfo", get(status::runtime_info))
        .route("/status/buildinfo", get(status::build_info))
        .route("/status/tsdb", get(status::tsdb))
        .route("/status/tsdb/blocks", get(status::tsdb_blocks))
        .route("/status/walreplay", get(status::wal_replay))
        .route("/features", get(status::features))
        .route("/notifications", get(notifications::list))
        .route("/notifications/live", get(notifications::live))
        .route("/read", post(read::remote_read))
        .route("/write", post(write::remote_write))
        .route("/otlp/v1/metrics", post(otlp::export));
    admin::routes(search::routes(router)).method_not_allowed_fallback(async || {
        (StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed\n")
    })
}

type Answer<T> = Result<Success<T>, ApiError>;

fn answer<T: Serialize>(result: Answer<T>) -> Response {
    match result {
        Ok(success) => json(200, success.to_json()),
        Err(error) => refused(&error),
    }
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
