//! Large answers: written while they are read, so that one that is read slowly, or not at all, takes
//! no memory but that of its data.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use firebell_wire::prometheus_json::Pieces;
use hyper::body::{Frame, SizeHint};
use tokio::task::{JoinError, JoinHandle};

/// On an answer whose length is not known, and which may be compressed all the same.
#[derive(Clone, Copy)]
pub(super) struct Streamed;

/// An answer in one piece, or else one whose next piece is written when there is room for it. The
/// first two are written here, which is on a thread for work, and so are the others.
pub(super) fn streamed(content_type: &str, mut pieces: Pieces) -> Response {
    let content_type = [(header::CONTENT_TYPE, content_type.to_owned())];
    let first = pieces.next().unwrap_or_default();
    let Some(second) = pieces.next() else {
        return (content_type, first).into_response();
    };
    let all = [first, second].into_iter().chain(pieces);
    let body = Body::new(Written::Waits(Box::new(all)));
    let mut response = (content_type, body).into_response();
    response.extensions_mut().insert(Streamed);
    response
}

/// A body of so many bytes, whose next piece is read when there is room for it.
pub(super) fn sized(n_bytes: u64, pieces: Pieces) -> Body {
    Body::new(OfLength {
        written: Written::Waits(pieces),
        n_left: n_bytes,
    })
}

/// A body of pieces with a length. One whose pieces have another length ends with its connection, so
/// that nobody takes it for whole.
struct OfLength {
    written: Written,
    n_left: u64,
}

impl HttpBody for OfLength {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.written).poll_frame(context));
        let n_bytes = match &frame {
            Some(Ok(frame)) => frame.data_ref().map_or(0, |it| it.len() as u64),
            Some(Err(_)) => 0,
            None if self.n_left == 0 => return Poll::Ready(None),
            None => {
                let ended = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
                return Poll::Ready(Some(Err(ended)));
            }
        };
        self.n_left = self.n_left.saturating_sub(n_bytes);
        Poll::Ready(frame.map(|it| it.map_err(std::io::Error::other)))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.n_left)
    }
}

/// A body of pieces. Ends with its connection, and with it everything that was not written. Between
/// two pieces it holds no thread, however slowly it is read.
enum Written {
    /// Until the next piece is asked for.
    Waits(Pieces),
    /// For a piece that is being written.
    Writes(JoinHandle<(Pieces, Option<Vec<u8>>)>),
    Ended,
}

impl HttpBody for Written {
    type Data = Bytes;
    type Error = JoinError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, JoinError>>> {
        let mut job = match std::mem::replace(&mut *self, Self::Ended) {
            Self::Waits(mut pieces) => tokio::task::spawn_blocking(move || {
                let piece = pieces.next();
                (pieces, piece)
            }),
            Self::Writes(job) => job,
            Self::Ended => return Poll::Ready(None),
        };
        match Pin::new(&mut job).poll(context) {
            Poll::Pending => {
                *self = Self::Writes(job);
                Poll::Pending
            }
            Poll::Ready(Ok((pieces, Some(piece)))) => {
                *self = Self::Waits(pieces);
                Poll::Ready(Some(Ok(Frame::data(piece.into()))))
            }
            Poll::Ready(Ok((_, None))) => Poll::Ready(None),
            // The connection ends without the answer's end, so that nobody takes it for whole.
            Poll::Ready(Err(error)) => Poll::Ready(Some(Err(error))),
        }
    }
}
