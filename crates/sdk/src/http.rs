//! Posts bytes to the server, over HTTP/1.1, with TLS where the address asks for it.
//!
//! Every wait has an end: connecting, writing and reading together take no longer than is allowed.
//! One connection is kept between posts.
//!
//! *Sources*: RFC 9110, RFC 9112.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{IpAddr, TcpStream, ToSocketAddrs as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use rustls_platform_verifier::Verifier;

use crate::proxy::Proxy;

/// Where it is sent, and with what.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    host: String,
    port: u16,
    prefix: String,
    is_tls: bool,
    /// Name and value.
    headers: Vec<(String, String)>,
    ca_file: Option<PathBuf>,
    proxy: Option<Proxy>,
    is_gzip: bool,
}

/// Headers may be secrets.
impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.address())
    }
}

/// Why an address is none.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadEndpoint {
    /// Not `http://` or `https://`.
    #[error("an address begins with `http://` or `https://`")]
    Scheme,
    /// Names and passwords in addresses end up in logs.
    #[error("no user in an address: use `token` or `headers`")]
    User,
    /// No host, or a port that is no number.
    #[error("no `host` or `host:port` in it")]
    Host,
    /// A header that cannot be sent.
    #[error("the header `{0}` cannot be sent as it is")]
    Header(String),
}

impl Endpoint {
    /// Reads `https://host:port/prefix`.
    ///
    /// # Errors
    /// It is no such address, or a header is none.
    pub fn parse(
        url: &str,
        headers: Vec<(String, String)>,
        ca_file: Option<PathBuf>,
    ) -> Result<Self, BadEndpoint> {
        let (is_tls, rest) = match url.split_once("://") {
            Some(("http", rest)) => (false, rest),
            Some(("https", rest)) => (true, rest),
            _ => return Err(BadEndpoint::Scheme),
        };
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(BadEndpoint::User);
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => {
                (host, port.parse().map_err(|_| BadEndpoint::Host)?)
            }
            _ => (authority, if is_tls { 443 } else { 80 }),
        };
        let is_plain = |text: &str| text.bytes().all(|it| it.is_ascii_graphic());
        if host.is_empty() || !is_plain(host) || !is_plain(path) {
            return Err(BadEndpoint::Host);
        }
        let bad = headers.iter().find(|(name, value)| {
            name.is_empty()
                || !is_plain(name)
                || name.contains(':')
                || value.contains(['\r', '\n', '\0'])
        });
        if let Some((name, _)) = bad {
            return Err(BadEndpoint::Header(name.clone()));
        }
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            prefix: path.trim_end_matches('/').to_owned(),
            is_tls,
            headers,
            ca_file,
            proxy: None,
            is_gzip: false,
        })
    }

    /// The same through the proxy that the environment names for it: `http_proxy`, `https_proxy`,
    /// `all_proxy`, but for what `no_proxy` has, and this machine.
    #[must_use]
    pub fn through_proxy(mut self, variable: impl Fn(&str) -> Option<String>) -> Self {
        self.proxy = (!self.is_loopback())
            .then(|| Proxy::of_environment(&self.host, self.is_tls, variable))
            .flatten();
        self
    }

    /// The same with bodies compressed, or not.
    #[must_use]
    pub fn with_gzip(mut self, is_gzip: bool) -> Self {
        self.is_gzip = is_gzip;
        self
    }

    fn is_loopback(&self) -> bool {
        let address = self.host.parse::<IpAddr>();
        self.host == "localhost" || address.is_ok_and(|it| it.is_loopback())
    }

    /// `host:port`, with brackets where they are needed.
    fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// For people.
    pub(crate) fn address(&self) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        format!("{scheme}://{}:{}{}", self.host, self.port, self.prefix)
    }

    fn head(&self, path: &str, kind: &str, len: usize) -> String {
        let authority = self.authority();
        // A proxy is told the whole address, unless it only hands on what is encrypted.
        let proxy = self.proxy.as_ref().filter(|_| !self.is_tls);
        let origin = proxy.map_or_else(String::new, |_| format!("http://{authority}"));
        let path = match self.prefix.len() + path.len() {
            0 => "/",
            _ => path,
        };
        let mut head = format!(
            "POST {origin}{}{path} HTTP/1.1\r\nHost: {authority}\r\nContent-Type: {kind}\r\n\
             Content-Length: {len}\r\nUser-Agent: firebell-python/{}\r\n",
            self.prefix,
            env!("CARGO_PKG_VERSION")
        );
        if self.is_gzip {
            head.push_str("Content-Encoding: gzip\r\n");
        }
        if let Some(authorization) = proxy.and_then(|it| it.authorization.as_ref()) {
            let _ = write!(head, "Proxy-Authorization: {authorization}\r\n");
        }
        for (name, value) in &self.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        head.push_str("\r\n");
        head
    }
}

/// What the server answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// When to come again, if it says so.
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The beginning of what it says.
    pub(crate) fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        text.trim().chars().take(SAID_CHARS_MAX).collect()
    }
}

/// Posts, and keeps its connection.
#[derive(Default)]
pub(crate) struct Poster {
    kept: Option<(Endpoint, Box<dyn Stream>)>,
    tls: Option<(Option<PathBuf>, Arc<ClientConfig>)>,
}

impl std::fmt::Debug for Poster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Poster")
    }
}

impl Poster {
    /// Sends a body and waits for the answer, no longer than until the deadline.
    pub(crate) fn post(
        &mut self,
        endpoint: &Endpoint,
        path: &str,
        kind: &str,
        body: &[u8],
        deadline: Instant,
    ) -> io::Result<Answer> {
        let packed = if endpoint.is_gzip {
            gzip(body)?
        } else {
            Vec::new()
        };
        let body = if endpoint.is_gzip { &packed } else { body };
        let kept = self.kept.take().filter(|(of, _)| of == endpoint);
        if let Some((_, stream)) = kept
            && let Ok(answer) = self.try_on(stream, endpoint, path, kind, body, deadline)
        {
            return Ok(answer);
        }
        // A connection that the server has closed meanwhile shows it only now.
        let stream = self.connect(endpoint, deadline)?;
        self.try_on(stream, endpoint, path, kind, body, deadline)
    }

    fn try_on(
        &mut self,
        mut stream: Box<dyn Stream>,
        endpoint: &Endpoint,
        path: &str,
        kind: &str,
        body: &[u8],
        deadline: Instant,
    ) -> io::Result<Answer> {
        let mut request = endpoint.head(path, kind, body.len()).into_bytes();
        request.extend_from_slice(body);
        for chunk in request.chunks(CHUNK_BYTES) {
            stream.set_deadline(deadline)?;
            stream.write_all(chunk)?;
        }
        stream.flush()?;
        let (answer, may_stay) = read_answer(&mut *stream, deadline)?;
        if may_stay {
            self.kept = Some((endpoint.clone(), stream));
        }
        Ok(answer)
    }

    fn connect(&mut self, endpoint: &Endpoint, deadline: Instant) -> io::Result<Box<dyn Stream>> {
        let mut failure = io::Error::other("the name has no address");
        let to = match &endpoint.proxy {
            Some(proxy) => (proxy.host.as_str(), proxy.port),
            None => (endpoint.host.as_str(), endpoint.port),
        };
        for address in to.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, left(deadline)?) {
                Ok(mut stream) => {
                    stream.set_nodelay(true)?;
                    if let Some(proxy) = endpoint.proxy.as_ref().filter(|_| endpoint.is_tls) {
                        tunnel(&mut stream, endpoint, proxy, deadline)?;
                    }
                    return self.secure(endpoint, stream);
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    fn secure(&mut self, endpoint: &Endpoint, stream: TcpStream) -> io::Result<Box<dyn Stream>> {
        if !endpoint.is_tls {
            return Ok(Box::new(stream));
        }
        let config = match &self.tls {
            Some((ca_file, config)) if *ca_file == endpoint.ca_file => Arc::clone(config),
            _ => {
                let config = Arc::new(tls(endpoint.ca_file.as_ref())?);
                self.tls = Some((endpoint.ca_file.clone(), Arc::clone(&config)));
                config
            }
        };
        let name = ServerName::try_from(endpoint.host.clone()).map_err(io::Error::other)?;
        let connection = ClientConnection::new(config, name).map_err(io::Error::other)?;
        Ok(Box::new(StreamOwned::new(connection, stream)))
    }
}

/// Has a proxy hand on what goes through the connection from here on.
fn tunnel(
    stream: &mut TcpStream,
    endpoint: &Endpoint,
    proxy: &Proxy,
    deadline: Instant,
) -> io::Result<()> {
    let authority = endpoint.authority();
    let mut head = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
    if let Some(authorization) = &proxy.authorization {
        let _ = write!(head, "Proxy-Authorization: {authorization}\r\n");
    }
    head.push_str("\r\n");
    stream.set_deadline(deadline)?;
    stream.write_all(head.as_bytes())?;
    let (head, rest) = read_head(stream, Vec::new(), deadline)?;
    match status_of(&head)? {
        200..300 if rest.is_empty() => Ok(()),
        status => Err(io::Error::other(format!(
            "the proxy {proxy:?} answered {status}"
        ))),
    }
}

fn gzip(body: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body)?;
    encoder.finish()
}

/// Trusts what the system trusts, and the certificates of a file beside.
fn tls(ca_file: Option<&PathBuf>) -> io::Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = Vec::new();
    if let Some(path) = ca_file {
        let told = |error: rustls::pki_types::pem::Error| {
            io::Error::other(format!("`{}`: {error}", path.display()))
        };
        for certificate in CertificateDer::pem_file_iter(path).map_err(told)? {
            roots.push(certificate.map_err(told)?);
        }
    }
    let verifier =
        Verifier::new_with_extra_roots(roots, Arc::clone(&provider)).map_err(io::Error::other)?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(config)
}

/// A connection whose reads and writes end in time.
pub(crate) trait Stream: Read + Write + Send {
    fn set_deadline(&self, deadline: Instant) -> io::Result<()>;
}

impl Stream for TcpStream {
    fn set_deadline(&self, deadline: Instant) -> io::Result<()> {
        let left = left(deadline)?;
        self.set_read_timeout(Some(left))?;
        self.set_write_timeout(Some(left))
    }
}

impl Stream for StreamOwned<ClientConnection, TcpStream> {
    fn set_deadline(&self, deadline: Instant) -> io::Result<()> {
        self.sock.set_deadline(deadline)
    }
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(io::Error::new(io::ErrorKind::TimedOut, "it took too long"));
    }
    Ok(left)
}

/// Reads a whole answer; says whether the connection may be used again.
pub(crate) fn read_answer(
    stream: &mut dyn Stream,
    deadline: Instant,
) -> io::Result<(Answer, bool)> {
    let mut bytes = Vec::new();
    loop {
        let (head, rest) = read_head(stream, bytes, deadline)?;
        let status = status_of(&head)?;
        if !(100..200).contains(&status) {
            return read_body(stream, &head, status, rest, deadline);
        }
        bytes = rest;
    }
}

/// Reads on after `bytes` to the end of a head; gives what came behind it, too.
fn read_head(
    stream: &mut dyn Stream,
    mut bytes: Vec<u8>,
    deadline: Instant,
) -> io::Result<(String, Vec<u8>)> {
    loop {
        if let Some(at) = bytes.windows(4).position(|it| it == b"\r\n\r\n") {
            let rest = bytes.split_off(at + 4);
            return Ok((String::from_utf8_lossy(&bytes).into_owned(), rest));
        }
        if !read_more(stream, &mut bytes, deadline)? {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "no answer"));
        }
    }
}

fn status_of(head: &str) -> io::Result<u16> {
    let status = head.split(' ').nth(1).and_then(|it| it.parse().ok());
    status.ok_or_else(|| io::Error::other("the answer is no HTTP"))
}

fn read_body(
    stream: &mut dyn Stream,
    head: &str,
    status: u16,
    mut body: Vec<u8>,
    deadline: Instant,
) -> io::Result<(Answer, bool)> {
    let header = |wanted: &str| {
        let lines = head.lines().filter_map(|line| line.split_once(':'));
        let mut found = lines.filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.next().map(|(_, value)| value.trim())
    };
    let len = header("content-length").and_then(|it| it.parse::<usize>().ok());
    let is_whole = |body: &[u8]| match len {
        Some(len) => body.len() >= len,
        None => status == 204 || body.ends_with(b"0\r\n\r\n"),
    };
    while !is_whole(&body) && body.len() < ANSWER_BYTES_MAX {
        if !read_more(stream, &mut body, deadline)? {
            break;
        }
    }
    let wants_close = header("connection").is_some_and(|it| it.eq_ignore_ascii_case("close"));
    let may_stay = !wants_close && len.map_or(status == 204, |len| len == body.len());
    let answer = Answer {
        status,
        retry_after: header("retry-after")
            .and_then(|it| it.parse().ok())
            .map(Duration::from_secs),
        body,
    };
    Ok((answer, may_stay))
}

fn read_more(stream: &mut dyn Stream, bytes: &mut Vec<u8>, deadline: Instant) -> io::Result<bool> {
    if bytes.len() >= ANSWER_BYTES_MAX {
        return Err(io::Error::other("the answer is too long"));
    }
    stream.set_deadline(deadline)?;
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(n) => {
                bytes.extend_from_slice(buffer.get(..n).unwrap_or_default());
                return Ok(n > 0);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

const CHUNK_BYTES: usize = 64 << 10;
const ANSWER_BYTES_MAX: usize = 64 << 10;
pub(crate) const SAID_CHARS_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_or_refused_with_a_reason() {
        let check = |url: &str, expected: Result<&str, BadEndpoint>| {
            let parsed = Endpoint::parse(url, Vec::new(), None);
            assert_eq!(
                parsed.map(|it| it.address()),
                expected.map(str::to_owned),
                "{url}"
            );
        };
        check("http://localhost:9093", Ok("http://localhost:9093"));
        check(
            "https://bell.example/team/",
            Ok("https://bell.example:443/team"),
        );
        check("http://[::1]:4318", Ok("http://::1:4318"));
        check("localhost:9093", Err(BadEndpoint::Scheme));
        check("http://ana:secret@bell.example", Err(BadEndpoint::User));
        check("http://:80", Err(BadEndpoint::Host));
        check("http://bell:port", Err(BadEndpoint::Host));
        check("http://bell/a b", Err(BadEndpoint::Host));
        let header = ("X".to_owned(), "a\r\nB: c".to_owned());
        let parsed = Endpoint::parse("http://bell", vec![header], None);
        assert_eq!(parsed, Err(BadEndpoint::Header("X".into())));
    }
}
