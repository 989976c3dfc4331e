//! Large answers: written while they are read, so that one that is read slowly, or not at all, takes
//! no memory but that of its data.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use firebell_wire::prometheus_json::Pieces;
use hyper::body::Frame;

/// On an answer whose length is not known, and which may be compressed all the same.
#[derive(Clone, Copy)]
pub(super) struct Streamed;

/// An answer in one piece, or else one whose next piece is written when there is room for it. The
/// first two are written here, which is on a thread for work.
pub(super) fn streamed(content_type: &str, mut pieces: Pieces) -> Response {
    let content_type = [(header::CONTENT_TYPE, content_type.to_owned())];
    let first = pieces.next().unwrap_or_default();
    let Some(second) = pieces.next() else {
        return (content_type, first).into_response();
    };
    let all = [first, second].into_iter().chain(pieces);
    let body = Body::new(Written {
        pieces: Box::new(all),
        rests: false,
    });
    let mut response = (content_type, body).into_response();
    response.extensions_mut().insert(Streamed);
    response
}

/// A body of pieces. Ends with its connection, and with it everything that was not written.
struct Written {
    pieces: Pieces,
    /// Whether others get a turn before the next piece: writing one takes milliseconds.
    rests: bool,
}

impl HttpBody for Written {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.rests = !self.rests;
        if !self.rests {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let piece = self.pieces.next();
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece.into()))))
    }
}
