//! The page: files built from `ui/`, embedded in the binary.

use std::borrow::Cow;

use axum::extract::OriginalUri;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use rust_embed::RustEmbed;

// A build without `make` has no page; the server then says how to get one.
#[derive(RustEmbed)]
#[folder = "../../ui/dist"]
#[allow_missing = true]
struct Files;

/// What no route has: a path with `//` is sent to the one with `/`, as upstream's router does it (a
/// base address that ends with `/` is no mistake to end at); any other may be of the page.
pub(crate) async fn elsewhere(
    method: Method,
    OriginalUri(asked): OriginalUri,
    uri: Uri,
) -> Response {
    match without_double_slashes(&asked) {
        Some(place) => {
            let status = match method {
                Method::GET | Method::HEAD => StatusCode::MOVED_PERMANENTLY,
                _ => StatusCode::PERMANENT_REDIRECT,
            };
            (status, [(header::LOCATION, place)]).into_response()
        }
        None => page(method, uri).await,
    }
}

fn without_double_slashes(uri: &Uri) -> Option<String> {
    let path = uri.path();
    if !path.contains("//") {
        return None;
    }
    let parts = path.split('/').filter(|part| !part.is_empty());
    let mut place: String = parts.flat_map(|part| ["/", part]).collect();
    if path.ends_with('/') {
        place.push('/');
    }
    if let Some(query) = uri.query() {
        place += &format!("?{query}");
    }
    Some(place)
}

/// A file of the page. Its views are behind `#`, so any other path that a link of upstream's kind
/// leads to, such as `/graph?…`, is sent to the page itself; who sends something is told that nothing
/// takes it.
pub(crate) async fn page(method: Method, uri: Uri) -> Response {
    let path = uri.path().trim_start_matches('/');
    let path = if path.is_empty() { "index.html" } else { path };
    let missing = (StatusCode::NOT_FOUND, "404 page not found\n");
    if !matches!(method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return missing.into_response();
    }
    if let Some(file) = Files::get(path) {
        return served(path, file.data);
    }
    let is_api = ["api/", "-/", "assets/"]
        .iter()
        .any(|it| path.starts_with(it));
    match path {
        "index.html" => Html(WITHOUT_PAGE).into_response(),
        _ if is_api => missing.into_response(),
        _ => Redirect::to("/").into_response(),
    }
}

fn served(path: &str, content: Cow<'static, [u8]>) -> Response {
    // Names under `assets/` carry a hash of their content.
    let caching = if path.starts_with("assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let headers = [
        (header::CONTENT_TYPE, content_type(path)),
        (header::CACHE_CONTROL, caching),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, content).into_response()
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

/// The page loads nothing from elsewhere, and nobody else shows it in a frame.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; \
    frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_double_slashes_is_the_one_without() {
        for (asked, place) in [
            ("/api/v1/query?query=a//b", None),
            (
                "//api/v1/query?query=a//b",
                Some("/api/v1/query?query=a//b"),
            ),
            ("/bell//api///v1/", Some("/bell/api/v1/")),
            // Never to another host.
            ("//evil.example", Some("/evil.example")),
            ("///", Some("/")),
        ] {
            let uri = asked.parse().unwrap();
            assert_eq!(without_double_slashes(&uri).as_deref(), place, "{asked}");
        }
    }
}
