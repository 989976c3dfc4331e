//! `source`: a cluster that holds the series, instead of the store here.
//!
//! *Sources*: Prometheus, `config/config.go`, `RemoteReadConfig` and `RemoteWriteConfig`: the same
//! words where they mean the same.

use firebell_model::{Duration, Secret};
use firebell_notify::HttpConfig;

use crate::fields::Fields;
use crate::http;
use crate::load::Loader;

/// A Prometheus-compatible cluster: rules and people's queries are answered by it, and what rules
/// record is written to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExternalSource {
    /// Where its API is, without `/api/v1` and without a slash at the end. May hold a password.
    pub url: Secret,
    /// Where remote write goes; `None` when nothing is to be written.
    pub write_url: Option<Secret>,
    /// Parameters that every query gets, such as `tenant` or `dedup`.
    pub params: Vec<(String, String)>,
    /// How long a query or a write may take.
    pub timeout: Duration,
    /// Credentials, headers, TLS.
    pub http: HttpConfig,
}

/// What the section says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct SourceSection {
    pub(crate) external: Option<ExternalSource>,
    /// Of all rule groups that name none: clusters have samples late.
    pub(crate) query_offset: Option<Duration>,
}

impl SourceSection {
    /// Reads the section; nothing when it is absent.
    pub(crate) fn read(loader: &Loader<'_>, parent: &Fields<'_, '_>) -> Self {
        let Some(node) = parent.get("source") else {
            return Self::default();
        };
        let section = parent.doc.fields(node, "`source`");
        let Some(node) = section.get("prometheus") else {
            let hint = Some("such as `source: {prometheus: {url: http://mimir:9009/prometheus}}`");
            let message = "`source` names no `prometheus`";
            parent
                .doc
                .problem(section.at, message, hint.map(str::to_owned));
            section.finish();
            return Self::default();
        };
        let fields = parent.doc.fields(node, "`source.prometheus`");
        let read = Self {
            external: external(loader, &fields),
            query_offset: fields.duration("query_offset"),
        };
        fields.finish();
        section.finish();
        read
    }
}

fn external(loader: &Loader<'_>, fields: &Fields<'_, '_>) -> Option<ExternalSource> {
    let url = fields.needed_text("url");
    let url = url.and_then(|text| checked(fields, "url", text));
    let write_url = match fields.text("remote_write_url") {
        None => url.as_ref().map(|url| format!("{url}{WRITE_PATH}")),
        Some(text) if text.is_empty() => None,
        Some(text) => checked(fields, "remote_write_url", text),
    };
    let mut http = http::read(loader, fields);
    http.headers.extend(headers(fields));
    let params = fields.get("params").map_or_else(Vec::new, |node| {
        let pairs = fields.doc.text_map(node, "params").into_iter();
        pairs
            .map(|(entry, text)| (entry.key.to_string(), text))
            .collect()
    });
    let timeout = fields.duration("timeout").filter(|it| *it > Duration::ZERO);
    Some(ExternalSource {
        url: Secret::new(url?),
        write_url: write_url.map(Secret::new),
        params,
        timeout: timeout.unwrap_or(TIMEOUT),
        http,
    })
}

/// An address without a slash at the end; anything else is noted.
fn checked(fields: &Fields<'_, '_>, name: &'static str, text: String) -> Option<String> {
    let text = text.trim();
    let rest = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"));
    let is_address = rest.is_some_and(|rest| {
        let is_wrong = |c: char| matches!(c, '?' | '#') || c.is_whitespace() || c.is_control();
        !rest.is_empty() && !rest.starts_with(['/', ':']) && !rest.contains(is_wrong)
    });
    let port = rest.and_then(port).filter(|_| is_address);
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        // Which is not shown: in a password that is not escaped, it is a part of that.
        let message = format!("the port of `{name}` is no number from 0 to 65535");
        fields.doc.problem(fields.at(name), message, None);
        return None;
    }
    if !is_address {
        let message = format!("`{name}` is not an address such as http://mimir:9009/prometheus");
        fields.doc.problem(fields.at(name), message, None);
        return None;
    }
    Some(text.trim_end_matches('/').to_owned())
}

/// The port of an address without its scheme, if it names one.
fn port(rest: &str) -> Option<&str> {
    let authority = rest.split('/').next()?;
    let host = authority.rsplit('@').next()?;
    // The address of IPv6 has colons of its own.
    let after = host.rsplit(']').next()?;
    let (_, port) = after.rsplit_once(':')?;
    Some(port).filter(|port| !port.is_empty())
}

/// `headers`: plain texts, as in upstream's remote write.
fn headers(fields: &Fields<'_, '_>) -> Vec<(String, Secret)> {
    let Some(node) = fields.get("headers") else {
        return Vec::new();
    };
    let pairs = fields.doc.text_map(node, "headers").into_iter();
    pairs
        .map(|(entry, text)| {
            let (name, value) = (entry.key.clone(), Secret::new(text));
            http::check_header_name(fields.doc, entry.at, &name);
            http::check_header_value(fields.doc, entry.value.at, &name, &value);
            (name, value)
        })
        .collect()
}

const WRITE_PATH: &str = "/api/v1/write";
/// As long as upstream waits for a remote write.
const TIMEOUT: Duration = Duration::from_secs(30);
