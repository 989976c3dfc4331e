//! Which formats are asked for and which one came.
//!
//! *Sources*: Prometheus, `scrape/scrape.go` (`acceptHeader`) and `model/textparse`.

use crate::names::Escaping;

/// The text formats.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Prometheus's text format 0.0.4.
    Text,
    /// OpenMetrics 0.0.1 and 1.0.0, as text.
    OpenMetrics,
}

/// What a body is written in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BodyFormat {
    /// Text, for [`Parser`](super::Parser).
    Text(Format),
    /// Protobuf, for [`read_families`](super::read_families).
    Protobuf,
}

/// What a target can be asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the formats' own names and versions")]
pub enum Protocol {
    Protobuf,
    Text004,
    Text100,
    OpenMetrics001,
    OpenMetrics100,
}

impl Protocol {
    fn media_type(self, escaping: &str) -> String {
        let escaped = |media_type| format!("{media_type};escaping={escaping}");
        match self {
            Self::Protobuf => {
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
                 encoding=delimited"
                    .to_owned()
            }
            Self::Text004 => "text/plain;version=0.0.4".to_owned(),
            Self::Text100 => escaped("text/plain;version=1.0.0"),
            Self::OpenMetrics001 => "application/openmetrics-text;version=0.0.1".to_owned(),
            Self::OpenMetrics100 => escaped("application/openmetrics-text;version=1.0.0"),
        }
    }

    /// How a body is read that was sent so.
    #[must_use]
    pub fn format(self) -> BodyFormat {
        match self {
            Self::Protobuf => BodyFormat::Protobuf,
            Self::Text004 | Self::Text100 => BodyFormat::Text(Format::Text),
            Self::OpenMetrics001 | Self::OpenMetrics100 => BodyFormat::Text(Format::OpenMetrics),
        }
    }
}

/// The `Accept` header of a scrape that prefers the protocols in this order, each at most once, and
/// has names escaped so, in upstream's words.
#[must_use]
pub fn accept(protocols: &[Protocol], escaping: &str) -> String {
    let mut weight = PROTOCOLS + 1;
    let mut header = String::new();
    for protocol in protocols.iter().take(PROTOCOLS) {
        header += &format!("{};q=0.{weight},", protocol.media_type(escaping));
        weight -= 1;
    }
    header + &format!("*/*;q=0.{weight}")
}

/// How many protocols there are.
const PROTOCOLS: usize = 5;

/// A target that answers in no format that can be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "target answers with content type `{0}`, neither text/plain nor application/openmetrics-text \
     nor application/vnd.google.protobuf; set `fallback_scrape_protocol` to read it anyway"
)]
pub struct UnknownContentType(pub String);

impl BodyFormat {
    /// The format that a `Content-Type` header names.
    ///
    /// # Errors
    /// When it names another format, or none: as in Prometheus 3, nothing is guessed.
    pub fn of_content_type(header: &str) -> Result<Self, UnknownContentType> {
        let media_type = header.split(';').next().unwrap_or("").trim();
        let known = [
            (
                "application/openmetrics-text",
                Self::Text(Format::OpenMetrics),
            ),
            ("text/plain", Self::Text(Format::Text)),
            ("application/vnd.google.protobuf", Self::Protobuf),
        ];
        let found = known
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(media_type));
        found
            .map(|(_, format)| *format)
            .ok_or_else(|| UnknownContentType(header.to_owned()))
    }
}

/// How an answer is written that a client's `Accept` header has asked for.
///
/// *Sources*: `prometheus/common`, `expfmt/expfmt.go`, `Negotiate`, as behaviour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Negotiated {
    /// Protobuf, each message after its length; else the text format 0.0.4.
    pub is_protobuf: bool,
    /// How names are written.
    pub escaping: Escaping,
}

impl Negotiated {
    /// What is liked best of what can be given.
    #[must_use]
    pub fn of_accept(header: &str) -> Self {
        let mut wishes: Vec<Wish<'_>> = header.split(',').map(Wish::read).collect();
        // Of two that are liked the same, the first one counts.
        wishes.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        let mut escaping = Escaping::default();
        for wish in wishes {
            escaping = Escaping::of_name(wish.param("escaping")).unwrap_or(escaping);
            let is_delimited = wish.param("proto") == "io.prometheus.client.MetricFamily"
                && wish.param("encoding") == "delimited";
            let is_protobuf = match wish.media_type {
                "application/vnd.google.protobuf" if is_delimited => true,
                "text/plain" if matches!(wish.param("version"), "" | "0.0.4") => false,
                _ => continue,
            };
            return Self {
                is_protobuf,
                escaping,
            };
        }
        Self {
            is_protobuf: false,
            escaping,
        }
    }

    /// What the answer says of itself.
    #[must_use]
    pub fn content_type(self) -> String {
        let kind = match self.is_protobuf {
            true => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; \
                 encoding=delimited"
            }
            false => "text/plain; version=0.0.4; charset=utf-8",
        };
        format!("{kind}; escaping={}", self.escaping.name())
    }
}

/// A part of an `Accept` header.
struct Wish<'a> {
    media_type: &'a str,
    params: Vec<(&'a str, &'a str)>,
    weight: f64,
}

impl<'a> Wish<'a> {
    fn read(text: &'a str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default();
        let pair = |part: &'a str| {
            let (name, value) = part.split_once('=')?;
            Some((name.trim(), value.trim().trim_matches('"')))
        };
        let params: Vec<_> = parts.filter_map(pair).collect();
        let wish = Self {
            media_type,
            params,
            weight: 1.0,
        };
        let weight = wish.param("q").parse().unwrap_or(1.0);
        Self { weight, ..wish }
    }

    fn param(&self, name: &str) -> &'a str {
        let found = self.params.iter().find(|param| param.0 == name);
        found.map_or("", |param| param.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_liked_best_is_given() {
        const PROTOBUF: &str = "application/vnd.google.protobuf;\
            proto=io.prometheus.client.MetricFamily;encoding=delimited";
        for (header, is_protobuf, escaping) in [
            ("", false, Escaping::Underscores),
            ("*/*", false, Escaping::Underscores),
            (PROTOBUF, true, Escaping::Underscores),
            (
                &format!("{PROTOBUF};escaping=allow-utf-8;q=0.6, text/plain;q=0.5"),
                true,
                Escaping::AllowUtf8,
            ),
            (
                &format!("{PROTOBUF};q=0.4,text/plain;version=0.0.4;q=0.5"),
                false,
                Escaping::Underscores,
            ),
            (
                "application/vnd.google.protobuf;encoding=delimited",
                false,
                Escaping::Underscores,
            ),
            (
                "text/plain;version=1.0.0;escaping=allow-utf-8",
                false,
                Escaping::AllowUtf8,
            ),
            ("text/plain;escaping=values", false, Escaping::Values),
            (
                &accept(&[Protocol::Protobuf, Protocol::Text100], "allow-utf-8"),
                true,
                Escaping::Underscores,
            ),
        ] {
            let expected = Negotiated {
                is_protobuf,
                escaping,
            };
            assert_eq!(Negotiated::of_accept(header), expected, "{header}");
        }
    }

    #[test]
    fn the_content_type_decides() {
        for (header, expected) in [
            (
                "text/plain; version=0.0.4; charset=utf-8",
                Some(BodyFormat::Text(Format::Text)),
            ),
            ("Text/Plain", Some(BodyFormat::Text(Format::Text))),
            (
                "application/openmetrics-text; version=1.0.0",
                Some(BodyFormat::Text(Format::OpenMetrics)),
            ),
            (
                "application/vnd.google.protobuf; encoding=delimited",
                Some(BodyFormat::Protobuf),
            ),
            ("text/html", None),
            ("", None),
        ] {
            assert_eq!(
                BodyFormat::of_content_type(header).ok(),
                expected,
                "{header}"
            );
        }
    }

    #[test]
    fn protocols_are_asked_for_as_upstream_does() {
        assert_eq!(
            accept(
                &[
                    Protocol::Protobuf,
                    Protocol::OpenMetrics100,
                    Protocol::Text004
                ],
                "dots"
            ),
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
             encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;\
             escaping=dots;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.3"
        );
    }
}
