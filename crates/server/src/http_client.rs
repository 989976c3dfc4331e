//! The HTTP client for scrapes and deliveries: one TLS provider, made when first needed.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use firebell_config::HttpConfig;

/// How a client treats its peers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ClientOptions<'a> {
    /// Whether redirects are followed.
    pub follows_redirects: bool,
    /// Whether any certificate is taken.
    pub trusts_anybody: bool,
    /// Certificates, as PEM, that are trusted instead of the system's.
    pub ca_pem: Option<&'a str>,
}

impl<'a> ClientOptions<'a> {
    /// As a configuration says.
    pub(crate) fn of(http: &'a HttpConfig) -> Self {
        Self {
            follows_redirects: http.follow_redirects,
            trusts_anybody: http.tls.insecure_skip_verify,
            ca_pem: http.tls.ca_pem.as_deref(),
        }
    }
}

/// Clients by their options, each made at its first use: reading the system's certificates takes
/// longer than all the rest of the start.
#[derive(Default)]
pub(crate) struct Clients(Mutex<BTreeMap<Key, reqwest::Client>>);

/// What makes a client differ from another: redirects, trust in anybody, trusted certificates.
type Key = (bool, bool, Option<String>);

impl Clients {
    /// The client for some options. Headers and credentials are the request's.
    ///
    /// # Errors
    /// When the certificates cannot be used.
    pub(crate) fn get(&self, options: ClientOptions<'_>) -> Result<reqwest::Client, String> {
        let ClientOptions {
            follows_redirects,
            trusts_anybody,
            ca_pem,
        } = options;
        let key = (follows_redirects, trusts_anybody, ca_pem.map(str::to_owned));
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = made.get(&key) {
            return Ok(client.clone());
        }
        let client = make(&key).map_err(|why| format!("failed to set up TLS: {why}"))?;
        made.insert(key, client.clone());
        Ok(client)
    }

    /// A request with the credentials and headers of a configuration.
    ///
    /// # Errors
    /// When the certificates cannot be used.
    pub(crate) fn request(
        &self,
        method: reqwest::Method,
        url: &str,
        http: &HttpConfig,
    ) -> Result<reqwest::RequestBuilder, String> {
        let mut request = self.get(ClientOptions::of(http))?.request(method, url);
        if let Some(authorization) = &http.authorization {
            request = request.header("Authorization", authorization.reveal());
        }
        for (name, value) in &http.headers {
            request = request.header(name, value.reveal());
        }
        Ok(request)
    }
}

fn make((follows, trusts_anybody, ca_pem): &Key) -> Result<reqwest::Client, String> {
    // A second installation fails, and changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let redirects = if *follows {
        reqwest::redirect::Policy::limited(REDIRECTS_MAX)
    } else {
        reqwest::redirect::Policy::none()
    };
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("Firebell/", env!("CARGO_PKG_VERSION")))
        .redirect(redirects)
        // As upstream: what the environment says of proxies counts only where it is configured.
        .no_proxy()
        .tls_danger_accept_invalid_certs(*trusts_anybody);
    if let Some(pem) = ca_pem {
        let certificates =
            reqwest::Certificate::from_pem_bundle(pem.as_bytes()).map_err(|error| why(&error))?;
        builder = builder.tls_certs_only(certificates);
    }
    builder.build().map_err(|error| why(&error))
}

/// An error with its causes, in one line.
pub(crate) fn why(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// The headers of a response that are text.
pub(crate) fn headers(response: &reqwest::Response) -> Vec<(String, String)> {
    let text = |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
        Some((name.to_string(), value.to_str().ok()?.to_owned()))
    };
    response.headers().iter().filter_map(text).collect()
}

/// `Retry-After` in seconds, within reason.
pub(crate) fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    let header = response.headers().get(reqwest::header::RETRY_AFTER)?;
    let seconds = header.to_str().ok()?.trim().parse::<u64>().ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}

/// The body of a response.
///
/// # Errors
/// When it is longer than `bytes_max`, or the connection breaks.
pub(crate) async fn body(
    mut response: reqwest::Response,
    bytes_max: usize,
) -> Result<Vec<u8>, BodyError> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > bytes_max => {
                return Err(BodyError::TooLong(bytes_max));
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body),
            Err(error) => return Err(BodyError::Broken(why(&error.without_url()))),
        }
    }
}

/// A body that was not read to its end.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// It is longer than so many bytes.
    #[error("the body is longer than {0} bytes")]
    TooLong(usize),
    /// The connection broke.
    #[error("{0}")]
    Broken(String),
}

const REDIRECTS_MAX: usize = 10;
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);
