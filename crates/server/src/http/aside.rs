//! Work beside the one thread that serves requests: what takes time there keeps all others waiting.

use std::panic::resume_unwind;

use axum::Json;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::stopped;

/// Does what may take time, or wait for the disk, or for somebody who does, on a thread that may;
/// `None` when there is none any more ([`stopped`]). A panic goes on here, as if it had been done here.
pub(super) async fn may_wait<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Some(done),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(_) => None,
        },
    }
}

/// An answer that may be long.
pub(super) async fn written<T: Serialize>(value: impl FnOnce() -> T + Send + 'static) -> Response {
    let answer = may_wait(move || Json(value()).into_response()).await;
    answer.unwrap_or_else(stopped)
}

/// Serves a request on such a thread, whose body takes time to read, whatever it is: no longer than
/// somebody waits for it. What it holds meanwhile is given back when that has ended.
pub(super) async fn served(request: Request, next: Next, held: impl Send + 'static) -> Response {
    // Dropped with this future, when the connection ends or time is over.
    let (asker, asker_left) = oneshot::channel::<()>();
    let runtime = Handle::current();
    let served = may_wait(move || {
        let _held = held;
        runtime.block_on(async {
            tokio::select! {
                // First: what runs on when the server ends has no clock any more.
                biased;
                _ = asker_left => None,
                response = next.run(request) => Some(response),
            }
        })
    });
    let served = served.await;
    drop(asker);
    served.flatten().unwrap_or_else(stopped)
}
