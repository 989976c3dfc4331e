//! The HTTP side: one port for Prometheus's API, Alertmanager's API, our own and the page.

mod alertmanager;
mod events;
mod own;
mod page;
mod prometheus;
mod write;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use firebell_model::Timestamp;
use firebell_tsdb::Store;
use firebell_wire::params::Params;

use crate::clock::Clock;
use crate::driver::{Handle, Unrecorded};
use crate::live::Live;
use crate::metrics::{Metrics, Readings};
use crate::scrape::Scraper;
use crate::serve;

/// What all handlers share; cheap to clone.
#[derive(Clone)]
pub(crate) struct App {
    pub handle: Handle,
    pub store: Arc<Store>,
    pub clock: Arc<Clock>,
    pub metrics: Arc<Metrics>,
    pub live: Arc<Live>,
    pub scraper: Scraper,
    pub started_at: Timestamp,
}

/// All routes.
pub(crate) fn router(app: App) -> Router {
    Router::new()
        .route("/-/healthy", get(|| async { "Firebell is Healthy.\n" }))
        .route("/-/ready", get(|| async { "Firebell is Ready.\n" }))
        .route("/-/reload", post(reload).put(reload))
        .route("/metrics", get(metrics))
        .route("/api/firebell/v1/status", get(own::status))
        .route("/api/firebell/v1/alerts", get(own::alerts))
        .route("/api/firebell/v1/inbox", get(own::inbox))
        .route("/api/firebell/v1/events", get(events::events))
        .nest("/api/v1", prometheus::routes())
        .nest("/api/v2", alertmanager::routes())
        .fallback(page::page)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn(refuse_foreign_pages))
        .with_state(app)
}

/// Refuses requests that a page from elsewhere makes a browser send: the address is only reached
/// from this machine, but a browser on it may show anybody's page.
async fn refuse_foreign_pages(request: Request, next: Next) -> Response {
    match refusal(request.headers()) {
        None => next.run(request).await,
        Some(why) => (StatusCode::FORBIDDEN, why).into_response(),
    }
}

fn refusal(headers: &HeaderMap) -> Option<String> {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let host = header(header::HOST).unwrap_or_default();
    let origin = header(header::ORIGIN).unwrap_or_default();
    let page_host = origin.split_once("://").map_or(origin, |(_, host)| host);
    let is_own_page = page_host == host || is_loopback_host(page_host);
    let is_refused = !is_loopback_host(host) || !is_own_page;
    is_refused.then(|| {
        format!(
            "refused: the request is for host `{host}` from page `{origin}`, but Firebell has no \
             authentication yet and answers loopback addresses only\n"
        )
    })
}

/// Whether a `Host` (with or without a port) names this machine only.
fn is_loopback_host(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let is_loopback_ip = name
        .parse()
        .is_ok_and(|address: std::net::IpAddr| address.is_loopback());
    // HTTP/1.0 clients send no host.
    name.is_empty() || name == "localhost" || name.ends_with(".localhost") || is_loopback_ip
}

async fn reload(State(app): State<App>) -> Response {
    let result = tokio::task::spawn_blocking(move || serve::reload(&app)).await;
    match result {
        Ok(Ok(())) => StatusCode::OK.into_response(),
        Ok(Err(problems)) => {
            let text =
                format!("the new configuration was refused; the old one stays:\n{problems}\n");
            (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
        }
        Err(_) => stopped(),
    }
}

async fn metrics(State(app): State<App>) -> Response {
    let Ok(counts) = app.handle.read(own::counts).await else {
        return stopped();
    };
    let stats = app.store.stats();
    let readings = Readings {
        series: stats.series,
        samples: stats.samples,
        disk_bytes: stats.disk_bytes,
        memory_bytes: stats.memory_bytes,
        firing: counts.firing as u64,
        pending: counts.pending as u64,
    };
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    (
        [(header::CONTENT_TYPE, kind)],
        app.metrics.render(&readings),
    )
        .into_response()
}

/// The driver has stopped: Firebell is shutting down.
fn stopped() -> Response {
    (
        StatusCode::SERVICE_UNAVAILABLE,
        "firebell is shutting down\n",
    )
        .into_response()
}

/// A change that could not be written down.
fn unrecorded(error: &Unrecorded) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response()
}

/// The parameters of a form's body and of the query.
fn params(uri: &Uri, body: &Bytes) -> Params {
    let body = String::from_utf8_lossy(body);
    Params::parse([&*body, uri.query().unwrap_or_default()])
}

fn json(status: u16, body: Vec<u8>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// The longest body that is read: what a large remote-write request compresses to.
const BODY_BYTES_MAX: usize = 32 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_loopback() {
        for host in [
            "",
            "localhost",
            "localhost:9494",
            "127.0.0.1:1",
            "[::1]:9494",
            "a.localhost",
        ] {
            assert!(is_loopback_host(host), "{host}");
        }
        for host in [
            "example.org",
            "127.0.0.1.example.org:80",
            "10.0.0.1",
            "localhost.example",
        ] {
            assert!(!is_loopback_host(host), "{host}");
        }
    }
}
