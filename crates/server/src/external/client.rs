//! Requests to a cluster: credentials, headers, limits.

use firebell_config::ExternalSource;
use firebell_model::Timestamp;
use reqwest::{Method, RequestBuilder, StatusCode};

use crate::http_client::{self, Clients};

/// Connections to clusters.
#[derive(Default)]
pub(crate) struct Client {
    clients: Clients,
}

impl Client {
    /// A request with everything that the configuration says of requests.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub(crate) fn request(
        &self,
        source: &ExternalSource,
        method: Method,
        url: &str,
    ) -> Result<RequestBuilder, String> {
        let request = self.clients.request(method, url, &source.http)?;
        Ok(request.timeout(source.timeout.to_std()))
    }

    /// Asks an instant query; returns the body of the answer.
    ///
    /// # Errors
    /// When there is no answer, or one that is not the API's.
    pub(crate) async fn query(
        &self,
        source: &ExternalSource,
        expr: &str,
        at: Timestamp,
    ) -> Result<Vec<u8>, String> {
        let mut form = format!("query={}&time={}", encoded(expr), seconds(at));
        form.push_str(&params(source));
        let url = format!("{}/api/v1/query", source.url.reveal());
        let request = self.request(source, Method::POST, &url)?;
        let request = request.header("Content-Type", "application/x-www-form-urlencoded");
        let failed = |why: String| format!("failed to query the source: {why}");
        let response = request.body(form).send().await;
        // The address may hold a password.
        let response = response.map_err(|error| failed(http_client::why(&error.without_url())))?;
        let status = response.status();
        let is_json = is_json(&response);
        let body = http_client::body(response, ANSWER_BYTES_MAX).await;
        let body = body.map_err(|error| failed(error.to_string()))?;
        match is_json {
            true => Ok(body),
            false => Err(failed(foreign(status, &body))),
        }
    }
}

/// Whether an answer can be one of the API.
pub(crate) fn is_json(response: &reqwest::Response) -> bool {
    let kind = response.headers().get(reqwest::header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.starts_with("application/json")
}

/// Where the API is, for people: neither credentials nor a path, which may hold a token.
pub(crate) fn address(source: &ExternalSource) -> String {
    let url = reqwest::Url::parse(source.url.reveal());
    url.map_or_else(
        |_| "the source".to_owned(),
        |url| url.origin().ascii_serialization(),
    )
}

/// What an answer says that is none of the API, such as a proxy's.
pub(crate) fn foreign(status: StatusCode, body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(SHOWN_BYTES_MAX)]);
    format!("{status}: {}", text.trim())
}

/// The configured parameters, each with `&` before it.
pub(crate) fn params(source: &ExternalSource) -> String {
    let params = source.params.iter();
    params
        .map(|(name, value)| format!("&{}={}", encoded(name), encoded(value)))
        .collect()
}

fn seconds(at: Timestamp) -> String {
    let sign = if at.0 < 0 { "-" } else { "" };
    let ms = at.0.unsigned_abs();
    format!("{sign}{}.{:03}", ms / 1000, ms % 1000)
}

/// Source: RFC 3986, section 2.3.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// What is read of an answer to a rule.
const ANSWER_BYTES_MAX: usize = 64 << 20;
const SHOWN_BYTES_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_encoded_and_moments_exact() {
        assert_eq!(
            encoded("sum(a{b=~\"é.+\"})"),
            "sum%28a%7Bb%3D~%22%C3%A9.%2B%22%7D%29"
        );
        for (ms, text) in [(1_500, "1.500"), (-1_005, "-1.005"), (0, "0.000")] {
            assert_eq!(seconds(Timestamp(ms)), text);
        }
    }
}
