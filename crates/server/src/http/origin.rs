//! Which pages and hosts may ask: those of this machine, and those that the operator names.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use firebell_model::Regex;

use super::App;

/// Refuses requests that a page from elsewhere makes a browser send: the address is only reached
/// from this machine, but a browser on it may show anybody's page. Pages of the origins that the
/// operator names may ask, and are told so.
pub(super) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let allowed = allowed_origin(request.headers(), app.flags.cors_origin.as_ref());
    let external_url = app.live.config().external_url.clone();
    // HTTP/2 has the host in its address.
    let authority = request.uri().authority().map_or("", |it| it.as_str());
    let host = request.headers().get(header::HOST);
    let host = host.map_or(Some(authority), |host| host.to_str().ok());
    let host = host.unwrap_or_default();
    let refusal = refusal(
        host,
        request.headers(),
        host_of(&external_url),
        allowed.is_some(),
    );
    if let Some(why) = refusal {
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    let is_question = request.method() == Method::OPTIONS;
    let path = request.uri().path();
    let is_api = path.contains("/api/v1/") || path.contains("/api/v2/");
    let mut response = match is_question && is_api {
        true => StatusCode::NO_CONTENT.into_response(),
        false => next.run(request).await,
    };
    if let Some(origin) = allowed {
        for (name, value) in CORS_HEADERS {
            let value = HeaderValue::from_static(value);
            response.headers_mut().insert(name, value);
        }
        let name = header::ACCESS_CONTROL_ALLOW_ORIGIN;
        response.headers_mut().insert(name, origin);
    }
    response
}

/// The page's origin, when the operator lets it ask.
fn allowed_origin(headers: &HeaderMap, allowed: Option<&Regex>) -> Option<HeaderValue> {
    let origin = headers.get(header::ORIGIN)?;
    let is_allowed = allowed?.is_match(origin.to_str().ok()?);
    is_allowed.then(|| origin.clone())
}

/// What upstream tells pages of other origins besides.
const CORS_HEADERS: [(HeaderName, &str); 4] = [
    (
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        "Accept, Authorization, Content-Type, Origin",
    ),
    (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, OPTIONS"),
    (header::ACCESS_CONTROL_EXPOSE_HEADERS, "Date"),
    (header::VARY, "Origin"),
];

/// Why a request is refused. `external` is the host under which people reach this Firebell: a
/// reverse proxy before it may pass that one on.
fn refusal(host: &str, headers: &HeaderMap, external: &str, is_allowed: bool) -> Option<String> {
    let origin = headers
        .get(header::ORIGIN)
        .and_then(|value| value.to_str().ok());
    let origin = origin.unwrap_or_default();
    let is_known = |host: &str| is_loopback_host(host) || host == external;
    let is_known_page = is_allowed || is_known(host_of(origin));
    let is_refused = !is_known(host) || !is_known_page;
    is_refused.then(|| {
        format!(
            "refused: the request is for host `{host}` from page `{origin}`, but Firebell has no \
             authentication yet and answers loopback addresses only; behind a reverse proxy that \
             authenticates, say with --external-url where people reach it\n"
        )
    })
}

/// Host and port of a URL; the text itself when it is none.
fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split_once('/').map_or(rest, |(host, _)| host)
}

/// Whether a `Host` (with or without a port) names this machine only.
fn is_loopback_host(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let is_loopback_ip = name
        .parse()
        .is_ok_and(|address: std::net::IpAddr| address.is_loopback());
    // HTTP/1.0 clients send no host.
    name.is_empty() || name == "localhost" || name.ends_with(".localhost") || is_loopback_ip
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_an_origin_that_the_operator_names_may_ask() {
        let allowed = Regex::anchored("https?://(a|b).example").unwrap();
        let of = |origin: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ORIGIN, origin.parse().unwrap());
            allowed_origin(&headers, Some(&allowed)).is_some()
        };
        assert!(of("http://a.example") && !of("http://c.example") && !of("xhttp://a.example"));
    }

    #[test]
    fn a_page_from_elsewhere_is_refused_and_one_behind_the_proxy_is_not() {
        let check = |host: &str, origin: &str, is_fine: bool| {
            let mut headers = HeaderMap::new();
            if !origin.is_empty() {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            let external = host_of("https://bell.example.org/path");
            let refusal = refusal(host, &headers, external, false);
            assert_eq!(refusal.is_none(), is_fine, "{host} {origin}");
        };
        check("127.0.0.1:9494", "", true);
        check("127.0.0.1:9494", "http://127.0.0.1:9494", true);
        check("127.0.0.1:9494", "https://bell.example.org", true);
        check("bell.example.org", "https://bell.example.org", true);
        check("bell.example.org", "https://evil.example", false);
        check("127.0.0.1:9494", "https://evil.example", false);
        check("127.0.0.1:9494", "null", false);
        check("evil.example:9494", "http://evil.example:9494", false);
    }

    #[test]
    fn only_names_of_this_machine_are_loopback() {
        for host in [
            "",
            "localhost",
            "localhost:9494",
            "127.0.0.1:1",
            "[::1]:9494",
            "a.localhost",
        ] {
            assert!(is_loopback_host(host), "{host}");
        }
        for host in [
            "example.org",
            "127.0.0.1.example.org:80",
            "10.0.0.1",
            "localhost.example",
        ] {
            assert!(!is_loopback_host(host), "{host}");
        }
    }
}
