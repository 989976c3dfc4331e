//! HTTP as values: what is to be sent, how, and what came back.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use firebell_model::{Duration, Secret};

use crate::oauth2::OAuth2;

/// The method of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// `GET`
    Get,
    /// `POST`
    Post,
    /// `PUT`
    Put,
}

/// A request to be sent once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HttpRequest {
    /// Its method.
    pub method: Method,
    /// Where it goes: `http://…` or `https://…`. Paths of webhooks are passwords.
    pub url: Secret,
    /// All headers but those the client makes itself (`Host`, `Content-Length`).
    pub headers: Vec<(String, Secret)>,
    /// What is sent, UTF-8.
    pub body: String,
    /// How long to wait for the answer; `None` when the integration sets no limit of its own.
    pub timeout: Option<Duration>,
}

impl HttpRequest {
    /// A `POST` of JSON.
    pub(crate) fn post_json(url: Secret, body: String) -> Self {
        Self::post(url, "application/json", body)
    }

    /// A `POST` of anything.
    pub(crate) fn post(url: Secret, content_type: &str, body: String) -> Self {
        Self {
            method: Method::Post,
            url,
            headers: vec![("Content-Type".to_owned(), Secret::new(content_type))],
            body,
            timeout: None,
        }
    }

    /// A `GET`.
    pub(crate) fn get(url: Secret) -> Self {
        Self {
            method: Method::Get,
            url,
            headers: Vec::new(),
            body: String::new(),
            timeout: None,
        }
    }

    /// The same with another method.
    pub(crate) fn by(self, method: Method) -> Self {
        Self { method, ..self }
    }

    /// The same with a limit of time.
    pub(crate) fn within(self, timeout: Option<Duration>) -> Self {
        Self { timeout, ..self }
    }

    /// The same with one more header. What `http_config` says of `Authorization` gives way to it.
    pub(crate) fn with_header(mut self, name: &str, value: Secret) -> Self {
        self.headers.push((name.to_owned(), value));
        self
    }

    fn has_header(&self, name: &str) -> bool {
        let mut headers = self.headers.iter();
        headers.any(|(known, _)| known.eq_ignore_ascii_case(name))
    }
}

/// What came back.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HttpResponse {
    /// Status code, such as 200.
    pub status: u16,
    /// Headers with names in any case.
    pub headers: Vec<(String, String)>,
    /// The body, or its start.
    pub body: Vec<u8>,
}

impl HttpResponse {
    /// The first value of a header, or the empty string.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let mut headers = self.headers.iter();
        let found = headers.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }
}

/// How requests of one integration are made: upstream's `http_config`, checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HttpConfig {
    /// The whole value of the header `Authorization`, from `basic_auth` or `authorization`.
    pub authorization: Option<Secret>,
    /// Further headers, in order (`http_headers`).
    pub headers: Vec<(String, Secret)>,
    /// Whether redirects are followed (`follow_redirects`, default true).
    pub follow_redirects: bool,
    /// `tls_config`.
    pub tls: Tls,
    /// `proxy_url` and what belongs to it.
    pub proxy: ProxyConfig,
    /// How to get the token of every request (`oauth2`).
    pub oauth2: Option<OAuth2>,
}

/// Through whom requests go.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ProxyConfig {
    /// `proxy_url`; it may hold a password.
    pub url: Option<Secret>,
    /// Hosts that are asked directly, separated by commas (`no_proxy`).
    pub no_proxy: String,
    /// Whether the environment says all that (`proxy_from_environment`).
    pub from_environment: bool,
    /// Headers for the proxy (`proxy_connect_header`).
    pub connect_headers: Vec<(String, Secret)>,
}

/// A version of TLS.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum TlsVersion {
    /// 1.0 or 1.1, which are not spoken.
    Older,
    /// 1.2
    V12,
    /// 1.3
    V13,
}

/// Whom to trust.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tls {
    /// Certificates, as PEM, that are trusted instead of the system's (`ca`, `ca_file`).
    pub ca_pem: Option<String>,
    /// Our own certificate and its key, as PEM (`cert`, `cert_file`, `key`, `key_file`).
    pub client_pem: Option<Secret>,
    /// The oldest version that is spoken (`min_version`).
    pub version_min: Option<TlsVersion>,
    /// The newest version that is spoken (`max_version`).
    pub version_max: Option<TlsVersion>,
    /// The name that the certificate has to be of, instead of that in the address (`server_name`).
    pub server_name: Option<String>,
    /// Whether any certificate is taken (`insecure_skip_verify`).
    pub insecure_skip_verify: bool,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            authorization: None,
            headers: Vec::new(),
            follow_redirects: true,
            tls: Tls::default(),
            proxy: ProxyConfig::default(),
            oauth2: None,
        }
    }
}

impl HttpConfig {
    /// Gives a request the headers of every request.
    pub(crate) fn apply(
        &self,
        request: &mut HttpRequest,
        user_agent: &str,
        token: Option<&Secret>,
    ) {
        let headers = &mut request.headers;
        headers.push(("User-Agent".to_owned(), Secret::new(user_agent)));
        if let Some(authorization) = token.or(self.authorization.as_ref())
            && !request.has_header("Authorization")
        {
            let header = ("Authorization".to_owned(), authorization.clone());
            request.headers.push(header);
        }
        request.headers.extend(self.headers.iter().cloned());
    }

    /// The secrets that an answer could echo.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let headers = self.headers.iter().map(|(_, value)| value);
        let secret = self.oauth2.iter().map(|oauth2| oauth2.proof.secret());
        let proxy = &self.proxy;
        let proxy_headers = proxy.connect_headers.iter().map(|(_, value)| value);
        let proxy = proxy.url.iter().chain(proxy_headers);
        let own = self.authorization.iter().chain(headers);
        own.chain(secret).chain(proxy)
    }
}

/// The value of `Authorization` for a name and a password.
///
/// *Sources*: RFC 7617.
#[must_use]
pub fn basic(user: &str, password: &str) -> Secret {
    let pair = BASE64_STANDARD.encode(format!("{user}:{password}"));
    Secret::new(format!("Basic {pair}"))
}

/// A path as it stands in an address, its slashes kept. Source: Go, `net/url`, `escape`.
pub(crate) fn escape_path(path: &str) -> String {
    escape(path, "-_.~$&+,/:;=@")
}

/// A value as it stands in the query of an address, blanks as `+`.
pub(crate) fn escape_query(value: &str) -> String {
    escape(value, "-_.~ ").replace(' ', "+")
}

fn escape(text: &str, kept: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_alphanumeric() || kept.contains(c) {
            escaped.push(c);
            continue;
        }
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

/// Whether a text can be an address for HTTP.
pub(crate) fn is_address(url: &str) -> bool {
    let rest = url
        .strip_prefix("http://")
        .or_else(|| url.strip_prefix("https://"));
    rest.is_some_and(|rest| {
        !rest.is_empty()
            && !rest.starts_with(['/', '?', '#', ':'])
            && !rest.contains(|c: char| c.is_whitespace() || c.is_control())
    })
}
