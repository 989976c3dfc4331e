//! The HTTP client for scrapes and deliveries.

use std::error::Error as _;
use std::time::Duration;

use firebell_config::HttpConfig;
use firebell_notify::{ProxyConfig, Tls};

use crate::recent::Recent;
use crate::tls;

/// Clients by what makes one differ from another, each made at its first use: reading the system's
/// certificates takes longer than all the rest of the start.
#[derive(Default)]
pub(crate) struct Clients(Recent<Key, reqwest::Client>);

/// What makes a client differ from another: redirects, trust, the way there.
type Key = (bool, Tls, ProxyConfig);

impl Clients {
    /// The client for a configuration. Headers and credentials are the request's.
    ///
    /// # Errors
    /// When the certificates or the proxy cannot be used.
    pub(crate) fn get(&self, http: &HttpConfig) -> Result<reqwest::Client, String> {
        let key = (http.follow_redirects, http.tls.clone(), http.proxy.clone());
        let client = self.0.get(&key, make);
        client.map_err(|why| format!("failed to set up the HTTP client: {why}"))
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
        let mut request = self.get(http)?.request(method, url);
        if let Some(authorization) = &http.authorization {
            request = request.header("Authorization", authorization.reveal());
        }
        for (name, value) in &http.headers {
            request = request.header(name, value.reveal());
        }
        Ok(request)
    }
}

fn make((follows, tls, proxy): &Key) -> Result<reqwest::Client, String> {
    let redirects = if *follows {
        reqwest::redirect::Policy::limited(REDIRECTS_MAX)
    } else {
        reqwest::redirect::Policy::none()
    };
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("Firebell/", env!("CARGO_PKG_VERSION")))
        .redirect(redirects)
        .tls_backend_preconfigured(tls::client_config(tls)?);
    // As upstream: what the environment says of proxies counts only where it is configured.
    if !proxy.from_environment {
        builder = builder.no_proxy();
    }
    if let Some(proxy) = proxy_of(proxy)? {
        builder = builder.proxy(proxy);
    }
    builder.build().map_err(|error| why(&error))
}

fn proxy_of(config: &ProxyConfig) -> Result<Option<reqwest::Proxy>, String> {
    let Some(url) = &config.url else {
        return Ok(None);
    };
    let proxy = reqwest::Proxy::all(url.reveal());
    let mut proxy = proxy.map_err(|error| why(&error.without_url()))?;
    if !config.no_proxy.is_empty() {
        // As upstream: who lists hosts also means this machine.
        let hosts = format!("{},{THIS_MACHINE}", config.no_proxy);
        proxy = proxy.no_proxy(reqwest::NoProxy::from_string(&hosts));
    }
    let mut headers = reqwest::header::HeaderMap::new();
    for (name, value) in &config.connect_headers {
        let name = reqwest::header::HeaderName::try_from(name);
        let value = reqwest::header::HeaderValue::try_from(value.reveal());
        let (Ok(name), Ok(value)) = (name, value) else {
            return Err("a header of `proxy_connect_header` is none".to_owned());
        };
        headers.append(name, value);
    }
    Ok(Some(proxy.headers(headers)))
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
    response: reqwest::Response,
    bytes_max: usize,
) -> Result<Vec<u8>, BodyError> {
    body_within(response, bytes_max, |_| true).await
}

/// The body of a response, as long as there is room for so many bytes of it.
///
/// # Errors
/// When it is longer than `bytes_max` or than there is room for, or the connection breaks.
pub(crate) async fn body_within(
    mut response: reqwest::Response,
    bytes_max: usize,
    mut has_room: impl FnMut(usize) -> bool,
) -> Result<Vec<u8>, BodyError> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > bytes_max => {
                return Err(BodyError::TooLong(bytes_max));
            }
            Ok(Some(chunk)) if !has_room(body.len() + chunk.len()) => {
                return Err(BodyError::NoRoom);
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body),
            Err(error) if error.is_timeout() => {
                return Err(BodyError::Late(why(&error.without_url())));
            }
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
    /// Too much of other answers is held.
    #[error("there is no room for the body now")]
    NoRoom,
    /// The time for it was over.
    #[error("{0}")]
    Late(String),
    /// The connection broke.
    #[error("{0}")]
    Broken(String),
}

/// In the form of `no_proxy`.
const THIS_MACHINE: &str = "localhost,127.0.0.0/8,::1";
const REDIRECTS_MAX: usize = 10;
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use firebell_model::Secret;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_proxy_is_asked_with_its_password_except_for_listed_hosts() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let mut heads = Vec::new();
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                stream.write_all(answer).await.unwrap();
                heads.push(String::from_utf8(head).unwrap());
            }
            heads
        });
        let mut http = HttpConfig::default();
        http.proxy.url = Some(Secret::new(format!("http://me:s3cret@{address}")));
        http.proxy.no_proxy = "listed.example".to_owned();
        http.proxy.connect_headers = vec![("X-Us".to_owned(), Secret::new("v"))];
        let clients = Clients::default();
        let direct = format!("http://{address}/direct");
        for url in ["http://other.example/by-proxy", &direct] {
            let client = clients.get(&http).unwrap();
            let answer = client.get(url).timeout(Duration::from_secs(10)).send();
            assert!(answer.await.unwrap().status().is_success());
        }
        let shown = server.await.unwrap().concat().replace('\r', "");
        let shown = shown.replace(&address.to_string(), "ADDRESS");
        expect![[r#"
            GET http://other.example/by-proxy HTTP/1.1
            accept: */*
            user-agent: Firebell/0.1.0
            proxy-authorization: Basic bWU6czNjcmV0
            x-us: v
            accept-encoding: gzip
            host: other.example

            GET /direct HTTP/1.1
            accept: */*
            user-agent: Firebell/0.1.0
            accept-encoding: gzip
            host: ADDRESS

        "#]]
        .assert_eq(&shown);
    }

    #[test]
    fn a_client_that_cannot_be_made_says_why_without_secrets() {
        let mut by_pem = HttpConfig::default();
        by_pem.tls.client_pem = Some(Secret::new("s3cret"));
        let mut by_proxy = HttpConfig::default();
        by_proxy.proxy.url = Some(Secret::new("http://me:s3cret@"));
        let mut by_header = HttpConfig::default();
        by_header.proxy.url = Some(Secret::new("http://proxy"));
        by_header.proxy.connect_headers = vec![("A".to_owned(), Secret::new("s3cret\n"))];
        let clients = Clients::default();
        let shown = [by_pem, by_proxy, by_header].map(|http| clients.get(&http).unwrap_err());
        expect![[r#"
            failed to set up the HTTP client: there is no certificate
            failed to set up the HTTP client: builder error: builder error: empty host
            failed to set up the HTTP client: a header of `proxy_connect_header` is none
        "#]]
        .assert_eq(&(shown.join("\n") + "\n"));
    }
}
