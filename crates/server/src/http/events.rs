//! Server-sent events: the page is told that something changed, and reads it anew.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_core::Stream;
use tokio::sync::{mpsc, watch};

use super::App;
use crate::driver::Changes;

/// `GET /api/firebell/v1/events`.
pub(super) async fn events(State(app): State<App>) -> Response {
    let (frames, stream) = mpsc::channel(FRAMES_MAX);
    tokio::spawn(tell(app.handle.changes(), frames));
    self::stream(stream)
}

/// Frames as they come, until their sender goes away.
pub(super) fn stream(frames: mpsc::Receiver<Bytes>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, Body::from_stream(Frames(frames))).into_response()
}

/// Sends a frame for each change until the reader goes away.
async fn tell(mut changes: watch::Receiver<Changes>, frames: mpsc::Sender<Bytes>) {
    let mut told = *changes.borrow_and_update();
    // The first event makes a page that was cut off read everything anew.
    let mut frame = Some(frame_of(&["alerts", "inbox", "status"]));
    loop {
        let bytes = frame
            .take()
            .unwrap_or_else(|| Bytes::from_static(b": alive\n\n"));
        if frames.send(bytes).await.is_err() {
            return;
        }
        tokio::time::sleep(PAUSE).await;
        match tokio::time::timeout(KEEP_ALIVE, changes.changed()).await {
            Ok(Ok(())) => {
                let now = *changes.borrow_and_update();
                frame = Some(frame_of(&difference(told, now)));
                told = now;
            }
            Ok(Err(_)) => return,
            Err(_) => {}
        }
    }
}

fn difference(before: Changes, now: Changes) -> Vec<&'static str> {
    let parts = [
        ("alerts", before.alerts != now.alerts),
        ("inbox", before.inbox != now.inbox),
        ("status", before.status != now.status),
    ];
    parts
        .into_iter()
        .filter(|(_, differs)| *differs)
        .map(|(name, _)| name)
        .collect()
}

fn frame_of(what: &[&str]) -> Bytes {
    let data = serde_json::json!({ "what": what });
    format!("event: changed\ndata: {data}\n\n").into()
}

/// The frames as a body.
struct Frames(mpsc::Receiver<Bytes>);

impl Stream for Frames {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|frame| frame.map(Ok))
    }
}

/// A reader that falls further behind misses nothing: it is told when it has caught up.
const FRAMES_MAX: usize = 4;
/// A burst of changes becomes one event.
const PAUSE: Duration = Duration::from_millis(250);
/// Proxies cut connections on which nothing happens.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(15);
