//! The HTTP side: one port for Prometheus's API, Alertmanager's API, our own and the page.

mod alertmanager;
#[cfg(test)]
mod contract;
mod events;
mod intake;
mod listen;
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
use tokio::sync::Semaphore;

pub(crate) use self::listen::listen;

use crate::clock::Clock;
use crate::driver::{Handle, Unrecorded};
use crate::live::Live;
use crate::metrics::{Metrics, Readings, as_text};
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
    pub slots: Arc<Slots>,
}

/// What is limited besides connections.
pub(crate) struct Slots {
    /// Queries that are computed.
    queries: Semaphore,
    /// Requests with a large body.
    large_bodies: Semaphore,
    /// A reload at a time: the later one has read the newer files.
    pub reload: std::sync::Mutex<()>,
}

impl Default for Slots {
    fn default() -> Self {
        Self {
            queries: Semaphore::new(QUERIES_MAX),
            large_bodies: Semaphore::new(LARGE_BODIES_MAX),
            reload: std::sync::Mutex::default(),
        }
    }
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
        .layer(middleware::from_fn_with_state(app.clone(), limit))
        .layer(middleware::from_fn_with_state(
            app.clone(),
            refuse_foreign_pages,
        ))
        .with_state(app)
}

/// Limits the memory that bodies take, and the time of a request up to the head of its answer.
async fn limit(State(app): State<App>, request: Request, next: Next) -> Response {
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if let Some(bytes) = length.filter(|bytes| *bytes > BODY_BYTES_MAX) {
        let why = format!(
            "the body has {bytes} bytes, and {BODY_BYTES_MAX} are read at most: send it in parts\n"
        );
        return (StatusCode::PAYLOAD_TOO_LARGE, why).into_response();
    }
    let is_large = match length {
        Some(bytes) => bytes > SMALL_BODY_BYTES,
        None => request.headers().contains_key(header::TRANSFER_ENCODING),
    };
    let answered = async {
        let _slot = match is_large {
            true => app.slots.large_bodies.acquire().await.ok(),
            false => None,
        };
        next.run(request).await
    };
    let answered = tokio::time::timeout(REQUEST_TIMEOUT, answered).await;
    answered.unwrap_or_else(|_| {
        let why = "the request took too long: its body did not come in time, or too much is asked \
                   for at the same time\n";
        (StatusCode::REQUEST_TIMEOUT, why).into_response()
    })
}

/// Refuses requests that a page from elsewhere makes a browser send: the address is only reached
/// from this machine, but a browser on it may show anybody's page.
async fn refuse_foreign_pages(State(app): State<App>, request: Request, next: Next) -> Response {
    match refusal(request.headers(), host_of(&app.live.config().external_url)) {
        None => next.run(request).await,
        Some(why) => (StatusCode::FORBIDDEN, why).into_response(),
    }
}

/// Why a request is refused. `external` is the host under which people reach this Firebell: a
/// reverse proxy before it may pass that one on.
fn refusal(headers: &HeaderMap, external: &str) -> Option<String> {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let host = header(header::HOST).unwrap_or_default();
    let origin = header(header::ORIGIN).unwrap_or_default();
    let is_known = |host: &str| is_loopback_host(host) || host == external;
    let is_refused = !is_known(host) || !is_known(host_of(origin));
    is_refused.then(|| {
        format!(
            "refused: the request is for host `{host}` from page `{origin}`, but Firebell has no \
             authentication yet and answers loopback addresses only; behind a reverse proxy that \
             authenticates, say with --external-url where people reach it\n"
        )
    })
}

/// Host and port of a URL; the text itself when it is none.
fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split_once('/').map_or(rest, |(host, _)| host)
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

async fn metrics(State(app): State<App>, headers: HeaderMap) -> Response {
    let Ok(counts) = app.handle.read(own::counts).await else {
        return stopped();
    };
    let stats = app.store.stats();
    let readings = Readings {
        series: stats.series,
        samples: stats.samples,
        disk_bytes: stats.disk_bytes,
        memory_bytes: stats.memory_bytes,
        unlogged_bytes: stats.unlogged_bytes,
        firing: counts.firing as u64,
        pending: counts.pending as u64,
    };
    let text = app.metrics.render(&readings);
    let accept = headers.get(header::ACCEPT);
    let accept = accept.and_then(|accept| accept.to_str().ok());
    let (kind, text) = if accept.is_some_and(|it| it.contains("application/openmetrics-text")) {
        (
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            text,
        )
    } else {
        ("text/plain; version=0.0.4; charset=utf-8", as_text(&text))
    };
    ([(header::CONTENT_TYPE, kind)], text).into_response()
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

/// The longest body that is read: what a large remote-write request compresses to. A longer one is
/// answered with 413.
const BODY_BYTES_MAX: usize = 32 << 20;
/// Longer bodies are large.
const SMALL_BODY_BYTES: usize = 1 << 20;
/// Requests with a large body that are read and handled at the same time; more wait.
const LARGE_BODIES_MAX: usize = 8;
/// Queries of people that are computed at the same time; more wait, which counts as their time.
pub(crate) const QUERIES_MAX: usize = 8;
/// A request that has no answer after this is given up. Longer than a query may take.
const REQUEST_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(150);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_from_elsewhere_is_refused_and_one_behind_the_proxy_is_not() {
        let check = |host: &str, origin: &str, is_fine: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().unwrap());
            if !origin.is_empty() {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            let external = host_of("https://bell.example.org/path");
            let refusal = refusal(&headers, external);
            assert_eq!(refusal.is_none(), is_fine, "{host} {origin}");
        };
        check("127.0.0.1:9494", "", true);
        check("127.0.0.1:9494", "http://127.0.0.1:9494", true);
        check("127.0.0.1:9494", "https://bell.example.org", true);
        check("bell.example.org", "https://bell.example.org", true);
        check("bell.example.org", "https://evil.example", false);
        check("127.0.0.1:9494", "https://evil.example", false);
        check("127.0.0.1:9494", "null", false);
        check("evil.example:9494", "http://evil.example:9494", false);
    }

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
