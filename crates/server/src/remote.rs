//! A client of somebody's server, for commands that ask one: blocking, bounded in time and bytes.

use std::time::Duration;

use firebell_config::HttpConfig;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};

use crate::http_client::{self, BodyError, Clients};

/// A server, and how it is asked. May be used from many threads; each waits for its own answer.
pub struct Remote {
    runtime: tokio::runtime::Runtime,
    client: reqwest::Client,
    url: Url,
    headers: HeaderMap,
    timeout: Duration,
}

/// An answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RemoteAnswer {
    /// The status of HTTP.
    pub status: u16,
    /// All of it.
    pub body: Vec<u8>,
}

/// No answer, or not all of it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RemoteError {
    /// It could not be reached, or the connection broke.
    #[error("{0}")]
    Unreachable(String),
    /// It took too long.
    #[error("no answer within {0:?}")]
    Late(Duration),
    /// It is longer than so many bytes.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
}

impl Remote {
    /// Prepares to ask the server at `url`, an address with `http` or `https` under which the API
    /// stands; with further headers, each `NAME: VALUE`.
    ///
    /// # Errors
    /// When the address or a header is none, or TLS cannot be set up.
    pub fn new(url: &str, headers: &[String], timeout: Duration) -> Result<Self, String> {
        let parsed = Url::parse(url).map_err(|why| format!("`{url}` is no address: {why}"))?;
        if !matches!(parsed.scheme(), "http" | "https") || parsed.cannot_be_a_base() {
            return Err(format!("`{url}` is no address of HTTP"));
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|why| format!("failed to start: {why}"))?;
        let client = Clients::default().get(&HttpConfig::default())?;
        Ok(Self {
            runtime,
            client,
            url: parsed,
            headers: parse_headers(headers)?,
            timeout,
        })
    }

    /// The address without a user's name and password.
    #[must_use]
    pub fn name(&self) -> String {
        let mut url = self.url.clone();
        // Only addresses that have no host refuse.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.as_str().trim_end_matches('/').to_owned()
    }

    /// Asks for what stands at a path below the address; parameters go into the body when
    /// `is_post`, as they may be long.
    ///
    /// # Errors
    /// See [`RemoteError`].
    pub fn ask(
        &self,
        path: &str,
        params: &[(&str, &str)],
        is_post: bool,
    ) -> Result<RemoteAnswer, RemoteError> {
        let form = self.at(path, params);
        if !is_post {
            return self.send(self.client.request(Method::GET, form));
        }
        let request = self.client.request(Method::POST, self.at(path, &[]));
        let request = request.header("Content-Type", "application/x-www-form-urlencoded");
        self.send(request.body(form.query().unwrap_or_default().to_owned()))
    }

    /// Deletes what stands at a path below the address.
    ///
    /// # Errors
    /// See [`RemoteError`].
    pub fn delete(&self, path: &str, params: &[(&str, &str)]) -> Result<RemoteAnswer, RemoteError> {
        self.send(self.client.request(Method::DELETE, self.at(path, params)))
    }

    /// Posts JSON to a path below the address.
    ///
    /// # Errors
    /// See [`RemoteError`].
    pub fn post_json(
        &self,
        path: &str,
        body: &serde_json::Value,
    ) -> Result<RemoteAnswer, RemoteError> {
        let request = self.client.request(Method::POST, self.at(path, &[]));
        let request = request.header("Content-Type", "application/json");
        self.send(request.body(body.to_string()))
    }

    /// Posts bytes, such as a picture, to a path below the address.
    ///
    /// # Errors
    /// See [`RemoteError`].
    pub fn post_bytes(
        &self,
        path: &str,
        params: &[(&str, &str)],
        bytes: Vec<u8>,
    ) -> Result<RemoteAnswer, RemoteError> {
        let request = self.client.request(Method::POST, self.at(path, params));
        let request = request.header("Content-Type", "application/octet-stream");
        self.send(request.body(bytes))
    }

    fn at(&self, path: &str, params: &[(&str, &str)]) -> Url {
        let mut url = self.url.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}{path}"));
        url.set_query(None);
        if !params.is_empty() {
            url.query_pairs_mut().extend_pairs(params);
        }
        url
    }

    fn send(&self, request: reqwest::RequestBuilder) -> Result<RemoteAnswer, RemoteError> {
        let request = request.headers(self.headers.clone()).timeout(self.timeout);
        self.runtime.block_on(self.answered(request))
    }

    async fn answered(
        &self,
        request: reqwest::RequestBuilder,
    ) -> Result<RemoteAnswer, RemoteError> {
        let failed = |error: reqwest::Error| {
            if error.is_timeout() {
                RemoteError::Late(self.timeout)
            } else {
                RemoteError::Unreachable(http_client::why(&error.without_url()))
            }
        };
        let response = request.send().await.map_err(failed)?;
        let status = response.status().as_u16();
        match http_client::body(response, ANSWER_BYTES_MAX).await {
            Ok(body) => Ok(RemoteAnswer { status, body }),
            Err(BodyError::TooLong(max)) => Err(RemoteError::TooLong(max)),
            Err(BodyError::Late(_)) => Err(RemoteError::Late(self.timeout)),
            Err(BodyError::Broken(why)) => Err(RemoteError::Unreachable(why)),
            Err(error @ BodyError::NoRoom) => Err(RemoteError::Unreachable(error.to_string())),
        }
    }
}

fn parse_headers(headers: &[String]) -> Result<HeaderMap, String> {
    let mut parsed = HeaderMap::new();
    for header in headers {
        // The value may be a secret: it is not repeated.
        let named = header.split_once(':').and_then(|(name, value)| {
            let name = name.trim().parse::<HeaderName>().ok()?;
            let mut value = HeaderValue::from_str(value.trim()).ok()?;
            value.set_sensitive(true);
            Some((name, value))
        });
        let (name, value) = named.ok_or("a header is `NAME: VALUE`")?;
        parsed.append(name, value);
    }
    Ok(parsed)
}

/// What is read of an answer.
const ANSWER_BYTES_MAX: usize = 32 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_headers_are_checked_and_passwords_not_told() {
        let second = Duration::from_secs(1);
        let name = |url: &str| Remote::new(url, &[], second).map(|it| it.name());
        assert_eq!(name("http://a:9090/"), Ok("http://a:9090".to_owned()));
        let secret = name("https://me:secret@a/prefix/");
        assert_eq!(secret, Ok("https://a/prefix".to_owned()));
        for bad in ["a:9090", "localhost", "ftp://a", "mailto:a@b"] {
            assert!(name(bad).is_err(), "{bad}");
        }
        for bad in ["X-Scope", "a b: c", "X: \u{1}"] {
            let error = Remote::new("http://a", &[bad.to_owned()], second).err();
            assert_eq!(
                error.as_deref(),
                Some("a header is `NAME: VALUE`"),
                "{bad:?}"
            );
        }
    }
}
