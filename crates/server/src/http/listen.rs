//! Accepts connections: so many at a time, each given up when it keeps us waiting.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::get;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// Serves connections for ever; what comes before `ready` is set is told to wait.
pub(crate) async fn listen(listener: TcpListener, ready: Arc<OnceLock<Router>>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Most often there are no file descriptors left; they come back.
                tracing::warn!(%error, "failed to accept a connection");
                tokio::time::sleep(ACCEPT_AGAIN_AFTER).await;
                continue;
            }
        };
        let router = ready.get().cloned().unwrap_or_else(starting);
        tokio::spawn(async move {
            serve(stream, router).await;
            drop(slot);
        });
    }
}

async fn serve(stream: TcpStream, router: Router) {
    // Answers are written whole: waiting for more to send only costs time.
    let _ = stream.set_nodelay(true);
    let service = TowerToHyperService::new(router);
    if speaks_http2(&stream).await {
        let served = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS_MAX)
            .keep_alive_interval(Some(HEADERS_TIMEOUT))
            .serve_connection(TokioIo::new(stream), service)
            .await;
        if let Err(error) = served {
            tracing::debug!(%error, "an HTTP/2 connection ended early");
        }
        return;
    }
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Whether a connection begins as HTTP/2 does without TLS: senders of gRPC know that we speak it.
async fn speaks_http2(stream: &TcpStream) -> bool {
    let mut head = [0; 3];
    let peeked = tokio::time::timeout(HEADERS_TIMEOUT, stream.peek(&mut head)).await;
    matches!(peeked, Ok(Ok(3))) && head == *b"PRI"
}

/// What is answered while the data is read.
fn starting() -> Router {
    // A connection keeps its router, so it must not be used again.
    let close = || [(header::CONNECTION, "close")];
    let wait = "firebell is starting: it reads its data\n";
    Router::new()
        .route(
            "/-/healthy",
            get(move || async move { (close(), "Firebell is Healthy.\n") }),
        )
        .fallback(move || async move { (StatusCode::SERVICE_UNAVAILABLE, close(), wait) })
}

/// Connections at the same time, the page's event streams among them; more wait to be accepted.
pub(super) const CONNECTIONS_MAX: usize = 512;
/// A connection that sends no whole request header for so long is closed, also between requests.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(60);
/// Requests of one HTTP/2 connection at the same time.
const STREAMS_MAX: u32 = 64;
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_secs(1);
