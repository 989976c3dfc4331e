//! The HTTP client for scrapes and deliveries: one TLS provider, made when first needed.

use std::error::Error as _;
use std::sync::OnceLock;

/// A client that is made at its first use: reading the system's certificates takes longer than all
/// the rest of the start.
#[derive(Default)]
pub struct Client(OnceLock<Result<reqwest::Client, String>>);

impl Client {
    /// The client.
    ///
    /// # Errors
    /// When the system's certificates cannot be used.
    pub fn get(&self) -> Result<&reqwest::Client, String> {
        let made = self.0.get_or_init(|| {
            // A second installation fails, and changes nothing.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let builder = reqwest::Client::builder()
                .user_agent(concat!("Firebell/", env!("CARGO_PKG_VERSION")))
                .redirect(reqwest::redirect::Policy::limited(REDIRECTS_MAX));
            builder.build().map_err(|error| format!("failed to set up TLS: {}", why(&error)))
        });
        made.as_ref().map_err(Clone::clone)
    }
}

/// An error with its causes, in one line.
pub fn why(error: &reqwest::Error) -> String {
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
pub fn headers(response: &reqwest::Response) -> Vec<(String, String)> {
    let text = |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
        Some((name.to_string(), value.to_str().ok()?.to_owned()))
    };
    response.headers().iter().filter_map(text).collect()
}

/// The body of a response.
///
/// # Errors
/// When it is longer than `bytes_max`, or the connection breaks.
pub async fn body(mut response: reqwest::Response, bytes_max: usize) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > bytes_max => {
                return Err(format!("the body is longer than {bytes_max} bytes"));
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body),
            Err(error) => return Err(why(&error.without_url())),
        }
    }
}

const REDIRECTS_MAX: usize = 10;
