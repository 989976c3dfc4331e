//! Answers compressed as the client takes them.
//!
//! *Sources*: Prometheus, `util/httputil/compression.go`, as behaviour.

use std::io::Write as _;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

/// The encodings, the better one first.
#[derive(Clone, Copy)]
enum Encoding {
    Gzip,
    Deflate,
}

/// Compresses whole bodies; a stream, and what is small, goes as it is.
pub(super) async fn compress(request: Request, next: Next) -> Response {
    let encoding = accepted(request.headers());
    let response = next.run(request).await;
    let Some(encoding) = encoding else {
        return response;
    };
    let bytes = response.body().size_hint().exact().unwrap_or(0);
    let is_encoded = response.headers().contains_key(header::CONTENT_ENCODING);
    if bytes < BODY_BYTES_MIN || is_encoded {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
        return Response::from_parts(parts, Body::empty());
    };
    let work = move || encoded(encoding, &body).map(Bytes::from).unwrap_or(body);
    let encoded = if bytes < ASIDE_BYTES {
        work()
    } else {
        tokio::task::spawn_blocking(work).await.unwrap_or_default()
    };
    let name = match encoding {
        Encoding::Gzip => HeaderValue::from_static("gzip"),
        Encoding::Deflate => HeaderValue::from_static("deflate"),
    };
    parts.headers.insert(header::CONTENT_ENCODING, name);
    parts.headers.remove(header::CONTENT_LENGTH);
    let vary = HeaderValue::from_static("Accept-Encoding");
    parts.headers.append(header::VARY, vary);
    Response::from_parts(parts, Body::from(encoded))
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

fn encoded(encoding: Encoding, body: &[u8]) -> std::io::Result<Vec<u8>> {
    let out = Vec::with_capacity(body.len() / 8);
    match encoding {
        Encoding::Gzip => {
            let mut encoder = GzEncoder::new(out, Compression::fast());
            encoder.write_all(body)?;
            encoder.finish()
        }
        Encoding::Deflate => {
            let mut encoder = ZlibEncoder::new(out, Compression::fast());
            encoder.write_all(body)?;
            encoder.finish()
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
}
