//! The page: files built from `ui/`, embedded in the binary.

use axum::http::{StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use rust_embed::RustEmbed;

// A build without `make` has no page; the server then says how to get one.
#[derive(RustEmbed)]
#[folder = "../../ui/dist"]
#[allow_missing = true]
struct Files;

/// A file of the page; any path that is none is a view of the page itself.
pub(super) async fn page(uri: Uri) -> Response {
    let path = uri.path().trim_start_matches('/');
    if let Some(file) = Files::get(path) {
        let kind = content_type(path);
        // Names under `assets/` carry a hash of their content.
        let caching = if path.starts_with("assets/") {
            "public, max-age=31536000, immutable"
        } else {
            "no-cache"
        };
        let headers = [
            (header::CONTENT_TYPE, kind),
            (header::CACHE_CONTROL, caching),
        ];
        return (headers, file.data).into_response();
    }
    if path.starts_with("api/") || path.starts_with("-/") || path.starts_with("assets/") {
        return (StatusCode::NOT_FOUND, "404 page not found\n").into_response();
    }
    match Files::get("index.html") {
        Some(index) => {
            let headers = [
                (header::CONTENT_TYPE, "text/html; charset=utf-8"),
                (header::CACHE_CONTROL, "no-cache"),
            ];
            (headers, index.data).into_response()
        }
        None => Html(WITHOUT_PAGE).into_response(),
    }
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("json" | "map" | "webmanifest") => "application/json",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}

const WITHOUT_PAGE: &str = "<!doctype html><title>Firebell</title><p>This build has no page: run \
    <code>make build</code>, or <code>npm ci && npm run build</code> in <code>ui/</code> before \
    <code>cargo build</code>. The API works: <a href=\"api/firebell/v1/status\">status</a>.";
