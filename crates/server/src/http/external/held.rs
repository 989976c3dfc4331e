//! Answers of the cluster while they are held here: each has room out of what there is for all.
//!
//! *Invariants*: room is taken before the bytes are, and given back with them, when the last of them
//! has been handed over or the connection has ended. What is small takes none, so that large answers
//! that nobody reads do not keep small ones out: there are no more of these than connections.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::response::{IntoResponse, Response};
use hyper::body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::http::streamed::Streamed;

/// Room of one answer.
pub(super) struct Room {
    all: Arc<Semaphore>,
    taken: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// None yet.
    pub(super) fn new(all: &Arc<Semaphore>) -> Self {
        Self {
            all: Arc::clone(all),
            taken: None,
        }
    }

    /// Whether there is room for an answer that has grown to so many bytes. Nobody waits for it: of
    /// several that each hold a part and want more, none would come to an end.
    pub(super) fn reaches(&mut self, n_bytes: usize) -> bool {
        let taken = self.taken.as_ref().map_or(0, |it| it.num_permits());
        let more = n_bytes.saturating_sub(SMALL_BYTES + taken);
        if more == 0 {
            return true;
        }
        let permits = u32::try_from(more).ok();
        let more = permits.and_then(|n| Arc::clone(&self.all).try_acquire_many_owned(n).ok());
        let Some(more) = more else {
            return false;
        };
        match &mut self.taken {
            Some(taken) => taken.merge(more),
            None => self.taken = Some(more),
        }
        true
    }
}

/// A body that gives its room back when it has been handed over. It is compressed as it is read: as a
/// whole it would be held twice.
pub(super) fn held(body: Vec<u8>, room: Room) -> Response {
    if body.len() <= SMALL_BYTES {
        return body.into_response();
    }
    let held = Held {
        body,
        n_sent: 0,
        _room: room,
    };
    let mut response = Body::new(held).into_response();
    response.extensions_mut().insert(Streamed);
    response
}

struct Held {
    body: Vec<u8>,
    n_sent: usize,
    _room: Room,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let rest = self.body.get(self.n_sent..).unwrap_or_default();
        let piece = rest.get(..SMALL_BYTES).unwrap_or(rest);
        if piece.is_empty() {
            return Poll::Ready(None);
        }
        // A part of the body would keep all of it for as long as it waits for the reader.
        let piece = Bytes::copy_from_slice(piece);
        self.n_sent += piece.len();
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.n_sent >= self.body.len()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact((self.body.len() - self.n_sent) as u64)
    }
}

const SMALL_BYTES: usize = 64 << 10;
