//! Answers compressed as the client takes them.
//!
//! *Sources*: Prometheus, `util/httputil/compression.go`, as behaviour.

use std::io::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use hyper::body::Frame;

use super::streamed::Streamed;

/// The encodings, the better one first.
#[derive(Clone, Copy)]
enum Encoding {
    Gzip,
    Deflate,
}

/// Compresses whole bodies and large answers that are written as they are read; other streams, and
/// what is small, go as they are.
pub(super) async fn compress(request: Request, next: Next) -> Response {
    let encoding = accepted(request.headers());
    let response = next.run(request).await;
    let Some(encoding) = encoding else {
        return response;
    };
    let bytes = response.body().size_hint().exact().unwrap_or(0);
    let is_streamed = response.extensions().get::<Streamed>().is_some();
    let is_encoded =
        response.headers().contains_key(header::CONTENT_ENCODING) || is_picture(&response);
    if (bytes < BODY_BYTES_MIN && !is_streamed) || is_encoded {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let body = match is_streamed {
        true => Body::new(Compressed {
            body,
            encoder: Some(Encoder::new(encoding)),
        }),
        false => match axum::body::to_bytes(body, usize::MAX).await {
            Ok(body) => Body::from(whole(encoding, body, bytes).await),
            Err(_) => return Response::from_parts(parts, Body::empty()),
        },
    };
    let name = match encoding {
        Encoding::Gzip => HeaderValue::from_static("gzip"),
        Encoding::Deflate => HeaderValue::from_static("deflate"),
    };
    parts.headers.insert(header::CONTENT_ENCODING, name);
    parts.headers.remove(header::CONTENT_LENGTH);
    let vary = HeaderValue::from_static("Accept-Encoding");
    parts.headers.append(header::VARY, vary);
    Response::from_parts(parts, body)
}

/// A whole body, compressed.
async fn whole(encoding: Encoding, body: Bytes, bytes: u64) -> Bytes {
    let work = move || {
        let mut encoder = Encoder::new(encoding);
        let encoded = encoder.write(&body).and_then(|()| encoder.finish());
        encoded.map_or(body, Bytes::from)
    };
    match bytes < ASIDE_BYTES {
        true => work(),
        false => tokio::task::spawn_blocking(work).await.unwrap_or_default(),
    }
}

/// A body that is compressed piece by piece.
struct Compressed {
    body: Body,
    /// None when all is said.
    encoder: Option<Encoder>,
}

impl HttpBody for Compressed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let said = |bytes: std::io::Result<Vec<u8>>| {
            let frame = bytes.map(|bytes| Frame::data(bytes.into()));
            Poll::Ready(Some(frame.map_err(axum::Error::new)))
        };
        loop {
            let Some(encoder) = &mut this.encoder else {
                return Poll::Ready(None);
            };
            match std::task::ready!(Pin::new(&mut this.body).poll_frame(context)) {
                Some(Ok(frame)) => {
                    let data = frame.into_data().unwrap_or_default();
                    let bytes = encoder.write(&data).map(|()| encoder.take());
                    // Little text may still be inside the encoder.
                    if !matches!(&bytes, Ok(bytes) if bytes.is_empty()) {
                        return said(bytes);
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => {
                    return match this.encoder.take() {
                        Some(encoder) => said(encoder.finish()),
                        None => Poll::Ready(None),
                    };
                }
            }
        }
    }
}

/// Whether a format has compressed it already.
fn is_picture(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.starts_with("image/") && kind != "image/svg+xml"
}

/// The first of our encodings that the client takes.
fn accepted(headers: &HeaderMap) -> Option<Encoding> {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    let wanted: Vec<&str> = texts
        .flat_map(|text| text.split(','))
        .filter_map(|part| {
            let (name, rest) = part.split_once(';').unwrap_or((part, ""));
            let quality = rest.trim().strip_prefix("q=").unwrap_or("1");
            let is_refused = quality.parse::<f64>().is_ok_and(|quality| quality == 0.0);
            (!is_refused).then(|| name.trim())
        })
        .collect();
    let takes = |name: &str| wanted.iter().any(|it| it.eq_ignore_ascii_case(name));
    if takes("gzip") {
        Some(Encoding::Gzip)
    } else {
        takes("deflate").then_some(Encoding::Deflate)
    }
}

/// Compresses what is written.
enum Encoder {
    Gzip(GzEncoder<Vec<u8>>),
    Deflate(ZlibEncoder<Vec<u8>>),
}

impl Encoder {
    fn new(encoding: Encoding) -> Self {
        let (out, level) = (Vec::new(), Compression::fast());
        match encoding {
            Encoding::Gzip => Self::Gzip(GzEncoder::new(out, level)),
            Encoding::Deflate => Self::Deflate(ZlibEncoder::new(out, level)),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Gzip(encoder) => encoder.write_all(bytes),
            Self::Deflate(encoder) => encoder.write_all(bytes),
        }
    }

    /// What has come of it so far.
    fn take(&mut self) -> Vec<u8> {
        std::mem::take(match self {
            Self::Gzip(encoder) => encoder.get_mut(),
            Self::Deflate(encoder) => encoder.get_mut(),
        })
    }

    fn finish(self) -> std::io::Result<Vec<u8>> {
        match self {
            Self::Gzip(encoder) => encoder.finish(),
            Self::Deflate(encoder) => encoder.finish(),
        }
    }
}

/// Shorter bodies fit a packet as they are.
const BODY_BYTES_MIN: u64 = 1024;
/// Compressing more takes longer than a millisecond.
const ASIDE_BYTES: u64 = 128 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_says_what_it_takes() {
        for (text, expected) in [
            ("gzip, deflate, br", "gzip"),
            ("deflate", "deflate"),
            ("GZIP;q=0.5", "gzip"),
            ("gzip;q=0, deflate;q=1.0", "deflate"),
            ("br", ""),
            ("", ""),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, text.parse().unwrap());
            let name = match accepted(&headers) {
                Some(Encoding::Gzip) => "gzip",
                Some(Encoding::Deflate) => "deflate",
                None => "",
            };
            assert_eq!(name, expected, "{text}");
        }
    }

    #[tokio::test]
    async fn a_large_answer_is_compressed_as_it_is_read() {
        use std::io::Read as _;
        let pieces = || (0..40).map(|n| format!("{n}, ").repeat(20_000).into_bytes());
        let whole: Vec<u8> = pieces().flatten().collect();
        for encoding in [Encoding::Gzip, Encoding::Deflate] {
            let response = crate::http::streamed::streamed("text/plain", Box::new(pieces()));
            assert!(response.extensions().get::<Streamed>().is_some());
            let body = Body::new(Compressed {
                body: response.into_body(),
                encoder: Some(Encoder::new(encoding)),
            });
            let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            let mut read = Vec::new();
            match encoding {
                Encoding::Gzip => flate2::read::GzDecoder::new(&*bytes).read_to_end(&mut read),
                Encoding::Deflate => flate2::read::ZlibDecoder::new(&*bytes).read_to_end(&mut read),
            }
            .unwrap();
            assert!(read == whole && bytes.len() < whole.len() / 10);
        }
    }
}
